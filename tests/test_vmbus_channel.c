// SPDX-License-Identifier: BSD-2-Clause
// Channels as their devices see them: packets checked, packets sent, GPADLs held.
#include "tests/channel_dev.h"

START_TEST(gives_a_packet_as_it_came)
{
	uint8_t payload[40] = {7, 8, 9};

	open_it();
	dev.silent = true;
	ck_assert(bus_write(&r, 0xabcdef, payload, 21));
	ck_assert_uint_eq(dev.packet.type, RING_PACKET_INBAND);
	ck_assert(dev.packet.wants_completion);
	ck_assert(dev.packet.trans_id == 0xabcdef);
	ck_assert_uint_eq(dev.packet.payload_len, 24); /* the ring knows multiples of 8 only */
	ck_assert_int_eq(memcmp(dev.packet.payload, payload, 21), 0);
	ck_assert_int_eq(dev.n_segs, 0);
}
END_TEST

START_TEST(finds_the_memory_of_a_packet)
{
	const uint64_t at = VMBUS_VM_BUFFERS + 0x234;

	open_it();
	ck_assert(bus_write_gpa(&r, 5, at, 10000, "payload", 8));
	ck_assert_uint_eq(dev.packet.n_ranges, 1);
	ck_assert_uint_eq(dev.packet.ranges_len, 10000);
	ck_assert_str_eq((const char *)dev.packet.payload, "payload");
	/* Neighbours, so one piece. */
	ck_assert_int_eq(dev.n_segs, 1);
	ck_assert_uint_eq(dev.segs[0].len, 10000);
	ck_assert_ptr_eq(dev.segs[0].hva, bus_ram(at));
	/* Beyond the RAM. */
	ck_assert(bus_write_gpa(&r, 6, WORLD_MEM - 4096, 8192, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
	ck_assert(bus_write_gpa(&r, 7, 0x000ffffffffff000ULL, 4096, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
	ck_assert(bus_write_gpa(&r, 8, 0xfffffffffffff000ULL, 4096, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
}
END_TEST

/* A GPA direct packet from its words behind the descriptor: 8 payload bytes follow. */
static bool write_words(const uint64_t *words, unsigned n, uint16_t type)
{
	uint8_t packet[1024] = {0};
	struct ring_desc d = {.type = type,
	        .data_offset = (uint16_t)(2 + n),
	        .len = (uint16_t)(3 + n),
	        .flags = 1,
	        .trans_id = 1};

	memcpy(packet, &d, sizeof(d));
	memcpy(packet + 16, words, n * 8);
	return bus_write_raw(&r, packet, 24 + n * 8);
}

#define COUNT(n) ((uint64_t)(n) << 32)
#define RANGE(len, offset) ((uint64_t)(offset) << 32 | (len))
#define PFN(n) ((VMBUS_VM_BUFFERS >> PAGE_SHIFT) + (n))

static const struct {
	uint16_t type;
	unsigned n;
	uint64_t words[10];
	bool good;
	int n_segs;
	uint32_t lens[4];
} lists[] = {
        /* as netvsc and older drivers send them */
        {9, 5, {COUNT(2), RANGE(10, 0), PFN(0), RANGE(20, 4076), PFN(0)}, true, 2, {10, 20}},
        {9, 5, {COUNT(2), RANGE(4096, 0), PFN(0), RANGE(4096, 0), PFN(1)}, true, 1, {8192}},
        {9, 4, {COUNT(1), RANGE(8192, 0), PFN(5), PFN(3)}, true, 2, {4096, 4096}},
        {9, 4, {COUNT(1), RANGE(4096, 1), PFN(2), PFN(3)}, true, 1, {4096}},
        /* a word too many is no harm */
        {9, 4, {COUNT(1), RANGE(1, 0), PFN(0), PFN(0)}, true, 1, {1}},
        /* none, none that fits, more than there are */
        {9, 3, {COUNT(0), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        {9, 1, {COUNT(1)}, false, 0, {0}},
        {9, 2, {COUNT(1), RANGE(1, 0)}, false, 0, {0}},
        {9, 3, {COUNT(2), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        {9, 4, {COUNT(2), RANGE(1, 0), PFN(0), RANGE(1, 0)}, false, 0, {0}},
        {9, 3, {COUNT(0xffffffff), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        /* sizes and offsets */
        {9, 3, {COUNT(1), RANGE(0, 0), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 4096), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 0xffffffff), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(4097, 0), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(2, 4095), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(0xffffffff, 4095), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 4095), PFN(0)}, true, 1, {1}},
        /* transfer pages */
        {7, 3, {COUNT(2), RANGE(10, 0), RANGE(20, 0)}, true, 0, {0}},
        {7, 1, {COUNT(0)}, true, 0, {0}},
        {7, 2, {COUNT(2), RANGE(10, 0)}, false, 0, {0}},
        {7, 3, {COUNT(2), RANGE(0xffffffff, 0), RANGE(1, 0)}, false, 0, {0}},
};

START_TEST(checks_lists_of_ranges)
{
	open_it();
	dev.silent = true;
	ck_assert(write_words(lists[_i].words, lists[_i].n, lists[_i].type));
	ck_assert_int_eq(dev.ch.broken, !lists[_i].good);
	if (lists[_i].good) {
		ck_assert_int_eq(dev.n_segs, lists[_i].n_segs);
		for (int i = 0; i < dev.n_segs; i++) {
			ck_assert_uint_eq(dev.segs[i].len, lists[_i].lens[i]);
		}
	}
}
END_TEST

START_TEST(as_many_segments_as_there_is_room_for)
{
	uint64_t words[20] = {COUNT(1), RANGE(9 * 4096, 0)};

	open_it();
	for (unsigned i = 0; i < 9; i++) {
		words[2 + i] = PFN(2 * i);
	}
	ck_assert(write_words(words, 11, 9));
	ck_assert_int_eq(dev.n_segs, -ENOSPC);
}
END_TEST

START_TEST(a_broken_ring_ends_the_channel_alone)
{
	open_it();
	((struct ring_header *)r.out)->write_index = 3;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	ck_assert(dev.ch.broken);
	ck_assert_int_eq(dev.received, -EPROTO);
	ck_assert_uint_eq(fake_log_count("makes no sense"), 1);
	dev.works = 0;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	channel_kick(&dev.ch);
	bus_serve(0);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.works, 0);
	ck_assert_uint_eq(fake_log_count("makes no sense"), 1);
	/* Until it is opened again. */
	bus_close(RELID);
	ck_assert_uint_eq(dev.closes, 1);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert(write_one(1));
	ck_assert(completion() == 1);
}
END_TEST

START_TEST(a_packet_too_long_for_its_device)
{
	static const uint8_t payload[2 * MAX];

	open_it();
	ck_assert(bus_write(&r, 1, payload, MAX - 16));
	ck_assert(!dev.ch.broken);
	ck_assert(bus_write(&r, 1, payload, MAX - 8));
	ck_assert(dev.ch.broken);
}
END_TEST

/* --- to the guest --- */

START_TEST(sends_transfer_pages)
{
	const struct vmbus_xfer_range ranges[] = {{100, 0}, {200, 4096}};
	struct {
		struct ring_desc d;
		uint16_t pageset;
		uint16_t owner;
		uint32_t n_ranges;
		struct vmbus_xfer_range ranges[2];
		uint8_t payload[8];
	} got;

	open_it();
	spin_lock(&dev.ch.lock);
	ck_assert(channel_has_room(&dev.ch, 3, 2));
	ck_assert_int_eq(channel_send_xfer(&dev.ch, 77, 0xcafe, ranges, 2, "abc", 3), 0);
	spin_unlock(&dev.ch.lock);
	channel_kick(&dev.ch);
	bus_serve(0);
	ck_assert(bus_interrupted(RELID));
	ck_assert_uint_eq(bus_read(&r, &got, sizeof(got)), sizeof(got));
	ck_assert_uint_eq(got.d.type, RING_PACKET_XFER_PAGES);
	ck_assert_uint_eq(got.d.data_offset, 5);
	ck_assert_uint_eq(got.d.flags, 1);
	ck_assert(got.d.trans_id == 77);
	ck_assert_uint_eq(got.pageset, 0xcafe);
	ck_assert_uint_eq(got.n_ranges, 2);
	ck_assert_int_eq(memcmp(got.ranges, ranges, sizeof(ranges)), 0);
	ck_assert_int_eq(memcmp(got.payload, "abc\0\0\0\0\0", 8), 0);
}
END_TEST

START_TEST(a_full_ring_is_waited_for)
{
	unsigned sent = 0;

	open_it();
	/* The guest reads nothing and asks for ever more. */
	for (uint64_t i = 1; dev.waits == 0; i++) {
		ck_assert(write_one(i));
		ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
		sent++;
	}
	ck_assert(dev.ch.stats.full > 0);
	ck_assert_uint_gt(sent, 1000);
	fake_clock_advance(VMBUS_LOOK_NS); /* the last look */
	dev.works = 0;
	fake_clock_advance(10 * VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.works, 0); /* nobody polls */
	/* When it reads, it tells, as it was asked to. */
	for (uint64_t i = 1; i <= sent; i++) {
		ck_assert(completion() == i);
	}
	ck_assert_uint_eq(dev.waits, 0);
}
END_TEST

START_TEST(a_guest_that_never_tells_is_polled)
{
	open_it();
	((struct ring_header *)r.in)->feature_bits = 0;
	for (uint64_t i = 1; dev.waits == 0; i++) {
		ck_assert(write_one(i));
		ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	}
	ck_assert(completion() == 1);
	ck_assert(completion() == 2);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.waits, 0);
}
END_TEST

START_TEST(holds_gpadls)
{
	struct vmbus_msg_gpadl_teardown down = {
	        .header.type = VMBUS_GPADL_TEARDOWN, .relid = RELID, .gpadl = 0x77};
	union vmbus_guest_message m;

	open_it();
	bus_gpadl(RELID, 0x77, VMBUS_VM_BUFFERS, 40);
	ck_assert_ptr_null(channel_gpadl_hold(&dev.ch, 0x78));
	dev.held = channel_gpadl_hold(&dev.ch, 0x77);
	ck_assert_ptr_nonnull(dev.held);
	ck_assert_uint_eq(dev.held->len, 40 * 4096);
	ck_assert_int_eq(bus_say(&down, sizeof(down)), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(dev.gone, 1);
	bus_expect(VMBUS_GPADL_TORNDOWN, &m);
	ck_assert_ptr_null(channel_gpadl_hold(&dev.ch, 0x77));
}
END_TEST

UNIT_MAIN("vmbus_channel", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, gives_a_packet_as_it_came);
          tcase_add_test(tc, finds_the_memory_of_a_packet);
          tcase_add_loop_test(tc, checks_lists_of_ranges, 0, ARRAY_SIZE(lists));
          tcase_add_test(tc, as_many_segments_as_there_is_room_for);
          tcase_add_test(tc, a_broken_ring_ends_the_channel_alone);
          tcase_add_test(tc, a_packet_too_long_for_its_device);
          tcase_add_test(tc, sends_transfer_pages); tcase_add_test(tc, a_full_ring_is_waited_for);
          tcase_add_test(tc, a_guest_that_never_tells_is_polled); tcase_add_test(tc, holds_gpadls);)
