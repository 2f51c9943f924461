// SPDX-License-Identifier: BSD-2-Clause
// The data port: accesses of every width, and those that are out of place.
#include "tests/ide_world.h"

static uint8_t buf[512], want[512];

static void setup(void)
{
	w_make(true, true);
	for (unsigned i = 0; i < sizeof(want); i++) {
		want[i] = (uint8_t)(i * 31 + 5);
	}
}

/* Dwords and bytes give the same; an access that is wider than what is left does not go on. */
START_TEST(widths_of_the_data_port)
{
	w_lba28(0x20, 1, 9);
	for (unsigned i = 0; i < 504; i += 4) {
		uint32_t v = w_in(W_CMD, 4);

		ck_assert_mem_eq(&v, w_disk_data + 9 * 512 + i, 4);
	}
	for (unsigned i = 504; i < 508; i++) {
		ck_assert_uint_eq(w_in(W_CMD, 1), w_disk_data[9 * 512 + i]);
	}
	ck_assert_uint_eq(w_in(W_CMD, 2) & 0xff, w_disk_data[9 * 512 + 508]);
	ck_assert_uint_eq(w_in(W_CMD, 4) >> 16, 0xffff);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	w_reg(W_CMD, IDE_STATUS);
	w_lba28(0x30, 1, 9);
	for (unsigned i = 0; i < 512; i += 4) {
		uint32_t v;

		memcpy(&v, want + i, 4);
		w_out(W_CMD, 4, v);
	}
	w_expect(W_CMD, W_GOOD);
	ck_assert_mem_eq(w_disk_data + 9 * 512, want, 512);
	/* The wrong direction moves nothing. */
	w_lba28(0x30, 1, 9);
	ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
	w_write_data(W_CMD, want, 512);
	w_expect(W_CMD, W_GOOD);
	w_lba28(0x20, 1, 9);
	w_out(W_CMD, 2, 0x5555);
	w_expect(W_CMD, W_DRQ);
	w_read_data(W_CMD, buf, 512);
	ck_assert_mem_eq(buf, want, 512);
}
END_TEST

/* A packet may come in any width; a reply of an odd length ends with its last byte. */
START_TEST(packets_and_replies)
{
	static const uint8_t p[12] = {0x12, [4] = 7};

	for (unsigned width = 1; width <= 4; width *= 2) {
		w_command(W_CMD2, 0xa0, 0, 0, 0xfffe00, 0xa0);
		ck_assert_uint_eq(w_alt(W_CMD2), W_DRQ);
		ck_assert_uint_eq(w_in(W_CMD2, 2), 0xffff);
		for (unsigned i = 0; i < 12; i += width) {
			uint32_t v = 0;

			memcpy(&v, p + i, width);
			w_out(W_CMD2, width, v);
		}
		w_expect(W_CMD2, W_DRQ);
		ck_assert_uint_eq(w_in(W_CMD2, 4), 0x21008005);
		ck_assert_uint_eq(w_in(W_CMD2, 2), 31);
		w_out(W_CMD2, 2, 0x1234);
		ck_assert_uint_eq(w_in(W_CMD2, 2), 0xff00);
		w_expect(W_CMD2, W_GOOD);
		ck_assert_uint_eq(w_in(W_CMD2, 2), 0xffff);
	}
}
END_TEST

UNIT_MAIN("ide_port", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, widths_of_the_data_port); tcase_add_test(tc, packets_and_replies);)
