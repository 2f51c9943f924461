/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register programs: a chip's test as a table of port accesses, waits and what the interrupt line
 * does, the way a data sheet tells it. And the opposite: random programs.
 */
#ifndef TESTS_CHIPS_H
#define TESTS_CHIPS_H

#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/io_bus.h"
#include "vmm/irq.h"
#include <string.h>

enum step_op {
	STEP_END,
	STEP_OUT,   /* write a byte */
	STEP_IN,    /* read a byte and compare */
	STEP_BITS,  /* read a byte and compare the bits of mask */
	STEP_LINE,  /* level of the line under test */
	STEP_RISES, /* rises of it since the last STEP_RISES */
	STEP_WAIT,  /* move the clock on, ns */
	STEP_CALL,  /* call a function and compare its result */
};

struct step {
	enum step_op op;
	unsigned port;
	uint64_t value;
	unsigned mask;
	uint64_t (*fn)(unsigned arg);
};

#define OUT(p, v) \
	{ \
		.op = STEP_OUT, .port = (p), .value = (v) \
	}
#define IN(p, v) \
	{ \
		.op = STEP_IN, .port = (p), .value = (v) \
	}
#define BITS(p, m, v) \
	{ \
		.op = STEP_BITS, .port = (p), .value = (v), .mask = (m) \
	}
#define LINE(v) \
	{ \
		.op = STEP_LINE, .value = (v) \
	}
#define RISES(n) \
	{ \
		.op = STEP_RISES, .value = (n) \
	}
#define WAIT(ns) \
	{ \
		.op = STEP_WAIT, .value = (ns) \
	}
#define CALL(f, arg, result) \
	{ \
		.op = STEP_CALL, .fn = (f), .port = (arg), .value = (result) \
	}

#define MAX_STEPS 64

struct program {
	const char *name;
	struct step steps[MAX_STEPS];
};

/* An interrupt controller that only writes down what the lines do. */
struct line_record {
	bool level;
	unsigned rises, taken;
};

static struct line_record chip_lines[IRQ_LINES];

static void chip_set_line(void *chip, unsigned pin, bool level)
{
	(void)chip;
	chip_lines[pin].rises += level;
	chip_lines[pin].level = level;
}

static const struct irq_chip_ops chip_recorder = {.name = "recorder", .set_line = chip_set_line};

static inline void chip_record_lines(struct vm *vm)
{
	memset(chip_lines, 0, sizeof(chip_lines));
	irq_router_set_ioapic(&vm->irq, &chip_recorder, NULL);
}

static inline uint8_t chip_in(struct vm *vm, unsigned port)
{
	return (uint8_t)io_bus_read(&vm->pio, port, 1);
}

static inline void chip_out(struct vm *vm, unsigned port, unsigned value)
{
	io_bus_write(&vm->pio, port, 1, value);
}

static inline void program_run(struct vm *vm, const struct program *p, unsigned gsi)
{
	for (unsigned i = 0; i < MAX_STEPS && p->steps[i].op != STEP_END; i++) {
		const struct step *s = &p->steps[i];
		uint64_t got = s->value;

		switch (s->op) {
		case STEP_OUT:
			chip_out(vm, s->port, (unsigned)s->value);
			break;
		case STEP_IN:
			got = chip_in(vm, s->port);
			break;
		case STEP_BITS:
			got = chip_in(vm, s->port) & s->mask;
			break;
		case STEP_LINE:
			got = chip_lines[gsi].level;
			break;
		case STEP_RISES:
			got = chip_lines[gsi].rises - chip_lines[gsi].taken;
			chip_lines[gsi].taken = chip_lines[gsi].rises;
			break;
		case STEP_WAIT:
			fake_clock_advance(s->value);
			break;
		case STEP_CALL:
			got = s->fn(s->port);
			break;
		case STEP_END:
			break;
		}
		ck_assert_msg(got == s->value, "%s, step %u: got %#llx, expected %#llx", p->name, i,
		        (unsigned long long)got, (unsigned long long)s->value);
	}
}

static inline uint32_t chip_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* Accesses of every width and order to ports, with the clock moving on by up to step_ns. */
static inline void chip_fuzz(struct io_bus *bus, const uint64_t *ports, unsigned n_ports,
        unsigned n_ops, uint64_t seed, uint64_t step_ns, void (*between)(uint32_t random))
{
	static const uint32_t liked[] = {0, 1, 0x10, 0x20, 0x34, 0x80, 0xff, 0xc0, 0xb6, 0x7f};
	uint64_t state = seed;

	for (unsigned i = 0; i < n_ops; i++) {
		uint64_t port = ports[chip_random(&state) % n_ports];
		unsigned width = 1U << (chip_random(&state) % 8 ? 0 : chip_random(&state) % 3);
		uint32_t value = chip_random(&state) % 3
		                         ? chip_random(&state)
		                         : liked[chip_random(&state) % ARRAY_SIZE(liked)];

		if (chip_random(&state) % 3) {
			io_bus_write(bus, port, width, value);
		} else {
			(void)io_bus_read(bus, port, width);
		}
		if (chip_random(&state) % 4 == 0) {
			fake_clock_advance(chip_random(&state) % step_ns);
		}
		if (between) {
			between(chip_random(&state));
		}
	}
}

#endif
