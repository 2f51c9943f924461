/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A character backend on the host's console. Every VM has one; the one in front owns the
 * host's line, the others write to their rings only.
 *
 * The one in front gets back-pressure: its put() refuses a byte while the console's ring
 * is full. Who is in front can change at any time (a monitor may switch); what a VM wrote is in its
 * ring either way.
 */
#ifndef DEVICES_BACKEND_CHR_CONSOLE_H
#define DEVICES_BACKEND_CHR_CONSOLE_H

#include "devices/backend/chr.h"
#include "devices/backend/chr_ring.h"

struct chr_console {
	struct chr chr;       /* give &console->chr to the frontend */
	struct chr_ring ring; /* the last output, in front or not; read with chr_ring_copy() */
};

void chr_console_init(struct chr_console *c);

/* Bring one to the front (NULL = nobody: input is dropped). Any CPU, no lock held. */
void chr_console_set_front(struct chr_console *c);
struct chr_console *chr_console_front(void);

/*
 * The host's console has room again; input has arrived. vmm/main.c gives these to
 * console_set_notify(). Any CPU, no lock held.
 */
void chr_console_notify_tx(void);
void chr_console_notify_rx(void);

#endif
