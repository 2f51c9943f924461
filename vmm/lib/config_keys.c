// SPDX-License-Identifier: BSD-2-Clause
// The keys of candela.cfg: for each its name and what its value sets.
#include "vmm/lib/bits.h"
#include "vmm/lib/config_parser.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"

#define VM_MEMORY_MIN (4ULL << 20)
#define VM_MEMORY_MAX (1ULL << 46) /* 64 TiB: more than any processor here can address */

const char *const vmx_option_names[VMX_OPT_COUNT] = {
        [VMX_OPT_VPID] = "vpid",
        [VMX_OPT_TPR] = "tpr",
        [VMX_OPT_APICACC] = "apicacc",
        [VMX_OPT_APICREG] = "apicreg",
        [VMX_OPT_X2APIC] = "x2apic",
        [VMX_OPT_VID] = "vid",
        [VMX_OPT_MSRBITMAP] = "msrbitmap",
        [VMX_OPT_IOBITMAP] = "iobitmap",
        [VMX_OPT_TIMER] = "timer",
        [VMX_OPT_PLE] = "ple",
        [VMX_OPT_INVPCID] = "invpcid",
        [VMX_OPT_RDTSCP] = "rdtscp",
        [VMX_OPT_XSAVES] = "xsaves",
        [VMX_OPT_TSCSCALE] = "tscscale",
        [VMX_OPT_EPT2M] = "ept2m",
        [VMX_OPT_EPT1G] = "ept1g",
        [VMX_OPT_EPTAD] = "eptad",
        [VMX_OPT_L1DFLUSH] = "l1dflush",
};
const char *const hv_feature_names[HV_FEATURE_COUNT] = {
        [HV_VP_RUNTIME] = "vpruntime",
        [HV_REF_COUNT] = "refcount",
        [HV_REF_TSC] = "reftsc",
        [HV_FREQ_MSRS] = "freq",
        [HV_INVARIANT_TSC] = "invtsc",
        [HV_APIC_MSRS] = "apic",
        [HV_RESET] = "reset",
        [HV_IDLE] = "idle",
        [HV_CRASH] = "crash",
        [HV_SYNIC] = "synic",
        [HV_STIMER] = "stimer",
        [HV_STIMER_DIRECT_MODE] = "direct",
        [HV_POST] = "post",
        [HV_SIGNAL] = "signal",
        [HV_XMM] = "xmm",
        [HV_TLB_FLUSH] = "tlbflush",
        [HV_IPI] = "ipi",
        [HV_EX_MASKS] = "exmasks",
        [HV_RELAXED] = "relaxed",
        [HV_NO_AUTO_EOI] = "noautoeoi",
        [HV_SPIN_WAIT] = "spinwait",
        [HV_EXT_CALLS] = "extcall",
        [HV_VP_REGS] = "vpregs",
        [HV_START_VP] = "startvp",
        [HV_APIC_HINT] = "apichint",
        [HV_EOI_ASSIST] = "eoiassist",
};
_Static_assert(HV_FEATURE_COUNT < 32, "hv_features is a 32-bit mask");
_Static_assert(VMX_OPT_COUNT < 32, "vmx_off is a 32-bit mask");

/* "error, warn or info" for messages. */
static const char *list_words(char *buf, size_t size, const char *const *words, size_t n)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++) {
		const char *sep = i == 0 ? "" : i + 1 == n ? " or " : ", ";

		used += fmt_print(buf + used, size - used, "%s%s", sep, words[i]);
	}
	return buf;
}

static int set_word(struct parser *p, const char *key, struct slice value, const char *const *words,
        size_t n, unsigned *index)
{
	char list[96];
	int i = value_word(value, words, n);

	if (i < 0) {
		return config_fail(p, "%s must be %s, not '%.*s'", key,
		        list_words(list, sizeof(list), words, n), quote_len(value), value.p);
	}
	*index = (unsigned)i;
	return 0;
}

/* --- [host] --- */

static int set_console(struct parser *p, const char *key, struct slice value)
{
	static const char *const words[] = {"com1"};
	unsigned i;

	return set_word(p, key, value, words, ARRAY_SIZE(words), &i);
}

static int set_log(struct parser *p, const char *key, struct slice value)
{
	static const char *const words[] = {
	        [LOG_ERROR] = "error",
	        [LOG_WARN] = "warn",
	        [LOG_INFO] = "info",
	        [LOG_DEBUG] = "debug",
	};
	unsigned i;
	int err = set_word(p, key, value, words, ARRAY_SIZE(words), &i);

	if (err == 0) {
		p->cfg->log_level = (enum log_level)i;
	}
	return err;
}

static int set_vmx_option(struct parser *p, struct slice option)
{
	struct slice name = {option.p + 1, option.len - 1};
	bool off = option.len > 0 && option.p[0] == '-';
	int i;

	if (option.len < 2 || (option.p[0] != '-' && option.p[0] != '+')) {
		return config_fail(p, "vmx takes a list of '-name' and '+name', not '%.*s'",
		        quote_len(option), option.p);
	}
	if (off && slice_is(name, "all")) {
		p->cfg->vmx_off = BIT(VMX_OPT_COUNT) - 1;
		return 0;
	}
	i = value_word(name, vmx_option_names, VMX_OPT_COUNT);
	if (i < 0) {
		i = suggest(name.p, name.len, vmx_option_names, VMX_OPT_COUNT);
		if (i >= 0) {
			return config_fail(p, "unknown VMX control '%.*s' (did you mean '%c%s'?)",
			        quote_len(option), option.p, option.p[0], vmx_option_names[i]);
		}
		return config_fail(p, "unknown VMX control '%.*s'", quote_len(option), option.p);
	}
	*(off ? &p->cfg->vmx_off : &p->cfg->vmx_force) |= BIT((unsigned)i);
	return 0;
}

static int set_vmx(struct parser *p, const char *key, struct slice value)
{
	size_t start = 0;

	(void)key;
	for (size_t i = 0; i <= value.len; i++) {
		if (i == value.len || value.p[i] == ',') {
			struct slice option = {value.p + start, i - start};
			int err = set_vmx_option(p, slice_trim(option));

			if (err) {
				return err;
			}
			start = i + 1;
		}
	}
	return 0;
}

/* ^] and its like: a control character but those that terminals and shells need (NUL, ^C, ^D, BS,
 * TAB, LF, CR, ESC). */
static int set_monitor_key(struct parser *p, const char *key, struct slice value)
{
	static const char taken[] = "@CDHIJM[";

	if (slice_is(value, "none")) {
		p->cfg->monitor_key = 0;
		return 0;
	}
	if (value.len == 2 && value.p[0] == '^') {
		char c = value.p[1];

		if (c >= 'a' && c <= 'z') {
			c = (char)(c - 'a' + 'A');
		}
		if (c >= '@' && c <= '_' && !strchr(taken, c)) {
			p->cfg->monitor_key = (uint8_t)(c - '@');
			return 0;
		}
	}
	return config_fail(p,
	        "%s must be none or ^ and a character from A to Z, \\, ], ^ or _ without C, D, H, "
	        "I, "
	        "J, M, not '%.*s'",
	        key, quote_len(value), value.p);
}

/* --- [vm.NAME] --- */

static int set_vcpus(struct parser *p, const char *key, struct slice value)
{
	uint64_t n;

	if (!value_u64(value, &n) || n == 0 || n > MAX_VCPUS) {
		return config_fail(p, "%s must be a number from 1 to %u, not '%.*s'", key,
		        (unsigned)MAX_VCPUS, quote_len(value), value.p);
	}
	p->vm->vcpus = (uint32_t)n;
	return 0;
}

static int set_memory(struct parser *p, const char *key, struct slice value)
{
	uint64_t bytes;

	if (!value_size(value, &bytes)) {
		return config_fail(p,
		        "%s must be a number followed by K, M or G, such as 512M, not '%.*s'", key,
		        quote_len(value), value.p);
	}
	if (bytes < VM_MEMORY_MIN) {
		return config_fail(p, "%s %.*s is too small: a VM needs at least 4M", key,
		        quote_len(value), value.p);
	}
	if (bytes > VM_MEMORY_MAX) {
		return config_fail(
		        p, "%s %.*s is more than any machine has", key, quote_len(value), value.p);
	}
	if (!is_aligned(bytes, SIZE_2M)) {
		return config_fail(
		        p, "%s %.*s is not a multiple of 2M", key, quote_len(value), value.p);
	}
	p->vm->memory = bytes;
	return 0;
}

int config_set_path(
        struct parser *p, const char *key, struct slice value, char *path, uint32_t *line)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.p[i] >= 0x80) {
			return config_fail(p, "%s has a character that is not ASCII", key);
		}
	}
	if (!value_string(value, path, MAX_PATH_LEN)) {
		return config_fail(p,
		        "%s is too long: a path has at most %d characters, this one has %zu", key,
		        MAX_PATH_LEN - 1, value.len);
	}
	*line = p->line;
	return 0;
}

static int set_kernel(struct parser *p, const char *key, struct slice value)
{
	return config_set_path(p, key, value, p->vm->kernel, &p->vm->kernel_line);
}

static int set_initrd(struct parser *p, const char *key, struct slice value)
{
	return config_set_path(p, key, value, p->vm->initrd, &p->vm->initrd_line);
}

static int set_cmdline(struct parser *p, const char *key, struct slice value)
{
	if (!value_string(value, p->vm->cmdline, sizeof(p->vm->cmdline))) {
		return config_fail(p, "%s is too long: at most %d characters, this one has %zu",
		        key, MAX_CMDLINE_LEN - 1, value.len);
	}
	return 0;
}

static int set_smbios(struct parser *p, const char *key, struct slice value)
{
	static const char *const words[] = {
	        [SMBIOS_CANDELA] = "candela",
	        [SMBIOS_HYPERV] = "hyperv",
	};
	unsigned i;
	int err = set_word(p, key, value, words, ARRAY_SIZE(words), &i);

	if (err == 0) {
		p->vm->smbios = (enum smbios_strings)i;
	}
	return err;
}

static int set_machine(struct parser *p, const char *key, struct slice value)
{
	static const char *const words[] = {"gen1"};
	unsigned i;

	return set_word(p, key, value, words, ARRAY_SIZE(words), &i);
}

static int set_yes_no(struct parser *p, const char *key, struct slice value, const char *yes,
        const char *no, bool *result)
{
	const char *words[] = {no, yes};
	unsigned i;
	int err = set_word(p, key, value, words, ARRAY_SIZE(words), &i);

	if (err == 0) {
		*result = i == 1;
	}
	return err;
}

static int set_autostart(struct parser *p, const char *key, struct slice value)
{
	p->vm->manual_line = p->line;
	return set_yes_no(p, key, value, "no", "yes", &p->vm->manual);
}

static int set_testdev(struct parser *p, const char *key, struct slice value)
{
	return set_yes_no(p, key, value, "on", "off", &p->vm->testdev);
}

/* One CPU or a range of them: "2" or "4-7". */
static int set_cpu_range(struct parser *p, const char *key, struct slice item)
{
	struct slice first = item, last = item;
	uint64_t from, to;

	for (size_t i = 0; i < item.len; i++) {
		if (item.p[i] == '-') {
			first.len = i;
			last = (struct slice){item.p + i + 1, item.len - i - 1};
			break;
		}
	}
	if (!value_u64(slice_trim(first), &from) || !value_u64(slice_trim(last), &to) ||
	        from > to || to >= MAX_CPUS) {
		return config_fail(p,
		        "%s must be a list of processors from 0 to %u, such as 1 or 0,2-3, not "
		        "'%.*s'",
		        key, MAX_CPUS - 1U, quote_len(item), item.p);
	}
	for (uint64_t i = from; i <= to; i++) {
		p->vm->cpu_mask |= BIT64(i);
	}
	return 0;
}

static int set_cpu(struct parser *p, const char *key, struct slice value)
{
	size_t start = 0;

	p->vm->cpu_line = p->line;
	for (size_t i = 0; i <= value.len; i++) {
		if (i == value.len || value.p[i] == ',') {
			struct slice item = {value.p + start, i - start};
			int err = set_cpu_range(p, key, slice_trim(item));

			if (err) {
				return err;
			}
			start = i + 1;
		}
	}
	return 0;
}

static int set_hv_feature(struct parser *p, struct slice item)
{
	struct slice name = {item.p + 1, item.len - 1};
	int i;

	if (item.len < 2 || (item.p[0] != '-' && item.p[0] != '+')) {
		return config_fail(p,
		        "hyperv is on, off, or on with a list of '-name' and '+name', not '%.*s'",
		        quote_len(item), item.p);
	}
	i = value_word(name, hv_feature_names, HV_FEATURE_COUNT);
	if (i < 0) {
		i = suggest(name.p, name.len, hv_feature_names, HV_FEATURE_COUNT);
		if (i >= 0) {
			return config_fail(p,
			        "unknown Hyper-V feature '%.*s' (did you mean '%c%s'?)",
			        quote_len(item), item.p, item.p[0], hv_feature_names[i]);
		}
		return config_fail(p, "unknown Hyper-V feature '%.*s'", quote_len(item), item.p);
	}
	if (item.p[0] == '-') {
		p->vm->hv_features &= ~BIT((unsigned)i);
	} else {
		p->vm->hv_features |= BIT((unsigned)i);
	}
	return 0;
}

/* "off", "on", or "on,-name,+name". */
static int set_hyperv(struct parser *p, const char *key, struct slice value)
{
	size_t start = 0;

	(void)key;
	for (size_t i = 0; i <= value.len; i++) {
		if (i == value.len || value.p[i] == ',') {
			struct slice item = slice_trim((struct slice){value.p + start, i - start});
			bool first = start == 0;
			int err = 0;

			if (first && i == value.len && slice_is(item, "off")) {
				p->vm->hyperv = false;
				p->vm->hv_features = 0;
			} else if (!first || !slice_is(item, "on")) {
				err = set_hv_feature(p, item);
			}
			if (err) {
				return err;
			}
			start = i + 1;
		}
	}
	return 0;
}

static int set_weight(struct parser *p, const char *key, struct slice value)
{
	uint64_t n;

	if (!value_u64(value, &n) || n == 0 || n > CONFIG_WEIGHT_MAX) {
		return config_fail(p, "%s must be a number from 1 to %u, not '%.*s'", key,
		        CONFIG_WEIGHT_MAX, quote_len(value), value.p);
	}
	p->vm->weight = (uint32_t)n;
	return 0;
}

const struct section config_host_section = {
        .n = 4,
        .keys =
                {
                        {.name = "console", .set = set_console},
                        {.name = "log", .set = set_log},
                        {.name = "vmx", .set = set_vmx},
                        {.name = "monitor_key", .set = set_monitor_key},
                },
};

const struct section config_vm_section = {
        .n = 15,
        .keys =
                {
                        {.name = "vcpus", .set = set_vcpus},
                        {.name = "memory", .set = set_memory},
                        {.name = "kernel", .set = set_kernel},
                        {.name = "initrd", .set = set_initrd},
                        {.name = "cmdline", .may_be_empty = true, .set = set_cmdline},
                        {.name = "smbios", .set = set_smbios},
                        {.name = "machine", .set = set_machine},
                        {.name = "autostart", .set = set_autostart},
                        {.name = "cpu", .set = set_cpu},
                        {.name = "weight", .set = set_weight},
                        {.name = "testdev", .set = set_testdev},
                        {.name = "hyperv", .set = set_hyperv},
                        {.name = "disk", .many = true, .set = config_set_disk},
                        {.name = "vmbus", .set = config_set_vmbus},
                        {.name = "nic", .many = true, .set = config_set_nic},
                },
};
