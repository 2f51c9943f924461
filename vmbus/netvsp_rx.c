// SPDX-License-Identifier: BSD-2-Clause
// The receive side of the synthetic network adapter: slots of the guest's receive buffer.
// Specs: Linux drivers/net/hyperv/netvsc.c "netvsc_receive", rndis_filter.c
// "rndis_filter_receive_data".
#include "vmbus/netvsp.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

bool netvsp_rx_begin(struct netvsp *n, struct gpadl *gpadl, uint16_t id)
{
	struct netvsp_rx *rx = &n->rx;
	uint32_t slot = RNDIS_HEAD_MAX + n->rndis.mtu + NET_ETH_LEN + NET_TAGS_LEN;

	slot = (slot + 7U) & ~7U;
	rx->slot_size = slot > NETVSP_SLOT_MIN ? slot : NETVSP_SLOT_MIN;
	rx->n_slots = gpadl->len / rx->slot_size;
	if (rx->n_slots > NETVSP_SLOTS_MAX) {
		rx->n_slots = NETVSP_SLOTS_MAX;
	}
	if (rx->n_slots < 2) {
		return false;
	}
	for (uint32_t i = 0; i < rx->n_slots; i++) {
		rx->slots[i] = (struct netvsp_slot){
		        .next = (uint16_t)(i + 1 < rx->n_slots ? i + 1 : NETVSP_NONE),
		        .state = SLOT_FREE,
		};
	}
	rx->free = 0;
	rx->n_free = rx->n_slots;
	rx->id = id;
	rx->gpadl = gpadl;
	return true;
}

void netvsp_rx_end(struct netvsp *n)
{
	n->rx.gpadl = NULL;
	n->rx.n_slots = 0;
	n->rx.n_free = 0;
	n->rx.free = NETVSP_NONE;
	for (uint32_t i = 0; i < n->n_queues; i++) {
		n->queues[i].head = NETVSP_NONE;
		n->queues[i].tail = NETVSP_NONE;
	}
}

/* The caller knows that there is one. */
static uint16_t take_slot(struct netvsp_rx *rx)
{
	uint16_t i = rx->free;

	rx->free = rx->slots[i].next;
	rx->n_free--;
	return i;
}

static void free_slot(struct netvsp_rx *rx, uint16_t i)
{
	rx->slots[i].state = SLOT_FREE;
	rx->slots[i].next = rx->free;
	rx->free = i;
	rx->n_free++;
}

static void free_slots(struct netvsp_rx *rx, uint16_t first)
{
	while (first != NETVSP_NONE) {
		uint16_t next = rx->slots[first].next;

		free_slot(rx, first);
		first = next;
	}
}

static void queue_slot(struct netvsp_queue *q, uint16_t i)
{
	struct netvsp_slot *slots = q->n->rx.slots;

	slots[i].state = SLOT_QUEUED;
	slots[i].queue = (uint8_t)q->index;
	slots[i].next = NETVSP_NONE;
	if (q->head == NETVSP_NONE) {
		q->head = i;
	} else {
		slots[q->tail].next = i;
	}
	q->tail = i;
}

void netvsp_rx_close(struct netvsp_queue *q)
{
	struct netvsp_rx *rx = &q->n->rx;

	for (uint32_t i = 0; i < rx->n_slots; i++) {
		if (rx->slots[i].state != SLOT_FREE && rx->slots[i].queue == q->index) {
			free_slot(rx, (uint16_t)i);
		}
	}
	q->head = NETVSP_NONE;
	q->tail = NETVSP_NONE;
}

/* --- filling them --- */

static bool copy_frame(const struct netvsp_rx *rx, uint32_t to, const struct net_frame *f,
        uint32_t at, uint32_t len)
{
	while (len > 0) {
		uint32_t here = len;
		const uint8_t *run = net_frame_run(f, at, &here);

		if (here == 0 || gpadl_write(rx->gpadl, to, run, here)) {
			return false;
		}
		to += here;
		at += here;
		len -= here;
	}
	return true;
}

/* A frame, or a piece of a large one, into a slot of its own. */
static bool fill_slot(struct netvsp *n, uint16_t i, const struct net_frame *f, uint32_t at,
        const struct rndis_piece *piece)
{
	struct netvsp_rx *rx = &n->rx;
	struct netvsp_slot *slot = &rx->slots[i];
	uint8_t head[RNDIS_RX_HEAD_MAX];
	uint32_t to = i * rx->slot_size, head_len;

	head_len = rndis_build_packet(&n->rndis, f, piece, head);
	slot->len = (uint16_t)(head_len + piece->data_len); /* slots are shorter than 64 KiB */
	slot->control = false;
	slot->unfinished = !piece->last;
	return gpadl_write(rx->gpadl, to, head, head_len) == 0 &&
	       copy_frame(rx, to + head_len, f, at, piece->data_len);
}

/* By which channel it goes to the guest: the first one, unless the guest wants them spread and has
 * that one open. */
static struct netvsp_queue *choose_queue(
        struct netvsp *n, const struct net_frame *f, struct rndis_piece *piece)
{
	struct netvsp_queue *q = &n->queues[0];

	if (n->rndis.rss.on && rss_hash(&n->rndis.rss, f, &piece->hash)) {
		q = &n->queues[rss_queue(&n->rndis.rss, piece->hash)];
		piece->has_hash = true;
	}
	return q->is_open ? q : &n->queues[0];
}

/* The channel that it goes by; NULL = it is lost. */
static struct netvsp_queue *receive_locked(struct netvsp *n, const struct net_frame *f)
{
	struct netvsp_rx *rx = &n->rx;
	uint32_t room, pieces = 1, at = 0;
	struct rndis_piece piece = {.first = true};
	struct netvsp_queue *q;

	if (!rx->gpadl || !n->rndis.link_up || !rndis_accepts(&n->rndis, net_mac(f->head))) {
		n->stats.filtered++;
		return NULL;
	}
	if (f->len > n->rndis.mtu + NET_ETH_LEN + NET_TAGS_LEN) {
		room = rx->slot_size - RNDIS_RX_HEAD_MAX;
		pieces = (f->len + room - 1) / room;
		if (f->mss == 0 || pieces > NETVSP_BATCH) {
			n->stats.too_long++;
			return NULL;
		}
		n->stats.large++;
	} else {
		room = f->len;
	}
	if (rx->n_free < pieces + NETVSP_RESERVE) {
		n->stats.no_slot++;
		return NULL;
	}
	q = choose_queue(n, f, &piece);
	for (uint32_t i = 0; i < pieces; i++) {
		uint16_t slot = take_slot(rx);

		piece.data_len = f->len - at < room ? f->len - at : room;
		piece.first = i == 0;
		piece.last = i + 1 == pieces;
		/* It cannot fail: the slot lies in the buffer. If it did, the guest would find
		 * what was there before, which is its own. */
		(void)fill_slot(n, slot, f, at, &piece);
		queue_slot(q, slot);
		at += piece.data_len;
	}
	net_traffic_count(&n->stats.in, f);
	q->stats.frames++;
	return q;
}

static bool receive(struct net_port *port, const struct net_frame *f)
{
	struct netvsp *n = container_of(port, struct netvsp, port);
	struct netvsp_queue *q;
	bool kick = false;

	spin_lock(&n->lock);
	q = receive_locked(n, f);
	if (q) {
		kick = !q->kicked;
		q->kicked = true;
	}
	spin_unlock(&n->lock);
	if (kick) {
		channel_kick(&q->ch);
	}
	return q != NULL;
}

const struct net_port_ops netvsp_port_ops = {.receive = receive};

void netvsp_rx_control(struct netvsp *n, const uint8_t *message, uint32_t len)
{
	struct netvsp_rx *rx = &n->rx;
	uint16_t i;

	if (!rx->gpadl || rx->n_free == 0 ||
	        gpadl_write(rx->gpadl, rx->free * rx->slot_size, message, len)) {
		n->stats.unanswered++;
		return;
	}
	i = take_slot(rx);
	rx->slots[i].len = (uint16_t)len;
	rx->slots[i].control = true;
	rx->slots[i].unfinished = false;
	queue_slot(&n->queues[0], i);
}

/* --- telling the guest, and hearing back --- */

void netvsp_rx_complete(struct netvsp_queue *q, uint64_t trans_id)
{
	struct netvsp_rx *rx = &q->n->rx;

	if (trans_id == 0 || trans_id > rx->n_slots ||
	        rx->slots[trans_id - 1].state != SLOT_FIRST ||
	        rx->slots[trans_id - 1].queue != q->index) {
		q->n->stats.bad_completions++;
		return;
	}
	free_slots(rx, (uint16_t)(trans_id - 1));
}

/* Is the frame that begins in this slot short enough for what is left of the packet? */
static bool frame_fits(const struct netvsp_rx *rx, uint16_t i, unsigned left)
{
	unsigned n = 1;

	while (rx->slots[i].unfinished && n <= left) {
		i = rx->slots[i].next;
		n++;
	}
	return n <= left;
}

/* Take the first of the queue that may share a packet out of it. */
static unsigned take_batch(struct netvsp_queue *q, struct vmbus_xfer_range ranges[NETVSP_BATCH],
        uint16_t *first, bool *control)
{
	struct netvsp_rx *rx = &q->n->rx;
	uint16_t i = q->head, last = NETVSP_NONE;
	unsigned count = 0;

	*first = i;
	*control = i != NETVSP_NONE && rx->slots[i].control;
	while (i != NETVSP_NONE && rx->slots[i].control == *control &&
	        ((last != NETVSP_NONE && rx->slots[last].unfinished) ||
	                frame_fits(rx, i, NETVSP_BATCH - count))) {
		struct netvsp_slot *slot = &rx->slots[i];

		slot->state = count == 0 ? SLOT_FIRST : SLOT_MORE;
		ranges[count++] = (struct vmbus_xfer_range){
		        .len = slot->len,
		        .offset = i * rx->slot_size,
		};
		last = i;
		i = slot->next;
	}
	if (last != NETVSP_NONE) {
		rx->slots[last].next = NETVSP_NONE;
		q->head = i;
		q->tail = i == NETVSP_NONE ? NETVSP_NONE : q->tail;
	}
	return count;
}

bool netvsp_rx_send(struct netvsp_queue *q, unsigned budget)
{
	struct vmbus_xfer_range ranges[NETVSP_BATCH];
	struct netvsp *n = q->n;
	uint8_t message[NVSP_RNDIS_SIZE];
	unsigned count;
	uint16_t first, id;
	bool control, empty;

	/* From here on a frame that comes asks for another round. */
	spin_lock(&n->lock);
	q->kicked = false;
	empty = q->head == NETVSP_NONE;
	spin_unlock(&n->lock);
	for (; budget > 0 && !empty; budget--) {
		if (!channel_has_room(&q->ch, NVSP_RNDIS_SIZE, NETVSP_BATCH)) {
			return false;
		}
		spin_lock(&n->lock);
		count = take_batch(q, ranges, &first, &control);
		id = n->rx.id;
		empty = q->head == NETVSP_NONE;
		q->stats.batches += count > 0;
		spin_unlock(&n->lock);
		if (count == 0) {
			return false; /* the guest took its buffer back */
		}
		nvsp_put_rndis(message, control ? NVSP_CHANNEL_CONTROL : NVSP_CHANNEL_DATA);
		if (channel_send_xfer(
		            &q->ch, first + 1U, id, ranges, count, message, sizeof(message))) {
			/* Broken: there is nobody to tell, and close() ends it all. */
			return false;
		}
	}
	return !empty;
}
