// SPDX-License-Identifier: BSD-2-Clause
// The send side of the synthetic network adapter: from the guest's packets to frames.
// Specs: Linux drivers/net/hyperv/netvsc.c "netvsc_send": messages in a section of the send buffer,
// in the guest's memory, or begun in the one and continued in the other.
#include "devices/backend/net_offload.h"
#include "devices/backend/net_switch.h"
#include "vmbus/netvsp.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

#define MESSAGE_HEADER 8U /* type and length of an RNDIS message */

static bool add_section(struct netvsp_queue *q, uint32_t section, uint32_t len)
{
	struct gpadl *buffer = __atomic_load_n(&q->n->send_buffer, __ATOMIC_ACQUIRE);
	struct netvsp_bytes *b = &q->bytes;
	uint32_t at;

	if (section == NVSP_NO_SECTION) {
		return true;
	}
	if (!buffer || len > NETVSP_SECTION || section >= buffer->len / NETVSP_SECTION) {
		return false;
	}
	at = section * NETVSP_SECTION;
	while (len > 0) {
		uint32_t here = len;
		uint8_t *hva = gpadl_span(buffer, at, &here);

		if (!hva || b->n == NETVSP_SEGS) {
			return false;
		}
		b->segs[b->n++] = (struct io_seg){.hva = hva, .len = here};
		b->len += here;
		at += here;
		len -= here;
	}
	return true;
}

/* All bytes that the packet names, in order. */
static bool gather(struct netvsp_queue *q, const struct vmbus_packet *packet)
{
	struct netvsp_bytes *b = &q->bytes;
	int count;

	b->n = 0;
	b->len = 0;
	if (!add_section(q, get_le32(packet->payload + 8), get_le32(packet->payload + 12))) {
		return false;
	}
	if (packet->type != RING_PACKET_GPA_DIRECT) {
		return true;
	}
	if (packet->ranges_len > NETVSP_SECTION + NET_LARGE_MAX * 2) {
		return false;
	}
	count = channel_segs(&q->ch, packet, b->segs + b->n, NETVSP_SEGS - b->n);
	if (count < 0) {
		return false;
	}
	b->n += (unsigned)count;
	b->len += packet->ranges_len;
	return true;
}

/* Copy once; at + len is inside. */
static void copy_bytes(const struct netvsp_bytes *b, uint32_t at, uint8_t *to, uint32_t len)
{
	for (unsigned i = 0; i < b->n && len > 0; i++) {
		uint32_t here = b->segs[i].len;

		if (at >= here) {
			at -= here;
			continue;
		}
		here -= at;
		here = here < len ? here : len;
		memcpy(to, b->segs[i].hva + at, here);
		to += here;
		len -= here;
		at = 0;
	}
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How a message begins, and behind it as much of its frame as is needed: each byte is copied once,
 * so that what is checked is what is sent. */
struct start {
	uint8_t bytes[RNDIS_HEAD_MAX + NET_HEAD_MAX];
	uint32_t len; /* of the message's own */
};

/* The first head_len bytes of the frame that is data_at behind byte 'at', where the message begins.
 */
static uint8_t *frame_head(const struct netvsp_queue *q, struct start *s, uint32_t at,
        uint32_t data_at, uint32_t head_len)
{
	uint32_t have = data_at < s->len ? s->len - data_at : 0;

	if (have < head_len) {
		copy_bytes(&q->bytes, at + data_at + have, s->bytes + s->len, head_len - have);
	}
	return s->bytes + (have ? data_at : s->len);
}

/* The frame of an RNDIS message that begins at byte 'at'. */
static bool send_frame(
        struct netvsp_queue *q, struct start *s, uint32_t at, const struct rndis_packet *packet)
{
	const struct net_request *request = &packet->request;
	struct netvsp *n = q->n;
	uint32_t mtu = __atomic_load_n(&n->rndis.mtu, __ATOMIC_RELAXED);
	uint32_t max = request->mss ? NET_LARGE_MAX : mtu;
	struct net_frame frame = {
	        .head_len = min_u32(packet->data_len, NET_HEAD_MAX),
	        .len = packet->data_len,
	        .segs = q->bytes.segs,
	        .n_segs = q->bytes.n,
	        .has_vlan = packet->has_vlan,
	        .vlan_tci = packet->vlan_tci,
	};
	uint8_t *head;

	if (frame.len < NET_ETH_LEN || frame.len > max + NET_HEAD_MAX) {
		return false;
	}
	head = frame_head(q, s, at, packet->data_at, frame.head_len);
	frame.head = head;
	frame.body_at = at + packet->data_at + frame.head_len;
	if ((request->ip_csum || request->tcp_csum || request->udp_csum || request->mss) &&
	        net_offload_prepare(&frame, head, request)) {
		return false;
	}
	/* A cable that is pulled loses what is sent; so does one that is closed. */
	if (__atomic_load_n(&n->rndis.initialized, __ATOMIC_RELAXED) &&
	        __atomic_load_n(&n->rndis.link_up, __ATOMIC_RELAXED)) {
		net_traffic_count(&q->stats.out, &frame);
		q->handed += net_switch_send(&n->port, &frame);
	}
	return true;
}

/* Type and length say how much more is this message's. */
static bool start_message(
        const struct netvsp_queue *q, struct start *s, uint32_t at, struct rndis_packet *packet)
{
	uint32_t type, len;

	copy_bytes(&q->bytes, at, s->bytes, MESSAGE_HEADER);
	if (!rndis_message(s->bytes, MESSAGE_HEADER, q->bytes.len - at, &type, &len) ||
	        type != RNDIS_PACKET) {
		return false;
	}
	s->len = min_u32(len, RNDIS_HEAD_MAX);
	copy_bytes(
	        &q->bytes, at + MESSAGE_HEADER, s->bytes + MESSAGE_HEADER, s->len - MESSAGE_HEADER);
	return rndis_parse_packet(s->bytes, s->len, len, packet) == 0;
}

static bool send_messages(struct netvsp_queue *q)
{
	struct rndis_packet packet;
	uint32_t at = 0, count = 0;
	struct start start;

	for (; q->bytes.len - at >= MESSAGE_HEADER; at += packet.len) {
		if (++count > RNDIS_MESSAGES_MAX || !start_message(q, &start, at, &packet) ||
		        !send_frame(q, &start, at, &packet)) {
			return false;
		}
	}
	q->stats.packets++;
	return true;
}

/* A request: of the primary channel only. */
static bool control(struct netvsp_queue *q)
{
	uint32_t len = q->bytes.len;

	if (!netvsp_is_primary(q) || len > RNDIS_REQUEST_MAX) {
		return false;
	}
	copy_bytes(&q->bytes, 0, q->n->request, len);
	netvsp_control(q->n, len);
	return true;
}

bool netvsp_transmit(struct netvsp_queue *q, const struct vmbus_packet *packet)
{
	bool ok = packet->payload_len >= NVSP_RNDIS_SIZE && gather(q, packet);

	if (ok) {
		ok = get_le32(packet->payload + 4) == NVSP_CHANNEL_CONTROL ? control(q)
		                                                           : send_messages(q);
	}
	if (!ok) {
		q->stats.bad_packets++;
		vm_log(q->n->vm, LOG_WARN,
		        "network adapter %u: a packet of the guest makes no sense",
		        q->n->port.number);
	}
	return ok;
}
