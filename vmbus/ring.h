/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One VMBus ring buffer in guest memory, seen from the host: a header page with two indexes and a
 * mask, then data pages. Either the guest writes and we read, or the other way round.
 *
 * Our own index is kept here and never read back; of the other side's every value is checked
 * against the size before use. Pure: no interrupts, no channel; the caller signals when told to.
 *
 * Context: the caller's lock; the other side is a guest that runs at the same time.
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

struct ring {
	uint8_t **pages; /* (c) while open: header page, then data */
	uint32_t size;   /* (c) bytes of data */
	uint32_t own;    /* our index: where we read or write next */
	uint32_t shown;  /* our index as the guest sees it */
	bool masked;     /* in: we have told the guest not to signal */
};

/* A packet's descriptor, checked. */
struct ring_packet {
	uint16_t type;
	uint16_t data_offset; /* bytes from the start of the packet */
	uint16_t flags;
	uint32_t len; /* bytes of the packet without its trailer */
	uint64_t trans_id;
};

#endif
