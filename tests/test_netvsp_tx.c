// SPDX-License-Identifier: BSD-2-Clause
// Frames that a guest sends, in each form of packet, and packets that lie.
#include "tests/net_driver.h"

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
		ck_assert_uint_eq(guests[to].q[0].kicks, n / 2 + 1);
		run(to);
		ck_assert_uint_eq(guests[to].q[0].n_out, 1);
		ck_assert_uint_eq(received(to, last(to), 0, &data), t.len);
		ck_assert_mem_eq(data, t.bytes, t.len);
		ck_assert_uint_eq(get_le32(flat + 28), 0); /* nothing else to say */
		give_back(0);
		give_back(1);
	}
	ck_assert_uint_eq(guests[0].n.queues[0].stats.packets, ARRAY_SIZE(lens) * 3);
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
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
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
	guests[0].q[0].in[0].type = RING_PACKET_GPA_DIRECT;
	guests[0].q[0].in[0].n_segs = 1;
	guests[0].q[0].in[0].segs[0].len = 0x40000000;
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
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
}
END_TEST

UNIT_MAIN("netvsp_tx", tcase_add_test(tc, frames); tcase_add_test(tc, frames_anywhere);
          tcase_add_test(tc, many_messages); tcase_add_test(tc, checksums_and_tags);
          tcase_add_test(tc, hostile_sends);)
