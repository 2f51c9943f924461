/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Can this processor run guests? What the loader asks before it leaves the firmware.
 * Specs: [SDM3] "Enabling and Entering VMX Operation", "VMX Capability Reporting Facility".
 */
#ifndef VMM_LIB_VMX_CHECK_H
#define VMM_LIB_VMX_CHECK_H

#include "vmm/lib/types.h"

#define VMX_CHECK_MSR_FEATURE_CONTROL 0x3aU
#define VMX_CHECK_MSR_PROCBASED_CTLS 0x482U
#define VMX_CHECK_MSR_PROCBASED_CTLS2 0x48bU
#define VMX_CHECK_MSR_EPT_VPID_CAP 0x48cU

/* Raw register values; those of MSRs that do not exist stay 0. */
struct vmx_facts {
	bool intel;           /* CPUID.0 is GenuineIntel */
	bool hypervisor;      /* CPUID.1:ECX[31] */
	uint32_t cpuid1_ecx;  /* CPUID.1:ECX */
	uint32_t cpuid81_edx; /* CPUID.80000001H:EDX */
	uint64_t feature_control;
	uint64_t procbased;  /* IA32_VMX_PROCBASED_CTLS */
	uint64_t procbased2; /* IA32_VMX_PROCBASED_CTLS2 */
	uint64_t ept_vpid;   /* IA32_VMX_EPT_VPID_CAP */
};

/* Which MSRs may be read, given what is known so far. */
bool vmx_has_msrs(const struct vmx_facts *f);       /* FEATURE_CONTROL, PROCBASED_CTLS */
bool vmx_has_procbased2(const struct vmx_facts *f); /* PROCBASED_CTLS2 */
bool vmx_has_ept_cap(const struct vmx_facts *f);    /* EPT_VPID_CAP */

/* 0, or -ENODEV with a sentence that says what to do about it. */
__must_check int vmx_check(const struct vmx_facts *f, char *why, size_t why_size);

#endif
