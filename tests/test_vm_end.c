// SPDX-License-Identifier: BSD-2-Clause
// How a VM ends, and with which one the machine.
#include "tests/vm_life_world.h"

START_TEST(debug_exit)
{
	beside(VM_RUNNING);
	vm_debug_exit(vm, _i ? 4294967295U : 33);
	vm_debug_exit(vm, 5); /* the first counts */
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_uint_eq(fake_log_count(_i ? "vm fake: debug exit 4294967295\n"
	                                    : "vm fake: debug exit 33\n"),
	        1);
	ck_assert_str_eq(described(), _i ? "off (debug exit 4294967295)" : "off (debug exit 33)");
	/* The next life has its own. */
	vm_request(vm, VM_REQ_START, "x");
	settle();
	vm_debug_exit(vm, 6);
	settle();
	ck_assert_str_eq(described(), "off (debug exit 6)");
}
END_TEST

START_TEST(the_last_vm_ends_the_machine)
{
	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_POWEROFF, "S5");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	/* Whatever still comes for one that is off is swallowed. */
	vm_request(vm, VM_REQ_RESET, "late");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	ck_assert_str_eq(trace, "quiesce ");
}
END_TEST

/* Who is still there when the only VM that ran stops, and is the machine left on? */
static const struct {
	enum vm_state state;
	enum vm_off_why why;
	uint32_t requests, serving;
	bool manual, can_come, keep, stays;
} lefts[] = {
        {VM_RUNNING, 0, 0, 0, false, false, false, true},
        {VM_PAUSED, 0, 0, 0, false, false, false, true},
        {VM_STARTING, 0, 0, 0, false, false, false, true},
        /* Off for good, or not. */
        {VM_OFF, VM_OFF_KILLED, 0, 0, false, true, false, false},
        {VM_OFF, VM_OFF_KILLED, 0, 0, false, true, true, true},
        {VM_OFF, VM_OFF_POWERED_OFF, BIT(VM_REQ_START), 0, false, false, false, true},
        {VM_OFF, VM_OFF_POWERED_OFF, 0, BIT(VM_REQ_START), false, false, false, true},
        {VM_OFF, VM_OFF_POWERED_OFF, BIT(VM_REQ_KILL), 0, false, true, false, false},
        /* Never started: it will be, or by the operator. */
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, false, false, false, true},
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, true, true, false, true},
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, true, false, false, false},
        {VM_OFF, VM_OFF_DEBUG_EXIT, 0, 0, true, true, false, false},
};

START_TEST(who_is_left)
{
	struct config_vm config = {.manual = lefts[_i].manual};

	n_vms = 0;
	vm_autostart(lefts[_i].can_come);
	vms[0] = vm;
	beside(lefts[_i].state);
	other.config = &config;
	other.off_why = lefts[_i].why;
	other.requests = lefts[_i].requests;
	other.serving = lefts[_i].serving;
	vm_set_keep_alive(lefts[_i].keep);
	vm_request(vm, VM_REQ_KILL, "x");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, lefts[_i].stays ? FAKE_END_NONE : FAKE_END_POWEROFF);
	ck_assert_uint_eq(
	        fake_log_count("the last VM has stopped"), !lefts[_i].stays || lefts[_i].keep);
	vm_set_keep_alive(false);
}
END_TEST

START_TEST(autostart)
{
	struct config_vm config = *vm->config;

	beside(VM_OFF);
	vm->config = &config;
	config.manual = _i;
	vm_autostart(true);
	ck_assert_uint_eq(vm->requests, _i ? 0 : BIT(VM_REQ_START));
	ck_assert_uint_eq(other.requests, 0);
	ck_assert_uint_eq(fake_log_count("no VM starts by itself"), _i);
}
END_TEST

START_TEST(the_power_button)
{
	static const struct {
		enum vm_state state;
		bool there;
	} states[] = {{VM_OFF, false}, {VM_STARTING, false}, {VM_RUNNING, true}, {VM_PAUSED, true}};

	vm->state = states[_i].state;
	ck_assert_int_eq(vm_power_button(vm), states[_i].there);
	ck_assert_str_eq(trace, states[_i].there ? "button " : "");
}
END_TEST

UNIT_MAIN(
        "vm_end", tcase_add_checked_fixture(tc, setup, NULL);
        tcase_add_loop_test(tc, debug_exit, 0, 2); tcase_add_test(tc, the_last_vm_ends_the_machine);
        tcase_add_loop_test(tc, who_is_left, 0, ARRAY_SIZE(lefts));
        tcase_add_loop_test(tc, autostart, 0, 2); tcase_add_loop_test(tc, the_power_button, 0, 4);)
