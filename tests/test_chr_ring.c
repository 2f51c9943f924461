// SPDX-License-Identifier: BSD-2-Clause
// The ring backend keeps the last bytes and never refuses one.
#include "devices/backend/chr_ring.h"
#include "tests/unit.h"

static struct chr_ring ring;
static uint8_t copy[2 * CHR_RING_SIZE];

static void put(unsigned n, unsigned first)
{
	for (unsigned i = 0; i < n; i++) {
		ck_assert(ring.chr.ops->put(&ring.chr, (uint8_t)((first + i) * 7)));
	}
}

static void check(size_t n, uint64_t first)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(copy[i], (uint8_t)((first + i) * 7));
	}
}

START_TEST(empty)
{
	uint64_t at = 0;

	chr_ring_init(&ring);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), 0);
	ck_assert_uint_eq(at, 0);
	at = 1000; /* a position from before an init */
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), 0);
}
END_TEST

START_TEST(in_pieces)
{
	uint64_t at = 0;

	chr_ring_init(&ring);
	put(100, 0);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, 0), 0);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, 30), 30);
	check(30, 0);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), 70);
	check(70, 30);
	put(1, 100);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), 1);
	check(1, 100);
}
END_TEST

START_TEST(full_and_overrun)
{
	uint64_t at = 0;

	chr_ring_init(&ring);
	put(CHR_RING_SIZE, 0);
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), CHR_RING_SIZE);
	check(CHR_RING_SIZE, 0);
	put(CHR_RING_SIZE + 5, CHR_RING_SIZE);
	at = 3;
	ck_assert_uint_eq(chr_ring_copy(&ring, &at, copy, sizeof(copy)), CHR_RING_SIZE);
	check(CHR_RING_SIZE, CHR_RING_SIZE + 5);
	ck_assert_uint_eq(at, 2 * CHR_RING_SIZE + 5);
}
END_TEST

static void put_text(const char *text)
{
	for (; *text; text++) {
		chr_ring_put(&ring, (uint8_t)*text);
	}
}

START_TEST(line_starts)
{
	chr_ring_init(&ring);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 0), 0);
	ck_assert_uint_eq(chr_ring_line_start(&ring, UINT64_MAX), 0);
	put_text("one\ntwo\n/ # ");
	ck_assert_uint_eq(chr_ring_written(&ring), 12);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 0), 0);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 3), 0);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 4), 4);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 5), 4);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 8), 8);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 12), 8);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 1000), 8);
}
END_TEST

START_TEST(line_starts_of_long_lines_and_lost_ones)
{
	chr_ring_init(&ring);
	for (unsigned i = 0; i < 1000; i++) {
		put_text("x");
	}
	/* So far and no further. */
	ck_assert_uint_eq(chr_ring_line_start(&ring, 1000), 1000 - 256);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 100), 0);
	/* 8 bytes a line, and the first that is kept lies in the middle of one. */
	chr_ring_init(&ring);
	for (unsigned i = 0; i < CHR_RING_SIZE / 8; i++) {
		put_text("1234567\n");
	}
	ck_assert_uint_eq(chr_ring_line_start(&ring, 0), 0);
	put_text("abc");
	ck_assert_uint_eq(chr_ring_line_start(&ring, 0), 8);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 3), 8);
	ck_assert_uint_eq(chr_ring_line_start(&ring, 4), 3);
	ck_assert_uint_eq(chr_ring_line_start(&ring, UINT64_MAX), CHR_RING_SIZE);
	/* Nothing but one line is kept. */
	for (unsigned i = 0; i < 2 * CHR_RING_SIZE; i++) {
		put_text("x");
	}
	ck_assert_uint_eq(chr_ring_line_start(&ring, 0), 2 * CHR_RING_SIZE + 3 + 256);
}
END_TEST

UNIT_MAIN("chr_ring", tcase_add_test(tc, empty); tcase_add_test(tc, in_pieces);
          tcase_add_test(tc, full_and_overrun); tcase_add_test(tc, line_starts);
          tcase_add_test(tc, line_starts_of_long_lines_and_lost_ones);)
