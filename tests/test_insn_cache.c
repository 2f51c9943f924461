// SPDX-License-Identifier: BSD-2-Clause
// Instructions that were decoded before: used again only while all they came from is the same.
// Specs: [SDM3] "Handling Self- and Cross-Modifying Code".
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include "vmm/mmio_emul.h"
#include <string.h>

#define TABLES 0x10000ULL
#define CODE 0x20000ULL
#define OTHER 0x30000ULL
#define DEV 0x10000000ULL

static struct vm *vm;
static struct vcpu *cpu;
static struct io_range range;

static uint64_t dev_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)width;
	return 0x1111111111111111ULL * (offset >> 3);
}

static const struct io_ops dev_ops = {.name = "test", .read = dev_read};

/* mov eax, [rbx]; mov ecx, [rbx]; mov rax, [rbx] */
static const uint8_t mov_eax[16] = {0x8b, 0x03}, mov_ecx[16] = {0x8b, 0x0b},
                     mov_rax[16] = {0x48, 0x8b, 0x03};

static void put(uint64_t at, const void *p, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), p, len), 0);
}

static uint64_t get64(uint64_t at)
{
	uint64_t v;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &v, sizeof(v)), 0);
	return v;
}

static void put64(uint64_t at, uint64_t v)
{
	put(at, &v, sizeof(v));
}

static const struct insn *known(uint64_t rip)
{
	struct fetch_context at;

	fake_vcpu(cpu)->regs[REG_RIP] = rip;
	cpu_virt->get_fetch(cpu, &at);
	return insn_cache_hit(&cpu->insns, &vm->mem, &at);
}

/* Carry out what stands at rip: reads 4 or 8 bytes at DEV + 8. */
static void run(uint64_t rip)
{
	const struct vcpu_exit exit = {.kind = EXIT_MEM, .mem = {.gpa = {DEV + 8}, .read = true}};

	fake_vcpu(cpu)->regs[REG_RIP] = rip;
	cpu->gpr[REG_RAX] = cpu->gpr[REG_RCX] = ~0ULL;
	cpu->gpr[REG_RBX] = DEV + 8;
	ck_assert_int_eq(mmio_emulate(cpu, &exit), ACT_RESUME);
}

static void setup(void)
{
	vm = fake_vm(0x200000, 1);
	ck_assert_ptr_nonnull(vm);
	cpu = vm->vcpus[0];
	memset(&cpu->insns, 0, sizeof(cpu->insns));
	fake_long_mode(cpu, TABLES);
	range = (struct io_range){.base = DEV, .len = 0x1000, .ops = &dev_ops, .kind = IO_FIXED};
	ck_assert_int_eq(io_bus_add(&vm->mmio, &range), 0);
	put(CODE, mov_eax, sizeof(mov_eax));
	put(OTHER, mov_ecx, sizeof(mov_ecx));
	ck_assert_ptr_null(known(CODE));
	run(CODE);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x11111111);
	/* Where the walk had to set accessed flags, it is the second time that counts. */
	run(CODE);
	ck_assert_ptr_nonnull(known(CODE));
	ck_assert_int_eq(known(CODE)->len, 2);
}

START_TEST(a_hit_does_the_same)
{
	setup();
	run(CODE);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x11111111);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RIP], CODE + 2);
}
END_TEST

/* Another vCPU, or the guest itself, writes the code: every byte that is compared counts. */
START_TEST(code_that_changes)
{
	setup();
	put(CODE, mov_rax, 3);
	ck_assert_ptr_null(known(CODE));
	run(CODE);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x1111111111111111);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RIP], CODE + 3);
	run(CODE);
	for (unsigned i = 0; i < INSN_CACHE_BYTES; i++) {
		uint8_t byte = i < 3 ? mov_rax[i] : 0, other = 0xcc;

		ck_assert_ptr_nonnull(known(CODE));
		put(CODE + i, &other, 1);
		ck_assert_ptr_null(known(CODE));
		put(CODE + i, &byte, 1);
	}
}
END_TEST

/* The same address, another page: what unloading and loading a module does. */
START_TEST(page_tables_that_change)
{
	uint64_t table = TABLES;
	unsigned n = 0;

	setup();
	/* Each entry of the walk, by a bit that means nothing to it. */
	for (unsigned shift = 39;; shift -= 9) {
		uint64_t at = table + (CODE >> shift & 511) * 8, entry = get64(at);

		n++;
		put64(at, entry ^ BIT64(9));
		ck_assert_ptr_null(known(CODE));
		put64(at, entry);
		ck_assert_ptr_nonnull(known(CODE));
		if (shift == 12 || (entry & BIT64(7))) {
			break;
		}
		table = entry & 0xffffffffff000;
	}
	ck_assert_uint_ge(n, 3);
}
END_TEST

START_TEST(another_address_space)
{
	setup();
	fake_vcpu(cpu)->regs[REG_CR3] ^= BIT64(3);
	ck_assert_ptr_null(known(CODE));
	fake_vcpu(cpu)->regs[REG_CR3] ^= BIT64(3);
	ck_assert_ptr_nonnull(known(CODE));
	fake_vcpu(cpu)->segs[SEG_CS].attr ^= SEG_ATTR_L;
	ck_assert_ptr_null(known(CODE));
	fake_vcpu(cpu)->segs[SEG_CS].attr ^= SEG_ATTR_L;
	fake_vcpu(cpu)->regs[REG_CR4] ^= CR4_SMEP;
	ck_assert_ptr_null(known(CODE));
}
END_TEST

START_TEST(not_kept)
{
	setup();
	/* The last 15 bytes of a page: what follows may be on any page. */
	put(CODE + 0xff1, mov_eax, 2);
	run(CODE + 0xff1);
	run(CODE + 0xff1);
	ck_assert_ptr_null(known(CODE + 0xff1));
	put(CODE + 0xff0, mov_eax, 2);
	run(CODE + 0xff0);
	run(CODE + 0xff0);
	ck_assert_ptr_nonnull(known(CODE + 0xff0));
	/* 32-bit code. */
	fake_vcpu(cpu)->segs[SEG_CS].attr ^= SEG_ATTR_L | SEG_ATTR_DB;
	run(OTHER);
	run(OTHER);
	ck_assert_ptr_null(known(OTHER));
}
END_TEST

START_TEST(more_than_there_are_places)
{
	setup();
	for (unsigned i = 0; i < 3 * 64; i++) {
		uint64_t at = CODE + i * 13 % 0x800;

		put(at, i & 1 ? mov_eax : mov_rax, 16);
		run(at);
		ck_assert_uint_eq(cpu->gpr[REG_RAX], i & 1 ? 0x11111111 : 0x1111111111111111);
		ck_assert_ptr_nonnull(known(at));
	}
}
END_TEST

START_TEST(words_of_memory)
{
	struct gmem_words words = {0};

	setup();
	put64(OTHER, 1);
	put64(OTHER + 8, 2);
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(OTHER), 1), 0);
	ck_assert(gmem_words_same(&words, &vm->mem));
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(OTHER + 8), 3), 0);
	ck_assert(!gmem_words_same(&words, &vm->mem));
	put64(OTHER + 8, 3);
	ck_assert(gmem_words_same(&words, &vm->mem));
	/* Not on two pages, not outside RAM, not where an overlay may lie, not too many. */
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(OTHER + 0xff9), 0), -EFAULT);
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(DEV), 0), -EFAULT);
	vm->mem.overlay_filter = BIT64((CODE >> PAGE_SHIFT) % 64);
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(CODE), 0), -EFAULT);
	ck_assert(gmem_words_same(&words, &vm->mem));
	vm->mem.overlay_filter = BIT64((OTHER >> PAGE_SHIFT) % 64);
	ck_assert(!gmem_words_same(&words, &vm->mem));
	vm->mem.overlay_filter = 0;
	for (unsigned i = 2; i < GMEM_WORDS; i++) {
		ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(OTHER), 1), 0);
	}
	ck_assert_int_eq(gmem_words_add(&words, &vm->mem, gpa(OTHER), 1), -ENOSPC);
	ck_assert(gmem_words_same(&words, &vm->mem));
}
END_TEST

UNIT_MAIN("insn_cache", tcase_add_test(tc, a_hit_does_the_same);
          tcase_add_test(tc, code_that_changes); tcase_add_test(tc, page_tables_that_change);
          tcase_add_test(tc, another_address_space); tcase_add_test(tc, not_kept);
          tcase_add_test(tc, more_than_there_are_places); tcase_add_test(tc, words_of_memory);)
