// SPDX-License-Identifier: BSD-2-Clause
// The commands that look into a VM: what they print, in which order the vCPUs are asked, errors.
#include "devices/platform.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/log.h"
#include "vmm/monitor_commands.h"
#include "vmm/pv.h"
#include <string.h>

static struct platform p;
static struct vm *vm;
static unsigned done;

void monitor_done(void)
{
	done++;
}

static void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(64 << 20, 3);
	platform_init(&p);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 0), 0);
	vm->platform_ops->reset(vm);
	vms[0] = vm;
	n_vms = 1;
	done = 0;
	fake_log_clear();
}

/* What a vCPU's CPU does with a call (vmm/vcpu_run.c). */
static unsigned serve(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];
		struct vcpu_call *call = vcpu->call;

		if (call) {
			vcpu->call = NULL;
			vcpu->requests &= ~BIT64(VCPU_REQ_CALL);
			call->fn(vcpu, call->arg);
			n++;
		}
	}
	return n;
}

static enum monitor_result command(const struct monitor_command *c, char *a1, char *a2, char *a3)
{
	char name[16];
	char *argv[5] = {name, a1, a2, a3, NULL};
	unsigned argc = 1;

	strcpy(name, c->name);
	while (argv[argc]) {
		argc++;
	}
	ck_assert_uint_ge(argc - 1, c->min_args);
	ck_assert_uint_le(argc - 1, c->max_args);
	fake_log_clear();
	done = 0;
	return c->run(&out_log, argc, argv);
}

START_TEST(registers_of_one)
{
	vm->vcpus[1]->gpr[REG_RBX] = 0xabcdef;
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "1", NULL), MONITOR_PENDING);
	ck_assert_str_eq(fake_log_text(), "");
	ck_assert_uint_eq(done, 0);
	ck_assert_ptr_nonnull(vm->vcpus[1]->call);
	ck_assert_uint_eq(serve(), 1);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("vm fake vCPU 1: waits for SIPI"), 1);
	ck_assert_uint_eq(fake_log_count("RBX 0000000000abcdef"), 1);
	ck_assert_uint_eq(fake_log_count("back end"), 0);
	ck_assert_uint_eq(serve(), 0);
}
END_TEST

START_TEST(all_of_one)
{
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "0x2", "all"), MONITOR_PENDING);
	ck_assert_uint_eq(serve(), 1);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("vm fake vCPU 2:"), 1);
	ck_assert_uint_eq(fake_log_count("local APIC 2"), 1);
	ck_assert_uint_eq(fake_log_count("the back end's part of vCPU 2"), 1);
}
END_TEST

START_TEST(all_in_short)
{
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", NULL, NULL), MONITOR_PENDING);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(done, 0);
		ck_assert_ptr_nonnull(vm->vcpus[i]->call);
		struct vcpu_call *call = vm->vcpus[i]->call;

		vm->vcpus[i]->call = NULL;
		call->fn(vm->vcpus[i], call->arg);
	}
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("vm fake vCPU"), 3);
}
END_TEST

/* Somebody else asks it: the others answer all the same, and the command ends. */
START_TEST(one_is_busy)
{
	struct vcpu_call other = {0};

	vm->vcpus[1]->call = &other;
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "1", NULL), MONITOR_PENDING);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("error: vCPU 1 is being asked already"), 1);
	ck_assert_int_eq(command(&monitor_cmd_irq, "fake", NULL, NULL), MONITOR_PENDING);
	vm->vcpus[0]->call->fn(vm->vcpus[0], NULL);
	vm->vcpus[2]->call->fn(vm->vcpus[2], NULL);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("local APIC"), 2);
	ck_assert_ptr_eq(vm->vcpus[1]->call, &other);
}
END_TEST

/* The monitor has given up; what comes late is nobody's, and blocks nothing for good. */
START_TEST(too_late)
{
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "0", NULL), MONITOR_PENDING);
	fake_clock_advance(11 * 1000000000ULL);
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "1", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("error: vCPU 0 of fake still owes the last answer"), 1);
	fake_log_clear();
	ck_assert_uint_eq(serve(), 1);
	ck_assert_str_eq(fake_log_text(), "");
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(command(&monitor_cmd_vcpu, "fake", "1", NULL), MONITOR_PENDING);
	ck_assert_uint_eq(serve(), 1);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("vm fake vCPU 1"), 1);
}
END_TEST

START_TEST(interrupts)
{
	ck_assert_int_eq(command(&monitor_cmd_irq, "fake", NULL, NULL), MONITOR_PENDING);
	while (serve()) {
	}
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(fake_log_count("line  4:"), 1);
	ck_assert_uint_eq(fake_log_count("master IRR"), 1);
	ck_assert_uint_eq(fake_log_count("IOREGSEL"), 1);
	ck_assert_uint_eq(fake_log_count("pending event: none"), 3);
	ck_assert_uint_eq(fake_log_count("local APIC 2"), 1);
}
END_TEST

START_TEST(devices)
{
	ck_assert_int_eq(command(&monitor_cmd_dev, "fake", NULL, NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("16550 serial port"), 2);
	ck_assert_int_eq(command(&monitor_cmd_dev, "fake", "rtc", NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("MC146818"), 1);
	ck_assert_uint_eq(fake_log_count("error:"), 0);
}
END_TEST

static void bus_dump(struct vm *v, struct out *out)
{
	ck_assert_ptr_eq(v, vm);
	out_print(out, "not connected\n");
}

START_TEST(the_bus)
{
	static const struct pv_bus_ops ops = {.dump = bus_dump};

	vm->bus_ops = &ops;
	ck_assert_int_eq(command(&monitor_cmd_vmbus, "fake", NULL, NULL), MONITOR_DONE);
	ck_assert_uint_eq(fake_log_count("not connected"), 1);
}
END_TEST

static const struct {
	const struct monitor_command *command;
	const char *args[3];
	const char *error;
} bad[] = {
        {&monitor_cmd_vcpu, {"fale"}, "error: there is no VM 'fale'"},
        {&monitor_cmd_vcpu, {"fake", "3"}, "error: fake has vCPUs 0 to 2"},
        {&monitor_cmd_vcpu, {"fake", "0x100000000"}, "error: fake has vCPUs 0 to 2"},
        {&monitor_cmd_vcpu, {"fake", "one"}, "error: N must be a number"},
        {&monitor_cmd_vcpu, {"fake", "0", "most"}, "error: after the number only 'all'"},
        {&monitor_cmd_irq, {"other"}, "error: there is no VM 'other'"},
        {&monitor_cmd_dev, {"other"}, "error: there is no VM 'other'"},
        {&monitor_cmd_vmbus, {"fake"}, "error: fake has no VMBus"},
        {&monitor_cmd_vmbus, {"nobody"}, "error: "},
        {&monitor_cmd_dev, {"fake", "lpt1"}, "error: fake has no device 'lpt1'"},
};

START_TEST(errors)
{
	char args[3][16] = {"", "", ""};

	for (unsigned i = 0; i < 3 && bad[_i].args[i]; i++) {
		strcpy(args[i], bad[_i].args[i]);
	}
	ck_assert_int_eq(command(bad[_i].command, args[0], bad[_i].args[1] ? args[1] : NULL,
	                         bad[_i].args[2] ? args[2] : NULL),
	        MONITOR_DONE);
	ck_assert_msg(fake_log_count(bad[_i].error) == 1, "%s", fake_log_text());
	ck_assert_uint_eq(fake_log_count(""), 1);
	ck_assert_uint_eq(serve(), 0);
}
END_TEST

UNIT_MAIN("monitor_debug", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, registers_of_one); tcase_add_test(tc, all_of_one);
          tcase_add_test(tc, all_in_short); tcase_add_test(tc, one_is_busy);
          tcase_add_test(tc, too_late); tcase_add_test(tc, interrupts); tcase_add_test(tc, devices);
          tcase_add_test(tc, the_bus); tcase_add_loop_test(tc, errors, 0, ARRAY_SIZE(bad));)
