// SPDX-License-Identifier: BSD-2-Clause
// What only a DVD drive has: a tray, and a disc with a table of contents.
#include "tests/scsi_world.h"

START_TEST(tray)
{
	lun.blk = &dvd.blk;
	RUN(0, 0x1e, 0, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	BAD(0x055302);
	RUN(0, 0x1e, 0, 0, 0, 0, 0);
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	GOOD(0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x023a02);
	RUN(8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\x06\x04\x10\0\x01\0\0", 8);
	RUN(8, 0x46, 0, 0, 0, 0, 0, 0, 0, 8, 0);
	GOOD(8);
	ck_assert_uint_eq(be(data + 6, 2), 0);
	/* Closed again: told once that it may be another disc, and only to those who touch it. */
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	GOOD(0);
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	RUN(8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
	ck_assert_mem_eq(data, "\0\x06\x04\x10\x02\x02\0\0", 8);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x062800);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	/* Or to REQUEST SENSE. */
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	ck_assert_uint_eq(data[2], 6);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	/* Closing a closed one, spinning it down. */
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	RUN(8, 0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8, 0);
	GOOD(4);
	ck_assert_mem_eq(data, "\0\x02\x80\x10", 4);
}
END_TEST

START_TEST(disc)
{
	lun.blk = &dvd.blk;
	run((const uint8_t[10]){0x28, [5] = 5, [8] = 1}, 10, 2048);
	GOOD(2048);
	ck_assert_uint_eq(data[0], 5);
	ck_assert_uint_eq(data[2047], 5);
	RUN(20, 0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0);
	GOOD(20);
	ck_assert_mem_eq(data, "\0\x12\x01\x01\0\x14\x01\0\0\0\0\0\0\x14\xaa\0\0\0\x08\0", 20);
	/* In minutes, seconds and frames: 2048 blocks and 150 are 29 s and 23. */
	RUN(20, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 20, 0);
	GOOD(12);
	ck_assert_mem_eq(data, "\0\x0a\x01\x01\0\x14\xaa\0\0\0\x1d\x17", 12);
	RUN(12, 0x43, 0, 1, 0, 0, 0, 0, 0, 12, 0);
	GOOD(12);
	ck_assert_mem_eq(data, "\0\x0a\x01\x01\0\x14\x01\0\0\0\0\0", 12);
	/* The format where older drivers have it. */
	RUN(12, 0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40);
	GOOD(12);
	RUN(255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255, 0);
	GOOD(8 + 12 + 12 + 8 + 12 + 8 + 8);
	ck_assert_uint_eq(be(data, 4), req.moved - 4);
	ck_assert_uint_eq(be(data + 6, 2), 8);
	ck_assert_mem_eq(data + 8, "\0\0\x03\x08\0\x10\0\0\0\x08\x01\0", 12);
	RUN(255, 0x46, 2, 0, 3, 0, 0, 0, 0, 255, 0);
	GOOD(16);
	RUN(255, 0x46, 0, 0, 0x1f, 0, 0, 0, 0, 255, 0);
	GOOD(16);
	RUN(34, 0x51, 0, 0, 0, 0, 0, 0, 0, 34, 0);
	GOOD(34);
	ck_assert_mem_eq(data, "\0\x20\x0e\x01\x01\x01\x01\x20", 8);
	for (uint8_t kind = 0; kind < 3; kind++) {
		RUN(36, 0x52, kind, 0, 0, 0, 1, 0, 0, 36, 0);
		GOOD(36);
		ck_assert_mem_eq(data, "\0\x22\x01\x01\0\x04\x01\x02\0\0\0\0", 12);
		ck_assert_mem_eq(data + 24, "\0\0\x08\0\0\0\x07\xff", 8);
	}
	/* Larger than any CD. */
	dvd.blk.size = 1ULL << 32;
	RUN(255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255, 0);
	ck_assert_uint_eq(be(data + 6, 2), 0x10);
	ck_assert_mem_eq(data + 8, "\0\0\x03\x08\0\x10\x01\0\0\x08\0\0", 12);
}
END_TEST

UNIT_MAIN("scsi_dvd", tcase_add_checked_fixture(tc, setup, teardown); tcase_add_test(tc, tray);
          tcase_add_test(tc, disc);)
