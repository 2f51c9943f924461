// SPDX-License-Identifier: BSD-2-Clause
// The bus master of an IDE channel: its registers, and the memory that PRD tables describe.
// Specs: [BMIDE] "Bus Master IDE Register Description", "Physical Region Descriptor", "Bus Master
// IDE status register"; [PIIX4] "IDE Controller Bus Master IDE I/O Registers".
#include "devices/ide.h"
#include "vmm/lib/string.h"

enum bm_reg { BMIC = 0, BMIS = 2, BMIDTP = 4 };

#define BMIC_START 0x01U
#define BMIC_RWCON 0x08U /* to memory */

#define BMIS_ACT 0x01U
#define BMIS_ERR 0x02U
#define BMIS_INT 0x04U
#define BMIS_CAPABLE 0x60U /* software's notes: drives 0 and 1 can do DMA */

#define BMIDTP_MASK 0xfffffffcU

/* "Physical Region Descriptor", as in memory. */
struct prd {
	uint32_t base;
	uint32_t count; /* bytes, even, 0 = 64 KiB; bit 31: the last one */
};
_Static_assert(sizeof(struct prd) == 8, "[BMIDE] Physical Region Descriptor");

#define PRD_COUNT 0xfffeU
#define PRD_EOT 0x80000000U
/* The table does not cross a boundary of this size: an entry at its end is the last one. */
#define PRD_TABLE 0x10000U

enum region { REGION_OK, REGION_END, REGION_BAD };

static enum region next_region(const struct ide_channel *ch, struct ide_cursor *at)
{
	struct prd prd;

	if (at->last) {
		return REGION_END;
	}
	if (gmem_read(&ch->vm->mem, gpa(at->next), &prd, sizeof(prd))) {
		return REGION_BAD;
	}
	at->next += (uint32_t)sizeof(prd);
	at->base = prd.base & ~1U;
	at->count = prd.count & PRD_COUNT ? prd.count & PRD_COUNT : PRD_COUNT + 2;
	at->last = (prd.count & PRD_EOT) || at->next % PRD_TABLE == 0;
	return REGION_OK;
}

/* Memory for the next bytes, at most max of them. A bus master sees no overlays, only RAM. */
static enum region map(
        const struct ide_channel *ch, struct ide_cursor *at, uint32_t max, struct io_seg *seg)
{
	enum region r = at->count ? REGION_OK : next_region(ch, at);
	uint64_t below_4g = (1ULL << 32) - at->base;
	struct gmem_span span;

	if (r != REGION_OK) {
		return r;
	}
	max = max < at->count ? max : at->count;
	max = max < below_4g ? max : (uint32_t)below_4g;
	if (gmem_map_ram(&ch->vm->mem, gpa(at->base), max, &span)) {
		return REGION_BAD;
	}
	*seg = (struct io_seg){.hva = span.hva, .hpa = span.hpa, .len = (uint32_t)span.len};
	return REGION_OK;
}

static void advance(struct ide_cursor *at, uint32_t n)
{
	at->base += n;
	at->count -= n;
}

/* "Active" ends with the table's last byte. */
static void settle(struct ide_bm_state *bm)
{
	if (bm->at.last && bm->at.count == 0) {
		bm->status &= (uint8_t)~BMIS_ACT;
	}
}

bool ide_dma_active(const struct ide_channel *ch)
{
	const struct ide_bm_state *bm = &ch->s.bm;
	bool to_guest = ch->s.cmd.phase == IDE_DMA_IN;

	return (bm->status & BMIS_ACT) && to_guest == ((bm->command & BMIC_RWCON) != 0);
}

uint32_t ide_dma_gather(struct ide_channel *ch, uint32_t max, unsigned *n_segs)
{
	const struct blk *blk = ide_blk(ch);
	unsigned limit = blk->max_segs < IDE_MAX_SEGS ? blk->max_segs : IDE_MAX_SEGS;
	uint32_t block = blk->block_size, len = 0, whole = 0;
	struct ide_cursor at = ch->s.bm.at;

	*n_segs = 0;
	max = max < blk->max_len ? max : blk->max_len;
	for (unsigned n = 0; n < limit && len < max;) {
		struct io_seg *seg = &ch->segs[n];
		uint32_t past;

		/* What is wrong with the table will be found again with the buffer. */
		if (map(ch, &at, max - len, seg) != REGION_OK) {
			break;
		}
		if (!is_aligned((uintptr_t)seg->hva | seg->hpa.v | seg->len, blk->seg_align)) {
			break;
		}
		/* The last one must end with a block. */
		past = (len + seg->len) % block;
		if (++n == limit && past < seg->len) {
			seg->len -= past;
		}
		len += seg->len;
		advance(&at, seg->len);
		if (len % block == 0) {
			whole = len;
			*n_segs = n;
			ch->req_cursor = at;
		}
	}
	return whole;
}

void ide_dma_moved(struct ide_channel *ch)
{
	ch->s.bm.at = ch->req_cursor;
	settle(&ch->s.bm);
}

uint32_t ide_dma_copy(struct ide_channel *ch, uint8_t *buf, uint32_t len, bool to_guest)
{
	struct ide_bm_state *bm = &ch->s.bm;
	uint32_t done = 0;

	while (done < len) {
		struct io_seg seg;
		enum region r = map(ch, &bm->at, len - done, &seg);

		if (r != REGION_OK) {
			bm->status &= (uint8_t)~BMIS_ACT;
			bm->status |= r == REGION_BAD ? BMIS_ERR : 0;
			break;
		}
		if (to_guest) {
			memcpy(seg.hva, buf + done, seg.len);
		} else {
			memcpy(buf + done, seg.hva, seg.len);
		}
		advance(&bm->at, seg.len);
		done += seg.len;
	}
	settle(bm);
	return done;
}

/* --- registers --- */

static uint8_t reg_byte(const struct ide_bm_state *bm, unsigned offset)
{
	if (offset >= BMIDTP) {
		return (uint8_t)(bm->table >> (8 * (offset - BMIDTP)));
	}
	return offset == BMIC ? bm->command : offset == BMIS ? bm->status : 0;
}

uint32_t ide_bm_read_locked(const struct ide_channel *ch, unsigned offset, unsigned width)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < width; i++) {
		value |= (uint32_t)reg_byte(&ch->s.bm, offset + i) << (8 * i);
	}
	return value;
}

/* The direction does not change while the bus master is at work. Returns true for a start. */
static bool command_write(struct ide_channel *ch, uint8_t value)
{
	struct ide_bm_state *bm = &ch->s.bm;
	bool start = (value & BMIC_START) && !(bm->command & BMIC_START);

	if (!(bm->command & value & BMIC_START)) {
		/* What a request that is under way moves belongs to no table any more. */
		ch->req_direct = false;
		bm->status &= (uint8_t)~BMIS_ACT;
	}
	if (bm->status & BMIS_ACT) {
		value = (uint8_t)((value & ~BMIC_RWCON) | (bm->command & BMIC_RWCON));
	}
	bm->command = value & (BMIC_START | BMIC_RWCON);
	if (start && !ch->s.bm_enabled) {
		bm->status |= BMIS_ERR;
		return false;
	}
	if (start) {
		bm->at = (struct ide_cursor){.next = bm->table};
		bm->status |= BMIS_ACT;
	}
	return start;
}

static bool byte_write(struct ide_channel *ch, unsigned offset, uint8_t value)
{
	struct ide_bm_state *bm = &ch->s.bm;

	if (offset >= BMIDTP) {
		unsigned shift = 8 * (offset - BMIDTP);

		bm->table = (bm->table & ~(0xffU << shift)) | (uint32_t)value << shift;
		bm->table &= BMIDTP_MASK;
	} else if (offset == BMIS) {
		bm->status &= (uint8_t) ~(value & (BMIS_ERR | BMIS_INT));
		bm->status = (uint8_t)((bm->status & ~BMIS_CAPABLE) | (value & BMIS_CAPABLE));
	}
	return offset == BMIC && command_write(ch, value);
}

bool ide_bm_write_locked(struct ide_channel *ch, unsigned offset, unsigned width, uint32_t value)
{
	bool started = false;

	for (unsigned i = 0; i < width; i++) {
		started |= byte_write(ch, offset + i, (uint8_t)(value >> (8 * i)));
	}
	return started;
}

void ide_bm_interrupt(struct ide_channel *ch)
{
	ch->s.bm.status |= BMIS_INT;
}
