// SPDX-License-Identifier: BSD-2-Clause
// The synthetic network adapter: its channels, their life on the bus, and who handles what comes.
// Specs: vmbus/netvsp.h.
#include "vmbus/netvsp.h"
#include "devices/backend/net_switch.h"
#include "vmbus/vmbus.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

static void complete(
        struct netvsp_queue *q, const struct vmbus_packet *packet, const void *p, uint32_t len)
{
	int err = 0;

	if (packet->wants_completion) {
		err = channel_complete(&q->ch, packet->trans_id, p, len);
	}
	/* There is room, as on_work() looked before it took the packet; and who has broken the ring
	 * waits for nothing. */
	(void)err;
}

/* Anything but frames and what they bring along. */
static void set_up(struct netvsp_queue *q, const struct vmbus_packet *packet)
{
	uint8_t message[NVSP_MESSAGE_SIZE] = {0}, reply[NVSP_MESSAGE_SIZE] = {0};
	uint32_t len = packet->payload_len;

	/* What the guest leaves out is zero; what is too short for a type is nothing. */
	if (len >= 4) {
		memcpy(message, packet->payload, len < sizeof(message) ? len : sizeof(message));
	}
	len = netvsp_is_primary(q) ? netvsp_set_up(q->n, message, reply) : 0;
	complete(q, packet, reply, len);
}

static void handle(struct netvsp_queue *q, const struct vmbus_packet *packet)
{
	uint8_t reply[8];

	if (packet->type == RING_PACKET_COMPLETION) {
		spin_lock(&q->n->lock);
		netvsp_rx_complete(q, packet->trans_id);
		spin_unlock(&q->n->lock);
		return;
	}
	if (packet->payload_len < 4 || get_le32(packet->payload) != NVSP_SEND_RNDIS) {
		set_up(q, packet);
		return;
	}
	put_le32(reply, NVSP_SEND_RNDIS_COMPLETE);
	put_le32(reply + 4, netvsp_transmit(q, packet) ? NVSP_SUCCESS : NVSP_FAILURE);
	complete(q, packet, reply, sizeof(reply));
}

/* --- the channels' --- */

static struct netvsp_queue *of(const struct vmbus_channel *ch)
{
	return ch->device;
}

static void forget(struct netvsp *n)
{
	netvsp_drop_receive_buffer(n);
	netvsp_drop_send_buffer(n);
	n->version = 0;
	n->granted = 0;
	spin_lock(&n->lock);
	rndis_reset(&n->rndis);
	n->send_table_due = false;
	__atomic_store_n(&n->port.takes_large, false, __ATOMIC_RELAXED);
	spin_unlock(&n->lock);
}

static bool all_open(const struct netvsp *n)
{
	for (uint32_t i = 1; i <= n->granted; i++) {
		if (!n->queues[i].is_open) {
			return false;
		}
	}
	return true;
}

static int on_open(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA])
{
	struct netvsp_queue *q = of(ch);
	struct netvsp *n = q->n;
	bool tell = false;

	(void)user;
	if (netvsp_is_primary(q)) {
		forget(n);
	}
	spin_lock(&n->lock);
	q->kicked = false;
	q->is_open = true;
	if (!netvsp_is_primary(q) && all_open(n)) {
		n->send_table_due = true;
		tell = true;
	}
	spin_unlock(&n->lock);
	if (tell) {
		channel_kick(&n->queues[0].ch);
	}
	return 0;
}

/* Sub-channels are closed before their primary is. */
static void on_close(struct vmbus_channel *ch)
{
	struct netvsp_queue *q = of(ch);

	spin_lock(&q->n->lock);
	q->is_open = false;
	netvsp_rx_close(q);
	spin_unlock(&q->n->lock);
	if (netvsp_is_primary(q)) {
		forget(q->n);
	}
}

static bool on_work(struct vmbus_channel *ch, unsigned budget)
{
	struct netvsp_queue *q = of(ch);
	struct vmbus_packet packet;
	unsigned left = budget;
	bool more;

	if (netvsp_is_primary(q)) {
		netvsp_send_table(q->n);
	}
	more = netvsp_rx_send(q, budget);
	while (left > 0 && channel_has_room(ch, NVSP_MESSAGE_SIZE, 0) &&
	        channel_receive(ch, &packet) > 0) {
		uint32_t cost;

		q->handed = 0;
		handle(q, &packet);
		cost = 1 + q->handed / NETVSP_TURN;
		left = cost < left ? left - cost : 0;
	}
	/* Answers to what has just come, and frames that came meanwhile. */
	return netvsp_rx_send(q, budget) || more || left == 0;
}

static void on_gpadl_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	struct netvsp *n = of(ch)->n;

	if (g == n->rx.gpadl) {
		netvsp_drop_receive_buffer(n);
	}
	if (g == n->send_buffer) {
		netvsp_drop_send_buffer(n);
	}
}

static unsigned long long llu(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

static void dump_adapter(const struct netvsp *n, struct out *out)
{
	const struct netvsp_stats *s = &n->stats;
	uint8_t mac[NET_MAC_LEN];

	net_mac_bytes(n->rndis.mac, mac);
	out_print(out, "NVSP %u.%u, %02x:%02x:%02x:%02x:%02x:%02x, link %s, MTU %u, filter %#x\n",
	        n->version >> 16, n->version & 0xffff, mac[0], mac[1], mac[2], mac[3], mac[4],
	        mac[5], n->rndis.link_up ? "up" : "down", n->rndis.mtu, n->rndis.filter);
	out_print(out, "  receive buffer: %u of %u slots free, %u bytes each\n", n->rx.n_free,
	        n->rx.n_slots, n->rx.slot_size);
	out_print(out,
	        "  %llu requests, %llu answers lost, %llu wrong completions; RSS %s, %u "
	        "sub-channels\n",
	        llu(&n->control), llu(&s->unanswered), llu(&s->bad_completions),
	        n->rndis.rss.on ? "on" : "off", n->granted);
	out_print(out,
	        "  received: %llu large frames; dropped: %llu no slot, %llu too long, %llu not "
	        "wanted\n",
	        llu(&s->large), llu(&s->no_slot), llu(&s->too_long), llu(&s->filtered));
}

static void on_dump(const struct vmbus_channel *ch, struct out *out)
{
	const struct netvsp_queue *q = of(ch);

	if (netvsp_is_primary(q)) {
		dump_adapter(q->n, out);
	}
	out_print(out,
	        "%sby this channel: %llu packets sent, %llu malformed; %llu frames in %llu packets "
	        "received\n",
	        netvsp_is_primary(q) ? "  " : "", llu(&q->stats.packets),
	        llu(&q->stats.bad_packets), llu(&q->stats.frames), llu(&q->stats.batches));
}

static const struct vmbus_channel_ops ops = {
        .open = on_open,
        .work = on_work,
        .close = on_close,
        .gpadl_gone = on_gpadl_gone,
        .dump = on_dump,
};

int netvsp_connect(struct netvsp *n, struct net_switch *sw)
{
	int err = net_switch_attach(sw, &n->port);

	n->rndis.link_up = err == 0;
	return err;
}

int netvsp_attach(struct netvsp *n, struct vmbus *bus)
{
	return vmbus_channel_add(bus, &n->queues[0].ch);
}

void netvsp_set_link(struct netvsp *n, bool up)
{
	uint8_t message[RNDIS_REPLY_MAX];
	uint32_t len;

	spin_lock(&n->lock);
	if (!n->port.sw || n->rndis.link_up == up) {
		spin_unlock(&n->lock);
		return;
	}
	len = rndis_indicate_link(&n->rndis, up, message);
	if (len > 0) {
		netvsp_rx_control(n, message, len);
	}
	spin_unlock(&n->lock);
	channel_kick(&n->queues[0].ch);
}

static void init_queue(struct netvsp *n, uint32_t i, uint64_t mac)
{
	static const struct guid type = GUID(0xf8615163, 0xdf3e, 0x46c5, 0x913f, 0xf2d2f965ed0e);
	struct netvsp_queue *q = &n->queues[i];

	q->n = n;
	q->index = i;
	q->ch.ops = &ops;
	q->ch.device = q;
	q->ch.packet_buf = q->packet_buf;
	q->ch.packet_buf_len = sizeof(q->packet_buf);
	q->ch.offer = (struct vmbus_offer){
	        .name = "Synthetic network adapter",
	        .type = type,
	        .instance = type,
	        .flags = VMBUS_OFFER_ENUMERATE,
	        .sub_index = (uint16_t)i,
	};
	/* The address tells adapters of a machine apart, and is as stable as it. */
	net_mac_bytes(mac, q->ch.offer.instance.b + 10);
}

void netvsp_init(struct netvsp *n, struct vm *vm, const char *owner, uint32_t number, uint64_t mac,
        uint32_t n_queues)
{
	memset(n, 0, sizeof(*n));
	n->vm = vm;
	n->n_queues = n_queues;
	n->port.ops = &netvsp_port_ops;
	n->port.owner = owner;
	n->port.number = number;
	n->port.mac = mac;
	rndis_init(&n->rndis, mac);
	for (uint32_t i = 0; i < n_queues; i++) {
		init_queue(n, i, mac);
	}
	netvsp_rx_end(n);
}
