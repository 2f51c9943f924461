// SPDX-License-Identifier: BSD-2-Clause
// The local APIC as MSRs: x2APIC registers and IA32_APIC_BASE.
// Specs: [SDM3] "x2APIC Register Address Space", "Reserved Bit Checking", "x2APIC States",
// "Local APIC Status and Location".
#include "vmm/cpu_virt.h"
#include "vmm/cpuid_policy.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/vcpu.h"

#define X2APIC_MSR_COUNT 0x100U

static bool x2apic_offset(const struct lapic *apic, uint32_t msr, uint32_t *offset)
{
	*offset = (msr - MSR_X2APIC_BASE) * 16;
	return lapic_x2apic(apic) && msr - MSR_X2APIC_BASE < X2APIC_MSR_COUNT;
}

bool lapic_msr_read(struct lapic *apic, uint32_t msr, uint64_t *value)
{
	uint32_t offset;

	/* DFR, the upper half of ICR, EOI and SELF IPI cannot be read. */
	if (!x2apic_offset(apic, msr, &offset) || !lapic_reg_readable(offset)) {
		return false;
	}
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR) {
		lapic_settle_assist(apic);
		lapic_fold(apic);
	}
	*value = lapic_reg_read(apic, offset);
	if (offset == LAPIC_ICR) {
		*value |= (uint64_t)lapic_get(apic, LAPIC_ICR + 4) << 32;
	}
	return true;
}

void lapic_write_x2apic_icr(struct lapic *apic, uint64_t value)
{
	/* 64 bits at the offset of the lower half: where the processor's own accesses look. */
	lapic_set(apic, LAPIC_ICR, (uint32_t)value & ~ICR_STATUS);
	lapic_set(apic, LAPIC_ICR + 4, (uint32_t)(value >> 32));
	lapic_send_ipi(apic, (uint32_t)value, (uint32_t)(value >> 32));
}

/* Bits of a 32-bit register that a guest may set. false = not writable at all. */
static bool writable_bits(uint32_t offset, uint32_t *bits)
{
	switch (offset) {
	case LAPIC_TPR:
		*bits = 0xffU;
		return true;
	case LAPIC_EOI:
	case LAPIC_ESR:
		*bits = 0;
		return true;
	case LAPIC_SVR:
		*bits = SVR_VECTOR | SVR_ENABLE | SVR_FOCUS;
		return true;
	case LAPIC_TIMER_INITIAL:
		*bits = ~0U;
		return true;
	case LAPIC_TIMER_DIVIDE:
		*bits = DIVIDE_DEFINED;
		return true;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		*bits = lapic_lvt_defined(offset) | LVT_STATUS | LVT_REMOTE_IRR;
		return true;
	default:
		*bits = lapic_lvt_defined(offset) | LVT_STATUS;
		return lapic_lvt_defined(offset) != 0;
	}
}

bool lapic_msr_write(struct lapic *apic, uint32_t msr, uint64_t value)
{
	uint32_t offset, bits;

	if (lapic_msr_write_quick(apic, msr, value)) {
		return true;
	}
	if (!x2apic_offset(apic, msr, &offset) || !writable_bits(offset, &bits) ||
	        (value & ~(uint64_t)bits)) {
		return false;
	}
	lapic_reg_write(apic, offset, (uint32_t)value);
	return true;
}

bool lapic_set_base(struct lapic *apic, uint64_t value)
{
	uint64_t old = apic->base;
	uint64_t mode = value & (APIC_BASE_EN | APIC_BASE_EXTD);
	uint64_t old_mode = old & (APIC_BASE_EN | APIC_BASE_EXTD);
	uint64_t defined = GENMASK64(cpuid_phys_bits() - 1, PAGE_SHIFT) | APIC_BASE_BSP |
	                   APIC_BASE_EXTD | APIC_BASE_EN;

	if ((value & ~defined) || mode == APIC_BASE_EXTD) {
		return false;
	}
	/* x2APIC can be left for "disabled" only, and entered from xAPIC only. */
	if (old_mode == (APIC_BASE_EN | APIC_BASE_EXTD) && mode == APIC_BASE_EN) {
		return false;
	}
	if (old_mode == 0 && mode == (APIC_BASE_EN | APIC_BASE_EXTD)) {
		return false;
	}
	/* Who is the boot processor was settled at power-on. */
	value = (value & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
	if (value == old) {
		return true;
	}
	__atomic_store_n(&apic->base, value, __ATOMIC_RELAXED);
	if (mode == 0) {
		/* Enabled again it is as after power-up: so it can forget everything now. */
		lapic_reset(apic, false);
		return true;
	}
	if (mode != old_mode) {
		lapic_set_identity(apic);
		lapic_set(apic, LAPIC_ICR + 4, 0);
		lapic_set(apic, LAPIC_ICR_HIGH, 0);
	}
	lapic_update_extint_gate(apic);
	cpu_virt->apic_set_mode(apic->vcpu, value);
	return true;
}
