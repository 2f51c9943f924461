// SPDX-License-Identifier: BSD-2-Clause
// A command's data: between the backend, the channel's buffer, and the guest by data port or DMA.
// Specs: [ATA6] "PIO data-in command protocol", "PIO data-out command protocol", "DMA command
// protocol", "PACKET command protocol"; [BMIDE] "Standard Programming Sequence".
//
// ide_pump_locked() is the only place that calls a backend. It drops the lock for that; whoever
// comes meanwhile finds 'pumping' set and leaves what it has changed to the one who pumps. So a
// backend that answers within the call makes a loop and not a recursion.
#include "devices/ide.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

static uint32_t at_most(uint32_t value, uint64_t max)
{
	return value < max ? value : (uint32_t)max;
}

/* --- the end of a command --- */

static void end(struct ide_channel *ch, uint8_t status, uint8_t error)
{
	struct ide_drive_state *d = ide_regs(ch);

	ch->s.cmd.phase = IDE_IDLE;
	d->status = status;
	d->error = error;
	ide_set_intrq_locked(ch, ch->s.cmd.drive, true);
}

void ide_complete_locked(struct ide_channel *ch)
{
	if (ide_is_packet(ch)) {
		ide_regs(ch)->reg[IDE_NSECT][0] = IDE_CD | IDE_IO;
	}
	end(ch, IDE_ST_GOOD, 0);
}

void ide_fail_locked(struct ide_channel *ch, uint8_t error)
{
	if (ide_is_packet(ch)) {
		ide_regs(ch)->reg[IDE_NSECT][0] = IDE_CD | IDE_IO;
	}
	end(ch, IDE_ST_GOOD | IDE_ST_ERR, error);
}

/* --- requests to the backend --- */

static void prepare(struct ide_channel *ch, enum blk_op op, uint32_t len, unsigned n_segs)
{
	struct ide_command *c = &ch->s.cmd;

	ch->req = (struct blk_req){
	        .op = op,
	        .offset = c->lba * ide_blk(ch)->block_size,
	        .len = len,
	        .segs = ch->segs,
	        .n_segs = n_segs,
	        .done = ide_req_done,
	        .arg = &ch->drives[c->drive],
	};
	ch->req_state = IDE_REQ_READY;
	ide_regs(ch)->status = IDE_ST_BSY;
}

/* The first len bytes of the buffer. */
static void prepare_buffer(struct ide_channel *ch, enum blk_op op, uint32_t len)
{
	ch->segs[0] = (struct io_seg){.hva = ch->s.buf, .hpa = ch->buf_hpa, .len = len};
	ch->req_direct = false;
	prepare(ch, op, len, 1);
}

static void fill_buffer(struct ide_channel *ch)
{
	ch->s.cmd.buf_pos = 0;
	ch->s.cmd.buf_len = 0;
	prepare_buffer(ch, BLK_READ, at_most(ch->s.cmd.left, ch->buf_limit));
}

/* Guest memory itself. false = not as the table is. */
static bool prepare_direct(struct ide_channel *ch, enum blk_op op)
{
	unsigned n_segs;
	uint32_t len = ide_dma_gather(ch, at_most(ch->s.cmd.left, IDE_BURST), &n_segs);

	if (len == 0) {
		return false;
	}
	ch->req_direct = true;
	prepare(ch, op, len, n_segs);
	return true;
}

/* All has been written; without a write cache it must not only be so for now. */
static bool end_write(struct ide_channel *ch)
{
	if (ide_regs(ch)->write_cache) {
		ide_complete_locked(ch);
		return false;
	}
	ide_flush_locked(ch);
	return true;
}

/* --- what each phase does next: true = a request is prepared, false = it is the guest's turn ---
 */

static bool pio_in(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;

	if (c->buf_pos < c->buf_len) {
		if (c->drq_end <= c->buf_pos) {
			ide_open_port_locked(ch, at_most(c->drq, c->buf_len - c->buf_pos), true);
		}
		return false;
	}
	if (c->left) {
		fill_buffer(ch);
		return true;
	}
	if (ide_is_packet(ch)) {
		ide_complete_locked(ch);
	} else {
		/* The last block's interrupt was the command's. */
		c->phase = IDE_IDLE;
		ide_regs(ch)->status = IDE_ST_GOOD;
	}
	return false;
}

static bool pio_out(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;

	if (c->left == 0) {
		return end_write(ch);
	}
	if (c->buf_pos == 0) {
		/* The guest looks for the first block without an interrupt. */
		if (c->drq_end == 0) {
			ide_open_port_locked(ch, at_most(c->drq, c->left), c->buf_len != 0);
		}
		return false;
	}
	if (c->buf_pos < c->drq_end) {
		return false;
	}
	prepare_buffer(ch, BLK_WRITE, c->buf_pos);
	return true;
}

/* The drive has data, or wants some, and the bus master does not come. */
static bool dma_waits(struct ide_channel *ch)
{
	struct ide_drive_state *d = ide_regs(ch);

	d->status = IDE_ST_GOOD | IDE_ST_DRQ;
	if (ide_is_packet(ch)) {
		d->reg[IDE_NSECT][0] = IDE_IO;
	}
	return false;
}

static bool dma_in(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;

	while (c->buf_pos < c->buf_len) {
		if (!ide_dma_active(ch)) {
			return dma_waits(ch);
		}
		c->buf_pos +=
		        ide_dma_copy(ch, ch->s.buf + c->buf_pos, c->buf_len - c->buf_pos, true);
	}
	if (c->left == 0) {
		ide_complete_locked(ch);
		return false;
	}
	if (!ide_dma_active(ch)) {
		return dma_waits(ch);
	}
	if (!prepare_direct(ch, BLK_READ)) {
		fill_buffer(ch);
	}
	return true;
}

static bool dma_out(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;

	if (c->left == 0) {
		return end_write(ch);
	}
	if (c->buf_pos == 0) {
		if (!ide_dma_active(ch)) {
			return dma_waits(ch);
		}
		if (prepare_direct(ch, BLK_WRITE)) {
			return true;
		}
		c->buf_len = at_most(c->left, ch->buf_limit);
	}
	while (c->buf_pos < c->buf_len) {
		if (!ide_dma_active(ch)) {
			return dma_waits(ch);
		}
		c->buf_pos +=
		        ide_dma_copy(ch, ch->s.buf + c->buf_pos, c->buf_len - c->buf_pos, false);
	}
	prepare_buffer(ch, BLK_WRITE, c->buf_len);
	return true;
}

static bool step(struct ide_channel *ch)
{
	switch ((enum ide_phase)ch->s.cmd.phase) {
	case IDE_IDLE:
	case IDE_PACKET:
	case IDE_NO_DATA:
		return false;
	case IDE_RESET:
		if (!(ch->s.control & IDE_CTL_SRST)) {
			ide_end_reset_locked(ch, ch->s.cmd.resetting);
		}
		return false;
	case IDE_PIO_IN:
		return pio_in(ch);
	case IDE_PIO_OUT:
		return pio_out(ch);
	case IDE_DMA_IN:
		return dma_in(ch);
	case IDE_DMA_OUT:
		return dma_out(ch);
	}
	return false;
}

/* The backend has answered. */
static void take_answer(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;
	uint32_t len = (uint32_t)ch->req.len;

	ch->req_state = IDE_REQ_NONE;
	if (c->phase == IDE_RESET) {
		return; /* nobody wants it any more */
	}
	if (ch->req_status != BLK_OK) {
		if (ide_is_packet(ch)) {
			ide_atapi_error_locked(ch, (enum blk_status)ch->req_status);
		} else {
			ide_ata_error_locked(ch, (enum blk_status)ch->req_status);
		}
		return;
	}
	if (c->phase == IDE_NO_DATA) {
		ide_complete_locked(ch);
		return;
	}
	c->left -= len;
	c->lba += len / ide_blk(ch)->block_size;
	ch->moved += len;
	if (ch->req_direct) {
		ide_dma_moved(ch);
	}
	if (ch->req.segs[0].hva == ch->s.buf) {
		c->buf_len = len;
		c->buf_pos = 0;
		c->drq_end = 0;
	}
}

static void submit(struct ide_channel *ch)
{
	struct blk *blk = ((struct ide_drive *)ch->req.arg)->blk;
	int err;

	ch->req_state = IDE_REQ_FLYING;
	ch->room = false;
	spin_unlock(&ch->lock);
	err = blk->ops->submit(blk, &ch->req);
	spin_lock(&ch->lock);
	if (err == -EAGAIN) {
		ch->req_state =
		        ch->room || ch->s.cmd.phase == IDE_RESET ? IDE_REQ_READY : IDE_REQ_FULL;
	} else if (err) {
		ch->req_state = IDE_REQ_DONE;
		ch->req_status = BLK_IO_ERROR;
	}
}

/* false = nothing more can be done now. */
static bool pump_once(struct ide_channel *ch)
{
	switch ((enum ide_req_state)ch->req_state) {
	case IDE_REQ_NONE:
		if (ch->moved >= IDE_BURST) {
			vm_timer_arm(&ch->timer, vm_clock_now(ch->vm) + IDE_PAUSE_NS);
			return false;
		}
		return step(ch);
	case IDE_REQ_READY:
		if (ch->quiet || ch->s.cmd.phase == IDE_RESET) {
			ch->req_state = IDE_REQ_NONE;
			return !ch->quiet;
		}
		submit(ch);
		return true;
	case IDE_REQ_FULL:
	case IDE_REQ_FLYING:
		return false;
	case IDE_REQ_DONE:
		take_answer(ch);
		return true;
	}
	return false;
}

void ide_pump_locked(struct ide_channel *ch)
{
	if (ch->pumping) {
		return;
	}
	ch->pumping = true;
	while (pump_once(ch)) {
	}
	ch->pumping = false;
}

void ide_req_done(struct blk_req *req, enum blk_status status)
{
	struct ide_channel *ch = ((struct ide_drive *)req->arg)->owner;

	spin_lock(&ch->lock);
	BUG_ON(ch->req_state != IDE_REQ_FLYING);
	ch->req_state = IDE_REQ_DONE;
	ch->req_status = (uint8_t)status;
	ide_pump_locked(ch);
	spin_unlock(&ch->lock);
}

void ide_blk_ready(void *arg)
{
	struct ide_channel *ch = ((struct ide_drive *)arg)->owner;

	spin_lock(&ch->lock);
	ch->room = true;
	if (ch->req_state == IDE_REQ_FULL) {
		ch->req_state = IDE_REQ_READY;
		ide_pump_locked(ch);
	}
	spin_unlock(&ch->lock);
}

void ide_go_on(void *arg)
{
	struct ide_channel *ch = arg;

	spin_lock(&ch->lock);
	ch->moved = 0;
	ide_pump_locked(ch);
	spin_unlock(&ch->lock);
}

/* --- the beginning of a command's data --- */

static void begin(struct ide_channel *ch, enum ide_phase phase, uint32_t drq)
{
	struct ide_command *c = &ch->s.cmd;

	c->phase = (uint8_t)phase;
	c->left = 0;
	c->drq = drq;
	c->buf_pos = 0;
	c->buf_len = 0;
	c->drq_end = 0;
	ch->moved = 0;
}

void ide_want_packet_locked(struct ide_channel *ch)
{
	begin(ch, IDE_PACKET, IDE_PACKET_LEN);
	ide_open_port_locked(ch, IDE_PACKET_LEN, false);
}

void ide_reply_locked(struct ide_channel *ch, uint32_t len, uint32_t drq, bool dma)
{
	begin(ch, dma ? IDE_DMA_IN : IDE_PIO_IN, drq);
	ch->s.cmd.buf_len = len;
}

void ide_transfer_locked(
        struct ide_channel *ch, enum ide_phase phase, uint64_t lba, uint32_t len, uint32_t drq)
{
	uint32_t block = ide_blk(ch)->block_size;

	begin(ch, phase, drq);
	ch->s.cmd.lba = lba;
	ch->s.cmd.left = len;
	ch->buf_limit = at_most(IDE_BUF_LEN, ide_blk(ch)->max_len) / block * block;
}

void ide_flush_locked(struct ide_channel *ch)
{
	begin(ch, IDE_NO_DATA, 0);
	ch->s.cmd.lba = 0;
	prepare(ch, BLK_FLUSH, 0, 0);
}
