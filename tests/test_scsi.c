// SPDX-License-Identifier: BSD-2-Clause
// SCSI units: what is refused and how it is said, absent units, starts and stops, the list of
// commands.
#include "tests/scsi_world.h"

static const struct {
	const char *what;
	struct blk_ram *ram;
	uint32_t data, sense;
	uint8_t len, cdb[16];
} bad[] = {
        {"no such command", &disk, 0, 0x052000, 6, {0x15}},
        {"ATA passthrough", &disk, 512, 0x052000, 16, {0x85}},
        {"reservation", &disk, 512, 0x052000, 10, {0x5e}},
        {"DVD's command on a disk", &disk, 12, 0x052000, 10, {0x43, [8] = 12}},
        {"disk's command on a DVD", &dvd, 512, 0x052000, 6, {0x08, [4] = 1}},
        {"write on a DVD", &dvd, 2048, 0x052000, 10, {0x2a, [8] = 1}},
        {"another service action", &disk, 32, 0x052400, 16, {0x9e, 0x12, [13] = 32}},
        {"short CDB", &disk, 512, 0x052400, 9, {0x28, [8] = 1}},
        {"NACA", &disk, 512, 0x052400, 10, {0x28, [8] = 1, 4}},
        {"no CDB", &disk, 0, 0x052400, 0, {0}},
        /* INQUIRY */
        {"page without EVPD", &disk, 36, 0x052400, 6, {0x12, 0, 0x83, 0, 36}},
        {"CMDDT", &disk, 36, 0x052400, 6, {0x12, 2, 0, 0, 36}},
        {"unknown VPD page", &disk, 36, 0x052400, 6, {0x12, 1, 0x89, 0, 36}},
        {"block limits of a DVD", &dvd, 64, 0x052400, 6, {0x12, 1, 0xb0, 0, 64}},
        /* MODE SENSE */
        {"unknown mode page", &disk, 192, 0x052400, 6, {0x1a, 0, 0x1c, 0, 192}},
        {"unknown subpage", &disk, 192, 0x052400, 6, {0x1a, 0, 0x08, 1, 192}},
        {"saved values", &disk, 192, 0x053900, 6, {0x1a, 0, 0xc8, 0, 192}},
        {"saved values, 10", &disk, 192, 0x053900, 10, {0x5a, 0, 0xff, [8] = 192}},
        {"caching page of a DVD", &dvd, 192, 0x052400, 10, {0x5a, 0, 0x08, [8] = 192}},
        /* REQUEST SENSE, START STOP, REPORT */
        {"descriptor format", &disk, 18, 0x052400, 6, {0x03, 1, 0, 0, 18}},
        {"power condition", &disk, 0, 0x052400, 6, {0x1b, 0, 0, 0, 0x20}},
        {"eject a disk", &disk, 0, 0x052400, 6, {0x1b, 0, 0, 0, 0x02}},
        {"lock a disk", &disk, 0, 0x052000, 6, {0x1e, 0, 0, 0, 0x01}},
        {"LUNs into 15 bytes", &disk, 16, 0x052400, 12, {0xa0, [9] = 15}},
        {"LUNs of what kind?", &disk, 16, 0x052400, 12, {0xa0, 0, 0x10, [9] = 16}},
        {"opcodes with timeouts", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 0x80, [8] = 2}},
        {"opcode with an action, asked without", &disk, 512, 0x052400, 12,
                {0xa3, 0x0c, 1, 0x9e, [8] = 2}},
        {"opcode without, asked with", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 2, 0x28, [8] = 2}},
        {"opcodes, reserved form", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 4, 0x28, [8] = 2}},
        /* Addresses */
        {"address without PMI", &disk, 8, 0x052400, 10, {0x25, 0, 0, 0, 0, 1}},
        {"READ(6) past the end", &disk, 1024, 0x052100, 6, {0x08, 0, 0x1f, 0xff, 2}},
        {"READ(6) of 256 past the end", &disk, 256 * 512, 0x052100, 6, {0x08, 0, 0x1f, 0x01, 0}},
        {"READ(10) past the end", &disk, 1024, 0x052100, 10, {0x28, 0, 0, 0, 0x1f, 0xff, 0, 0, 2}},
        {"nothing past the end", &disk, 0, 0x052100, 10, {0x28, 0, 0, 0, 0x20, 0x01}},
        {"READ(16) that wraps", &disk, 1024, 0x052100, 16,
                {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2}},
        {"READ(12) past the end", &disk, 512, 0x052100, 12, {0xa8, 0, 0, 0, 0x20, 0, 0, 0, 0, 1}},
        {"WRITE(10) past the end", &disk, 512, 0x052100, 10, {0x2a, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"VERIFY past the end", &disk, 0, 0x052100, 10, {0x2f, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"flush past the end", &disk, 0, 0x052100, 10, {0x35, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"WRITE SAME past the end", &disk, 512, 0x052100, 16, {0x93, 0, [8] = 0x20, 0, 0, 0, 0, 1}},
        {"4K: past the end", &disk_4k, 4096, 0x052100, 10, {0x28, 0, 0, 0, 0x04, 0, 0, 0, 1}},
        /* Lengths */
        {"more than the buffer", &disk, 512, 0x052400, 10, {0x28, [8] = 2}},
        {"no buffer", &disk, 0, 0x052400, 10, {0x2a, [8] = 1}},
        {"more than the limit", &disk, DATA_LEN, 0x052400, 10, {0x28, [7] = 0x02, 0x01}},
        {"protection, read", &disk, 512, 0x052400, 10, {0x28, 0x20, [8] = 1}},
        {"protection, write", &disk, 512, 0x052400, 16, {0x8a, 0x20, [13] = 1}},
        {"protection, verify", &disk, 512, 0x052400, 10, {0x2f, 0x20, [8] = 1}},
        {"compare", &disk, 512, 0x052400, 10, {0x2f, 0x02, [8] = 1}},
        {"WRITE SAME of nothing", &disk, 512, 0x052400, 10, {0x41}},
        {"WRITE SAME, half a block", &disk, 256, 0x052400, 10, {0x41, [8] = 1}},
        {"WRITE SAME, anchor", &disk, 512, 0x052400, 10, {0x41, 0x18, [8] = 1}},
        {"WRITE SAME, protection", &disk, 512, 0x052400, 10, {0x41, 0x20, [8] = 1}},
        {"UNMAP, anchor", &disk, 24, 0x052400, 10, {0x42, 1, [8] = 24}},
        {"UNMAP, less than a header", &disk, 7, 0x051a00, 10, {0x42, [8] = 7}},
        {"UNMAP, less than it says", &disk, 16, 0x051a00, 10, {0x42, [8] = 24}},
        {"UNMAP, more than is taken", &disk, 8192, 0x051a00, 10, {0x42, [7] = 0x20}},
        /* Write protection */
        {"WRITE(6), ro", &disk_ro, 512, 0x072700, 6, {0x0a, [4] = 1}},
        {"WRITE(10), ro", &disk_ro, 512, 0x072700, 10, {0x2a, [8] = 1}},
        {"WRITE SAME, ro", &disk_ro, 512, 0x072700, 10, {0x41, [8] = 1}},
        {"UNMAP, ro", &disk_ro, 24, 0x072700, 10, {0x42, [8] = 24}},
        /* DVD */
        {"TOC of track 2", &dvd, 20, 0x052400, 10, {0x43, [6] = 2, 0, 20}},
        {"TOC, another format", &dvd, 20, 0x052400, 10, {0x43, 0, 2, [8] = 20}},
        {"configuration, reserved form", &dvd, 64, 0x052400, 10, {0x46, 3, [8] = 64}},
        {"events by themselves", &dvd, 8, 0x052400, 10, {0x4a, 0, [4] = 0x10, [8] = 8}},
        {"track 2", &dvd, 36, 0x052400, 10, {0x52, 1, [5] = 2, [8] = 36}},
        {"track beyond the end", &dvd, 36, 0x052400, 10, {0x52, 0, [4] = 8, [8] = 36}},
        {"disc information of another kind", &dvd, 34, 0x052400, 10, {0x51, 1, [8] = 34}},
};

START_TEST(refused)
{
	lun.blk = &bad[_i].ram->blk;
	run(bad[_i].cdb, bad[_i].len, bad[_i].data);
	ck_assert_msg(sense() == bad[_i].sense, "%s: sense %06x, not %06x", bad[_i].what, sense(),
	        bad[_i].sense);
	ck_assert_uint_eq(lun.stats.commands, 1);
	ck_assert_uint_eq(lun.stats.errors, 1);
	ck_assert_uint_eq(bad[_i].ram->blk.stats.errors, 0);
}
END_TEST

START_TEST(absent_unit)
{
	static const uint8_t inquiry_cdb[] = {0x12, 0, 0, 0, 96, 0}, ready[6] = {0};
	static const uint8_t luns[12] = {0xa0, [9] = 16}, why[6] = {0x03, [4] = 252};

	start(NULL, inquiry_cdb, 6, 96);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(36);
	ck_assert_mem_eq(data, "\x7f\0\x05\x02\x1f\0\0\0", 8);
	start(NULL, ready, 6, 0);
	ck_assert_uint_eq(done_calls, 1);
	BAD(0x052500);
	ck_assert(req.no_lun);
	/* Asked why, it says so instead of failing. */
	start(NULL, why, 6, 252);
	GOOD(18);
	ck_assert_mem_eq(data, "\x70\0\x05\0\0\0\0\x0a\0\0\0\0\x25\0\0\0\0\0", 18);
	start(NULL, luns, 12, 16);
	GOOD(16);
	ck_assert_uint_eq(data[3], 16);
	start(&lun, ready, 6, 0);
	GOOD(0);
	ck_assert(!req.no_lun);
}
END_TEST

START_TEST(report_luns)
{
	RUN(4096, 0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(24);
	ck_assert_mem_eq(data, "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0", 24);
	RUN(4096, 0xa0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(8);
	ck_assert_uint_eq(be(data, 4), 0);
	RUN(16, 0xa0, 0, 2, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(16);
	ck_assert_uint_eq(be(data, 4), 16);
}
END_TEST

START_TEST(stop_and_start)
{
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	GOOD(0);
	ck_assert_uint_eq(disk.blk.stats.flushes, 1);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x020402);
	run((const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	BAD(0x020402);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	GOOD(18);
	ck_assert_mem_eq(data, "\x70\0\x02\0\0\0\0\x0a\0\0\0\0\x04\x02\0\0\0\0", 18);
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	RUN(0, 0x1b, 0, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	GOOD(18);
	ck_assert_mem_eq(data, "\x70\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0", 18);
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	scsi_lun_reset(&lun);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
}
END_TEST

START_TEST(opcodes)
{
	uint32_t len;

	RUN(4096, 0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	ck_assert_uint_eq(req.status, SCSI_GOOD);
	len = be(data, 4);
	ck_assert_uint_eq(req.moved, len + 4);
	ck_assert_uint_gt(len, 20 * 8);
	/* Each of them is known when asked for alone. */
	for (uint32_t at = 4; at < 4 + len; at += 8) {
		uint8_t code = data[at], action = data[at + 3], flags = data[at + 5];
		uint8_t cdb_len = data[at + 7], keep[4096];

		memcpy(keep, data, sizeof(keep));
		RUN(64, 0xa3, 0x0c, 3, code, 0, action, 0, 0, 0, 64, 0, 0);
		GOOD(4 + cdb_len);
		ck_assert_uint_eq(data[1], 3);
		ck_assert_uint_eq(data[3], cdb_len);
		ck_assert_uint_eq(data[4], code);
		if (flags & 1) {
			ck_assert_uint_eq(data[5], action);
		}
		memcpy(data, keep, sizeof(keep));
	}
	RUN(64, 0xa3, 0x0c, 1, 0x28, 0, 0, 0, 0, 0, 64, 0, 0);
	GOOD(14);
	ck_assert_mem_eq(data, "\0\x03\0\x0a\x28\x18\xff\xff\xff\xff\0\xff\xff\0", 14);
	RUN(64, 0xa3, 0x0c, 1, 0x5e, 0, 0, 0, 0, 0, 64, 0, 0);
	GOOD(4);
	ck_assert_uint_eq(data[1], 1);
	RUN(64, 0xa3, 0x0c, 2, 0x9e, 0, 0x10, 0, 0, 0, 64, 0, 0);
	GOOD(20);
	RUN(64, 0xa3, 0x0c, 2, 0x9e, 0, 0x11, 0, 0, 0, 64, 0, 0);
	GOOD(4);
	ck_assert_uint_eq(data[1], 1);
	lun.blk = &dvd.blk;
	RUN(64, 0xa3, 0x0c, 1, 0x2a, 0, 0, 0, 0, 0, 64, 0, 0);
	ck_assert_uint_eq(data[1], 1);
}
END_TEST

UNIT_MAIN("scsi", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_loop_test(tc, refused, 0, ARRAY_SIZE(bad)); tcase_add_test(tc, absent_unit);
          tcase_add_test(tc, report_luns); tcase_add_test(tc, stop_and_start);
          tcase_add_test(tc, opcodes);)
