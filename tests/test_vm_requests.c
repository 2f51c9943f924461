// SPDX-License-Identifier: BSD-2-Clause
// Requests to a VM: what each does in each state, and what several do at once in every order.
#include "tests/vm_life_world.h"

static void turn_off(void)
{
	vm_request(vm, VM_REQ_POWEROFF, "S5");
	beside(VM_RUNNING);
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	trace[0] = '\0';
	fake_log_clear();
}

/* Puts the VM into a state. */
static void into(enum vm_state state)
{
	beside(VM_RUNNING);
	switch (state) {
	case VM_OFF:
		turn_off();
		break;
	case VM_STARTING:
		/* As if there were much memory to clear. */
		vm_request(vm, VM_REQ_RESET, "x");
		all_stop();
		vm->requests = 0;
		vm->state = VM_STARTING;
		break;
	case VM_RUNNING:
		break;
	case VM_PAUSED:
		vm_request(vm, VM_REQ_PAUSE, "x");
		settle();
		break;
	}
	ck_assert_int_eq(vm->state, state);
	trace[0] = '\0';
	fake_log_clear();
}

static const struct {
	enum vm_state from;
	enum vm_request req;
	enum vm_state to;
	bool starts, ends;
} rows[] = {
        {VM_OFF, VM_REQ_START, VM_RUNNING, true, false},
        {VM_OFF, VM_REQ_POWEROFF, VM_OFF, false, false},
        {VM_OFF, VM_REQ_KILL, VM_OFF, false, false},
        {VM_OFF, VM_REQ_DEBUG_EXIT, VM_OFF, false, false},
        {VM_OFF, VM_REQ_RESET, VM_OFF, false, false},
        {VM_OFF, VM_REQ_PAUSE, VM_OFF, false, false},
        {VM_OFF, VM_REQ_RESUME, VM_OFF, false, false},
        {VM_STARTING, VM_REQ_START, VM_RUNNING, true, false},
        {VM_STARTING, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_KILL, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_RESET, VM_RUNNING, true, false},
        {VM_STARTING, VM_REQ_PAUSE, VM_PAUSED, true, false},
        {VM_STARTING, VM_REQ_RESUME, VM_RUNNING, true, false},
        {VM_RUNNING, VM_REQ_START, VM_RUNNING, false, false},
        {VM_RUNNING, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_KILL, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_RESET, VM_RUNNING, true, false},
        {VM_RUNNING, VM_REQ_PAUSE, VM_PAUSED, false, false},
        {VM_RUNNING, VM_REQ_RESUME, VM_RUNNING, false, false},
        {VM_PAUSED, VM_REQ_START, VM_PAUSED, false, false},
        {VM_PAUSED, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_KILL, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_RESET, VM_PAUSED, true, false},
        {VM_PAUSED, VM_REQ_PAUSE, VM_PAUSED, false, false},
        {VM_PAUSED, VM_REQ_RESUME, VM_RUNNING, false, false},
};

START_TEST(states_and_requests)
{
	into(rows[_i].from);
	vm_request(vm, rows[_i].req, "r");
	settle();
	ck_assert_int_eq(vm->state, rows[_i].to);
	ck_assert_int_eq(strstr(trace, "load") != NULL, rows[_i].starts);
	ck_assert_uint_eq(fake_log_count("vCPU 2:"), rows[_i].ends); /* the statistics */
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	/* Who runs goes on where it was; who does not stands still. */
	for (unsigned i = 0; i < 3; i++) {
		uint32_t state = vm->vcpus[i]->state;

		if (vm->state != VM_RUNNING) {
			ck_assert_int_eq(state, VCPU_STOPPED);
		} else {
			ck_assert_int_eq(
			        state, rows[_i].starts && i ? VCPU_WAIT_SIPI : VCPU_RUNNABLE);
		}
	}
	/* And the clock with them. */
	ck_assert_int_eq(vm->clock_base_ns >> 63, vm->state == VM_PAUSED);
}
END_TEST

/* --- several at once --- */

/* All orders of up to three requests to a running VM: what vm.h promises, said another way. */
static enum vm_state expected(const enum vm_request *reqs, unsigned n, bool *loads)
{
	bool ended = false, start = false, again = false, paused = false;

	for (unsigned i = 0; i < n; i++) {
		switch (reqs[i]) {
		case VM_REQ_START:
			start = true;
			break;
		case VM_REQ_RESET:
			again = true;
			break;
		case VM_REQ_PAUSE:
			paused = true;
			break;
		case VM_REQ_RESUME:
			paused = false;
			break;
		case VM_REQ_POWEROFF:
		case VM_REQ_KILL:
		case VM_REQ_DEBUG_EXIT:
			ended = true;
			start = again = paused = false;
			break;
		case VM_REQ_COUNT:
			break;
		}
	}
	*loads = ended ? start : again;
	if (ended && !start) {
		return VM_OFF;
	}
	return paused ? VM_PAUSED : VM_RUNNING;
}

START_TEST(every_order_of_three)
{
	for (unsigned code = 0; code < VM_REQ_COUNT * VM_REQ_COUNT * VM_REQ_COUNT; code++) {
		enum vm_request reqs[3] = {code % VM_REQ_COUNT, code / VM_REQ_COUNT % VM_REQ_COUNT,
		        code / VM_REQ_COUNT / VM_REQ_COUNT};
		bool loads, kill = false, debug = false, off = false;
		enum vm_state want = expected(reqs, 3, &loads);

		setup();
		beside(VM_RUNNING);
		for (unsigned i = 0; i < 3; i++) {
			if (reqs[i] == VM_REQ_DEBUG_EXIT) {
				vm_debug_exit(vm, 7 + i);
			} else {
				vm_request(vm, reqs[i], "r");
			}
			kill |= reqs[i] == VM_REQ_KILL;
			debug |= reqs[i] == VM_REQ_DEBUG_EXIT;
			off |= reqs[i] == VM_REQ_POWEROFF;
		}
		settle();
		ck_assert_msg(vm->state == want, "%u %u %u: %s", reqs[0], reqs[1], reqs[2],
		        vm_state_names[vm->state]);
		ck_assert_int_eq(strstr(trace, "load") != NULL, loads);
		ck_assert_uint_eq(fake_log_count("vm fake: killed (r)"), kill);
		ck_assert_uint_eq(fake_log_count("vm fake: debug exit "), debug && !kill);
		ck_assert_uint_eq(
		        fake_log_count("vm fake: powered off (r)"), off && !kill && !debug);
	}
}
END_TEST

/* Requests that come while earlier ones are carried out are the next ones. */
START_TEST(one_after_the_other)
{
	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_RESET, "first");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_RUNNING);
	/* The others have not reset themselves yet. */
	vm_request(vm, VM_REQ_PAUSE, "second");
	ck_assert(!serve());
	all_stop();
	ck_assert_int_eq(vm->vcpus[1]->resume_state, VCPU_WAIT_SIPI);
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_PAUSED);
	vm_request(vm, VM_REQ_RESUME, "third");
	all_stop();
	ck_assert(serve());
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_RESUME));
	/* Nobody has gone on yet. */
	vm_request(vm, VM_REQ_PAUSE, "fourth");
	ck_assert(!serve());
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_PAUSED);
	vm_request(vm, VM_REQ_RESUME, "fifth");
	settle();
	ck_assert_int_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_int_eq(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
}
END_TEST

UNIT_MAIN("vm_requests", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, states_and_requests, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, every_order_of_three); tcase_add_test(tc, one_after_the_other);)
