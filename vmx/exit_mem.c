// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decode accesses to guest-physical space and to the APIC page.
 * Specs: [SDM3] "Exit Qualification for EPT Violations", "Exit Qualification for APIC-Access
 * VM Exits from Linear Accesses and Guest-Physical Accesses".
 */
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

#define EPT_QUAL_READ BIT64(0)
#define EPT_QUAL_WRITE BIT64(1)
#define EPT_QUAL_FETCH BIT64(2)
#define EPT_QUAL_RIGHTS (BIT64(3) | BIT64(4) | BIT64(5))
#define EPT_QUAL_LINEAR BIT64(7)
#define EPT_QUAL_OPERAND BIT64(8) /* with LINEAR: the access itself, not a page-table walk */
#define EPT_QUAL_NMI_UNBLOCKED BIT64(12)
#define BLOCKING_NMI BIT64(3)

enum apic_access { APIC_READ = 0, APIC_WRITE = 1, APIC_FETCH = 2, APIC_EVENT = 3 };

void vmx_exit_ept_violation(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint64_t qual = vmcs_read(VMCS_EXIT_QUALIFICATION);

	vmx_exit_vectoring(vcpu);
	exit->mem.gpa = gpa(vmcs_read(VMCS_GUEST_PHYSICAL_ADDR));
	exit->mem_access = (uint8_t)(qual & 7U);
	exit->mem.read = (qual & EPT_QUAL_READ) != 0;
	exit->mem.write = (qual & EPT_QUAL_WRITE) != 0;
	exit->mem.fetch = (qual & EPT_QUAL_FETCH) != 0;
	exit->mem.mapped = (qual & EPT_QUAL_RIGHTS) != 0;
	exit->mem.in_walk = (qual & EPT_QUAL_LINEAR) && !(qual & EPT_QUAL_OPERAND);
	/* IRET had unblocked NMIs before it faulted; it will run again, so block them again. */
	if ((qual & EPT_QUAL_NMI_UNBLOCKED) && vcpu->pending.type == EVENT_NONE) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		        vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	}
}

void vmx_exit_ept_misconfig(struct vcpu *vcpu)
{
	vmx_exit_vectoring(vcpu);
	vcpu->exit.mem.gpa = gpa(vmcs_read(VMCS_GUEST_PHYSICAL_ADDR));
}

void vmx_exit_apic_access(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint64_t qual = vmcs_read(VMCS_EXIT_QUALIFICATION);
	enum apic_access access = (qual >> 12) & 0xfU;

	vmx_exit_vectoring(vcpu);
	exit->mem.gpa = gpa(LAPIC_DEFAULT_BASE + (qual & 0xfffU));
	exit->mem_access = (uint8_t)(1U << access & 7U);
	exit->mem.read = access == APIC_READ;
	exit->mem.write = access == APIC_WRITE;
	exit->mem.fetch = access == APIC_FETCH;
	exit->mem.mapped = false;
	exit->mem.in_walk = access > APIC_FETCH;
}

void vmx_exit_apic_write(struct vcpu *vcpu)
{
	vcpu->exit.apic.offset = (uint16_t)(vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xff0U);
}

void vmx_exit_eoi(struct vcpu *vcpu)
{
	vcpu->exit.eoi.vector = (uint8_t)vmcs_read(VMCS_EXIT_QUALIFICATION);
}
