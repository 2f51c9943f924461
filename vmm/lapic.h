/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's local APIC: xAPIC and x2APIC, timer in its three modes, in software and beside
 * the processor's own APIC virtualization. The registers live in one page with the layout
 * of the SDM, which is also the virtual-APIC page.
 *
 * Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", "APIC Virtualization and
 * Virtual Interrupts".
 */
#ifndef VMM_LAPIC_H
#define VMM_LAPIC_H

#include "vmm/event.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu_timer.h"

struct vcpu;
struct apic_msg;
struct out;

#define LAPIC_DEFAULT_BASE 0xfee00000ULL

/* Register offsets in the page; an x2APIC MSR is 0x800 + offset / 16. */
enum lapic_reg {
	LAPIC_ID = 0x020,
	LAPIC_VERSION = 0x030,
	LAPIC_TPR = 0x080,
	LAPIC_PPR = 0x0a0,
	LAPIC_EOI = 0x0b0,
	LAPIC_LDR = 0x0d0,
	LAPIC_DFR = 0x0e0,
	LAPIC_SVR = 0x0f0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_LVT_CMCI = 0x2f0,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
	LAPIC_SELF_IPI = 0x3f0,
};

enum lapic_timer_mode { /* LVT timer bits 18:17 */
	LAPIC_TIMER_ONE_SHOT,
	LAPIC_TIMER_PERIODIC,
	LAPIC_TIMER_TSC_DEADLINE,
	LAPIC_TIMER_RESERVED,
};

struct lapic {
	uint8_t *regs;     /* (c) the page; [v] contents, but for registers that routing reads */
	struct vcpu *vcpu; /* (c) */
	uint64_t base;     /* (v) IA32_APIC_BASE; read anywhere */
	uint64_t pir[4];   /* [a] vectors posted by others, folded into IRR by the owner */
	uint64_t pir_level[4]; /* [a] trigger mode of each posted vector */
	uint32_t pir_notify;   /* [a] 1 = something is in pir or extint_msg */
	uint32_t extint_msg;   /* [a] an ExtINT message arrived: the PIC's turn once */
	uint32_t extint_gate; /* [a] 1 = the PIC's output reaches this vCPU; written by the owner */
	uint32_t esr_pending; /* [a] errors since the last ESR write */
	uint32_t attention;   /* (v) 1 = IRR, ISR or TPR changed: look before the next entry */
	/* (v) Bit n: of vectors 32n to 32n + 31 one may be set in IRR, in ISR; all ones while
	 * hw_delivery. */
	uint8_t irr_words, isr_words;
	uint8_t tpr_threshold;    /* (v) as given to the back end */
	bool tmr_changed;         /* (v) since eoi_exits was given to the back end */
	bool hw_delivery;         /* (v) the processor delivers and ends interrupts itself */
	uint32_t auto_eoi[8];     /* (v) vectors that end when they are delivered */
	uint32_t eoi_watch[8];    /* [a] vectors whose end vm->pv wants to know */
	uint32_t eoi_watch_moved; /* [a] 1 = eoi_watch changed since the owner looked */
	uint64_t eoi_exits[4];    /* (v) as given to the back end */
	uint32_t *assist;         /* [a] written by the owner; a word of the guest's; NULL = none */
	bool assisted;            /* (v) its bit 0 was set for the highest vector in service */

	uint8_t timer_mode;       /* (v) enum lapic_timer_mode, as last written */
	uint8_t timer_shift;      /* (v) log2 of TSC ticks a count */
	bool timer_armed;         /* (v) a count is running */
	uint64_t tsc_deadline;    /* (v) guest TSC; 0 = disarmed */
	uint64_t timer_start_tsc; /* (v) host TSC when this count began */
	uint64_t timer_full_tsc;  /* (v) the whole count in TSC ticks */
	struct vcpu_timer timer;  /* (v) */
};

/* regs: a zeroed page that stays the APIC's. */
void lapic_init(struct lapic *apic, struct vcpu *vcpu, uint8_t *regs);
/* Power-on (apic_base too) or INIT state (apic_base and id kept). */
void lapic_reset(struct lapic *apic, bool power_on);
/* The part of a power-on that INIT and SIPI depend on. Any CPU, while its vCPU is stopped. */
void lapic_reset_base(struct lapic *apic);

/* Guest accesses. Offsets as enum lapic_reg; only aligned 32-bit accesses mean something. */
uint32_t lapic_read(struct lapic *apic, uint32_t offset);
void lapic_write(struct lapic *apic, uint32_t offset, uint32_t value);
/* The processor did the write (APIC-write exit): carry out what it means. */
void lapic_write_done(struct lapic *apic, uint32_t offset);
/* x2APIC MSRs 0x800-0x8ff; false = #GP. */
__must_check bool lapic_msr_read(struct lapic *apic, uint32_t msr, uint64_t *value);
__must_check bool lapic_msr_write(struct lapic *apic, uint32_t msr, uint64_t value);
/* IA32_APIC_BASE: checks the transitions of the SDM; false = #GP. */
__must_check bool lapic_set_base(struct lapic *apic, uint64_t value);
/* IA32_TSC_DEADLINE, guest TSC. */
void lapic_set_tsc_deadline(struct lapic *apic, uint64_t value);
uint64_t lapic_get_tsc_deadline(const struct lapic *apic);
/* CR8 = TPR[7:4]. */
uint64_t lapic_get_cr8(const struct lapic *apic);
void lapic_set_cr8(struct lapic *apic, uint64_t value);

/* A fixed interrupt arrives. Any CPU. */
void lapic_post(struct lapic *apic, uint8_t vector, bool level);
/* Own CPU: move what was posted into IRR; tells the back end with intr_delivery. */
void lapic_fold(struct lapic *apic);
/* The vector to deliver now (above PPR), or -1, with intr_delivery always; and the INTA for it. */
int lapic_pending(struct lapic *apic);
/* true = more is requested: it may be delivered, too. */
bool lapic_ack(struct lapic *apic, unsigned vector);
/* A vector is pending that could be delivered if RFLAGS.IF were 1 (wakes HLT). Own CPU. */
bool lapic_has_interrupt(struct lapic *apic);
/* The processor ended a vector itself (EOI exit): tell the IOAPIC. */
void lapic_eoi_done(struct lapic *apic, uint8_t vector);
/*
 * Synthetic interrupt sources: a vector that ends when it is delivered (own CPU; a processor that
 * delivers by itself cannot do that, so this vCPU is taken to the software path until reset);
 * and one whose end vm->pv->eoi() is told of (any CPU).
 */
void lapic_set_auto_eoi(struct lapic *apic, uint8_t vector, bool on);
void lapic_watch_eoi(struct lapic *apic, uint8_t vector, bool on);
/*
 * EOI assist: bit 0 of a word that the guest can write says that its handler needs no EOI. It is
 * set when an edge comes in and nothing else waits; a guest that clears it has ended the interrupt.
 * Without intr_delivery. NULL = none. Own CPU; *word stays the APIC's.
 */
void lapic_set_eoi_assist(struct lapic *apic, uint32_t *word);
/* TPR changed (TPR-below-threshold exit). */
void lapic_tpr_changed(struct lapic *apic);

/* ExtINT from the 8259 pair can reach this vCPU: LINT0 open in ExtINT mode, or the APIC is off. */
bool lapic_extint_open(const struct lapic *apic);
/* An ExtINT message for this vCPU: the 8259 pair is asked once. Any CPU. */
void lapic_post_extint(struct lapic *apic);
/* Any CPU: */
bool lapic_enabled(const struct lapic *apic); /* software-enabled and globally enabled */
bool lapic_x2apic(const struct lapic *apic);
uint32_t lapic_id(const struct lapic *apic);

/* Does this destination mean this APIC? */
bool lapic_matches(const struct lapic *apic, const struct apic_msg *msg);

/* Timer input clock in Hz: what CPUID leaf 0x15 calls the crystal. */
uint64_t lapic_timer_hz(void);
/* The vCPU goes on after a stop, of which 'ticks' of the host's TSC do not count. Its CPU; after
 * tsc_offset and state have changed. */
void lapic_timer_resume(struct lapic *apic, uint64_t ticks);

/*
 * Modes, vectors, LVT, timer and time left: several lines, indented (lapic_dump.c). From the own
 * CPU all of it is of one moment.
 */
void lapic_dump(const struct lapic *apic, struct out *out);

#endif
