/* SPDX-License-Identifier: BSD-2-Clause */
/* Port 0xE9: what a guest writes becomes lines of the log. Reads give 0xE9: "I am here". */
#ifndef DEVICES_DEBUGCON_H
#define DEVICES_DEBUGCON_H

#include "devices/device.h"

#define DEBUGCON_LINE 120U

struct debugcon {
	struct spinlock lock;
	struct vm *vm;                /* (c) */
	uint32_t used;                /* [lock] */
	char line[DEBUGCON_LINE + 1]; /* [lock] */
	struct io_range range;
};

void debugcon_init(struct debugcon *d);
__must_check int debugcon_attach(struct debugcon *d, struct vm *vm, uint16_t port);
/* Writes out an unfinished line. */
void debugcon_reset(struct debugcon *d);
void debugcon_dump(const struct debugcon *d, struct out *out);

#endif
