/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the local APIC: its register page, the fields of its registers, and what its files
 * call in each other. From outside only the common path of exits and entries looks in here, for
 * what it needs inline: vmm/vcpu_exit.c (lapic_msr_write_quick) and vmm/event.c (lapic_above_tpr).
 * Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef VMM_LAPIC_REGS_H
#define VMM_LAPIC_REGS_H

#include "vmm/irq.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/x86.h"

/* [SDM3] "Local APIC Version Register": version 0x14, LVT entries 0-5 (no CMCI). */
#define LAPIC_VERSION_VALUE (0x14U | 5U << 16)

/* [SDM3] "Spurious-Interrupt Vector Register (SVR)" */
#define SVR_VECTOR 0xffU
#define SVR_ENABLE BIT(8)
#define SVR_FOCUS BIT(9)

/* [SDM3] "Local Vector Table" */
#define LVT_VECTOR 0xffU
#define LVT_DELIVERY (7U << 8)
#define LVT_DELIVERY_EXTINT (7U << 8)
#define LVT_STATUS BIT(12) /* read-only */
#define LVT_POLARITY BIT(13)
#define LVT_REMOTE_IRR BIT(14) /* read-only */
#define LVT_TRIGGER BIT(15)
#define LVT_MASKED BIT(16)
#define LVT_TIMER_MODE_SHIFT 17
#define LVT_TIMER_MODE (3U << LVT_TIMER_MODE_SHIFT)

/* [SDM3] "Error Handling" */
#define ESR_SEND_ILLEGAL BIT(5)
#define ESR_RECEIVE_ILLEGAL BIT(6)
#define ESR_ILLEGAL_REGISTER BIT(7)

/* [SDM3] "Valid Interrupt Vectors": 0-15 cannot be sent or received. */
#define LAPIC_FIRST_VECTOR 16U

/* [SDM3] "Interrupt Command Register (ICR)" */
#define ICR_VECTOR 0xffU
#define ICR_DELIVERY_SHIFT 8
#define ICR_LOGICAL BIT(11)
#define ICR_STATUS BIT(12) /* read-only; none with x2APIC */
#define ICR_ASSERT BIT(14)
#define ICR_LEVEL BIT(15)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_DEFINED 0xcdfffU
#define ICR_HIGH_DEST_SHIFT 24
/* Bits 31:20, 17:16 and 13 of an x2APIC ICR; bit 12 is ignored as on processors. */
#define X2APIC_ICR_RESERVED 0xfff32000ULL

#define DIVIDE_DEFINED 0xbU

#define LAPIC_ID_SHIFT 24 /* xAPIC */

/* A register of the page: other CPUs read some of them, the processor writes them too. */
typedef uint32_t lapic_word __attribute__((may_alias));

static inline uint32_t lapic_get(const struct lapic *apic, uint32_t offset)
{
	return __atomic_load_n((const lapic_word *)(apic->regs + offset), __ATOMIC_RELAXED);
}

static inline void lapic_set(struct lapic *apic, uint32_t offset, uint32_t value)
{
	__atomic_store_n((lapic_word *)(apic->regs + offset), value, __ATOMIC_RELAXED);
}

/* IRR, ISR, TMR: 32 vectors a register. */
static inline uint32_t lapic_vector_offset(uint32_t array, unsigned vector)
{
	return array + vector / 32 * 16;
}

static inline bool lapic_vector_test(const struct lapic *apic, uint32_t array, unsigned vector)
{
	return lapic_get(apic, lapic_vector_offset(array, vector)) >> (vector & 31) & 1;
}

/* One register of IRR, ISR or TMR, n = 0-7. */
static inline uint32_t lapic_word_get(const struct lapic *apic, uint32_t array, size_t n)
{
	return __atomic_load_n((const lapic_word *)(apic->regs + n * 16 + array), __ATOMIC_RELAXED);
}

static inline void lapic_word_set(struct lapic *apic, uint32_t array, size_t n, uint32_t word)
{
	__atomic_store_n((lapic_word *)(apic->regs + n * 16 + array), word, __ATOMIC_RELAXED);
}

/* Of IRR or ISR; and the note that it may have a vector. */
static inline void lapic_word_put(struct lapic *apic, uint32_t array, size_t n, uint32_t word)
{
	uint8_t *words = array == LAPIC_IRR ? &apic->irr_words : &apic->isr_words;

	lapic_word_set(apic, array, n, word);
	if (word != 0) {
		*words |= (uint8_t)(1U << n);
	} else if (!apic->hw_delivery) {
		*words &= (uint8_t) ~(1U << n);
	}
}

/* IRR or ISR. */
static inline void lapic_vector_put(struct lapic *apic, uint32_t array, unsigned vector, bool on)
{
	uint32_t bit = 1U << (vector & 31);
	uint32_t word = lapic_get(apic, lapic_vector_offset(array, vector));

	lapic_word_put(apic, array, vector / 32, on ? word | bit : word & ~bit);
}

/* The highest vector of IRR or ISR, -1 = none. */
static inline int lapic_vector_highest(const struct lapic *apic, uint32_t array)
{
	uint32_t words = array == LAPIC_IRR ? apic->irr_words : apic->isr_words;

	while (words != 0) {
		unsigned n = bit_last(words);
		uint32_t word = lapic_word_get(apic, array, n);

		if (word != 0) {
			return (int)(n * 32 + bit_last(word));
		}
		words &= ~(1U << n);
	}
	return -1;
}

/* Is the TPR not in the vector's way? 0 = no vector. */
static inline bool lapic_above_tpr(const struct lapic *apic, unsigned vector)
{
	return (vector & 0xf0U) > (lapic_get(apic, LAPIC_TPR) & 0xf0U);
}

/* lapic.c: a vector for the own APIC, by its own vCPU: no atomics, no request. */
void lapic_accept(struct lapic *apic, uint8_t vector, bool level);
/* Note errors and raise the error interrupt. Any CPU. */
void lapic_error(struct lapic *apic, uint32_t esr_bits);
/* A local source fires. */
void lapic_lvt_fire(struct lapic *apic, uint32_t lvt_offset);
uint32_t lapic_ppr(const struct lapic *apic);
/* IRR, ISR or TPR changed: somebody has to look before the next entry. */
void lapic_attention(struct lapic *apic);

/* lapic_assist.c; apic->assist is there. Out of the common path's way: most guests have none. */
#define LAPIC_RARE __attribute__((noinline, cold))
/* The vector was put in service: it may end unnoticed, if nothing waits for that. */
LAPIC_RARE void lapic_offer_assist(struct lapic *apic, uint8_t vector);
/* What the guest has ended is ended: before somebody looks at ISR or PPR. */
LAPIC_RARE void lapic_settle_assist(struct lapic *apic);
/* The same; and if it has not, its end has to be seen from now on. */
LAPIC_RARE void lapic_withdraw_assist(struct lapic *apic);
void lapic_reset_assist(struct lapic *apic, bool power_on);
void lapic_end_of_interrupt(struct lapic *apic);

/* lapic_reg.c: what a write of 'value' to a register means, whichever way it came. */
void lapic_reg_write(struct lapic *apic, uint32_t offset, uint32_t value);
uint32_t lapic_reg_read(struct lapic *apic, uint32_t offset);
/* Is there a register a guest may read at this offset? */
bool lapic_reg_readable(uint32_t offset);
/* LVT bits that can be written; 0 = no LVT register. */
uint32_t lapic_lvt_defined(uint32_t offset);
/* lapic.c: after a change of base, SVR or LINT0: can the PIC's output reach this vCPU? */
void lapic_update_extint_gate(struct lapic *apic);
/* ID and LDR as the mode in apic->base wants them. */
void lapic_set_identity(struct lapic *apic);

/* lapic_timer.c */
void lapic_timer_init(struct lapic *apic);
void lapic_timer_stop(struct lapic *apic);
void lapic_timer_lvt_written(struct lapic *apic);
void lapic_timer_count_written(struct lapic *apic, uint32_t count);
void lapic_timer_divide_written(struct lapic *apic);
uint32_t lapic_timer_current(const struct lapic *apic);

/* lapic_ipi.c: send what an ICR says; dest as the register's mode has it. */
void lapic_send_ipi(struct lapic *apic, uint32_t icr_low, uint32_t dest);
void lapic_send_self(struct lapic *apic, uint8_t vector);

/* lapic_msr.c: without reserved bits. */
void lapic_write_x2apic_icr(struct lapic *apic, uint64_t value);

/* What each interrupt takes of x2APIC writes. false = another one, or one with reserved bits. */
static inline bool lapic_msr_write_quick(struct lapic *apic, uint32_t msr, uint64_t value)
{
	if (!lapic_x2apic(apic)) {
		return false;
	}
	if (msr == MSR_X2APIC_BASE + LAPIC_EOI / 16 && value == 0) {
		lapic_end_of_interrupt(apic);
		return true;
	}
	if (msr == MSR_X2APIC_BASE + LAPIC_SELF_IPI / 16 && value <= ICR_VECTOR) {
		lapic_send_self(apic, (uint8_t)value);
		return true;
	}
	if (msr == MSR_X2APIC_BASE + LAPIC_ICR / 16 && !(value & X2APIC_ICR_RESERVED)) {
		lapic_write_x2apic_icr(apic, value);
		return true;
	}
	return false;
}

#endif
