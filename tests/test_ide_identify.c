// SPDX-License-Identifier: BSD-2-Clause
// IDENTIFY data word by word, and the sectors of SMART.
#include "devices/ide.h"
#include "tests/unit.h"
#include <string.h>

static uint8_t buf[IDE_SECTOR];
static struct ide_drive_state d;
static struct blk blk;

static void setup(void)
{
	memset(buf, 0xaa, sizeof(buf));
	memset(&d, 0, sizeof(d));
	ide_ata_power_on(&d);
	blk = (struct blk){.size = 1 << 30,
	        .block_size = 512,
	        .id = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff}};
}

static unsigned word(unsigned n)
{
	return buf[2 * n] | (unsigned)buf[2 * n + 1] << 8;
}

static void text(char *to, unsigned first, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		to[2 * i] = (char)(word(first + i) >> 8);
		to[2 * i + 1] = (char)word(first + i);
	}
	to[2 * words] = '\0';
}

static void check_sum(void)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < sizeof(buf); i++) {
		sum = (uint8_t)(sum + buf[i]);
	}
	ck_assert_uint_eq(sum, 0);
}

static const struct {
	unsigned word, disk, cdrom;
} words[] = {
        {0, 0x0040, 0x85c0},
        {1, 2080, 0},
        {2, 0xc837, 0},
        {3, 16, 0},
        {6, 63, 0},
        {47, 0x8010, 0},
        {49, 0x0f00, 0x0f00},
        {50, 0x4000, 0},
        {53, 0x0007, 0x0006},
        {54, 2080, 0},
        {55, 16, 0},
        {56, 63, 0},
        {57, (2080 * 16 * 63) & 0xffff, 0},
        {58, (2080 * 16 * 63) >> 16, 0},
        {59, 0, 0},
        {60, 0, 0},
        {61, 0x20, 0},
        {63, 0x0007, 0x0007},
        {64, 0x0003, 0x0003},
        {65, 120, 120},
        {68, 120, 120},
        {71, 0, 30},
        {80, 0x0070, 0x0070},
        {82, 0x4069, 0x4218},
        {83, 0x7400, 0x4000},
        {84, 0x4003, 0x4000},
        {85, 0x4069, 0x4218},
        {86, 0x3400, 0},
        {87, 0x4003, 0x4000},
        {88, 0x043f, 0x043f},
        {93, 0x600b, 0x600b},
        {100, 0, 0},
        {101, 0x20, 0},
        {102, 0, 0},
        {106, 0, 0},
        {128, 0, 0},
};

START_TEST(disk_words)
{
	ide_identify_disk(buf, &d, &blk, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		ck_assert_msg(word(words[i].word) == words[i].disk, "word %u is %#x", words[i].word,
		        word(words[i].word));
	}
	check_sum();
	ck_assert_uint_eq(buf[510], 0xa5);
}
END_TEST

START_TEST(cdrom_words)
{
	ide_identify_cdrom(buf, &d, &blk, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		ck_assert_msg(word(words[i].word) == words[i].cdrom, "word %u is %#x",
		        words[i].word, word(words[i].word));
	}
	check_sum();
}
END_TEST

START_TEST(strings)
{
	char s[41];

	ide_identify_disk(buf, &d, &blk, 1);
	text(s, 10, 10);
	ck_assert_str_eq(s, "0123456789ABCDEF    ");
	text(s, 23, 4);
	ck_assert_str_eq(s, "1       ");
	text(s, 27, 20);
	ck_assert_str_eq(s, "Candela Virtual Disk                    ");
	ck_assert_uint_eq(word(93), 0x6b00);
	ide_identify_cdrom(buf, &d, &blk, 0);
	text(s, 27, 20);
	ck_assert_str_eq(s, "Candela Virtual CD-ROM                  ");
}
END_TEST

/* From one sector to more than 28 bits. */
static const struct {
	uint64_t sectors;
	unsigned cylinders;
	uint32_t lba28;
} sizes[] = {
        {1, 1, 1},
        {1008, 1, 1008},
        {2016, 2, 2016},
        {16383ULL * 1008, 16383, 16383 * 1008},
        {16384ULL * 1008, 16383, 16384 * 1008},
        {0x0fffffff, 16383, 0x0fffffff},
        {0x10000000, 16383, 0x0fffffff},
        {0x123456789aULL, 16383, 0x0fffffff},
};

START_TEST(capacities)
{
	blk.size = sizes[_i].sectors * 512;
	ide_identify_disk(buf, &d, &blk, 0);
	ck_assert_uint_eq(word(1), sizes[_i].cylinders);
	ck_assert_uint_eq(word(54), sizes[_i].cylinders);
	ck_assert_uint_eq(word(60) | word(61) << 16, sizes[_i].lba28);
	ck_assert_uint_eq(word(100), sizes[_i].sectors & 0xffff);
	ck_assert_uint_eq(word(102), sizes[_i].sectors >> 32);
}
END_TEST

/* Whatever translation a guest asks for. */
START_TEST(translations)
{
	d.heads = 1;
	d.spt = 1;
	ide_identify_disk(buf, &d, &blk, 0);
	ck_assert_uint_eq(word(54), 0xffff);
	ck_assert_uint_eq(word(57) | word(58) << 16, 0xffff);
	d.spt = 255;
	d.heads = 16;
	ide_identify_disk(buf, &d, &blk, 0);
	ck_assert_uint_eq(word(54), 2080 * 1008 / 4080);
}
END_TEST

START_TEST(smart)
{
	ide_smart_data(buf);
	check_sum();
	ck_assert_uint_eq(buf[2], 1);
	ck_assert_uint_eq(buf[5], 100);
	ck_assert_uint_eq(buf[362], 2);
	ide_smart_thresholds(buf);
	check_sum();
	ck_assert_uint_eq(buf[2], 1);
	ck_assert_uint_eq(buf[3], 10);
	ck_assert(ide_smart_log(buf, 0));
	ck_assert_uint_eq(word(0), 1);
	ck_assert_uint_eq(word(1), 1);
	ck_assert(ide_smart_log(buf, 1));
	check_sum();
	ck_assert(ide_smart_log(buf, 6));
	check_sum();
	ck_assert(!ide_smart_log(buf, 2));
}
END_TEST

UNIT_MAIN("ide_identify", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, disk_words); tcase_add_test(tc, cdrom_words);
          tcase_add_test(tc, strings); tcase_add_loop_test(tc, capacities, 0, ARRAY_SIZE(sizes));
          tcase_add_test(tc, translations); tcase_add_test(tc, smart);)
