// SPDX-License-Identifier: BSD-2-Clause
// The heartbeat: when it is asked for, and when it counts as lost.
#include "tests/ic_world.h"
#include "vmm/vm_timer.h"

static struct ic_heartbeat h;

static void setup(void)
{
	ic_world();
	memset(&h, 0, sizeof(h));
	ic_heartbeat_init(&h, vm);
}

static uint64_t number(void)
{
	uint64_t n;

	ck_assert_uint_eq(head_of(&request).type, 1);
	ck_assert_uint_eq(request.len, HEAD + 40);
	memcpy(&n, request.bytes + HEAD, sizeof(n));
	return n;
}

START_TEST(beats)
{
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_NONE);
	ic_up(&h.ic, 3, 0);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_OK);
	/* One at once, then one every two seconds. */
	for (uint64_t n = 1; n < 20; n++) {
		ck_assert(take_request());
		ck_assert_uint_eq(number(), n);
		respond(&h.ic, 0);
		advance(&h.ic, IC_HEARTBEAT_NS - 1);
		ck_assert(!take_request());
		advance(&h.ic, 1);
	}
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_OK);
}
END_TEST

START_TEST(is_lost_and_found)
{
	ic_up(&h.ic, 3, 0);
	ck_assert(take_request());
	advance(&h.ic, IC_HEARTBEAT_LOST_NS - 1);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_OK);
	advance(&h.ic, 1);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_LOST);
	/* It was asked once, and is not asked again before it has answered. */
	advance(&h.ic, 1000 * NS_PER_SEC);
	ck_assert(!take_request());
	respond(&h.ic, IC_STATUS_FAIL);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_OK);
	ck_assert(take_request());
	ck_assert_uint_eq(number(), 2);
}
END_TEST

START_TEST(a_pause_is_no_loss)
{
	ic_up(&h.ic, 3, 0);
	ck_assert(take_request());
	vm_clock_stop(vm, clock_now());
	vm->state = VM_PAUSED;
	advance(&h.ic, 1000 * NS_PER_SEC);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_OK);
	vm_clock_go(vm, clock_now());
	vm->state = VM_RUNNING;
	advance(&h.ic, IC_HEARTBEAT_LOST_NS);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_LOST);
}
END_TEST

START_TEST(ends)
{
	ic_up(&h.ic, 3, 0);
	ck_assert(take_request());
	respond(&h.ic, 0);
	h.ic.ch.ops->close(&h.ic.ch);
	ck_assert_int_eq(ic_heartbeat_state(&h), VM_HEARTBEAT_NONE);
	advance(&h.ic, 100 * NS_PER_SEC);
	ck_assert_uint_eq(wire.kicks, 0);
	ck_assert(!take_request());
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

UNIT_MAIN("ic_heartbeat", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, beats);
          tcase_add_test(tc, is_lost_and_found); tcase_add_test(tc, a_pause_is_no_loss);
          tcase_add_test(tc, ends);)
