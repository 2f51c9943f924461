// SPDX-License-Identifier: BSD-2-Clause
// What drives tell of themselves: IDENTIFY data and SMART.
// Specs: [ATA6] "IDENTIFY DEVICE", "IDENTIFY PACKET DEVICE", "SMART READ DATA", "SMART READ LOG".
#include "devices/ide.h"
#include "vmm/lib/string.h"

#define MAX_CYLINDERS 16383U
#define NATIVE_HEADS 16U
#define NATIVE_SPT 63U
#define LBA28_MAX 0x0fffffffULL

#define WORDS 256U

static void put_word(uint8_t *buf, unsigned word, uint32_t value)
{
	buf[2 * word] = (uint8_t)value;
	buf[2 * word + 1] = (uint8_t)(value >> 8);
}

static void put_quad(uint8_t *buf, unsigned word, unsigned n_words, uint64_t value)
{
	for (unsigned i = 0; i < n_words; i++) {
		put_word(buf, word + i, (uint32_t)(value >> (16 * i)) & 0xffff);
	}
}

/* Strings are padded with blanks, and the first character of each pair is in the high byte. */
static void put_string(uint8_t *buf, unsigned word, unsigned n_words, const char *text)
{
	size_t len = strlen(text);

	for (unsigned i = 0; i < 2 * n_words; i++) {
		buf[2 * word + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
	}
}

/* The first eight bytes of the identity in hexadecimal. */
static void put_serial(uint8_t *buf, const struct blk *blk)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[17];

	for (unsigned i = 0; i < 8; i++) {
		text[2 * i] = digits[blk->id[i] >> 4];
		text[2 * i + 1] = digits[blk->id[i] & 15];
	}
	text[16] = '\0';
	put_string(buf, 10, 10, text);
}

/* All bytes of the sector sum up to 0. */
static void put_checksum(uint8_t *buf)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < IDE_SECTOR - 1; i++) {
		sum = (uint8_t)(sum + buf[i]);
	}
	buf[IDE_SECTOR - 1] = (uint8_t)-sum;
}

/* What both kinds of drive have in common. */
static void put_common(
        uint8_t *buf, const struct ide_drive_state *d, const struct blk *blk, unsigned drive)
{
	unsigned selected = BIT(d->dma_mode & 7U) << 8;

	put_serial(buf, blk);
	put_string(buf, 23, 4, "1");
	put_word(buf, 49, 0x0f00); /* DMA, LBA, IORDY */
	put_word(buf, 51, 0x0200);
	put_word(buf, 63, 0x0007 | (d->dma_mode < 0x40 ? selected : 0)); /* multiword DMA 0-2 */
	put_word(buf, 64, 0x0003);                                       /* PIO 3 and 4 */
	for (unsigned i = 65; i <= 68; i++) {
		put_word(buf, i, 120); /* ns a cycle */
	}
	put_word(buf, 80, 0x0070); /* ATA/ATAPI-4 to -6 */
	put_word(buf, 81, 0x0022);
	put_word(buf, 88, 0x003f | (d->dma_mode >= 0x40 ? selected : 0)); /* Ultra DMA 0-5 */
	put_word(buf, 93, 0x6000 | (drive == 0 ? 0x000b : 0x0b00));       /* 80-conductor cable */
	buf[510] = 0xa5;
	put_checksum(buf);
}

static uint32_t disk_cylinders(const struct blk *blk)
{
	uint64_t n = blk->size / IDE_SECTOR / NATIVE_HEADS / NATIVE_SPT;

	return n == 0 ? 1 : n > MAX_CYLINDERS ? MAX_CYLINDERS : (uint32_t)n;
}

void ide_identify_disk(
        uint8_t *buf, const struct ide_drive_state *d, const struct blk *blk, unsigned drive)
{
	uint64_t sectors = blk->size / IDE_SECTOR;
	uint32_t cylinders = disk_cylinders(blk), track = (uint32_t)d->heads * d->spt;
	uint64_t current = disk_cylinders(blk) * NATIVE_HEADS * NATIVE_SPT / track;

	current = current > 0xffff ? 0xffff : current;
	memset(buf, 0, IDE_SECTOR);
	put_word(buf, 0, 0x0040); /* fixed */
	put_word(buf, 1, cylinders);
	put_word(buf, 2, 0xc837); /* needs no command to spin up, and all words are valid */
	put_word(buf, 3, NATIVE_HEADS);
	put_word(buf, 6, NATIVE_SPT);
	put_string(buf, 27, 20, "Candela Virtual Disk");
	put_word(buf, 47, 0x8000 | IDE_MAX_MULTIPLE);
	put_word(buf, 50, 0x4000);
	put_word(buf, 53, 0x0007); /* words 54-58, 64-70 and 88 are valid */
	put_word(buf, 54, (uint32_t)current);
	put_word(buf, 55, d->heads);
	put_word(buf, 56, d->spt);
	put_quad(buf, 57, 2, current * track);
	put_word(buf, 59, d->multiple ? 0x0100U | d->multiple : 0);
	put_quad(buf, 60, 2, sectors < LBA28_MAX ? sectors : LBA28_MAX);
	/* NOP, look-ahead, write cache, power management, SMART. */
	put_word(buf, 82, 0x4069);
	/* FLUSH CACHE EXT, FLUSH CACHE, 48-bit addresses. */
	put_word(buf, 83, 0x7400);
	put_word(buf, 84, 0x4003); /* SMART self-test and error log */
	put_word(buf, 85,
	        0x4008U | (d->look_ahead ? 0x40 : 0) | (d->write_cache ? 0x20 : 0) |
	                (d->smart ? 1 : 0));
	put_word(buf, 86, 0x3400);
	put_word(buf, 87, 0x4003);
	put_quad(buf, 100, 4, sectors);
	put_common(buf, d, blk, drive);
}

void ide_identify_cdrom(
        uint8_t *buf, const struct ide_drive_state *d, const struct blk *blk, unsigned drive)
{
	memset(buf, 0, IDE_SECTOR);
	put_word(buf, 0, 0x85c0); /* CD-ROM, removable, DRQ within 50 us, packets of 12 bytes */
	put_string(buf, 27, 20, "Candela Virtual CD-ROM");
	put_word(buf, 53, 0x0006); /* words 64-70 and 88 are valid */
	put_word(buf, 71, 30);     /* ns from PACKET, and from SERVICE */
	put_word(buf, 72, 30);
	put_word(buf, 82, 0x4218); /* NOP, DEVICE RESET, PACKET, power management */
	put_word(buf, 83, 0x4000);
	put_word(buf, 84, 0x4000);
	put_word(buf, 85, 0x4218);
	put_word(buf, 87, 0x4000);
	put_common(buf, d, blk, drive);
}

/* --- SMART: a disk in the best of health --- */

/* Attributes: all at 100 of 100, thresholds of 10, and nothing counted. */
static const uint8_t attributes[] = {
        1,   /* read error rate */
        5,   /* reallocated sectors */
        9,   /* power-on hours */
        12,  /* power cycles */
        194, /* temperature */
        197, /* pending sectors */
        198, /* uncorrectable sectors */
};

#define ATTRIBUTE_LEN 12U
#define ATTRIBUTES_AT 2U
#define ATTRIBUTE_ON_LINE 0x03U /* pre-failure, updated on line */

void ide_smart_data(uint8_t *buf)
{
	memset(buf, 0, IDE_SECTOR);
	put_word(buf, 0, 0x0010); /* revision */
	for (unsigned i = 0; i < ARRAY_SIZE(attributes); i++) {
		uint8_t *a = buf + ATTRIBUTES_AT + i * ATTRIBUTE_LEN;

		a[0] = attributes[i];
		a[1] = ATTRIBUTE_ON_LINE;
		a[3] = 100; /* now, and at worst */
		a[4] = 100;
	}
	buf[362] = 0x02; /* off-line collection completed */
	buf[367] = 0x11; /* EXECUTE OFF-LINE IMMEDIATE, self-test */
	buf[368] = 0x03; /* saves attributes, autosave */
	buf[370] = 0x01; /* error log */
	buf[372] = 1;    /* minutes of a short self-test, and of an extended one */
	buf[373] = 1;
	put_checksum(buf);
}

void ide_smart_thresholds(uint8_t *buf)
{
	memset(buf, 0, IDE_SECTOR);
	put_word(buf, 0, 0x0010);
	for (unsigned i = 0; i < ARRAY_SIZE(attributes); i++) {
		buf[ATTRIBUTES_AT + i * ATTRIBUTE_LEN] = attributes[i];
		buf[ATTRIBUTES_AT + i * ATTRIBUTE_LEN + 1] = 10;
	}
	put_checksum(buf);
}

bool ide_smart_log(uint8_t *buf, uint8_t address)
{
	enum { LOG_DIRECTORY = 0, LOG_ERRORS = 1, LOG_SELF_TEST = 6 };

	memset(buf, 0, IDE_SECTOR);
	buf[0] = 1; /* version */
	switch (address) {
	case LOG_DIRECTORY:
		buf[2 * LOG_ERRORS] = 1; /* sectors */
		buf[2 * LOG_SELF_TEST] = 1;
		return true; /* has no checksum */
	case LOG_ERRORS:
	case LOG_SELF_TEST:
		put_checksum(buf);
		return true;
	default:
		return false;
	}
}
