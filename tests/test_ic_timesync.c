// SPDX-License-Identifier: BSD-2-Clause
// Time synchronization: what is sent when, in both layouts.
#include "tests/ic_world.h"

static struct ic_timesync t;

static void setup(void)
{
	ic_world();
	vm->tsc_offset = 0 - 900 * NS_PER_SEC; /* it was started 100 s ago */
	memset(&t, 0, sizeof(t));
	ic_timesync_init(&t, vm);
}

static uint64_t u64_at(unsigned at)
{
	uint64_t v;

	memcpy(&v, request.bytes + HEAD + at, sizeof(v));
	return v;
}

/* The fake clock's wall time at 'ns', in 100 ns since 1601. */
static uint64_t filetime(uint64_t ns)
{
	return (1767323045ULL + 11644473600ULL) * 10000000ULL + ns / 100;
}

START_TEST(version_4)
{
	ic_up(&t.ic, 4, 0);
	ck_assert(take_request());
	ck_assert_uint_eq(head_of(&request).type, 4);
	ck_assert_uint_eq(request.len, HEAD + 22);
	ck_assert_uint_eq(u64_at(0), filetime(1000 * NS_PER_SEC));
	ck_assert_uint_eq(u64_at(8), 100 * 10000000ULL);
	ck_assert_uint_eq(request.bytes[HEAD + 16], 1); /* to be set */
	respond(&t.ic, 0);
	ck_assert(!take_request());
	/* Samples from then on. */
	for (unsigned i = 1; i < 4; i++) {
		advance(&t.ic, IC_TIMESYNC_NS - 1);
		ck_assert(!take_request());
		advance(&t.ic, 1);
		ck_assert(take_request());
		ck_assert_uint_eq(u64_at(0), filetime((1000 + 5 * i) * NS_PER_SEC));
		ck_assert_uint_eq(u64_at(8), (100 + 5 * i) * 10000000ULL);
		ck_assert_uint_eq(request.bytes[HEAD + 16], 2);
		respond(&t.ic, 0);
	}
}
END_TEST

START_TEST(version_3)
{
	ic_up(&t.ic, 3, 0);
	ck_assert(take_request());
	ck_assert_uint_eq(request.len, HEAD + 25);
	ck_assert_uint_eq(u64_at(0), filetime(1000 * NS_PER_SEC));
	ck_assert_uint_eq(u64_at(8), 0);
	ck_assert_uint_eq(u64_at(16), 0);
	ck_assert_uint_eq(request.bytes[HEAD + 24], 1);
}
END_TEST

START_TEST(after_a_pause)
{
	ic_up(&t.ic, 4, 0);
	ck_assert(take_request());
	respond(&t.ic, 0);
	advance(&t.ic, NS_PER_SEC);
	vm_clock_stop(vm, clock_now());
	vm->state = VM_PAUSED;
	advance(&t.ic, 50 * NS_PER_SEC);
	ck_assert(!take_request());
	vm_clock_go(vm, clock_now());
	vm->tsc_offset -= 50 * NS_PER_SEC;
	ic_timesync_resumed(&t);
	vm->state = VM_RUNNING;
	advance(&t.ic, 0);
	ck_assert(take_request());
	ck_assert_uint_eq(u64_at(0), filetime(1051 * NS_PER_SEC));
	ck_assert_uint_eq(u64_at(8), 101 * 10000000ULL);
	ck_assert_uint_eq(request.bytes[HEAD + 16], 1);
}
END_TEST

START_TEST(to_be_set_comes_first)
{
	ic_up(&t.ic, 4, 0);
	ck_assert(take_request());
	/* A pause, and then a sample's time, while the guest does not answer. */
	ic_timesync_resumed(&t);
	advance(&t.ic, 3 * IC_TIMESYNC_NS);
	ck_assert(!take_request());
	respond(&t.ic, 0);
	ck_assert(take_request());
	ck_assert_uint_eq(request.bytes[HEAD + 16], 1);
	respond(&t.ic, 0);
	ck_assert(!take_request());
}
END_TEST

START_TEST(ends)
{
	ic_up(&t.ic, 4, 0);
	ck_assert(take_request());
	respond(&t.ic, 0);
	t.ic.ch.ops->close(&t.ic.ch);
	ic_timesync_resumed(&t);
	advance(&t.ic, 100 * NS_PER_SEC);
	ck_assert(!take_request());
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

UNIT_MAIN("ic_timesync", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, version_4);
          tcase_add_test(tc, version_3); tcase_add_test(tc, after_a_pause);
          tcase_add_test(tc, to_be_set_comes_first); tcase_add_test(tc, ends);)
