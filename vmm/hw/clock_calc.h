/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of the host's clock: ticks to nanoseconds and back without overflow, and
 * the choice between measurements. Pure; vmm/hw/tsc_hw.c has the hardware's part.
 * Specs: [SDM3] "Determining the Processor Base Frequency"; [SDM2] "CPUID".
 */
#ifndef VMM_HW_CLOCK_CALC_H
#define VMM_HW_CLOCK_CALC_H

#include "vmm/lib/types.h"

/* What can be converted: 1 MHz (slower is a broken measurement) to 15.9 GHz. */
#define CLOCK_HZ_MIN 1000000ULL
#define CLOCK_HZ_MAX 15900000000ULL

struct clock_scale {
	uint64_t hz;
	uint64_t ns_mult;   /* nanoseconds a tick, 11.53 fixed point */
	uint64_t tick_mult; /* ticks a nanosecond, 5.59 fixed point */
};

/* false when hz is outside the limits. */
__must_check bool clock_scale_init(struct clock_scale *s, uint64_t hz);
/* Both saturate at ~0. Ticks are rounded up, so that the deadline has passed when the counter gets
 * there: clock_scale_ns(clock_scale_ticks(ns)) >= ns. */
uint64_t clock_scale_ns(const struct clock_scale *s, uint64_t ticks);
uint64_t clock_scale_ticks(const struct clock_scale *s, uint64_t ns);

/* Ticks a second when 'ticks' passed during ref_ticks of a counter that runs at ref_hz;
 * 0 when the numbers make no sense. */
uint64_t clock_measured_hz(uint64_t ticks, uint64_t ref_ticks, uint64_t ref_hz);

/* CPUID leaf 0x15: EAX denominator, EBX numerator, ECX crystal Hz; 0 = not told. */
uint64_t clock_cpuid_hz(uint32_t eax, uint32_t ebx, uint32_t ecx);

/* The frequency to use, and how it was found in *name; every argument 0 = not known. 0 = none. */
uint64_t clock_choose(uint64_t pit_hz, uint64_t pm_hz, uint64_t cpuid_hz, const char **name);

#endif
