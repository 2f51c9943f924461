// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: one guest says anything to its network adapter, and another one must not
// notice: both adapters' slots stay consistent, and frames still come through.
#include "tests/fuzz/fuzz.h"
#include "tests/net_world.h"

struct guest guests[GUESTS];

static const uint8_t *at, *end;

static uint32_t take(unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n && at < end; i++) {
		v |= (uint32_t)*at++ << 8 * i;
	}
	return v;
}

/* The usual beginning, so that the rest finds an adapter that works. */
static void set_up(unsigned i)
{
	struct guest *g = &guests[i];
	uint8_t m[32] = {RNDIS_INITIALIZE, 0, 0, 0, 24};
	struct wire_packet *w;

	FUZZ_CHECK(channel_of(i, 0)->ops->open(channel_of(i, 0), NULL) == 0);
	put_words(i, true, NVSP_INIT, NVSP_VERSION_61, NVSP_VERSION_61, 0);
	put_words(i, true, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe, 0);
	put_words(i, true, NVSP_SEND_SEND_BUF, 0xe1e11, 0, 0);
	write_buffer(&g->send, 0, m, 24);
	w = put_words(i, true, NVSP_SEND_RNDIS, 1, 0, 24);
	(void)w;
	run(i);
	memset(m, 0, sizeof(m));
	put_le32(m, RNDIS_SET);
	put_le32(m + 4, 32);
	put_le32(m + 12, OID_GEN_CURRENT_PACKET_FILTER);
	put_le32(m + 16, 4);
	put_le32(m + 20, 20);
	put_le32(m + 28, 0xd);
	write_buffer(&g->send, 0, m, 32);
	put_words(i, true, NVSP_SEND_RNDIS, 1, 0, 32);
	run(i);
	give_back(i);
}

static void check_slots(const struct guest *g)
{
	const struct netvsp_rx *rx = &g->n.rx;
	uint32_t n_free = 0, n_queued = 0;

	FUZZ_CHECK(g->holds == (rx->gpadl != NULL) + (g->n.send_buffer != NULL));
	if (!rx->gpadl) {
		return;
	}
	FUZZ_CHECK((uint64_t)rx->n_slots * rx->slot_size <= rx->gpadl->len);
	for (uint32_t i = rx->free; i != NETVSP_NONE; i = rx->slots[i].next) {
		FUZZ_CHECK(i < rx->n_slots && rx->slots[i].state == SLOT_FREE);
		FUZZ_CHECK(++n_free <= rx->n_slots);
	}
	FUZZ_CHECK(n_free == rx->n_free);
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		uint32_t i = g->n.queues[q].head;

		FUZZ_CHECK(i == NETVSP_NONE || g->n.queues[q].is_open);
		for (; i != NETVSP_NONE; i = rx->slots[i].next) {
			FUZZ_CHECK(i < rx->n_slots && rx->slots[i].state == SLOT_QUEUED);
			FUZZ_CHECK(rx->slots[i].queue == q);
			FUZZ_CHECK(++n_queued <= rx->n_slots);
		}
	}
}

/* Bytes of the input into the send buffer, and a packet that names them, in one form or another. */
static void send_something(void)
{
	struct guest *g = &guests[0];
	uint8_t m[NVSP_MESSAGE_SIZE] = {NVSP_SEND_RNDIS};
	unsigned q = take(1) % WORLD_QUEUES;
	uint32_t how = take(1), n = take(2), section = how & 1 ? take(4) : take(1) % 170;
	uint32_t size = how & 16 ? take(4) : n, split = take(1);
	struct wire_packet *w;
	uint8_t *copy;

	n = n < (uint32_t)(end - at) ? n : (uint32_t)(end - at);
	n = n < NETVSP_SECTION ? n : NETVSP_SECTION;
	if (section < 170) {
		write_buffer(&g->send, section * NETVSP_SECTION, at, n);
	}
	put_le32(m + 4, how >> 2 & 1);
	put_le32(m + 8, how & 8 ? NVSP_NO_SECTION : section);
	put_le32(m + 12, size);
	q = channel_of(0, q)->ops && guests[0].n.queues[q].is_open ? q : 0;
	w = put_by(0, q, RING_PACKET_INBAND, m, sizeof(m), how & 2);
	copy = malloc(n ? n : 1);
	memcpy(copy, at, n);
	at += n;
	if (how & 32 && n > 1) {
		split = 1 + split % (n - 1);
		w->type = RING_PACKET_GPA_DIRECT;
		w->n_segs = 2;
		w->segs[0] = (struct io_seg){.hva = copy, .len = split};
		w->segs[1] = (struct io_seg){.hva = copy + split, .len = n - split};
	}
	run(0);
	free(copy);
}

/* The bus opens those that were asked for, and closes them before their primary. */
static void open_or_close_sub(unsigned q)
{
	struct vmbus_channel *ch = channel_of(0, q);

	if (guests[0].n.queues[q].is_open) {
		ch->ops->close(ch);
	} else if (guests[0].q[q].added) {
		FUZZ_CHECK(ch->ops->open(ch, NULL) == 0);
	}
}

/* A table and a key of the input; the frames of others are spread by them. */
static void set_scaling(void)
{
	uint32_t n = 1U << take(1) % 8, len = 44 + 4 * n + RSS_KEY_LEN;
	uint8_t m[28 + 44 + 4 * RSS_TABLE_MAX + RSS_KEY_LEN] = {RNDIS_SET};
	uint8_t *p = m + 28;

	put_le32(m + 4, 28 + len);
	put_le32(m + 12, OID_GEN_RECEIVE_SCALE_PARAMETERS);
	put_le32(m + 16, len);
	put_le32(m + 20, 20);
	put_le16(p + 4, take(1));
	put_le32(p + 8, RSS_TOEPLITZ | take(1) << 8);
	put_le16(p + 12, 4 * n);
	put_le32(p + 16, 44);
	put_le16(p + 20, RSS_KEY_LEN);
	put_le32(p + 24, 44 + 4 * n);
	for (uint32_t i = 0; i < n; i++) {
		put_le32(p + 44 + 4 * i, take(1) % (WORLD_QUEUES + 1));
	}
	for (uint32_t i = 0; i < RSS_KEY_LEN; i++) {
		p[44 + 4 * n + i] = (uint8_t)take(1);
	}
	write_buffer(&guests[0].send, 0, m, 28 + len);
	put_words(0, true, NVSP_SEND_RNDIS, 1, 0, 28 + len);
	run(0);
}

/* One more frame for the hostile guest, with addresses and ports. */
static void send_to_it(void)
{
	uint8_t m[44 + 64] = {RNDIS_PACKET};

	put_le32(m + 4, sizeof(m));
	put_le32(m + 8, 36);
	put_le32(m + 12, 64);
	net_mac_bytes(guests[0].n.port.mac, m + 44);
	net_mac_bytes(guests[2].n.port.mac, m + 50);
	memcpy(m + 56, "\x08\0\x45\0\0\x32\0\0\0\0\x40\x06", 12);
	put_le32(m + 44 + 26, take(4));
	put_le32(m + 44 + 34, take(4));
	m[44 + 46] = 0x50;
	write_buffer(&guests[2].send, 0, m, sizeof(m));
	put_words(2, true, NVSP_SEND_RNDIS, 0, 0, sizeof(m));
	run(2);
	give_back(2);
}

static void begin_anew(void)
{
	for (unsigned q = 1; q < WORLD_QUEUES; q++) {
		if (guests[0].n.queues[q].is_open) {
			open_or_close_sub(q);
		}
		guests[0].q[q].added = false;
	}
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	set_up(0);
}

static void one_step(void)
{
	struct guest *g = &guests[0];
	uint8_t m[NVSP_MESSAGE_SIZE] = {0};
	uint32_t n;

	switch (take(1) % 12) {
	case 0: /* any message */
		n = take(1) % (sizeof(m) + 1);
		for (uint32_t i = 0; i < n; i++) {
			m[i] = (uint8_t)take(1);
		}
		put(0,
		        (enum ring_packet_type)(
		                take(1) & 1 ? RING_PACKET_INBAND : RING_PACKET_XFER_PAGES),
		        m, n, take(1) & 1);
		break;
	case 1: /* a message with the numbers that mean something */
		put_words(0, true, 100 + take(1) % 34, take(1) & 1 ? 0xe1e10 : 0xe1e11, take(4),
		        take(4));
		break;
	case 2:
		n = take(1) % WORLD_QUEUES;
		n = g->n.queues[n].is_open ? n : 0;
		put_by(0, n, RING_PACKET_COMPLETION, m, 8, false)->trans_id = take(2);
		break;
	case 3:
		give_back(0);
		break;
	case 4:
		channel_of(0, 0)->ops->gpadl_gone(
		        channel_of(0, 0), take(1) & 1 ? &g->recv.g : &g->send.g);
		break;
	case 5:
		begin_anew();
		break;
	case 6:
		put_words(0, true, NVSP_SUBCHANNEL, NVSP_ALLOCATE, take(1), 0);
		break;
	case 8:
		set_scaling();
		break;
	case 9:
		send_to_it();
		break;
	case 7:
		open_or_close_sub(1 + take(1) % (WORLD_QUEUES - 1));
		break;
	default:
		send_something();
		break;
	}
	run(0);
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		if (g->q[q].n_out > QUEUE / 2) {
			give_back(0);
		}
	}
	run(1);
	if (guests[1].q[0].n_out > QUEUE / 4) {
		give_back(1);
	}
}

/* From the second guest to the first's neighbour: nobody can have taken that from it. */
static void check_neighbour(void)
{
	uint8_t m[200] = {0};

	give_back(1);
	give_back(1);
	FUZZ_CHECK(guests[1].n.rx.n_free == guests[1].n.rx.n_slots);
	put_le32(m, RNDIS_PACKET);
	put_le32(m + 4, 120);
	put_le32(m + 8, 36);
	put_le32(m + 12, 70);
	net_mac_bytes(guests[1].n.port.mac, m + 44);
	net_mac_bytes(guests[2].n.port.mac, m + 50);
	write_buffer(&guests[2].send, 0, m, 120);
	put_words(2, true, NVSP_SEND_RNDIS, 0, 0, 120);
	run(2);
	run(1);
	FUZZ_CHECK(guests[1].q[0].n_out == 1 && guests[1].q[0].out[0].ranges[0].len == 44 + 70);
	give_back(1);
	give_back(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct net_switch *sw;

	at = data;
	end = data + len;
	net_switch_reset();
	sw = net_switch_make("sw", net_now);
	for (unsigned i = 0; i < GUESTS; i++) {
		if (!guests[i].recv.pages[0]) {
			make_guest(i, NULL, 32);
		}
		guests[i].holds = 0;
		for (unsigned q = 0; q < WORLD_QUEUES; q++) {
			struct end *e = &guests[i].q[q];

			e->n_in = e->next_in = e->n_out = 0;
			e->room = QUEUE;
			e->added = false;
		}
		netvsp_init(&guests[i].n, &net_vm, "test", i, 0x020000000001 + i, WORLD_QUEUES);
		FUZZ_CHECK(netvsp_connect(&guests[i].n, sw) == 0);
		set_up(i);
	}
	for (unsigned n = 0; n < 64 && at < end; n++) {
		one_step();
		check_slots(&guests[0]);
		check_slots(&guests[1]);
	}
	check_neighbour();
	return 0;
}
