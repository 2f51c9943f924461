/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that a VMBus client lends the host: a GPADL, a list of pages under a number of the
 * guest's choice. Rings, receive and send buffers are made of them.
 *
 * The page list is copied and checked once, when the GPADL is complete; afterwards only the host's
 * copy counts. What the pages hold is the guest's and changes under us.
 *
 * Context: the server's lock, but for gpadl_read(), gpadl_write() and gpadl_page(): these need
 * only that the GPADL exists, which a device knows by holding it (gpadl_hold()).
 * Specs: Linux include/linux/hyperv.h "GPADL"; [TLFS] has none of VMBus.
 */
#ifndef VMBUS_GPADL_H
#define VMBUS_GPADL_H

#include "vmm/guest_mem.h"
#include "vmm/lib/types.h"

#define GPADL_MAX 128U              /* of one VM */
#define GPADL_POOL_PAGES 32768U     /* pages that all GPADLs of a VM have together: 128 MiB */
#define GPADL_MAX_LIST_BYTES 65528U /* of one, by the width of range_buflen */

/* One GPADL as devices see it. Its bytes count from 0 over all its ranges. */
struct gpadl {
	uint32_t id;       /* the guest's; never 0 */
	uint32_t relid;    /* the channel it was made for */
	uint32_t len;      /* bytes in all ranges together */
	uint32_t n_ranges; /* those beyond one: only the lengths of pages vary */
	uint32_t n_pages;
	uint32_t first_offset; /* of byte 0 in its first page */
	uint8_t **pages;       /* (c) host addresses of the pages, in order */
	uint32_t holders;      /* devices and rings that use it; torn down at 0 */
	bool page_aligned;     /* one range, offset 0, whole pages: fit for a ring */
};

/* Copy; -EFAULT when any byte lies outside [0, len). */
__must_check int gpadl_read(const struct gpadl *g, uint32_t at, void *buf, uint32_t len);
__must_check int gpadl_write(const struct gpadl *g, uint32_t at, const void *buf, uint32_t len);
/* The run of bytes at 'at': host address, and in *len (in: wanted) how many of them lie together.
 * NULL when 'at' is outside. */
uint8_t *gpadl_span(const struct gpadl *g, uint32_t at, uint32_t *len);

#endif
