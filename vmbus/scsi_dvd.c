// SPDX-License-Identifier: BSD-2-Clause
// What a DVD drive with one data track knows beside a disk's commands.
// Specs: [MMC] "READ TOC/PMA/ATIP Command", "GET CONFIGURATION Command", "GET EVENT STATUS
// NOTIFICATION Command", "READ DISC INFORMATION Command", "READ TRACK INFORMATION Command".
#include "vmbus/scsi_cmd.h"
#include "vmm/lib/string.h"

#define TRACK_DATA 0x14U /* ADR 1; a data track */
#define LEAD_OUT 0xaaU
#define PROFILE_DVD_ROM 0x0010U
#define PROFILE_CD_ROM 0x0008U
#define CD_BLOCKS_MAX 449850U /* a CD of 99 minutes; more is a DVD */

#define FRAMES_PER_S 75U
#define MSF_OFFSET 150U /* block 0 is at 00:02.00 */

static uint32_t blocks(const struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;
	uint64_t n = blk->size / blk->block_size;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* --- READ TOC --- */

static void put_address(uint8_t *to, uint32_t block, bool msf)
{
	if (!msf) {
		put_be32(to, block);
		return;
	}
	block = block > UINT32_MAX - MSF_OFFSET ? UINT32_MAX : block + MSF_OFFSET;
	to[0] = 0;
	to[1] = (uint8_t)(block / FRAMES_PER_S / 60 > 0xff ? 0xff : block / FRAMES_PER_S / 60);
	to[2] = (uint8_t)(block / FRAMES_PER_S % 60);
	to[3] = (uint8_t)(block % FRAMES_PER_S);
}

static uint32_t put_track(uint8_t *to, uint8_t track, uint32_t block, bool msf)
{
	to[1] = TRACK_DATA;
	to[2] = track;
	put_address(to + 4, block, msf);
	return 8;
}

void scsi_read_toc(struct scsi_req *req)
{
	const uint8_t *cdb = req->cdb;
	const bool msf = cdb[1] & 0x02;
	/* Older initiators have the format in the control byte. */
	const unsigned format = (cdb[2] & 0x0f) ? cdb[2] & 0x0fU : cdb[9] >> 6;
	uint8_t *buf = req->buf;
	uint32_t len = 4;

	memset(buf, 0, 32);
	buf[2] = 1; /* first and last track, or session */
	buf[3] = 1;
	if (format == 0 && (cdb[6] <= 1 || cdb[6] == LEAD_OUT)) {
		if (cdb[6] <= 1) {
			len += put_track(buf + len, 1, 0, msf);
		}
		len += put_track(buf + len, LEAD_OUT, blocks(req), msf);
	} else if (format == 1) {
		len += put_track(buf + len, 1, 0, msf);
	} else {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	put_be16(buf, len - 2);
	scsi_reply(req, len, get_be16(cdb + 7));
}

/* --- GET CONFIGURATION --- */

static const struct feature {
	uint16_t code;
	uint8_t flags; /* version, persistent, current */
	uint8_t len;
	uint8_t data[8];
} features[] = {
        /* Profile list; which one is current follows. */
        {.code = 0x0000, .flags = 0x03, .len = 8, .data = {0x00, 0x10, 0, 0, 0x00, 0x08, 0, 0}},
        /* Core: SCSI family, device busy events. */
        {.code = 0x0001, .flags = 0x0b, .len = 8, .data = {0, 0, 0, 0x01, 0x01}},
        /* Removable medium: tray, eject, lock. */
        {.code = 0x0003, .flags = 0x03, .len = 4, .data = {0x29}},
        /* Random readable: blocks of 2048 bytes, one at a time. */
        {.code = 0x0010, .flags = 0x01, .len = 8, .data = {0, 0, 0x08, 0, 0, 0x01}},
        /* CD read, DVD read. */
        {.code = 0x001e, .flags = 0x09, .len = 4, .data = {0}},
        {.code = 0x001f, .flags = 0x01, .len = 4, .data = {0}},
};

void scsi_get_configuration(struct scsi_req *req)
{
	const uint8_t *cdb = req->cdb;
	const unsigned how = cdb[1] & 0x03, first = get_be16(cdb + 2);
	const bool medium = scsi_not_ready(req->lun) == SENSE_NONE;
	const bool cd = blocks(req) <= CD_BLOCKS_MAX;
	uint8_t *buf = req->buf;
	uint32_t len = 8;

	if (how == 3) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	memset(buf, 0, 8);
	put_be16(buf + 6, !medium ? 0 : cd ? PROFILE_CD_ROM : PROFILE_DVD_ROM);
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		uint8_t *to = buf + len;

		/* 0: all from the first on; 1: those that are current; 2: only that one. */
		if (f->code < first || (how == 1 && !(f->flags & 0x01)) ||
		        (how == 2 && f->code != first)) {
			continue;
		}
		put_be16(to, f->code);
		to[2] = f->flags;
		to[3] = f->len;
		memcpy(to + 4, f->data, f->len);
		if (f->code == 0x0000 && medium) {
			to[cd ? 10 : 6] = 0x01; /* current */
		}
		len += 4U + f->len;
	}
	put_be32(buf, len - 4);
	scsi_reply(req, len, get_be16(cdb + 7));
}

/* --- the rest --- */

void scsi_get_event_status(struct scsi_req *req)
{
	const uint32_t state = __atomic_load_n(&req->lun->state, __ATOMIC_RELAXED);
	uint8_t *buf = req->buf;

	if (!(req->cdb[1] & 0x01)) { /* POLLED: nothing is told by itself */
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	memset(buf, 0, 8);
	buf[3] = 0x10; /* there are media events */
	if (!(req->cdb[4] & 0x10)) {
		put_be16(buf, 2);
		buf[2] = 0x80; /* none that was asked for */
		scsi_reply(req, 4, get_be16(req->cdb + 7));
		return;
	}
	put_be16(buf, 6);
	buf[2] = 0x04; /* media */
	buf[4] = state & SCSI_CHANGED ? 0x02 : 0x00;
	buf[5] = state & SCSI_EJECTED ? 0x01 : 0x02; /* tray open, or medium present */
	scsi_reply(req, 8, get_be16(req->cdb + 7));
}

void scsi_read_disc_info(struct scsi_req *req)
{
	uint8_t *buf = req->buf;

	if (req->cdb[1] & 0x07) { /* only the standard data */
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	memset(buf, 0, 34);
	put_be16(buf, 32);
	buf[2] = 0x0e; /* last session complete, disc finalized */
	buf[3] = 1;    /* first track, sessions, tracks of the last one */
	buf[4] = 1;
	buf[5] = 1;
	buf[6] = 1;
	buf[7] = 0x20; /* for any use */
	scsi_reply(req, 34, get_be16(req->cdb + 7));
}

/* There is track 1 and nothing else, by whatever name it is asked for. */
void scsi_read_track_info(struct scsi_req *req)
{
	const unsigned kind = req->cdb[1] & 0x03;
	const uint32_t which = get_be32(req->cdb + 2);
	uint8_t *buf = req->buf;

	/* 0: the track at that block; 1: of that number; 2: the first one of that session. */
	if (kind == 3 || (kind == 0 ? which >= blocks(req) : which != 1)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	memset(buf, 0, 36);
	put_be16(buf, 34);
	buf[2] = 1; /* track, session */
	buf[3] = 1;
	buf[5] = 0x04; /* data, recorded uninterrupted */
	buf[6] = 0x01; /* mode 1 */
	buf[7] = 0x02; /* the last block that was recorded is valid */
	put_be32(buf + 24, blocks(req));
	put_be32(buf + 28, blocks(req) - 1);
	scsi_reply(req, 36, get_be16(req->cdb + 7));
}

void scsi_prevent_allow(struct scsi_req *req)
{
	if (req->cdb[4] & 0x01) {
		__atomic_fetch_or(&req->lun->state, SCSI_LOCKED, __ATOMIC_RELAXED);
	} else {
		__atomic_fetch_and(&req->lun->state, ~(uint32_t)SCSI_LOCKED, __ATOMIC_RELAXED);
	}
	scsi_good(req);
}
