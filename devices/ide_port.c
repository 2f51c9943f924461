// SPDX-License-Identifier: BSD-2-Clause
// The data port: blocks of the buffer, which a guest moves word by word.
// Specs: [ATA6] "Data register", "PIO data-in command protocol", "PACKET command protocol".
#include "devices/ide.h"
#include "vmm/lib/string.h"

void ide_open_port_locked(struct ide_channel *ch, uint32_t len, bool intrq)
{
	struct ide_command *c = &ch->s.cmd;
	struct ide_drive_state *d = ide_regs(ch);

	c->drq_end = c->buf_pos + len;
	d->status = IDE_ST_GOOD | IDE_ST_DRQ;
	if (ide_is_packet(ch)) {
		d->reg[IDE_NSECT][0] = c->phase == IDE_PIO_IN ? IDE_IO : IDE_CD;
		if (c->phase == IDE_PIO_IN) {
			d->reg[IDE_LBAM][0] = (uint8_t)len;
			d->reg[IDE_LBAH][0] = (uint8_t)(len >> 8);
		}
	}
	if (intrq) {
		ide_set_intrq_locked(ch, c->drive, true);
	}
}

static bool port_is_open(const struct ide_channel *ch)
{
	const struct ide_command *c = &ch->s.cmd;

	return c->buf_pos < c->drq_end && ch->req_state == IDE_REQ_NONE;
}

/* The guest has moved the last word of a block. */
static void port_done(struct ide_channel *ch)
{
	struct ide_command *c = &ch->s.cmd;

	ide_regs(ch)->status = IDE_ST_BSY;
	ch->moved = 0;
	if (c->phase == IDE_PACKET) {
		ide_atapi_packet_locked(ch);
	}
	ide_pump_locked(ch);
}

/* The bytes of an access that there are. */
static uint32_t port_room(const struct ide_channel *ch, unsigned width)
{
	uint32_t room = port_is_open(ch) ? ch->s.cmd.drq_end - ch->s.cmd.buf_pos : 0;

	return width < room ? width : room;
}

/* Words are what a guest moves, one exit or one iteration each: no call for them. */
static void copy_few(void *to, const void *from, uint32_t n)
{
	if (n == 2) {
		__builtin_memcpy(to, from, 2);
	} else if (n == 4) {
		__builtin_memcpy(to, from, 4);
	} else {
		memcpy(to, from, n);
	}
}

uint32_t ide_data_read_locked(struct ide_channel *ch, unsigned width)
{
	struct ide_command *c = &ch->s.cmd;
	uint32_t value = ~0U, n;

	if (c->phase != IDE_PIO_IN) {
		return value;
	}
	n = port_room(ch, width);
	copy_few(&value, ch->s.buf + c->buf_pos, n);
	c->buf_pos += n;
	if (n && c->buf_pos == c->drq_end) {
		port_done(ch);
	}
	return value;
}

void ide_data_write_locked(struct ide_channel *ch, unsigned width, uint32_t value)
{
	struct ide_command *c = &ch->s.cmd;
	uint32_t n;

	if (c->phase != IDE_PIO_OUT && c->phase != IDE_PACKET) {
		return;
	}
	n = port_room(ch, width);
	copy_few(ch->s.buf + c->buf_pos, &value, n);
	c->buf_pos += n;
	if (n && c->buf_pos == c->drq_end) {
		port_done(ch);
	}
}
