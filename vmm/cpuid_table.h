/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The feature bits of CPUID and what backs each: data for vmm/cpuid_policy.c.
 * Specs: [SDM2] "CPUID".
 */
#ifndef VMM_CPUID_TABLE_H
#define VMM_CPUID_TABLE_H

#include "vmm/lib/types.h"

enum cpuid_backing {
	CPUID_NEVER,    /* not offered: not virtualized, or of no use to a guest */
	CPUID_ALWAYS,   /* emulated: there whatever the host has */
	CPUID_HOST,     /* as the host's processor has it */
	CPUID_COMPUTED, /* by the vCPU's state: cleared in the table, set when asked */
	/* Host's, and the back end granted the control that lets a guest use it. */
	CPUID_CAP_INVPCID,
	CPUID_CAP_RDTSCP,
	CPUID_CAP_XSAVES,
	/* Host's, and XCR0 may enable the state components that it uses. */
	CPUID_AVX,
	CPUID_AVX512,
	CPUID_PKRU,
	CPUID_BACKING_COUNT
};

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpuid_bit {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg;     /* enum cpuid_reg */
	uint8_t bit;     /* 0-31 */
	uint8_t backing; /* enum cpuid_backing */
	const char *name;
};

extern const struct cpuid_bit cpuid_bits[];
extern const unsigned cpuid_n_bits;

#endif
