/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One VMBus ring buffer in guest memory, seen from the host: a header page with two indexes and a
 * mask, then data pages. Either the guest writes and we read, or the other way round.
 *
 * Our own index is kept here and never read back; of the other side's every value is checked
 * against the size before use. Pure: no interrupts, no channel; the caller signals when told to.
 *
 * Signals are wanted in few cases only, and each needs a full fence between what we show and what
 * we read: the guest runs on another CPU, shows and reads in the same way, and one of the two has
 * to see the other.
 *
 * Context: the caller's lock; the other side is a guest that runs at the same time.
 * Specs: Linux include/linux/hyperv.h "hv_ring_buffer", drivers/hv/ring_buffer.c; OpenVMM
 * vm/devices/vmbus/vmbus_ring.
 */
#ifndef VMBUS_RING_H
#define VMBUS_RING_H

#include "vmbus/gpadl.h"
#include "vmm/lib/types.h"

enum ring_packet_type {
	RING_PACKET_INBAND = 6,
	RING_PACKET_XFER_PAGES = 7,
	RING_PACKET_GPA_DIRECT = 9,
	RING_PACKET_COMPLETION = 11,
};

#define RING_FLAG_COMPLETION 1U /* a completion is wanted */

/* First page of a ring. */
struct ring_header {
	uint32_t write_index;       /* the writer's */
	uint32_t read_index;        /* the reader's */
	uint32_t interrupt_mask;    /* the reader's: do not signal what is written */
	uint32_t pending_send_size; /* the writer's: signal when more than this is free */
	uint32_t reserved[12];
	uint32_t feature_bits; /* RING_FEATURE_PENDING_SEND_SIZE */
};
_Static_assert(offsetof(struct ring_header, interrupt_mask) == 8, "Linux hv_ring_buffer");
_Static_assert(offsetof(struct ring_header, feature_bits) == 64, "as above");
#define RING_FEATURE_PENDING_SEND_SIZE 1U

/* How a packet begins; lengths are in units of 8 bytes. */
struct ring_desc {
	uint16_t type;
	uint16_t data_offset; /* of the payload, from here */
	uint16_t len;         /* of all but the trailer */
	uint16_t flags;
	uint64_t trans_id;
};
_Static_assert(sizeof(struct ring_desc) == 16, "Linux vmpacket_descriptor");
#define RING_TRAILER 8U /* the index where the packet began, in the upper half */

struct ring {
	uint8_t **pages; /* (c) while open: header page, then data */
	uint32_t size;   /* (c) bytes of data */
	uint32_t own;    /* our index: where we read or write next */
	uint32_t shown;  /* our index as the guest sees it */
	uint32_t peer;   /* its index when we looked last */
	bool masked;     /* in: we have told the guest not to signal */
	uint32_t wanted; /* out: pending_send_size */
};

/* A packet's descriptor, checked. */
struct ring_packet {
	enum ring_packet_type type;
	uint32_t data_offset; /* bytes from the start of the packet */
	uint32_t flags;
	uint32_t len; /* bytes of the packet without its trailer */
	uint64_t trans_id;
};

/* It begins where its header says. in: the guest writes. -EINVAL: fewer than two pages, or an index
 * that is none. */
__must_check int ring_open(struct ring *r, uint8_t **pages, uint32_t n_pages, bool in);

/* --- the guest writes, we read --- */

/* The next packet into buf, whole. 1; 0 = there is none; -EPROTO = the ring makes no sense, or
 * the packet is longer than max. */
__must_check int ring_read(struct ring *r, void *buf, uint32_t max, struct ring_packet *packet);
/* Give what was read back to the guest. true = it waits for that room: signal. */
__must_check bool ring_read_done(struct ring *r);
/* Tell the guest whether to signal. Off: true = something came meanwhile, look again. */
void ring_mask(struct ring *r);
__must_check bool ring_unmask(struct ring *r);

/* --- we write, the guest reads --- */

struct ring_piece {
	const void *data;
	uint32_t len;
};

/* Room for a packet of len bytes? If not, the guest will be asked to tell when there is. */
__must_check bool ring_has_room(struct ring *r, uint32_t len);
/* Does the guest do that? Some never do: their ring has to be looked at. */
bool ring_tells_room(const struct ring *r);
/* Append one packet, which begins with its descriptor and ends at a multiple of 8; there is room.
 */
void ring_write(struct ring *r, const struct ring_piece *pieces, unsigned n);
/* Show it to the guest. true = it has to be interrupted. */
__must_check bool ring_write_done(struct ring *r);

/* Bytes between the reader and the writer, for a dump; in = the guest writes. */
uint32_t ring_fill(const struct ring *r, bool in);

#endif
