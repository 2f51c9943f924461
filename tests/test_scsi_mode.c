// SPDX-License-Identifier: BSD-2-Clause
// Mode pages of SCSI units.
#include "tests/scsi_world.h"

START_TEST(mode_sense)
{
	RUN(192, 0x1a, 0, 0x3f, 0, 192, 0);
	GOOD(4 + 8 + 20 + 12);
	ck_assert_mem_eq(data, "\x2b\0\x10\x08\0\0\x20\0\0\0\x02\0\x08\x12\x04", 15);
	ck_assert_mem_eq(data + 32, "\x0a\x0a\0\x10", 4);
	RUN(192, 0x1a, 0x08, 0x08, 0, 192, 0);
	GOOD(4 + 20);
	ck_assert_mem_eq(data, "\x17\0\x10\0\x08\x12\x04", 7);
	RUN(4, 0x1a, 0, 0x3f, 0, 4, 0);
	GOOD(4);
	ck_assert_uint_eq(data[0], 0x2b);
	/* Nothing can be changed. */
	RUN(192, 0x1a, 0x08, 0x48, 0, 192, 0);
	GOOD(24);
	ck_assert_uint_eq(data[6], 0);
	RUN(192, 0x1a, 0x08, 0x88, 0xff, 192, 0);
	GOOD(24);
	ck_assert_uint_eq(data[6], 4);
	RUN(192, 0x5a, 0, 0x08, 0, 0, 0, 0, 0, 192, 0);
	GOOD(8 + 8 + 20);
	ck_assert_mem_eq(data, "\0\x22\0\x10\0\0\0\x08\0\0\x20\0\0\0\x02\0\x08\x12", 18);
	lun.blk = &disk_ro.blk;
	RUN(4, 0x1a, 0, 0x3f, 0, 4, 0);
	ck_assert_uint_eq(data[2], 0x90);
	lun.blk = &dvd.blk;
	RUN(192, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 192, 0);
	GOOD(8 + 20);
	ck_assert_mem_eq(data + 8, "\x2a\x12\x0b\0\x70\0\x29", 7);
}
END_TEST

UNIT_MAIN("scsi_mode", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, mode_sense);)
