// SPDX-License-Identifier: BSD-2-Clause
// SCSI commands: the table of those there are, what holds for all of them, and how they end.
// Specs: [SPC] "Commands for all device types", "Sense data"; [SBC] "START STOP UNIT".
#include "vmbus/scsi_cmd.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

#define ALLOC_MIN_LUNS 16U /* [SPC] "REPORT LUNS command" */
#define SCSI_MIN_BLOCK 512U
#define CONTROL_NACA 0x04U

enum units {
	DISK = 1,
	DVD = 2,
	ANY = DISK | DVD,
	ALWAYS = 4, /* needs no medium, and takes no unit attention */
};

static void test_unit_ready(struct scsi_req *req);
static void request_sense(struct scsi_req *req);
static void start_stop(struct scsi_req *req);
static void report_luns(struct scsi_req *req);
static void report_opcodes(struct scsi_req *req);

struct command {
	uint8_t opcode;
	uint8_t action;             /* service action, bits 4:0 of byte 1; NO_ACTION */
	uint8_t len;                /* of the CDB */
	uint8_t units;              /* bits of enum units: those that know it */
	uint8_t used[SCSI_CDB_LEN]; /* bits that mean something, from byte 1 on */
	void (*run)(struct scsi_req *req);
};

#define NO_ACTION 0xffU
#define CMD(code, length, who, function, ...) \
	{ \
		.opcode = (code), .action = NO_ACTION, .len = (length), .units = (who), \
		.run = (function), .used = {0, __VA_ARGS__}, \
	}
#define CMD_ACTION(code, service, length, who, function, ...) \
	{ \
		.opcode = (code), .action = (service), .len = (length), .units = (who), \
		.run = (function), .used = {0, __VA_ARGS__}, \
	}
#define X4 0xff, 0xff, 0xff, 0xff
#define X8 X4, X4

static const struct command commands[] = {
        CMD(0x00, 6, ANY, test_unit_ready, 0),
        CMD(0x03, 6, ANY | ALWAYS, request_sense, 0, 0, 0, 0xff),
        CMD(0x08, 6, DISK, scsi_read, 0x1f, 0xff, 0xff, 0xff),
        CMD(0x0a, 6, DISK, scsi_write, 0x1f, 0xff, 0xff, 0xff),
        CMD(0x12, 6, ANY | ALWAYS, scsi_inquiry, 0x01, 0xff, 0xff, 0xff),
        CMD(0x1a, 6, ANY | ALWAYS, scsi_mode_sense_6, 0x08, 0xff, 0xff, 0xff),
        CMD(0x1b, 6, ANY | ALWAYS, start_stop, 0x01, 0, 0, 0x03),
        CMD(0x1e, 6, DVD | ALWAYS, scsi_prevent_allow, 0, 0, 0, 0x03),
        CMD(0x25, 10, ANY, scsi_read_capacity_10, 0, X4, 0, 0, 0x01),
        CMD(0x28, 10, ANY, scsi_read, 0x18, X4, 0, 0xff, 0xff),
        CMD(0x2a, 10, DISK, scsi_write, 0x18, X4, 0, 0xff, 0xff),
        CMD(0x2f, 10, DISK, scsi_verify, 0x10, X4, 0, 0xff, 0xff),
        CMD(0x35, 10, ANY, scsi_sync_cache, 0x02, X4, 0, 0xff, 0xff),
        CMD(0x41, 10, DISK, scsi_write_same, 0x08, X4, 0, 0xff, 0xff),
        CMD(0x42, 10, DISK, scsi_unmap, 0, 0, 0, 0, 0, 0, 0xff, 0xff),
        CMD(0x43, 10, DVD, scsi_read_toc, 0x02, 0x0f, 0, 0, 0, 0xff, 0xff, 0xff),
        CMD(0x46, 10, DVD | ALWAYS, scsi_get_configuration, 0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff),
        CMD(0x4a, 10, DVD | ALWAYS, scsi_get_event_status, 0x01, 0, 0, 0xff, 0, 0, 0xff, 0xff),
        CMD(0x51, 10, DVD, scsi_read_disc_info, 0x07, 0, 0, 0, 0, 0, 0xff, 0xff),
        CMD(0x52, 10, DVD, scsi_read_track_info, 0x03, X4, 0, 0xff, 0xff),
        CMD(0x5a, 10, ANY | ALWAYS, scsi_mode_sense_10, 0x08, 0xff, 0xff, 0, 0, 0, 0xff, 0xff),
        CMD(0x88, 16, DISK, scsi_read, 0x18, X8, X4),
        CMD(0x8a, 16, DISK, scsi_write, 0x18, X8, X4),
        CMD(0x8f, 16, DISK, scsi_verify, 0x10, X8, X4),
        CMD(0x91, 16, DISK, scsi_sync_cache, 0x02, X8, X4),
        CMD(0x93, 16, DISK, scsi_write_same, 0x09, X8, X4),
        CMD_ACTION(0x9e, 0x10, 16, DISK, scsi_read_capacity_16, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, X4),
        CMD(0xa0, 12, ANY | ALWAYS, report_luns, 0, 0xff, 0, 0, 0, X4),
        CMD_ACTION(0xa3, 0x0c, 12, ANY | ALWAYS, report_opcodes, 0x1f, 0x07, 0xff, 0xff, 0xff, X4),
        CMD(0xa8, 12, ANY, scsi_read, 0x18, X8),
        CMD(0xaa, 12, DISK, scsi_write, 0x18, X8),
};

/* --- how a command ends --- */

void scsi_good(struct scsi_req *req)
{
	req->status = SCSI_GOOD;
	req->done(req);
}

void scsi_put_sense(uint8_t *to, enum scsi_sense sense)
{
	memset(to, 0, SCSI_SENSE_LEN);
	to[0] = 0x70; /* of this command, fixed format */
	to[2] = (uint8_t)(sense >> 16);
	to[7] = SCSI_SENSE_LEN - 8;
	to[12] = (uint8_t)(sense >> 8);
	to[13] = (uint8_t)sense;
}

void scsi_fail(struct scsi_req *req, enum scsi_sense sense)
{
	if (req->lun) {
		__atomic_fetch_add(&req->lun->stats.errors, 1, __ATOMIC_RELAXED);
	}
	req->status = SCSI_CHECK_CONDITION;
	req->moved = 0;
	req->sense_len = SCSI_SENSE_LEN;
	scsi_put_sense(req->sense, sense);
	req->done(req);
}

void scsi_reply(struct scsi_req *req, uint32_t len, uint32_t alloc)
{
	uint32_t at = 0;

	len = len < alloc ? len : alloc;
	for (unsigned i = 0; i < req->n_segs && at < len; i++) {
		uint32_t n = len - at < req->segs[i].len ? len - at : req->segs[i].len;

		memcpy(req->segs[i].hva, req->buf + at, n);
		at += n;
	}
	req->moved = at;
	scsi_good(req);
}

uint32_t scsi_fetch(struct scsi_req *req, uint32_t len)
{
	uint32_t at = 0;

	len = len < SCSI_BUF_LEN ? len : SCSI_BUF_LEN;
	for (unsigned i = 0; i < req->n_segs && at < len; i++) {
		uint32_t n = len - at < req->segs[i].len ? len - at : req->segs[i].len;

		memcpy(req->buf + at, req->segs[i].hva, n);
		at += n;
	}
	return at;
}

/* --- which command --- */

/* No code has more than one service action here. */
static const struct command *find(uint8_t opcode, unsigned units)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].opcode == opcode && (commands[i].units & units)) {
			return &commands[i];
		}
	}
	return NULL;
}

static unsigned units_of(const struct scsi_req *req)
{
	return scsi_is_dvd(req) ? DVD : DISK;
}

enum scsi_sense scsi_not_ready(const struct scsi_lun *lun)
{
	uint32_t state = __atomic_load_n(&lun->state, __ATOMIC_RELAXED);

	if (state & SCSI_EJECTED) {
		return SENSE_TRAY_OPEN;
	}
	return state & SCSI_STOPPED ? SENSE_STOPPED : SENSE_NONE;
}

/* A unit attention is told once. */
static bool take_attention(struct scsi_lun *lun)
{
	return (__atomic_load_n(&lun->state, __ATOMIC_RELAXED) & SCSI_CHANGED) &&
	       (__atomic_fetch_and(&lun->state, ~(uint32_t)SCSI_CHANGED, __ATOMIC_RELAXED) &
	               SCSI_CHANGED);
}

static void execute(struct scsi_req *req)
{
	struct scsi_lun *lun = req->lun;
	const struct command *c = find(req->cdb[0], units_of(req));
	enum scsi_sense sense;

	if (!c) {
		scsi_fail(req, SENSE_INVALID_OPCODE);
		return;
	}
	if (req->cdb_len < c->len || (req->cdb[c->len - 1] & CONTROL_NACA) ||
	        (c->action != NO_ACTION && (req->cdb[1] & 0x1f) != c->action)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	if (!(c->units & ALWAYS)) {
		sense = take_attention(lun) ? SENSE_MEDIUM_CHANGED : scsi_not_ready(lun);
		if (sense != SENSE_NONE) {
			scsi_fail(req, sense);
			return;
		}
	}
	c->run(req);
}

static void execute_absent(struct scsi_req *req)
{
	switch (req->cdb[0]) {
	case 0x03: /* [SPC] "REQUEST SENSE command": it succeeds, and says this */
		scsi_put_sense(req->buf, SENSE_NO_LUN);
		scsi_reply(req, SCSI_SENSE_LEN, req->cdb[4]);
		break;
	case 0x12:
		scsi_inquiry_absent(req);
		break;
	case 0xa0: /* asked of unit 0 of every target, there or not */
		report_luns(req);
		break;
	default:
		req->no_lun = true;
		scsi_fail(req, SENSE_NO_LUN);
	}
}

bool scsi_blk_fits(const struct blk *blk)
{
	return blk->seg_align == 1 && blk->max_segs >= SCSI_MAX_SEGS &&
	       blk->max_len >= SCSI_MAX_ZERO && is_pow2(blk->block_size) &&
	       blk->block_size >= SCSI_MIN_BLOCK && blk->block_size <= SCSI_BUF_LEN &&
	       blk->size >= blk->block_size && is_aligned(blk->size, blk->block_size);
}

void scsi_lun_reset(struct scsi_lun *lun)
{
	__atomic_store_n(&lun->state, 0, __ATOMIC_RELAXED);
}

void scsi_execute(struct scsi_lun *lun, struct scsi_req *req)
{
	req->lun = lun;
	req->moved = 0;
	req->cost = 0;
	req->sense_len = 0;
	req->no_lun = false;
	if (!lun) {
		execute_absent(req);
		return;
	}
	__atomic_fetch_add(&lun->stats.commands, 1, __ATOMIC_RELAXED);
	execute(req);
}

/* --- commands of all units --- */

static void test_unit_ready(struct scsi_req *req)
{
	scsi_good(req);
}

static void request_sense(struct scsi_req *req)
{
	enum scsi_sense sense;

	if (req->cdb[1] & 0x01) { /* DESC: only the fixed format */
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	sense = take_attention(req->lun) ? SENSE_MEDIUM_CHANGED : scsi_not_ready(req->lun);
	scsi_put_sense(req->buf, sense);
	scsi_reply(req, SCSI_SENSE_LEN, req->cdb[4]);
}

static void start_stop(struct scsi_req *req)
{
	const uint8_t what = req->cdb[4];
	const bool start = what & 0x01, load_eject = what & 0x02;
	uint32_t *state = &req->lun->state;

	/* Power conditions are not offered; only a drive has a tray. */
	if ((what & 0xf0) || (load_eject && !scsi_is_dvd(req))) {
		scsi_fail(req, SENSE_INVALID_FIELD);
	} else if (load_eject && start) {
		/* A medium that comes back may be another one. */
		if (__atomic_fetch_and(state, ~(uint32_t)SCSI_EJECTED, __ATOMIC_RELAXED) &
		        SCSI_EJECTED) {
			__atomic_fetch_or(state, SCSI_CHANGED, __ATOMIC_RELAXED);
		}
		scsi_good(req);
	} else if (load_eject) {
		if (__atomic_load_n(state, __ATOMIC_RELAXED) & SCSI_LOCKED) {
			scsi_fail(req, SENSE_REMOVAL_PREVENTED);
			return;
		}
		__atomic_fetch_or(state, SCSI_EJECTED, __ATOMIC_RELAXED);
		scsi_good(req);
	} else if (start || scsi_is_dvd(req)) {
		/* A drive that is spun down starts by itself. */
		__atomic_fetch_and(state, ~(uint32_t)SCSI_STOPPED, __ATOMIC_RELAXED);
		scsi_good(req);
	} else {
		__atomic_fetch_or(state, SCSI_STOPPED, __ATOMIC_RELAXED);
		scsi_flush(req);
	}
}

static void report_luns(struct scsi_req *req)
{
	const uint8_t select = req->cdb[2];
	uint32_t alloc = get_be32(req->cdb + 6), len = 8;

	/* 0: all but well-known ones; 1: well-known ones, of which there are none; 2: all. */
	if (req->cdb_len < 12 || select > 2 || alloc < ALLOC_MIN_LUNS) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	memset(req->buf, 0, 8 + 8 * SCSI_MAX_LUNS);
	for (unsigned i = 0; i < SCSI_MAX_LUNS && select != 1; i++) {
		if (req->luns & BIT64(i)) {
			req->buf[len + 1] = (uint8_t)i;
			len += 8;
		}
	}
	put_be32(req->buf, len - 8);
	scsi_reply(req, len, alloc);
}

/* --- REPORT SUPPORTED OPERATION CODES --- */

static uint32_t put_all_opcodes(uint8_t *buf, unsigned units)
{
	uint32_t len = 4;

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (!(c->units & units)) {
			continue;
		}
		memset(buf + len, 0, 8);
		buf[len] = c->opcode;
		if (c->action != NO_ACTION) {
			buf[len + 3] = c->action;
			buf[len + 5] = 0x01; /* SERVACTV */
		}
		buf[len + 7] = c->len;
		len += 8;
	}
	put_be32(buf, len - 4);
	return len;
}

static uint32_t put_one_opcode(uint8_t *buf, const struct command *c)
{
	memset(buf, 0, 4 + SCSI_CDB_LEN);
	if (!c) {
		buf[1] = 0x01; /* not supported */
		return 4;
	}
	buf[1] = 0x03; /* as the standard says */
	put_be16(buf + 2, c->len);
	memcpy(buf + 4, c->used, c->len);
	buf[4] = c->opcode;
	if (c->action != NO_ACTION) {
		buf[5] = c->action;
	}
	return 4U + c->len;
}

static void report_opcodes(struct scsi_req *req)
{
	const uint8_t *cdb = req->cdb;
	const uint32_t alloc = get_be32(cdb + 6);
	const unsigned how = cdb[2] & 0x07;
	const struct command *c;
	bool has_action;

	if (cdb[2] & 0x80) { /* RCTD: timeouts are not known */
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	if (how == 0) {
		scsi_reply(req, put_all_opcodes(req->buf, units_of(req)), alloc);
		return;
	}
	c = find(cdb[3], units_of(req));
	has_action = c && c->action != NO_ACTION;
	/* 1: of a command without service actions; 2: with; 3: whichever it is. */
	if (how > 3 || (how == 1 && has_action) || (how == 2 && c && !has_action)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	if (has_action && get_be16(cdb + 4) != c->action) {
		c = NULL;
	}
	scsi_reply(req, put_one_opcode(req->buf, c), alloc);
}
