/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's time: the time-stamp counter, its frequency measured at boot.
 * Specs: [SDM3] "Time-Stamp Counter", "Determining the Processor Base Frequency".
 */
#ifndef VMM_HW_CLOCK_H
#define VMM_HW_CLOCK_H

#include "vmm/lib/types.h"

#define NS_PER_SEC 1000000000ULL

/*
 * Measure the TSC against PIT channel 2, or the ACPI PM timer (pm_timer_port, 0 = none) when there
 * is no PIT. CPUID leaf 0x15 is used only where it agrees within 1 %, or when nothing else works.
 * Returns 0, or -ENODEV with nothing to measure against.
 */
__must_check int clock_init(uint16_t pm_timer_port);

uint64_t clock_tsc_hz(void);
/* How the frequency was found, for the boot log: "PIT", "PM timer", "CPUID 0x15 (agrees with PIT)".
 */
const char *clock_source_name(void);

/* Nanoseconds since clock_init(); the same on all CPUs. Link-time: tests/fake/clock_fake.c. */
uint64_t clock_now(void);
uint64_t clock_tsc(void);
/* TSC value at a time of clock_now(); saturates at ~0 for times beyond. */
uint64_t clock_ns_to_tsc(uint64_t ns);
uint64_t clock_tsc_to_ns(uint64_t tsc);

/* Seconds since 1970-01-01 UTC, from the loader's reading; 0 = not known. */
void clock_set_wall(uint64_t seconds, uint64_t at_tsc);
uint64_t clock_wall_seconds(void);
/* The same in nanoseconds; what the loader read was a whole second. */
uint64_t clock_wall_ns(void);

void clock_delay_us(uint64_t us);

#endif
