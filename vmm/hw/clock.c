// SPDX-License-Identifier: BSD-2-Clause
// Tick and nanosecond arithmetic, and the choice of the frequency.
// Specs: [SDM2] "CPUID" (leaf 15H).
#include "vmm/hw/clock.h"
#include "vmm/hw/clock_calc.h"

#define NS_SHIFT 53
#define TICK_SHIFT 59

/* (num << shift) / den, bit by bit: no 128-bit division without a run-time library. */
static uint64_t div_shifted(uint64_t num, unsigned shift, uint64_t den)
{
	uint64_t quotient = num / den, rest = num % den;

	while (shift > 0) {
		rest <<= 1;
		quotient <<= 1;
		if (rest >= den) {
			rest -= den;
			quotient |= 1;
		}
		shift--;
	}
	return quotient;
}

bool clock_scale_init(struct clock_scale *s, uint64_t hz)
{
	if (hz < CLOCK_HZ_MIN || hz > CLOCK_HZ_MAX) {
		return false;
	}
	s->hz = hz;
	s->ns_mult = div_shifted(NS_PER_SEC, NS_SHIFT, hz);
	/* The inverse of the other factor, rounded up, not of hz: so a time that was converted to
	 * ticks and back is never before itself. */
	s->tick_mult = div_shifted(1ULL << TICK_SHIFT, NS_SHIFT, s->ns_mult) + 1;
	return true;
}

static uint64_t saturate(unsigned __int128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

uint64_t clock_scale_ns(const struct clock_scale *s, uint64_t ticks)
{
	return saturate(((unsigned __int128)ticks * s->ns_mult) >> NS_SHIFT);
}

uint64_t clock_scale_ticks(const struct clock_scale *s, uint64_t ns)
{
	unsigned __int128 up = (1ULL << TICK_SHIFT) - 1;

	return saturate(((unsigned __int128)ns * s->tick_mult + up) >> TICK_SHIFT);
}

uint64_t clock_measured_hz(uint64_t ticks, uint64_t ref_ticks, uint64_t ref_hz)
{
	/* 2^38 ticks are 17 s at 16 GHz; 2^24 Hz is above both reference clocks. */
	if (ref_ticks == 0 || ticks >> 38 || ref_hz >> 24) {
		return 0;
	}
	return ticks * ref_hz / ref_ticks;
}

uint64_t clock_cpuid_hz(uint32_t eax, uint32_t ebx, uint32_t ecx)
{
	return eax == 0 || ebx == 0 ? 0 : (uint64_t)ecx * ebx / eax;
}

static bool agree(uint64_t a, uint64_t b)
{
	uint64_t distance = a > b ? a - b : b - a;

	return distance <= b / 100;
}

static bool usable(uint64_t hz)
{
	return hz >= CLOCK_HZ_MIN && hz <= CLOCK_HZ_MAX;
}

uint64_t clock_choose(uint64_t pit_hz, uint64_t pm_hz, uint64_t cpuid_hz, const char **name)
{
	uint64_t measured = usable(pit_hz) ? pit_hz : usable(pm_hz) ? pm_hz : 0;
	bool by_pit = measured == pit_hz;

	if (!usable(cpuid_hz)) {
		cpuid_hz = 0;
	}
	if (measured == 0) {
		*name = cpuid_hz ? "CPUID 0x15 (nothing to check it against)" : "none";
		return cpuid_hz;
	}
	if (cpuid_hz && agree(cpuid_hz, measured)) {
		*name = by_pit ? "CPUID 0x15 (agrees with PIT)"
		               : "CPUID 0x15 (agrees with PM timer)";
		return cpuid_hz;
	}
	if (cpuid_hz) {
		*name = by_pit ? "PIT (CPUID 0x15 disagrees)" : "PM timer (CPUID 0x15 disagrees)";
	} else {
		*name = by_pit ? "PIT" : "PM timer";
	}
	return measured;
}
