// SPDX-License-Identifier: BSD-2-Clause
// The synthetic network adapter's conversation: version, buffers, sub-channels.
// Specs: Linux drivers/net/hyperv/netvsc.c "negotiate_nvsp_ver", "netvsc_init_buf",
// "netvsc_send_completion" for which answers are waited for, and how long they must be;
// rndis_filter.c "rndis_set_subchannel".
#include "devices/backend/net_switch.h"
#include "vmbus/netvsp.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* What we speak, the best first. */
static const uint32_t versions[] = {NVSP_VERSION_61, NVSP_VERSION_6, NVSP_VERSION_5, NVSP_VERSION_4,
        NVSP_VERSION_2, NVSP_VERSION_1};

static void negotiate(struct netvsp *n, const uint8_t *m, uint8_t *reply)
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
		n->rndis.queues = found >= NVSP_VERSION_5 ? n->n_queues : 1;
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

/* --- buffers --- */

static void wait_for_subs(struct netvsp *n)
{
	for (uint32_t i = 1; i <= n->granted; i++) {
		channel_wait(&n->queues[i].ch);
	}
}

static void set_receive_buffer(struct netvsp *n, const uint8_t *m, uint8_t *reply)
{
	struct vmbus_channel *ch = &n->queues[0].ch;
	struct gpadl *g = NULL;
	bool ok = false;

	if (n->version != 0 && !n->rx.gpadl) {
		g = channel_gpadl_hold(ch, get_le32(m + 4));
	}
	if (g) {
		spin_lock(&n->lock);
		ok = netvsp_rx_begin(n, g, (uint16_t)get_le16(m + 8));
		spin_unlock(&n->lock);
	}
	if (g && !ok) {
		channel_gpadl_release(ch, g);
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

void netvsp_drop_receive_buffer(struct netvsp *n)
{
	struct gpadl *g;

	spin_lock(&n->lock);
	g = n->rx.gpadl;
	netvsp_rx_end(n);
	spin_unlock(&n->lock);
	if (g) {
		wait_for_subs(n);
		channel_gpadl_release(&n->queues[0].ch, g);
	}
}

static void set_send_buffer(struct netvsp *n, const uint8_t *m, uint8_t *reply)
{
	struct vmbus_channel *ch = &n->queues[0].ch;
	struct gpadl *g = NULL;

	if (n->version != 0 && !n->send_buffer) {
		g = channel_gpadl_hold(ch, get_le32(m + 4));
	}
	if (g && g->len < NETVSP_SECTION) {
		channel_gpadl_release(ch, g);
		g = NULL;
	}
	put_le32(reply, NVSP_SEND_SEND_BUF_COMPLETE);
	put_le32(reply + 4, g ? NVSP_SUCCESS : NVSP_FAILURE);
	put_le32(reply + 8, NETVSP_SECTION);
	if (g) {
		__atomic_store_n(&n->send_buffer, g, __ATOMIC_RELEASE);
	}
}

void netvsp_drop_send_buffer(struct netvsp *n)
{
	struct gpadl *g = __atomic_exchange_n(&n->send_buffer, NULL, __ATOMIC_SEQ_CST);

	if (g) {
		wait_for_subs(n);
		channel_gpadl_release(&n->queues[0].ch, g);
	}
}

/* --- sub-channels --- */

/* Linux waits without end until as many are offered as it is told here. */
static void grant(struct netvsp *n, const uint8_t *m, uint8_t *reply)
{
	uint32_t wanted = get_le32(m + 8), most = n->n_queues - 1;
	bool ok =
	        n->version >= NVSP_VERSION_5 && n->granted == 0 && get_le32(m + 4) == NVSP_ALLOCATE;

	if (ok) {
		n->granted = wanted < most ? wanted : most;
		for (uint32_t i = 1; i <= n->granted; i++) {
			if (!channel_add_sub(&n->queues[0].ch, &n->queues[i].ch)) {
				n->granted = i - 1;
			}
		}
		ok = n->granted > 0;
	}
	put_le32(reply, NVSP_SUBCHANNEL);
	put_le32(reply + 4, ok ? NVSP_SUCCESS : NVSP_FAILURE);
	put_le32(reply + 8, ok ? n->granted : 0);
}

/* All that it has, in turn. */
void netvsp_send_table(struct netvsp *n)
{
	uint8_t message[NVSP_TABLE_SIZE] = {0};
	bool due;

	spin_lock(&n->lock);
	due = n->send_table_due;
	spin_unlock(&n->lock);
	if (!due) {
		return;
	}
	put_le32(message, NVSP_SEND_TABLE);
	put_le32(message + 4, NVSP_TABLE_LEN);
	put_le32(message + 8, NVSP_TABLE_OFFSET);
	for (uint32_t i = 0; i < NVSP_TABLE_LEN; i++) {
		put_le32(message + NVSP_TABLE_OFFSET + 4 * i, i % (1 + n->granted));
	}
	if (channel_send(&n->queues[0].ch, 0, false, message, sizeof(message)) == -EAGAIN) {
		return; /* work() is called again when there is room */
	}
	spin_lock(&n->lock);
	n->send_table_due = false;
	spin_unlock(&n->lock);
}

/* --- requests by RNDIS --- */

static void add_traffic(struct net_traffic *sum, const struct net_traffic *t)
{
	for (unsigned i = 0; i < NET_KINDS; i++) {
		sum->frames[i] += __atomic_load_n(&t->frames[i], __ATOMIC_RELAXED);
		sum->bytes[i] += __atomic_load_n(&t->bytes[i], __ATOMIC_RELAXED);
	}
}

/* For those who ask for statistics. */
static void sum_up_locked(struct netvsp *n)
{
	struct rndis_counters *c = &n->rndis.counters;

	*c = (struct rndis_counters){
	        .in = n->stats.in,
	        .in_no_buffer = n->stats.no_slot,
	        .in_errors = n->stats.too_long,
	};
	for (uint32_t i = 0; i < n->n_queues; i++) {
		const struct netvsp_queue *q = &n->queues[i];

		add_traffic(&c->out, &q->stats.out);
		c->out_errors += __atomic_load_n(&q->stats.bad_packets, __ATOMIC_RELAXED);
	}
}

void netvsp_control(struct netvsp *n, uint32_t len)
{
	uint8_t reply[RNDIS_REPLY_MAX];
	uint64_t mac;

	n->control++;
	spin_lock(&n->lock);
	sum_up_locked(n);
	len = rndis_request(&n->rndis, n->request, len, reply);
	mac = n->rndis.wanted_mac;
	spin_unlock(&n->lock);
	if (mac) {
		/* The switch's lock is not taken within the adapter's; the channel's keeps other
		 * requests out. */
		bool ok = net_switch_set_mac(&n->port, mac) == 0;

		spin_lock(&n->lock);
		rndis_mac_answer(&n->rndis, ok, reply);
		spin_unlock(&n->lock);
	}
	spin_lock(&n->lock);
	__atomic_store_n(&n->port.takes_large, rndis_takes_large(&n->rndis), __ATOMIC_RELAXED);
	if (len > 0) {
		netvsp_rx_control(n, reply, len);
	}
	spin_unlock(&n->lock);
}

/* --- messages --- */

uint32_t netvsp_set_up(
        struct netvsp *n, const uint8_t m[NVSP_MESSAGE_SIZE], uint8_t reply[NVSP_MESSAGE_SIZE])
{
	switch (get_le32(m)) {
	case NVSP_INIT:
		negotiate(n, m, reply);
		return NVSP_MESSAGE_SIZE;
	case NVSP_SEND_RECV_BUF:
		set_receive_buffer(n, m, reply);
		return NVSP_MESSAGE_SIZE;
	case NVSP_SEND_SEND_BUF:
		set_send_buffer(n, m, reply);
		return NVSP_MESSAGE_SIZE;
	case NVSP_SUBCHANNEL:
		grant(n, m, reply);
		return NVSP_MESSAGE_SIZE;
	case NVSP_REVOKE_RECV_BUF:
		netvsp_drop_receive_buffer(n);
		return 0;
	case NVSP_REVOKE_SEND_BUF:
		netvsp_drop_send_buffer(n);
		return 0;
	case NVSP_SEND_NDIS_CONFIG:
		set_config(n, m);
		return 0;
	default:
		/* The rest needs no answer but its completion; Linux waits for that of
		 * NVSP_SWITCH_DATA_PATH, and wants it empty. */
		return 0;
	}
}
