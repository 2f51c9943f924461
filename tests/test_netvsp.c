// SPDX-License-Identifier: BSD-2-Clause
// The synthetic network adapter: the whole conversation of Linux, frames both ways, and guests that
// lie.
#include "tests/net_world.h"
#include "tests/unit.h"

struct guest guests[GUESTS];
static struct test_frame t;
static uint8_t flat[TEST_FRAME_MAX];

#define RECV_PAGES 512U /* 1024 slots of the usual size */

/* The last thing a guest was sent. */
static const struct sent_packet *last(unsigned i)
{
	ck_assert_uint_gt(guests[i].n_out, 0);
	return &guests[i].out[guests[i].n_out - 1];
}

static uint32_t word(const struct sent_packet *s, unsigned at)
{
	return get_le32(s->payload + 4 * at);
}

/* An NVSP request that is answered. */
static const struct sent_packet *ask(unsigned i, uint32_t type, uint32_t a, uint32_t b)
{
	const struct wire_packet *w = put_words(i, true, type, a, b, 0);
	uint64_t id = w->trans_id;

	run(i);
	ck_assert_uint_eq(last(i)->trans_id, id);
	ck_assert_int_eq(last(i)->type, RING_PACKET_COMPLETION);
	return last(i);
}

/* An RNDIS request in memory of the guest; its answer is put into flat, and is returned. */
static uint32_t control(unsigned i, const void *message, uint32_t len)
{
	struct guest *g = &guests[i];
	struct wire_packet *w = put_words(i, true, NVSP_SEND_RNDIS, 1, NVSP_NO_SECTION, 0);
	unsigned before = g->n_out;
	const struct sent_packet *s;

	w->type = RING_PACKET_GPA_DIRECT;
	w->segs[0] = (struct io_seg){.hva = malloc(len), .len = len};
	w->n_segs = 1;
	memcpy(w->segs[0].hva, message, len);
	run(i);
	free(w->segs[0].hva);
	ck_assert_uint_eq(word(&g->out[before], 0), NVSP_SEND_RNDIS_COMPLETE);
	ck_assert_uint_eq(word(&g->out[before], 1), NVSP_SUCCESS);
	if (g->n_out == before + 1) {
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
static uint32_t oid(unsigned i, uint32_t type, uint32_t id, const void *info, uint32_t len)
{
	uint8_t m[128] = {0};

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
static void set_up(unsigned i, uint32_t version, uint32_t mtu, bool large)
{
	uint8_t m[32] = {0};
	const struct sent_packet *s;
	struct guest *g = &guests[i];

	ck_assert_int_eq(g->n.ch.ops->open(&g->n.ch, NULL), 0);
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
	ck_assert_uint_eq(g->n_out, 0);
}

static void world(uint32_t mtu, bool large)
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
static uint32_t message_of(uint8_t *to, const uint32_t info[][2], unsigned n)
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
static void send_bytes(unsigned i, const uint8_t *bytes, uint32_t len, uint32_t split)
{
	struct guest *g = &guests[i];
	uint32_t section = split ? 3 : NVSP_NO_SECTION;
	struct wire_packet *w = put_words(i, true, NVSP_SEND_RNDIS, 0, section, split);
	unsigned before = g->n_out;
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
	ck_assert_uint_eq(g->n_out, before + 1);
	ck_assert_uint_eq(last(i)->trans_id, id);
	ck_assert_uint_eq(last(i)->len, 8);
	ck_assert_uint_eq(word(last(i), 0), NVSP_SEND_RNDIS_COMPLETE);
}

static void send_frame(unsigned i, const uint32_t info[][2], unsigned n, enum how how)
{
	static uint8_t m[TEST_FRAME_MAX + 1024];
	uint32_t len = message_of(m, info, n);

	send_bytes(i, m, len, how == IN_SECTION ? len : how == IN_BOTH ? 44 + 16 * n : 0);
	ck_assert_uint_eq(word(last(i), 1), NVSP_SUCCESS);
}

static void frame_to(unsigned to, unsigned form, uint32_t payload)
{
	make_frame(&t, form, payload);
	net_mac_bytes(0x020000000001 + to, t.bytes);
	net_mac_bytes(0x020000000001 + (to ^ 1), t.bytes + 6);
}

/* The frame of range n of a packet, in flat; returns its length, and where it begins. */
static uint32_t received(unsigned i, const struct sent_packet *s, unsigned n, uint8_t **data)
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

START_TEST(versions)
{
	static const uint32_t all[] = {NVSP_VERSION_1, NVSP_VERSION_2, NVSP_VERSION_4,
	        NVSP_VERSION_5, NVSP_VERSION_6, NVSP_VERSION_61};
	const struct sent_packet *s;

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		world(1500, true);
		guests[0].n.ch.ops->close(&guests[0].n.ch);
		set_up(0, all[i], 1500, true);
		ck_assert_int_eq(guests[0].n.port.takes_large, all[i] == NVSP_VERSION_61);
	}
	/* Unknown ones; a range; one more when it is agreed. */
	world(1500, true);
	guests[0].n.ch.ops->close(&guests[0].n.ch);
	ck_assert_int_eq(guests[0].n.ch.ops->open(&guests[0].n.ch, NULL), 0);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 0x70000, 0x70000), 3), NVSP_TOO_NEW);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 1, 1), 3), NVSP_TOO_OLD);
	ck_assert_uint_ne(word(ask(0, NVSP_INIT, 0x60000, 0x50000), 3), NVSP_SUCCESS);
	s = ask(0, NVSP_INIT, 2, 0x5ffff);
	ck_assert(word(s, 3) == NVSP_SUCCESS && word(s, 1) == NVSP_VERSION_5);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 2, 2), 3), NVSP_FAILURE);
}
END_TEST

/* Both ways, in each form that a driver sends in, each form of packet. */
START_TEST(frames)
{
	static const uint32_t lens[] = {0, 5, 200, 216, 217, 1000, 1446};

	world(1500, true);
	for (unsigned n = 0; n < ARRAY_SIZE(lens) * 2 * 3; n++) {
		unsigned from = n & 1, to = from ^ 1;
		uint8_t *data;

		frame_to(to, FORM_UDP, lens[n / 2 % ARRAY_SIZE(lens)]);
		send_frame(from, NULL, 0, (enum how)(n / 2 / ARRAY_SIZE(lens)));
		ck_assert_uint_eq(guests[to].kicks, n / 2 + 1);
		run(to);
		ck_assert_uint_eq(guests[to].n_out, 1);
		ck_assert_uint_eq(received(to, last(to), 0, &data), t.len);
		ck_assert_mem_eq(data, t.bytes, t.len);
		ck_assert_uint_eq(get_le32(flat + 28), 0); /* nothing else to say */
		give_back(0);
		give_back(1);
	}
	ck_assert_uint_eq(guests[0].n.stats.packets, ARRAY_SIZE(lens) * 3);
}
END_TEST

/* A frame may begin anywhere behind its message's head: what of it lies near is copied with that.
 */
START_TEST(frames_anywhere)
{
	static const uint32_t places[] = {44, 100, 243, 255, 256, 257, 300, 1000};
	static const uint32_t lens[] = {0, 150, 213, 214, 215, 1000};
	uint8_t m[4096], *data;

	world(1500, true);
	for (unsigned n = 0; n < ARRAY_SIZE(places) * ARRAY_SIZE(lens); n++) {
		uint32_t at = places[n % ARRAY_SIZE(places)], len;

		frame_to(1, FORM_UDP, lens[n / ARRAY_SIZE(places)]);
		memset(m, 0xee, sizeof(m));
		(void)message_of(m, NULL, 0);
		len = at + t.len;
		memmove(m + at, t.bytes, t.len);
		put_le32(m + 4, len);
		put_le32(m + 8, at - 8);
		send_bytes(0, m, len, n % 2 ? len : 0);
		ck_assert_uint_eq(word(last(0), 1), NVSP_SUCCESS);
		run(1);
		ck_assert_uint_eq(received(1, last(1), 0, &data), t.len);
		ck_assert_mem_eq(data, t.bytes, t.len);
		give_back(0);
		give_back(1);
	}
}
END_TEST

/* Several messages in one packet, the last one continued in memory. */
START_TEST(many_messages)
{
	static uint8_t m[16384];
	static uint32_t first_len;
	uint32_t len;
	uint8_t *data;

	world(1500, true);
	frame_to(1, FORM_UDP, 100);
	first_len = message_of(m, NULL, 0);
	len = first_len;
	len += message_of(m + len, NULL, 0);
	len += message_of(m + len, NULL, 0);
	send_bytes(0, m, len, len);
	frame_to(1, FORM_UDP, 1400);
	len = first_len;
	len += message_of(m + len, NULL, 0);
	send_bytes(0, m, len, first_len + 44);
	run(1);
	/* One packet for all, with a slot each. */
	ck_assert_uint_eq(guests[1].n_out, 1);
	ck_assert_uint_eq(last(1)->n_ranges, 5);
	for (unsigned i = 0; i < 5; i++) {
		uint32_t want = i < 4 ? 14 + 28 + 100 : 14 + 28 + 1400;

		ck_assert_uint_eq(received(1, last(1), i, &data), want);
	}
	ck_assert_mem_eq(data, t.bytes, t.len);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots - 5);
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

START_TEST(checksums_and_tags)
{
	static const uint32_t info[][2] = {{0, 0x00220005}, {6, 0x1232}};
	uint8_t *data;

	world(1500, false);
	frame_to(1, 0, 1000);
	send_frame(0, info, 2, IN_BOTH);
	run(1);
	ck_assert_uint_eq(received(1, last(1), 0, &data), t.len);
	ck_assert_uint_eq(ref_l4_sum(data, t.l3, t.l4, t.len), 0xffff);
	ck_assert_uint_eq(get_le32(flat + 32), 32);
	ck_assert_uint_eq(get_le32(flat + 44 + 12), 0x28);
	ck_assert_uint_eq(get_le32(flat + 60 + 4), 6);
	ck_assert_uint_eq(get_le32(flat + 60 + 12), 0x1232);
	/* One who takes large frames may still look at checksums himself. */
	world(1500, true);
	frame_to(1, 0, 1000);
	send_frame(0, info, 1, IN_MEMORY);
	run(1);
	ck_assert_uint_eq(received(1, last(1), 0, &data), t.len);
	ck_assert_mem_eq(data + t.l4 + 18, t.bytes + t.l4 + 18, t.len - t.l4 - 18);
	ck_assert_uint_eq(ref_l4_sum(data, t.l3, t.l4, t.len), 0xffff);
	ck_assert_uint_eq(get_le32(flat + 44 + 12), 0x28);
}
END_TEST

START_TEST(large_frames)
{
	static const uint32_t info[][2] = {{2, 1448U | 34U << 20 | 1U << 30}};
	uint8_t *data;
	uint32_t at = 0;
	static uint8_t whole[TEST_FRAME_MAX];

	/* Cut for one who wants it so. */
	world(1500, false);
	frame_to(1, 0, 60000);
	send_frame(0, info, 1, IN_BOTH);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 1);
	ck_assert_uint_eq(last(1)->n_ranges, (60000 + 1447) / 1448);
	for (unsigned i = 0; i < last(1)->n_ranges; i++) {
		uint32_t len = received(1, last(1), i, &data);

		ck_assert_uint_eq(ref_l4_sum(data, t.l3, t.l4, len), 0xffff);
		memcpy(whole + at, data + t.payload, len - t.payload);
		at += len - t.payload;
	}
	ck_assert_uint_eq(at, 60000);
	ck_assert_mem_eq(whole, t.bytes + t.payload, at);
	/* Whole for one who takes it so: pieces of one frame, in one packet. */
	world(1500, true);
	frame_to(1, 0, 60000);
	for (unsigned n = 0; n < 3; n++) {
		send_frame(0, info, 1, IN_BOTH);
	}
	run(1);
	/* 31 pieces each: the third one does not fit into the first packet. */
	ck_assert_uint_eq(guests[1].n_out, 2);
	ck_assert_uint_eq(guests[1].out[0].n_ranges, 62);
	ck_assert_uint_eq(guests[1].out[1].n_ranges, 31);
	for (unsigned n = 0; n < 93; n++) {
		const struct sent_packet *s = &guests[1].out[n / 62];
		uint32_t len = received(1, s, n % 62, &data);
		unsigned i = n % 31;
		uint32_t flags = 1 | (i == 0 ? 2 : 0) | (i == 30 ? 4 : 0);
		uint32_t id_at = i == 0 ? 44 + 16 : 44;

		ck_assert_uint_eq(get_le32(flat + id_at + 4), 0x80000001);
		ck_assert_uint_eq(get_le32(flat + id_at + 12), 1 | flags << 8);
		at = i == 0 ? 0 : at;
		memcpy(whole + at, data, len);
		at += len;
		if (i == 30) {
			ck_assert_uint_eq(at, t.len);
			ck_assert_mem_eq(whole + t.payload, t.bytes + t.payload, 60000);
			ck_assert_uint_eq(ref_sum(0, whole + t.l3, 20), 0xffff);
			ck_assert_uint_eq(rd16(whole + t.l3 + 2), t.len - t.l3);
			ck_assert_uint_eq(ref_l4_sum(whole, t.l3, t.l4, t.len), 0xffff);
		}
	}
	ck_assert_uint_eq(guests[1].n.stats.large, 3);
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

START_TEST(jumbo)
{
	uint8_t *data;

	world(9000, true);
	frame_to(1, FORM_UDP, 9000 - 28);
	send_frame(0, NULL, 0, IN_BOTH);
	run(1);
	ck_assert_uint_eq(received(1, last(1), 0, &data), 9014);
	ck_assert_mem_eq(data, t.bytes, t.len);
	/* More than the receiver's MTU is dropped, and a tag's room is allowed. */
	guests[0].n.ch.ops->close(&guests[0].n.ch);
	set_up(0, NVSP_VERSION_61, 1500, true);
	frame_to(0, FORM_UDP, 1504 - 28);
	send_frame(1, NULL, 0, IN_MEMORY);
	frame_to(0, FORM_UDP, 1505 - 28);
	send_frame(1, NULL, 0, IN_MEMORY);
	run(0);
	ck_assert_uint_eq(guests[0].n_out, 1);
	ck_assert_uint_eq(last(0)->n_ranges, 1);
	ck_assert_uint_eq(guests[0].n.stats.too_long, 1);
	/* What a guest asks for beyond it becomes 9000. */
	guests[0].n.ch.ops->close(&guests[0].n.ch);
	guests[0].n.ch.ops->open(&guests[0].n.ch, NULL);
	ask(0, NVSP_INIT, 2, 0xfffff);
	put_words(0, false, NVSP_SEND_NDIS_CONFIG, 0xffffffff, 0, 0);
	run(0);
	ck_assert_uint_eq(guests[0].n.rndis.mtu, 9000);
	put_words(0, false, NVSP_SEND_NDIS_CONFIG, 3, 0, 0);
	run(0);
	ck_assert_uint_eq(guests[0].n.rndis.mtu, 9000);
}
END_TEST

/* A slot is free when its packet is completed, and not before. */
START_TEST(slots)
{
	uint32_t n, took;

	world(1500, true);
	n = guests[1].n.rx.n_slots;
	ck_assert_uint_eq(n, RECV_PAGES * 4096 / 2048);
	frame_to(1, FORM_UDP, 100);
	for (uint32_t i = 0; i < n + 10; i++) {
		send_frame(0, NULL, 0, IN_SECTION);
		give_back(0);
	}
	took = n - NETVSP_RESERVE;
	ck_assert_uint_eq(guests[1].n.stats.no_slot, n + 10 - took);
	ck_assert_uint_eq(guests[1].n.port.stats.lost, n + 10 - took);
	ck_assert_uint_eq(guests[1].n.rx.n_free, NETVSP_RESERVE);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, (took + NETVSP_BATCH - 1) / NETVSP_BATCH);
	ck_assert_uint_eq(guests[1].n.rx.n_free, NETVSP_RESERVE);
	/* There is still an answer to a request, until these slots are taken as well. */
	for (uint32_t i = 0; i < NETVSP_RESERVE; i++) {
		ck_assert_uint_eq(oid(1, RNDIS_QUERY, OID_GEN_MEDIA_CONNECT_STATUS, "", 0), 0);
	}
	ck_assert_uint_eq(control(1, "\x08\0\0\0\x0c\0\0\0\0\0\0\0", 12), 0);
	ck_assert_uint_eq(guests[1].n.stats.unanswered, 1);
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, n);
	ck_assert_uint_eq(control(1, "\x08\0\0\0\x0c\0\0\0\0\0\0\0", 12), 16);
	give_back(1);
	/* And the other way round: completions of what the guest does not have. */
	for (uint64_t id = 0; id <= n + 1; id++) {
		uint8_t m[8] = {NVSP_SEND_RNDIS_COMPLETE, 0, 0, 0, 1};

		put(1, RING_PACKET_COMPLETION, m, sizeof(m), false)->trans_id = id;
		run(1);
	}
	put(1, RING_PACKET_COMPLETION, "", 0, false)->trans_id = ~0ULL;
	run(1);
	ck_assert_uint_eq(guests[1].n.stats.bad_completions, n + 3);
	ck_assert_uint_eq(guests[1].n.rx.n_free, n);
}
END_TEST

/* A ring that is full keeps things waiting; nothing is lost, nothing is sent twice. */
START_TEST(full_ring)
{
	world(1500, true);
	guests[1].room = 0;
	frame_to(1, FORM_UDP, 100);
	for (unsigned i = 0; i < 100; i++) {
		send_frame(0, NULL, 0, IN_SECTION);
		give_back(0);
	}
	frame_to(0, FORM_UDP, 100);
	put_words(1, true, NVSP_SWITCH_DATA_PATH, 0, 0, 0);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 0);
	ck_assert_uint_eq(guests[1].next_in, 0);
	guests[1].room = 1;
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 1);
	ck_assert_uint_eq(last(1)->n_ranges, NETVSP_BATCH);
	guests[1].room = 10;
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 3);
	ck_assert_uint_eq(guests[1].out[1].n_ranges, 100 - NETVSP_BATCH);
	ck_assert_int_eq(last(1)->type, RING_PACKET_COMPLETION);
	ck_assert_uint_eq(last(1)->len, 0); /* as Linux wants it */
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

/* Every message in the wrong order, and those that nobody knows. */
START_TEST(order)
{
	struct net_switch *sw;

	net_switch_reset();
	sw = net_switch_make("sw", net_now);
	free_world();
	memset(guests, 0, sizeof(guests));
	make_guest(0, sw, RECV_PAGES);
	ck_assert_int_eq(guests[0].n.ch.ops->open(&guests[0].n.ch, NULL), 0);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_SUBCHANNEL, 1, 3), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(last(0), 2), 0);
	ck_assert_uint_eq(ask(0, NVSP_REVOKE_RECV_BUF, 0xcafe, 0)->len, 0);
	ck_assert_uint_eq(ask(0, NVSP_REVOKE_SEND_BUF, 0, 0)->len, 0);
	for (uint32_t type = 0; type < 140; type++) {
		put_words(0, false, type == NVSP_INIT ? 0 : type, 1, 2, 3);
		if (type != NVSP_INIT && type != NVSP_SEND_RNDIS) {
			(void)ask(0, type, 0, 0);
		}
	}
	put(0, RING_PACKET_INBAND, "\x01", 1, true);
	run(0);
	ck_assert_uint_eq(last(0)->len, 0);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RNDIS, 0, 0), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 2, 2), 3), NVSP_SUCCESS);
	/* No such GPADL, one that is too small, a second one. */
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 5, 0xcafe), 1), NVSP_FAILURE);
	guests[0].recv.g.len = 4095;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	ck_assert_uint_eq(guests[0].holds, 0);
	guests[0].recv.g.len = 4096;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(last(0), 5), 2);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	guests[0].send.g.len = NETVSP_SECTION - 1;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	guests[0].send.g.len = NETVSP_SECTION;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	ck_assert_int_eq(guests[0].holds, 2);
	guests[0].n.ch.ops->close(&guests[0].n.ch);
	ck_assert_int_eq(guests[0].holds, 0);
}
END_TEST

/* Packets that name what is not there. */
START_TEST(hostile_sends)
{
	static const struct {
		uint32_t section, size;
	} sections[] = {{1048576 / NETVSP_SECTION, 100}, {0xfffffffe, 100}, {0, NETVSP_SECTION + 1},
	        {0, 0xffffffff}, {0x80000000, 8}};
	static const uint32_t odd[] = {0, 7, 8, 43, 44, 45, 100, 150, 185, 186, 200, 0x7fffffff,
	        0xfffffff7, 0xfffffff8, 0xffffffff};
	static uint8_t m[2048];
	uint32_t len;

	world(1500, true);
	for (unsigned i = 0; i < ARRAY_SIZE(sections); i++) {
		put_words(0, true, NVSP_SEND_RNDIS, i & 1, sections[i].section, sections[i].size);
		run(0);
		ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
	}
	/* Each field of the header. */
	for (unsigned field = 0; field < 44; field += 4) {
		for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
			frame_to(1, FORM_UDP, 100);
			len = message_of(m, NULL, 0);
			put_le32(m + field, odd[i]);
			send_bytes(0, m, len, field % 8 ? len : 44);
			give_back(0);
		}
	}
	/* Cut off anywhere. */
	frame_to(1, FORM_UDP, 100);
	len = message_of(m, NULL, 0);
	for (uint32_t n = 8; n < len; n++) {
		send_bytes(0, m, n, 0);
		ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
		give_back(0);
	}
	/* More messages than were agreed upon. */
	len = 0;
	for (unsigned i = 0; i <= RNDIS_MESSAGES_MAX; i++) {
		len += message_of(m + len, NULL, 0);
	}
	send_bytes(0, m, len - len / 9, len - len / 9);
	ck_assert_uint_eq(word(last(0), 1), NVSP_SUCCESS);
	send_bytes(0, m, len, len);
	ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
	give_back(0);
	/* A frame without addresses; one beyond every MTU. */
	t.len = 13;
	len = message_of(m, NULL, 0);
	send_bytes(0, m, len, len);
	ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
	/* More memory than a packet may name. */
	put_words(0, true, NVSP_SEND_RNDIS, 0, NVSP_NO_SECTION, 0);
	guests[0].in[0].type = RING_PACKET_GPA_DIRECT;
	guests[0].in[0].n_segs = 1;
	guests[0].in[0].segs[0].len = 0x40000000;
	run(0);
	ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
	/* A request that is too long. */
	put_words(0, true, NVSP_SEND_RNDIS, 1, 0, RNDIS_REQUEST_MAX + 1);
	run(0);
	ck_assert_uint_eq(word(last(0), 1), NVSP_FAILURE);
	give_back(0);
	/* And it still works. */
	run(1);
	give_back(1);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_BOTH);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 1);
}
END_TEST

/* Buffers taken back while they are in use. */
START_TEST(taking_back)
{
	world(1500, true);
	ck_assert_int_eq(guests[1].holds, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1); /* one slot is with the guest, one is queued */
	send_frame(0, NULL, 0, IN_SECTION);
	guests[1].n.ch.ops->gpadl_gone(&guests[1].n.ch, &guests[1].recv.g);
	ck_assert_int_eq(guests[1].holds, 1);
	send_frame(0, NULL, 0, IN_SECTION);
	give_back(1);
	ck_assert_uint_eq(guests[1].n_out, 0);
	ck_assert_uint_eq(guests[1].n.stats.bad_completions, 1);
	guests[1].n.ch.ops->gpadl_gone(&guests[1].n.ch, &guests[1].send.g);
	ck_assert_int_eq(guests[1].holds, 0);
	ck_assert_uint_eq(word(ask(1, NVSP_SEND_RNDIS, 0, 0), 1), NVSP_FAILURE);
	/* By the driver's own messages, and the buffers again, with another MTU. */
	world(1500, true);
	put_words(1, false, NVSP_REVOKE_RECV_BUF, 0xcafe, 0, 0);
	put_words(1, false, NVSP_REVOKE_SEND_BUF, 0, 0, 0);
	run(1);
	ck_assert_int_eq(guests[1].holds, 0);
	send_frame(0, NULL, 0, IN_SECTION);
	guests[1].n.ch.ops->close(&guests[1].n.ch);
	set_up(1, NVSP_VERSION_61, 9000, false);
	ck_assert_int_eq(guests[1].holds, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 1);
}
END_TEST

START_TEST(addresses)
{
	static const char name[] = "NetworkAddress", taken[] = "020000000002",
	                  fresh[] = "02abcdef0001";
	uint8_t p[72] = {0};

	world(1500, true);
	put_le32(p, 20);
	put_le32(p + 4, 28);
	put_le32(p + 8, 2);
	put_le32(p + 12, 48);
	put_le32(p + 16, 24);
	for (unsigned i = 0; i < 14; i++) {
		p[20 + 2 * i] = (uint8_t)name[i];
	}
	for (unsigned i = 0; i < 12; i++) {
		p[48 + 2 * i] = (uint8_t)taken[i];
	}
	ck_assert_uint_ne(oid(0, RNDIS_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, p, 72), 0);
	ck_assert_uint_eq(guests[0].n.port.mac, 0x020000000001);
	for (unsigned i = 0; i < 12; i++) {
		p[48 + 2 * i] = (uint8_t)fresh[i];
	}
	ck_assert_uint_eq(oid(0, RNDIS_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, p, 72), 0);
	ck_assert_uint_eq(guests[0].n.port.mac, 0x02abcdef0001);
	give_back(0);
	frame_to(0, FORM_UDP, 100);
	net_mac_bytes(0x02abcdef0001, t.bytes);
	send_frame(1, NULL, 0, IN_SECTION);
	run(0);
	ck_assert_uint_eq(guests[0].n_out, 1);
}
END_TEST

START_TEST(link_state)
{
	struct guest *g = &guests[2];

	world(1500, true);
	make_guest(2, NULL, RECV_PAGES); /* nic = none */
	set_up(2, NVSP_VERSION_61, 1500, true);
	ck_assert_uint_eq(oid(2, RNDIS_QUERY, OID_GEN_MEDIA_CONNECT_STATUS, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), 1);
	frame_to(1, FORM_UDP, 100);
	send_frame(2, NULL, 0, IN_SECTION);
	netvsp_set_link(&g->n, true);
	ck_assert(!g->n.rndis.link_up);
	/* A cable that is pulled. */
	netvsp_set_link(&guests[1].n, false);
	run(1);
	read_buffer(&guests[1].recv, last(1)->ranges[0].offset, flat, 20);
	ck_assert_uint_eq(get_le32(flat + 8), 0x4001000c);
	give_back(1);
	send_frame(0, NULL, 0, IN_SECTION);
	frame_to(0, FORM_UDP, 100);
	send_frame(1, NULL, 0, IN_SECTION);
	run_all();
	ck_assert_uint_eq(guests[0].n_out, 1);
	ck_assert_uint_eq(guests[1].n_out, 1);
	netvsp_set_link(&guests[1].n, false); /* twice is once */
	netvsp_set_link(&guests[1].n, true);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].n_out, 3);
}
END_TEST

static char text[2048];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dump)
{
	struct out out = {.write = write_text};

	world(1500, true);
	guests[0].n.ch.ops->dump(&guests[0].n.ch, &out);
	ck_assert_ptr_nonnull(
	        strstr(text, "NVSP 6.1, 02:00:00:00:00:01, link up, MTU 1500, filter 0xd\n"
	                     "  receive buffer: 1024 of 1024 slots free, 2048 bytes each\n"));
	free_world();
	free_frame(&t);
}
END_TEST

UNIT_MAIN("netvsp", tcase_add_test(tc, versions); tcase_add_test(tc, frames);
          tcase_add_test(tc, frames_anywhere); tcase_add_test(tc, many_messages);
          tcase_add_test(tc, checksums_and_tags); tcase_add_test(tc, large_frames);
          tcase_add_test(tc, jumbo); tcase_add_test(tc, slots); tcase_add_test(tc, full_ring);
          tcase_add_test(tc, order); tcase_add_test(tc, hostile_sends);
          tcase_add_test(tc, taking_back); tcase_add_test(tc, addresses);
          tcase_add_test(tc, link_state); tcase_add_test(tc, dump);)
