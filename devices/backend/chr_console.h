/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A character backend on the host's console. Every VM has one; the one in front owns the
 * host's line, the others write to their rings only.
 *
 * The one in front gets back-pressure: its put() refuses a byte while the console's ring
 * is full. Who is in front can change at any time; what a VM wrote is in its ring either way, and
 * shown from there when it comes to the front again. While nobody is in front the line is the
 * monitor's.
 */
#ifndef DEVICES_BACKEND_CHR_CONSOLE_H
#define DEVICES_BACKEND_CHR_CONSOLE_H

#include "devices/backend/chr.h"
#include "devices/backend/chr_ring.h"
#include "vmm/lib/spinlock.h"

struct chr_console {
	struct chr chr;       /* give &console->chr to the frontend */
	struct chr_ring ring; /* the last output, in front or not; read with chr_ring_copy() */
	struct spinlock lock; /* order of output while in front */
	uint64_t shown;       /* [lock] position in the ring up to which the line has seen it */
};

/* Who has the line while no VM is in front. Any CPU, no lock held. */
struct chr_console_monitor {
	/* A byte was typed; false = no room: chr_console_notify_rx() when there is. */
	bool (*rx_byte)(uint8_t byte);
	/* The host's console has room again. */
	void (*tx_space)(void);
};

void chr_console_init(struct chr_console *c);
/*
 * Before the first input. key: a byte that takes the line from the VM in front to the monitor,
 * which gets it, too; 0 = none.
 */
void chr_console_set_monitor(const struct chr_console_monitor *monitor, uint8_t key);

/* Bring one to the front from here on (NULL = nobody). Any CPU, no lock held. */
void chr_console_set_front(struct chr_console *c);
/*
 * Bring one to the front and show what the line has not seen of it, from the beginning of
 * the line where it was left; all: everything that is kept. Any CPU, no lock held.
 */
void chr_console_show(struct chr_console *c, bool all);
struct chr_console *chr_console_front(void);
/* As if it were typed there; false = the frontend has no room. Any CPU, no lock held. */
__must_check bool chr_console_type(struct chr_console *c, uint8_t byte);

/*
 * The host's console has room again; input has arrived. vmm/main.c gives these to
 * console_set_notify(). Any CPU, no lock held.
 */
void chr_console_notify_tx(void);
void chr_console_notify_rx(void);

#endif
