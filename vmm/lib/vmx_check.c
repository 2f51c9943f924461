// SPDX-License-Identifier: BSD-2-Clause
// Can this processor run guests? Decides on register values, so that it can be tested anywhere.
// Specs: [SDM3] "Enabling and Entering VMX Operation", "Primary Processor-Based VM-Execution
// Controls", "Secondary Processor-Based VM-Execution Controls", "VPID and EPT Capabilities".
#include "vmm/lib/vmx_check.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"

#define CPUID1_ECX_VMX BIT(5)
#define CPUID81_EDX_NX BIT(20)

#define FEATURE_CONTROL_LOCK BIT64(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT64(2)

/* Capability MSRs of controls: bits 63:32 are the bits that may be 1. */
#define MAY_BE_1(bit) BIT64(32 + (bit))
#define PRIMARY_SECONDARY MAY_BE_1(31)
#define SECONDARY_EPT MAY_BE_1(1)
#define SECONDARY_VPID MAY_BE_1(5)
#define SECONDARY_UNRESTRICTED MAY_BE_1(7)

#define EPT_CAP_WALK_4 BIT64(6)
#define EPT_CAP_WRITE_BACK BIT64(14)

bool vmx_has_msrs(const struct vmx_facts *f)
{
	return (f->cpuid1_ecx & CPUID1_ECX_VMX) != 0;
}

bool vmx_has_procbased2(const struct vmx_facts *f)
{
	return vmx_has_msrs(f) && (f->procbased & PRIMARY_SECONDARY) != 0;
}

bool vmx_has_ept_cap(const struct vmx_facts *f)
{
	return vmx_has_procbased2(f) && (f->procbased2 & (SECONDARY_EPT | SECONDARY_VPID)) != 0;
}

static const char *no_vmx(const struct vmx_facts *f)
{
	if (!f->intel) {
		return "this processor is not Intel's: Candela needs Intel VT-x with EPT";
	}
	if (f->hypervisor) {
		return "this virtual machine's processor has no VT-x: turn nested virtualization "
		       "on in "
		       "the hypervisor below (QEMU: -cpu host,+vmx)";
	}
	return "this processor has no VT-x, or the firmware hides it: look for 'Intel "
	       "Virtualization "
	       "Technology' (VT-x, VMX) in the firmware's set-up";
}

int vmx_check(const struct vmx_facts *f, char *why, size_t why_size)
{
	const uint64_t locked_out = FEATURE_CONTROL_LOCK;
	const char *problem = NULL;

	if (!vmx_has_msrs(f)) {
		problem = no_vmx(f);
	} else if ((f->feature_control & (FEATURE_CONTROL_LOCK |
	                                         FEATURE_CONTROL_VMX_OUTSIDE_SMX)) == locked_out) {
		problem = "the firmware has switched VT-x off and locked it: turn on 'Intel "
		          "Virtualization Technology' (VT-x, VMX) in the firmware's set-up, then "
		          "switch the machine off and on";
	} else if (!vmx_has_procbased2(f) || (f->procbased2 & SECONDARY_EPT) == 0) {
		problem = "this processor has VT-x but no EPT (nested paging), which Candela needs";
	} else if ((f->procbased2 & SECONDARY_UNRESTRICTED) == 0) {
		problem =
		        "this processor has VT-x and EPT but no unrestricted guest, which Candela "
		        "needs";
	} else if ((f->ept_vpid & (EPT_CAP_WALK_4 | EPT_CAP_WRITE_BACK)) !=
	           (EPT_CAP_WALK_4 | EPT_CAP_WRITE_BACK)) {
		problem =
		        "this processor's EPT has no four-level tables in write-back memory, which "
		        "Candela needs";
	} else if ((f->cpuid81_edx & CPUID81_EDX_NX) == 0) {
		problem = "this processor has no execute-disable (NX), or the firmware has "
		          "switched it "
		          "off: turn it on in the firmware's set-up";
	}
	if (problem) {
		fmt_print(why, why_size, "%s", problem);
		return -ENODEV;
	}
	return 0;
}
