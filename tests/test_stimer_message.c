// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timers that expire by message: busy slots, sources and pages that go away.
#include "tests/stimer_world.h"

START_TEST(a_shot_in_message_mode)
{
	struct hv_timer_message m;

	wr(CONFIG(3), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(3), 1000);
	check_interrupt_at(1000);
	m = message();
	ck_assert_uint_eq(m.timer_index, 3);
	ck_assert_uint_eq(m.expiration_time, 1000);
	ck_assert_uint_le(m.delivery_time, 1001);
	ck_assert(!enabled(3));
}
END_TEST

START_TEST(a_busy_slot)
{
	uint8_t payload = 7;
	struct hv_timer_message m;

	ck_assert_int_eq(synic_post_message(vm, 0, SINT, 1, 5, &payload, 1), 0);
	ck_assert_int_eq(interrupt(), SINT_VECTOR);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(1100 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert_uint_eq(slot(SINT).type, 1);
	ck_assert_uint_eq(slot(SINT).flags, HV_MESSAGE_FLAG_PENDING);
	ck_assert(!enabled(0));
	fake_clock_advance(900 * TICK);
	free_slot(SINT);
	wr(HV_MSR_EOM, 0);
	ck_assert_int_eq(interrupt(), SINT_VECTOR);
	m = message();
	ck_assert_uint_eq(m.expiration_time, 1000);
	ck_assert_uint_eq(m.delivery_time, now());
	ck_assert_uint_ge(m.delivery_time, 1999);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
}
END_TEST

/* All four want one slot; periodic ones wait once, not once for each period. */
START_TEST(four_timers_of_one_source)
{
	unsigned seen[HV_STIMER_COUNT] = {0};

	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		wr(CONFIG(i), MESSAGE_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
		wr(COUNT(i), 1000);
	}
	fake_clock_advance(5500 * TICK);
	while (slot(SINT).type != HV_MESSAGE_NONE) {
		seen[message().timer_index]++;
		wr(HV_MSR_EOM, 0);
	}
	/* The first was in the slot since its first period, and has waited for a second time. */
	ck_assert_uint_eq(seen[0], 2);
	for (unsigned i = 1; i < HV_STIMER_COUNT; i++) {
		ck_assert_uint_eq(seen[i], 1);
	}
}
END_TEST

/* An expiry that waits belongs to the timer as it was: set anew, it would come early. */
START_TEST(set_anew_while_an_expiry_waits)
{
	uint8_t payload = 7;

	ck_assert_int_eq(synic_post_message(vm, 0, SINT, 1, 5, &payload, 1), 0);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	wr(COUNT(0), 1000);
	free_slot(SINT);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	fake_clock_advance(1000 * TICK);
	ck_assert_uint_eq(message().expiration_time, 1000);
}
END_TEST

START_TEST(switched_off_while_an_expiry_waits)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED);
	wr(HV_MSR_SINT0, 0x60);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	wr(CONFIG(0), 0);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(0).type, HV_MESSAGE_NONE);
	wr(HV_MSR_SINT0 + SINT, SINT_VECTOR);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(HV_MSR_EOM, 0);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(a_message_without_a_source)
{
	wr(CONFIG(0), HV_STIMER_ENABLE);
	ck_assert(!enabled(0)); /* SINT 0: nowhere to send it */
	wr(CONFIG(0), HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 10);
	ck_assert(!enabled(0));
	fake_clock_advance(100 * TICK);
	ck_assert_uint_eq(slot(0).type, HV_MESSAGE_NONE);
}
END_TEST

/* [XSA-472]: an expiry with no message page, or one that goes away, waits for one. */
START_TEST(no_message_page)
{
	static const uint64_t pages[] = {0, 0xfffff000ULL | 1, 1ULL << 40 | 1};

	wr(HV_MSR_SIMP, pages[_i]);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	ck_assert(!enabled(0));
	wr(HV_MSR_SIMP, 0);
	wr(HV_MSR_EOM, 0);
	wr(HV_MSR_SIMP, SIMP | 1);
	if (_i == 0) {
		ck_assert_uint_eq(message().expiration_time, 100);
	} else {
		/* It was delivered where nobody looks, over no memory. */
		ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	}
}
END_TEST

UNIT_MAIN("stimer_message", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_shot_in_message_mode); tcase_add_test(tc, a_busy_slot);
          tcase_add_test(tc, four_timers_of_one_source);
          tcase_add_test(tc, set_anew_while_an_expiry_waits);
          tcase_add_test(tc, switched_off_while_an_expiry_waits);
          tcase_add_test(tc, a_message_without_a_source);
          tcase_add_loop_test(tc, no_message_page, 0, 3);)
