/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of console bytes that two kinds of writers share: a guest's raw output, and log
 * lines, which are whole or not there at all and start on a fresh line. The owner's lock
 * protects it.
 */
#ifndef VMM_HW_CONSOLE_RING_H
#define VMM_HW_CONSOLE_RING_H

#include "vmm/lib/types.h"

struct console_ring {
	char *buf;           /* (c) */
	uint32_t size;       /* (c) a power of two */
	uint32_t head, tail; /* free-running: put at head, get at tail */
	uint32_t lost_lines; /* log lines dropped since the last one that fitted */
	bool mid_line;       /* the last byte put did not end a line */
};

void console_ring_init(struct console_ring *r, char *buf, uint32_t size);
uint32_t console_ring_used(const struct console_ring *r);
uint32_t console_ring_free(const struct console_ring *r);

/* Raw bytes, as many as fit while 'reserve' bytes stay free; returns how many. */
size_t console_ring_put(struct console_ring *r, const char *buf, size_t n, uint32_t reserve);
/* Whole lines of text, "\n" becoming "\r\n"; false (and counted) when they do not fit. */
bool console_ring_put_log(struct console_ring *r, const char *text, size_t n);
/* The oldest byte, or -1. */
int console_ring_get(struct console_ring *r);

#endif
