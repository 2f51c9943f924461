// SPDX-License-Identifier: BSD-2-Clause
// The network adapter's sub-channels: granted, opened, closed; frames spread over them, each way.
#include "tests/net_driver.h"

#define SUBS (WORLD_QUEUES - 1)

/* [NDIS] "Verifying the RSS Hash Calculation" */
static const uint8_t key[RSS_KEY_LEN] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
        0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77,
        0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static void open_sub(unsigned i, unsigned q)
{
	ck_assert(guests[i].q[q].added);
	ck_assert_int_eq(channel_of(i, q)->ops->open(channel_of(i, q), NULL), 0);
}

static void close_sub(unsigned i, unsigned q)
{
	channel_of(i, q)->ops->close(channel_of(i, q));
	guests[i].q[q].added = false;
}

static void grant(unsigned i, uint32_t wanted, uint32_t granted)
{
	const struct sent_packet *s = ask(i, NVSP_SUBCHANNEL, NVSP_ALLOCATE, wanted);

	ck_assert_uint_eq(word(s, 0), NVSP_SUBCHANNEL);
	ck_assert_uint_eq(word(s, 1), granted ? NVSP_SUCCESS : NVSP_FAILURE);
	ck_assert_uint_eq(word(s, 2), granted);
}

/* The guest's key, and a table that takes all channels in turn. */
static void set_rss(unsigned i, uint32_t flags)
{
	uint8_t p[44 + 4 * RSS_TABLE_MAX + RSS_KEY_LEN] = {0x89, 2, 44};

	put_le16(p + 4, flags);
	put_le32(p + 8, RSS_TOEPLITZ | RSS_IPV4 | RSS_TCP_IPV4 | RSS_IPV6 | RSS_TCP_IPV6);
	put_le16(p + 12, 4 * RSS_TABLE_MAX);
	put_le32(p + 16, 44);
	put_le16(p + 20, RSS_KEY_LEN);
	put_le32(p + 24, 44 + 4 * RSS_TABLE_MAX);
	for (uint32_t n = 0; n < RSS_TABLE_MAX; n++) {
		put_le32(p + 44 + 4 * n, n % WORLD_QUEUES);
	}
	memcpy(p + 44 + 4 * RSS_TABLE_MAX, key, RSS_KEY_LEN);
	ck_assert_uint_eq(oid(i, RNDIS_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, p, sizeof(p)), 0);
	give_back(i);
}

/* As Linux does it at the end of its set-up. */
static void spread(unsigned i)
{
	ck_assert_uint_eq(oid(i, RNDIS_QUERY, OID_GEN_RECEIVE_SCALE_CAPABILITIES, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24 + 12), WORLD_QUEUES);
	grant(i, SUBS, SUBS);
	for (unsigned q = 1; q <= SUBS; q++) {
		open_sub(i, q);
	}
	run(i);
	give_back(i);
	set_rss(i, 0x10);
	set_rss(i, 0);
}

static void world_of_queues(bool large)
{
	world(1500, large);
	spread(1);
}

/* A connection to guest 1, by its number; what its hash chooses. */
static unsigned connection(uint32_t port, uint32_t payload)
{
	uint32_t hash = 0;

	frame_to(1, 0, payload);
	be16(t.bytes + t.l4, port);
	lay_out(&t, 4096);
	ck_assert(rss_hash(&guests[1].n.rndis.rss, &t.frame, &hash));
	free_frame(&t);
	return hash % WORLD_QUEUES;
}

START_TEST(granting)
{
	const struct sent_packet *s;

	world(1500, true);
	/* Not one too many, and not twice. */
	ck_assert_uint_eq(word(ask(0, NVSP_SUBCHANNEL, 2, 3), 1), NVSP_FAILURE);
	grant(0, 0, 0);
	grant(0, 64, SUBS);
	grant(0, 1, 0);
	grant(1, 1, 1);
	ck_assert(guests[0].q[SUBS].added && guests[1].q[1].added && !guests[1].q[2].added);
	give_back(0);
	/* The table comes when the last one is open, once, and waits for room. */
	open_sub(0, 1);
	open_sub(0, 3);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 0);
	guests[0].q[0].room = 0;
	open_sub(0, 2);
	ck_assert_uint_eq(guests[0].q[0].kicks, 1);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 0);
	guests[0].q[0].room = QUEUE;
	run(0);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 1);
	s = last(0);
	ck_assert_int_eq(s->type, RING_PACKET_INBAND);
	ck_assert_uint_eq(s->len, 76);
	ck_assert_uint_eq(word(s, 0), 134);
	ck_assert_uint_eq(word(s, 1), 16);
	ck_assert_uint_eq(word(s, 2), 12);
	for (unsigned i = 0; i < 16; i++) {
		ck_assert_uint_eq(word(s, 3 + i), i % WORLD_QUEUES);
	}
}
END_TEST

/* The bus is full: who is told of fewer waits for fewer, and the table comes with the last. */
START_TEST(granting_what_there_is)
{
	world(1500, true);
	net_subs = 2;
	grant(0, SUBS, 2);
	ck_assert(guests[0].q[2].added && !guests[0].q[3].added);
	give_back(0);
	open_sub(0, 1);
	open_sub(0, 2);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 1);
	ck_assert_uint_eq(word(last(0), 3 + 2), 2);
	ck_assert_uint_eq(word(last(0), 3 + 3), 0);
	net_subs = 0;
	grant(1, SUBS, 0);
	/* It may ask again. */
	net_subs = ~0U;
	grant(1, SUBS, SUBS);
}
END_TEST

/* Versions that have none; an adapter with one queue. */
START_TEST(without)
{
	world(1500, true);
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	set_up(0, NVSP_VERSION_4, 1500, true);
	ck_assert_uint_eq(
	        oid(0, RNDIS_QUERY, OID_GEN_RECEIVE_SCALE_CAPABILITIES, "", 0), 0xc00000bb);
	grant(0, 1, 0);
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	guests[0].n.n_queues = 1;
	set_up(0, NVSP_VERSION_61, 1500, true);
	ck_assert_uint_eq(
	        oid(0, RNDIS_QUERY, OID_GEN_RECEIVE_SCALE_CAPABILITIES, "", 0), 0xc00000bb);
	grant(0, 1, 0);
}
END_TEST

/* Each connection has its channel, and the guest is told the hash. */
START_TEST(receiving)
{
	unsigned frames[WORLD_QUEUES] = {0};
	uint8_t *data;

	world_of_queues(true);
	for (uint32_t port = 1000; port < 1064; port++) {
		unsigned q = connection(port, 100);
		const struct sent_packet *s;

		send_frame(0, NULL, 0, IN_SECTION);
		ck_assert_uint_eq(guests[1].q[q].kicks, q == 0 ? frames[q] + 1 + 1 : frames[q] + 1);
		run(1);
		frames[q]++;
		for (unsigned other = 0; other < WORLD_QUEUES; other++) {
			ck_assert_uint_eq(guests[1].q[other].n_out, other == q);
		}
		s = &guests[1].q[q].out[0];
		ck_assert_uint_eq(received(1, s, 0, &data), t.len);
		ck_assert_mem_eq(data, t.bytes, t.len);
		ck_assert_uint_eq(get_le32(flat + 44 + 4), 8);
		ck_assert_uint_eq(get_le32(flat + 44 + 12) % WORLD_QUEUES, q);
		give_back(0);
		give_back(1);
	}
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		ck_assert_uint_ge(frames[q], 4);
		ck_assert_uint_eq(guests[1].n.queues[q].stats.frames, frames[q]);
	}
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
	/* Without an address or switched off: by the first. */
	frame_to(1, 0, 10);
	be16(t.bytes + 12, 0x88b5);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	give_back(1);
	set_rss(1, 0x10);
	for (uint32_t port = 1000; port < 1008; port++) {
		frame_to(1, 0, 10);
		be16(t.bytes + t.l4, port);
		send_frame(0, NULL, 0, IN_SECTION);
	}
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	ck_assert_uint_eq(last(1)->n_ranges, 8);
}
END_TEST

/* A large frame stays together; several of them at once on each channel. */
START_TEST(receiving_large)
{
	static const uint32_t info[][2] = {{2, 1448U | 34U << 20 | 1U << 30}};
	unsigned frames[WORLD_QUEUES] = {0}, pieces[WORLD_QUEUES] = {0};
	uint8_t *data;

	world_of_queues(true);
	for (uint32_t port = 1000; port < 1016; port++) {
		frames[connection(port, 30000)]++;
		send_frame(0, info, 1, IN_BOTH);
		give_back(0);
	}
	run(1);
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		for (unsigned n = 0; n < guests[1].q[q].n_out; n++) {
			const struct sent_packet *s = &guests[1].q[q].out[n];
			uint32_t got = 0;

			for (unsigned i = 0; i < s->n_ranges; i++) {
				got += received(1, s, i, &data);
			}
			ck_assert_uint_eq(got % t.len, 0);
			pieces[q] += got / t.len;
		}
		ck_assert_uint_eq(pieces[q], frames[q]);
	}
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

/* What was sent by one channel is given back by that one, and by no other. */
START_TEST(giving_back)
{
	uint8_t m[8] = {NVSP_SEND_RNDIS_COMPLETE, 0, 0, 0, 1};
	uint32_t port = 1000, n_free;
	uint64_t id;

	world_of_queues(true);
	while (connection(port, 10) != 2) {
		port++;
	}
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	id = guests[1].q[2].out[0].trans_id;
	n_free = guests[1].n.rx.n_free;
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		if (q != 2) {
			put_by(1, q, RING_PACKET_COMPLETION, m, sizeof(m), false)->trans_id = id;
		}
	}
	run(1);
	ck_assert_uint_eq(guests[1].n.stats.bad_completions, WORLD_QUEUES - 1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, n_free);
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

/* By any channel; each completes its own. Requests are the primary's. */
START_TEST(sending)
{
	static uint8_t m[2048];
	uint32_t len;

	world_of_queues(true);
	frame_to(0, FORM_UDP, 100);
	len = message_of(m, NULL, 0);
	write_buffer(&guests[1].send, 0, m, len);
	for (unsigned q = 0; q < WORLD_QUEUES; q++) {
		struct end *e = &guests[1].q[q];
		uint8_t request[NVSP_MESSAGE_SIZE] = {NVSP_SEND_RNDIS};

		put_le32(request + 12, len);
		put_by(1, q, RING_PACKET_INBAND, request, sizeof(request), true)->trans_id = 70 + q;
		run(1);
		ck_assert_uint_eq(e->n_out, 1);
		ck_assert_uint_eq(e->out[0].trans_id, 70 + q);
		ck_assert_uint_eq(word(&e->out[0], 1), NVSP_SUCCESS);
		ck_assert_uint_eq(guests[1].n.queues[q].stats.out.frames[NET_UNICAST], 1);
		if (q > 0) {
			put_le32(request + 4, NVSP_CHANNEL_CONTROL);
			put_by(1, q, RING_PACKET_INBAND, request, sizeof(request), true);
			put_le32(request, NVSP_REVOKE_SEND_BUF);
			put_by(1, q, RING_PACKET_INBAND, request, sizeof(request), true);
			put_le32(request, NVSP_SUBCHANNEL);
			put_by(1, q, RING_PACKET_INBAND, request, sizeof(request), true);
			run(1);
			ck_assert_uint_eq(e->n_out, 4);
			ck_assert_uint_eq(word(&e->out[1], 1), NVSP_FAILURE);
			ck_assert_uint_eq(e->out[2].len + e->out[3].len, 0);
		}
	}
	ck_assert_ptr_nonnull(guests[1].n.send_buffer);
	run(0);
	ck_assert_uint_eq(last(0)->n_ranges, WORLD_QUEUES);
	/* All of them, in the counters that a guest may ask for. */
	give_back(1);
	ck_assert_uint_eq(oid(1, RNDIS_QUERY, OID_GEN_XMIT_OK, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), WORLD_QUEUES);
	ck_assert_uint_eq(oid(1, RNDIS_QUERY, OID_GEN_XMIT_ERROR, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), SUBS);
	ck_assert_uint_eq(oid(1, RNDIS_QUERY, OID_GEN_DIRECTED_BYTES_XMIT, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), WORLD_QUEUES * t.len);
}
END_TEST

/* A sub-channel that closes loses what it had; its connections go by the primary. */
START_TEST(closing)
{
	uint32_t port = 1000;

	world_of_queues(true);
	while (connection(port, 10) != 3) {
		port++;
	}
	send_frame(0, NULL, 0, IN_SECTION);
	run(1); /* one with the guest, one that is queued */
	send_frame(0, NULL, 0, IN_SECTION);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots - 2);
	close_sub(1, 3);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	ck_assert_uint_eq(guests[1].q[3].n_out, 1);
	give_back(1);
	ck_assert_uint_eq(guests[1].n.stats.bad_completions, 1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
	/* ethtool -L: all of it goes, and comes with fewer. */
	close_sub(1, 1);
	close_sub(1, 2);
	channel_of(1, 0)->ops->close(channel_of(1, 0));
	set_up(1, NVSP_VERSION_61, 1500, true);
	ck_assert(!guests[1].n.rndis.rss.on);
	grant(1, 1, 1);
	open_sub(1, 1);
	run(1);
	ck_assert_uint_eq(word(last(1), 3 + 15), 1);
	give_back(1);
	set_rss(1, 0); /* a table for more than are open: the primary has the others' */
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	ck_assert_uint_eq(guests[1].q[3].n_out, 0);
}
END_TEST

/* A buffer goes when no channel works with it. */
START_TEST(taking_back)
{
	world_of_queues(true);
	put_words(1, false, NVSP_REVOKE_SEND_BUF, 0, 0, 0);
	run(1);
	ck_assert_uint_eq(guests[1].waits, SUBS);
	channel_of(1, 0)->ops->gpadl_gone(channel_of(1, 0), &guests[1].recv.g);
	ck_assert_uint_eq(guests[1].waits, 2 * SUBS);
	ck_assert_int_eq(guests[1].holds, 0);
	for (unsigned q = 1; q < WORLD_QUEUES; q++) {
		uint8_t request[NVSP_MESSAGE_SIZE] = {NVSP_SEND_RNDIS};

		put_le32(request + 12, 100);
		put_by(1, q, RING_PACKET_INBAND, request, sizeof(request), true);
		run(1);
		ck_assert_uint_eq(word(&guests[1].q[q].out[0], 1), NVSP_FAILURE);
	}
}
END_TEST

static char text[1024];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dump_of_sub)
{
	struct out out = {.write = write_text};

	world_of_queues(true);
	channel_of(1, 1)->ops->dump(channel_of(1, 1), &out);
	ck_assert_str_eq(text,
	        "by this channel: 0 packets sent, 0 malformed; 0 frames in 0 packets "
	        "received\n");
	text[0] = '\0';
	channel_of(1, 0)->ops->dump(channel_of(1, 0), &out);
	ck_assert_ptr_nonnull(strstr(text, "RSS on, 3 sub-channels\n"));
}
END_TEST

UNIT_MAIN("netvsp_sub", tcase_add_test(tc, granting); tcase_add_test(tc, granting_what_there_is);
          tcase_add_test(tc, without); tcase_add_test(tc, receiving);
          tcase_add_test(tc, receiving_large); tcase_add_test(tc, giving_back);
          tcase_add_test(tc, sending); tcase_add_test(tc, closing); tcase_add_test(tc, taking_back);
          tcase_add_test(tc, dump_of_sub);)
