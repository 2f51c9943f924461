/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's two 8259A interrupt controllers, cascaded at IR2, with the edge/level control registers
 * of the PIIX. Their lock is the interrupt router's.
 *
 * Specs: [8259A] "Programmable Interrupt Controller"; [PIIX4] "Interrupt Controller", "ELCR1",
 * "ELCR2".
 */
#ifndef DEVICES_PIC8259_H
#define DEVICES_PIC8259_H

#include "devices/device.h"

enum pic_init_step { PIC_READY, PIC_WANT_ICW2, PIC_WANT_ICW3, PIC_WANT_ICW4 };

#define PIC_READ_POLL 0x100U /* the read is an acknowledge */

struct pic8259_chip {
	uint8_t irr;    /* requests: latched edges, or lines in level mode */
	uint8_t isr;    /* in service */
	uint8_t imr;    /* masked */
	uint8_t lines;  /* levels at the inputs */
	uint8_t elcr;   /* 1 = level-triggered */
	uint8_t lowest; /* the input with the lowest priority: 7 unless rotated */
	uint8_t base;   /* vector of IR0 */
	uint8_t icw1, icw3, icw4;
	uint8_t step;      /* enum pic_init_step */
	bool initialised;  /* has seen a whole ICW sequence: requests nothing before */
	bool read_isr;     /* OCW3: what the command port reads */
	bool poll;         /* OCW3: the next read is an acknowledge */
	bool special_mask; /* OCW3 */
	bool rotate_aeoi;  /* OCW2: rotate in automatic EOI mode */
};

struct pic8259_state {
	uint32_t version;
	struct pic8259_chip chips[2]; /* master, slave */
};

struct pic8259 {
	struct pic8259_state s; /* [vm->irq.lock] */
	/* [a] What a read of each chip's two ports gives, or PIC_READ_POLL: so that reads take no
	 * lock. Follows every change of s. */
	uint16_t visible[2][2];
	struct vm *vm; /* (c) */
	struct io_range ports[3];
};

void pic8259_init(struct pic8259 *pic);
/* Ports of master and slave (2 each) and of the two ELCRs; takes the router's PIC side. */
__must_check int pic8259_attach(
        struct pic8259 *pic, struct vm *vm, uint16_t master, uint16_t slave, uint16_t elcr);
void pic8259_reset(struct pic8259 *pic);
void pic8259_dump(const struct pic8259 *pic, struct out *out);

#endif
