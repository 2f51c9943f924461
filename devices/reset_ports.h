/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two of the ports that reset a PC: fast A20/reset at 0x92 and the PIIX4's reset control (0xCF9).
 * Specs: [PIIX4] "RC - Reset Control Register", "P92 - Port 92 Register".
 */
#ifndef DEVICES_RESET_PORTS_H
#define DEVICES_RESET_PORTS_H

#include "devices/device.h"

struct reset_ports_state {
	uint32_t version;
	uint8_t p92; /* [lock] */
	uint8_t rc;  /* [lock] */
};
#define RESET_PORTS_STATE_VERSION 1U

struct reset_ports {
	struct reset_ports_state state;
	struct spinlock lock;
	struct vm *vm; /* (c) */
	struct io_range p92;
};

/* For the PCI host, which owns the ports around it: the one byte of reset control, offset 0. */
extern const struct io_ops reset_control_ops;

void reset_ports_init(struct reset_ports *r);
__must_check int reset_ports_attach(struct reset_ports *r, struct vm *vm, uint16_t p92);
void reset_ports_reset(struct reset_ports *r);
void reset_ports_dump(const struct reset_ports *r, struct out *out);

#endif
