// SPDX-License-Identifier: BSD-2-Clause
// What a CD-ROM drive answers, byte by byte.
#include "devices/ide.h"
#include "tests/unit.h"
#include <string.h>

static uint8_t buf[256];

static struct blk cd(uint32_t blocks)
{
	return (struct blk){.size = (uint64_t)blocks * IDE_CD_BLOCK, .block_size = IDE_CD_BLOCK};
}

#define CHECK(len, ...) \
	do { \
		static const uint8_t want[] = {__VA_ARGS__}; \
		ck_assert_uint_eq(len, sizeof(want)); \
		ck_assert_mem_eq(buf, want, sizeof(want)); \
	} while (0)

START_TEST(toc)
{
	static const uint8_t lba[12] = {0x43}, msf[12] = {0x43, 2},
	                     lead_out[12] = {0x43, [6] = 0xaa}, sessions[12] = {0x43, 0, 1},
	                     old_sessions[12] = {0x43, [9] = 0x40}, second[12] = {0x43, [6] = 2},
	                     raw[12] = {0x43, 0, 2}, old_raw[12] = {0x43, [9] = 0x80},
	                     pma[12] = {0x43, 0, 3};
	struct blk blk = cd(0x12345), dvd = cd(1000000);
	/* (0x12345 + 150) frames of 1/75 s: 16 min 36 s and 15 frames */

	CHECK(ide_mmc_toc(buf, lba, &blk), 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0,
	        0, 1, 0x23, 0x45);
	CHECK(ide_mmc_toc(buf, msf, &blk), 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0,
	        0, 16, 36, 15);
	CHECK(ide_mmc_toc(buf, lead_out, &blk), 0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 1, 0x23, 0x45);
	CHECK(ide_mmc_toc(buf, sessions, &blk), 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0);
	CHECK(ide_mmc_toc(buf, old_sessions, &blk), 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0);
	ck_assert_uint_eq(ide_mmc_toc(buf, second, &blk), 0);
	CHECK(ide_mmc_toc(buf, raw, &blk), 0, 46, 1, 1, 1, 0x14, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0, 1,
	        0x14, 0, 0xa1, 0, 0, 0, 0, 1, 0, 0, 1, 0x14, 0, 0xa2, 0, 0, 0, 0, 16, 36, 15, 1,
	        0x14, 0, 1, 0, 0, 0, 0, 0, 2, 0);
	ck_assert_uint_eq(ide_mmc_toc(buf, old_raw, &blk), 48);
	ck_assert_uint_eq(ide_mmc_toc(buf, raw, &dvd), 0);
	ck_assert_uint_eq(ide_mmc_toc(buf, pma, &blk), 0);
}
END_TEST

START_TEST(configuration)
{
	static const uint8_t all[12] = {0x46}, current[12] = {0x46, 1},
	                     one[12] = {0x46, 2, 0, 0x1e}, none[12] = {0x46, 2, 0, 0x99},
	                     from[12] = {0x46, 0, 0, 0x11}, bad[12] = {0x46, 3};
	struct blk small = cd(1000), large = cd(1000000);

	CHECK(ide_mmc_configuration(buf, all, &small, true), 0, 0, 0, 60, 0, 0, 0, 0x08, 0, 0, 3, 8,
	        0, 0x10, 0, 0, 0, 0x08, 1, 0, 0, 1, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0, 0, 3, 3, 4,
	        0x29, 0, 0, 0, 0, 0x10, 1, 8, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0x1e, 9, 4, 0, 0, 0, 0, 0,
	        0x1f, 0, 0);
	ck_assert_uint_eq(ide_mmc_configuration(buf, current, &small, true), 60);
	ck_assert_uint_eq(ide_mmc_configuration(buf, current, &large, true), 56);
	ck_assert_uint_eq(buf[7], 0x10);
	ck_assert_uint_eq(buf[14], 1);
	ck_assert_uint_eq(buf[18], 0);
	ck_assert_uint_eq(ide_mmc_configuration(buf, current, &small, false), 40);
	ck_assert_uint_eq(buf[7], 0);
	CHECK(ide_mmc_configuration(buf, one, &large, true), 0, 0, 0, 12, 0, 0, 0, 0x10, 0, 0x1e, 8,
	        4, 0, 0, 0, 0);
	CHECK(ide_mmc_configuration(buf, none, &small, true), 0, 0, 0, 4, 0, 0, 0, 0x08);
	CHECK(ide_mmc_configuration(buf, from, &small, true), 0, 0, 0, 16, 0, 0, 0, 0x08, 0, 0x1e,
	        9, 4, 0, 0, 0, 0, 0, 0x1f, 0, 0);
	ck_assert_uint_eq(ide_mmc_configuration(buf, bad, &small, true), 0);
}
END_TEST

START_TEST(events)
{
	static const uint8_t media[12] = {0x4a, 1, [4] = 0x12}, other[12] = {0x4a, 1, [4] = 0x02},
	                     later[12] = {0x4a, 0, [4] = 0x10};

	CHECK(ide_mmc_event(buf, media, IDE_EVENT_NONE, true), 0, 6, 4, 0x10, 0, 2, 0, 0);
	CHECK(ide_mmc_event(buf, media, IDE_EVENT_REMOVAL, false), 0, 6, 4, 0x10, 3, 1, 0, 0);
	CHECK(ide_mmc_event(buf, other, IDE_EVENT_NEW, true), 0, 2, 0x80, 0x10);
	ck_assert_uint_eq(ide_mmc_event(buf, later, IDE_EVENT_NEW, true), 0);
}
END_TEST

START_TEST(mode_pages)
{
	static const uint8_t all[12] = {0x5a, 0, 0x3f}, recovery[12] = {0x5a, 0, 0x01},
	                     caps[12] = {0x5a, 0, 0x2a}, changeable[12] = {0x5a, 0, 0x6a},
	                     saved[12] = {0x5a, 0, 0xea}, none[12] = {0x5a, 0, 0x0e};

	CHECK(ide_mmc_mode_sense(buf, recovery, false, true), 0, 14, 1, 0, 0, 0, 0, 0, 1, 6, 0, 5,
	        0, 0, 0, 0);
	ck_assert_uint_eq(ide_mmc_mode_sense(buf, caps, false, false), 30);
	ck_assert_uint_eq(buf[2], 0x71);
	ck_assert_uint_eq(buf[8], 0x2a);
	ck_assert_uint_eq(buf[14], 0x29);
	ck_assert_uint_eq(ide_mmc_mode_sense(buf, all, true, true), 38);
	ck_assert_uint_eq(buf[16], 0x2a);
	ck_assert_uint_eq(buf[22], 0x2b);
	ck_assert_uint_eq(ide_mmc_mode_sense(buf, changeable, true, true), 30);
	for (unsigned i = 10; i < 30; i++) {
		ck_assert_uint_eq(buf[i], 0);
	}
	ck_assert_uint_eq(ide_mmc_mode_sense(buf, saved, true, true), 0);
	ck_assert_uint_eq(ide_mmc_mode_sense(buf, none, true, true), 0);
}
END_TEST

START_TEST(the_rest)
{
	struct blk blk = cd(0x12345), huge = {.size = 1ULL << 60};

	CHECK(ide_mmc_capacity(buf, &blk), 0, 1, 0x23, 0x44, 0, 0, 8, 0);
	ck_assert_uint_eq(ide_mmc_capacity(buf, &huge), 8);
	ck_assert_uint_eq(buf[0], 0xff);
	CHECK(ide_mmc_sense(buf, (struct ide_sense){6, 0x29, 1}), 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0,
	        0, 0, 0x29, 1, 0, 0, 0, 0);
	ck_assert_uint_eq(ide_mmc_inquiry(buf), 36);
	ck_assert_uint_eq(buf[0], 5);
	ck_assert_uint_eq(buf[1], 0x80);
	ck_assert_uint_eq(buf[4], 31);
	ck_assert_mem_eq(buf + 8, "Candela Virtual CD-ROM  1   ", 28);
	ck_assert_uint_eq(ide_mmc_disc_info(buf), 34);
	ck_assert_uint_eq(buf[1], 32);
	ck_assert_uint_eq(buf[2], 0x0e);
}
END_TEST

UNIT_MAIN("ide_mmc", tcase_add_test(tc, toc); tcase_add_test(tc, configuration);
          tcase_add_test(tc, events); tcase_add_test(tc, mode_pages); tcase_add_test(tc, the_rest);)
