// SPDX-License-Identifier: BSD-2-Clause
// SCSI commands that reach the medium: read, write, flush, zero, and how large it is.
// Specs: [SBC] "Commands for direct access block devices".
//
// Each is a list of requests to the back end, one after the other: req->next sets up the next one.
// A back end may complete within submit(), so steps are taken in a loop and never one in another:
// whichever of run_steps() and step_done() comes second goes on.
#include "vmbus/scsi_cmd.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

#define UNMAP_HEADER 8U
#define UNMAP_DESCRIPTOR 16U

enum turn { TURN_OPEN, TURN_RETURNED, TURN_DONE };

/* --- steps --- */

static enum scsi_sense sense_of(const struct scsi_req *req, enum blk_status status)
{
	switch (status) {
	case BLK_OK:
		break;
	case BLK_READ_ONLY:
		return SENSE_WRITE_PROTECTED;
	case BLK_OUT_OF_RANGE:
		return SENSE_TARGET_FAILURE;
	case BLK_NO_SPACE:
		return SENSE_NO_SPACE;
	case BLK_IO_ERROR:
		return req->blk.op == BLK_READ ? SENSE_READ_ERROR : SENSE_WRITE_ERROR;
	case BLK_CANCELLED:
		return SENSE_ABORTED;
	}
	return SENSE_NONE;
}

static void run_steps(struct scsi_req *req);

static void step_done(struct blk_req *blk_req, enum blk_status status)
{
	struct scsi_req *req = blk_req->arg;

	req->step_status = status;
	if (__atomic_exchange_n(&req->turn, TURN_DONE, __ATOMIC_ACQ_REL) == TURN_RETURNED) {
		run_steps(req);
	}
}

static void run_steps(struct scsi_req *req)
{
	struct blk *blk = req->lun->blk;

	do {
		if (req->step_status != BLK_OK) {
			scsi_fail(req, sense_of(req, req->step_status));
			return;
		}
		if (!req->next(req)) {
			scsi_good(req);
			return;
		}
		req->step++;
		req->cost += req->blk.len;
		req->blk.done = step_done;
		req->blk.arg = req;
		__atomic_store_n(&req->turn, TURN_OPEN, __ATOMIC_RELAXED);
		if (blk->ops->submit(blk, &req->blk) != 0) {
			/* Its queue is full; the initiator tries the whole command again. */
			req->status = SCSI_TASK_SET_FULL;
			req->moved = 0;
			req->done(req);
			return;
		}
	} while (__atomic_exchange_n(&req->turn, TURN_RETURNED, __ATOMIC_ACQ_REL) == TURN_DONE);
}

static void start_steps(struct scsi_req *req, bool (*next)(struct scsi_req *req))
{
	req->next = next;
	req->step = 0;
	req->step_status = BLK_OK;
	run_steps(req);
}

static bool flush_once(struct scsi_req *req)
{
	req->blk = (struct blk_req){.op = BLK_FLUSH};
	return req->step == 0;
}

/* --- addresses --- */

struct extent {
	uint64_t lba;
	uint64_t blocks;
};

static uint64_t capacity(const struct blk *blk)
{
	return blk->size / blk->block_size;
}

/* Address and number of blocks, where commands of each length have them. */
static struct extent extent_of(const struct scsi_req *req)
{
	const uint8_t *cdb = req->cdb;

	switch (cdb[0] >> 5) {
	case 0: /* 6 bytes; no blocks means 256 */
		return (struct extent){get_be32(cdb) & 0x1fffff, cdb[4] ? cdb[4] : 256U};
	case 5: /* 12 */
		return (struct extent){get_be32(cdb + 2), get_be32(cdb + 6)};
	case 4: /* 16 */
		return (struct extent){get_be64(cdb + 2), get_be32(cdb + 10)};
	default: /* 10 */
		return (struct extent){get_be32(cdb + 2), get_be16(cdb + 7)};
	}
}

static bool in_range(const struct blk *blk, struct extent e)
{
	return e.lba <= capacity(blk) && e.blocks <= capacity(blk) - e.lba;
}

/* Protection information is not kept: RDPROTECT, WRPROTECT and VRPROTECT must be 0. */
static bool wants_protection(const struct scsi_req *req)
{
	return (req->cdb[0] >> 5) != 0 && (req->cdb[1] & 0xe0);
}

/* --- READ, WRITE, VERIFY --- */

static bool next_rw(struct scsi_req *req)
{
	if (req->step == 0) {
		return true; /* set up by read_write() */
	}
	if (req->step == 1 && req->rw.flush) {
		req->blk = (struct blk_req){.op = BLK_FLUSH};
		return true;
	}
	return false;
}

static void read_write(struct scsi_req *req, enum blk_op op)
{
	const struct blk *blk = req->lun->blk;
	struct extent e = extent_of(req);
	uint64_t len = e.blocks * blk->block_size;

	if (op == BLK_WRITE && blk->read_only) {
		scsi_fail(req, SENSE_WRITE_PROTECTED);
	} else if (!in_range(blk, e)) {
		scsi_fail(req, SENSE_LBA_RANGE);
	} else if (wants_protection(req) || len > SCSI_MAX_TRANSFER || len > req->data_len) {
		scsi_fail(req, SENSE_INVALID_FIELD);
	} else if (len == 0) {
		scsi_good(req);
	} else {
		req->n_segs = io_segs_trim(req->segs, req->n_segs, (uint32_t)len);
		req->moved = (uint32_t)len;
		/* Force unit access; commands of 6 bytes have none. */
		req->rw.flush = op == BLK_WRITE && (req->cdb[0] >> 5) != 0 && (req->cdb[1] & 0x08);
		req->blk = (struct blk_req){
		        .op = op,
		        .offset = e.lba * blk->block_size,
		        .len = len,
		        .segs = req->segs,
		        .n_segs = req->n_segs,
		};
		start_steps(req, next_rw);
	}
}

void scsi_read(struct scsi_req *req)
{
	read_write(req, BLK_READ);
}

void scsi_write(struct scsi_req *req)
{
	read_write(req, BLK_WRITE);
}

/* Is the medium readable there? Comparing with data (BYTCHK) is not offered. */
void scsi_verify(struct scsi_req *req)
{
	if (wants_protection(req) || (req->cdb[1] & 0x06)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
	} else if (!in_range(req->lun->blk, extent_of(req))) {
		scsi_fail(req, SENSE_LBA_RANGE);
	} else {
		scsi_good(req);
	}
}

/* --- SYNCHRONIZE CACHE --- */

void scsi_flush(struct scsi_req *req)
{
	start_steps(req, flush_once);
}

void scsi_sync_cache(struct scsi_req *req)
{
	if (!in_range(req->lun->blk, extent_of(req))) {
		scsi_fail(req, SENSE_LBA_RANGE);
		return;
	}
	/* All of it, whatever the range: a back end knows no less. */
	scsi_flush(req);
}

/* --- WRITE SAME, UNMAP --- */

static bool all_zero(const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		if (p[i]) {
			return false;
		}
	}
	return true;
}

static bool next_zero(struct scsi_req *req)
{
	return req->step == 0; /* set up by scsi_write_same() */
}

/* As many copies of buf as there are segments. */
static bool next_same(struct scsi_req *req)
{
	uint64_t rest = req->same.end - req->same.at, len = 0;
	unsigned n = 0;

	if (rest == 0) {
		return false;
	}
	for (; n < req->max_segs && len < rest; n++) {
		uint64_t part = rest - len < req->same.unit ? rest - len : req->same.unit;

		req->segs[n] =
		        (struct io_seg){.hva = req->buf, .hpa = hpa(0), .len = (uint32_t)part};
		len += part;
	}
	req->blk = (struct blk_req){
	        .op = BLK_WRITE,
	        .offset = req->same.at,
	        .len = len,
	        .segs = req->segs,
	        .n_segs = n,
	};
	req->same.at += len;
	return true;
}

void scsi_write_same(struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;
	const uint32_t block = blk->block_size;
	const bool no_data = req->cdb[0] == 0x93 && (req->cdb[1] & 0x01); /* NDOB */
	const bool unmap = req->cdb[1] & 0x08;
	struct extent e = extent_of(req);
	uint64_t len = e.blocks * block;

	if (blk->read_only) {
		scsi_fail(req, SENSE_WRITE_PROTECTED);
		return;
	}
	if (!in_range(blk, e)) {
		scsi_fail(req, SENSE_LBA_RANGE);
		return;
	}
	/* ANCHOR; no blocks mean "to the end", which the block limits page denies (WSNZ). */
	if (wants_protection(req) || (req->cdb[1] & 0x10) || len == 0 || len > SCSI_MAX_ZERO) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	if (!no_data && scsi_fetch(req, block) != block) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	req->moved = no_data ? 0 : block;
	if (no_data || all_zero(req->buf, block)) {
		req->blk = (struct blk_req){
		        .op = unmap ? BLK_DISCARD : BLK_WRITE_ZERO,
		        .offset = e.lba * block,
		        .len = len,
		};
		start_steps(req, next_zero);
		return;
	}
	for (uint32_t at = block; at < SCSI_BUF_LEN; at += block) {
		memcpy(req->buf + at, req->buf, block);
	}
	req->same.at = e.lba * block;
	req->same.end = req->same.at + len;
	req->same.unit = SCSI_BUF_LEN;
	start_steps(req, next_same);
}

static struct extent unmap_extent(const struct scsi_req *req, unsigned i)
{
	const uint8_t *d = req->buf + UNMAP_HEADER + i * UNMAP_DESCRIPTOR;

	return (struct extent){get_be64(d), get_be32(d + 8)};
}

static bool next_unmap(struct scsi_req *req)
{
	const uint32_t block = req->lun->blk->block_size;
	struct extent e;

	if (req->step == req->unmap.n) {
		return false;
	}
	e = unmap_extent(req, req->step);
	req->blk = (struct blk_req){
	        .op = BLK_DISCARD, .offset = e.lba * block, .len = e.blocks * block};
	return true;
}

/* All descriptors are looked at before anything is done. */
static enum scsi_sense check_unmap(const struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;
	uint64_t blocks = 0;

	for (unsigned i = 0; i < req->unmap.n; i++) {
		struct extent e = unmap_extent(req, i);

		if (!in_range(blk, e)) {
			return SENSE_LBA_RANGE;
		}
		blocks += e.blocks;
	}
	return blocks > SCSI_MAX_ZERO / blk->block_size ? SENSE_INVALID_LIST : SENSE_NONE;
}

void scsi_unmap(struct scsi_req *req)
{
	uint32_t want = get_be16(req->cdb + 7), len;
	enum scsi_sense sense;

	if (req->lun->blk->read_only) {
		scsi_fail(req, SENSE_WRITE_PROTECTED);
		return;
	}
	if (req->cdb[1] & 0x01) { /* ANCHOR */
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	if (want == 0) {
		scsi_good(req);
		return;
	}
	len = scsi_fetch(req, want);
	if (len < UNMAP_HEADER || len != want) {
		/* Shorter than its header, than it says, or longer than we take. */
		scsi_fail(req, SENSE_LIST_LENGTH);
		return;
	}
	/* What the header promises and the list has; a piece of a descriptor does not count. */
	req->unmap.n = get_be16(req->buf + 2) / UNMAP_DESCRIPTOR;
	if (req->unmap.n > (len - UNMAP_HEADER) / UNMAP_DESCRIPTOR) {
		req->unmap.n = (len - UNMAP_HEADER) / UNMAP_DESCRIPTOR;
	}
	sense = check_unmap(req);
	if (sense != SENSE_NONE) {
		scsi_fail(req, sense);
		return;
	}
	req->moved = len;
	start_steps(req, next_unmap);
}

/* --- READ CAPACITY --- */

void scsi_read_capacity_10(struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;
	uint64_t last = capacity(blk) - 1;

	/* An address without PMI, which is obsolete with it. */
	if (get_be32(req->cdb + 2) != 0 && !(req->cdb[8] & 0x01)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return;
	}
	put_be32(req->buf, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
	put_be32(req->buf + 4, blk->block_size);
	scsi_reply(req, 8, 8);
}

void scsi_read_capacity_16(struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;

	memset(req->buf, 0, 32);
	put_be64(req->buf, capacity(blk) - 1);
	put_be32(req->buf + 8, blk->block_size);
	/* Physical blocks are pages: a power of two of logical ones. */
	req->buf[13] = (uint8_t)(bit_last(PAGE_SIZE) - bit_last(blk->block_size));
	if (!blk->read_only) {
		req->buf[14] = 0xc0; /* LBPME, LBPRZ: can be unmapped, and reads zeroes then */
	}
	scsi_reply(req, 32, get_be32(req->cdb + 10));
}
