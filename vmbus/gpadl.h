/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that a VMBus client lends the host: a GPADL, a list of pages under a number of the
 * guest's choice. Rings, receive and send buffers are made of them.
 *
 * The page list is checked as it comes, in one message or in many, and translated to host
 * addresses; afterwards only these count. Pages are RAM that the VM has for ever: an overlay that
 * the guest puts over one hides it from the guest alone. What they hold is the guest's and changes
 * under us.
 *
 * Life: building -> ready -> retired -> gone. A device that uses one holds it; a retired one can no
 * longer be held, and is gone when the last holder has let go.
 *
 * Context: the table is changed under the server's lock. Its own lock is a leaf and makes holding
 * and releasing possible without the server's: gpadl_hold(), gpadl_release() from anywhere.
 * gpadl_read(), gpadl_write(), gpadl_span() need no lock: their caller holds the GPADL.
 * Specs: Linux include/linux/hyperv.h "GPADL"; [TLFS] has none of VMBus.
 */
#ifndef VMBUS_GPADL_H
#define VMBUS_GPADL_H

#include "vmm/guest_mem.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

#define GPADL_MAX 128U              /* of one VM */
#define GPADL_POOL_PAGES 32768U     /* words that the lists of a VM have together: 128 MiB */
#define GPADL_MAX_LIST_BYTES 65528U /* of one, by the width of list_bytes */

/* One GPADL as devices see it. Its bytes count from 0 over all its ranges. */
struct gpadl {
	uint32_t id;           /* (c) the guest's; never 0 */
	uint32_t relid;        /* (c) the channel it was made for */
	uint32_t len;          /* (c) bytes in all ranges together */
	uint32_t n_ranges;     /* (c) */
	uint32_t n_pages;      /* (c) in all ranges */
	uint32_t first_offset; /* (c) of byte 0 in its first page */
	/* (c) Host addresses of the pages, in order. With more than one range: of gpadl_span()
	 * only, as each range's length and offset stand before its pages. */
	uint8_t **pages;
	uint32_t holders;  /* [lock] devices and rings that use it */
	bool page_aligned; /* (c) one range, offset 0, whole pages: fit for a ring */
};

enum gpadl_state { GPADL_FREE, GPADL_BUILDING, GPADL_READY, GPADL_RETIRED };

struct gpadl_slot {
	struct gpadl g;
	enum gpadl_state state; /* [lock] */
	bool answer;            /* retired by the guest: it is told when it is gone */
	uint32_t first;         /* (c) its words in the pool; free again when it is gone */
	uint32_t n_words;
	uint32_t n_seen;     /* building: words that came */
	uint32_t pages_left; /* building: pages of the last range that still have to come */
	uint32_t ranges_seen;
};

struct gpadl_table {
	struct spinlock lock;
	const struct guest_mem *mem; /* (c) */
	uint8_t **pool;              /* (c) GPADL_POOL_PAGES words */
	uint32_t n_retired;          /* that are not gone yet */
	struct gpadl_slot slots[GPADL_MAX];
};

/* --- for devices --- */

/* Copy; -EFAULT when any byte lies outside [0, len). */
__must_check int gpadl_read(const struct gpadl *g, uint32_t at, void *buf, uint32_t len);
__must_check int gpadl_write(const struct gpadl *g, uint32_t at, const void *buf, uint32_t len);
/* The run of bytes at 'at': host address, and in *len (in: wanted) how many of them lie together.
 * NULL when 'at' is outside. */
uint8_t *gpadl_span(const struct gpadl *g, uint32_t at, uint32_t *len);

/* The ready GPADL of this channel, held; NULL = there is none. */
struct gpadl *gpadl_hold(struct gpadl_table *t, uint32_t relid, uint32_t id);
void gpadl_release(struct gpadl_table *t, struct gpadl *g);

/* --- for the server --- */

void gpadl_table_init(struct gpadl_table *t, const struct guest_mem *mem, uint8_t **pool);

/* Begin one. NULL: a number that is taken, sizes that make no sense, or no room. */
struct gpadl *gpadl_create(struct gpadl_table *t, uint32_t relid, uint32_t id, uint16_t range_count,
        uint16_t list_bytes);
/*
 * The next len bytes of its list; what is more than it needs is left alone. 1 = it is ready; 0 =
 * more is to come; -EINVAL, -EFAULT = the list is wrong: it is gone.
 */
__must_check int gpadl_fill(
        struct gpadl_table *t, struct gpadl *g, const uint8_t *list, uint32_t len);
/* Building, of any channel: bodies say no more than the number. NULL. */
struct gpadl *gpadl_building(struct gpadl_table *t, uint32_t id);
/* In any state but gone; NULL. Ask gpadl_is_retired(). */
struct gpadl *gpadl_find(struct gpadl_table *t, uint32_t relid, uint32_t id);
bool gpadl_is_retired(const struct gpadl *g);
/* Take it from all who do not hold it yet. false = somebody holds it. */
bool gpadl_retire(struct gpadl_table *t, struct gpadl *g, bool answer);
/* One that is neither gone nor retired, of this channel, or (0) of any. NULL. */
struct gpadl *gpadl_any(struct gpadl_table *t, uint32_t relid);
/* The guest no longer waits to hear of those that are retired. */
void gpadl_mute(struct gpadl_table *t);
/* Let one be gone that is retired and not held. Its number, if the guest waits to hear that; 0. */
uint32_t gpadl_reap(struct gpadl_table *t);

#endif
