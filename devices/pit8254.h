/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 timer with its three counters, and port 0x61, which gates the third. Counts are computed
 * from the VM's clock when somebody looks: nothing ticks. Counter 0 drives an interrupt line.
 *
 * Specs: [8254] "Programmable Interval Timer"; [PIIX4] "NMI Status and Control Register" (0x61).
 */
#ifndef DEVICES_PIT8254_H
#define DEVICES_PIT8254_H

#include "devices/device.h"

#define PIT_HZ 1193182ULL
#define PIT_COUNTERS 3U

struct pit_counter {
	uint64_t start;    /* tick at which 'count' was loaded, while running */
	uint64_t held;     /* ticks done when the gate stopped it, while not running */
	uint32_t count;    /* the count it works with: 1..65536 (more with BCD garbage); 0 = none */
	uint32_t next;     /* modes 1, 2, 3, 5: written, loaded later; 0 = none */
	uint8_t mode;      /* 0..5 */
	uint8_t rw;        /* 1 = LSB only, 2 = MSB only, 3 = both */
	bool bcd;          /* */
	bool running;      /* counts (gate, trigger and a count permitting) */
	bool gate;         /* the input */
	bool write_msb;    /* rw 3: the next byte written is the second */
	bool read_msb;     /* rw 3: the next byte read is the second */
	uint8_t write_lsb; /* rw 3: the first byte */
	uint8_t n_latched; /* bytes of 'latched' still to read */
	uint16_t latched;  /* in wire format */
	bool status_latched;
	uint8_t status;
};

struct pit8254_state {
	uint32_t version;
	struct pit_counter counters[PIT_COUNTERS];
	uint8_t port61; /* bits 3-0 as written */
};

struct pit8254 {
	struct spinlock lock;
	struct pit8254_state s; /* [lock] */
	uint64_t edge_tick;     /* [lock] the next rise of OUT0; TIMER_NEVER = none */
	struct vm *vm;          /* (c) */
	struct irq_source irq;
	struct vm_timer timer;
	struct io_range ports[2];
};

void pit8254_init(struct pit8254 *pit);
/* Counter ports (4) and the port usually at 0x61. */
__must_check int pit8254_attach(
        struct pit8254 *pit, struct vm *vm, uint16_t port, uint16_t port61, unsigned gsi);
void pit8254_reset(struct pit8254 *pit);
void pit8254_quiesce(struct pit8254 *pit);
void pit8254_dump(const struct pit8254 *pit);

/* Ticks of the counters' clock in ns of the VM's clock, and the first ns of a tick. Exact. */
uint64_t pit_ticks(uint64_t ns);
uint64_t pit_tick_ns(uint64_t tick);

#endif
