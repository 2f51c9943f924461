/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts from devices to vCPUs.
 *
 * A device holds an irq_source and sets its level; a line is the OR of its sources and goes
 * to both interrupt controllers, as on the PC: GSI 0-23 to the IOAPIC, GSI 0-15 (with
 * ISA numbering: the PIT is ISA IRQ 0 = GSI 2) to the 8259 pair. Message-signalled interrupts go
 * straight to the local APICs. The local APIC's side is vmm/lapic.h.
 *
 * Specs: [PIIX4] "Interrupt controller"; [IOAPIC] "82093AA I/O APIC".
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

struct out;
struct vm;

#define IRQ_LINES 24U      /* GSIs = IOAPIC pins */
#define IRQ_MAX_SOURCES 8U /* on one line */
#define IRQ_GSI_PIT 2U     /* ISA IRQ 0 arrives at pin 2 (MADT override) */
#define IRQ_GSI_SCI 9U

/* What a chip offers to the router. Called with the router's lock held. */
struct irq_chip_ops {
	const char *name;
	void (*set_line)(void *chip, unsigned pin, bool level);
	/*
	 * 8259 pair only: the INTA cycle. Takes the router's lock itself; returns the vector (the
	 * spurious one when the request went away).
	 */
	uint8_t (*ack)(void *chip);
	/*
	 * IOAPIC only: a local APIC ended a level-triggered interrupt with this vector. Called with
	 * no lock held, on the CPU of the vCPU that ended it; takes the router's lock itself and
	 * calls irq_line_eoi() for the pins concerned.
	 */
	void (*eoi)(void *chip, uint8_t vector);
};

struct irq_router {
	struct vm *vm;        /* (c) */
	struct spinlock lock; /* lines; taken after a device's own lock */
	struct {
		uint8_t levels;    /* [lock] bit per source */
		uint8_t n_sources; /* [lock] */
		uint64_t rises; /* [lock] how often the line went up since reset; read anywhere */
		struct {
			void (*fn)(void *arg);
			void *arg;
		} eoi[IRQ_MAX_SOURCES]; /* (c) NULL = the source does not care */
	} lines[IRQ_LINES];
	const struct irq_chip_ops *pic_ops; /* (c) NULL = absent */
	void *pic;
	const struct irq_chip_ops *ioapic_ops; /* (c) NULL = absent */
	void *ioapic;
	uint32_t extint;      /* [a] the PIC's output */
	uint32_t lowest_next; /* [a] where lowest-priority delivery looks first */
};

struct irq_source {
	struct irq_router *router; /* (c) */
	uint8_t gsi;               /* (c) */
	uint8_t index;             /* (c) its bit on the line */
};

void irq_router_init(struct irq_router *r, struct vm *vm);
void irq_router_set_pic(struct irq_router *r, const struct irq_chip_ops *ops, void *chip);
void irq_router_set_ioapic(struct irq_router *r, const struct irq_chip_ops *ops, void *chip);
/* All levels to 0, without telling the chips (they are reset, too). */
void irq_router_reset(struct irq_router *r);

/* Lines, both controllers, in words (irq_dump.c). Any CPU. */
void irq_dump(struct vm *vm, struct out *out);

/*
 * Attach a source to a line. eoi (may be NULL) runs when a guest ends a level-triggered interrupt
 * of that line, with no lock held, and may call irq_source_set(). -EINVAL for a bad GSI, -ENOSPC
 * when the line is full.
 */
__must_check int irq_source_init(struct irq_source *s, struct irq_router *r, unsigned gsi,
        void (*eoi)(void *arg), void *arg);

/* Level of this source; the line's other sources keep theirs. Any CPU, any context of the loop. */
void irq_source_set(struct irq_source *s, bool level);
/* An edge: up and down. */
static inline void irq_source_pulse(struct irq_source *s)
{
	irq_source_set(s, true);
	irq_source_set(s, false);
}

/*
 * A local APIC ended a level-triggered interrupt (an EOI broadcast): hands the vector to the
 * IOAPIC's eoi operation, if there is one. No lock held.
 */
void irq_eoi(struct vm *vm, uint8_t vector);

/*
 * The IOAPIC saw the end of a level interrupt on this pin: runs the EOI callbacks. No lock held.
 */
void irq_line_eoi(struct irq_router *r, unsigned gsi);

/* A write of 'data' to the MSI address: any 0xfeexxxxx address. Others are dropped. Any CPU. */
void msi_send(struct vm *vm, uint64_t address, uint32_t data);

/* Delivery modes of MSI data, IOAPIC entries and the ICR. */
enum apic_delivery {
	APIC_DM_FIXED = 0,
	APIC_DM_LOWEST = 1,
	APIC_DM_SMI = 2,
	APIC_DM_NMI = 4,
	APIC_DM_INIT = 5,
	APIC_DM_STARTUP = 6,
	APIC_DM_EXTINT = 7,
};

struct apic_msg {
	uint32_t dest; /* 8 bits; 32 with x2APIC destinations */
	uint8_t vector;
	uint8_t delivery; /* enum apic_delivery */
	bool logical;     /* destination mode */
	bool level;       /* trigger mode */
	bool x2apic_dest; /* dest is a 32-bit x2APIC destination (from an x2APIC ICR) */
};

/*
 * Deliver to every local APIC that matches (lapic_ipi.c). Returns how many accepted it. Takes no
 * lock: the IOAPIC calls it with the router's lock held.
 */
unsigned apic_deliver(struct vm *vm, const struct apic_msg *msg);

/*
 * The 8259 pair's output line, set by the PIC on every change. It reaches the vCPUs whose local
 * APIC has LINT0 unmasked in ExtINT mode, or is disabled (boot vCPU): vmm/event.c asks
 * lapic_extint_open(). The router's lock is held by the PIC.
 */
void irq_set_extint(struct irq_router *r, bool level);
/* The line's level, and the INTA cycle that answers it. */
bool irq_extint_pending(const struct irq_router *r);
uint8_t irq_extint_ack(struct irq_router *r);

#endif
