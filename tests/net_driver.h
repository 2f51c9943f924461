/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's driver for the network adapter: sets it up as Linux does, sends frames in each form
 * that a driver sends in, and looks at those it gets.
 */
#ifndef TESTS_NET_DRIVER_H
#define TESTS_NET_DRIVER_H

#include "tests/net_world.h"
#include "tests/unit.h"

struct guest guests[GUESTS];
static struct test_frame t;
static uint8_t flat[TEST_FRAME_MAX];

#define RECV_PAGES 512U /* 1024 slots of the usual size */

/* The last thing a guest was sent. */
static inline const struct sent_packet *last(unsigned i)
{
	ck_assert_uint_gt(guests[i].q[0].n_out, 0);
	return &guests[i].q[0].out[guests[i].q[0].n_out - 1];
}

static inline uint32_t word(const struct sent_packet *s, unsigned at)
{
	return get_le32(s->payload + 4 * at);
}

/* An NVSP request that is answered. */
static inline const struct sent_packet *ask(unsigned i, uint32_t type, uint32_t a, uint32_t b)
{
	const struct wire_packet *w = put_words(i, true, type, a, b, 0);
	uint64_t id = w->trans_id;

	run(i);
	ck_assert_uint_eq(last(i)->trans_id, id);
	ck_assert_int_eq(last(i)->type, RING_PACKET_COMPLETION);
	return last(i);
}

/* An RNDIS request in memory of the guest; its answer is put into flat, and is returned. */
static inline uint32_t control(unsigned i, const void *message, uint32_t len)
{
	struct guest *g = &guests[i];
	struct wire_packet *w = put_words(i, true, NVSP_SEND_RNDIS, 1, NVSP_NO_SECTION, 0);
	unsigned before = g->q[0].n_out;
	const struct sent_packet *s;

	w->type = RING_PACKET_GPA_DIRECT;
	w->segs[0] = (struct io_seg){.hva = malloc(len), .len = len};
	w->n_segs = 1;
	memcpy(w->segs[0].hva, message, len);
	run(i);
	free(w->segs[0].hva);
	ck_assert_uint_eq(word(&g->q[0].out[before], 0), NVSP_SEND_RNDIS_COMPLETE);
	ck_assert_uint_eq(word(&g->q[0].out[before], 1), NVSP_SUCCESS);
	if (g->q[0].n_out == before + 1) {
		return 0;
	}
	s = last(i);
	ck_assert_int_eq(s->type, RING_PACKET_XFER_PAGES);
	ck_assert_uint_eq(s->len, 16);
	ck_assert_uint_eq(word(s, 0), NVSP_SEND_RNDIS);
	ck_assert_uint_eq(word(s, 1), 1);
	ck_assert_uint_eq(s->pageset, 0xcafe);
	ck_assert_uint_eq(s->n_ranges, 1);
	read_buffer(&g->recv, s->ranges[0].offset, flat, s->ranges[0].len);
	return s->ranges[0].len;
}

/* An RNDIS query or setting; returns the status. */
static inline uint32_t oid(unsigned i, uint32_t type, uint32_t id, const void *info, uint32_t len)
{
	uint8_t m[RNDIS_REQUEST_MAX] = {0};

	put_le32(m, type);
	put_le32(m + 4, 28 + len);
	put_le32(m + 8, 5);
	put_le32(m + 12, id);
	put_le32(m + 16, len);
	put_le32(m + 20, 20);
	memcpy(m + 28, info, len);
	ck_assert_uint_ge(control(i, m, 28 + len), 16);
	ck_assert_uint_eq(get_le32(flat), type | RNDIS_COMPLETION);
	return get_le32(flat + 12);
}

/* As Linux does it, up to the link. */
static inline void set_up(unsigned i, uint32_t version, uint32_t mtu, bool large)
{
	uint8_t m[32] = {0};
	const struct sent_packet *s;
	struct guest *g = &guests[i];

	ck_assert_int_eq(channel_of(i, 0)->ops->open(channel_of(i, 0), NULL), 0);
	s = ask(i, NVSP_INIT, version, version);
	ck_assert_uint_eq(s->len, 40);
	ck_assert_uint_eq(word(s, 0), NVSP_INIT_COMPLETE);
	ck_assert_uint_eq(word(s, 1), version);
	ck_assert_uint_eq(word(s, 3), NVSP_SUCCESS);
	if (version > NVSP_VERSION_1) {
		put_words(i, false, NVSP_SEND_NDIS_CONFIG, mtu + 14, 0, 8);
	}
	put_words(i, false, NVSP_SEND_NDIS_VERSION, 6, 0x1e, 0);
	s = ask(i, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe);
	ck_assert_uint_eq(word(s, 0), NVSP_SEND_RECV_BUF_COMPLETE);
	ck_assert_uint_eq(word(s, 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(s, 2), 1);
	ck_assert_uint_eq(word(s, 3), 0);
	ck_assert_uint_ge(word(s, 4), 68);
	ck_assert_uint_ge(word(s, 4), mtu + 14 + 44);
	ck_assert_uint_le(word(s, 4) * word(s, 5), g->recv.g.len);
	s = ask(i, NVSP_SEND_SEND_BUF, 0xe1e11, 0);
	ck_assert_uint_eq(word(s, 0), NVSP_SEND_SEND_BUF_COMPLETE);
	ck_assert_uint_eq(word(s, 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(s, 2), NETVSP_SECTION);
	put_le32(m, RNDIS_INITIALIZE);
	put_le32(m + 4, 24);
	put_le32(m + 8, 1);
	put_le32(m + 12, 1);
	ck_assert_uint_eq(control(i, m, 24), 52);
	ck_assert_uint_eq(get_le32(flat + 12), 0);
	ck_assert_uint_eq(oid(i, RNDIS_QUERY, OID_GEN_MAXIMUM_FRAME_SIZE, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), mtu);
	ck_assert_uint_eq(oid(i, RNDIS_QUERY, OID_802_3_PERMANENT_ADDRESS, "", 0), 0);
	ck_assert_uint_eq(net_mac(flat + 24), 0x020000000001 + i);
	memset(m, 0, sizeof(m));
	m[22] = m[23] = large ? 2 : 1;
	ck_assert_uint_eq(oid(i, RNDIS_SET, OID_TCP_OFFLOAD_PARAMETERS, m, 28), 0);
	put_le32(m, 0xd);
	ck_assert_uint_eq(oid(i, RNDIS_SET, OID_GEN_CURRENT_PACKET_FILTER, m, 4), 0);
	give_back(i);
	ck_assert_uint_eq(g->n.rx.n_free, g->n.rx.n_slots);
	ck_assert_uint_eq(g->q[0].n_out, 0);
}

static inline void world(uint32_t mtu, bool large)
{
	struct net_switch *sw;

	net_switch_reset();
	sw = net_switch_make("sw", net_now);
	free_world();
	memset(guests, 0, sizeof(guests));
	for (unsigned i = 0; i < 2; i++) {
		make_guest(i, sw, RECV_PAGES);
		set_up(i, NVSP_VERSION_61, mtu, large);
	}
}

/* --- sending --- */

enum how { IN_SECTION, IN_BOTH, IN_MEMORY };

/* The RNDIS message of the frame in t, at 'to'; returns how long it is, a multiple of 8. */
static inline uint32_t message_of(uint8_t *to, const uint32_t info[][2], unsigned n)
{
	uint32_t head = 44 + 16 * n, len = (head + t.len + 7) & ~7U;

	memset(to, 0, len);
	put_le32(to, RNDIS_PACKET);
	put_le32(to + 4, len);
	put_le32(to + 8, head - 8);
	put_le32(to + 12, t.len);
	put_le32(to + 28, 36);
	put_le32(to + 32, 16 * n);
	for (unsigned i = 0; i < n; i++) {
		put_le32(to + 44 + 16 * i, 16);
		put_le32(to + 48 + 16 * i, info[i][0]);
		put_le32(to + 52 + 16 * i, 12);
		put_le32(to + 56 + 16 * i, info[i][1]);
	}
	memcpy(to + head, t.bytes, t.len);
	return len;
}

/* Send 'len' bytes of messages: the first 'split' of them in a section, the rest in memory. */
static inline void send_bytes(unsigned i, const uint8_t *bytes, uint32_t len, uint32_t split)
{
	struct guest *g = &guests[i];
	uint32_t section = split ? 3 : NVSP_NO_SECTION;
	struct wire_packet *w = put_words(i, true, NVSP_SEND_RNDIS, 0, section, split);
	unsigned before = g->q[0].n_out;
	uint64_t id = w->trans_id;

	if (split) {
		write_buffer(&g->send, 3 * NETVSP_SECTION, bytes, split);
	}
	if (split < len) {
		w->type = RING_PACKET_GPA_DIRECT;
	}
	for (uint32_t at = split; at < len;) {
		uint32_t n = len - at < 4000 ? len - at : 4000;

		w->segs[w->n_segs].hva = malloc(n);
		memcpy(w->segs[w->n_segs].hva, bytes + at, n);
		w->segs[w->n_segs++].len = n;
		at += n;
	}
	run(i);
	for (unsigned n = 0; n < w->n_segs; n++) {
		free(w->segs[n].hva);
	}
	ck_assert_uint_eq(g->q[0].n_out, before + 1);
	ck_assert_uint_eq(last(i)->trans_id, id);
	ck_assert_uint_eq(last(i)->len, 8);
	ck_assert_uint_eq(word(last(i), 0), NVSP_SEND_RNDIS_COMPLETE);
}

static inline void send_frame(unsigned i, const uint32_t info[][2], unsigned n, enum how how)
{
	static uint8_t m[TEST_FRAME_MAX + 1024];
	uint32_t len = message_of(m, info, n);

	send_bytes(i, m, len, how == IN_SECTION ? len : how == IN_BOTH ? 44 + 16 * n : 0);
	ck_assert_uint_eq(word(last(i), 1), NVSP_SUCCESS);
}

static inline void frame_to(unsigned to, unsigned form, uint32_t payload)
{
	make_frame(&t, form, payload);
	net_mac_bytes(0x020000000001 + to, t.bytes);
	net_mac_bytes(0x020000000001 + (to ^ 1), t.bytes + 6);
}

/* The frame of range n of a packet, in flat; returns its length, and where it begins. */
static inline uint32_t received(unsigned i, const struct sent_packet *s, unsigned n, uint8_t **data)
{
	uint32_t len = s->ranges[n].len;

	ck_assert_int_eq(s->type, RING_PACKET_XFER_PAGES);
	ck_assert_uint_eq(word(s, 1), 0);
	ck_assert_uint_lt(n, s->n_ranges);
	ck_assert_uint_le(len, guests[i].n.rx.slot_size);
	read_buffer(&guests[i].recv, s->ranges[n].offset, flat, len);
	ck_assert_uint_eq(get_le32(flat), RNDIS_PACKET);
	ck_assert_uint_eq(get_le32(flat + 4), len);
	*data = flat + 8 + get_le32(flat + 8);
	ck_assert_uint_eq(8 + get_le32(flat + 8) + get_le32(flat + 12), len);
	return get_le32(flat + 12);
}

#endif
