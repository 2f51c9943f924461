/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices that the field's test kernels look for (testdev = on): QEMU's isa-debug-exit, which
 * ends the VM with a value, and pc-testdev: a register, a page flush, interrupt lines and memory
 * that is a device's.
 *
 * Specs: [QEMU] "isa-debug-exit", "pc-testdev".
 */
#ifndef DEVICES_TESTDEV_H
#define DEVICES_TESTDEV_H

#include "devices/device.h"

#define TESTDEV_REG_PORTS 4U
#define TESTDEV_EXIT_PORTS 4U
#define TESTDEV_MEM 0x10000U

#define TESTDEV_STATE_VERSION 1U

/* What a snapshot would keep: no pointers. */
struct testdev_state {
	uint32_t version;
	uint32_t reg;
	uint32_t lines; /* a bit a GSI */
	uint8_t mem[TESTDEV_MEM];
};

/* Where it all is. */
struct testdev_map {
	uint64_t mem;       /* guest-physical */
	uint16_t reg;       /* the register, any width */
	uint16_t flush;     /* forget translations of the page at this guest-physical address */
	uint16_t reg_bytes; /* the register once more */
	uint16_t lines;     /* port n: GSI n */
	uint16_t exit;
};

struct testdev {
	struct spinlock lock;
	struct vm *vm; /* (c) */
	struct io_range reg, flush, reg_bytes, lines, exit, mem;
	struct irq_source sources[IRQ_LINES];
	struct testdev_state s; /* [lock] */
};

void testdev_init(struct testdev *t);
__must_check int testdev_attach(struct testdev *t, struct vm *vm, const struct testdev_map *map);
void testdev_reset(struct testdev *t);
void testdev_dump(const struct testdev *t, struct out *out);

#endif
