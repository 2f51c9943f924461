// SPDX-License-Identifier: BSD-2-Clause
// The synthetic network adapter: its life on the bus, and the conversation that sets it up.
// Specs: Linux drivers/net/hyperv/netvsc.c "negotiate_nvsp_ver", "netvsc_init_buf",
// "netvsc_send_completion" for which answers are waited for, and how long they must be.
#include "vmbus/netvsp.h"
#include "devices/backend/net_switch.h"
#include "vmbus/nvsp_wire.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

/* What we speak, the best first. */
static const uint32_t versions[] = {NVSP_VERSION_61, NVSP_VERSION_6, NVSP_VERSION_5, NVSP_VERSION_4,
        NVSP_VERSION_2, NVSP_VERSION_1};

/* --- the conversation --- */

static void complete(
        struct netvsp *n, const struct vmbus_packet *packet, const void *p, uint32_t len)
{
	int err = 0;

	if (packet->wants_completion) {
		err = channel_complete(&n->ch, packet->trans_id, p, len);
	}
	/* There is room, as on_work() looked before it took the packet; and who has broken the ring
	 * waits for nothing. */
	(void)err;
}

static void negotiate(struct netvsp *n, const uint8_t *m, uint8_t reply[NVSP_MESSAGE_SIZE])
{
	uint32_t min = get_le32(m + 4), max = get_le32(m + 8), found = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(versions) && !found; i++) {
		if (versions[i] >= min && versions[i] <= max) {
			found = versions[i];
		}
	}
	put_le32(reply, NVSP_INIT_COMPLETE);
	put_le32(reply + 4, found);
	put_le32(reply + 8, NVSP_MDL_CHAIN);
	if (n->version != 0) {
		put_le32(reply + 12, NVSP_FAILURE); /* agreed already */
	} else if (!found) {
		put_le32(reply + 12, min > versions[0] ? NVSP_TOO_NEW : NVSP_TOO_OLD);
	} else {
		put_le32(reply + 12, NVSP_SUCCESS);
		n->version = found;
		spin_lock(&n->lock);
		n->rndis.rsc_offered = found >= NVSP_VERSION_61;
		spin_unlock(&n->lock);
	}
}

/* The MTU decides how long a slot is, so it comes before the receive buffer. */
static void set_config(struct netvsp *n, const uint8_t *m)
{
	uint32_t frame = get_le32(m + 4);

	spin_lock(&n->lock);
	if (!n->rx.gpadl && n->version != 0 && frame > NET_ETH_LEN) {
		n->rndis.mtu = frame - NET_ETH_LEN;
		if (n->rndis.mtu > NET_MTU_MAX) {
			n->rndis.mtu = NET_MTU_MAX;
		}
	}
	spin_unlock(&n->lock);
}

static void set_receive_buffer(struct netvsp *n, const uint8_t *m, uint8_t reply[NVSP_MESSAGE_SIZE])
{
	struct gpadl *g = NULL;
	bool ok = false;

	if (n->version != 0 && !n->rx.gpadl) {
		g = channel_gpadl_hold(&n->ch, get_le32(m + 4));
	}
	if (g) {
		spin_lock(&n->lock);
		ok = netvsp_rx_begin(n, g, (uint16_t)get_le16(m + 8));
		spin_unlock(&n->lock);
	}
	if (g && !ok) {
		channel_gpadl_release(&n->ch, g);
	}
	put_le32(reply, NVSP_SEND_RECV_BUF_COMPLETE);
	put_le32(reply + 4, ok ? NVSP_SUCCESS : NVSP_FAILURE);
	if (ok) {
		put_le32(reply + 8, 1); /* section: offset 0, size and number of slots, end */
		put_le32(reply + 16, n->rx.slot_size);
		put_le32(reply + 20, n->rx.n_slots);
		put_le32(reply + 24, n->rx.slot_size * n->rx.n_slots);
	}
}

static void drop_receive_buffer(struct netvsp *n)
{
	struct gpadl *g;

	spin_lock(&n->lock);
	g = n->rx.gpadl;
	netvsp_rx_end(n);
	spin_unlock(&n->lock);
	if (g) {
		channel_gpadl_release(&n->ch, g);
	}
}

static void set_send_buffer(struct netvsp *n, const uint8_t *m, uint8_t reply[NVSP_MESSAGE_SIZE])
{
	struct gpadl *g = NULL;

	if (n->version != 0 && !n->send_buffer) {
		g = channel_gpadl_hold(&n->ch, get_le32(m + 4));
	}
	if (g && g->len < NETVSP_SECTION) {
		channel_gpadl_release(&n->ch, g);
		g = NULL;
	}
	put_le32(reply, NVSP_SEND_SEND_BUF_COMPLETE);
	put_le32(reply + 4, g ? NVSP_SUCCESS : NVSP_FAILURE);
	put_le32(reply + 8, NETVSP_SECTION);
	if (g) {
		n->send_buffer = g;
	}
}

static void drop_send_buffer(struct netvsp *n)
{
	struct gpadl *g = n->send_buffer;

	n->send_buffer = NULL;
	if (g) {
		channel_gpadl_release(&n->ch, g);
	}
}

/* Anything but frames and what they bring along. */
static void set_up(struct netvsp *n, const struct vmbus_packet *packet, uint32_t type)
{
	uint8_t message[NVSP_MESSAGE_SIZE] = {0}, reply[NVSP_MESSAGE_SIZE] = {0};
	uint32_t len = packet->payload_len, reply_len = sizeof(reply);

	/* What the guest leaves out is zero. */
	memcpy(message, packet->payload, len < sizeof(message) ? len : sizeof(message));
	switch (type) {
	case NVSP_INIT:
		negotiate(n, message, reply);
		break;
	case NVSP_SEND_RECV_BUF:
		set_receive_buffer(n, message, reply);
		break;
	case NVSP_SEND_SEND_BUF:
		set_send_buffer(n, message, reply);
		break;
	case NVSP_SUBCHANNEL:
		put_le32(reply, NVSP_SUBCHANNEL);
		put_le32(reply + 4, NVSP_FAILURE);
		break;
	case NVSP_REVOKE_RECV_BUF:
		drop_receive_buffer(n);
		reply_len = 0;
		break;
	case NVSP_REVOKE_SEND_BUF:
		drop_send_buffer(n);
		reply_len = 0;
		break;
	case NVSP_SEND_NDIS_CONFIG:
		set_config(n, message);
		reply_len = 0;
		break;
	default:
		/* The rest needs no answer but its completion; Linux waits for that of
		 * NVSP_SWITCH_DATA_PATH, and wants it empty. */
		reply_len = 0;
		break;
	}
	complete(n, packet, reply, reply_len);
}

static void handle(struct netvsp *n, const struct vmbus_packet *packet)
{
	uint8_t reply[8];
	uint32_t type = 0;

	if (packet->type == RING_PACKET_COMPLETION) {
		spin_lock(&n->lock);
		netvsp_rx_complete(n, packet->trans_id);
		spin_unlock(&n->lock);
		return;
	}
	if (packet->payload_len >= 4) {
		type = get_le32(packet->payload);
	}
	if (type != NVSP_SEND_RNDIS) {
		set_up(n, packet, type);
		return;
	}
	put_le32(reply, NVSP_SEND_RNDIS_COMPLETE);
	put_le32(reply + 4, netvsp_transmit(n, packet) ? NVSP_SUCCESS : NVSP_FAILURE);
	complete(n, packet, reply, sizeof(reply));
}

/* --- the channel's --- */

static struct netvsp *of(const struct vmbus_channel *ch)
{
	return ch->device;
}

static void forget(struct netvsp *n)
{
	drop_receive_buffer(n);
	drop_send_buffer(n);
	n->version = 0;
	spin_lock(&n->lock);
	rndis_reset(&n->rndis);
	n->rx.kicked = false;
	__atomic_store_n(&n->port.takes_large, false, __ATOMIC_RELAXED);
	spin_unlock(&n->lock);
}

static int on_open(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA])
{
	(void)user;
	forget(of(ch));
	return 0;
}

static void on_close(struct vmbus_channel *ch)
{
	forget(of(ch));
}

static bool on_work(struct vmbus_channel *ch, unsigned budget)
{
	struct netvsp *n = of(ch);
	struct vmbus_packet packet;
	unsigned left = budget;
	bool more;

	more = netvsp_rx_send(n, budget);
	while (left > 0 && channel_has_room(ch, NVSP_MESSAGE_SIZE, 0) &&
	        channel_receive(ch, &packet) > 0) {
		uint32_t cost;

		n->handed = 0;
		handle(n, &packet);
		cost = 1 + n->handed / NETVSP_TURN;
		left = cost < left ? left - cost : 0;
	}
	/* Answers to what has just come, and frames that came meanwhile. */
	return netvsp_rx_send(n, budget) || more || left == 0;
}

static void on_gpadl_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	struct netvsp *n = of(ch);

	if (g == n->rx.gpadl) {
		drop_receive_buffer(n);
	}
	if (g == n->send_buffer) {
		drop_send_buffer(n);
	}
}

static void on_dump(const struct vmbus_channel *ch, struct out *out)
{
	const struct netvsp *n = of(ch);
	const struct netvsp_stats *s = &n->stats;
	uint8_t mac[NET_MAC_LEN];

	net_mac_bytes(n->rndis.mac, mac);
	out_print(out, "NVSP %u.%u, %02x:%02x:%02x:%02x:%02x:%02x, link %s, MTU %u, filter %#x\n",
	        n->version >> 16, n->version & 0xffff, mac[0], mac[1], mac[2], mac[3], mac[4],
	        mac[5], n->rndis.link_up ? "up" : "down", n->rndis.mtu, n->rndis.filter);
	out_print(out, "  receive buffer: %u of %u slots free, %u bytes each\n", n->rx.n_free,
	        n->rx.n_slots, n->rx.slot_size);
	out_print(out, "  sent: %llu packets, %llu requests, %llu malformed; %llu answers lost\n",
	        (unsigned long long)s->packets, (unsigned long long)s->control,
	        (unsigned long long)(s->bad_packets + s->bad_completions),
	        (unsigned long long)s->unanswered);
	out_print(out,
	        "  received: %llu packets; %llu large frames; dropped: %llu no slot, %llu too "
	        "long, %llu not wanted\n",
	        (unsigned long long)s->batches, (unsigned long long)s->large,
	        (unsigned long long)s->no_slot, (unsigned long long)s->too_long,
	        (unsigned long long)s->filtered);
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
	channel_kick(&n->ch);
}

void netvsp_init(struct netvsp *n, struct vm *vm, const char *owner, uint32_t number, uint64_t mac)
{
	static const struct guid type = GUID(0xf8615163, 0xdf3e, 0x46c5, 0x913f, 0xf2d2f965ed0e);

	memset(n, 0, sizeof(*n));
	n->vm = vm;
	n->ch.ops = &ops;
	n->ch.device = n;
	n->ch.packet_buf = n->packet_buf;
	n->ch.packet_buf_len = sizeof(n->packet_buf);
	n->ch.offer = (struct vmbus_offer){
	        .name = "Synthetic network adapter",
	        .type = type,
	        .flags = VMBUS_OFFER_ENUMERATE,
	};
	/* The address tells adapters of a machine apart, and is as stable as it. */
	n->ch.offer.instance = type;
	net_mac_bytes(mac, n->ch.offer.instance.b + 10);
	n->port.ops = &netvsp_port_ops;
	n->port.owner = owner;
	n->port.number = number;
	n->port.mac = mac;
	rndis_init(&n->rndis, mac);
	netvsp_rx_end(n);
}
