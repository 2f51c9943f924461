// SPDX-License-Identifier: BSD-2-Clause
// SCSI commands that reach the medium: its capacity, reads and writes, zeroes.
#include "tests/scsi_world.h"

#define DISK_BLOCKS 8192U /* of 512 bytes: 4 MiB */

START_TEST(capacity)
{
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\0\x1f\xff\0\0\x02\0", 8);
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	GOOD(32);
	ck_assert_mem_eq(data, "\0\0\0\0\0\0\x1f\xff\0\0\x02\0\0\x03\xc0\0", 16);
	RUN(12, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	GOOD(12);
	lun.blk = &disk_4k.blk;
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	ck_assert_mem_eq(data, "\0\0\0\0\0\0\x03\xff\0\0\x10\0\0\0\xc0\0", 16);
	lun.blk = &disk_ro.blk;
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	ck_assert_uint_eq(data[14], 0);
	lun.blk = &dvd.blk;
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	ck_assert_mem_eq(data, "\0\0\x07\xff\0\0\x08\0", 8);
	/* More blocks than 32 bits count. */
	lun.blk = &disk.blk;
	disk.blk.size = 1ULL << 42;
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	ck_assert_mem_eq(data, "\xff\xff\xff\xff\0\0\x02\0", 8);
}
END_TEST

/* Write with one form, read with another. */
START_TEST(read_write)
{
	static const uint8_t writes[][16] = {{0x0a, 0, 0x10, 0x00, 2},
	        {0x2a, 0, 0, 0, 0x10, 0, 0, 0, 2}, {0xaa, 0, 0, 0, 0x10, 0, 0, 0, 0, 2},
	        {0x8a, 0, [8] = 0x10, 0, [13] = 2}, {0x2a, 0x08, 0, 0, 0x10, 0, 0, 0, 2}};
	static const uint8_t reads[][16] = {{0x08, 0, 0x10, 0x00, 2},
	        {0x28, 0, 0, 0, 0x10, 0, 0, 0, 2}, {0xa8, 0, 0, 0, 0x10, 0, 0, 0, 0, 2},
	        {0x88, 0, [8] = 0x10, 0, [13] = 2}};

	for (unsigned w = 0; w < ARRAY_SIZE(writes); w++) {
		memset(data, (int)w + 1, 1024);
		run(writes[w], 16, 2000);
		GOOD(1024);
		ck_assert_uint_eq(disk.blk.stats.flushes, w == 4);
		for (unsigned r = 0; r < ARRAY_SIZE(reads); r++) {
			memset(data, 0xcc, 2000);
			run(reads[r], 16, 2000);
			GOOD(1024);
			ck_assert_uint_eq(data[0], w + 1);
			ck_assert_uint_eq(data[1023], w + 1);
			ck_assert_uint_eq(data[1024], 0xcc);
		}
	}
	ck_assert_uint_eq(disk.blk.stats.bytes_written, ARRAY_SIZE(writes) * 1024);
	/* No blocks: nothing; in the form of 6 bytes: 256. */
	run((const uint8_t[10]){0x28}, 10, 0);
	GOOD(0);
	run((const uint8_t[6]){0x08}, 6, 256 * 512);
	GOOD(256 * 512);
	/* As much as there may be. */
	run((const uint8_t[10]){0x28, [7] = 2}, 10, SCSI_MAX_TRANSFER);
	GOOD(SCSI_MAX_TRANSFER);
	RUN(0, 0x2f, 0, 0, 0, 0x1f, 0xff, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	run((const uint8_t[16]){0x91}, 16, 0);
	GOOD(0);
	ck_assert_uint_eq(disk.blk.stats.flushes, 3);
}
END_TEST

static void fill_disk(uint8_t byte)
{
	for (unsigned i = 0; i < 2; i++) {
		memset(disk.pieces[i], byte, 2 << 20);
	}
}

static void expect_bytes(uint32_t block, uint32_t n, uint8_t byte)
{
	for (uint64_t at = (uint64_t)block * 512; at < (uint64_t)(block + n) * 512; at++) {
		ck_assert_uint_eq(disk.pieces[at >> 21][at & ((2 << 20) - 1)], byte);
	}
}

START_TEST(write_same)
{
	fill_disk(0xdd);
	/* Zeroes, written and unmapped. */
	RUN(512, 0x41, 0, 0, 0, 0, 1, 0, 0, 2, 0);
	GOOD(512);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, 2, 0);
	expect_bytes(3, 1, 0xdd);
	run((const uint8_t[16]){0x93, 0x08, [9] = 8, [12] = 1, 0}, 16, 512);
	GOOD(512);
	expect_bytes(8, 256, 0);
	expect_bytes(264, 1, 0xdd);
	/* Without data. */
	run((const uint8_t[16]){0x93, 0x09, [8] = 2, 0, [13] = 1}, 16, 0);
	GOOD(0);
	expect_bytes(512, 1, 0);
	ck_assert_uint_eq(disk.blk.stats.discards, 3);
	ck_assert_uint_eq(disk.blk.stats.writes, 0);
	/* A pattern, over more than one step: the whole disk but its ends. */
	memset(data, 0x77, 512);
	run((const uint8_t[16]){0x93, 0, [9] = 1, [12] = 0x1f, 0xfe}, 16, 512);
	GOOD(512);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, DISK_BLOCKS - 2, 0x77);
	expect_bytes(DISK_BLOCKS - 1, 1, 0xdd);
	ck_assert_uint_gt(disk.blk.stats.writes, 10);
	ck_assert_uint_eq(req.cost, (DISK_BLOCKS - 2) * 512);
}
END_TEST

static void put_unmap(unsigned i, uint64_t block, uint32_t n)
{
	uint8_t *d = data + 8 + 16 * (size_t)i;

	for (unsigned b = 0; b < 8; b++) {
		d[b] = (uint8_t)(block >> (56 - 8 * b));
	}
	for (unsigned b = 0; b < 4; b++) {
		d[8 + b] = (uint8_t)(n >> (24 - 8 * b));
	}
}

START_TEST(unmap)
{
	fill_disk(0xdd);
	data[3] = 48;
	put_unmap(0, 1, 2);
	put_unmap(1, 100, 0);
	put_unmap(2, DISK_BLOCKS - 1, 1);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	GOOD(56);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, 2, 0);
	expect_bytes(3, 1000, 0xdd);
	expect_bytes(DISK_BLOCKS - 1, 1, 0);
	/* A header that promises more, a list with a piece of a descriptor. */
	fill_disk(0xdd);
	data[3] = 255;
	RUN(50, 0x42, 0, 0, 0, 0, 0, 0, 0, 50, 0);
	GOOD(50);
	expect_bytes(1, 2, 0);
	expect_bytes(DISK_BLOCKS - 1, 1, 0xdd);
	/* One bad range: nothing is done. */
	fill_disk(0xdd);
	data[3] = 48;
	put_unmap(2, DISK_BLOCKS - 1, 2);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	BAD(0x052100);
	expect_bytes(1, 2, 0xdd);
	put_unmap(2, ~0ULL, 1);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	BAD(0x052100);
	/* Each is in range, all of them are too many. */
	for (unsigned i = 0; i < 5; i++) {
		put_unmap(i, 0, DISK_BLOCKS);
	}
	data[3] = 80;
	RUN(88, 0x42, 0, 0, 0, 0, 0, 0, 0, 88, 0);
	BAD(0x052600);
	data[3] = 64;
	RUN(88, 0x42, 0, 0, 0, 0, 0, 0, 0, 88, 0);
	GOOD(88);
	RUN(0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	data[3] = 0;
	RUN(8, 0x42, 0, 0, 0, 0, 0, 0, 0, 8, 0);
	GOOD(8);
}
END_TEST

UNIT_MAIN("scsi_media", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, capacity); tcase_add_test(tc, read_write);
          tcase_add_test(tc, write_same); tcase_add_test(tc, unmap);)
