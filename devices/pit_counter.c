// SPDX-License-Identifier: BSD-2-Clause
// One counter of the 8254, computed instead of counted.
// Specs: [8254] "Mode Definitions", "Read Operations", "Write Operations", "Gate Pin Operations".
#include "devices/pit_counter.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

/* "Status Byte" */
#define STATUS_OUT BIT(7)
#define STATUS_NULL BIT(6)

#define BINARY_RANGE 65536U
#define BCD_RANGE 10000U

static uint32_t range(const struct pit_counter *c)
{
	return c->bcd ? BCD_RANGE : BINARY_RANGE;
}

static bool periodic(const struct pit_counter *c)
{
	return c->mode == PIT_RATE || c->mode == PIT_SQUARE;
}

static bool triggered(const struct pit_counter *c)
{
	return c->mode == PIT_ONE_SHOT || c->mode == PIT_HARD_STROBE;
}

/* Bad digits have their weight, too: no worse than what the chip makes of them. */
static uint32_t from_wire(const struct pit_counter *c, uint16_t wire)
{
	uint32_t n = wire;

	if (c->bcd) {
		n = (wire >> 12) * 1000U + (wire >> 8 & 15U) * 100U + (wire >> 4 & 15U) * 10U +
		    (wire & 15U);
	}
	if (n == 0) {
		n = range(c);
	}
	/* "A count of 1 is illegal in mode 2"; mode 3 has no use for it either. */
	return periodic(c) && n == 1 ? 2 : n;
}

static uint16_t to_wire(const struct pit_counter *c, uint32_t n)
{
	n %= range(c);
	if (!c->bcd) {
		return (uint16_t)n;
	}
	return (uint16_t)((n / 1000) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static uint64_t elapsed(const struct pit_counter *c, uint64_t now)
{
	if (!c->running) {
		return c->held;
	}
	return now > c->start ? now - c->start : 0;
}

/* Start counting; a count is loaded by the clock pulse after the one of the write or trigger. */
static void load(struct pit_counter *c, uint32_t count, uint64_t now)
{
	c->count = count;
	c->next = 0;
	c->held = 0;
	c->start = now + 1;
	c->running = true;
}

/*
 * Periodic modes: move 'start' to the period that contains now, and load a count that was
 * written meanwhile at the end of the period it was written in. (Mode 3 loads it at the end of
 * the half period; nobody has been seen to rely on that.)
 */
static void sync(struct pit_counter *c, uint64_t now)
{
	if (!periodic(c) || !c->running || elapsed(c, now) < c->count) {
		return;
	}
	if (c->next) {
		c->start += c->count;
		c->count = c->next;
		c->next = 0;
	}
	c->start += elapsed(c, now) / c->count * c->count;
}

void pit_counter_reset(struct pit_counter *c, bool gate)
{
	memset(c, 0, sizeof(*c));
	c->rw = PIT_RW_BOTH;
	c->gate = gate;
}

void pit_counter_control(struct pit_counter *c, uint8_t control)
{
	uint8_t mode = control >> 1 & 7;
	bool gate = c->gate;

	memset(c, 0, sizeof(*c));
	c->gate = gate;
	c->rw = control >> 4 & 3;
	c->mode = mode > PIT_HARD_STROBE ? mode & 3 : mode; /* bit 2 is "don't care" in 2 and 3 */
	c->bcd = control & 1;
}

static void write_count(struct pit_counter *c, uint16_t wire, uint64_t now)
{
	uint32_t n = from_wire(c, wire);

	if (triggered(c) || (periodic(c) && c->count)) {
		c->next = n;
		return;
	}
	load(c, n, now);
	c->running = c->gate;
}

bool pit_counter_write(struct pit_counter *c, uint8_t value, uint64_t now)
{
	sync(c, now);
	switch ((enum pit_rw)c->rw) {
	case PIT_RW_LATCH:
		break;
	case PIT_RW_LSB:
		write_count(c, value, now);
		return true;
	case PIT_RW_MSB:
		write_count(c, (uint16_t)(value << 8), now);
		return true;
	case PIT_RW_BOTH:
		if (c->write_msb) {
			c->write_msb = false;
			write_count(c, (uint16_t)(value << 8 | c->write_lsb), now);
			return true;
		}
		c->write_msb = true;
		c->write_lsb = value;
		/* Mode 0: "Writing the first byte disables counting. OUT is set low". */
		if (c->mode == PIT_TERMINAL_COUNT) {
			c->count = 0;
			c->held = 0;
			c->running = false;
		}
		break;
	}
	return false;
}

static uint16_t current_count(struct pit_counter *c, uint64_t now)
{
	uint64_t done;
	uint32_t pos, half;

	sync(c, now);
	if (c->count == 0) {
		return 0;
	}
	done = elapsed(c, now);
	switch ((enum pit_mode)c->mode) {
	case PIT_RATE:
		return to_wire(c, c->count - (uint32_t)(done % c->count));
	case PIT_SQUARE:
		/* By two; an odd count loads the even one below, and its high half is longer. */
		pos = (uint32_t)(done % c->count);
		half = (c->count + 1) / 2;
		return to_wire(c, (c->count & ~1U) - 2 * (pos < half ? pos : pos - half));
	case PIT_TERMINAL_COUNT:
	case PIT_ONE_SHOT:
	case PIT_SOFT_STROBE:
	case PIT_HARD_STROBE:
		break;
	}
	/* These go on from the highest count after 0; 2 * range because of bad BCD digits. */
	return to_wire(c, c->count + 2 * range(c) - (uint32_t)(done % range(c)));
}

bool pit_counter_out(struct pit_counter *c, uint64_t now)
{
	uint64_t done;

	sync(c, now);
	done = elapsed(c, now);
	switch ((enum pit_mode)c->mode) {
	case PIT_TERMINAL_COUNT:
		return c->count && done >= c->count;
	case PIT_ONE_SHOT:
		/* Low from the pulse that loads the count until it is used up. */
		return !c->running || now < c->start || done >= c->count;
	case PIT_RATE:
		return !c->running || done % c->count != c->count - 1;
	case PIT_SQUARE:
		return !c->running || done % c->count < (c->count + 1) / 2;
	case PIT_SOFT_STROBE:
	case PIT_HARD_STROBE:
		return c->count == 0 || done != c->count;
	}
	return false;
}

uint64_t pit_counter_next_rise(struct pit_counter *c, uint64_t now)
{
	uint64_t rise = PIT_NO_TICK;

	sync(c, now);
	if (!c->running) {
		return PIT_NO_TICK;
	}
	switch ((enum pit_mode)c->mode) {
	case PIT_TERMINAL_COUNT:
	case PIT_ONE_SHOT:
	case PIT_RATE:
	case PIT_SQUARE:
		rise = c->start + c->count;
		break;
	case PIT_SOFT_STROBE:
	case PIT_HARD_STROBE:
		rise = c->start + c->count + 1; /* the strobe is one tick low */
		break;
	}
	return rise > now ? rise : PIT_NO_TICK;
}

void pit_counter_latch_count(struct pit_counter *c, uint64_t now)
{
	if (c->n_latched) {
		return; /* "the Counter Latch Command is ignored" until the first is read */
	}
	c->latched = current_count(c, now);
	c->n_latched = c->rw == PIT_RW_BOTH ? 2 : 1;
}

void pit_counter_latch_status(struct pit_counter *c, uint64_t now)
{
	bool null;

	if (c->status_latched) {
		return;
	}
	sync(c, now);
	null = c->count == 0 || c->next || (c->running && now < c->start);
	c->status = (uint8_t)((pit_counter_out(c, now) ? STATUS_OUT : 0) |
	                      (null ? STATUS_NULL : 0) | c->rw << 4 | c->mode << 1 | c->bcd);
	c->status_latched = true;
}

uint8_t pit_counter_read(struct pit_counter *c, uint64_t now)
{
	uint16_t count;
	bool msb = c->rw == PIT_RW_MSB;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->n_latched) {
		c->n_latched--;
		if (c->rw == PIT_RW_BOTH) {
			msb = c->n_latched == 0;
		}
		count = c->latched;
	} else {
		if (c->rw == PIT_RW_BOTH) {
			msb = c->read_msb;
			c->read_msb = !c->read_msb;
		}
		count = current_count(c, now);
	}
	return (uint8_t)(msb ? count >> 8 : count);
}

void pit_counter_set_gate(struct pit_counter *c, bool gate, uint64_t now)
{
	bool rising = gate && !c->gate;
	bool falling = !gate && c->gate;

	sync(c, now);
	c->gate = gate;
	if (rising && (triggered(c) || periodic(c))) {
		/* A trigger: (re)load. */
		if (c->next || c->count) {
			load(c, c->next ? c->next : c->count, now);
		}
	} else if (rising && c->count) {
		c->start = now - c->held;
		c->running = true;
	} else if (falling && !triggered(c)) {
		c->held = elapsed(c, now);
		c->running = false;
	}
}
