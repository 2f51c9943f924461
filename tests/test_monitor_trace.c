// SPDX-License-Identifier: BSD-2-Clause
// The command trace: words, kinds, an answer in pieces, errors.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/log.h"
#include "vmm/monitor_commands.h"
#include "vmm/trace.h"
#include <string.h>

static struct vm *vm;
static bool (*repeated)(struct out *out);

void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool until_key)
{
	ck_assert_uint_gt(interval_ns, 0);
	ck_assert(until_key);
	repeated = fn;
}

static void setup(void)
{
	fake_arena_size = 16 * SIZE_2M;
	vm = fake_vmx_vm(SIZE_2M, 1, 0);
	fake_vmx_long_mode(vm->vcpus[0]);
	vms[0] = vm;
	n_vms = 1;
	repeated = NULL;
	fake_log_clear();
}

static enum monitor_result command(const char *a2, const char *a3)
{
	char words[4][40] = {"trace", "fake", "", ""};
	char *argv[5] = {words[0], words[1], NULL, NULL, NULL};
	unsigned argc = 2;

	if (a2) {
		strcpy(words[2], a2);
		argv[argc++] = words[2];
	}
	if (a3) {
		strcpy(words[3], a3);
		argv[argc++] = words[3];
	}
	ck_assert_uint_le(argc - 1, monitor_cmd_trace.max_args);
	fake_log_clear();
	return monitor_cmd_trace.run(&out_log, argc, argv);
}

static void run(unsigned n)
{
	static struct fake_exit exits[500];

	for (unsigned i = 0; i < n; i++) {
		exits[i] = (struct fake_exit){.reason = i % 2 ? 40 : 10, .len = 2, .guest_ns = 10};
	}
	fake_vmx_script(exits, n);
	vcpu_run(vm->vcpus[0], clock_now() + 10000000);
}

START_TEST(on_show_off)
{
	ck_assert_int_eq(command(NULL, NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("trace of fake: off, 0 exits, 0 of them written over"), 1);
	ck_assert_int_eq(command("on", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("trace of fake: on, 0 exits"), 1);
	ck_assert_uint_eq(fake_log_count("kinds: all"), 1);
	run(6);
	ck_assert_int_eq(command("show", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("cpuid        leaf"), 3);
	ck_assert_uint_eq(fake_log_count(" pause "), 3);
	ck_assert_int_eq(command("show", "2"), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count(" rip "), 2);
	ck_assert_int_eq(command("off", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("trace of fake: off, 1"), 1);
	ck_assert_int_eq(command("show", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count(" pause "), 3);
}
END_TEST

static const struct {
	const char *words;
	uint32_t kinds;
	const char *line;
} kinds[] = {
        {"all", TRACE_ALL, "kinds: all"},
        {"io,msr", BIT(EXIT_IO) | BIT(EXIT_RDMSR) | BIT(EXIT_WRMSR), "kinds: io rdmsr wrmsr\n"},
        {"mem", BIT(EXIT_MEM), "kinds: memory\n"},
        {"memory", BIT(EXIT_MEM), "kinds: memory\n"},
        {"task-switch,triple-fault", BIT(EXIT_TASK_SWITCH) | BIT(EXIT_TRIPLE_FAULT),
                "kinds: task switch triple fault\n"},
        {"apic", BIT(EXIT_APIC_WRITE) | BIT(EXIT_EOI) | BIT(EXIT_TPR_BELOW),
                "kinds: tpr below apic write eoi\n"},
        {"host,hlt,hlt", BIT(EXIT_NONE) | BIT(EXIT_HLT), "kinds: none hlt\n"},
};

START_TEST(choose_kinds)
{
	command("on", kinds[_i].words);
	ck_assert_uint_eq(trace_kinds(vm), kinds[_i].kinds);
	ck_assert_msg(fake_log_count("kinds:") == 1 && strstr(fake_log_text(), kinds[_i].line),
	        "%s", fake_log_text());
	command("off", NULL);
}
END_TEST

/* Every word that help names is one, and every kind has a word there. */
START_TEST(help_tells_the_truth)
{
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		char word[40];

		strcpy(word, exit_kind_names[kind]);
		for (char *c = word; *c; c++) {
			*c = *c == ' ' ? '-' : *c;
		}
		command("on", word);
		ck_assert_msg(trace_kinds(vm) == BIT(kind), "%s", word);
	}
	for (const char *word = strstr(monitor_cmd_trace.help, "cpuid"); *word != '.';) {
		char one[40];
		size_t n = strcspn(word, " \n.");

		memcpy(one, word, n);
		one[n] = '\0';
		command("on", one);
		ck_assert_msg(fake_log_count("error:") == 0, "%s", one);
		word += n + strspn(word + n, " \n");
	}
	command("off", NULL);
}
END_TEST

START_TEST(a_long_answer_comes_in_pieces)
{
	unsigned lines, pieces = 1;

	command("on", "cpuid,pause");
	run(500);
	ck_assert_int_eq(command("show", "300"), MONITOR_PENDING);
	ck_assert_ptr_nonnull(repeated);
	lines = fake_log_count(" rip ");
	while (lines < 300) {
		bool last;

		fake_log_clear();
		last = repeated(&out_log);
		lines += fake_log_count(" rip ");
		ck_assert(!last || lines == 300);
		ck_assert_uint_lt(++pieces, 10);
	}
	ck_assert_uint_eq(lines, 300);
	command("off", NULL);
}
END_TEST

static const struct {
	const char *a2, *a3, *error;
} bad[] = {
        {"start", NULL, "error: what follows the VM is"},
        {"off", "now", "error: what follows the VM is"},
        {"on", "", "error: there is no kind of exit ''"},
        {"on", "io,", "error: there is no kind of exit ''"},
        {"on", "io,disk", "error: there is no kind of exit 'disk'"},
        {"on", "i", "error: there is no kind of exit 'i'"},
        {"on", "cpuids", "error: there is no kind of exit 'cpuids'"},
        {"show", "0", "error: N is 1 to 4096"},
        {"show", "4097", "error: N is 1 to 4096"},
        {"show", "ten", "error: N must be a number"},
        {"vmbus", NULL, "error: what follows 'vmbus' is 'on' or 'off'"},
        {"vmbus", "show", "error: what follows 'vmbus' is 'on' or 'off'"},
        {"vmbus", "on", "error: fake has no VMBus"},
};

START_TEST(errors)
{
	ck_assert_int_eq(command(bad[_i].a2, bad[_i].a3), MONITOR_DONE);
	ck_assert_msg(fake_log_count(bad[_i].error) == 1, "%s", fake_log_text());
	ck_assert_uint_eq(fake_log_count(""), 1);
	ck_assert_uint_eq(trace_kinds(vm), 0);
}
END_TEST

UNIT_MAIN("monitor_trace", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, on_show_off);
          tcase_add_loop_test(tc, choose_kinds, 0, ARRAY_SIZE(kinds));
          tcase_add_test(tc, help_tells_the_truth);
          tcase_add_test(tc, a_long_answer_comes_in_pieces);
          tcase_add_loop_test(tc, errors, 0, ARRAY_SIZE(bad));)
