// SPDX-License-Identifier: BSD-2-Clause
// Rings: every place where a packet can wrap, full and empty, and guests that lie.
#include "vmbus/ring.h"

#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <string.h>

#define DATA_PAGES 2U
#define SIZE (DATA_PAGES * 4096U)
#define PACKET_MAX 4096U

static uint8_t memory[1 + DATA_PAGES][4096] __attribute__((aligned(4096)));
/* Not in order in the host's memory, and with what a wrong step would find between them. */
static uint8_t between[4096];
static uint8_t *pages[1 + DATA_PAGES] = {memory[1], memory[2], memory[0]};
static struct ring ring;

static struct ring_header *header(void)
{
	return (struct ring_header *)pages[0];
}

static void clear(void)
{
	memset(memory, 0, sizeof(memory));
	memset(between, 0xee, sizeof(between));
}

static void open_at(uint32_t at, bool in)
{
	clear();
	header()->read_index = header()->write_index = at;
	ck_assert_int_eq(ring_open(&ring, pages, 1 + DATA_PAGES, in), 0);
}

/* --- the guest's side, byte by byte --- */

static void put_byte(uint32_t at, uint8_t byte)
{
	at %= SIZE;
	pages[1 + at / 4096][at % 4096] = byte;
}

static uint8_t get_byte(uint32_t at)
{
	at %= SIZE;
	return pages[1 + at / 4096][at % 4096];
}

static void put(uint32_t at, const void *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		put_byte(at + i, ((const uint8_t *)data)[i]);
	}
}

static void get(uint32_t at, void *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		((uint8_t *)data)[i] = get_byte(at + i);
	}
}

/* A packet of 'len' bytes with its descriptor, at the write index, which moves behind it. */
static void guest_writes(const struct ring_desc *desc, uint32_t len)
{
	uint32_t at = header()->write_index;

	put(at, desc, sizeof(*desc));
	for (uint32_t i = sizeof(*desc); i < len; i++) {
		put_byte(at + i, (uint8_t)(i * 7));
	}
	header()->write_index = (at + len + RING_TRAILER) % SIZE;
}

static struct ring_desc inband(uint32_t len)
{
	return (struct ring_desc){.type = RING_PACKET_INBAND,
	        .data_offset = 2,
	        .len = (uint16_t)(len / 8),
	        .flags = 1,
	        .trans_id = 0x1122334455667788ULL};
}

static int read_one(struct ring_packet *p, uint8_t buf[PACKET_MAX])
{
	memset(buf, 0, PACKET_MAX);
	return ring_read(&ring, buf, PACKET_MAX, p);
}

/* --- reading --- */

START_TEST(opens_only_what_is_a_ring)
{
	clear();
	ck_assert_int_eq(ring_open(&ring, pages, 1, true), -EINVAL);
	ck_assert_int_eq(ring_open(&ring, pages, 0, true), -EINVAL);
	for (unsigned i = 0; i < 2; i++) {
		static const uint32_t bad[] = {1, 4, SIZE, SIZE + 8, 0xfffffff8};

		for (unsigned b = 0; b < ARRAY_SIZE(bad); b++) {
			clear();
			*(i ? &header()->read_index : &header()->write_index) = bad[b];
			ck_assert_int_eq(ring_open(&ring, pages, 3, true), -EINVAL);
			ck_assert_int_eq(ring_open(&ring, pages, 3, false), -EINVAL);
		}
	}
	clear();
	header()->read_index = 8;
	header()->write_index = 64;
	ck_assert_int_eq(ring_open(&ring, pages, 3, true), 0);
	ck_assert_uint_eq(ring.own, 8);
	ck_assert_int_eq(ring_open(&ring, pages, 3, false), 0);
	ck_assert_uint_eq(ring.own, 64);
}
END_TEST

START_TEST(reads_a_packet_at_every_offset)
{
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;

	for (uint32_t at = 0; at < SIZE; at += 8) {
		struct ring_desc d = inband(96);

		open_at(at, true);
		ck_assert_int_eq(read_one(&p, buf), 0);
		guest_writes(&d, 96);
		ck_assert_int_eq(read_one(&p, buf), 1);
		ck_assert_uint_eq(p.type, RING_PACKET_INBAND);
		ck_assert_uint_eq(p.len, 96);
		ck_assert_uint_eq(p.data_offset, 16);
		ck_assert_uint_eq(p.flags, 1);
		ck_assert(p.trans_id == d.trans_id);
		ck_assert_int_eq(memcmp(buf, &d, sizeof(d)), 0);
		for (uint32_t i = 16; i < 96; i++) {
			ck_assert_uint_eq(buf[i], (uint8_t)(i * 7));
		}
		/* Not given back before it is done with. */
		ck_assert_uint_eq(header()->read_index, at);
		ck_assert(!ring_read_done(&ring));
		ck_assert_uint_eq(header()->read_index, (at + 104) % SIZE);
		ck_assert_int_eq(read_one(&p, buf), 0);
	}
}
END_TEST

START_TEST(reads_all_that_is_there)
{
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;
	struct ring_desc small = inband(16), large = inband(2048);

	open_at(SIZE - 24, true);
	guest_writes(&small, 16);
	guest_writes(&large, 2048);
	guest_writes(&small, 16);
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert_uint_eq(p.len, 2048);
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert_int_eq(read_one(&p, buf), 0);
}
END_TEST

START_TEST(a_full_ring_is_read)
{
	static uint8_t buf[SIZE];
	struct ring_packet p;
	/* All but the eight bytes that tell full from empty. */
	struct ring_desc d = inband(SIZE - 16);

	open_at(4096 + 512, true);
	guest_writes(&d, SIZE - 16);
	ck_assert_int_eq(ring_read(&ring, buf, SIZE, &p), 1);
	ck_assert_uint_eq(p.len, SIZE - 16);
	ck_assert_int_eq(ring_read(&ring, buf, SIZE, &p), 0);
}
END_TEST

/* A descriptor, how much of the ring is said to be written, and whether it may be read. */
static const struct {
	struct ring_desc d;
	uint32_t written;
	bool good;
} descs[] = {
        {{6, 2, 2, 0, 0}, 24, true},
        {{6, 2, 2, 1, 0}, 24, true},
        {{11, 2, 2, 0, 0}, 24, true},
        {{6, 3, 4, 0, 0}, 40, true},
        {{6, 2, 2, 0, 0}, 4096, true}, /* more follows */
        {{6, 2, 2, 2, 0}, 24, false},  /* flags */
        {{6, 2, 2, 0x8001, 0}, 24, false},
        {{6, 2, 2, 0, 0}, 16, false}, /* no room for its trailer */
        {{6, 2, 2, 0, 0}, 8, false},
        {{6, 2, 3, 0, 0}, 24, false}, /* longer than what was written */
        {{6, 2, 0xffff, 0, 0}, 4096, false},
        {{6, 2, 1, 0, 0}, 24, false}, /* shorter than its descriptor */
        {{6, 2, 0, 0, 0}, 24, false},
        {{6, 1, 2, 0, 0}, 24, false}, /* payload in the descriptor */
        {{6, 0, 2, 0, 0}, 24, false},
        {{6, 3, 2, 0, 0}, 24, false}, /* payload behind the end */
        {{6, 0xffff, 2, 0, 0}, 24, false},
        {{9, 3, 3, 0, 0}, 32, true},
        {{7, 3, 3, 0, 0}, 32, true},
        {{9, 2, 3, 0, 0}, 32, false}, /* no room for the list's head */
        {{7, 2, 3, 0, 0}, 32, false},
        {{0, 2, 2, 0, 0}, 24, false}, /* types */
        {{1, 2, 2, 0, 0}, 24, false},
        {{5, 2, 2, 0, 0}, 24, false},
        {{8, 3, 3, 0, 0}, 32, false},
        {{10, 2, 2, 0, 0}, 24, false},
        {{12, 2, 2, 0, 0}, 24, false},
        {{0xffff, 2, 2, 0, 0}, 24, false},
        {{6, 2, 513, 0, 0}, 4112, false}, /* longer than our buffer */
        {{6, 2, 512, 0, 0}, 4104, true},
};

START_TEST(checks_descriptors)
{
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;

	open_at(SIZE - 8, true);
	put(SIZE - 8, &descs[_i].d, sizeof(struct ring_desc));
	header()->write_index = (SIZE - 8 + descs[_i].written) % SIZE;
	ck_assert_int_eq(read_one(&p, buf), descs[_i].good ? 1 : -EPROTO);
}
END_TEST

START_TEST(checks_the_write_index)
{
	static const uint32_t bad[] = {4, 1, SIZE, SIZE + 8, 0x80000000, 0xffffffff};
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		open_at(0, true);
		header()->write_index = bad[i];
		ck_assert_int_eq(read_one(&p, buf), -EPROTO);
	}
}
END_TEST

START_TEST(own_index_is_ours)
{
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;
	struct ring_desc d = inband(16);

	open_at(0, true);
	header()->read_index = 0x1234567; /* the guest scribbles over it */
	guest_writes(&d, 16);
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(!ring_read_done(&ring));
	ck_assert_uint_eq(header()->read_index, 24);
}
END_TEST

START_TEST(masks)
{
	struct ring_desc d = inband(16);
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;

	open_at(0, true);
	ring_mask(&ring);
	ck_assert_uint_eq(header()->interrupt_mask, 1);
	ck_assert(!ring_unmask(&ring));
	ck_assert_uint_eq(header()->interrupt_mask, 0);
	ring_mask(&ring);
	guest_writes(&d, 16);
	ck_assert(ring_unmask(&ring));
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(!ring_unmask(&ring));
}
END_TEST

START_TEST(tells_a_writer_that_waits_for_room)
{
	uint8_t buf[PACKET_MAX];
	struct ring_packet p;
	struct ring_desc d = inband(1016);

	/* Seven of 1024 bytes: 1024 are free, and the guest wants 3000. */
	open_at(0, true);
	for (unsigned i = 0; i < 7; i++) {
		guest_writes(&d, 1016);
	}
	header()->pending_send_size = 3000 | 7;
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(!ring_read_done(&ring)); /* 2048 free */
	ck_assert(!ring_read_done(&ring)); /* nothing has moved */
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(ring_read_done(&ring)); /* 3072 */
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(!ring_read_done(&ring)); /* it has been told */

	/* Exactly what is wanted is not enough, as the ring may not be filled. */
	open_at(0, true);
	for (unsigned i = 0; i < 7; i++) {
		guest_writes(&d, 1016);
	}
	header()->pending_send_size = 2048;
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(!ring_read_done(&ring));
	ck_assert_int_eq(read_one(&p, buf), 1);
	ck_assert(ring_read_done(&ring));
	/* Nonsense is the next read's to find. */
	ck_assert_int_eq(read_one(&p, buf), 1);
	header()->write_index = 3;
	ck_assert(!ring_read_done(&ring));
}
END_TEST

/* --- writing --- */

static void write_packet(uint32_t len, uint8_t seed)
{
	struct ring_desc d = inband((len + 7) / 8 * 8);
	uint8_t payload[PACKET_MAX];
	struct ring_piece pieces[] = {{&d, sizeof(d)}, {payload, 0}, {payload, len - 16}};

	for (uint32_t i = 0; i < len - 16; i++) {
		payload[i] = (uint8_t)(seed + i);
	}
	ring_write(&ring, pieces, ARRAY_SIZE(pieces));
}

START_TEST(writes_a_packet_at_every_offset)
{
	for (uint32_t at = 0; at < SIZE; at += 8) {
		uint8_t got[128];
		uint64_t trailer;
		struct ring_desc d;

		open_at(at, false);
		memset(memory[1] + 128, 0xff, 4096 - 128);
		memset(memory[2], 0xff, 4096);
		memset(memory[0], 0xff, 4096);
		ck_assert(ring_has_room(&ring, 100));
		write_packet(100, 3);
		ck_assert_uint_eq(header()->write_index, at); /* not yet */
		ck_assert(ring_write_done(&ring));
		ck_assert_uint_eq(header()->write_index, (at + 112) % SIZE);
		get(at, &d, sizeof(d));
		ck_assert_uint_eq(d.len, 13);
		get(at + 16, got, 84);
		for (uint32_t i = 0; i < 84; i++) {
			ck_assert_uint_eq(got[i], (uint8_t)(3 + i));
		}
		/* Padding of zeros: no byte of the host's goes out. */
		for (uint32_t i = 100; i < 104; i++) {
			ck_assert_uint_eq(get_byte(at + i), 0);
		}
		get(at + 104, &trailer, 8);
		ck_assert(trailer == (uint64_t)at << 32);
		ck_assert_uint_eq(get_byte(at + 112), 0xff);
	}
}
END_TEST

START_TEST(never_fills_the_last_eight_bytes)
{
	open_at(0, false);
	/* Eight bytes more than the ring may hold, with the trailer and those that stay free. */
	ck_assert(!ring_has_room(&ring, SIZE - 8));
	ck_assert(!ring_has_room(&ring, SIZE));
	ck_assert(!ring_has_room(&ring, 0xfffffff0));
	ck_assert(ring_has_room(&ring, SIZE - 16));

	/* With the reader in the way. */
	open_at(0, false);
	write_packet(1016, 0);
	ck_assert(ring_write_done(&ring));
	ck_assert(ring_has_room(&ring, SIZE - 1024 - 16));
	ck_assert(!ring_has_room(&ring, SIZE - 1024 - 8));
	header()->read_index = 8;
	ck_assert(ring_has_room(&ring, SIZE - 1024 - 8));
}
END_TEST

START_TEST(asks_for_room)
{
	open_at(0, false);
	ck_assert(!ring_tells_room(&ring));
	header()->feature_bits = 1;
	ck_assert(ring_tells_room(&ring));
	while (ring_has_room(&ring, 1016)) {
		write_packet(1016, 0);
		(void)!ring_write_done(&ring);
	}
	ck_assert_uint_eq(header()->pending_send_size, 1024);
	ck_assert_uint_eq(ring.own, 7 * 1024);
	/* A smaller one still fits; the larger one goes on waiting. */
	ck_assert(ring_has_room(&ring, 128));
	ck_assert_uint_eq(header()->pending_send_size, 1024);
	header()->read_index = 8;
	ck_assert(ring_has_room(&ring, 1016));
	ck_assert_uint_eq(header()->pending_send_size, 0);
}
END_TEST

START_TEST(interrupts_when_the_ring_was_empty)
{
	open_at(0, false);
	ck_assert(!ring_write_done(&ring)); /* nothing new */
	write_packet(64, 0);
	ck_assert(ring_write_done(&ring));
	ck_assert(!ring_write_done(&ring));
	write_packet(64, 0);
	ck_assert(!ring_write_done(&ring)); /* it has not read the first */
	header()->read_index = 144;
	write_packet(64, 0);
	write_packet(64, 0);
	ck_assert(ring_write_done(&ring)); /* once for both */
	header()->read_index = 4 * 72;
	header()->interrupt_mask = 1;
	write_packet(64, 0);
	ck_assert(!ring_write_done(&ring)); /* it is looking */
}
END_TEST

START_TEST(checks_the_read_index)
{
	static const uint32_t bad[] = {4, SIZE, 0xfffffff8};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		open_at(0, false);
		write_packet(4096, 0);
		header()->read_index = bad[i];
		ck_assert(ring_has_room(&ring, 2048));
		ck_assert(!ring_has_room(&ring, 4096));
		(void)!ring_write_done(&ring);
	}
}
END_TEST

START_TEST(room_does_not_go_away)
{
	open_at(0, false);
	write_packet(1016, 0);
	write_packet(1016, 0);
	header()->read_index = 2048;
	ck_assert(ring_has_room(&ring, SIZE - 2048));
	header()->read_index = 1024; /* back */
	ck_assert(ring_has_room(&ring, SIZE - 2048));
	header()->read_index = 4096; /* beyond what was written */
	ck_assert(!ring_has_room(&ring, SIZE - 16 + 1));
	ck_assert(ring_has_room(&ring, SIZE - 16));
}
END_TEST

START_TEST(counts_what_is_in_it)
{
	struct ring_desc d = inband(96);

	open_at(SIZE - 8, true);
	ck_assert_uint_eq(ring_fill(&ring, true), 0);
	guest_writes(&d, 96);
	ck_assert_uint_eq(ring_fill(&ring, true), 104);
	header()->write_index = 5;
	ck_assert_uint_eq(ring_fill(&ring, true), 0);
	open_at(SIZE - 8, false);
	write_packet(96, 0);
	ck_assert_uint_eq(ring_fill(&ring, false), 104);
}
END_TEST

UNIT_MAIN("vmbus_ring", tcase_add_test(tc, opens_only_what_is_a_ring);
          tcase_add_test(tc, reads_a_packet_at_every_offset);
          tcase_add_test(tc, reads_all_that_is_there); tcase_add_test(tc, a_full_ring_is_read);
          tcase_add_loop_test(tc, checks_descriptors, 0, ARRAY_SIZE(descs));
          tcase_add_test(tc, checks_the_write_index); tcase_add_test(tc, own_index_is_ours);
          tcase_add_test(tc, masks); tcase_add_test(tc, tells_a_writer_that_waits_for_room);
          tcase_add_test(tc, writes_a_packet_at_every_offset);
          tcase_add_test(tc, never_fills_the_last_eight_bytes); tcase_add_test(tc, asks_for_room);
          tcase_add_test(tc, interrupts_when_the_ring_was_empty);
          tcase_add_test(tc, checks_the_read_index); tcase_add_test(tc, room_does_not_go_away);
          tcase_add_test(tc, counts_what_is_in_it);)
