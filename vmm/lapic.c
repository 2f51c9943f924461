// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's registers and the way of a vector through them: posted, requested, in service.
// Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", "Interrupt Acceptance for
// Fixed Interrupts", "Task Priority Register", "Signaling Interrupt Servicing Completion".
#include "vmm/lapic.h"
#include "vmm/cpu_virt.h"
#include "vmm/lapic_regs.h"
#include "vmm/lib/string.h"
#include "vmm/pv.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define PRIORITY_CLASS 0xf0

void lapic_init(struct lapic *apic, struct vcpu *vcpu, uint8_t *regs)
{
	memset(apic, 0, sizeof(*apic));
	apic->regs = regs;
	apic->vcpu = vcpu;
	lapic_timer_init(apic);
}

void lapic_set_identity(struct lapic *apic)
{
	uint32_t id = apic->vcpu->index;

	if (lapic_x2apic(apic)) {
		/* [SDM3] "Deriving Logical x2APIC ID from the Local x2APIC ID" */
		lapic_set(apic, LAPIC_ID, id);
		lapic_set(apic, LAPIC_LDR, id >> 4 << 16 | 1U << (id & 15));
	} else {
		lapic_set(apic, LAPIC_ID, id << LAPIC_ID_SHIFT);
		lapic_set(apic, LAPIC_LDR, 0);
	}
}

void lapic_reset_base(struct lapic *apic)
{
	__atomic_store_n(&apic->base,
	        LAPIC_DEFAULT_BASE | APIC_BASE_EN | (apic->vcpu->index == 0 ? APIC_BASE_BSP : 0),
	        __ATOMIC_RELAXED);
}

/* [SDM3] "Local APIC State After Power-Up or Reset", "... After an INIT Reset". */
void lapic_reset(struct lapic *apic, bool power_on)
{
	bool boot = apic->vcpu->index == 0;

	lapic_timer_stop(apic);
	apic->timer_mode = LAPIC_TIMER_ONE_SHOT;
	if (power_on) {
		lapic_reset_base(apic);
		apic->hw_delivery = cpu_virt->caps()->apic.intr_delivery;
		memset(apic->auto_eoi, 0, sizeof(apic->auto_eoi));
	}
	for (unsigned i = 0; i < 4; i++) {
		__atomic_store_n(&apic->pir[i], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&apic->pir_level[i], 0, __ATOMIC_RELAXED);
		apic->eoi_exits[i] = 0;
	}
	for (unsigned i = 0; power_on && i < ARRAY_SIZE(apic->eoi_watch); i++) {
		__atomic_store_n(&apic->eoi_watch[i], 0, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&apic->pir_notify, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&apic->extint_msg, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&apic->esr_pending, 0, __ATOMIC_RELAXED);
	apic->attention = 0;
	lapic_reset_assist(apic, power_on);
	/* Whose end somebody waits for outlives INIT. */
	apic->tmr_changed = !power_on;
	apic->tpr_threshold = 0;
	memset(apic->regs, 0, PAGE_SIZE);
	apic->irr_words = apic->isr_words = apic->hw_delivery ? 0xff : 0;
	lapic_set_identity(apic);
	lapic_set(apic, LAPIC_VERSION, LAPIC_VERSION_VALUE);
	lapic_set(apic, LAPIC_DFR, ~0U);
	lapic_set(apic, LAPIC_SVR, SVR_VECTOR);
	for (uint32_t lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 16) {
		lapic_set(apic, lvt, LVT_MASKED);
	}
	if (power_on && boot) {
		/*
		 * The state a PC's firmware leaves ("virtual wire"), not the processor's: without
		 * it the 8259 pair would be cut off for guests that never touch the APIC.
		 */
		lapic_set(apic, LAPIC_LVT_LINT0, LVT_DELIVERY_EXTINT);
	}
	lapic_timer_divide_written(apic);
	lapic_update_extint_gate(apic);
	cpu_virt->apic_set_mode(apic->vcpu, apic->base);
	if (apic->hw_delivery) {
		cpu_virt->apic_set_irr(apic->vcpu, -1);
		cpu_virt->apic_set_isr(apic->vcpu, -1);
		cpu_virt->apic_set_eoi_exits(apic->vcpu, apic->eoi_exits);
	} else if (cpu_virt->caps()->apic.tpr_shadow) {
		cpu_virt->apic_set_tpr_threshold(apic->vcpu, 0);
	}
}

static uint64_t base_of(const struct lapic *apic)
{
	return __atomic_load_n(&apic->base, __ATOMIC_RELAXED);
}

bool lapic_enabled(const struct lapic *apic)
{
	return (base_of(apic) & APIC_BASE_EN) && (lapic_get(apic, LAPIC_SVR) & SVR_ENABLE);
}

bool lapic_x2apic(const struct lapic *apic)
{
	return (~base_of(apic) & (APIC_BASE_EN | APIC_BASE_EXTD)) == 0;
}

uint32_t lapic_id(const struct lapic *apic)
{
	return apic->vcpu->index;
}

/* --- the 8259 pair --- */

void lapic_update_extint_gate(struct lapic *apic)
{
	uint32_t lint0 = lapic_get(apic, LAPIC_LVT_LINT0);
	bool open;

	if (apic->base & APIC_BASE_EN) {
		open = (lint0 & (LVT_MASKED | LVT_DELIVERY)) == LVT_DELIVERY_EXTINT;
	} else {
		/* LINT0 is INTR then, and only the boot processor's is wired. */
		open = apic->vcpu->index == 0;
	}
	/* Pairs with irq_set_extint(): it sees the gate, or our next look sees the line. */
	__atomic_store_n(&apic->extint_gate, open, __ATOMIC_SEQ_CST);
	apic->vcpu->attention = 1;
}

bool lapic_extint_open(const struct lapic *apic)
{
	return __atomic_load_n(&apic->extint_gate, __ATOMIC_SEQ_CST) != 0 ||
	       __atomic_load_n(&apic->extint_msg, __ATOMIC_RELAXED) != 0;
}

static void notify(struct lapic *apic)
{
	if (!__atomic_exchange_n(&apic->pir_notify, 1, __ATOMIC_SEQ_CST)) {
		vcpu_request(apic->vcpu, VCPU_REQ_IRQ);
	}
}

void lapic_post_extint(struct lapic *apic)
{
	__atomic_store_n(&apic->extint_msg, 1, __ATOMIC_RELEASE);
	notify(apic);
}

/* --- vectors: posted, requested, in service --- */

void lapic_post(struct lapic *apic, uint8_t vector, bool level)
{
	unsigned word = vector / 64;
	uint64_t bit = BIT64(vector % 64);

	if (level) {
		__atomic_fetch_or(&apic->pir_level[word], bit, __ATOMIC_RELAXED);
	} else if (__atomic_load_n(&apic->pir_level[word], __ATOMIC_RELAXED) & bit) {
		__atomic_fetch_and(&apic->pir_level[word], ~bit, __ATOMIC_RELAXED);
	}
	__atomic_fetch_or(&apic->pir[word], bit, __ATOMIC_RELEASE);
	notify(apic);
}

/* IRR, ISR or TPR changed: somebody has to look before the next entry. */
void lapic_attention(struct lapic *apic)
{
	apic->attention = 1;
	apic->vcpu->attention = 1;
}

/* Up to 32 vectors into IRR; TMR says which of them are level-triggered. */
static inline void accept_word(struct lapic *apic, size_t i, uint32_t bits, uint32_t level)
{
	uint32_t tmr = lapic_word_get(apic, LAPIC_TMR, i);
	uint32_t new_tmr = (tmr & ~bits) | (level & bits);

	lapic_word_put(apic, LAPIC_IRR, i, lapic_word_get(apic, LAPIC_IRR, i) | bits);
	if (new_tmr != tmr) {
		lapic_word_set(apic, LAPIC_TMR, i, new_tmr);
		apic->tmr_changed = true;
	}
	lapic_attention(apic);
}

void lapic_accept(struct lapic *apic, uint8_t vector, bool level)
{
	uint32_t bit = 1U << (vector & 31);

	accept_word(apic, vector / 32, bit, level ? bit : 0);
}

/* Of 32 vectors, those whose end somebody waits for: the IOAPIC, or vm->pv. */
static inline uint32_t eoi_exits(const struct lapic *apic, size_t n)
{
	return lapic_word_get(apic, LAPIC_TMR, n) |
	       __atomic_load_n(&apic->eoi_watch[n], __ATOMIC_RELAXED);
}

static void give_eoi_exits(struct lapic *apic)
{
	uint64_t bitmap[4];

	for (uint32_t i = 0; i < 4; i++) {
		bitmap[i] = eoi_exits(apic, i * 2) | (uint64_t)eoi_exits(apic, i * 2 + 1) << 32;
	}
	apic->tmr_changed = false;
	if (memcmp(bitmap, apic->eoi_exits, sizeof(bitmap)) != 0) {
		memcpy(apic->eoi_exits, bitmap, sizeof(bitmap));
		cpu_virt->apic_set_eoi_exits(apic->vcpu, bitmap);
	}
}

/* Ends that nobody needed to see may matter now. */
static LAPIC_RARE void watch_moved(struct lapic *apic)
{
	__atomic_store_n(&apic->eoi_watch_moved, 0, __ATOMIC_SEQ_CST);
	if (apic->assisted) {
		lapic_withdraw_assist(apic);
	}
	apic->tmr_changed = true;
	lapic_attention(apic);
}

static __attribute__((noinline)) void fold_posted(struct lapic *apic)
{
	__atomic_store_n(&apic->pir_notify, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&apic->eoi_watch_moved, __ATOMIC_RELAXED)) {
		watch_moved(apic);
	}
	for (uint32_t i = 0; i < 4; i++) {
		if (!__atomic_load_n(&apic->pir[i], __ATOMIC_RELAXED)) {
			continue;
		}
		uint64_t bits = __atomic_exchange_n(&apic->pir[i], 0, __ATOMIC_ACQUIRE);
		uint64_t level = __atomic_load_n(&apic->pir_level[i], __ATOMIC_RELAXED);

		accept_word(apic, i * 2, (uint32_t)bits, (uint32_t)level);
		accept_word(apic, i * 2 + 1, (uint32_t)(bits >> 32), (uint32_t)(level >> 32));
	}
}

static __attribute__((noinline)) void tell_processor(struct lapic *apic)
{
	apic->attention = 0;
	if (apic->tmr_changed) {
		give_eoi_exits(apic);
	}
	cpu_virt->apic_set_irr(apic->vcpu, lapic_vector_highest(apic, LAPIC_IRR));
}

/* What was posted into IRR. */
static inline void take_posted(struct lapic *apic)
{
	if (__atomic_load_n(&apic->pir_notify, __ATOMIC_ACQUIRE)) {
		fold_posted(apic);
	}
}

void lapic_fold(struct lapic *apic)
{
	take_posted(apic);
	if (apic->hw_delivery && apic->attention) {
		tell_processor(apic);
	}
}

/* Vectors compare by their upper half; 0 = none. */
static uint32_t class_of(int vector)
{
	return vector < 0 ? 0 : (uint32_t)vector & PRIORITY_CLASS;
}

/* [SDM3] "Processor Priority Register": the higher of TPR and the vector in service. */
uint32_t lapic_ppr(const struct lapic *apic)
{
	uint32_t tpr = lapic_get(apic, LAPIC_TPR) & 0xffU;
	uint32_t in_service = class_of(lapic_vector_highest(apic, LAPIC_ISR));

	return (tpr & PRIORITY_CLASS) >= in_service ? tpr : in_service;
}

/* Could it be delivered? */
static inline bool above_ppr(const struct lapic *apic, int vector)
{
	uint32_t wanted = class_of(vector);

	return wanted > class_of(lapic_vector_highest(apic, LAPIC_ISR)) &&
	       wanted > (lapic_get(apic, LAPIC_TPR) & PRIORITY_CLASS);
}

/* Returns 'vector', which the caller so need not keep. */
static __attribute__((noinline)) int give_threshold(
        struct lapic *apic, uint8_t threshold, int vector)
{
	if (cpu_virt->caps()->apic.tpr_shadow) {
		apic->tpr_threshold = threshold;
		cpu_virt->apic_set_tpr_threshold(apic->vcpu, threshold);
	}
	return vector;
}

static inline int pending(struct lapic *apic)
{
	uint8_t threshold = 0;
	int vector;

	if (!apic->attention) {
		return -1;
	}
	vector = lapic_vector_highest(apic, LAPIC_IRR);
	if (!above_ppr(apic, vector)) {
		/* Nothing to do until IRR, ISR or TPR change; all that changes them says so. */
		apic->attention = 0;
		/* [SDM3] "TPR Virtualization": but for a shadowed TPR. It alone in the way? */
		if (class_of(vector) > class_of(lapic_vector_highest(apic, LAPIC_ISR))) {
			threshold = (uint8_t)(class_of(vector) >> 4);
		}
		vector = -1;
	}
	return threshold == apic->tpr_threshold ? vector : give_threshold(apic, threshold, vector);
}

static __attribute__((noinline)) int settle_and_pending(struct lapic *apic)
{
	lapic_fold(apic);
	if (apic->hw_delivery) {
		return -1;
	}
	if (apic->attention && apic->assisted && apic->irr_words != 0) {
		lapic_withdraw_assist(apic);
	}
	return pending(apic);
}

int lapic_pending(struct lapic *apic)
{
	if (__atomic_load_n(&apic->pir_notify, __ATOMIC_RELAXED) | apic->hw_delivery |
	        apic->assisted) {
		return settle_and_pending(apic);
	}
	return pending(apic);
}

bool lapic_ack(struct lapic *apic, unsigned vector)
{
	const size_t n = vector / 32;
	const uint32_t bit = 1U << (vector & 31);
	const uint8_t note = (uint8_t)(1U << n);
	const uint32_t irr = lapic_word_get(apic, LAPIC_IRR, n) & ~bit;

	/* Not lapic_word_put(): no processor has a part in it, so that the notes are exact. */
	lapic_word_set(apic, LAPIC_IRR, n, irr);
	if (irr == 0) {
		apic->irr_words &= (uint8_t)~note;
	}
	/* One that ends itself was never in service. */
	if (!(apic->auto_eoi[n] & bit)) {
		lapic_word_set(apic, LAPIC_ISR, n, lapic_word_get(apic, LAPIC_ISR, n) | bit);
		apic->isr_words |= note;
		if (apic->assist) {
			lapic_offer_assist(apic, (uint8_t)vector);
		}
	}
	return apic->irr_words != 0;
}

void lapic_set_auto_eoi(struct lapic *apic, uint8_t vector, bool on)
{
	uint32_t bit = 1U << (vector & 31);

	apic->auto_eoi[vector / 32] = (apic->auto_eoi[vector / 32] & ~bit) | (on ? bit : 0);
	/* [SDM3] "Virtual-Interrupt Delivery": the processor puts every vector in service. */
	if (on && apic->hw_delivery) {
		apic->hw_delivery = false;
		cpu_virt->apic_set_mode(apic->vcpu, apic->base);
		apic->tpr_threshold = 0;
		if (cpu_virt->caps()->apic.tpr_shadow) {
			cpu_virt->apic_set_tpr_threshold(apic->vcpu, 0);
		}
		lapic_attention(apic);
	}
}

void lapic_watch_eoi(struct lapic *apic, uint8_t vector, bool on)
{
	uint32_t *word = &apic->eoi_watch[vector / 32];
	uint32_t bit = 1U << (vector & 31);
	uint32_t before = on ? __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST)
	                     : __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);

	/* Only a processor, or a guest, that ends interrupts itself has to be told. */
	if (((before & bit) != 0) != on &&
	        (apic->hw_delivery || __atomic_load_n(&apic->assist, __ATOMIC_RELAXED))) {
		__atomic_store_n(&apic->eoi_watch_moved, 1, __ATOMIC_SEQ_CST);
		notify(apic);
	}
}

/* What is posted counts, and what has ended is not in the way. */
static __attribute__((noinline)) bool settle_and_look(struct lapic *apic)
{
	take_posted(apic);
	if (above_ppr(apic, lapic_vector_highest(apic, LAPIC_IRR))) {
		return true;
	}
	lapic_settle_assist(apic);
	return above_ppr(apic, lapic_vector_highest(apic, LAPIC_IRR));
}

bool lapic_has_interrupt(struct lapic *apic)
{
	/* Who posts just now has not said so yet: his request follows. */
	if (__atomic_load_n(&apic->pir_notify, __ATOMIC_ACQUIRE) | apic->assisted) {
		return settle_and_look(apic);
	}
	return above_ppr(apic, lapic_vector_highest(apic, LAPIC_IRR));
}

void lapic_eoi_done(struct lapic *apic, uint8_t vector)
{
	if (lapic_vector_test(apic, LAPIC_TMR, vector)) {
		irq_eoi(apic->vcpu->vm, vector);
	}
	if (__atomic_load_n(&apic->eoi_watch[vector / 32], __ATOMIC_RELAXED) >> (vector & 31) & 1) {
		apic->vcpu->vm->pv->eoi(apic->vcpu, vector);
	}
}

/* The vector is not in service any more: for those who want to know that. */
static __attribute__((noinline)) void tell_end(struct lapic *apic, uint8_t vector)
{
	if (apic->hw_delivery) {
		cpu_virt->apic_set_isr(apic->vcpu, lapic_vector_highest(apic, LAPIC_ISR));
	}
	lapic_eoi_done(apic, vector);
}

/* The highest one in service ends. */
static inline void end_highest(struct lapic *apic)
{
	int vector = lapic_vector_highest(apic, LAPIC_ISR);
	uint32_t bit;
	size_t n;

	if (vector < 0) {
		return;
	}
	n = (unsigned)vector / 32;
	bit = 1U << (vector & 31);
	lapic_word_put(apic, LAPIC_ISR, n, lapic_word_get(apic, LAPIC_ISR, n) & ~bit);
	/* Somebody waited for it, maybe. */
	if (apic->irr_words != 0) {
		lapic_attention(apic);
	}
	if (apic->hw_delivery || (eoi_exits(apic, n) & bit)) {
		tell_end(apic, (uint8_t)vector);
	}
}

static LAPIC_RARE void end_assisted(struct lapic *apic)
{
	lapic_withdraw_assist(apic);
	end_highest(apic);
}

void lapic_end_of_interrupt(struct lapic *apic)
{
	if (apic->assisted) {
		end_assisted(apic);
	} else {
		end_highest(apic);
	}
}

void lapic_tpr_changed(struct lapic *apic)
{
	lapic_attention(apic);
}

uint64_t lapic_get_cr8(const struct lapic *apic)
{
	return lapic_get(apic, LAPIC_TPR) >> 4 & 0xfU;
}

void lapic_set_cr8(struct lapic *apic, uint64_t value)
{
	lapic_set(apic, LAPIC_TPR, (uint32_t)(value & 0xfU) << 4);
	lapic_tpr_changed(apic);
}

/* --- errors and local sources --- */

void lapic_error(struct lapic *apic, uint32_t esr_bits)
{
	__atomic_fetch_or(&apic->esr_pending, esr_bits, __ATOMIC_RELAXED);
	lapic_lvt_fire(apic, LAPIC_LVT_ERROR);
}

void lapic_lvt_fire(struct lapic *apic, uint32_t lvt_offset)
{
	uint32_t lvt = lapic_get(apic, lvt_offset);

	if (lvt & LVT_MASKED) {
		return;
	}
	if ((lvt & LVT_VECTOR) >= LAPIC_FIRST_VECTOR) {
		lapic_post(apic, (uint8_t)lvt, false);
	} else if (lvt_offset == LAPIC_LVT_ERROR) {
		/* No error interrupt for the error interrupt's own vector. */
		__atomic_fetch_or(&apic->esr_pending, ESR_RECEIVE_ILLEGAL, __ATOMIC_RELAXED);
	} else {
		lapic_error(apic, ESR_RECEIVE_ILLEGAL);
	}
}
