// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/clock.c: conversions that neither overflow nor drift, the choice of a frequency.
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/clock_calc.h"

static const uint64_t rates[] = {CLOCK_HZ_MIN, 1193182, 49999999, 999999999, 1000000000, 1000000001,
        2400000000, 3500000000, 5200000001, CLOCK_HZ_MAX};

static uint64_t exact_ns(uint64_t ticks, uint64_t hz)
{
	unsigned __int128 ns = (unsigned __int128)ticks * NS_PER_SEC / hz;

	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

START_TEST(ticks_to_ns)
{
	struct clock_scale s;

	ck_assert(clock_scale_init(&s, rates[_i]));
	ck_assert_uint_eq(s.hz, rates[_i]);
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int d = -1; d <= 1; d++) {
			uint64_t ticks = (1ULL << bit) + (uint64_t)d;
			uint64_t want = exact_ns(ticks, rates[_i]);
			uint64_t got = clock_scale_ns(&s, ticks);

			/* Rounded down, within 1 ns a day's worth: 2^-40 of the value. */
			ck_assert_uint_le(got, want);
			ck_assert_uint_le(want - got, 1 + (want >> 40));
		}
	}
	ck_assert_uint_eq(clock_scale_ns(&s, 0), 0);
}
END_TEST

START_TEST(ns_to_ticks_and_back_is_not_early)
{
	struct clock_scale s;

	ck_assert(clock_scale_init(&s, rates[_i]));
	ck_assert_uint_eq(clock_scale_ticks(&s, 0), 0);
	/* Up to 100 years. */
	for (uint64_t ns = 1; ns < 3155760000ULL * NS_PER_SEC; ns = ns * 7 / 3 + 1) {
		uint64_t ticks = clock_scale_ticks(&s, ns);

		if (ticks == UINT64_MAX) {
			continue;
		}
		ck_assert_uint_ge(clock_scale_ns(&s, ticks), ns);
		/* And not late by more than rounding (2^-45: a second in a million years). */
		ck_assert_uint_le(clock_scale_ns(&s, ticks > 2 ? ticks - 2 : 0), ns + (ns >> 45));
	}
	if (rates[_i] != NS_PER_SEC) {
		ck_assert_uint_eq(
		        clock_scale_ticks(&s, UINT64_MAX) == UINT64_MAX, rates[_i] > NS_PER_SEC);
	}
}
END_TEST

START_TEST(refuses_impossible_rates)
{
	struct clock_scale s;

	ck_assert(!clock_scale_init(&s, 0));
	ck_assert(!clock_scale_init(&s, CLOCK_HZ_MIN - 1));
	ck_assert(!clock_scale_init(&s, CLOCK_HZ_MAX + 1));
	ck_assert(!clock_scale_init(&s, UINT64_MAX));
}
END_TEST

START_TEST(measures)
{
	ck_assert_uint_eq(clock_measured_hz(50000000, 59659, 1193180), 1000000000);
	ck_assert_uint_eq(clock_measured_hz(1, 0, 1193180), 0);
	ck_assert_uint_eq(clock_measured_hz(1ULL << 38, 1, 1), 0);
	ck_assert_uint_eq(clock_measured_hz(1, 1, 1ULL << 24), 0);
	ck_assert_uint_eq(clock_cpuid_hz(2, 292, 24000000), 3504000000);
	ck_assert_uint_eq(clock_cpuid_hz(0, 292, 24000000), 0);
	ck_assert_uint_eq(clock_cpuid_hz(2, 0, 24000000), 0);
	ck_assert_uint_eq(clock_cpuid_hz(2, 292, 0), 0);
	ck_assert_uint_eq(clock_cpuid_hz(1, UINT32_MAX, UINT32_MAX), 0xfffffffe00000001);
}
END_TEST

static const struct {
	uint64_t pit, pm, cpuid, want;
	const char *name;
} choices[] = {
        {2000000000, 0, 0, 2000000000, "PIT"},
        {2000000000, 2000000000, 0, 2000000000, "PIT"},
        {0, 2000000000, 0, 2000000000, "PM timer"},
        {2000000000, 0, 2010000000, 2010000000, "CPUID 0x15 (agrees with PIT)"},
        {2000000000, 0, 2020000000, 2020000000, "CPUID 0x15 (agrees with PIT)"},
        {2000000000, 0, 2020000001, 2000000000, "PIT (CPUID 0x15 disagrees)"},
        {2000000000, 0, 1979999999, 2000000000, "PIT (CPUID 0x15 disagrees)"},
        {0, 2000000000, 1990000000, 1990000000, "CPUID 0x15 (agrees with PM timer)"},
        {0, 50000000, 3500000000, 50000000, "PM timer (CPUID 0x15 disagrees)"},
        {0, 0, 3500000000, 3500000000, "CPUID 0x15 (nothing to check it against)"},
        {0, 0, 0, 0, "none"},
        {0, 0, 999, 0, "none"},
        {999, 2000000000, 0, 2000000000, "PM timer"},
        {UINT64_MAX, 0, UINT64_MAX, 0, "none"},
};

START_TEST(chooses)
{
	const char *name = "";

	ck_assert_uint_eq(clock_choose(choices[_i].pit, choices[_i].pm, choices[_i].cpuid, &name),
	        choices[_i].want);
	ck_assert_str_eq(name, choices[_i].name);
}
END_TEST

UNIT_MAIN("clock", tcase_add_loop_test(tc, ticks_to_ns, 0, (int)ARRAY_SIZE(rates));
          tcase_add_loop_test(tc, ns_to_ticks_and_back_is_not_early, 0, (int)ARRAY_SIZE(rates));
          tcase_add_test(tc, refuses_impossible_rates); tcase_add_test(tc, measures);
          tcase_add_loop_test(tc, chooses, 0, (int)ARRAY_SIZE(choices));)
