/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ratio of CPUID leaf 0x15: how a guest learns its TSC frequency from its APIC timer's.
 * Specs: [SDM2] "Time Stamp Counter and Nominal Core Crystal Clock Information Leaf".
 */
#ifndef VMM_CPUID_RATIO_H
#define VMM_CPUID_RATIO_H

#include "vmm/lib/types.h"

/*
 * *num / *den = tsc_hz / crystal_hz, exact or within a millionth, such that crystal_hz in kHz times
 * *num fits 32 bits: that is how Linux 6.1 computes (native_calibrate_tsc()). false when there is
 * no such pair; a crystal of 25 MHz or less always has one for a TSC from 100 MHz to 10 GHz.
 */
__must_check bool cpuid_tsc_ratio(
        uint64_t tsc_hz, uint64_t crystal_hz, uint32_t *num, uint32_t *den);

#endif
