// SPDX-License-Identifier: BSD-2-Clause
// The test kernels' devices: debug exit, register, page flush, interrupt lines, device memory.
#include "devices/testdev.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <string.h>

#define REG 0xe0U
#define FLUSH 0xe4U
#define REG_BYTES 0xe8U
#define EXIT 0xf4U
#define LINES 0x2000U
#define MEM 0xff000000ULL
#define RAM (4U << 20)

static const struct testdev_map map = {
        .mem = MEM,
        .reg = REG,
        .flush = FLUSH,
        .reg_bytes = REG_BYTES,
        .lines = LINES,
        .exit = EXIT,
};

static struct vm *vm;
static struct testdev t;

static void setup(void)
{
	fake_vm_requests = 0;
	fake_vm_debug_exit = 0xdead;
	fake_nested_flushes = 0;
	vm = fake_vm(RAM, 1);
	testdev_init(&t);
	ck_assert_int_eq(testdev_attach(&t, vm, &map), 0);
	fake_log_clear();
}

static uint64_t in(unsigned port, unsigned width)
{
	return io_bus_read(&vm->pio, port, width);
}

static void out(unsigned port, unsigned width, uint64_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

START_TEST(register_at_every_width)
{
	unsigned base = _i ? REG_BYTES : REG, other = _i ? REG : REG_BYTES;
	uint8_t model[4] = {0};

	ck_assert_uint_eq(in(base, 4), 0);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned width = 1U << i % 3, offset = (i / 3) % (5 - width);
		uint64_t value = i * 0x9e3779b97f4a7c15ULL; /* more bits than are written */
		uint32_t want;

		out(base + offset, width, value);
		memcpy(model + offset, &value, width);
		memcpy(&want, model, 4);
		ck_assert_uint_eq(in(base, 4), want);
		/* It is one register. */
		ck_assert_uint_eq(in(other, 4), want);
		for (unsigned b = 0; b < 4; b++) {
			ck_assert_uint_eq(in(base + b, 1), model[b]);
		}
		ck_assert_uint_eq(in(base + 1, 2), model[1] | model[2] << 8);
	}
}
END_TEST

START_TEST(registers_do_not_run_together)
{
	out(REG, 4, 0x12345678);
	/* Accesses that end in the next device belong to nobody. */
	out(REG + 3, 2, 0);
	out(REG + 2, 4, 0);
	ck_assert_uint_eq(in(REG, 4), 0x12345678);
	ck_assert_uint_eq(in(REG + 3, 2), 0xffff);
	ck_assert_uint_eq(in(REG_BYTES + 1, 4), 0xffffffff);
	ck_assert_uint_eq(in(FLUSH, 4), 0xffffffff);
	ck_assert_uint_eq(in(REG_BYTES + 4, 1), 0xff);
}
END_TEST

START_TEST(flush)
{
	out(FLUSH, 4, 0x1000);
	ck_assert_uint_eq(fake_nested_flushes, 1);
	out(FLUSH, 4, RAM - 1);
	ck_assert_uint_eq(fake_nested_flushes, 2);
	/* No RAM, or not the register. */
	out(FLUSH, 4, RAM);
	out(FLUSH, 4, 0xa0000);
	out(FLUSH, 4, MEM);
	out(FLUSH + 1, 1, 0);
	out(FLUSH + 2, 2, 0);
	ck_assert_uint_eq(fake_nested_flushes, 2);
}
END_TEST

START_TEST(every_line)
{
	unsigned gsi = (unsigned)_i;

	out(LINES + gsi, 1, 1);
	for (unsigned i = 0; i < IRQ_LINES; i++) {
		ck_assert_msg((vm->irq.lines[i].levels != 0) == (i == gsi), "line %u", i);
		ck_assert_uint_eq(in(LINES + i, 1), i == gsi);
	}
	out(LINES + gsi, 1, 0x80);
	ck_assert_uint_ne(vm->irq.lines[gsi].levels, 0);
	out(LINES + gsi, 1, 0);
	ck_assert_uint_eq(vm->irq.lines[gsi].levels, 0);
	ck_assert_uint_eq(in(LINES + gsi, 1), 0);
}
END_TEST

START_TEST(lines_of_wide_accesses_and_others)
{
	struct irq_source other;

	out(LINES + 4, 4, 0x01000200);
	ck_assert_uint_eq(in(LINES + 4, 4), 0x01000100);
	ck_assert_uint_eq(vm->irq.lines[4].levels | vm->irq.lines[6].levels, 0);
	ck_assert_uint_ne(vm->irq.lines[5].levels, 0);
	ck_assert_uint_ne(vm->irq.lines[7].levels, 0);
	out(LINES + 22, 2, 0x0101);
	ck_assert_uint_eq(in(LINES + 22, 2), 0x0101);
	/* Beyond the last line. */
	out(LINES + 22, 4, 0);
	out(LINES + 24, 1, 1);
	ck_assert_uint_eq(in(LINES + 22, 2), 0x0101);
	/* Another device keeps the line up. */
	ck_assert_int_eq(irq_source_init(&other, &vm->irq, 5, NULL, NULL), 0);
	irq_source_set(&other, true);
	out(LINES + 5, 1, 0);
	ck_assert_uint_ne(vm->irq.lines[5].levels, 0);
	ck_assert_uint_eq(in(LINES + 5, 1), 0);
}
END_TEST

static const struct {
	uint8_t offset, width;
	uint64_t value;
	uint32_t want;
} exits[] = {
        {0, 4, 0xfffffffe, 0xfffffffe},
        {0, 4, 0, 0},
        {0, 2, 0x12345678, 0x5678},
        {0, 1, 0x1ff, 0xff},
        {1, 1, 7, 7},
        {2, 2, 0xabcd, 0xabcd},
        {3, 1, 0, 0},
};

START_TEST(debug_exit)
{
	vm->vcpus[0]->stats.exit_count[EXIT_IO] = 0x111222300;
	vm->vcpus[0]->stats.exit_count[EXIT_NONE] = 0x44;
	ck_assert_uint_eq(in(EXIT, 1), 0x44);
	ck_assert_uint_eq(in(EXIT + 1, 2), 0x2223);
	ck_assert_uint_eq(in(EXIT, 4), 0x11222344);
	ck_assert_uint_eq(fake_vm_requests, 0);
	out(EXIT + exits[_i].offset, exits[_i].width, exits[_i].value);
	ck_assert_uint_eq(fake_vm_debug_exit, exits[_i].want);
	ck_assert_uint_ne(fake_vm_requests, 0);
}
END_TEST

START_TEST(debug_exit_refused)
{
	out(EXIT + 1, 4, 1);
	out(EXIT + 3, 2, 1);
	out(EXIT + 4, 1, 1);
	out(EXIT - 1, 4, 1);
	ck_assert_uint_eq(fake_vm_requests, 0);
}
END_TEST

START_TEST(device_memory)
{
	static uint8_t model[TESTDEV_MEM];
	unsigned seed = 1;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned width = 1U << (unsigned)rand_r(&seed) % 4;
		uint64_t at = (unsigned)rand_r(&seed) % (i & 1 ? 64 : TESTDEV_MEM - 7);
		uint64_t value = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 11;
		uint64_t want = 0;

		if (i & 2) {
			io_bus_write(&vm->mmio, MEM + at, width, value);
			memcpy(model + at, &value, width);
		}
		memcpy(&want, model + at, width);
		ck_assert_uint_eq(io_bus_read(&vm->mmio, MEM + at, width), want);
	}
	/* Both ends, and across them. */
	io_bus_write(&vm->mmio, MEM, 8, 0x1111111111111111ULL);
	io_bus_write(&vm->mmio, MEM + TESTDEV_MEM - 8, 8, 0x2222222222222222ULL);
	io_bus_write(&vm->mmio, MEM + TESTDEV_MEM - 4, 8, 0);
	io_bus_write(&vm->mmio, MEM - 4, 8, 0);
	ck_assert_uint_eq(io_bus_read(&vm->mmio, MEM, 4), 0x11111111);
	ck_assert_uint_eq(io_bus_read(&vm->mmio, MEM + TESTDEV_MEM - 1, 1), 0x22);
	ck_assert_uint_eq(io_bus_read(&vm->mmio, MEM + TESTDEV_MEM - 1, 2), 0xffff);
	ck_assert(!io_bus_claims(&vm->mmio, MEM - 1, 1));
	ck_assert(!io_bus_claims(&vm->mmio, MEM + TESTDEV_MEM, 1));
}
END_TEST

START_TEST(reset)
{
	out(REG, 4, ~0ULL);
	out(LINES + 9, 1, 1);
	io_bus_write(&vm->mmio, MEM + 0x1234, 1, 1);
	irq_router_reset(&vm->irq);
	testdev_reset(&t);
	ck_assert_uint_eq(in(REG, 4), 0);
	ck_assert_uint_eq(in(LINES + 9, 1), 0);
	ck_assert_uint_eq(io_bus_read(&vm->mmio, MEM + 0x1234, 1), 0);
	testdev_dump(&t, &out_log);
	ck_assert_uint_eq(fake_log_count("register 00000000, lines 000000"), 1);
}
END_TEST

START_TEST(attach_undoes)
{
	static const uint64_t taken[] = {REG, FLUSH + 3, 0xe9, LINES + 23, EXIT + 3};
	static const struct io_ops nothing = {.name = "squatter"};
	static struct io_range squatter;
	struct irq_source s;

	for (unsigned i = 0; i <= ARRAY_SIZE(taken); i++) {
		bool mmio = i == ARRAY_SIZE(taken);
		struct io_bus *bus;

		vm = fake_vm(RAM, 1);
		bus = mmio ? &vm->mmio : &vm->pio;
		squatter = (struct io_range){
		        .base = mmio ? MEM + 0xffff : taken[i], .len = 1, .ops = &nothing};
		ck_assert_int_eq(io_bus_add(bus, &squatter), 0);
		testdev_init(&t);
		ck_assert_int_eq(testdev_attach(&t, vm, &map), -EEXIST);
		ck_assert_uint_eq(vm->pio.n_ranges, !mmio);
		ck_assert_uint_eq(vm->mmio.n_ranges, mmio);
	}
	vm = fake_vm(RAM, 1);
	for (unsigned i = 0; i < IRQ_MAX_SOURCES; i++) {
		ck_assert_int_eq(irq_source_init(&s, &vm->irq, 23, NULL, NULL), 0);
	}
	testdev_init(&t);
	ck_assert_int_eq(testdev_attach(&t, vm, &map), -ENOSPC);
	ck_assert_uint_eq(vm->pio.n_ranges + vm->mmio.n_ranges, 0);
}
END_TEST

UNIT_MAIN("testdev", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, register_at_every_width, 0, 2);
          tcase_add_test(tc, registers_do_not_run_together); tcase_add_test(tc, flush);
          tcase_add_loop_test(tc, every_line, 0, IRQ_LINES);
          tcase_add_test(tc, lines_of_wide_accesses_and_others);
          tcase_add_loop_test(tc, debug_exit, 0, ARRAY_SIZE(exits));
          tcase_add_test(tc, debug_exit_refused); tcase_add_test(tc, device_memory);
          tcase_add_test(tc, reset); tcase_add_test(tc, attach_undoes);)
