// SPDX-License-Identifier: BSD-2-Clause
// Frames for a guest: slots, large frames, long ones, rings that are full.
#include "tests/net_driver.h"

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
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
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
	/* 32 pieces each: the third one does not fit into the first packet. */
	ck_assert_uint_eq(guests[1].q[0].n_out, 2);
	ck_assert_uint_eq(guests[1].q[0].out[0].n_ranges, 64);
	ck_assert_uint_eq(guests[1].q[0].out[1].n_ranges, 32);
	for (unsigned n = 0; n < 96; n++) {
		const struct sent_packet *s = &guests[1].q[0].out[n / 64];
		uint32_t len = received(1, s, n % 64, &data);
		unsigned i = n % 32;
		uint32_t flags = 1 | (i == 0 ? 2 : 0) | (i == 31 ? 4 : 0);
		uint32_t id_at = i == 0 ? 44 + 16 : 44;

		ck_assert_uint_eq(get_le32(flat + id_at + 4), 0x80000001);
		ck_assert_uint_eq(get_le32(flat + id_at + 12), 1 | flags << 8);
		at = i == 0 ? 0 : at;
		memcpy(whole + at, data, len);
		at += len;
		if (i == 31) {
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
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	set_up(0, NVSP_VERSION_61, 1500, true);
	frame_to(0, FORM_UDP, 1504 - 28);
	send_frame(1, NULL, 0, IN_MEMORY);
	frame_to(0, FORM_UDP, 1505 - 28);
	send_frame(1, NULL, 0, IN_MEMORY);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 1);
	ck_assert_uint_eq(last(0)->n_ranges, 1);
	ck_assert_uint_eq(guests[0].n.stats.too_long, 1);
	/* What a guest asks for beyond it becomes 9000. */
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	channel_of(0, 0)->ops->open(channel_of(0, 0), NULL);
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
	ck_assert_uint_eq(guests[1].q[0].n_out, (took + NETVSP_BATCH - 1) / NETVSP_BATCH);
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
	guests[1].q[0].room = 0;
	frame_to(1, FORM_UDP, 100);
	for (unsigned i = 0; i < 100; i++) {
		send_frame(0, NULL, 0, IN_SECTION);
		give_back(0);
	}
	frame_to(0, FORM_UDP, 100);
	put_words(1, true, NVSP_SWITCH_DATA_PATH, 0, 0, 0);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 0);
	ck_assert_uint_eq(guests[1].q[0].next_in, 0);
	guests[1].q[0].room = 1;
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	ck_assert_uint_eq(last(1)->n_ranges, NETVSP_BATCH);
	guests[1].q[0].room = 10;
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 3);
	ck_assert_uint_eq(guests[1].q[0].out[1].n_ranges, 100 - NETVSP_BATCH);
	ck_assert_int_eq(last(1)->type, RING_PACKET_COMPLETION);
	ck_assert_uint_eq(last(1)->len, 0); /* as Linux wants it */
	give_back(1);
	ck_assert_uint_eq(guests[1].n.rx.n_free, guests[1].n.rx.n_slots);
}
END_TEST

UNIT_MAIN("netvsp_rx", tcase_add_test(tc, large_frames); tcase_add_test(tc, jumbo);
          tcase_add_test(tc, slots); tcase_add_test(tc, full_ring);)
