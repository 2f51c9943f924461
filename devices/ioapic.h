/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 82093AA I/O APIC: 24 inputs, each with a redirection entry. Its lock is the interrupt
 * router's.
 *
 * It is version 0x11, without the EOI register of version 0x20: an operating system needs that one
 * only when the local APIC can suppress EOI broadcasts, which ours does not offer; for 0x11 Linux
 * clears a stuck remote IRR by switching the entry to edge and back, which works here.
 *
 * Specs: [IOAPIC] "82093AA I/O Advanced Programmable Interrupt Controller".
 */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include "devices/device.h"

#define IOAPIC_DEFAULT_BASE 0xfec00000ULL
#define IOAPIC_VERSION 0x11U

struct ioapic_state {
	uint32_t version;
	uint8_t select; /* IOREGSEL */
	uint8_t id;     /* as written: bits 27-24 of register 0 */
	uint32_t lines; /* levels at the inputs */
	uint64_t entries[IRQ_LINES];
};

struct ioapic {
	uint8_t initial_id;    /* (c) */
	struct ioapic_state s; /* [vm->irq.lock] */
	struct vm *vm;         /* (c) */
	struct io_range range;
};

void ioapic_init(struct ioapic *io);
/* MMIO at base (4 KiB); takes the router's IOAPIC side. */
__must_check int ioapic_attach(struct ioapic *io, struct vm *vm, uint64_t base, uint8_t id);
void ioapic_reset(struct ioapic *io);
void ioapic_dump(const struct ioapic *io, struct out *out);

#endif
