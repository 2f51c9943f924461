// SPDX-License-Identifier: BSD-2-Clause
// An ATAPI CD-ROM drive: its few ATA commands, and packets.
// Specs: [ATA6] "PACKET Command feature set", "PACKET"; [MMC] "Commands for MMC devices";
// [SPC] "Sense key and sense code definitions".
#include "devices/ide.h"
#include "vmm/lib/be.h"
#include "vmm/lib/string.h"

/* [SPC] sense keys, and additional codes with their qualifiers. */
enum sense_key {
	KEY_NONE = 0,
	KEY_NOT_READY = 2,
	KEY_MEDIUM = 3,
	KEY_ILLEGAL = 5,
	KEY_ATTENTION = 6
};
#define ASC_RESET 0x29U
#define ASC_MEDIUM_CHANGED 0x28U

static const struct ide_sense invalid_opcode = {KEY_ILLEGAL, 0x20, 0x00};
static const struct ide_sense lba_out_of_range = {KEY_ILLEGAL, 0x21, 0x00};
static const struct ide_sense invalid_field = {KEY_ILLEGAL, 0x24, 0x00};
static const struct ide_sense illegal_mode = {KEY_ILLEGAL, 0x64, 0x00};
static const struct ide_sense removal_prevented = {KEY_ILLEGAL, 0x53, 0x02};
static const struct ide_sense tray_is_open = {KEY_NOT_READY, 0x3a, 0x02};
static const struct ide_sense read_error = {KEY_MEDIUM, 0x11, 0x00};

/* [ATA6] "PACKET": features register. */
#define FEAT_DMA 0x01U
#define FEAT_OVERLAP 0x02U

/* [ATA6] "SET FEATURES". */
#define SET_TRANSFER_MODE 0x03U

/* --- ends --- */

static void check_condition(struct ide_channel *ch, struct ide_sense sense)
{
	uint8_t error = (uint8_t)(sense.key << 4);

	ide_regs(ch)->sense = sense;
	ide_fail_locked(ch, error | (sense.key == KEY_ILLEGAL ? IDE_ERR_ABRT : 0));
}

void ide_atapi_error_locked(struct ide_channel *ch, enum blk_status status)
{
	check_condition(ch, status == BLK_OUT_OF_RANGE ? lba_out_of_range : read_error);
}

/* The host's limit for a block at the data port; 0 = it cannot take so many bytes. */
static uint32_t byte_count(const struct ide_drive_state *d, uint32_t len)
{
	uint32_t limit = (uint32_t)d->reg[IDE_LBAM][0] | (uint32_t)d->reg[IDE_LBAH][0] << 8;

	/* Odd only if it is all one block. */
	return len <= limit ? limit : limit & ~1U;
}

static bool by_dma(const struct ide_drive_state *d)
{
	return d->reg[IDE_FEATURES][0] & FEAT_DMA;
}

static void reply(struct ide_channel *ch, uint32_t len, uint32_t alloc)
{
	struct ide_drive_state *d = ide_regs(ch);
	uint32_t limit;

	if (len == 0) {
		check_condition(ch, invalid_field);
		return;
	}
	len = len < alloc ? len : alloc;
	limit = byte_count(d, len);
	if (len && !limit && !by_dma(d)) {
		ide_fail_locked(ch, IDE_ERR_ABRT);
		return;
	}
	ide_reply_locked(ch, len, limit, by_dma(d));
}

/* --- packets; p is a copy --- */

static void test_unit_ready(struct ide_channel *ch, const uint8_t *p)
{
	(void)p;
	ide_complete_locked(ch);
}

static void request_sense(struct ide_channel *ch, const uint8_t *p)
{
	struct ide_drive_state *d = ide_regs(ch);

	if (d->sense.key == KEY_NONE && d->attention) {
		d->sense = (struct ide_sense){KEY_ATTENTION, d->attention, 0};
		d->attention = 0;
	}
	reply(ch, ide_mmc_sense(ch->s.buf, d->sense), p[4]);
	d->sense = (struct ide_sense){0};
}

static void inquiry(struct ide_channel *ch, const uint8_t *p)
{
	/* No vital product data pages. */
	reply(ch, p[1] & 1 || p[2] ? 0 : ide_mmc_inquiry(ch->s.buf), get_be16(p + 3));
}

static void start_stop(struct ide_channel *ch, const uint8_t *p)
{
	struct ide_drive_state *d = ide_regs(ch);
	bool start = p[4] & 1, move_tray = p[4] & 2;

	if (move_tray && !start && !d->tray_open) {
		if (d->locked) {
			check_condition(ch, removal_prevented);
			return;
		}
		d->tray_open = true;
		d->event = IDE_EVENT_REMOVAL;
	} else if (move_tray && start && d->tray_open) {
		d->tray_open = false;
		d->event = IDE_EVENT_NEW;
		d->attention = ASC_MEDIUM_CHANGED;
	}
	ide_complete_locked(ch);
}

static void prevent_allow(struct ide_channel *ch, const uint8_t *p)
{
	ide_regs(ch)->locked = p[4] & 1;
	ide_complete_locked(ch);
}

static void read_capacity(struct ide_channel *ch, const uint8_t *p)
{
	(void)p;
	reply(ch, ide_mmc_capacity(ch->s.buf, ide_blk(ch)), ~0U);
}

static void read_blocks(struct ide_channel *ch, uint32_t lba, uint32_t n)
{
	const struct blk *blk = ide_blk(ch);
	struct ide_drive_state *d = ide_regs(ch);
	uint64_t end = blk->size / IDE_CD_BLOCK;
	uint32_t limit;

	if (lba > end || n > end - lba) {
		check_condition(ch, lba_out_of_range);
		return;
	}
	if (n > UINT32_MAX / IDE_CD_BLOCK) {
		check_condition(ch, invalid_field);
		return;
	}
	limit = byte_count(d, n * IDE_CD_BLOCK);
	if (n && !limit && !by_dma(d)) {
		ide_fail_locked(ch, IDE_ERR_ABRT);
		return;
	}
	ide_transfer_locked(ch, by_dma(d) ? IDE_DMA_IN : IDE_PIO_IN, lba, n * IDE_CD_BLOCK, limit);
}

static void read_10(struct ide_channel *ch, const uint8_t *p)
{
	read_blocks(ch, get_be32(p + 2), get_be16(p + 7));
}

static void read_12(struct ide_channel *ch, const uint8_t *p)
{
	read_blocks(ch, get_be32(p + 2), get_be32(p + 6));
}

/* A disc of mode 1, of which the image has the user data and nothing else. */
static void read_user_data(struct ide_channel *ch, const uint8_t *p, uint32_t lba, uint32_t n)
{
	enum { ANY_TYPE = 0, MODE_1 = 2, USER_DATA = 0x10 };
	unsigned type = p[1] >> 2 & 7U;

	if (type != ANY_TYPE && type != MODE_1) {
		check_condition(ch, illegal_mode);
	} else if ((p[9] & ~USER_DATA) || (p[10] & 7)) {
		check_condition(ch, invalid_field);
	} else {
		read_blocks(ch, lba, p[9] & USER_DATA ? n : 0);
	}
}

static void read_cd(struct ide_channel *ch, const uint8_t *p)
{
	read_user_data(ch, p, get_be32(p + 2), (uint32_t)p[6] << 16 | get_be16(p + 7));
}

/* Minutes, seconds, frames. What lies before the first block becomes a huge number. */
static uint32_t msf_lba(const uint8_t *p)
{
	return (p[0] * 60U + p[1]) * 75U + p[2] - 150U;
}

static void read_cd_msf(struct ide_channel *ch, const uint8_t *p)
{
	uint32_t n = msf_lba(p + 6) - msf_lba(p + 3);

	if (n >> 31) {
		check_condition(ch, invalid_field); /* it ends before it begins */
		return;
	}
	read_user_data(ch, p, msf_lba(p + 3), n);
}

static void seek_10(struct ide_channel *ch, const uint8_t *p)
{
	if (get_be32(p + 2) >= ide_blk(ch)->size / IDE_CD_BLOCK) {
		check_condition(ch, lba_out_of_range);
		return;
	}
	ide_complete_locked(ch);
}

static void read_toc(struct ide_channel *ch, const uint8_t *p)
{
	reply(ch, ide_mmc_toc(ch->s.buf, p, ide_blk(ch)), get_be16(p + 7));
}

static void get_configuration(struct ide_channel *ch, const uint8_t *p)
{
	bool media = !ide_regs(ch)->tray_open;

	reply(ch, ide_mmc_configuration(ch->s.buf, p, ide_blk(ch), media), get_be16(p + 7));
}

static void get_event_status(struct ide_channel *ch, const uint8_t *p)
{
	struct ide_drive_state *d = ide_regs(ch);

	reply(ch, ide_mmc_event(ch->s.buf, p, d->event, !d->tray_open), get_be16(p + 7));
	if (p[4] & IDE_CLASS_MEDIA) {
		d->event = IDE_EVENT_NONE;
	}
}

static void read_disc_info(struct ide_channel *ch, const uint8_t *p)
{
	reply(ch, p[1] & 7 ? 0 : ide_mmc_disc_info(ch->s.buf), get_be16(p + 7));
}

static void mode_sense_10(struct ide_channel *ch, const uint8_t *p)
{
	struct ide_drive_state *d = ide_regs(ch);

	reply(ch, ide_mmc_mode_sense(ch->s.buf, p, d->locked, !d->tray_open), get_be16(p + 7));
}

static const struct {
	void (*fn)(struct ide_channel *ch, const uint8_t *p);
	bool media;    /* needs one */
	bool any_time; /* does not tell of a UNIT ATTENTION */
} packets[256] = {
        [0x00] = {.fn = test_unit_ready, .media = true},
        [0x03] = {.fn = request_sense, .any_time = true},
        [0x12] = {.fn = inquiry, .any_time = true},
        [0x1b] = {.fn = start_stop},
        [0x1e] = {.fn = prevent_allow},
        [0x25] = {.fn = read_capacity, .media = true},
        [0x28] = {.fn = read_10, .media = true},
        [0x2b] = {.fn = seek_10, .media = true},
        [0x43] = {.fn = read_toc, .media = true},
        [0x46] = {.fn = get_configuration, .any_time = true},
        [0x4a] = {.fn = get_event_status, .any_time = true},
        [0x51] = {.fn = read_disc_info, .media = true},
        [0x5a] = {.fn = mode_sense_10},
        [0xa8] = {.fn = read_12, .media = true},
        [0xb9] = {.fn = read_cd_msf, .media = true},
        [0xbe] = {.fn = read_cd, .media = true},
};

void ide_atapi_packet_locked(struct ide_channel *ch)
{
	struct ide_drive_state *d = ide_regs(ch);
	uint8_t p[IDE_PACKET_LEN];

	/* The buffer is where the answer goes. */
	memcpy(p, ch->s.buf, sizeof(p));
	if (!packets[p[0]].fn) {
		check_condition(ch, invalid_opcode);
		return;
	}
	if (!packets[p[0]].any_time && d->attention) {
		struct ide_sense sense = {KEY_ATTENTION, d->attention, 0};

		d->attention = 0;
		check_condition(ch, sense);
		return;
	}
	if (packets[p[0]].media && d->tray_open) {
		check_condition(ch, tray_is_open);
		return;
	}
	if (packets[p[0]].fn != request_sense) {
		d->sense = (struct ide_sense){0};
	}
	packets[p[0]].fn(ch, p);
}

/* --- commands --- */

void ide_atapi_command_locked(struct ide_channel *ch, uint8_t command)
{
	struct ide_drive_state *d = ide_regs(ch);

	switch (command) {
	case 0xa0: /* PACKET */
		if (d->reg[IDE_FEATURES][0] & FEAT_OVERLAP) {
			break;
		}
		ide_want_packet_locked(ch);
		return;
	case 0xa1: /* IDENTIFY PACKET DEVICE */
		ide_identify_cdrom(ch->s.buf, d, ide_blk(ch), ch->s.cmd.drive);
		ide_reply_locked(ch, IDE_SECTOR, IDE_SECTOR, false);
		return;
	case 0xec: /* IDENTIFY DEVICE: who asks so learns what it is */
	case 0x20: /* READ SECTORS likewise */
		ide_fail_locked(ch, IDE_ERR_ABRT);
		ide_put_signature(d, IDE_CDROM);
		return;
	case 0xe0: /* STANDBY IMMEDIATE */
	case 0xe6: /* SLEEP */
		d->standby = true;
		ide_complete_locked(ch);
		return;
	case 0xe1: /* IDLE IMMEDIATE */
		d->standby = false;
		ide_complete_locked(ch);
		return;
	case 0xe5: /* CHECK POWER MODE */
		ide_complete_locked(ch);
		d->reg[IDE_NSECT][0] = d->standby ? 0x00 : 0xff;
		return;
	case 0xef: /* SET FEATURES */
		if (d->reg[IDE_FEATURES][0] != SET_TRANSFER_MODE ||
		        !ide_set_mode(d, d->reg[IDE_NSECT][0])) {
			break;
		}
		ide_complete_locked(ch);
		return;
	default:
		break;
	}
	ide_fail_locked(ch, IDE_ERR_ABRT);
}

void ide_atapi_reset(struct ide_drive_state *d)
{
	d->attention = ASC_RESET;
}
