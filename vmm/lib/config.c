// SPDX-License-Identifier: BSD-2-Clause
// The parser of candela.cfg: sections of 'key = value' lines into struct config.
//
// A '#' at the start of a line or after white space begins a comment, in a value too.
// Every error is one sentence with file and line; the first one ends the parse.
#include "vmm/lib/config.h"
#include "vmm/lib/config_parser.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"

int config_fail(struct parser *p, const char *fmt, ...)
{
	size_t size = sizeof(p->err->text);
	size_t used = fmt_print(p->err->text, size, "%.*s:%u: ", 64, p->file_name, p->line);
	va_list ap;

	va_start(ap, fmt);
	fmt_vprint(p->err->text + used, size - used, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* What a VM must have; called when its section ends. The error names its header's line. */
static int finish_vm(struct parser *p)
{
	struct config_vm *vm = p->vm;
	int err;

	if (!vm) {
		return 0;
	}
	p->vm = NULL;
	if (vm->kernel[0] == '\0') {
		p->line = vm->line;
		return config_fail(
		        p, "[vm.%s] names no kernel (kernel = \\path\\to\\file)", vm->name);
	}
	if (vm->memory == 0) {
		p->line = vm->line;
		return config_fail(
		        p, "[vm.%s] does not say how much memory it has (memory = 512M)", vm->name);
	}
	err = config_finish_vmbus(p, vm);
	for (uint32_t i = 0; !err && i < vm->n_disks && vm->vmbus == 0; i++) {
		if (vm->disks[i].bus == DISK_STORVSC) {
			p->line = vm->disks[i].line;
			return config_fail(
			        p, "a disk on bus storvsc needs VMBus: hyperv = on, vmbus = on");
		}
	}
	if (!err && vm->n_nics > 0 && vm->vmbus == 0) {
		p->line = vm->nics[0].line;
		return config_fail(p, "a nic needs VMBus: hyperv = on, vmbus = on");
	}
	return err;
}

bool config_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

static int open_vm(struct parser *p, struct slice name)
{
	struct config *cfg = p->cfg;
	struct config_vm *vm;

	if (name.len == 0) {
		return config_fail(p, "a VM needs a name: [vm.NAME]");
	}
	if (name.len >= MAX_NAME_LEN) {
		return config_fail(
		        p, "the VM's name is too long: at most %d characters", MAX_NAME_LEN - 1);
	}
	for (size_t i = 0; i < name.len; i++) {
		if (!config_name_char(name.p[i])) {
			return config_fail(
			        p, "a VM's name has letters, digits, '-', '_' and '.' only");
		}
	}
	for (uint32_t i = 0; i < cfg->n_vms; i++) {
		if (slice_is(name, cfg->vms[i].name)) {
			return config_fail(p, "there is already a [vm.%s], on line %u",
			        cfg->vms[i].name, cfg->vms[i].line);
		}
	}
	if (cfg->n_vms == MAX_VMS) {
		return config_fail(p, "more than %d VMs", MAX_VMS);
	}
	vm = &cfg->vms[cfg->n_vms++];
	memcpy(vm->name, name.p, name.len);
	vm->line = p->line;
	vm->vcpus = 1;
	vm->weight = CONFIG_WEIGHT_DEFAULT;
	vm->hyperv = true;
	vm->hv_features = CONFIG_HV_DEFAULT;
	p->vm = vm;
	p->section = &config_vm_section;
	return 0;
}

static int open_section(struct parser *p, struct slice line)
{
	static const char *const known[] = {"host", "vm"};
	struct slice name = {line.p + 1, line.len - 2};
	size_t stem = 0;
	int near;
	uint32_t at = p->line;
	int err = finish_vm(p);

	if (err) {
		return err;
	}
	p->line = at;
	memset(p->key_line, 0, sizeof(p->key_line));
	if (line.len < 2 || line.p[line.len - 1] != ']') {
		return config_fail(p, "a section's name ends with ']'");
	}
	if (slice_is(name, "host")) {
		if (p->host_line != 0) {
			return config_fail(
			        p, "there is already a [host], on line %u", p->host_line);
		}
		p->host_line = p->line;
		p->section = &config_host_section;
		return 0;
	}
	if (name.len >= 3 && memcmp(name.p, "vm.", 3) == 0) {
		return open_vm(p, (struct slice){name.p + 3, name.len - 3});
	}
	while (stem < name.len && config_name_char(name.p[stem]) && name.p[stem] != '.') {
		stem++;
	}
	near = suggest(name.p, stem, known, ARRAY_SIZE(known));
	if (near < 0) {
		return config_fail(p, "unknown section [%.*s]: there are [host] and [vm.NAME]",
		        quote_len(name), name.p);
	}
	return config_fail(p, "unknown section [%.*s] (did you mean [%s]?)", quote_len(name),
	        name.p, near == 0 ? "host" : "vm.NAME");
}

static int set_key(struct parser *p, struct slice name, struct slice value)
{
	const struct section *s = p->section;
	const char *names[MAX_KEYS];
	int near;

	if (!s) {
		return config_fail(p,
		        "'%.*s' stands before any section: there are [host] and [vm.NAME]",
		        quote_len(name), name.p);
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct key *key = &s->keys[i];

		names[i] = key->name;
		if (!slice_is(name, key->name)) {
			continue;
		}
		if (p->key_line[i] != 0 && !key->many) {
			return config_fail(p, "%s is given twice: it is on line %u already",
			        key->name, p->key_line[i]);
		}
		if (value.len == 0 && !key->may_be_empty) {
			return config_fail(p, "%s has no value", key->name);
		}
		p->key_line[i] = p->line;
		return key->set(p, key->name, value);
	}
	near = suggest(name.p, name.len, names, s->n);
	if (near >= 0) {
		return config_fail(p, "unknown key '%.*s' (did you mean '%s'?)", quote_len(name),
		        name.p, names[near]);
	}
	return config_fail(p, "unknown key '%.*s'", quote_len(name), name.p);
}

/* The line up to its comment, without white space around it. */
static struct slice strip(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		bool after_blank = i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t';

		if (line.p[i] == '#' && after_blank) {
			line.len = i;
			break;
		}
	}
	return slice_trim(line);
}

static int parse_line(struct parser *p, struct slice line)
{
	size_t eq = 0;

	if (line.len > 0 && line.p[line.len - 1] == '\r') {
		line.len--;
	}
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return config_fail(
			        p, "there is a control character (0x%02x) in this line", c);
		}
	}
	line = strip(line);
	if (line.len == 0) {
		return 0;
	}
	if (line.p[0] == '[') {
		return open_section(p, line);
	}
	while (eq < line.len && line.p[eq] != '=') {
		eq++;
	}
	if (eq == line.len) {
		return config_fail(p, "expected 'key = value' or '[section]', not '%.*s'",
		        quote_len(line), line.p);
	}
	if (eq == 0) {
		return config_fail(p, "there is no key before the '='");
	}
	return set_key(p, slice_trim((struct slice){line.p, eq}),
	        slice_trim((struct slice){line.p + eq + 1, line.len - eq - 1}));
}

/* What only the whole file shows. */
static int finish(struct parser *p)
{
	const struct config *cfg = p->cfg;

	if (cfg->n_vms == 0) {
		return config_fail(p, "there is no [vm.NAME] section: nothing to run");
	}
	for (uint32_t i = 0; cfg->monitor_key == 0 && i < cfg->n_vms; i++) {
		if (cfg->vms[i].manual) {
			p->line = cfg->vms[i].manual_line;
			return config_fail(p,
			        "[vm.%s] could never be started: autostart = no leaves it to the "
			        "operator, and monitor_key = none leaves nobody to operate",
			        cfg->vms[i].name);
		}
	}
	return 0;
}

int config_parse(struct config *cfg, const char *file_name, const char *text, size_t len,
        struct config_error *err)
{
	struct parser p = {.cfg = cfg, .err = err, .file_name = file_name, .line = 1};
	size_t pos = 0;
	int ret = 0;

	memset(cfg, 0, sizeof(*cfg));
	cfg->log_level = LOG_INFO;
	cfg->monitor_key = CONFIG_MONITOR_KEY;
	err->text[0] = '\0';
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		pos = 3;
	} else if (len >= 2 &&
	           (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		return config_fail(&p, "the file is UTF-16: save it as UTF-8 or plain ASCII");
	}
	for (uint32_t line = 1; pos < len; line++) {
		size_t end = pos;

		while (end < len && text[end] != '\n') {
			end++;
		}
		p.line = line;
		ret = parse_line(&p, (struct slice){text + pos, end - pos});
		if (ret) {
			return ret;
		}
		pos = end + 1;
	}
	ret = finish_vm(&p);
	ret = ret ? ret : config_finish_nics(&p);
	return ret ? ret : finish(&p);
}
