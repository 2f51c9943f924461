/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUID shows a guest: a table of bits, each tied to what backs it.
 * Specs: [SDM2] "CPUID".
 */
#ifndef VMM_CPUID_POLICY_H
#define VMM_CPUID_POLICY_H

#include "vmm/cpuid_table.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/config.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu.h"

/*
 * Boot time, once: read the host's leaves and apply the policy. tsc_hz, lapic_hz for leaves
 * 0x15 and 0x16 (both are left zero when no ratio that guests can compute with comes within a
 * millionth).
 */
void cpuid_policy_init(const struct virt_caps *caps, uint64_t tsc_hz, uint64_t lapic_hz);

/* The answer for this vCPU now (OSXSAVE, APIC bit and leaf 0xD depend on its state). */
void cpuid_guest(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);

/* The CPUID instruction. */
enum exit_action cpuid_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);

/* Does the policy offer this feature bit? For MSRs that exist with a feature. */
bool cpuid_offers(uint32_t leaf, uint32_t subleaf, enum cpuid_reg reg, unsigned bit);

/* What the policy allows: bits a guest may set. XCR0 and XSS components, CR4 and EFER bits. */
uint64_t cpuid_xcr0_allowed(void);
uint64_t cpuid_xss_allowed(void);
uint64_t cpuid_cr4_allowed(void);
uint64_t cpuid_efer_allowed(void);
unsigned cpuid_phys_bits(void);

#endif
