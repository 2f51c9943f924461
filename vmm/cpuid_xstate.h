/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID leaf 0xD: which extended state a guest may enable, and how large it is now. The sizes and
 * places of single components are the processor's; the totals are recomputed, never copied.
 * Specs: [SDM1] "Managing State Using the XSAVE Feature Set"; [SDM2] "CPUID".
 */
#ifndef VMM_CPUID_XSTATE_H
#define VMM_CPUID_XSTATE_H

#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/types.h"

struct virt_caps;

#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)
#define XCR0_AVX512 (7ULL << 5) /* opmask, upper halves, upper registers: all or none */
#define XCR0_PKRU BIT64(9)

/* Leaf 0xD subleaf 1 EAX. */
#define XSTATE_XSAVEC BIT(1)
#define XSTATE_XSAVES BIT(3)

/* Read the host's components; before the feature bits are known. */
void xstate_init(const struct virt_caps *caps);
/* EAX of subleaf 1 as the policy has it. */
void xstate_set_features(uint32_t features);
uint32_t xstate_features(void);

uint64_t xstate_xcr0_allowed(void);
uint64_t xstate_xss_allowed(void);

/* A valid XCR0: x87 always, AVX with SSE, AVX-512 whole and with AVX, nothing beyond the policy. */
bool xstate_xcr0_valid(uint64_t xcr0);

void xstate_leaf(uint64_t xcr0, uint64_t xss, uint32_t subleaf, struct cpuid_regs *out);

#endif
