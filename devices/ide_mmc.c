// SPDX-License-Identifier: BSD-2-Clause
// What a CD-ROM drive's packets answer with.
// Specs: [MMC] "Commands for MMC devices", "Feature definitions", "Mode parameters for Multi-Media
// devices"; [SPC] "INQUIRY command", "Fixed format sense data".
#include "devices/ide.h"
#include "vmm/lib/be.h"
#include "vmm/lib/string.h"

#define LEAD_OUT 0xaaU
#define FRAMES 75U
#define LEAD_IN_FRAMES 150U
#define TRACK_DATA 0x14U /* ADR 1, control 4 */

/* The largest compact disc, in blocks; what is larger is a DVD. */
#define CD_BLOCKS (100U * 60U * FRAMES)

enum profile { PROFILE_NONE = 0, PROFILE_CD_ROM = 0x08, PROFILE_DVD_ROM = 0x10 };

static uint32_t n_blocks(const struct blk *blk)
{
	uint64_t n = blk->size / IDE_CD_BLOCK;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

uint32_t ide_mmc_inquiry(uint8_t *buf)
{
	memset(buf, 0, 36);
	buf[0] = 0x05; /* CD-ROM */
	buf[1] = 0x80; /* removable */
	buf[3] = 0x21; /* ATAPI */
	buf[4] = 31;   /* bytes that follow */
	memcpy(buf + 8, "Candela Virtual CD-ROM  1   ", 28);
	return 36;
}

uint32_t ide_mmc_sense(uint8_t *buf, struct ide_sense sense)
{
	memset(buf, 0, 18);
	buf[0] = 0x70;
	buf[2] = sense.key;
	buf[7] = 10; /* bytes that follow */
	buf[12] = sense.asc;
	buf[13] = sense.ascq;
	return 18;
}

uint32_t ide_mmc_capacity(uint8_t *buf, const struct blk *blk)
{
	put_be32(buf, n_blocks(blk) - 1);
	put_be32(buf + 4, IDE_CD_BLOCK);
	return 8;
}

/* --- table of contents: one session with one track of data --- */

static void put_place(uint8_t *p, uint32_t lba, bool msf)
{
	uint32_t frame = lba + LEAD_IN_FRAMES;

	if (!msf) {
		put_be32(p, lba);
		return;
	}
	p[0] = 0;
	p[1] = (uint8_t)(frame / FRAMES / 60);
	p[2] = (uint8_t)(frame / FRAMES % 60);
	p[3] = (uint8_t)(frame % FRAMES);
}

static uint32_t put_track(uint8_t *p, uint8_t track, uint32_t lba, bool msf)
{
	p[0] = 0;
	p[1] = TRACK_DATA;
	p[2] = track;
	p[3] = 0;
	put_place(p + 4, lba, msf);
	return 8;
}

/* As the lead-in has it: first and last track, lead-out, the track. */
static uint32_t put_raw_toc(uint8_t *p, const struct blk *blk)
{
	static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1};
	enum { LEN = 11 };

	memset(p, 0, ARRAY_SIZE(points) * LEN);
	for (unsigned i = 0; i < ARRAY_SIZE(points); i++, p += LEN) {
		p[0] = 1; /* session */
		p[1] = TRACK_DATA;
		p[3] = points[i];
		if (i < 2) {
			p[8] = 1;
		} else {
			put_place(p + 7, points[i] == 1 ? 0 : n_blocks(blk), true);
		}
	}
	return ARRAY_SIZE(points) * LEN;
}

uint32_t ide_mmc_toc(uint8_t *buf, const uint8_t *packet, const struct blk *blk)
{
	bool msf = packet[1] & 2;
	/* Older drivers give the format in the last byte. */
	unsigned format = packet[2] & 0x0f ? packet[2] & 0x0fU : packet[9] >> 6U;
	uint8_t first = packet[6];
	uint32_t len = 4;

	buf[2] = 1; /* first and last track, or session */
	buf[3] = 1;
	if (format == 0) {
		if (first > 1 && first != LEAD_OUT) {
			return 0;
		}
		if (first <= 1) {
			len += put_track(buf + len, 1, 0, msf);
		}
		len += put_track(buf + len, LEAD_OUT, n_blocks(blk), msf);
	} else if (format == 1) {
		len += put_track(buf + len, 1, 0, msf);
	} else if (format == 2 && n_blocks(blk) <= CD_BLOCKS) {
		len += put_raw_toc(buf + len, blk);
	} else {
		return 0;
	}
	put_be16(buf, len - 2);
	return len;
}

uint32_t ide_mmc_disc_info(uint8_t *buf)
{
	memset(buf, 0, 34);
	put_be16(buf, 32);
	buf[2] = 0x0e; /* last session complete, disc complete */
	buf[3] = 1;    /* first track */
	buf[4] = 1;    /* sessions */
	buf[5] = 1;    /* first and last track of the last session */
	buf[6] = 1;
	buf[7] = 0x20;             /* unrestricted use */
	memset(buf + 16, 0xff, 8); /* no lead-in and lead-out of a further session */
	return 34;
}

/* --- features --- */

enum presence { ALWAYS, WITH_MEDIA, WITH_CD, WITH_DVD };

#define PERSISTENT 0x02U
#define CURRENT 0x01U

static const struct {
	uint16_t code;
	uint8_t version; /* bits 5-2, persistent */
	uint8_t presence;
	uint8_t len;
	uint8_t data[8];
} features[] = {
        /* Profile list: its "current" bits are set below. */
        {0x0000, PERSISTENT, ALWAYS, 8, {0, PROFILE_DVD_ROM, 0, 0, 0, PROFILE_CD_ROM, 0, 0}},
        {0x0001, 2 << 2 | PERSISTENT, ALWAYS, 8, {0, 0, 0, 2, 0x01}}, /* core: ATAPI, DBE */
        {0x0003, PERSISTENT, ALWAYS, 4, {0x29}},                      /* tray, eject, lock */
        {0x0010, 0, WITH_MEDIA, 8, {0, 0, 8, 0, 0, 1}},               /* random readable */
        {0x001e, 2 << 2, WITH_CD, 4, {0}},                            /* CD read */
        {0x001f, 0, WITH_DVD, 0, {0}},                                /* DVD read */
};

static enum profile profile_of(const struct blk *blk, bool media)
{
	if (!media) {
		return PROFILE_NONE;
	}
	return n_blocks(blk) > CD_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

static bool is_current(enum presence presence, enum profile profile)
{
	switch (presence) {
	case ALWAYS:
		return true;
	case WITH_MEDIA:
		return profile != PROFILE_NONE;
	case WITH_CD:
		return profile == PROFILE_CD_ROM;
	case WITH_DVD:
		return profile == PROFILE_DVD_ROM;
	}
	return false;
}

static uint32_t put_feature(uint8_t *p, unsigned i, bool current, enum profile profile)
{
	put_be16(p, features[i].code);
	p[2] = (uint8_t)(features[i].version | (current ? CURRENT : 0));
	p[3] = features[i].len;
	memcpy(p + 4, features[i].data, features[i].len);
	if (features[i].code == 0) {
		p[4 + 2] = profile == PROFILE_DVD_ROM;
		p[8 + 2] = profile == PROFILE_CD_ROM;
	}
	return 4U + features[i].len;
}

uint32_t ide_mmc_configuration(
        uint8_t *buf, const uint8_t *packet, const struct blk *blk, bool media)
{
	enum { RT_ALL, RT_CURRENT, RT_ONE };
	enum profile profile = profile_of(blk, media);
	unsigned rt = packet[1] & 3U, start = (unsigned)packet[2] << 8 | packet[3];
	uint32_t len = 8;

	if (rt > RT_ONE) {
		return 0;
	}
	memset(buf, 0, len);
	put_be16(buf + 6, profile);
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		bool current = is_current((enum presence)features[i].presence, profile);

		if (features[i].code < start || (rt == RT_CURRENT && !current) ||
		        (rt == RT_ONE && features[i].code != start)) {
			continue;
		}
		len += put_feature(buf + len, i, current, profile);
	}
	put_be32(buf, len - 4);
	return len;
}

uint32_t ide_mmc_event(uint8_t *buf, const uint8_t *packet, uint8_t event, bool media)
{
	if (!(packet[1] & 1)) {
		return 0; /* polled only */
	}
	memset(buf, 0, 8);
	buf[3] = IDE_CLASS_MEDIA;
	if (!(packet[4] & IDE_CLASS_MEDIA)) {
		put_be16(buf, 2);
		buf[2] = 0x80; /* no event of these classes */
		return 4;
	}
	put_be16(buf, 6);
	buf[2] = 4; /* media class */
	buf[4] = event;
	buf[5] = media ? 0x02 : 0x01; /* present, or the tray is open */
	return 8;
}

/* --- mode pages --- */

enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

static const uint8_t error_recovery[8] = {0x01, 6, 0, 5};
static const uint8_t capabilities[22] = {
        0x2a,
        20,
        0x3b,
        0x00, /* reads CD-R, CD-RW, fixed packets, DVD-ROM, DVD-R; writes nothing */
        0x70,
        0x00, /* multi-session, mode 2; no audio */
        0x29,
        0x00, /* tray, eject, lock; its lock state is set below */
        0x02,
        0xc2, /* 706 kB/s: four times */
        0x00,
        0x00, /* no volume levels */
        0x00,
        0x80, /* buffer in KiB */
        0x02,
        0xc2,
};
#define CAPABILITIES_LOCKED 0x02U

static uint32_t put_page(uint8_t *p, const uint8_t *page, enum page_control pc)
{
	uint32_t len = page[1] + 2U;

	memcpy(p, page, len);
	if (pc == PC_CHANGEABLE) {
		memset(p + 2, 0, len - 2);
	}
	return len;
}

uint32_t ide_mmc_mode_sense(uint8_t *buf, const uint8_t *packet, bool locked, bool media)
{
	unsigned page = packet[2] & 0x3fU;
	enum page_control pc = (enum page_control)(packet[2] >> 6);
	bool all = page == 0x3f;
	uint32_t len = 8;

	if (pc == PC_SAVED) {
		return 0;
	}
	memset(buf, 0, len);
	buf[2] = media ? 0x01 : 0x71; /* 120 mm data; door open */
	if (all || page == error_recovery[0]) {
		len += put_page(buf + len, error_recovery, pc);
	}
	if (all || page == capabilities[0]) {
		uint8_t *at = buf + len;

		len += put_page(at, capabilities, pc);
		if (locked && pc != PC_CHANGEABLE) {
			at[6] |= CAPABILITIES_LOCKED;
		}
	}
	put_be16(buf, len - 2);
	return len == 8 ? 0 : len;
}
