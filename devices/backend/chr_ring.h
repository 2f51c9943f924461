/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A character backend that keeps the last 16 KiB of output: for ports nobody watches,
 * and the memory of those somebody does. It never refuses a byte and sends none.
 */
#ifndef DEVICES_BACKEND_CHR_RING_H
#define DEVICES_BACKEND_CHR_RING_H

#include "devices/backend/chr.h"
#include "vmm/lib/spinlock.h"

#define CHR_RING_SIZE 16384U /* a power of two */

struct chr_ring {
	struct chr chr; /* give &ring->chr to the frontend */
	struct spinlock lock;
	uint64_t written; /* [lock] bytes since chr_ring_init() */
	uint8_t buf[CHR_RING_SIZE];
};

void chr_ring_init(struct chr_ring *ring);
void chr_ring_put(struct chr_ring *ring, uint8_t byte);

/*
 * Copy at most n kept bytes, from position *from on (0 = the first ever written); *from moves
 * past what was copied. Bytes that are no longer kept are skipped. Returns how many were copied.
 */
size_t chr_ring_copy(struct chr_ring *ring, uint64_t *from, void *buf, size_t n);

/* Bytes ever written: the position of the next one. */
uint64_t chr_ring_written(struct chr_ring *ring);
/*
 * Where to begin so that 'at' is seen on a whole line: the beginning of its line when that is near,
 * or of the first whole line that is kept.
 */
uint64_t chr_ring_line_start(struct chr_ring *ring, uint64_t at);

#endif
