// SPDX-License-Identifier: BSD-2-Clause
// The host's clock under a test's control: 1 tick = 1 ns.
#include "tests/fake/fake.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"

static uint64_t now_ns;
unsigned fake_kicks;

void fake_clock_set(uint64_t ns)
{
	now_ns = ns;
}

void fake_clock_advance(uint64_t ns)
{
	uint64_t end = now_ns + ns;

	for (;;) {
		uint64_t first = TIMER_NEVER;

		for (uint32_t cpu = 0; cpu < MAX_CPUS; cpu++) {
			uint64_t deadline = timer_next_deadline(cpu);

			if (deadline < first) {
				first = deadline;
			}
		}
		if (first > end) {
			break;
		}
		if (first > now_ns) {
			now_ns = first;
		}
		for (uint32_t cpu = 0; cpu < MAX_CPUS; cpu++) {
			timer_run_due(cpu, now_ns);
		}
	}
	now_ns = end;
}

uint64_t clock_now(void)
{
	return now_ns;
}

uint64_t clock_tsc(void)
{
	return now_ns;
}

uint64_t clock_tsc_hz(void)
{
	return NS_PER_SEC;
}

__attribute__((weak)) const char *clock_source_name(void)
{
	return "a test";
}

uint64_t clock_ns_to_tsc(uint64_t ns)
{
	return ns;
}

uint64_t clock_tsc_to_ns(uint64_t tsc)
{
	return tsc;
}

uint64_t clock_wall_ns(void)
{
	/* 2026-01-02 03:04:05 UTC, a Friday, at clock 0 */
	return 1767323045ULL * NS_PER_SEC + now_ns;
}

uint64_t clock_wall_seconds(void)
{
	return clock_wall_ns() / NS_PER_SEC;
}

void pcpu_kick(uint32_t cpu)
{
	(void)cpu;
	fake_kicks++;
}
