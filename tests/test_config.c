// SPDX-License-Identifier: BSD-2-Clause
// candela.cfg: what is accepted and what it means, and the exact sentence for what is not.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/config.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

static struct config cfg;
static struct config_error err;

/* In memory of exactly that size, so that ASan sees a read past the end. */
static int parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	int ret;

	memcpy(copy, text, len);
	ret = config_parse(&cfg, "candela.cfg", copy, len, &err);
	free(copy);
	return ret;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

START_TEST(full_example)
{
	int ret = parse("# a comment\n"
	                "[host]\n"
	                "console = com1\n"
	                "log     = debug   # loud\n"
	                "vmx     = -vid, -vpid,-ept1g\n"
	                "\n"
	                "[vm.debian]\n"
	                "vcpus   = 2\n"
	                "memory  = 512M\n"
	                "kernel  = \\guests\\vmlinuz            # or: firmware\n"
	                "initrd  = /guests/init rd.img\n"
	                "cmdline = console=ttyS0 a=b#c quiet # no\n"
	                "smbios  = hyperv\n"
	                "machine = gen1\n"
	                "[vm.second]\n"
	                "memory=1g\n"
	                "kernel=k");

	ck_assert_msg(ret == 0, "%s", err.text);
	ck_assert_int_eq(cfg.log_level, LOG_DEBUG);
	ck_assert_uint_eq(
	        cfg.vmx_off, 1U << VMX_OPT_VID | 1U << VMX_OPT_VPID | 1U << VMX_OPT_EPT1G);
	ck_assert_uint_eq(cfg.n_vms, 2);
	ck_assert_str_eq(cfg.vms[0].name, "debian");
	ck_assert_uint_eq(cfg.vms[0].line, 7);
	ck_assert_uint_eq(cfg.vms[0].vcpus, 2);
	ck_assert_uint_eq(cfg.vms[0].memory, 512ULL << 20);
	ck_assert_str_eq(cfg.vms[0].kernel, "\\guests\\vmlinuz");
	ck_assert_uint_eq(cfg.vms[0].kernel_line, 10);
	ck_assert_str_eq(cfg.vms[0].initrd, "/guests/init rd.img");
	ck_assert_uint_eq(cfg.vms[0].initrd_line, 11);
	ck_assert_str_eq(cfg.vms[0].cmdline, "console=ttyS0 a=b#c quiet");
	ck_assert_int_eq(cfg.vms[0].smbios, SMBIOS_HYPERV);
	ck_assert_str_eq(cfg.vms[1].name, "second");
	ck_assert_uint_eq(cfg.vms[1].vcpus, 1);
	ck_assert_uint_eq(cfg.vms[1].memory, 1ULL << 30);
	ck_assert_str_eq(cfg.vms[1].initrd, "");
	ck_assert_str_eq(cfg.vms[1].cmdline, "");
	ck_assert_int_eq(cfg.vms[1].smbios, SMBIOS_CANDELA);
}
END_TEST

START_TEST(hyperv)
{
	static const struct {
		const char *value;
		bool on;
		uint32_t more, less; /* than the default */
	} rows[] = {
	        {"on", true, 0, 0},
	        {"on,-stimer, -tlbflush", true, 0, 1U << HV_STIMER | 1U << HV_TLB_FLUSH},
	        {"on , +vpregs,+startvp , +apichint", true,
	                1U << HV_VP_REGS | 1U << HV_START_VP | 1U << HV_APIC_HINT, 0},
	        {"-synic", true, 0, 1U << HV_SYNIC},
	        {"on,-synic,+synic,+synic", true, 0, 0},
	        {"off", false, 0, CONFIG_HV_DEFAULT},
	};

	ck_assert_int_eq(parse("[vm.a]\nmemory=4M\nkernel=k\n"), 0);
	ck_assert(cfg.vms[0].hyperv);
	ck_assert_uint_eq(cfg.vms[0].hv_features, CONFIG_HV_DEFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[200];

		snprintf(text, sizeof(text), "[vm.a]\nmemory=4M\nkernel=k\nhyperv=%s\n",
		        rows[i].value);
		ck_assert_msg(parse(text) == 0, "%s", err.text);
		ck_assert_int_eq(cfg.vms[0].hyperv, rows[i].on);
		ck_assert_uint_eq(
		        cfg.vms[0].hv_features, (CONFIG_HV_DEFAULT | rows[i].more) & ~rows[i].less);
	}
}
END_TEST

/* Each name switches its own bit. */
START_TEST(hyperv_names)
{
	char text[200];

	snprintf(text, sizeof(text), "[vm.a]\nmemory=4M\nkernel=k\nhyperv=on,-%s\n",
	        hv_feature_names[_i]);
	ck_assert_int_eq(parse(text), 0);
	ck_assert_uint_eq(cfg.vms[0].hv_features, CONFIG_HV_DEFAULT & ~(1U << _i));
	snprintf(text, sizeof(text), "[vm.a]\nmemory=4M\nkernel=k\nhyperv=on,+%s\n",
	        hv_feature_names[_i]);
	ck_assert_int_eq(parse(text), 0);
	ck_assert_uint_eq(cfg.vms[0].hv_features, CONFIG_HV_DEFAULT | 1U << _i);
}
END_TEST

START_TEST(defaults)
{
	ck_assert_int_eq(parse("[vm.a]\nmemory=4096K\nkernel=k\n"), 0);
	ck_assert_int_eq(cfg.log_level, LOG_INFO);
	ck_assert_uint_eq(cfg.vmx_off, 0);
	ck_assert_uint_eq(cfg.vms[0].memory, 4U << 20);
}
END_TEST

START_TEST(windows_editor)
{
	ck_assert_int_eq(
	        parse("\xef\xbb\xbf[vm.a]\r\nmemory = 4M\r\n\r\nkernel = k\r\ncmdline =\r\n"), 0);
	ck_assert_str_eq(cfg.vms[0].kernel, "k");
	ck_assert_str_eq(cfg.vms[0].cmdline, "");
}
END_TEST

START_TEST(all_options_off)
{
	ck_assert_int_eq(parse("[host]\nvmx = +vid,-ple\n[vm.a]\nmemory=4M\nkernel=k\n"), 0);
	ck_assert_uint_eq(cfg.vmx_force, 1U << VMX_OPT_VID);
	ck_assert_uint_eq(cfg.vmx_off, 1U << VMX_OPT_PLE);
	ck_assert_int_eq(parse("[host]\nvmx = -all\n[vm.a]\nmemory=4M\nkernel=k\n"), 0);
	ck_assert_uint_eq(cfg.vmx_off, (1U << VMX_OPT_COUNT) - 1);
}
END_TEST

START_TEST(every_option_by_name)
{
	for (unsigned i = 0; i < VMX_OPT_COUNT; i++) {
		char text[128];

		ck_assert_ptr_nonnull(vmx_option_names[i]);
		snprintf(text, sizeof(text), "[host]\nvmx = -%s\n[vm.a]\nmemory=4M\nkernel=k\n",
		        vmx_option_names[i]);
		ck_assert_int_eq(parse(text), 0);
		ck_assert_uint_eq(cfg.vmx_off, 1U << i);
	}
}
END_TEST

START_TEST(test_devices)
{
	ck_assert_int_eq(parse("[vm.a]\nmemory=4M\nkernel=k\ntestdev = on\n"
	                       "[vm.b]\nmemory=4M\nkernel=k\ntestdev = off\n"
	                       "[vm.c]\nmemory=4M\nkernel=k\n"),
	        0);
	ck_assert(cfg.vms[0].testdev);
	ck_assert(!cfg.vms[1].testdev);
	ck_assert(!cfg.vms[2].testdev);
}
END_TEST

#define VM "[vm.a]\nmemory=4M\nkernel=k\n"

static const struct {
	const char *text, *error;
} bad[] = {
        {"", "candela.cfg:1: there is no [vm.NAME] section: nothing to run"},
        {"[host]\nlog=info\n", "candela.cfg:2: there is no [vm.NAME] section: nothing to run"},
        {VM "autostart = no\n[host]\nmonitor_key = none\n",
                "candela.cfg:4: [vm.a] could never be started: autostart = no leaves it to the "
                "operator, and monitor_key = none leaves nobody to operate"},
        {VM "memroy = 4M\n", "candela.cfg:4: unknown key 'memroy' (did you mean 'memory'?)"},
        {VM "kernal = 4M\n", "candela.cfg:4: unknown key 'kernal' (did you mean 'kernel'?)"},
        {VM "Vcpus = 4\n", "candela.cfg:4: unknown key 'Vcpus' (did you mean 'vcpus'?)"},
        {VM "log = info\n", "candela.cfg:4: unknown key 'log'"},
        {"log = info\n" VM,
                "candela.cfg:1: 'log' stands before any section: there are [host] and [vm.NAME]"},
        {"[hots]\n" VM, "candela.cfg:1: unknown section [hots] (did you mean [host]?)"},
        {"[vn.a]\n", "candela.cfg:1: unknown section [vn.a] (did you mean [vm.NAME]?)"},
        {"[vm]\n", "candela.cfg:1: unknown section [vm] (did you mean [vm.NAME]?)"},
        {"[disks]\n", "candela.cfg:1: unknown section [disks]: there are [host] and [vm.NAME]"},
        {"[]\n", "candela.cfg:1: unknown section []: there are [host] and [vm.NAME]"},
        {"[\n", "candela.cfg:1: a section's name ends with ']'"},
        {"[host\n", "candela.cfg:1: a section's name ends with ']'"},
        {"[vm.]\n", "candela.cfg:1: a VM needs a name: [vm.NAME]"},
        {"[vm.a b]\n", "candela.cfg:1: a VM's name has letters, digits, '-', '_' and '.' only"},
        {"[vm.01234567890123456789012345678901]\n",
                "candela.cfg:1: the VM's name is too long: at most 31 characters"},
        {VM VM, "candela.cfg:4: there is already a [vm.a], on line 1"},
        {"[host]\n" VM "[host]\n", "candela.cfg:5: there is already a [host], on line 1"},
        {VM "kernel=k2\n", "candela.cfg:4: kernel is given twice: it is on line 3 already"},
        {"[vm.a]\nmemory=4M\n\n[vm.b]\n",
                "candela.cfg:1: [vm.a] names no kernel (kernel = \\path\\to\\file)"},
        {"\n[vm.a]\nkernel=k\n",
                "candela.cfg:2: [vm.a] does not say how much memory it has (memory = 512M)"},
        {VM "vcpus = 0\n", "candela.cfg:4: vcpus must be a number from 1 to 16, not '0'"},
        {VM "vcpus = 17\n", "candela.cfg:4: vcpus must be a number from 1 to 16, not '17'"},
        {VM "vcpus = -1\n", "candela.cfg:4: vcpus must be a number from 1 to 16, not '-1'"},
        {VM "vcpus = 0x2\n", "candela.cfg:4: vcpus must be a number from 1 to 16, not '0x2'"},
        {VM "vcpus = 18446744073709551617\n",
                "candela.cfg:4: vcpus must be a number from 1 to 16, not '18446744073709551617'"},
        {VM "vcpus =\n", "candela.cfg:4: vcpus has no value"},
        {VM "initrd = # nothing\n", "candela.cfg:4: initrd has no value"},
        {"[vm.a]\nmemory = 0M\n", "candela.cfg:2: memory 0M is too small: a VM needs at least 4M"},
        {"[vm.a]\nmemory = 2M\n", "candela.cfg:2: memory 2M is too small: a VM needs at least 4M"},
        {"[vm.a]\nmemory = 5M\n", "candela.cfg:2: memory 5M is not a multiple of 2M"},
        {"[vm.a]\nmemory = 99999999G\n",
                "candela.cfg:2: memory 99999999G is more than any machine has"},
        {"[vm.a]\nmemory = 512\n",
                "candela.cfg:2: memory must be a number followed by K, M or G, such as 512M, "
                "not '512'"},
        {"[vm.a]\nmemory = 17179869184G\n",
                "candela.cfg:2: memory must be a number followed by K, M or G, such as 512M, "
                "not '17179869184G'"},
        {"[vm.a]\nmemory = M\n",
                "candela.cfg:2: memory must be a number followed by K, M or G, such as 512M, "
                "not 'M'"},
        {"[host]\nlog = loud\n",
                "candela.cfg:2: log must be error, warn, info or debug, not 'loud'"},
        {"[host]\nconsole = com9\n", "candela.cfg:2: console must be com1, not 'com9'"},
        {"[host]\nvmx = -vip\n",
                "candela.cfg:2: unknown VMX control '-vip' (did you mean '-vid'?)"},
        {"[host]\nvmx = -banana\n", "candela.cfg:2: unknown VMX control '-banana'"},
        {"[host]\nvmx = vid\n",
                "candela.cfg:2: vmx takes a list of '-name' and '+name', not 'vid'"},
        {"[host]\nvmx = -vid,\n", "candela.cfg:2: vmx takes a list of '-name' and '+name', not ''"},
        {"[host]\nvmx = -\n", "candela.cfg:2: vmx takes a list of '-name' and '+name', not '-'"},
        {VM "hyperv = yes\n", "candela.cfg:4: hyperv is on, off, or on with a list of '-name' and "
                              "'+name', not 'yes'"},
        {VM "hyperv = off, +synic\n", "candela.cfg:4: hyperv is on, off, or on with a list of "
                                      "'-name' and '+name', not 'off'"},
        {VM "hyperv = on, synic\n", "candela.cfg:4: hyperv is on, off, or on with a list of "
                                    "'-name' and '+name', not 'synic'"},
        {VM "hyperv = on,,-synic\n", "candela.cfg:4: hyperv is on, off, or on with a list of "
                                     "'-name' and '+name', not ''"},
        {VM "hyperv = on, -\n", "candela.cfg:4: hyperv is on, off, or on with a list of '-name' "
                                "and '+name', not '-'"},
        {VM "hyperv = on, -synik\n",
                "candela.cfg:4: unknown Hyper-V feature '-synik' (did you mean '-synic'?)"},
        {VM "hyperv = on, +elephant\n", "candela.cfg:4: unknown Hyper-V feature '+elephant'"},
        {VM "hyperv = on\nhyperv = off\n",
                "candela.cfg:5: hyperv is given twice: it is on line 4 already"},
        {VM "smbios = dell\n", "candela.cfg:4: smbios must be candela or hyperv, not 'dell'"},
        {VM "testdev = yes\n", "candela.cfg:4: testdev must be off or on, not 'yes'"},
        {VM "testdev =\n", "candela.cfg:4: testdev has no value"},
        {VM "testdev = on\ntestdev = on\n",
                "candela.cfg:5: testdev is given twice: it is on line 4 already"},
        {VM "machine = i440fx\n", "candela.cfg:4: machine must be gen1, not 'i440fx'"},
        {VM "initrd = b\xc3\xa4r\n", "candela.cfg:4: initrd has a character that is not ASCII"},
        {VM "hello\n", "candela.cfg:4: expected 'key = value' or '[section]', not 'hello'"},
        {VM "= 5\n", "candela.cfg:4: there is no key before the '='"},
        {VM "cmdline = a\x1b[2Jb\n",
                "candela.cfg:4: there is a control character (0x1b) in this line"},
        {VM "cmdline = a\rb\n", "candela.cfg:4: there is a control character (0x0d) in this line"},
        {"\xff\xfe[\0h\0", "candela.cfg:1: the file is UTF-16: save it as UTF-8 or plain ASCII"},
};

START_TEST(bad_input)
{
	ck_assert_int_eq(parse(bad[_i].text), -EINVAL);
	ck_assert_str_eq(err.text, bad[_i].error);
}
END_TEST

static const struct {
	const char *text;
	unsigned key;
} monitor_keys[] = {
        {"^]", 0x1d},
        {"^T", 0x14},
        {"^t", 0x14},
        {"^A", 0x01},
        {"^Z", 0x1a},
        {"^\\", 0x1c},
        {"^^", 0x1e},
        {"^_", 0x1f},
        {"none", 0},
        /* No. */
        {"^C", 256},
        {"^D", 256},
        {"^H", 256},
        {"^I", 256},
        {"^J", 256},
        {"^m", 256},
        {"^[", 256},
        {"^@", 256},
        {"^`", 256},
        {"^{", 256},
        {"^1", 256},
        {"^", 256},
        {"]", 256},
        {"^]]", 256},
        {"None", 256},
        {"0x1d", 256},
        {"Ctrl-]", 256},
};

START_TEST(monitor_key)
{
	char text[128], want[256];
	int ret;

	snprintf(text, sizeof(text), "[host]\nmonitor_key = %s\n" VM, monitor_keys[_i].text);
	ret = parse(text);
	if (monitor_keys[_i].key < 256) {
		ck_assert_msg(ret == 0, "%s", err.text);
		ck_assert_uint_eq(cfg.monitor_key, monitor_keys[_i].key);
		return;
	}
	ck_assert_int_eq(ret, -EINVAL);
	snprintf(want, sizeof(want),
	        "candela.cfg:2: monitor_key must be none or ^ and a character from A to Z, \\, ], "
	        "^ "
	        "or _ without C, D, H, I, J, M, not '%s'",
	        monitor_keys[_i].text);
	ck_assert_str_eq(err.text, want);
}
END_TEST

START_TEST(monitor_key_is_printed)
{
	ck_assert_int_eq(parse(VM), 0);
	ck_assert_uint_eq(cfg.monitor_key, CONFIG_MONITOR_KEY);
	fake_log_clear();
	config_log(&cfg);
	ck_assert_uint_eq(fake_log_count("config: host: monitor_key = ^]"), 1);
	ck_assert_int_eq(parse("[host]\nmonitor_key = none\n" VM), 0);
	fake_log_clear();
	config_log(&cfg);
	ck_assert_uint_eq(fake_log_count("config: host: monitor_key = none"), 1);
}
END_TEST

START_TEST(zero_byte)
{
	static const char text[] = "[vm.a]\nmemory = 4M\0\nkernel=k\n";

	ck_assert_int_eq(parse_bytes(text, sizeof(text) - 1), -EINVAL);
	ck_assert_str_eq(
	        err.text, "candela.cfg:2: there is a control character (0x00) in this line");
}
END_TEST

static int parse_long(const char *key, size_t len)
{
	static char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "[vm.a]\nmemory=4M\n%s=", key);

	memset(text + n, 'x', len);
	strcpy(text + n + len, strcmp(key, "kernel") == 0 ? "\n" : "\nkernel=k\n");
	return parse(text);
}

START_TEST(longest_values)
{
	ck_assert_int_eq(parse_long("kernel", MAX_PATH_LEN - 1), 0);
	ck_assert_uint_eq(strlen(cfg.vms[0].kernel), MAX_PATH_LEN - 1);
	ck_assert_int_eq(parse_long("kernel", MAX_PATH_LEN), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:3: kernel is too long: a path has at most 127 "
	                           "characters, this one has 128");
	ck_assert_int_eq(parse_long("cmdline", MAX_CMDLINE_LEN - 1), 0);
	ck_assert_uint_eq(strlen(cfg.vms[0].cmdline), MAX_CMDLINE_LEN - 1);
	ck_assert_int_eq(parse_long("cmdline", MAX_CMDLINE_LEN), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:3: cmdline is too long: at most 2047 characters, "
	                           "this one has 2048");
	/* What is quoted is cut, so that the sentence still fits. */
	ck_assert_int_eq(parse_long("smbios", 4000), -EINVAL);
	ck_assert_uint_lt(strlen(err.text), 140);
}
END_TEST

START_TEST(vm_count)
{
	char text[4096] = "";

	for (unsigned i = 0; i < MAX_VMS; i++) {
		sprintf(text + strlen(text), "[vm.v%u]\nmemory=4M\nkernel=k\n", i);
	}
	ck_assert_int_eq(parse(text), 0);
	ck_assert_uint_eq(cfg.n_vms, MAX_VMS);
	strcat(text, "[vm.more]\n");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:49: more than 16 VMs");
}
END_TEST

START_TEST(printed)
{
	ck_assert_int_eq(
	        parse("[host]\nvmx=-vid,-ple\n[vm.a]\nmemory=6M\nkernel=\\k\ncmdline=q\n"), 0);
	fake_log_clear();
	config_log(&cfg);
	ck_assert_uint_eq(fake_log_count("vmx = -vid,-ple"), 1);
	ck_assert_uint_eq(fake_log_count("vm.a: memory = 6M"), 1);
	ck_assert_uint_eq(fake_log_count("vm.a: kernel = \\k"), 1);
	ck_assert_uint_eq(fake_log_count("initrd"), 0);
}
END_TEST

UNIT_MAIN("config", tcase_add_test(tc, full_example); tcase_add_test(tc, defaults);
          tcase_add_test(tc, hyperv); tcase_add_loop_test(tc, hyperv_names, 0, HV_FEATURE_COUNT);
          tcase_add_test(tc, test_devices); tcase_add_test(tc, windows_editor);
          tcase_add_test(tc, all_options_off); tcase_add_test(tc, every_option_by_name);
          tcase_add_loop_test(tc, bad_input, 0, ARRAY_SIZE(bad));
          tcase_add_loop_test(tc, monitor_key, 0, ARRAY_SIZE(monitor_keys));
          tcase_add_test(tc, monitor_key_is_printed); tcase_add_test(tc, zero_byte);
          tcase_add_test(tc, longest_values); tcase_add_test(tc, vm_count);
          tcase_add_test(tc, printed);)
