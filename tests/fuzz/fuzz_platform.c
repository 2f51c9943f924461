// SPDX-License-Identifier: BSD-2-Clause
/*
 * The whole machine driven by random programs of port, memory and configuration accesses, input,
 * interrupts and time.
 *
 * libFuzzer makes the programs from its input. Beside that
 *
 *   PLATFORM_SEEDS=1-100000 [PLATFORM_STEPS=5000] build/fuzz/fuzz_platform
 *
 * runs one random program for each seed, for as long as one likes; the seed that breaks something
 * is the last one printed, and breaks it again.
 */
#include "devices/platform.h"
#include "devices/platform_map.h"
#include "tests/fake/fake.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/hw/timer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MEM (4U << 20)
#define COMMAND 0x8000U /* where commands for fw_cfg lie */
#define MAX_STEPS 400U

enum op {
	OP_PORT,      /* of a device */
	OP_PORT_MORE, /* the same, so that most of a program is this */
	OP_PORT_AGAIN,
	OP_ANY_PORT,
	OP_MMIO,
	OP_PCI,
	OP_TIME,
	OP_LONG_TIME,
	OP_MEMORY,
	OP_PIC_ACK,
	OP_LAPIC,
	OP_INPUT,
	OP_SERIAL,
	OP_BUTTON,
	OP_DUMP,
	OP_RESET,
	OP_COUNT
};

/* Where a program comes from: bytes of the fuzzer, or a seed. */
struct source {
	const uint8_t *data; /* NULL = random */
	size_t left;
	uint64_t rng;
};

static struct platform p;
static struct testdev testdev;
static struct vm *vm;
static bool serial_full;

static uint64_t take(struct source *s, unsigned n)
{
	uint64_t v = 0;

	if (!s->data) {
		s->rng ^= s->rng << 13;
		s->rng ^= s->rng >> 7;
		s->rng ^= s->rng << 17;
		return n == 8 ? s->rng : s->rng & ((1ULL << (8 * n)) - 1);
	}
	n = n < s->left ? n : (unsigned)s->left;
	memcpy(&v, s->data, n);
	s->data += n;
	s->left -= n;
	return v;
}

/* Small numbers and single bits say more to a chip than random ones. */
static uint64_t value(struct source *s)
{
	unsigned kind = (unsigned)take(s, 1);

	if (kind < 0x60) {
		return take(s, 1);
	}
	if (kind < 0x80) {
		return 1ULL << kind % 64;
	}
	return kind < 0x90 ? ~0ULL : take(s, kind & 1 ? 8 : 2);
}

static void one_access(struct io_bus *bus, struct source *s, uint64_t at, unsigned max_shift)
{
	unsigned how = (unsigned)take(s, 1);
	unsigned width = 1U << (how >> 1) % (max_shift + 1);

	if (how & 1) {
		io_bus_write(bus, at, width, value(s));
	} else {
		uint64_t got = io_bus_read(bus, at, width);

		FUZZ_CHECK(width == 8 || got >> (8 * width) == 0);
	}
}

static void device_access(struct io_bus *bus, struct source *s, unsigned max_shift)
{
	const struct io_range *r = bus->ranges[take(s, 1) % bus->n_ranges];

	/* One byte before and behind, too. */
	one_access(bus, s, r->base + take(s, 2) % (r->len + 2) - 1, max_shift);
}

static void pci_access(struct source *s)
{
	static const uint8_t slots[] = {0, PLAT_SLOT_SOUTH, PLAT_SLOT_VGA, 31};
	unsigned slot = slots[take(s, 1) % ARRAY_SIZE(slots)];
	uint32_t where = (uint32_t)take(s, 2);

	io_bus_write(&vm->pio, PLAT_PCI_CONFIG, 4,
	        0x80000000U | slot << 11 | (where & 0x700) | (where & 0xfc));
	one_access(&vm->pio, s, PLAT_PCI_CONFIG + 4 + (where >> 12 & 3), 2);
}

/* The processor's side of interrupts, as vmm/event.c does it. */
static void lapic_step(struct source *s)
{
	struct vcpu *vcpu = vm->vcpus[take(s, 1) % vm->n_vcpus];
	struct lapic *apic = &vcpu->lapic;
	unsigned what = (unsigned)take(s, 1);
	int vector;

	lapic_fold(apic);
	if (what & 1) {
		lapic_write(apic, (uint32_t)take(s, 1) << 4, (uint32_t)value(s));
	} else {
		(void)lapic_read(apic, (uint32_t)take(s, 1) << 4);
	}
	vector = lapic_pending(apic);
	FUZZ_CHECK(vector >= -1 && vector < 256);
	if (vector >= 0) {
		lapic_ack(apic, (uint8_t)vector);
	}
	if (what & 2) {
		lapic_write(apic, 0xb0, 0); /* EOI */
	}
}

static void input_step(struct source *s)
{
	uint64_t v = take(s, 4);

	if (v & 1) {
		i8042_key(&p.kbc, (uint8_t)(v >> 8), v & 2, v & 4);
	} else {
		i8042_mouse_move(
		        &p.kbc, (int8_t)(v >> 8), (int8_t)(v >> 16), (int8_t)(v >> 24), v >> 1 & 7);
	}
}

static bool serial_put(struct chr *chr, uint8_t byte)
{
	(void)chr;
	(void)byte;
	return !serial_full;
}

static void serial_room(struct chr *chr)
{
	(void)chr;
}

static const struct chr_ops serial_ops = {.name = "fuzz", .put = serial_put};
static struct chr serial;

static void serial_step(struct source *s)
{
	unsigned v = (unsigned)take(s, 2);

	if (v & 1) {
		serial_full = v & 2;
		if (!serial_full) {
			serial.tx_space(serial.frontend);
		}
	} else {
		(void)serial.rx_byte(serial.frontend, (uint8_t)(v >> 8));
	}
}

static void nowhere_write(struct out *out, const char *text, size_t n)
{
	(void)out;
	FUZZ_CHECK(n > 0 && n <= OUT_LINE_MAX && text[n - 1] == '\n');
}

static struct out nowhere = {.write = nowhere_write};

static void reset(void)
{
	vm->platform_ops->quiesce(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		lapic_reset(&vm->vcpus[i]->lapic, true);
	}
	/* Nothing in flight. */
	FUZZ_CHECK(timer_next_deadline(0) == TIMER_NEVER);
	vm->platform_ops->reset(vm);
	irq_router_reset(&vm->irq);
	for (unsigned port = PLAT_PM_BASE; port < PLAT_PM_BASE + 0x40; port++) {
		FUZZ_CHECK(io_bus_claims(&vm->pio, port, 1));
	}
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		FUZZ_CHECK(vm->irq.lines[gsi].levels == 0);
	}
}

static void one_step(struct source *s)
{
	uint8_t bytes[16];

	switch ((enum op)(take(s, 1) % OP_COUNT)) {
	case OP_PORT:
	case OP_PORT_MORE:
	case OP_PORT_AGAIN:
		device_access(&vm->pio, s, 2);
		break;
	case OP_ANY_PORT:
		one_access(&vm->pio, s, take(s, 2), 2);
		break;
	case OP_MMIO:
		device_access(&vm->mmio, s, 3);
		break;
	case OP_PCI:
		pci_access(s);
		break;
	case OP_TIME:
		fake_clock_advance(take(s, 2));
		break;
	case OP_LONG_TIME:
		/* Not too long: a PIT can tick each microsecond. */
		fake_clock_advance(take(s, 1) * 4000);
		break;
	case OP_MEMORY:
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			bytes[i] = (uint8_t)take(s, 1);
		}
		FUZZ_CHECK(gmem_write(&vm->mem, gpa(COMMAND), bytes, sizeof(bytes)) == 0);
		io_bus_write(&vm->pio, PLAT_FW_CFG + 8, 4, __builtin_bswap32(COMMAND));
		break;
	case OP_PIC_ACK:
		(void)vm->irq.pic_ops->ack(vm->irq.pic);
		break;
	case OP_LAPIC:
		lapic_step(s);
		break;
	case OP_INPUT:
		input_step(s);
		break;
	case OP_SERIAL:
		serial_step(s);
		break;
	case OP_BUTTON:
		vm->platform_ops->power_button(vm);
		vm->platform_ops->time_passed(vm, take(s, 8));
		break;
	case OP_DUMP:
		FUZZ_CHECK(vm->platform_ops->dump(vm, NULL, &nowhere));
		break;
	case OP_RESET:
		/* Rare: most of a program's effect is what came before. */
		if (take(s, 1) < 32) {
			reset();
		}
		break;
	case OP_COUNT:
		break;
	}
}

static void run(struct source *s, unsigned steps)
{
	fake_clock_set(0);
	fake_vm_requests = 0;
	fake_log_clear();
	serial_full = false;
	serial = (struct chr){.ops = &serial_ops, .rx_space = serial_room};
	vm = fake_vm(MEM, 2);
	FUZZ_CHECK(vm != NULL);
	platform_init(&p);
	if (take(s, 1) & 1) {
		platform_add_testdev(&p, &testdev);
	}
	FUZZ_CHECK(platform_attach(&p, vm, &serial, 1767323045) == 0);
	vm->platform_ops->reset(vm);
	for (unsigned i = 0; i < steps && (!s->data || s->left); i++) {
		one_step(s);
	}
	reset();
	/* As new: what answers first. */
	FUZZ_CHECK(io_bus_read(&vm->pio, PLAT_I8042_CMD, 1) == 0x14);
	FUZZ_CHECK(io_bus_read(&vm->pio, PLAT_PM_BASE + 4, 2) == 0);
	FUZZ_CHECK(io_bus_read(&vm->pio, PLAT_COM1 + 5, 1) == 0x60);
	FUZZ_CHECK(io_bus_read(&vm->pio, PLAT_IDE1 + 7, 1) == 0x7f);
	FUZZ_CHECK(io_bus_read(&vm->pio, PLAT_FW_CFG + 1, 1) == 'Q');
	vm->platform_ops->quiesce(vm);
	FUZZ_CHECK(timer_next_deadline(0) == TIMER_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {.data = data, .left = len};

	run(&s, MAX_STEPS);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *seeds = getenv("PLATFORM_SEEDS"), *steps = getenv("PLATFORM_STEPS");
	char *end;

	(void)argc;
	(void)argv;
	if (!seeds) {
		return 0;
	}
	uint64_t first = strtoull(seeds, &end, 0);
	uint64_t last = *end == '-' ? strtoull(end + 1, NULL, 0) : first;

	for (uint64_t seed = first; seed <= last; seed++) {
		struct source s = {.rng = seed * 0x9e3779b97f4a7c15ULL | 1};

		fprintf(stderr, "\rseed %llu", (unsigned long long)seed);
		run(&s, steps ? (unsigned)strtoul(steps, NULL, 0) : 5000);
	}
	fprintf(stderr, "\nseeds %llu-%llu: none failed\n", (unsigned long long)first,
	        (unsigned long long)last);
	exit(EXIT_SUCCESS);
}
