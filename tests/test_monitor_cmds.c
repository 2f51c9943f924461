// SPDX-License-Identifier: BSD-2-Clause
// The monitor's commands: what they print, and what they ask of a VM.
#include "tests/monitor_cmds_world.h"

START_TEST(list)
{
	/* Figures of the last second need a while: the answer waits. */
	SAYS("vm list", "");
	ck_assert_ptr_nonnull(repeated);
	ck_assert(!until_key);
	ck_assert(!repeated(&out));
	fake_clock_advance(500 * MS);
	vm->vcpus[0]->stats.loop_ticks = 240 * MS;
	vm->vcpus[1]->stats.exit_ticks[EXIT_IO] = 10 * MS;
	ck_assert(repeated(&out));
	ck_assert_str_eq(text,
	        "name             state    vcpus     memory   cpu%       uptime heartbeat\n"
	        "debian           running      2      4 MiB   50.0    0:00:05.5      none\n"
	        "other            off          0     64 MiB    0.0            -      none\n");
	/* Now there is a sample to compare with. */
	ck_assert_ptr_null(strstr(ask("vm list"), "error"));
	ck_assert_ptr_null(repeated);
	vm->state = VM_PAUSED;
	vm->paused_tsc = 5000 * MS + 3723 * NS_PER_SEC;
	HAS("vm list",
	        "debian           paused       2      4 MiB   50.0    1:02:03.0      none\n");
	SAYS("vm list debian", "error: usage: vm list\n");
}
END_TEST

START_TEST(info)
{
	char line[CONFIG_WEIGHT_MAX];

	vm_config.cpu_mask = 0x8000000000000005ULL;
	memset(vm_config.cmdline, 'c', sizeof(vm_config.cmdline) - 1);
	vm->vcpus[1]->cpu = 63;
	ask("vm info debian");
	snprintf(line, sizeof(line),
	        "name: debian\nstate: running (as the test says)\nuptime: 0:00:05.0\nvcpus: 2\n"
	        "vcpu 0: runnable, at CPU 0\nvcpu 1: waits for SIPI, at CPU 63\ncpu: 0,2,63\n"
	        "weight: 100\nmemory: 4 MiB\nkernel: \\k\ninitrd: (none)\ncmdline: %s\n"
	        "autostart: yes\ntestdev: off\nsmbios: candela\nheartbeat: none\n",
	        vm_config.cmdline);
	ck_assert_str_eq(text, line);
	vm_config.cpu_mask = ~0ULL;
	HAS("vm info debian", ",62,63\n");
	HAS("vm info other", "state: off (as the test says)\nuptime: -\nvcpus: 0\ncpu: any\n");
	HAS("vm info other", "autostart: no\n");
}
END_TEST

static const struct {
	const char *line;
	enum vm_state from, to;
	enum vm_request request;
	const char *answer;
} lives[] = {
        {"vm start debian", VM_OFF, VM_RUNNING, VM_REQ_START, "debian: running"},
        {"vm kill debian", VM_RUNNING, VM_OFF, VM_REQ_KILL, "debian: off"},
        {"vm kill debian", VM_PAUSED, VM_OFF, VM_REQ_KILL, "debian: off"},
        {"vm kill debian", VM_STARTING, VM_OFF, VM_REQ_KILL, "debian: off"},
        {"vm pause debian", VM_RUNNING, VM_PAUSED, VM_REQ_PAUSE, "debian: paused"},
        {"vm resume debian", VM_PAUSED, VM_RUNNING, VM_REQ_RESUME, "debian: running"},
        {"vm reset debian", VM_RUNNING, VM_RUNNING, VM_REQ_RESET, "debian: running"},
        {"vm reset debian", VM_PAUSED, VM_PAUSED, VM_REQ_RESET, "debian: paused"},
        /* What came of it is something else. */
        {"vm start debian", VM_OFF, VM_OFF, VM_REQ_START, "error: debian is off"},
        {"vm reset debian", VM_RUNNING, VM_OFF, VM_REQ_RESET, "error: debian is off"},
};

START_TEST(life)
{
	vm->state = lives[_i].from;
	SAYS(lives[_i].line, "");
	ck_assert_ptr_eq(asked.vm, vm);
	ck_assert_uint_eq(asked.requests, BIT(lives[_i].request));
	ck_assert_str_eq(asked.reason, "by the operator");
	ck_assert_ptr_nonnull(repeated);
	ck_assert(!repeated(&out));
	/* Taken by the home CPU, not done yet. */
	vm->serving = vm->requests;
	vm->requests = 0;
	ck_assert(!repeated(&out));
	vm->serving = 0;
	vm->state = VM_STARTING;
	ck_assert(!repeated(&out));
	vm->state = lives[_i].to;
	ck_assert(repeated(&out));
	ck_assert_int_eq(strncmp(text, lives[_i].answer, strlen(lives[_i].answer)), 0);
}
END_TEST

static const struct {
	const char *line;
	enum vm_state state;
} senseless[] = {
        {"vm start debian", VM_RUNNING},
        {"vm start debian", VM_STARTING},
        {"vm start debian", VM_PAUSED},
        {"vm kill debian", VM_OFF},
        {"vm pause debian", VM_OFF},
        {"vm pause debian", VM_PAUSED},
        {"vm resume debian", VM_RUNNING},
        {"vm resume debian", VM_OFF},
        {"vm reset debian", VM_OFF},
        {"vm reset debian", VM_STARTING},
        {"vm stop debian", VM_OFF},
        {"vm stop debian", VM_STARTING},
};

START_TEST(not_in_this_state)
{
	char want[128];

	vm->state = senseless[_i].state;
	snprintf(want, sizeof(want), "error: debian is %s (as the test says)\n",
	        vm_state_names[vm->state]);
	SAYS(senseless[_i].line, want);
	ck_assert_uint_eq(asked.requests, 0);
	ck_assert_ptr_null(repeated);
}
END_TEST

START_TEST(life_takes_too_long)
{
	ask("vm kill debian");
	fake_clock_advance(1990 * MS);
	ck_assert(!repeated(&out));
	fake_clock_advance(20 * MS);
	ck_assert(repeated(&out));
	ck_assert_str_eq(text, "error: debian is still running (as the test says) after 2 s\n");
	/* A large memory is no error. */
	vm->requests = 0;
	vm->state = VM_OFF;
	ask("vm start debian");
	vm->requests = 0;
	vm->state = VM_STARTING;
	fake_clock_advance(2010 * MS);
	ck_assert(repeated(&out));
	ck_assert_str_eq(text, "debian: starting (as the test says)\n");
}
END_TEST

START_TEST(stop)
{
	SAYS("vm stop debian", "debian: power button pressed\n");
	ck_assert(asked.button);
	vm->state = VM_PAUSED;
	HAS("vm stop debian", "hears of it later");
	ck_assert_uint_eq(asked.requests, 0);
}
END_TEST

START_TEST(wrong_vm_commands)
{
	SAYS("vm", "error: usage: vm COMMAND [VM]\n");
	SAYS("vm lst", "error: unknown command 'vm lst' (did you mean 'vm list'?)\n");
	SAYS("vm frobnicate debian",
	        "error: unknown command 'vm frobnicate' ('help vm' lists them)\n");
	SAYS("vm start", "error: usage: vm start VM\n");
	SAYS("vm info", "error: usage: vm info VM\n");
	SAYS("vm kill debina", "error: there is no VM 'debina' (did you mean 'debian'?)\n");
	ck_assert_uint_eq(asked.requests, 0);
}
END_TEST

/* --- mem --- */

START_TEST(mem)
{
	static const char hello[] = "Hello, monitor!\n\x7f\xff";

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x1008), hello, sizeof(hello)), 0);
	SAYS("mem debian 0x1008 19",
	        "000000001008  48 65 6c 6c 6f 2c 20 6d                           Hello, m\n"
	        "000000001010  6f 6e 69 74 6f 72 21 0a  7f ff 00                 onitor!....\n");
	ask("mem debian 0x1000");
	ck_assert_uint_eq(strlen(text), 8 * strlen("000000001000  00 01 02 03 04 05 06 07  "
	                                           "08 09 0a 0b 0c 0d 0e 0f  0123456789abcdef\n"));
	/* A hole in the middle, the end of RAM, nothing at all. */
	SAYS("mem debian 0x9fff8 0x10",
	        "00000009fff8  00 00 00 00 00 00 00 00                           ........\n"
	        "0000000a0000-0000000a0007 is no RAM\n");
	SAYS("mem debian 0xbfff8 0x10",
	        "0000000bfff8-0000000bffff is no RAM\n"
	        "0000000c0000  00 00 00 00 00 00 00 00                           ........\n");
	SAYS("mem debian 0x3fffff 2",
	        "0000003fffff  00                                                .\n"
	        "000000400000-000000400000 is no RAM\n");
	SAYS("mem debian 0xfffffffffff00000 8192", "fffffffffff00000-fffffffffff01fff is no RAM\n");
	SAYS("mem debian 0xffffffffffffffff", "error: GPA is beyond any guest's memory\n");
	SAYS("mem debian 0 0", "error: LEN must be from 1 to 8192\n");
	SAYS("mem debian 0 8193", "error: LEN must be from 1 to 8192\n");
	SAYS("mem debian zero", "error: GPA must be a number such as 4096 or 0x1000, not 'zero'\n");
	SAYS("mem debian 0 x", "error: LEN must be a number such as 4096 or 0x1000, not 'x'\n");
	SAYS("mem debian", "error: usage: mem VM GPA [LEN]\n");
	ask("mem debian 0 8192");
	ck_assert_ptr_null(strstr(text, "error"));
}
END_TEST

/* --- host, log, power --- */

START_TEST(host)
{
	static const char brand[48] = "   Fake CPU @ 1 GHz";
	uint32_t r[12];

	memcpy(r, brand, sizeof(r));
	fake_cpuid_set(0x80000000, 0, 0x80000008, 0, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		fake_cpuid_set(
		        0x80000002 + i, 0, r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]);
	}
	pcpu_set_count(2);
	pcpus[1].apic_id = 7;
	SAYS("host", "");
	fake_clock_advance(500 * MS);
	idle_ns += 400 * MS;
	ck_assert(repeated(&out));
	ck_assert_int_eq(
	        strncmp(text,
	                "version: Candela 0.1\nuptime: 10.500 s\n"
	                "processor: Fake CPU @ 1 GHz\ntsc: 1000.000 MHz by a test\nmemory: ",
	                100),
	        0);
	ck_assert_ptr_nonnull(strstr(text, "cpu  apic id   idle%  vcpus\n"
	                                   "0          0    80.0      2\n"
	                                   "1          7     0.0      0\n"
	                                   "fake: everything granted\n"));
	fake_cpuid_clear();
	HAS("host", "processor: (it does not say)\n");
}
END_TEST

START_TEST(logs)
{
	log_set_level(LOG_INFO);
	SAYS("log", "area     level\nhost     info\nvm       info\nvtx      info\ndevices  info\n"
	            "hyperv   info\nguest    info\n");
	SAYS("log guest error", "area     level\nguest    error\n");
	SAYS("log debug devices", "area     level\ndevices  debug\n");
	SAYS("log vm", "area     level\nvm       info\n");
	ck_assert_int_eq(log_area_level(LOG_GUEST), LOG_ERROR);
	ck_assert_int_eq(log_area_level(LOG_DEVICES), LOG_DEBUG);
	ck_assert_int_eq(log_get_level(), LOG_DEBUG);
	HAS("log warn", "guest    warn\n");
	ck_assert_int_eq(log_get_level(), LOG_WARN);
	SAYS("log warn error", "error: usage: log [AREA] [LEVEL]\n");
	SAYS("log vm vtx", "error: usage: log [AREA] [LEVEL]\n");
	SAYS("log debgu", "error: there is no level or area 'debgu' (did you mean 'debug'?)\n");
	SAYS("log everything",
	        "error: there is no level or area 'everything' ('help log' lists them)\n");
	ck_assert_int_eq(log_get_level(), LOG_WARN);
	log_set_level(LOG_INFO);
}
END_TEST

static enum fake_end_reason end_of(const char *line)
{
	fake_end_reason = FAKE_END_NONE;
	fake_log_clear();
	if (setjmp(fake_end) == 0) {
		ask(line);
	}
	return fake_end_reason;
}

START_TEST(power)
{
	ck_assert_int_eq(end_of("poweroff"), FAKE_END_POWEROFF);
	ck_assert_uint_eq(fake_log_count("vm debian: ends with the machine"), 1);
	ck_assert_uint_eq(fake_log_count("vm other"), 0);
	ck_assert_uint_eq(fake_log_count("monitor: the machine is switched off"), 1);
	ck_assert_int_eq(end_of("reboot"), FAKE_END_RESET);
	ck_assert_uint_eq(fake_log_count("monitor: the machine is reset"), 1);
	ck_assert_int_eq(end_of("reboot now"), FAKE_END_NONE);
}
END_TEST

static struct {
	uint32_t number;
	bool in;
	int err;
} plugged;

static void list_disks(struct vm *v, struct out *o)
{
	out_print(o, "the disks of %s\n", v->config->name);
}

static int plug_disk(struct vm *v, uint32_t number, bool in)
{
	ck_assert_ptr_eq(v, vm);
	plugged.number = number;
	plugged.in = in;
	return plugged.err;
}

START_TEST(disks)
{
	static const struct vm_disk_ops disk_ops = {.list = list_disks, .plug = plug_disk};

	vm->disk_ops = &disk_ops;
	SAYS("disk debian", "the disks of debian\n");
	SAYS("disk debian list", "the disks of debian\n");
	SAYS("disk other", "other has no disks\n");
	SAYS("disk other remove 0", "error: other has no disks\n");
	SAYS("disk debian remove 3", "debian: disk 3 removed\n");
	ck_assert(plugged.number == 3 && !plugged.in);
	SAYS("disk debian add 0", "debian: disk 0 added\n");
	ck_assert(plugged.number == 0 && plugged.in);
	plugged.err = -EEXIST;
	SAYS("disk debian add 0", "error: disk 0 of debian is there already\n");
	SAYS("disk debian remove 0", "error: disk 0 of debian is removed already\n");
	plugged.err = -ENOENT;
	SAYS("disk debian remove 9", "error: debian has no disk 9\n");
	plugged.err = 0;
	SAYS("disk debian remove 4294967296", "error: debian has no disk 4294967296\n");
	HAS("disk debian remove x", "error: ");
	HAS("disk debian remove", "usage: disk VM");
	HAS("disk debian list 1", "usage: disk VM");
	HAS("disk debian eject 1", "usage: disk VM");
	HAS("disk nobody", "error: ");
}
END_TEST

UNIT_MAIN("monitor_cmds", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, list);
          tcase_add_test(tc, info); tcase_add_loop_test(tc, life, 0, ARRAY_SIZE(lives));
          tcase_add_loop_test(tc, not_in_this_state, 0, ARRAY_SIZE(senseless));
          tcase_add_test(tc, life_takes_too_long); tcase_add_test(tc, stop);
          tcase_add_test(tc, wrong_vm_commands); tcase_add_test(tc, mem); tcase_add_test(tc, host);
          tcase_add_test(tc, logs); tcase_add_test(tc, power); tcase_add_test(tc, disks);)
