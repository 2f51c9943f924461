// SPDX-License-Identifier: BSD-2-Clause
// Port I/O exits: register forms, strings, batches, faults.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/mmio_emul.h"
#include <string.h>

#define TABLES 0x10000ULL
#define DATA 0x30000ULL
#define PORT 0x1f0U

static struct vm *vm;
static struct vcpu *cpu;
static struct io_range range;
static uint64_t next_read, written[1024];
static unsigned n_reads, n_writes, last_width;

static uint64_t port_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)offset;
	n_reads++;
	last_width = width;
	return next_read++;
}

static void port_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	(void)offset;
	last_width = width;
	if (n_writes < ARRAY_SIZE(written)) {
		written[n_writes++] = value;
	}
}

static const struct io_ops ops = {"test", port_read, port_write};

static void setup(void)
{
	vm = fake_vm(0x200000, 1);
	ck_assert_ptr_nonnull(vm);
	cpu = vm->vcpus[0];
	fake_long_mode(cpu, TABLES);
	n_reads = n_writes = last_width = 0;
	next_read = 0;
	range = (struct io_range){
	        .base = PORT, .len = 4, .ops = &ops, .kind = IO_FIXED, .enabled = true};
	ck_assert_int_eq(io_bus_add(&vm->pio, &range), 0);
}

static uint64_t get_ram(uint64_t at, size_t len)
{
	uint64_t v = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &v, len), 0);
	return v;
}

static struct vcpu_exit exit_of(bool in, unsigned width)
{
	struct vcpu_exit exit = {.kind = EXIT_IO};

	exit.io.port = PORT;
	exit.io.width = (uint8_t)width;
	exit.io.in = in;
	return exit;
}

static struct vcpu_exit string_exit(bool in, unsigned width, bool rep, unsigned addr_width)
{
	struct vcpu_exit exit = exit_of(in, width);

	exit.io.string = true;
	exit.io.rep = rep;
	exit.io.addr_width = (uint8_t)addr_width;
	exit.io.seg = SEG_DS;
	return exit;
}

static const struct {
	unsigned width;
	uint64_t in, want; /* RAX was all ones */
} ins[] = {
        {1, 0x1122334455667788ULL, 0xffffffffffffff88ULL},
        {2, 0x1122334455667788ULL, 0xffffffffffff7788ULL},
        {4, 0x1122334455667788ULL, 0x0000000055667788ULL},
};

START_TEST(in)
{
	struct vcpu_exit exit = exit_of(true, ins[_i].width);

	setup();
	next_read = ins[_i].in;
	cpu->gpr[REG_RAX] = ~0ULL;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], ins[_i].want);
	ck_assert_uint_eq(last_width, ins[_i].width);
	/* nobody: all ones, of the width */
	cpu->gpr[REG_RAX] = 0;
	exit.io.port = 0x80;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], (1ULL << (8 * ins[_i].width)) - 1);
}
END_TEST

START_TEST(out)
{
	static const uint64_t want[] = {0x88, 0x7788, 0x55667788};
	struct vcpu_exit exit = exit_of(false, ins[_i].width);

	setup();
	cpu->gpr[REG_RAX] = 0x1122334455667788ULL;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(n_writes, 1);
	ck_assert_uint_eq(written[0], want[_i]);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x1122334455667788ULL);
}
END_TEST

START_TEST(rep_ins_in_batches)
{
	struct vcpu_exit exit = string_exit(true, 2, true, 8);

	setup();
	cpu->gpr[REG_RDI] = DATA;
	cpu->gpr[REG_RCX] = 600;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 600 - 256);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], DATA + 512);
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_RESUME);
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
	ck_assert_uint_eq(n_reads, 600);
	for (unsigned i = 0; i < 600; i++) {
		ck_assert_uint_eq(get_ram(DATA + 2 * i, 2), i);
	}
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP); /* a count of 0 */
	ck_assert_uint_eq(n_reads, 600);
}
END_TEST

/* Runs of whole pages, and the operand between two of them. */
START_TEST(strings_over_pages)
{
	struct vcpu_exit exit = string_exit(_i == 0, 4, true, 8);
	uint64_t at = DATA + 0xffe - 40 * 4;

	setup();
	cpu->gpr[REG_RDI] = cpu->gpr[REG_RSI] = at;
	cpu->gpr[REG_RCX] = 100;
	for (uint32_t i = 0; i < 100 && _i == 1; i++) {
		ck_assert_int_eq(gmem_write(&vm->mem, gpa(at + 4 * i), &i, 4), 0);
	}
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
	ck_assert_uint_eq(cpu->gpr[_i == 0 ? REG_RDI : REG_RSI], at + 400);
	ck_assert_uint_eq(last_width, 4);
	ck_assert_uint_eq(_i == 0 ? n_reads : n_writes, 100);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(_i == 0 ? get_ram(at + 4 * i, 4) : written[i], i);
	}
}
END_TEST

/* Device memory from one page on: each access is the device's. */
START_TEST(strings_into_a_device)
{
	static struct io_range mmio;
	struct vcpu_exit exit = string_exit(true, 2, true, 8);
	uint64_t entry = 0x10000083;

	setup();
	mmio = (struct io_range){
	        .base = 0x10000000, .len = 0x1000, .ops = &ops, .kind = IO_FIXED, .enabled = true};
	ck_assert_int_eq(io_bus_add(&vm->mmio, &mmio), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(TABLES + 0x2008), &entry, 8), 0);
	cpu->gpr[REG_RDI] = 0x200000 - 4;
	cpu->gpr[REG_RCX] = 10;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(get_ram(0x200000 - 4, 4), 0x10000);
	ck_assert_uint_eq(n_writes, 8);
	ck_assert_uint_eq(written[0], 2);
	ck_assert_uint_eq(written[7], 9);
	ck_assert_uint_eq(last_width, 2);
}
END_TEST

/* With TF set each iteration is a step of its own, which the back end's skip reports. */
START_TEST(rep_single_step)
{
	struct vcpu_exit exit = string_exit(false, 1, true, 8);
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_RFLAGS] |= RFLAGS_TF;
	cpu->gpr[REG_RSI] = DATA;
	cpu->gpr[REG_RCX] = 2;
	f->intr_shadow = true;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 1);
	ck_assert_uint_eq(n_writes, 1);
	ck_assert_uint_eq(f->skipped_len, 0);
	ck_assert(!f->intr_shadow);
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
	ck_assert_uint_eq(n_writes, 2);
}
END_TEST

START_TEST(watched_ports)
{
	struct vcpu_exit exit = string_exit(false, 1, true, 8);
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_CR4] |= CR4_DE;
	f->regs[REG_DR7] = 0x20002;
	fake_dr[0] = PORT;
	cpu->io_breakpoints = true;
	cpu->gpr[REG_RSI] = DATA;
	cpu->gpr[REG_RCX] = 2;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_RESUME); /* a trap an iteration */
	ck_assert_uint_eq(f->pending_debug, 1);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 1);
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	f->pending_debug = 0;
	exit = exit_of(true, 1);
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->pending_debug, 1);
	f->pending_debug = 0;
	exit.io.port++;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->pending_debug, 0);
}
END_TEST

START_TEST(exactly_one_batch)
{
	struct vcpu_exit exit = string_exit(true, 1, true, 8);

	setup();
	cpu->gpr[REG_RDI] = DATA;
	cpu->gpr[REG_RCX] = 256;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(n_reads, 256);
}
END_TEST

START_TEST(outs_backwards_with_a_segment)
{
	struct vcpu_exit exit = string_exit(false, 4, true, 4);
	uint32_t v[3] = {1, 2, 3};

	setup();
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(DATA), v, sizeof(v)), 0);
	exit.io.seg = SEG_FS;
	fake_vcpu(cpu)->segs[SEG_FS].base = DATA - 0x100;
	fake_vcpu(cpu)->regs[REG_RFLAGS] |= RFLAGS_DF;
	cpu->gpr[REG_RSI] = 0xabcd00000108ULL;
	cpu->gpr[REG_RCX] = 0xabcd00000003ULL;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(n_writes, 3);
	ck_assert_uint_eq(written[0], 3);
	ck_assert_uint_eq(written[2], 1);
	ck_assert_uint_eq(cpu->gpr[REG_RSI], 0xfc);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
}
END_TEST

START_TEST(sixteen_bit_addresses_wrap)
{
	struct vcpu_exit exit = string_exit(true, 1, true, 2);
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_CR0] = CR0_ET;
	f->regs[REG_EFER] = 0;
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i] = (struct segment){.base = DATA, .limit = 0xffff, .attr = 0x93};
	}
	cpu->gpr[REG_RDI] = 0x1234ffffULL;
	cpu->gpr[REG_RCX] = 0x12340002ULL;
	next_read = 0x41;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(get_ram(DATA + 0xffff, 1), 0x41);
	ck_assert_uint_eq(get_ram(DATA, 1), 0x42);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], 0x12340001);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0x12340000);
	/* A word at 0xffff goes beyond the limit: nothing is read from the port. */
	exit.io.width = 2;
	cpu->gpr[REG_RDI] = 0xffff;
	cpu->gpr[REG_RCX] = 1;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_GP);
	ck_assert(!cpu->pending.has_error);
	ck_assert_uint_eq(n_reads, 2);
}
END_TEST

START_TEST(operand_over_two_pages)
{
	struct vcpu_exit exit = string_exit(true, 4, false, 8);

	setup();
	next_read = 0x44332211;
	cpu->gpr[REG_RDI] = DATA + 0xfff;
	cpu->gpr[REG_RCX] = 77;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(get_ram(DATA + 0xfff, 4), 0x44332211);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 77);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], DATA + 0x1003);
}
END_TEST

/* The fault comes before the port is read, and what is done stays done. */
START_TEST(fault_in_the_middle)
{
	struct vcpu_exit exit = string_exit(true, 2, true, 8);
	uint64_t none = 0;

	setup();
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(TABLES + 0x2008), &none, 8), 0);
	cpu->gpr[REG_RDI] = 0x200000 - 4;
	cpu->gpr[REG_RCX] = 10;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 2);
	ck_assert_uint_eq(n_reads, 2);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 8);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], 0x200000);
}
END_TEST

START_TEST(read_only_and_user_pages)
{
	struct vcpu_exit exit = string_exit(true, 1, false, 8);
	uint64_t entry = 0x85;

	setup();
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(TABLES + 0x2000), &entry, 8), 0);
	cpu->gpr[REG_RDI] = DATA;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.error, 3);
	cpu->pending.type = EVENT_NONE;
	exit = string_exit(false, 1, false, 8);
	cpu->gpr[REG_RSI] = DATA;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	fake_vcpu(cpu)->regs[REG_CR4] |= CR4_SMAP;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.error, 1);
}
END_TEST

/* Device memory as the buffer. */
START_TEST(buffer_is_a_device)
{
	static struct io_range mmio;
	struct vcpu_exit exit = string_exit(true, 4, false, 8);

	setup();
	mmio = (struct io_range){
	        .base = 0x10000000, .len = 0x1000, .ops = &ops, .kind = IO_FIXED, .enabled = true};
	ck_assert_int_eq(io_bus_add(&vm->mmio, &mmio), 0);
	next_read = 0x1234;
	cpu->gpr[REG_RDI] = 0x10000010;
	ck_assert_int_eq(pio_handle_exit(cpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(n_writes, 1);
	ck_assert_uint_eq(written[0], 0x1234);
}
END_TEST

UNIT_MAIN("pio_emul", tcase_add_loop_test(tc, in, 0, ARRAY_SIZE(ins));
          tcase_add_loop_test(tc, out, 0, ARRAY_SIZE(ins)); tcase_add_test(tc, rep_ins_in_batches);
          tcase_add_loop_test(tc, strings_over_pages, 0, 2);
          tcase_add_test(tc, strings_into_a_device); tcase_add_test(tc, rep_single_step);
          tcase_add_test(tc, watched_ports); tcase_add_test(tc, exactly_one_batch);
          tcase_add_test(tc, outs_backwards_with_a_segment);
          tcase_add_test(tc, sixteen_bit_addresses_wrap);
          tcase_add_test(tc, operand_over_two_pages); tcase_add_test(tc, fault_in_the_middle);
          tcase_add_test(tc, read_only_and_user_pages); tcase_add_test(tc, buffer_is_a_device);)
