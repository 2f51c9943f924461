/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One counter of the 8254: what its count and output are at a tick, in six modes. Time is an
 * argument: ticks of its input clock, which never go back.
 *
 * Specs: [8254] "Mode Definitions", "Programming the 8254".
 */
#ifndef DEVICES_PIT_COUNTER_H
#define DEVICES_PIT_COUNTER_H

#include "vmm/lib/types.h"

#define PIT_NO_TICK (~0ULL)

enum pit_rw { PIT_RW_LATCH = 0, PIT_RW_LSB = 1, PIT_RW_MSB = 2, PIT_RW_BOTH = 3 };

enum pit_mode {
	PIT_TERMINAL_COUNT = 0,
	PIT_ONE_SHOT = 1,
	PIT_RATE = 2,
	PIT_SQUARE = 3,
	PIT_SOFT_STROBE = 4,
	PIT_HARD_STROBE = 5,
};

struct pit_counter {
	uint64_t start;    /* tick at which 'count' is loaded, while running */
	uint64_t held;     /* ticks done when it stopped, while not running */
	uint32_t count;    /* 1..65536 (BCD: up to 16665 from bad digits); 0 = none loaded */
	uint32_t next;     /* written, loaded at the next period or trigger; 0 = none */
	uint8_t mode;      /* enum pit_mode */
	uint8_t rw;        /* enum pit_rw, never 0 */
	bool bcd;          /* counts decimal digits */
	bool running;      /* counting */
	bool gate;         /* level at the input */
	bool write_msb;    /* PIT_RW_BOTH: the next byte written is the second */
	bool read_msb;     /* PIT_RW_BOTH: the next byte read is the second */
	uint8_t write_lsb; /* PIT_RW_BOTH: the first byte */
	uint8_t n_latched; /* bytes of 'latched' still to read */
	uint16_t latched;  /* as the guest reads it */
	bool status_latched;
	uint8_t status;
};

/* Power-on: mode 0, nothing loaded, output low. */
void pit_counter_reset(struct pit_counter *c, bool gate);
/* Control word, without its counter number: RW, mode, BCD. RW must not be 0. */
void pit_counter_control(struct pit_counter *c, uint8_t control);
/* true when a whole count has been written. */
bool pit_counter_write(struct pit_counter *c, uint8_t value, uint64_t now);
uint8_t pit_counter_read(struct pit_counter *c, uint64_t now);
void pit_counter_latch_count(struct pit_counter *c, uint64_t now);
void pit_counter_latch_status(struct pit_counter *c, uint64_t now);
void pit_counter_set_gate(struct pit_counter *c, bool gate, uint64_t now);

bool pit_counter_out(struct pit_counter *c, uint64_t now);
/* The first tick after now at which the output rises; PIT_NO_TICK = not by itself. */
uint64_t pit_counter_next_rise(struct pit_counter *c, uint64_t now);

#endif
