// SPDX-License-Identifier: BSD-2-Clause
// The 8254 on the PC: ports, port 0x61 and the timer interrupt of counter 0.
// Specs: [8254] "Control Word Format", "Read-Back Command"; [PIIX4] "NMI Status and Control
// Register".
#include "devices/pit8254.h"
#include "devices/port8.h"
#include "vmm/lib/string.h"

#define STATE_VERSION 1U
#define NS_PER_S 1000000000ULL
#define IRQ_COUNTER 0U
#define SPEAKER_COUNTER 2U
#define PORT_CONTROL 3U

/* "Read-Back Command": 0 = latch */
#define READBACK_COUNT BIT(5)
#define READBACK_STATUS BIT(4)
#define READBACK_COUNTER(n) BIT((n) + 1)

/* "NMI Status and Control Register" */
#define P61_GATE2 BIT(0)
#define P61_WRITABLE 0x0fU /* gate, speaker, two NMI enables */
#define P61_REFRESH BIT(4)
#define P61_OUT2 BIT(5)
#define REFRESH_NS 15085U /* counter 1 on a PC: 18 ticks */

/*
 * A guest may ask for an interrupt every microsecond; it gets what a PC could serve. Rises that
 * come sooner after the last one are left out.
 */
#define MIN_PERIOD_NS 50000U

uint64_t pit_ticks(uint64_t ns)
{
	return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

uint64_t pit_tick_ns(uint64_t tick)
{
	return tick / PIT_HZ * NS_PER_S + (tick % PIT_HZ * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

static uint64_t now_tick(const struct pit8254 *pit)
{
	return pit_ticks(vm_clock_now(pit->vm));
}

static struct pit_counter *irq_counter(struct pit8254 *pit)
{
	return &pit->s.counters[IRQ_COUNTER];
}

static void arm_locked(struct pit8254 *pit, uint64_t edge)
{
	pit->edge_tick = edge;
	if (edge == PIT_NO_TICK) {
		vm_timer_cancel(&pit->timer);
	} else {
		vm_timer_arm(&pit->timer, pit_tick_ns(edge));
	}
}

/* The periods that ended while nobody ran are one interrupt: ticks are not made up for. */
static void timer_due(void *arg)
{
	struct pit8254 *pit = arg;
	struct pit_counter *c = irq_counter(pit);
	uint64_t now_ns, now, edge, soonest;

	spin_lock(&pit->lock);
	now_ns = vm_clock_now(pit->vm);
	now = pit_ticks(now_ns);
	if (pit->edge_tick == PIT_NO_TICK || now < pit->edge_tick) {
		arm_locked(pit, pit->edge_tick);
		spin_unlock(&pit->lock);
		return;
	}
	edge = pit_counter_next_rise(c, now);
	soonest = pit_ticks(now_ns + MIN_PERIOD_NS);
	if (edge < soonest && c->next == 0 && (c->mode == PIT_RATE || c->mode == PIT_SQUARE)) {
		edge += (soonest - edge + c->count - 1) / c->count * c->count;
	}
	arm_locked(pit, edge);
	irq_source_set(&pit->irq, false);
	irq_source_set(&pit->irq, true);
	spin_unlock(&pit->lock);
}

static void write_control_locked(struct pit8254 *pit, uint8_t value, uint64_t now)
{
	unsigned which = value >> 6;

	if (which == 3) {
		for (unsigned i = 0; i < PIT_COUNTERS; i++) {
			if (!(value & READBACK_COUNTER(i))) {
				continue;
			}
			if (!(value & READBACK_COUNT)) {
				pit_counter_latch_count(&pit->s.counters[i], now);
			}
			if (!(value & READBACK_STATUS)) {
				pit_counter_latch_status(&pit->s.counters[i], now);
			}
		}
		return;
	}
	if ((value >> 4 & 3) == PIT_RW_LATCH) {
		pit_counter_latch_count(&pit->s.counters[which], now);
		return;
	}
	pit_counter_control(&pit->s.counters[which], value);
	if (which == IRQ_COUNTER) {
		arm_locked(pit, PIT_NO_TICK);
		/* OUT goes high at once in every mode but 0. */
		irq_source_set(&pit->irq, pit_counter_out(irq_counter(pit), now));
	}
}

static void write_counter_locked(struct pit8254 *pit, unsigned which, uint8_t value, uint64_t now)
{
	struct pit_counter *c = &pit->s.counters[which];
	bool whole = pit_counter_write(c, value, now);

	if (which != IRQ_COUNTER) {
		return;
	}
	if (c->mode == PIT_TERMINAL_COUNT) {
		irq_source_set(&pit->irq, false);
	} else if (!whole || pit->edge_tick <= now) {
		return; /* the rise that is due, or comes first, stays */
	}
	arm_locked(pit, pit_counter_next_rise(c, now));
}

static uint8_t pit_read8(void *dev, unsigned reg)
{
	struct pit8254 *pit = dev;
	uint8_t value = 0xff;

	spin_lock(&pit->lock);
	if (reg < PIT_COUNTERS) {
		value = pit_counter_read(&pit->s.counters[reg], now_tick(pit));
	}
	spin_unlock(&pit->lock);
	return value;
}

static void pit_write8(void *dev, unsigned reg, uint8_t value)
{
	struct pit8254 *pit = dev;

	spin_lock(&pit->lock);
	if (reg < PIT_COUNTERS) {
		write_counter_locked(pit, reg, value, now_tick(pit));
	} else if (reg == PORT_CONTROL) {
		write_control_locked(pit, value, now_tick(pit));
	}
	spin_unlock(&pit->lock);
}

static uint8_t port61_read8(void *dev, unsigned reg)
{
	struct pit8254 *pit = dev;
	uint64_t now_ns;
	uint8_t value;

	(void)reg;
	spin_lock(&pit->lock);
	now_ns = vm_clock_now(pit->vm);
	value = pit->s.port61;
	if (now_ns / REFRESH_NS & 1) {
		value |= (uint8_t)P61_REFRESH;
	}
	if (pit_counter_out(&pit->s.counters[SPEAKER_COUNTER], pit_ticks(now_ns))) {
		value |= (uint8_t)P61_OUT2;
	}
	spin_unlock(&pit->lock);
	return value;
}

static void port61_write8(void *dev, unsigned reg, uint8_t value)
{
	struct pit8254 *pit = dev;

	(void)reg;
	spin_lock(&pit->lock);
	pit->s.port61 = value & P61_WRITABLE;
	pit_counter_set_gate(&pit->s.counters[SPEAKER_COUNTER], value & P61_GATE2, now_tick(pit));
	spin_unlock(&pit->lock);
}

static uint64_t pit_read(void *dev, uint64_t offset, unsigned width)
{
	return port8_read(pit_read8, dev, offset, width);
}

static void pit_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	port8_write(pit_write8, dev, offset, width, value);
}

static uint64_t port61_read(void *dev, uint64_t offset, unsigned width)
{
	return port8_read(port61_read8, dev, offset, width);
}

static void port61_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	port8_write(port61_write8, dev, offset, width, value);
}

static const struct io_ops pit_ops = {
        .name = "8254",
        .read = pit_read,
        .write = pit_write,
};

static const struct io_ops port61_ops = {
        .name = "port 0x61",
        .read = port61_read,
        .write = port61_write,
};

static void power_on(struct pit8254 *pit)
{
	memset(&pit->s, 0, sizeof(pit->s));
	pit->s.version = STATE_VERSION;
	for (unsigned i = 0; i < PIT_COUNTERS; i++) {
		pit_counter_reset(&pit->s.counters[i], i != SPEAKER_COUNTER);
	}
}

void pit8254_init(struct pit8254 *pit)
{
	memset(pit, 0, sizeof(*pit));
	pit->edge_tick = PIT_NO_TICK;
	power_on(pit);
}

int pit8254_attach(struct pit8254 *pit, struct vm *vm, uint16_t port, uint16_t port61, unsigned gsi)
{
	int err;

	pit->vm = vm;
	vm_timer_init(&pit->timer, vm, timer_due, pit);
	pit->ports[0] = (struct io_range){
	        .base = port, .len = 4, .ops = &pit_ops, .dev = pit, .kind = IO_FIXED};
	pit->ports[1] = (struct io_range){
	        .base = port61, .len = 1, .ops = &port61_ops, .dev = pit, .kind = IO_FIXED};
	err = io_bus_add(&vm->pio, &pit->ports[0]);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &pit->ports[1]);
	if (err) {
		goto undo_port;
	}
	err = irq_source_init(&pit->irq, &vm->irq, gsi, NULL, NULL);
	if (err) {
		goto undo_port61;
	}
	return 0;

undo_port61:
	io_bus_remove(&vm->pio, &pit->ports[1]);
undo_port:
	io_bus_remove(&vm->pio, &pit->ports[0]);
	return err;
}

void pit8254_reset(struct pit8254 *pit)
{
	spin_lock(&pit->lock);
	arm_locked(pit, PIT_NO_TICK);
	power_on(pit);
	irq_source_set(&pit->irq, false);
	spin_unlock(&pit->lock);
}

void pit8254_quiesce(struct pit8254 *pit)
{
	spin_lock(&pit->lock);
	arm_locked(pit, PIT_NO_TICK);
	spin_unlock(&pit->lock);
}

void pit8254_dump(const struct pit8254 *pit, struct out *out)
{
	uint64_t now = now_tick(pit);

	out_print(out, "counter 0: mode %u, count %u%s; port 61 %02x\n", pit->s.counters[0].mode,
	        pit->s.counters[0].count, pit->s.counters[0].running ? "" : ", stopped",
	        pit->s.port61);
	for (unsigned i = 0; i < PIT_COUNTERS; i++) {
		struct pit_counter c = pit->s.counters[i]; /* looking moves it on: a copy */
		bool level = pit_counter_out(&c, now);

		out_print(out,
		        "  counter %u: mode %u rw %u%s count %u next %u gate %u out %u%s%s\n", i,
		        c.mode, c.rw, c.bcd ? " BCD" : "", c.count, c.next, c.gate, level,
		        c.n_latched ? " latched" : "", c.running ? "" : " stopped");
	}
}
