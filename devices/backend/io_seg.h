/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of memory that a back end reads or writes: a guest's pages, which stay where they are until
 * the request is done, and whose contents the guest may change meanwhile.
 */
#ifndef DEVICES_BACKEND_IO_SEG_H
#define DEVICES_BACKEND_IO_SEG_H

#include "vmm/lib/types.h"

struct io_seg {
	uint8_t *hva;
	hpa_t hpa;
	uint32_t len; /* bytes */
};

/* Shorten a list to its first len bytes; how many segments are left. */
static inline unsigned io_segs_trim(struct io_seg *segs, unsigned n_segs, uint32_t len)
{
	unsigned n = 0;

	while (len > 0 && n < n_segs) {
		if (segs[n].len > len) {
			segs[n].len = len;
		}
		len -= segs[n++].len;
	}
	return n;
}

#endif
