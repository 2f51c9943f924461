// SPDX-License-Identifier: BSD-2-Clause
// An IDE channel's ports: the registers of two drives, their interrupt, and resets.
// Specs: [ATA6] "I/O register descriptions", "Device Control register", "Software reset protocol",
// "DEVICE RESET command protocol", "Single device configurations".
#include "devices/ide.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define CMD_DEVICE_RESET 0x08U
#define CMD_EXECUTE_DIAGNOSTIC 0x90U

#define DIAGNOSTIC_PASSED 0x01U
/* Nobody drives the bus, and D7 is pulled down. */
#define NO_DRIVES 0x7fU
#define BOTH 3U

/* --- interrupt --- */

static void update_line_locked(struct ide_channel *ch)
{
	bool level = ch->s.drives[ch->s.selected].intrq && !(ch->s.control & IDE_CTL_NIEN);

	if (level && !ch->line) {
		ide_bm_interrupt(ch);
	}
	ch->line = level;
	irq_source_set(&ch->irq, level);
}

void ide_set_intrq_locked(struct ide_channel *ch, unsigned drive, bool on)
{
	ch->s.drives[drive].intrq = on;
	update_line_locked(ch);
}

/* --- resets --- */

void ide_put_signature(struct ide_drive_state *d, enum ide_kind kind)
{
	memset(d->reg, 0, sizeof(d->reg));
	d->reg[IDE_NSECT][0] = 1;
	d->reg[IDE_LBAL][0] = 1;
	if (kind == IDE_CDROM) {
		d->reg[IDE_LBAM][0] = 0x14;
		d->reg[IDE_LBAH][0] = 0xeb;
	}
}

void ide_end_reset_locked(struct ide_channel *ch, unsigned mask)
{
	ch->s.cmd.phase = IDE_IDLE;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive_state *d = &ch->s.drives[i];
		enum ide_kind kind = ch->drives[i].kind;

		if (!(mask & BIT(i)) || kind == IDE_NONE) {
			continue;
		}
		ide_put_signature(d, kind);
		d->error = DIAGNOSTIC_PASSED;
		/* A packet drive is not ready before its first command. */
		d->status = kind == IDE_DISK ? IDE_ST_DRDY | IDE_ST_DSC : 0;
	}
	update_line_locked(ch);
}

static void select_drive_0(struct ide_channel *ch)
{
	ch->s.drives[0].device = 0;
	ch->s.drives[1].device = 0;
	ch->s.selected = 0;
}

/* Drops the lock for a while. What the backend has already ends first: the drives stay busy. */
static void begin_reset_locked(struct ide_channel *ch, unsigned mask)
{
	struct ide_drive *drive = ch->req.arg;

	ch->s.cmd.phase = IDE_RESET;
	ch->s.cmd.resetting = (uint8_t)mask;
	ch->moved = 0;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		if ((mask & BIT(i)) && ch->drives[i].kind != IDE_NONE) {
			ch->s.drives[i].status = IDE_ST_BSY;
			ch->s.drives[i].intrq = false;
		}
	}
	update_line_locked(ch);
	if (ch->req_state == IDE_REQ_FULL) {
		ch->req_state = IDE_REQ_NONE;
	} else if (ch->req_state == IDE_REQ_FLYING) {
		spin_unlock(&ch->lock);
		drive->blk->ops->cancel(drive->blk);
		spin_lock(&ch->lock);
	}
	ide_pump_locked(ch);
}

/* SRST. */
static void begin_reset_of_both_locked(struct ide_channel *ch)
{
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		if (ch->s.drives[i].reverts) {
			ide_ata_defaults(&ch->s.drives[i]);
		}
	}
	select_drive_0(ch);
	begin_reset_locked(ch, BOTH);
}

/* --- commands --- */

static void command_locked(struct ide_channel *ch, uint8_t command)
{
	struct ide_command *c = &ch->s.cmd;
	struct ide_drive_state *d = &ch->s.drives[ch->s.selected];

	bool cdrom = ch->drives[ch->s.selected].kind == IDE_CDROM;

	if (c->phase == IDE_RESET) {
		return;
	}
	if (cdrom && command == CMD_DEVICE_RESET) {
		begin_reset_locked(ch, BIT(ch->s.selected));
		return;
	}
	if (ch->req_state != IDE_REQ_NONE) {
		return;
	}
	if (c->phase != IDE_IDLE) {
		/* A command waits for the host, which has lost interest. */
		c->phase = IDE_IDLE;
		ide_regs(ch)->status = IDE_ST_DRDY | IDE_ST_DSC | IDE_ST_ERR;
		ide_regs(ch)->error = IDE_ERR_ABRT;
	}
	if (command == CMD_EXECUTE_DIAGNOSTIC && ch->drives[0].kind != IDE_NONE) {
		select_drive_0(ch);
		ide_end_reset_locked(ch, BOTH);
		ide_set_intrq_locked(ch, 0, true);
		return;
	}
	if (ch->drives[ch->s.selected].kind == IDE_NONE) {
		return;
	}
	c->drive = ch->s.selected;
	d->error = 0;
	ide_set_intrq_locked(ch, c->drive, false);
	if (cdrom) {
		ide_atapi_command_locked(ch, command);
	} else {
		ide_ata_command_locked(ch, command);
	}
	ide_pump_locked(ch);
}

/* --- command block --- */

static uint8_t reg_read_locked(struct ide_channel *ch, unsigned reg)
{
	const struct ide_drive_state *d = &ch->s.drives[ch->s.selected];
	unsigned hob = ch->s.control & IDE_CTL_HOB ? 1 : 0;

	if (ch->drives[0].kind == IDE_NONE && ch->drives[1].kind == IDE_NONE) {
		return NO_DRIVES;
	}
	if (ch->drives[ch->s.selected].kind == IDE_NONE) {
		return 0; /* the other drive answers for it */
	}
	switch (reg) {
	case IDE_FEATURES:
		return d->error;
	case IDE_DEVICE:
		return d->device | IDE_DEV_FIXED;
	case IDE_STATUS:
		return d->status;
	default:
		return d->reg[reg][hob];
	}
}

static uint64_t command_read(void *dev, uint64_t offset, unsigned width)
{
	struct ide_channel *ch = dev;
	uint64_t value = 0;

	spin_lock(&ch->lock);
	if (offset == IDE_DATA) {
		value = ide_data_read_locked(ch, width);
	} else {
		/* The board splits it into bytes. */
		for (unsigned i = 0; i < width; i++) {
			unsigned reg = (unsigned)offset + i;

			value |= (uint64_t)reg_read_locked(ch, reg) << (8 * i);
			if (reg == IDE_STATUS) {
				ide_set_intrq_locked(ch, ch->s.selected, false);
			}
		}
	}
	spin_unlock(&ch->lock);
	return value;
}

/* Both drives listen; the one that is busy does not. */
static void reg_write_locked(struct ide_channel *ch, unsigned reg, uint8_t value)
{
	bool busy = ch->s.drives[ch->s.selected].status & IDE_ST_BSY;

	ch->s.control &= (uint8_t)~IDE_CTL_HOB;
	if (reg == IDE_STATUS && (!busy || value == CMD_DEVICE_RESET)) {
		command_locked(ch, value);
		return;
	}
	if (busy || reg == IDE_STATUS) {
		return;
	}
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive_state *d = &ch->s.drives[i];

		if (reg == IDE_DEVICE) {
			d->device = value;
		} else {
			d->reg[reg][1] = d->reg[reg][0];
			d->reg[reg][0] = value;
		}
	}
	if (reg == IDE_DEVICE) {
		ch->s.selected = value & IDE_DEV_DEV ? 1 : 0;
		update_line_locked(ch);
	}
}

static void command_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct ide_channel *ch = dev;

	spin_lock(&ch->lock);
	if (offset == IDE_DATA) {
		ide_data_write_locked(ch, width, (uint32_t)value);
	} else {
		for (unsigned i = 0; i < width; i++) {
			reg_write_locked(ch, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
		}
	}
	spin_unlock(&ch->lock);
}

static const struct io_ops command_ops = {
        .name = "ide command block",
        .read = command_read,
        .write = command_write,
};

/* --- control block: alternate status, device control --- */

static uint64_t control_read(void *dev, uint64_t offset, unsigned width)
{
	struct ide_channel *ch = dev;
	uint64_t value;

	(void)offset;
	(void)width;
	spin_lock(&ch->lock);
	value = reg_read_locked(ch, IDE_STATUS);
	spin_unlock(&ch->lock);
	return value;
}

static void control_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct ide_channel *ch = dev;
	uint8_t old, now = (uint8_t)value & (IDE_CTL_HOB | IDE_CTL_SRST | IDE_CTL_NIEN);

	(void)offset;
	(void)width;
	spin_lock(&ch->lock);
	old = ch->s.control;
	ch->s.control = now;
	update_line_locked(ch);
	if (now & ~old & IDE_CTL_SRST) {
		begin_reset_of_both_locked(ch);
	} else if (old & ~now & IDE_CTL_SRST) {
		ide_pump_locked(ch);
	}
	spin_unlock(&ch->lock);
}

static const struct io_ops control_ops = {
        .name = "ide control block",
        .read = control_read,
        .write = control_write,
};

/* --- the channel's life --- */

void ide_channel_init(struct ide_channel *ch, const char *name)
{
	memset(ch, 0, sizeof(*ch));
	ch->name = name;
	ch->s.version = IDE_STATE_VERSION;
}

int ide_channel_add(struct ide_channel *ch, unsigned drive, struct blk *blk)
{
	struct ide_drive *d = &ch->drives[drive];

	if (d->kind != IDE_NONE) {
		return -EEXIST;
	}
	if (blk->block_size != (blk->removable ? IDE_CD_BLOCK : IDE_SECTOR) ||
	        blk->max_len < IDE_MAX_MULTIPLE * IDE_SECTOR || blk->max_segs == 0 ||
	        blk->seg_align == 0 || IDE_BUF_ALIGN % blk->seg_align != 0 ||
	        blk->size < blk->block_size) {
		return -EINVAL;
	}
	*d = (struct ide_drive){
	        .kind = blk->removable ? IDE_CDROM : IDE_DISK, .blk = blk, .owner = ch};
	blk->ready = ide_blk_ready;
	blk->ready_arg = d;
	return 0;
}

int ide_channel_attach(
        struct ide_channel *ch, struct vm *vm, uint16_t command, uint16_t control, unsigned gsi)
{
	int err = irq_source_init(&ch->irq, &vm->irq, gsi, NULL, NULL);

	if (err) {
		return err;
	}
	ch->vm = vm;
	vm_timer_init(&ch->timer, vm, ide_go_on, ch);
	ch->command = (struct io_range){.base = command,
	        .len = IDE_COMMAND_PORTS,
	        .ops = &command_ops,
	        .dev = ch,
	        .kind = IO_MOVABLE};
	ch->control = (struct io_range){
	        .base = control, .len = 1, .ops = &control_ops, .dev = ch, .kind = IO_MOVABLE};
	err = io_bus_add(&vm->pio, &ch->command);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &ch->control);
	if (err) {
		io_bus_remove(&vm->pio, &ch->command);
	}
	return err;
}

void ide_channel_detach(struct ide_channel *ch)
{
	io_bus_remove(&ch->vm->pio, &ch->control);
	io_bus_remove(&ch->vm->pio, &ch->command);
}

void ide_channel_decode(struct ide_channel *ch, bool ports, bool bm)
{
	if (ch->command.enabled != ports) {
		io_bus_move(&ch->vm->pio, &ch->command, ch->command.base, ports);
		io_bus_move(&ch->vm->pio, &ch->control, ch->control.base, ports);
	}
	spin_lock(&ch->lock);
	ch->s.bm_enabled = bm;
	spin_unlock(&ch->lock);
}

void ide_channel_reset(struct ide_channel *ch)
{
	bool bm_enabled;

	spin_lock(&ch->lock);
	bm_enabled = ch->s.bm_enabled;
	memset(&ch->s, 0, sizeof(ch->s));
	ch->s.version = IDE_STATE_VERSION;
	ch->s.bm_enabled = bm_enabled;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		ide_ata_power_on(&ch->s.drives[i]);
		ide_atapi_reset(&ch->s.drives[i]);
	}
	ch->quiet = false;
	ch->req_state = IDE_REQ_NONE;
	ch->moved = 0;
	ide_end_reset_locked(ch, BOTH);
	spin_unlock(&ch->lock);
}

void ide_channel_quiesce(struct ide_channel *ch)
{
	spin_lock(&ch->lock);
	ch->quiet = true;
	spin_unlock(&ch->lock);
	vm_timer_cancel(&ch->timer);
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct blk *blk = ch->drives[i].blk;

		if (!blk) {
			continue;
		}
		/* Its memory may be another life's next: nothing goes on before the last byte. */
		blk->ops->cancel(blk);
		while (!blk->ops->drain(blk)) {
		}
	}
}

/* --- dump --- */

static void dump_drive(const struct ide_channel *ch, unsigned i, struct out *out)
{
	static const char *const kinds[] = {
	        [IDE_NONE] = "none", [IDE_DISK] = "disk", [IDE_CDROM] = "CD-ROM"};
	const struct ide_drive_state *d = &ch->s.drives[i];
	const struct blk *blk = ch->drives[i].blk;

	if (!blk) {
		return;
	}
	out_print(out,
	        "  %s %u: %s of %llu KiB, status %02x error %02x, DMA mode %02x, multiple %u\n",
	        ch->name, i, kinds[ch->drives[i].kind], (unsigned long long)blk->size >> 10,
	        d->status, d->error, d->dma_mode, d->multiple);
	out_print(out,
	        "    read %llu times %llu KiB, written %llu times %llu KiB, %llu flushes, %llu "
	        "errors\n",
	        (unsigned long long)blk->stats.reads,
	        (unsigned long long)blk->stats.bytes_read >> 10,
	        (unsigned long long)blk->stats.writes,
	        (unsigned long long)blk->stats.bytes_written >> 10,
	        (unsigned long long)blk->stats.flushes, (unsigned long long)blk->stats.errors);
}

void ide_channel_dump(const struct ide_channel *ch, struct out *out)
{
	static const char *const phases[] = {[IDE_IDLE] = "idle",
	        [IDE_RESET] = "reset",
	        [IDE_NO_DATA] = "no data",
	        [IDE_PACKET] = "packet",
	        [IDE_PIO_IN] = "PIO in",
	        [IDE_PIO_OUT] = "PIO out",
	        [IDE_DMA_IN] = "DMA in",
	        [IDE_DMA_OUT] = "DMA out"};
	const struct ide_bm_state *bm = &ch->s.bm;

	if (!ch->drives[0].blk && !ch->drives[1].blk) {
		return;
	}
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		dump_drive(ch, i, out);
	}
	out_print(out,
	        "  %s: drive %u selected, %s, %u bytes left%s; BMIC %02x BMIS %02x BMIDTP %08x\n",
	        ch->name, ch->s.selected, phases[ch->s.cmd.phase % ARRAY_SIZE(phases)],
	        ch->s.cmd.left, ch->req_state == IDE_REQ_FLYING ? ", at the backend" : "",
	        bm->command, bm->status, bm->table);
}
