// SPDX-License-Identifier: BSD-2-Clause
/*
 * EOI assist: the guest ends an interrupt in memory, and Candela notices when it next looks. That
 * is soon enough as long as nothing waits for the end: no other vector, no level, no watcher. What
 * begins to wait takes the offer back.
 *
 * Of nested interrupts the one that came last has the bit: it is withdrawn from the outer one
 * before the inner one goes in.
 *
 * Specs: [TLFS] "EOI Assist".
 */
#include "vmm/lapic_regs.h"
#include "vmm/vcpu.h"

#define NO_EOI 1U

/* The highest vector in service has ended. */
static void retire(struct lapic *apic)
{
	int vector = lapic_vector_highest(apic, LAPIC_ISR);

	lapic_vector_put(apic, LAPIC_ISR, (unsigned)vector, false);
	lapic_attention(apic);
	lapic_eoi_done(apic, (uint8_t)vector);
}

void lapic_offer_assist(struct lapic *apic, uint8_t vector)
{
	uint32_t watched = __atomic_load_n(&apic->eoi_watch[vector / 32], __ATOMIC_SEQ_CST);

	if (!(watched >> (vector & 31) & 1) && !lapic_vector_test(apic, LAPIC_TMR, vector) &&
	        lapic_vector_highest(apic, LAPIC_IRR) < 0) {
		apic->assisted = true;
		__atomic_fetch_or(apic->assist, NO_EOI, __ATOMIC_RELAXED);
	}
}

void lapic_settle_assist(struct lapic *apic)
{
	if (apic->assisted && !(__atomic_load_n(apic->assist, __ATOMIC_RELAXED) & NO_EOI)) {
		apic->assisted = false;
		retire(apic);
	}
}

void lapic_withdraw_assist(struct lapic *apic)
{
	lapic_settle_assist(apic);
	if (apic->assisted) {
		apic->assisted = false;
		__atomic_fetch_and(apic->assist, ~NO_EOI, __ATOMIC_RELAXED);
	}
}

void lapic_set_eoi_assist(struct lapic *apic, uint32_t *word)
{
	lapic_withdraw_assist(apic);
	__atomic_store_n(&apic->assist, word, __ATOMIC_RELAXED);
}

void lapic_reset_assist(struct lapic *apic, bool power_on)
{
	if (apic->assist) {
		__atomic_fetch_and(apic->assist, ~NO_EOI, __ATOMIC_RELAXED);
	}
	apic->assisted = false;
	if (power_on) {
		__atomic_store_n(&apic->assist, NULL, __ATOMIC_RELAXED);
	}
}
