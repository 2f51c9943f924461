/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests with a network adapter each, on one switch, seen from their drivers: packets in, packets
 * out, buffers made of pages that lie anywhere. The channel is a fake: what a packet is was
 * checked before it comes to an adapter.
 */
#ifndef TESTS_NET_WORLD_H
#define TESTS_NET_WORLD_H

#include "devices/backend/net_switch.h"
#include "tests/net_frames.h"
#include "vmbus/netvsp.h"
#include "vmbus/nvsp_wire.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"
#include <stdlib.h>
#include <string.h>

#define GUESTS 3U
#define QUEUE 600U
#define BUFFER_PAGES 4096U
#define WORLD_QUEUES 4U

struct wire_packet { /* of the guest */
	enum ring_packet_type type;
	bool wants_completion;
	uint64_t trans_id;
	uint8_t payload[NVSP_MESSAGE_SIZE];
	uint32_t len;
	struct io_seg segs[NETVSP_SEGS];
	unsigned n_segs;
};

struct sent_packet { /* to the guest */
	enum ring_packet_type type;
	uint64_t trans_id;
	uint8_t payload[NVSP_TABLE_SIZE];
	uint32_t len;
	uint16_t pageset;
	unsigned n_ranges;
	struct vmbus_xfer_range ranges[NETVSP_BATCH];
};

struct end { /* the driver's, of a channel */
	struct wire_packet in[QUEUE];
	unsigned n_in, next_in;
	struct sent_packet out[QUEUE];
	unsigned n_out;
	unsigned room; /* packets that still fit into its ring */
	unsigned kicks;
	bool added; /* a sub-channel that was offered */
};

struct guest {
	struct netvsp n;
	struct end q[WORLD_QUEUES]; /* of its channels */
	int holds;                  /* of GPADLs */
	unsigned waits;             /* for sub-channels */
	struct buffer {
		struct gpadl g;
		uint8_t *pages[BUFFER_PAGES];
	} recv, send;
};

extern struct guest guests[GUESTS];

static struct config_vm net_config = {.name = "test"};
static struct vm net_vm = {.config = &net_config};

static unsigned net_subs = ~0U; /* the bus has places for so many of each adapter */

static uint64_t net_now(void)
{
	return 1;
}

static inline struct guest *guest_of(struct vmbus_channel *ch)
{
	const struct netvsp_queue *q = ch->device;

	for (unsigned i = 0; i < GUESTS; i++) {
		if (&guests[i].n == q->n) {
			return &guests[i];
		}
	}
	abort();
}

static inline struct end *end_of(struct vmbus_channel *ch)
{
	const struct netvsp_queue *q = ch->device;

	return &guest_of(ch)->q[q->index];
}

static inline struct vmbus_channel *channel_of(unsigned i, unsigned q)
{
	return &guests[i].n.queues[q].ch;
}

/* --- the fake channel --- */

int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet)
{
	struct end *e = end_of(ch);
	const struct wire_packet *w = &e->in[e->next_in];

	if (e->next_in == e->n_in) {
		e->next_in = 0;
		e->n_in = 0;
		return 0;
	}
	e->next_in++;
	memcpy(ch->packet_buf, w->payload, w->len);
	*packet = (struct vmbus_packet){.type = w->type,
	        .wants_completion = w->wants_completion,
	        .trans_id = w->trans_id,
	        .payload = ch->packet_buf,
	        .payload_len = w->len,
	        .n_ranges = w->n_segs,
	        .ranges = (const uint8_t *)w};
	for (unsigned i = 0; i < w->n_segs; i++) {
		packet->ranges_len += w->segs[i].len;
	}
	return 1;
}

int channel_segs(struct vmbus_channel *ch, const struct vmbus_packet *packet, struct io_seg *segs,
        unsigned max_segs)
{
	const struct wire_packet *w = (const struct wire_packet *)packet->ranges;

	(void)ch;
	if (w->n_segs > max_segs) {
		return -ENOSPC;
	}
	memcpy(segs, w->segs, w->n_segs * sizeof(*segs));
	return (int)w->n_segs;
}

static inline struct sent_packet *put_out(struct vmbus_channel *ch, enum ring_packet_type type,
        uint64_t trans_id, const void *payload, uint32_t len)
{
	struct end *e = end_of(ch);
	struct sent_packet *s = &e->out[e->n_out];

	if (e->room == 0 || e->n_out == QUEUE || len > sizeof(s->payload)) {
		abort(); /* nobody sends without having asked for room */
	}
	e->room--;
	e->n_out++;
	*s = (struct sent_packet){.type = type, .trans_id = trans_id, .len = len};
	memcpy(s->payload, payload, len);
	return s;
}

int channel_complete(struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	(void)put_out(ch, RING_PACKET_COMPLETION, trans_id, payload, len);
	return 0;
}

int channel_send_xfer(struct vmbus_channel *ch, uint64_t trans_id, uint16_t pageset,
        const struct vmbus_xfer_range *ranges, unsigned n_ranges, const void *payload, uint32_t len)
{
	struct sent_packet *s = put_out(ch, RING_PACKET_XFER_PAGES, trans_id, payload, len);

	s->pageset = pageset;
	s->n_ranges = n_ranges;
	memcpy(s->ranges, ranges, n_ranges * sizeof(*ranges));
	return 0;
}

int channel_send(struct vmbus_channel *ch, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	if (end_of(ch)->room == 0) {
		return -EAGAIN;
	}
	if (wants_completion) {
		abort(); /* nothing of ours is like that */
	}
	(void)put_out(ch, RING_PACKET_INBAND, trans_id, payload, len);
	return 0;
}

bool channel_has_room(struct vmbus_channel *ch, uint32_t len, unsigned n_ranges)
{
	(void)len;
	(void)n_ranges;
	return end_of(ch)->room > 0;
}

struct gpadl *channel_gpadl_hold(struct vmbus_channel *ch, uint32_t id)
{
	struct guest *g = guest_of(ch);
	struct gpadl *found = id == g->recv.g.id   ? &g->recv.g
	                      : id == g->send.g.id ? &g->send.g
	                                           : NULL;

	found = found && found->len != 0 ? found : NULL;
	g->holds += found != NULL;
	return found;
}

void channel_gpadl_release(struct vmbus_channel *ch, struct gpadl *g)
{
	(void)g;
	guest_of(ch)->holds--;
}

void channel_kick(struct vmbus_channel *ch)
{
	const struct netvsp_queue *q = ch->device;

	for (unsigned i = 0; i < GUESTS; i++) {
		if (&guests[i].n == q->n) { /* else a test has made it itself */
			guests[i].q[q->index].kicks++;
		}
	}
}

bool channel_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub)
{
	(void)ch;
	if (sub->offer.sub_index > net_subs) {
		return false;
	}
	end_of(sub)->added = true;
	return true;
}

void channel_wait(struct vmbus_channel *sub)
{
	guest_of(sub)->waits++;
}

/* --- what a driver does --- */

static inline void make_buffer(struct buffer *b, uint32_t id, uint32_t n_pages)
{
	for (unsigned i = 0; i < BUFFER_PAGES; i++) {
		free(b->pages[i]);
		b->pages[i] = i < n_pages ? calloc(1, PAGE_SIZE) : NULL;
	}
	b->g = (struct gpadl){.id = id,
	        .len = n_pages * (uint32_t)PAGE_SIZE,
	        .n_ranges = 1,
	        .n_pages = n_pages,
	        .pages = b->pages,
	        .page_aligned = true};
}

static inline void free_world(void)
{
	for (unsigned i = 0; i < GUESTS; i++) {
		make_buffer(&guests[i].recv, 0, 0);
		make_buffer(&guests[i].send, 0, 0);
	}
}

static inline void make_guest(unsigned i, struct net_switch *sw, uint32_t recv_pages)
{
	struct guest *g = &guests[i];

	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		g->q[q].room = QUEUE;
	}
	make_buffer(&g->recv, 0xe1e10, recv_pages);
	make_buffer(&g->send, 0xe1e11, 256);
	netvsp_init(&g->n, &net_vm, "test", i, 0x020000000001 + i, WORLD_QUEUES);
	if (sw && netvsp_connect(&g->n, sw)) {
		abort();
	}
}

/* One more packet in a ring of its, or in that of its primary channel. */
static inline struct wire_packet *put_by(unsigned i, unsigned q, enum ring_packet_type type,
        const void *payload, uint32_t len, bool wants_completion)
{
	struct end *e = &guests[i].q[q];
	struct wire_packet *w = &e->in[e->n_in];

	if (e->n_in == QUEUE) {
		abort();
	}
	*w = (struct wire_packet){.type = type,
	        .wants_completion = wants_completion,
	        .trans_id = 1000 + e->n_in,
	        .len = len};
	memcpy(w->payload, payload, len);
	e->n_in++;
	return w;
}

static inline struct wire_packet *put(unsigned i, enum ring_packet_type type, const void *payload,
        uint32_t len, bool wants_completion)
{
	return put_by(i, 0, type, payload, len, wants_completion);
}

static inline struct wire_packet *put_words(
        unsigned i, bool wants_completion, uint32_t type, uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t m[NVSP_MESSAGE_SIZE] = {0};

	put_le32(m, type);
	put_le32(m + 4, a);
	put_le32(m + 8, b);
	put_le32(m + 12, c);
	return put(i, RING_PACKET_INBAND, m, sizeof(m), wants_completion);
}

/* Until nothing moves any more. */
static inline void run_by(unsigned i, unsigned q)
{
	struct vmbus_channel *ch = channel_of(i, q);

	for (unsigned n = 0; n < 100 && ch->ops->work(ch, 32); n++) {
	}
}

static inline void run(unsigned i)
{
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		run_by(i, q);
	}
}

static inline void run_all(void)
{
	for (unsigned n = 0; n < 3; n++) {
		for (unsigned i = 0; i < GUESTS; i++) {
			if (channel_of(i, 0)->ops) {
				run(i);
			}
		}
	}
}

static inline void read_buffer(const struct buffer *b, uint32_t at, uint8_t *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		to[i] = b->pages[(at + i) / PAGE_SIZE][(at + i) % PAGE_SIZE];
	}
}

static inline void write_buffer(struct buffer *b, uint32_t at, const uint8_t *from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		b->pages[(at + i) / PAGE_SIZE][(at + i) % PAGE_SIZE] = from[i];
	}
}

/* The guest is done with all packets it was sent, and forgets them. */
static inline void give_back(unsigned i)
{
	uint8_t m[8];

	put_le32(m, NVSP_SEND_RNDIS_COMPLETE);
	put_le32(m + 4, NVSP_SUCCESS);
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		struct end *e = &guests[i].q[q];

		for (unsigned n = 0; n < e->n_out; n++) {
			if (e->out[n].type == RING_PACKET_XFER_PAGES) {
				put_by(i, q, RING_PACKET_COMPLETION, m, sizeof(m), false)
				        ->trans_id = e->out[n].trans_id;
			}
		}
		e->room += e->n_out;
		e->n_out = 0;
	}
	run(i);
}

#endif
