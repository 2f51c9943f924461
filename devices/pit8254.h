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
#include "devices/pit_counter.h"

#define PIT_HZ 1193182ULL
#define PIT_COUNTERS 3U

struct pit8254_state {
	uint32_t version;
	struct pit_counter counters[PIT_COUNTERS];
	uint8_t port61; /* bits 3-0 as written */
};

struct pit8254 {
	struct spinlock lock;
	struct pit8254_state s; /* [lock] */
	uint64_t edge_tick;     /* [lock] the next rise of OUT0; PIT_NO_TICK = none */
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
void pit8254_dump(const struct pit8254 *pit, struct out *out);

/* Ticks of the counters' clock in ns of the VM's clock, and the first ns of a tick. Exact. */
uint64_t pit_ticks(uint64_t ns);
uint64_t pit_tick_ns(uint64_t tick);

#endif
