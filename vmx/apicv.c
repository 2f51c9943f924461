// SPDX-License-Identifier: BSD-2-Clause
/*
 * The processor's part of the local APIC, as far as it is granted: TPR shadow, APIC accesses,
 * register virtualization, x2APIC mode, virtual-interrupt delivery.
 * Specs: [SDM3] "APIC Virtualization and Virtual Interrupts".
 */
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define X2APIC_MSR(offset) (MSR_X2APIC_BASE + (offset) / 16)

/* Registers whose value in the page is what a read gives; not the current count, not PPR. */
static const uint16_t plain_reads[] = {
        LAPIC_ID,
        LAPIC_VERSION,
        LAPIC_TPR,
        LAPIC_LDR,
        LAPIC_SVR,
        LAPIC_ESR,
        LAPIC_LVT_TIMER,
        LAPIC_LVT_THERMAL,
        LAPIC_LVT_PERF,
        LAPIC_LVT_LINT0,
        LAPIC_LVT_LINT1,
        LAPIC_LVT_ERROR,
        LAPIC_TIMER_INITIAL,
        LAPIC_TIMER_DIVIDE,
};

static void set_x2apic_msrs(struct vmx_vcpu *v, bool on)
{
	bool reads = on && vmx_caps.virt.apic.apic_reg;
	bool delivery = on && v->vcpu->lapic.hw_delivery;

	for (unsigned i = 0; i < ARRAY_SIZE(plain_reads); i++) {
		msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(plain_reads[i]), reads, false);
	}
	for (unsigned i = 0; i < 8; i++) {
		msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_ISR) + i, reads, false);
		msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_TMR) + i, reads, false);
		msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_IRR) + i, reads, false);
	}
	/* TPR needs the shadow alone; the other two are virtualized with delivery only. */
	msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_TPR), on, on);
	msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_EOI), false, delivery);
	msr_bitmap_allow(v->msr_bitmap, X2APIC_MSR(LAPIC_SELF_IPI), false, delivery);
}

void vmx_apic_set_mode(struct vcpu *vcpu, uint64_t apic_base)
{
	const struct virt_apic_caps *caps = &vmx_caps.virt.apic;
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	bool enabled = (apic_base & APIC_BASE_EN) != 0;
	bool x2apic = enabled && (apic_base & APIC_BASE_EXTD);
	bool xapic = enabled && !x2apic;
	bool at_home = (apic_base & ~(uint64_t)PAGE_MASK) == LAPIC_DEFAULT_BASE;
	uint32_t proc2 = v->proc2 &
	                 ~(PROC2_APIC_ACCESS | PROC2_X2APIC | PROC2_APIC_REG | PROC2_INTR_DELIVERY);

	if (xapic && caps->apic_access && at_home) {
		proc2 |= PROC2_APIC_ACCESS | (caps->apic_reg ? PROC2_APIC_REG : 0);
	}
	if (x2apic && caps->x2apic) {
		proc2 |= PROC2_X2APIC | (caps->apic_reg ? PROC2_APIC_REG : 0);
	}
	/* Delivery does not depend on how the registers are reached. */
	proc2 |= vcpu->lapic.hw_delivery ? PROC2_INTR_DELIVERY : 0;
	if (vmx_caps.granted & BIT(VMX_OPT_MSRBITMAP)) {
		set_x2apic_msrs(v, (proc2 & PROC2_X2APIC) != 0);
	}
	if (proc2 != v->proc2) {
		v->proc2 = proc2;
		vmcs_write(VMCS_PROC_CONTROLS2, proc2);
		/* Translations of the APIC page were cached with or without the access control. */
		vmx_invept(vmx_caps.invept_single ? INV_SINGLE : INV_ALL, vmx_vm(vcpu->vm)->eptp);
	}
}

void vmx_apic_set_irr(struct vcpu *vcpu, int highest_irr)
{
	uint64_t status = vmcs_read(VMCS_GUEST_INTR_STATUS);
	uint64_t rvi = highest_irr < 0 ? 0 : (uint64_t)highest_irr;

	(void)vcpu;
	if ((status & 0xff) != rvi) {
		vmcs_write(VMCS_GUEST_INTR_STATUS, (status & 0xff00) | rvi);
	}
}

void vmx_apic_set_isr(struct vcpu *vcpu, int highest_isr)
{
	uint64_t status = vmcs_read(VMCS_GUEST_INTR_STATUS);
	uint64_t svi = highest_isr < 0 ? 0 : (uint64_t)highest_isr << 8;

	(void)vcpu;
	if ((status & 0xff00) != svi) {
		vmcs_write(VMCS_GUEST_INTR_STATUS, (status & 0xff) | svi);
	}
}

void vmx_apic_set_eoi_exits(struct vcpu *vcpu, const uint64_t bitmap[4])
{
	(void)vcpu;
	vmcs_write(VMCS_EOI_EXIT0, bitmap[0]);
	vmcs_write(VMCS_EOI_EXIT1, bitmap[1]);
	vmcs_write(VMCS_EOI_EXIT2, bitmap[2]);
	vmcs_write(VMCS_EOI_EXIT3, bitmap[3]);
}

void vmx_apic_set_tpr_threshold(struct vcpu *vcpu, unsigned threshold)
{
	(void)vcpu;
	vmcs_write(VMCS_TPR_THRESHOLD, threshold & 0xfU);
}
