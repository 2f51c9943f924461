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
	uint8_t payload[NVSP_MESSAGE_SIZE];
	uint32_t len;
	uint16_t pageset;
	unsigned n_ranges;
	struct vmbus_xfer_range ranges[NETVSP_BATCH];
};

struct guest {
	struct netvsp n;
	struct wire_packet in[QUEUE];
	unsigned n_in, next_in;
	struct sent_packet out[QUEUE];
	unsigned n_out;
	unsigned room; /* packets that still fit into its ring */
	unsigned kicks;
	int holds; /* of GPADLs */
	struct buffer {
		struct gpadl g;
		uint8_t *pages[BUFFER_PAGES];
	} recv, send;
};

extern struct guest guests[GUESTS];

static struct config_vm net_config = {.name = "test"};
static struct vm net_vm = {.config = &net_config};

static uint64_t net_now(void)
{
	return 1;
}

static inline struct guest *guest_of(struct vmbus_channel *ch)
{
	for (unsigned i = 0; i < GUESTS; i++) {
		if (&guests[i].n.ch == ch) {
			return &guests[i];
		}
	}
	abort();
}

/* --- the fake channel --- */

int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet)
{
	struct guest *g = guest_of(ch);
	const struct wire_packet *w = &g->in[g->next_in];

	if (g->next_in == g->n_in) {
		g->next_in = 0;
		g->n_in = 0;
		return 0;
	}
	g->next_in++;
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
	struct guest *g = guest_of(ch);
	struct sent_packet *s = &g->out[g->n_out];

	if (g->room == 0 || g->n_out == QUEUE || len > sizeof(s->payload)) {
		abort(); /* nobody sends without having asked for room */
	}
	g->room--;
	g->n_out++;
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

bool channel_has_room(struct vmbus_channel *ch, uint32_t len, unsigned n_ranges)
{
	(void)len;
	(void)n_ranges;
	return guest_of(ch)->room > 0;
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
	for (unsigned i = 0; i < GUESTS; i++) {
		guests[i].kicks +=
		        &guests[i].n.ch == ch; /* or an adapter that a test has made itself */
	}
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

	g->room = QUEUE;
	make_buffer(&g->recv, 0xe1e10, recv_pages);
	make_buffer(&g->send, 0xe1e11, 256);
	netvsp_init(&g->n, &net_vm, "test", i, 0x020000000001 + i);
	if (sw && netvsp_connect(&g->n, sw)) {
		abort();
	}
}

/* One more packet in its ring. */
static inline struct wire_packet *put(unsigned i, enum ring_packet_type type, const void *payload,
        uint32_t len, bool wants_completion)
{
	struct guest *g = &guests[i];
	struct wire_packet *w = &g->in[g->n_in];

	if (g->n_in == QUEUE) {
		abort();
	}
	*w = (struct wire_packet){.type = type,
	        .wants_completion = wants_completion,
	        .trans_id = 1000 + g->n_in,
	        .len = len};
	memcpy(w->payload, payload, len);
	g->n_in++;
	return w;
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
static inline void run(unsigned i)
{
	struct guest *g = &guests[i];

	for (unsigned n = 0; n < 100 && g->n.ch.ops->work(&g->n.ch, 32); n++) {
	}
}

static inline void run_all(void)
{
	for (unsigned n = 0; n < 3; n++) {
		for (unsigned i = 0; i < GUESTS; i++) {
			if (guests[i].n.ch.ops) {
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
	struct guest *g = &guests[i];
	uint8_t m[8];

	put_le32(m, NVSP_SEND_RNDIS_COMPLETE);
	put_le32(m + 4, NVSP_SUCCESS);
	for (unsigned n = 0; n < g->n_out; n++) {
		if (g->out[n].type == RING_PACKET_XFER_PAGES) {
			put(i, RING_PACKET_COMPLETION, m, sizeof(m), false)->trans_id =
			        g->out[n].trans_id;
		}
	}
	g->room += g->n_out;
	g->n_out = 0;
	run(i);
}

#endif
