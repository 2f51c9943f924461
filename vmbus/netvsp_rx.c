// SPDX-License-Identifier: BSD-2-Clause
// The receive side of the synthetic network adapter: slots of the guest's receive buffer.
// Specs: Linux drivers/net/hyperv/netvsc.c "netvsc_receive", rndis_filter.c
// "rndis_filter_receive_data".
#include "vmbus/netvsp.h"
#include "vmbus/nvsp_wire.h"
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
	rx->head = NETVSP_NONE;
	rx->tail = NETVSP_NONE;
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
	n->rx.head = NETVSP_NONE;
	n->rx.tail = NETVSP_NONE;
}

/* The caller knows that there is one. */
static uint16_t take_slot(struct netvsp_rx *rx)
{
	uint16_t i = rx->free;

	rx->free = rx->slots[i].next;
	rx->n_free--;
	return i;
}

static void free_slots(struct netvsp_rx *rx, uint16_t first)
{
	while (first != NETVSP_NONE) {
		struct netvsp_slot *slot = &rx->slots[first];
		uint16_t next = slot->next;

		slot->state = SLOT_FREE;
		slot->next = rx->free;
		rx->free = first;
		rx->n_free++;
		first = next;
	}
}

static void queue_slot(struct netvsp_rx *rx, uint16_t i)
{
	rx->slots[i].state = SLOT_QUEUED;
	rx->slots[i].next = NETVSP_NONE;
	if (rx->head == NETVSP_NONE) {
		rx->head = i;
	} else {
		rx->slots[rx->tail].next = i;
	}
	rx->tail = i;
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
	slot->len = head_len + piece->data_len;
	slot->control = false;
	slot->unfinished = !piece->last;
	return gpadl_write(rx->gpadl, to, head, head_len) == 0 &&
	       copy_frame(rx, to + head_len, f, at, piece->data_len);
}

static bool receive_locked(struct netvsp *n, const struct net_frame *f)
{
	struct netvsp_rx *rx = &n->rx;
	uint32_t room, pieces = 1, at = 0;

	if (!rx->gpadl || !n->rndis.link_up || !rndis_accepts(&n->rndis, net_mac(f->head))) {
		n->stats.filtered++;
		return false;
	}
	if (f->len > n->rndis.mtu + NET_ETH_LEN + NET_TAGS_LEN) {
		room = rx->slot_size - RNDIS_RX_HEAD_MAX;
		pieces = (f->len + room - 1) / room;
		if (f->mss == 0 || pieces > NETVSP_BATCH) {
			n->stats.too_long++;
			return false;
		}
		n->stats.large++;
	} else {
		room = f->len;
	}
	if (rx->n_free < pieces + NETVSP_RESERVE) {
		n->stats.no_slot++;
		return false;
	}
	for (uint32_t i = 0; i < pieces; i++) {
		uint16_t slot = take_slot(rx);
		struct rndis_piece piece = {
		        .data_len = f->len - at < room ? f->len - at : room,
		        .first = i == 0,
		        .last = i + 1 == pieces,
		};

		/* It cannot fail: the slot lies in the buffer. If it did, the guest would find
		 * what was there before, which is its own. */
		(void)fill_slot(n, slot, f, at, &piece);
		queue_slot(rx, slot);
		at += piece.data_len;
	}
	return true;
}

static bool receive(struct net_port *port, const struct net_frame *f)
{
	struct netvsp *n = container_of(port, struct netvsp, port);
	bool kick, ok;

	spin_lock(&n->lock);
	ok = receive_locked(n, f);
	kick = ok && !n->rx.kicked;
	n->rx.kicked |= ok;
	spin_unlock(&n->lock);
	if (kick) {
		channel_kick(&n->ch);
	}
	return ok;
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
	rx->slots[i].len = len;
	rx->slots[i].control = true;
	rx->slots[i].unfinished = false;
	queue_slot(rx, i);
}

/* --- telling the guest, and hearing back --- */

void netvsp_rx_complete(struct netvsp *n, uint64_t trans_id)
{
	struct netvsp_rx *rx = &n->rx;

	if (trans_id == 0 || trans_id > rx->n_slots ||
	        rx->slots[trans_id - 1].state != SLOT_FIRST) {
		n->stats.bad_completions++;
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
static unsigned take_batch(struct netvsp_rx *rx, struct vmbus_xfer_range ranges[NETVSP_BATCH],
        uint16_t *first, bool *control)
{
	uint16_t i = rx->head, last = NETVSP_NONE;
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
		rx->head = i;
		rx->tail = i == NETVSP_NONE ? NETVSP_NONE : rx->tail;
	}
	return count;
}

bool netvsp_rx_send(struct netvsp *n, unsigned budget)
{
	struct vmbus_xfer_range ranges[NETVSP_BATCH];
	uint8_t message[NVSP_RNDIS_SIZE];
	unsigned count;
	uint16_t first, id;
	bool control, empty;

	/* From here on a frame that comes asks for another round. */
	spin_lock(&n->lock);
	n->rx.kicked = false;
	empty = n->rx.head == NETVSP_NONE;
	spin_unlock(&n->lock);
	for (; budget > 0 && !empty; budget--) {
		if (!channel_has_room(&n->ch, NVSP_RNDIS_SIZE, NETVSP_BATCH)) {
			return false;
		}
		spin_lock(&n->lock);
		count = take_batch(&n->rx, ranges, &first, &control);
		id = n->rx.id;
		empty = n->rx.head == NETVSP_NONE;
		n->stats.batches += count > 0;
		spin_unlock(&n->lock);
		if (count == 0) {
			return false; /* the guest took its buffer back */
		}
		nvsp_put_rndis(message, control ? NVSP_CHANNEL_CONTROL : NVSP_CHANNEL_DATA);
		if (channel_send_xfer(
		            &n->ch, first + 1U, id, ranges, count, message, sizeof(message))) {
			/* Broken: there is nobody to tell, and close() ends it all. */
			return false;
		}
	}
	return !empty;
}
