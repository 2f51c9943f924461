// SPDX-License-Identifier: BSD-2-Clause
// What reads and writes of the local APIC's registers mean.
// Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", "Local Vector Table", "Error
// Handling", "Spurious Interrupt".
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/lib/log.h"
#include "vmm/vcpu.h"

uint32_t lapic_lvt_defined(uint32_t offset)
{
	switch (offset) {
	case LAPIC_LVT_TIMER:
		return LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE;
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
		return LVT_VECTOR | LVT_DELIVERY | LVT_MASKED;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return LVT_VECTOR | LVT_DELIVERY | LVT_POLARITY | LVT_TRIGGER | LVT_MASKED;
	case LAPIC_LVT_ERROR:
		return LVT_VECTOR | LVT_MASKED;
	default:
		return 0;
	}
}

static void lvt_write(struct lapic *apic, uint32_t offset, uint32_t value)
{
	value &= lapic_lvt_defined(offset);
	/* [SDM3] "Local APIC State After It Has Been Software Disabled": masks stay set. */
	if (!(lapic_get(apic, LAPIC_SVR) & SVR_ENABLE)) {
		value |= LVT_MASKED;
	}
	lapic_set(apic, offset, value);
	if (offset == LAPIC_LVT_TIMER) {
		lapic_timer_lvt_written(apic);
	} else if (offset == LAPIC_LVT_LINT0) {
		lapic_update_extint_gate(apic);
	}
}

static void svr_write(struct lapic *apic, uint32_t value)
{
	lapic_set(apic, LAPIC_SVR, value & (SVR_VECTOR | SVR_ENABLE | SVR_FOCUS));
	if (!(value & SVR_ENABLE)) {
		for (uint32_t lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 16) {
			lapic_set(apic, lvt, lapic_get(apic, lvt) | LVT_MASKED);
		}
		lapic_update_extint_gate(apic);
	}
}

bool lapic_reg_readable(uint32_t offset)
{
	switch (offset) {
	case LAPIC_ID:
	case LAPIC_VERSION:
	case LAPIC_TPR:
	case LAPIC_PPR:
	case LAPIC_LDR:
	case LAPIC_SVR:
	case LAPIC_ESR:
	case LAPIC_ICR:
	case LAPIC_TIMER_INITIAL:
	case LAPIC_TIMER_CURRENT:
	case LAPIC_TIMER_DIVIDE:
		return true;
	default:
		return (offset >= LAPIC_ISR && offset < LAPIC_ESR && offset % 16 == 0) ||
		       lapic_lvt_defined(offset) != 0;
	}
}

uint32_t lapic_reg_read(struct lapic *apic, uint32_t offset)
{
	switch (offset) {
	case LAPIC_PPR:
		lapic_settle_assist(apic);
		return lapic_ppr(apic);
	case LAPIC_TIMER_CURRENT:
		return lapic_timer_current(apic);
	default:
		return lapic_get(apic, offset);
	}
}

/* The page is there in xAPIC mode only; a whole register at a time. */
static bool page_has(const struct lapic *apic, uint32_t offset)
{
	return (apic->base & (APIC_BASE_EN | APIC_BASE_EXTD)) == APIC_BASE_EN &&
	       offset < PAGE_SIZE && offset % 16 == 0;
}

uint32_t lapic_read(struct lapic *apic, uint32_t offset)
{
	if (!page_has(apic, offset)) {
		return 0;
	}
	/* What is posted is requested as far as the guest can tell. */
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR) {
		lapic_settle_assist(apic);
		lapic_fold(apic);
	}
	if (lapic_reg_readable(offset) || offset == LAPIC_DFR || offset == LAPIC_ICR_HIGH) {
		return lapic_reg_read(apic, offset);
	}
	if (offset != LAPIC_EOI) {
		lapic_error(apic, ESR_ILLEGAL_REGISTER);
	}
	return 0;
}

void lapic_reg_write(struct lapic *apic, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case LAPIC_TPR:
		lapic_set(apic, LAPIC_TPR, value & 0xffU);
		lapic_tpr_changed(apic);
		break;
	case LAPIC_EOI:
		lapic_end_of_interrupt(apic);
		break;
	case LAPIC_LDR:
		lapic_set(apic, LAPIC_LDR, value & 0xff000000U);
		break;
	case LAPIC_DFR:
		lapic_set(apic, LAPIC_DFR, value | 0x0fffffffU);
		break;
	case LAPIC_SVR:
		svr_write(apic, value);
		break;
	case LAPIC_ESR:
		/* [SDM3] "Error Handling": a write shows what was collected since the last. */
		lapic_set(apic, LAPIC_ESR,
		        __atomic_exchange_n(&apic->esr_pending, 0, __ATOMIC_RELAXED));
		break;
	case LAPIC_ICR:
		lapic_set(apic, LAPIC_ICR, value & ICR_DEFINED & ~ICR_STATUS);
		lapic_send_ipi(apic, value, lapic_get(apic, LAPIC_ICR_HIGH) >> ICR_HIGH_DEST_SHIFT);
		break;
	case LAPIC_ICR_HIGH:
		lapic_set(apic, LAPIC_ICR_HIGH, value & 0xff000000U);
		break;
	case LAPIC_TIMER_INITIAL:
		lapic_timer_count_written(apic, value);
		break;
	case LAPIC_TIMER_DIVIDE:
		lapic_set(apic, LAPIC_TIMER_DIVIDE, value & DIVIDE_DEFINED);
		lapic_timer_divide_written(apic);
		break;
	case LAPIC_ID:
		/* Read-only here; the processor may have stored what the guest wrote. */
		lapic_set(apic, LAPIC_ID, apic->vcpu->index << LAPIC_ID_SHIFT);
		break;
	default:
		if (lapic_lvt_defined(offset) != 0) {
			lvt_write(apic, offset, value);
		} else if (!lapic_reg_readable(offset)) {
			lapic_error(apic, ESR_ILLEGAL_REGISTER);
		}
		break;
	}
}

void lapic_write(struct lapic *apic, uint32_t offset, uint32_t value)
{
	if (page_has(apic, offset)) {
		lapic_reg_write(apic, offset, value);
	}
}

void lapic_write_done(struct lapic *apic, uint32_t offset)
{
	if (offset >= PAGE_SIZE) {
		return;
	}
	offset &= ~0xfU;
	if (offset == LAPIC_SELF_IPI) {
		lapic_send_self(apic, (uint8_t)lapic_get(apic, LAPIC_SELF_IPI));
	} else if (offset == LAPIC_ICR && lapic_x2apic(apic)) {
		lapic_send_ipi(apic, lapic_get(apic, LAPIC_ICR), lapic_get(apic, LAPIC_ICR + 4));
	} else {
		lapic_reg_write(apic, offset, lapic_get(apic, offset));
	}
}
