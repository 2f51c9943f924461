// SPDX-License-Identifier: BSD-2-Clause
// A disk in memory: everything is done when submit() returns.
// Specs: none (contract in blk.h and blk_ram.h).
//
// Several CPUs may be at work on one disk, for several channels of its controller. What they write
// to the same block at the same time is the guest's affair, as on any disk; only the first copy of
// a shared image's page must not undo a write, so it is made under a lock.
#include "devices/backend/blk_ram.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/copy_hw.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define MAX_SEGS 256U
#define MAX_LEN (16U << 20)

static struct blk_ram *ram_of(struct blk *blk)
{
	return container_of(blk, struct blk_ram, blk);
}

/* --- where a byte lies --- */

static bool page_is_copied(const struct blk_ram *ram, uint64_t page)
{
	return __atomic_load_n(&ram->copied[page / 64], __ATOMIC_ACQUIRE) & BIT64(page % 64);
}

static uint8_t *piece_at(const struct blk_ram *ram, uint64_t at)
{
	return ram->pieces[at / SIZE_2M] + at % SIZE_2M;
}

static void copy_page(struct blk_ram *ram, uint64_t page)
{
	uint64_t at = page * PAGE_SIZE, len = ram->blk.size - at;

	spin_lock(&ram->lock);
	if (!page_is_copied(ram, page)) {
		copy_large(piece_at(ram, at), ram->image + at, len < PAGE_SIZE ? len : PAGE_SIZE);
		__atomic_fetch_or(&ram->copied[page / 64], BIT64(page % 64), __ATOMIC_RELEASE);
		ram->n_copied++;
	}
	spin_unlock(&ram->lock);
}

/* The run of bytes at 'at' that lie together: at most *len, which becomes its length. */
static const uint8_t *span_to_read(const struct blk_ram *ram, uint64_t at, uint64_t *len)
{
	uint64_t room = ram->copied ? PAGE_SIZE - at % PAGE_SIZE : SIZE_2M - at % SIZE_2M;

	*len = *len < room ? *len : room;
	if (!ram->pieces || (ram->copied && !page_is_copied(ram, at / PAGE_SIZE))) {
		return ram->image + at;
	}
	return piece_at(ram, at);
}

static uint8_t *span_to_write(struct blk_ram *ram, uint64_t at, uint64_t *len)
{
	uint64_t room = ram->copied ? PAGE_SIZE - at % PAGE_SIZE : SIZE_2M - at % SIZE_2M;

	*len = *len < room ? *len : room;
	if (ram->copied && !page_is_copied(ram, at / PAGE_SIZE)) {
		copy_page(ram, at / PAGE_SIZE);
	}
	return piece_at(ram, at);
}

/* --- requests --- */

static void move_seg(struct blk_ram *ram, bool write, uint64_t at, const struct io_seg *seg)
{
	for (uint64_t done = 0, n; done < seg->len; done += n) {
		n = seg->len - done;
		if (write) {
			uint8_t *to = span_to_write(ram, at + done, &n);

			copy_large(to, seg->hva + done, n);
		} else {
			const uint8_t *from = span_to_read(ram, at + done, &n);

			copy_large(seg->hva + done, from, n);
		}
	}
}

static void move(struct blk_ram *ram, const struct blk_req *req)
{
	uint64_t at = req->offset;

	for (unsigned i = 0; i < req->n_segs; i++) {
		move_seg(ram, req->op == BLK_WRITE, at, &req->segs[i]);
		at += req->segs[i].len;
	}
}

static void zero(struct blk_ram *ram, const struct blk_req *req)
{
	for (uint64_t done = 0, n; done < req->len; done += n) {
		uint8_t *to;

		n = req->len - done;
		to = span_to_write(ram, req->offset + done, &n);
		memset(to, 0, n);
	}
}

static uint64_t segs_len(const struct blk_req *req)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < req->n_segs; i++) {
		len += req->segs[i].len;
	}
	return len;
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static enum blk_status execute(struct blk_ram *ram, const struct blk_req *req)
{
	struct blk *blk = &ram->blk;

	if (req->op == BLK_FLUSH) {
		/* Writes are in place when they are done; there is nowhere more durable. */
		count(&blk->stats.flushes, 1);
		return BLK_OK;
	}
	if (req->offset > blk->size || req->len > blk->size - req->offset) {
		return BLK_OUT_OF_RANGE;
	}
	if (req->op != BLK_READ && blk->read_only) {
		return BLK_READ_ONLY;
	}
	switch (req->op) {
	case BLK_READ:
	case BLK_WRITE:
		if (segs_len(req) != req->len) {
			return BLK_IO_ERROR;
		}
		move(ram, req);
		count(req->op == BLK_READ ? &blk->stats.reads : &blk->stats.writes, 1);
		count(req->op == BLK_READ ? &blk->stats.bytes_read : &blk->stats.bytes_written,
		        req->len);
		break;
	case BLK_DISCARD:
	case BLK_WRITE_ZERO:
		zero(ram, req);
		count(&blk->stats.discards, 1);
		break;
	case BLK_FLUSH:
		break;
	}
	return BLK_OK;
}

static int submit(struct blk *blk, struct blk_req *req)
{
	enum blk_status status = execute(ram_of(blk), req);

	if (status != BLK_OK) {
		count(&blk->stats.errors, 1);
	}
	req->done(req, status);
	return 0;
}

static void cancel(struct blk *blk)
{
	(void)blk; /* nothing ever waits */
}

static bool drain(struct blk *blk)
{
	(void)blk;
	return true;
}

static void dump(const struct blk *blk, struct out *out)
{
	const struct blk_ram *ram = container_of(blk, struct blk_ram, blk);
	const char *where = ram->copied  ? "copy on write"
	                    : ram->image ? "in place"
	                                 : "empty at start";

	out_print(out, "ram, %s", where);
	if (ram->copied) {
		out_print(out, ", %llu KiB copied",
		        (unsigned long long)__atomic_load_n(&ram->n_copied, __ATOMIC_RELAXED) * 4);
	}
	out_print(out, "\n");
}

static const struct blk_ops ops = {
        .submit = submit,
        .cancel = cancel,
        .drain = drain,
        .dump = dump,
};

/* --- making one --- */

static void *alloc_bytes(const struct blk_ram_params *params, uint64_t len)
{
	return params->alloc(align_up(len, PAGE_SIZE) / PAGE_SIZE, PAGE_SIZE);
}

/* The table of pieces, and the pieces themselves unless the image is to be written in place. */
static int make_pieces(struct blk_ram *ram, const struct blk_ram_params *params)
{
	uint64_t n = (params->size + SIZE_2M - 1) / SIZE_2M;

	ram->pieces = alloc_bytes(params, n * sizeof(ram->pieces[0]));
	if (!ram->pieces) {
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < n; i++) {
		ram->pieces[i] = params->image && !params->shared
		                         ? params->image + i * SIZE_2M
		                         : params->alloc(SIZE_2M / PAGE_SIZE, SIZE_2M);
		if (!ram->pieces[i]) {
			return -ENOMEM;
		}
	}
	if (params->image && params->shared) {
		uint64_t pages = (params->size + PAGE_SIZE - 1) / PAGE_SIZE;

		ram->copied = alloc_bytes(params, (pages + 63) / 64 * sizeof(ram->copied[0]));
		return ram->copied ? 0 : -ENOMEM;
	}
	return 0;
}

int blk_ram_attach(struct blk_ram *ram, const struct blk_ram_params *params)
{
	*ram = (struct blk_ram){
	        .blk =
	                {
	                        .ops = &ops,
	                        .kind = "ram",
	                        .size = params->size,
	                        .block_size = params->block_size,
	                        .max_segs = MAX_SEGS,
	                        .max_len = MAX_LEN,
	                        .seg_align = 1,
	                        .read_only = params->read_only,
	                        .removable = params->removable,
	                },
	        .image = params->image,
	};
	memcpy(ram->blk.id, params->id, sizeof(ram->blk.id));
	/* Nobody writes: the image is enough. */
	return params->image && params->read_only ? 0 : make_pieces(ram, params);
}
