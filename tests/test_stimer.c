// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timers: when they expire - never early - and what an expiry is.
#include "tests/stimer_world.h"

/* --- one-shot --- */

START_TEST(a_shot_in_direct_mode)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	wr(COUNT(0), 1000);
	ck_assert(enabled(0));
	check_interrupt_at(1000);
	ck_assert(!enabled(0));
	ck_assert_uint_eq(rd(vcpu, COUNT(0)), 1000);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* The host's clock and the guest's TSC never agree to the nanosecond; early is wrong always. */
START_TEST(never_early)
{
	uint64_t due;

	fake_clock_advance(_i * 12345);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	for (unsigned i = 1; i < 40; i++) {
		due = now() + i * i;
		wr(COUNT(0), due);
		ck_assert(enabled(0));
		check_interrupt_at(due);
		ck_assert(!enabled(0));
	}
}
END_TEST

START_TEST(in_the_past)
{
	fake_clock_advance(1000 * TICK);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(!enabled(0));
	wr(COUNT(0), now());
	ck_assert_int_eq(interrupt(), VECTOR);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

static const uint64_t far[] = {1ULL << 40, 1ULL << 57, 1ULL << 60, 1ULL << 63, ~0ULL - 1, ~0ULL};

START_TEST(in_the_far_future)
{
	for (unsigned periodic = 0; periodic < 2; periodic++) {
		wr(CONFIG(0),
		        DIRECT_CONFIG | HV_STIMER_ENABLE | (periodic ? HV_STIMER_PERIODIC : 0));
		wr(COUNT(0), far[_i]);
		ck_assert_int_eq(interrupt(), -1);
		fake_clock_advance(3600 * NS_PER_SEC);
		ck_assert_int_eq(interrupt(), -1);
		ck_assert(enabled(0));
	}
}
END_TEST

START_TEST(enabled_after_the_count)
{
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(COUNT(0), 500);
	fake_clock_advance(600 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(count_zero_stops)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	wr(COUNT(0), 0);
	ck_assert(!enabled(0));
	fake_clock_advance(2000 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	/* Enabled with no count it only waits for one. */
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	fake_clock_advance(2000 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(without_auto_enable_a_count_waits)
{
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(COUNT(0), 10);
	ck_assert(!enabled(0));
	fake_clock_advance(100 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(disabled_in_time)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(999 * TICK);
	wr(CONFIG(0), DIRECT_CONFIG);
	fake_clock_advance(999 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* --- periodic --- */

START_TEST(periods)
{
	uint64_t start;

	fake_clock_advance(12345678);
	start = now();
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
	wr(COUNT(0), 300);
	for (unsigned i = 1; i < 10; i++) {
		check_interrupt_at(start + i * 300);
	}
	ck_assert(enabled(0));
	ck_assert_uint_eq(rd(vcpu, COUNT(0)), 300);
	wr(COUNT(0), 0);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* What a guest may ask for at most: a period of 100 ns would leave no time for it. */
START_TEST(a_period_too_short)
{
	unsigned n = 0;

	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
	wr(COUNT(0), 1);
	for (unsigned i = 0; i < 1000; i++) {
		fake_clock_advance(TICK);
		n += interrupt() >= 0;
	}
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_le(n, 6);
}
END_TEST

/* Periods that nobody could use are one expiry, and the phase is kept. */
START_TEST(periods_that_were_missed)
{
	uint64_t start = now();
	uint64_t lazy = _i ? HV_STIMER_LAZY : 0;

	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC | lazy);
	wr(COUNT(0), 1000);
	vcpu->state = VCPU_STOPPED;
	fake_clock_advance(5500 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	vcpu->state = VCPU_RUNNABLE;
	vm->pv->serve(vcpu);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert_int_eq(interrupt(), -1);
	check_interrupt_at(start + 6000);
}
END_TEST

/* --- registers, and what else moves --- */

START_TEST(refused_configurations)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t config = DIRECT_CONFIG | BIT64(bit);
		bool known = bit <= 12 || (bit >= 16 && bit <= 19);

		ck_assert_int_eq(hv_msr_write(vcpu, CONFIG(1), config), known);
	}
	wr(CONFIG(1), 0);
	ck_assert(!hv_msr_write(vcpu, CONFIG(1), HV_STIMER_DIRECT | 0x0f << 4));
	ck_assert(!hv_msr_write(vcpu, CONFIG(1), HV_STIMER_DIRECT));
	ck_assert_uint_eq(rd(vcpu, CONFIG(1)), 0);
	wr(CONFIG(1), HV_STIMER_DIRECT | 0x10 << 4);
	/* In message mode the vector means nothing. */
	wr(CONFIG(1), MESSAGE_CONFIG | 0x0f << 4);
	world(ALL & ~(1U << HV_STIMER_DIRECT_MODE));
	ck_assert(!hv_msr_write(vcpu, CONFIG(0), DIRECT_CONFIG));
	wr(CONFIG(0), MESSAGE_CONFIG);
}
END_TEST

START_TEST(an_apic_that_is_off_takes_nothing)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0xff);
	fake_clock_advance(200 * TICK);
	ck_assert(!enabled(0));
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* The VM's clock stood still for a second: the host's deadline says nothing any more. */
START_TEST(a_pause)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(500 * TICK);
	vcpu->state = VCPU_STOPPED;
	fake_clock_advance(NS_PER_SEC);
	vm->tsc_offset -= NS_PER_SEC;
	vcpu->requests = 0;
	vm->pv->vm_resume(vm);
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_PV));
	vcpu->state = VCPU_RUNNABLE;
	vm->pv->serve(vcpu);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert(enabled(0));
	check_interrupt_at(1000);
}
END_TEST

START_TEST(reset)
{
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		wr(CONFIG(i), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
		wr(COUNT(i), 1000);
	}
	vm->pv->vcpu_reset(vcpu, false); /* INIT changes nothing */
	ck_assert(enabled(0));
	vm->pv->vcpu_reset(vcpu, true);
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		ck_assert_uint_eq(rd(vcpu, CONFIG(i)), 0);
		ck_assert_uint_eq(rd(vcpu, COUNT(i)), 0);
	}
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(each_vcpu_has_its_own)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	ck_assert_uint_eq(rd(vm->vcpus[1], CONFIG(0)), 0);
	fake_clock_advance(200 * TICK);
	ck_assert_uint_eq(vm->vcpus[1]->lapic.pir_notify, 0);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

UNIT_MAIN("stimer", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_shot_in_direct_mode); tcase_add_loop_test(tc, never_early, 0, 10);
          tcase_add_test(tc, in_the_past);
          tcase_add_loop_test(tc, in_the_far_future, 0, ARRAY_SIZE(far));
          tcase_add_test(tc, enabled_after_the_count); tcase_add_test(tc, count_zero_stops);
          tcase_add_test(tc, without_auto_enable_a_count_waits);
          tcase_add_test(tc, disabled_in_time); tcase_add_test(tc, periods);
          tcase_add_test(tc, a_period_too_short);
          tcase_add_loop_test(tc, periods_that_were_missed, 0, 2);
          tcase_add_test(tc, refused_configurations);
          tcase_add_test(tc, an_apic_that_is_off_takes_nothing); tcase_add_test(tc, a_pause);
          tcase_add_test(tc, reset); tcase_add_test(tc, each_vcpu_has_its_own);)
