// SPDX-License-Identifier: BSD-2-Clause
// Read what vmx_check() decides on from this processor.
// Specs: [SDM2] "CPUID"; [SDM3] "VMX Capability Reporting Facility".
#include "boot/cpu_check.h"
#include "boot/efi_console.h"
#include "boot/loader_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/vmx_check.h"

#define CPUID1_ECX_HYPERVISOR BIT(31)
#define CPUID81_EDX_PAGE1GB BIT(26)
#define CR4_LA57 BIT64(12)

static uint32_t extended_edx(void)
{
	return hw_cpuid(0x80000000U, 0).eax >= 0x80000001U ? hw_cpuid(0x80000001U, 0).edx : 0;
}

bool cpu_has_1g_pages(void)
{
	return (extended_edx() & CPUID81_EDX_PAGE1GB) != 0;
}

static void read_facts(struct vmx_facts *f)
{
	struct hw_cpuid_regs vendor = hw_cpuid(0, 0);

	f->intel = vendor.ebx == 0x756e6547U && vendor.edx == 0x49656e69U &&
	           vendor.ecx == 0x6c65746eU; /* "GenuineIntel" */
	f->cpuid1_ecx = hw_cpuid(1, 0).ecx;
	f->hypervisor = (f->cpuid1_ecx & CPUID1_ECX_HYPERVISOR) != 0;
	f->cpuid81_edx = extended_edx();
	if (vmx_has_msrs(f)) {
		f->feature_control = hw_rdmsr(VMX_CHECK_MSR_FEATURE_CONTROL);
		f->procbased = hw_rdmsr(VMX_CHECK_MSR_PROCBASED_CTLS);
	}
	if (vmx_has_procbased2(f)) {
		f->procbased2 = hw_rdmsr(VMX_CHECK_MSR_PROCBASED_CTLS2);
	}
	if (vmx_has_ept_cap(f)) {
		f->ept_vpid = hw_rdmsr(VMX_CHECK_MSR_EPT_VPID_CAP);
	}
}

EFI_STATUS cpu_check(void)
{
	struct vmx_facts facts = {0};
	char why[256];

	read_facts(&facts);
	if (vmx_check(&facts, why, sizeof(why)) != 0) {
		return con_fail(EFI_UNSUPPORTED, "%s", why);
	}
	/* The tables of the hand-off have four levels, and the mode cannot be left in 64-bit mode.
	 */
	if (hw_read_cr4() & CR4_LA57) {
		return con_fail(EFI_UNSUPPORTED,
		        "the firmware runs with 5-level paging: turn it off in its set-up");
	}
	return EFI_SUCCESS;
}
