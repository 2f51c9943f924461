// SPDX-License-Identifier: BSD-2-Clause
// The synthetic keyboard: its version, keys in order, a guest that does not read, nonsense.
#include "tests/channel_world.h"
#include "tests/unit.h"
#include "vmbus/kbd.h"

static struct vmbus_kbd kbd;
static const struct vm_key a_down = {.code = 0x1e, .down = true};
static const struct vm_key del_up = {.code = 0x53, .extended = true};

static void setup(void)
{
	wire_reset();
	vmbus_kbd_init(&kbd);
	ck_assert_int_eq(wire_open(&kbd.ch), 0);
}

static void in(enum ring_packet_type type, uint32_t first, uint32_t second, uint32_t len,
        bool wants_completion)
{
	const uint32_t words[2] = {first, second};

	wire_in(type, 77, wants_completion, words, len);
	wire_work(&kbd.ch);
}

static void up(void)
{
	wire.n_sent = 0;
	in(RING_PACKET_INBAND, 1, 0x10000, 8, false);
	ck_assert_uint_eq(wire.n_sent, 1);
	wire.n_sent = 0;
}

START_TEST(version)
{
	static const uint8_t yes[8] = {2, 0, 0, 0, 1}, no[8] = {2};

	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), -ENOTCONN);
	/* As Linux asks: with a completion, that it drops. */
	in(RING_PACKET_INBAND, 1, 0x10000, 8, true);
	ck_assert_uint_eq(wire.n_sent, 2);
	ck_assert_uint_eq(wire.sent[0].type, RING_PACKET_COMPLETION);
	ck_assert_uint_eq(wire.sent[0].trans_id, 77);
	ck_assert_uint_eq(wire.sent[1].type, RING_PACKET_INBAND);
	ck_assert_uint_eq(wire.sent[1].trans_id, 0);
	ck_assert_uint_eq(wire.sent[1].len, 8);
	ck_assert_mem_eq(wire.sent[1].bytes, yes, 8);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), 0);
	/* A version that there is not; then there are no keys either. */
	in(RING_PACKET_INBAND, 1, 0x20000, 8, false);
	ck_assert_mem_eq(wire.sent[wire.n_sent - 1].bytes, no, 8);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), -ENOTCONN);
	up();
}
END_TEST

START_TEST(keys)
{
	static const uint8_t want[2][12] = {{3, 0, 0, 0, 0x1e}, {3, 0, 0, 0, 0x53, 0, 0, 0, 6}};

	up();
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), 0);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &del_up), 0);
	ck_assert_uint_ge(wire.kicks, 1);
	wire_work(&kbd.ch);
	ck_assert_uint_eq(wire.n_sent, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(wire.sent[i].len, 12);
		ck_assert_uint_eq(wire.sent[i].trans_id, 0);
		ck_assert(!wire.sent[i].wants_completion);
		ck_assert_mem_eq(wire.sent[i].bytes, want[i], 12);
	}
}
END_TEST

START_TEST(a_guest_that_does_not_read)
{
	struct vm_key key = {.down = true};
	unsigned n = 0;

	up();
	wire.room = 3;
	while (vmbus_kbd_key(&kbd, &key) == 0) {
		key.code++;
		n++;
		wire_work(&kbd.ch);
		ck_assert_uint_lt(n, 1000);
	}
	ck_assert_uint_eq(n, 3 + VMBUS_KBD_QUEUE);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &key), -EAGAIN);
	/* It reads again: none is missing, none comes twice. */
	wire.room = WIRE_PACKETS;
	wire_work(&kbd.ch);
	ck_assert_uint_eq(wire.n_sent, n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(wire.sent[i].bytes[4], i);
	}
}
END_TEST

START_TEST(no_room_for_the_answer)
{
	wire.room = 0;
	in(RING_PACKET_INBAND, 1, 0x10000, 8, true);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), -ENOTCONN);
	wire.room = 1;
	wire_work(&kbd.ch);
	ck_assert_uint_eq(wire.n_sent, 1);
	ck_assert_uint_eq(wire.sent[0].bytes[0], 2);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), 0);
}
END_TEST

START_TEST(close_and_open)
{
	up();
	wire.room = 0;
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), 0);
	wire_work(&kbd.ch);
	kbd.ch.ops->close(&kbd.ch);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), -ENOTCONN);
	/* The key that waited was for another driver. */
	wire.room = WIRE_PACKETS;
	ck_assert_int_eq(wire_open(&kbd.ch), 0);
	up();
	wire_work(&kbd.ch);
	ck_assert_uint_eq(wire.n_sent, 0);
}
END_TEST

START_TEST(nonsense)
{
	uint64_t strays = 0;

	up();
	in(RING_PACKET_INBAND, 4, 5, 8, false);
	ck_assert_uint_eq(kbd.leds, 5);
	in(RING_PACKET_INBAND, 4, 2, 6, false);
	ck_assert_uint_eq(kbd.leds, 2);
	ck_assert_uint_eq(kbd.strays, 0);
	in(RING_PACKET_INBAND, 4, 7, 5, false);
	ck_assert_uint_eq(kbd.strays, ++strays);
	in(RING_PACKET_INBAND, 1, 0x10000, 7, false);
	ck_assert_uint_eq(kbd.strays, ++strays);
	in(RING_PACKET_INBAND, 1, 0, 0, false);
	ck_assert_uint_eq(kbd.strays, ++strays);
	in(RING_PACKET_INBAND, 3, 0x1e, 8, false);
	ck_assert_uint_eq(kbd.strays, ++strays);
	in(RING_PACKET_GPA_DIRECT, 1, 0x10000, 8, false);
	ck_assert_uint_eq(kbd.strays, ++strays);
	ck_assert_uint_eq(wire.n_sent, 0);
	ck_assert_int_eq(vmbus_kbd_key(&kbd, &a_down), 0);
}
END_TEST

UNIT_MAIN("vmbus_kbd", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, version);
          tcase_add_test(tc, keys); tcase_add_test(tc, a_guest_that_does_not_read);
          tcase_add_test(tc, no_room_for_the_answer); tcase_add_test(tc, close_and_open);
          tcase_add_test(tc, nonsense);)
