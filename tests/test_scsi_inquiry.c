// SPDX-License-Identifier: BSD-2-Clause
// Who a SCSI unit says it is.
#include "tests/scsi_world.h"

START_TEST(inquiry)
{
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	ck_assert_mem_eq(data, "\0\0\x05\x02\x1f\0\0\x02Msft    Virtual Disk    1.0 ", 36);
	/* Less than there is, and a buffer that is longer. */
	memset(data, 0xaa, 64);
	RUN(64, 0x12, 0, 0, 0, 5, 0);
	GOOD(5);
	ck_assert_uint_eq(data[4], 0x1f);
	ck_assert_uint_eq(data[5], 0xaa);
	RUN(255, 0x12, 0, 0, 0, 255, 0);
	GOOD(36);
	RUN(10, 0x12, 0, 0, 0, 255, 0);
	GOOD(10);
	lun.blk = &dvd.blk;
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	ck_assert_mem_eq(data, "\x05\x80\x05\x02\x1f\0\0\x02Msft    Virtual DVD-ROM 1.0 ", 36);
}
END_TEST

START_TEST(vital_product_data)
{
	char serial[25];

	for (unsigned i = 0; i < 12; i++) {
		sprintf(serial + 2 * i, "%02x", disk.blk.id[i]);
	}
	RUN(255, 0x12, 1, 0, 0, 255, 0);
	GOOD(10);
	ck_assert_mem_eq(data, "\0\0\0\x06\0\x80\x83\xb0\xb1\xb2", 10);
	RUN(255, 0x12, 1, 0x80, 0, 255, 0);
	GOOD(28);
	ck_assert_mem_eq(data, "\0\x80\0\x18", 4);
	ck_assert_mem_eq(data + 4, serial, 24);
	RUN(255, 0x12, 1, 0x83, 0, 255, 0);
	GOOD(4 + 36 + 20);
	ck_assert_mem_eq(data, "\0\x83\0\x38\x02\x01\0\x20Msft    ", 16);
	ck_assert_mem_eq(data + 16, serial, 24);
	ck_assert_mem_eq(data + 40, "\x01\x03\0\x10\x60\x02\x24\x80", 8);
	ck_assert_mem_eq(data + 48, disk.blk.id, 12);
	RUN(255, 0x12, 1, 0xb0, 0, 255, 0);
	GOOD(64);
	ck_assert_uint_eq(data[4], 1);
	ck_assert_uint_eq(be(data + 6, 2), 8);
	ck_assert_uint_eq(be(data + 8, 4), 512);
	ck_assert_uint_eq(be(data + 12, 4), 512);
	ck_assert_uint_eq(be(data + 20, 4), 32768);
	ck_assert_uint_eq(be(data + 24, 4), 255);
	ck_assert_uint_eq(be(data + 28, 4), 8);
	ck_assert_uint_eq(be(data + 32, 4), 0x80000000);
	ck_assert_uint_eq(be(data + 40, 4), 32768);
	RUN(255, 0x12, 1, 0xb1, 0, 255, 0);
	GOOD(64);
	ck_assert_uint_eq(be(data + 4, 2), 1);
	RUN(255, 0x12, 1, 0xb2, 0, 255, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\xb2\0\x04\0\xe4\x02\0", 8);
	lun.blk = &disk_4k.blk;
	RUN(64, 0x12, 1, 0xb0, 0, 64, 0);
	ck_assert_uint_eq(be(data + 6, 2), 1);
	ck_assert_uint_eq(be(data + 8, 4), 64);
	ck_assert_uint_eq(be(data + 20, 4), 4096);
	lun.blk = &disk_ro.blk;
	RUN(64, 0x12, 1, 0xb0, 0, 64, 0);
	ck_assert_uint_eq(be(data + 20, 4), 0);
	RUN(8, 0x12, 1, 0xb2, 0, 8, 0);
	ck_assert_mem_eq(data, "\0\xb2\0\x04\0\0\x01\0", 8);
	lun.blk = &dvd.blk;
	RUN(255, 0x12, 1, 0, 0, 255, 0);
	GOOD(7);
	ck_assert_mem_eq(data, "\x05\0\0\x03\0\x80\x83", 7);
}
END_TEST

UNIT_MAIN("scsi_inquiry", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, inquiry); tcase_add_test(tc, vital_product_data);)
