// SPDX-License-Identifier: BSD-2-Clause
// Guests as boot protocols want them: crafted images, then a look at memory and registers.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/hw/page_alloc.h"
#include <string.h>

#define MEM (64ULL << 20)

static struct vm *vm;
static struct fake_vcpu *f;
static struct boot_file kernel, initrd;
static uint8_t file[64 << 10];
static uint8_t module[5000];

/* A file's "physical" address is its place in this process. */
void *phys_to_virt(hpa_t pa)
{
	return (void *)(uintptr_t)pa.v;
}

static struct config_vm *config(void)
{
	return (struct config_vm *)vm->config;
}

static void setup_size(uint64_t size)
{
	vm = fake_vm(size, 2);
	f = fake_vcpu(vm->vcpus[0]);
	memset(file, 0, sizeof(file));
	memset(module, 0x5a, sizeof(module));
	kernel = (struct boot_file){.base = (uintptr_t)file, .len = sizeof(file)};
	initrd = (struct boot_file){.base = (uintptr_t)module, .len = sizeof(module)};
	strcpy(kernel.path, "\\vmlinuz");
	strcpy(initrd.path, "\\initrd.img");
	vm->kernel = &kernel;
	strcpy(config()->kernel, kernel.path);
	strcpy(config()->cmdline, "console=ttyS0 quiet");
	fake_log_clear();
}

static void setup(void)
{
	setup_size(MEM);
}

static void with_initrd(void)
{
	vm->initrd = &initrd;
	strcpy(config()->initrd, initrd.path);
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

static uint64_t guest(uint64_t at, unsigned width)
{
	uint64_t v = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &v, width), 0);
	return v;
}

static const char *guest_text(uint64_t at)
{
	static char text[256];

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), text, sizeof(text) - 1), 0);
	return text;
}

static bool guest_has(uint64_t at, uint8_t byte, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++) {
		if (guest(at + i, 1) != byte) {
			return false;
		}
	}
	return true;
}

/* --- E820 --- */

static void check_e820(const struct e820_entry *want, unsigned n)
{
	struct e820_entry map[32];

	ck_assert_uint_eq(guest_e820(vm, map, ARRAY_SIZE(map)), n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_msg(memcmp(&map[i], &want[i], sizeof(map[i])) == 0,
		        "entry %u: 0x%llx, 0x%llx, %u", i, (unsigned long long)map[i].base,
		        (unsigned long long)map[i].len, map[i].type);
	}
}

START_TEST(e820_small)
{
	static const struct e820_entry want[] = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2},
	        {0xe0000, 0x20000, 2}, {0x100000, MEM - 0x100000, 1}};

	check_e820(want, ARRAY_SIZE(want));
}
END_TEST

START_TEST(e820_above_4g)
{
	static const struct e820_entry want[] = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2},
	        {0xe0000, 0x20000, 2}, {0x100000, GMEM_LOW_MAX - 0x100000, 1},
	        {SIZE_4G, SIZE_1G, 1}};

	setup_size(GMEM_LOW_MAX + SIZE_1G);
	check_e820(want, ARRAY_SIZE(want));
}
END_TEST

/* Adjacent pieces of RAM are one entry; a short array is filled and not overrun. */
START_TEST(e820_merges_and_stops)
{
	static uint8_t more[4 * PAGE_SIZE] __attribute__((aligned(4096)));
	static const struct e820_entry want[] = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2},
	        {0xe0000, 0x20000, 2}, {0x100000, MEM - 0x100000 + 2 * PAGE_SIZE, 1},
	        {MEM + 3 * PAGE_SIZE, PAGE_SIZE, 1}};
	struct e820_entry map[3] = {{0}, {0}, {7, 7, 7}};

	ck_assert_int_eq(gmem_add(&vm->mem, gpa(MEM), more, hpa(0x1000), PAGE_SIZE), 0);
	ck_assert_int_eq(gmem_add(&vm->mem, gpa(MEM + PAGE_SIZE), more, hpa(0x1000), PAGE_SIZE), 0);
	ck_assert_int_eq(
	        gmem_add(&vm->mem, gpa(MEM + 3 * PAGE_SIZE), more, hpa(0x1000), PAGE_SIZE), 0);
	check_e820(want, ARRAY_SIZE(want));
	ck_assert_uint_eq(guest_e820(vm, map, 2), 2);
	ck_assert_uint_eq(map[2].type, 7);
	ck_assert_uint_eq(guest_e820(vm, map, 0), 0);
}
END_TEST

/* --- Linux --- */

#define SETUP_SECTS 4U
#define KERNEL_OFF ((SETUP_SECTS + 1) * 512)

static void make_linux(void)
{
	file[0x1f1] = SETUP_SECTS;
	put32(file + 0x1f4, (uint32_t)(sizeof(file) - KERNEL_OFF) / 16);
	put16(file + 0x1fe, 0xaa55);
	file[0x200] = 0xeb;
	file[0x201] = 0x6a; /* the header ends at 0x26c */
	memcpy(file + 0x202, "HdrS", 4);
	put16(file + 0x206, 0x020f);
	file[0x211] = 0x21; /* LOADED_HIGH, QUIET */
	put32(file + 0x22c, 0x7fffffff);
	put32(file + 0x230, 0x200000);
	file[0x234] = 1;
	put16(file + 0x236, 3);
	put32(file + 0x238, 2047);
	put64(file + 0x258, 0x1000000);
	put32(file + 0x260, 0x400000);
	put32(file + 0x268, 0x11223344);
	put32(file + 0x26c, 0xffffffff); /* code of the setup part: not the header's */
	for (size_t i = KERNEL_OFF; i < sizeof(file); i++) {
		file[i] = (uint8_t)(i * 7);
	}
}

START_TEST(linux_memory)
{
	const uint64_t bp = GUEST_BOOT_PARAMS;
	uint64_t rd;

	make_linux();
	with_initrd();
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_uint_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
	/* The kernel, from its protected-mode part on. */
	for (uint64_t i = 0; i < sizeof(file) - KERNEL_OFF; i += 997) {
		ck_assert_uint_eq(guest(0x1000000 + i, 1), file[KERNEL_OFF + i]);
	}
	/* The setup header: copied to its end, changed where a loader must. */
	ck_assert_uint_eq(guest(bp + 0x1f1, 1), SETUP_SECTS);
	ck_assert_uint_eq(guest(bp + 0x202, 4), 0x53726448);
	ck_assert_uint_eq(guest(bp + 0x210, 1), 0xff);
	ck_assert_uint_eq(guest(bp + 0x211, 1), 0x01);
	ck_assert_uint_eq(guest(bp + 0x214, 4), 0x1000000);
	ck_assert_uint_eq(guest(bp + 0x228, 4), GUEST_BOOT_CMDLINE);
	ck_assert_uint_eq(guest(bp + 0x268, 4), 0x11223344);
	ck_assert_uint_eq(guest(bp + 0x26c, 4), 0);
	ck_assert_str_eq(guest_text(GUEST_BOOT_CMDLINE), "console=ttyS0 quiet");
	/* The initrd, as the header says it. */
	rd = guest(bp + 0x218, 4) | guest(bp + 0xc0, 4) << 32;
	ck_assert_uint_eq(guest(bp + 0x21c, 4) | guest(bp + 0xc4, 4) << 32, sizeof(module));
	ck_assert_uint_eq(rd % PAGE_SIZE, 0);
	ck_assert(guest_has(rd, 0x5a, sizeof(module)));
	ck_assert_uint_eq(guest(rd + sizeof(module), 1), 0);
	/* E820. */
	ck_assert_uint_eq(guest(bp + 0x1e8, 1), 4);
	ck_assert_uint_eq(guest(bp + 0x2d0 + 8, 8), 0x9fc00);
	ck_assert_uint_eq(guest(bp + 0x2d0 + 3 * 20, 8), 0x100000);
	ck_assert_uint_eq(guest(bp + 0x2d0 + 3 * 20 + 16, 4), 1);
}
END_TEST

START_TEST(linux_without_initrd)
{
	make_linux();
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_uint_eq(guest(GUEST_BOOT_PARAMS + 0x218, 8), 0);
}
END_TEST

/* Walk the loader's own tables for an address. */
static uint64_t walk(uint64_t va)
{
	uint64_t e = guest(f->regs[REG_CR3] + (va >> 39) * 8, 8);

	ck_assert_uint_eq(e & 3, 3);
	e = guest((e & ~0xfffULL) + ((va >> 30) & 511) * 8, 8);
	ck_assert_uint_eq(e & 3, 3);
	e = guest((e & ~0xfffULL) + ((va >> 21) & 511) * 8, 8);
	ck_assert_uint_eq(e & 0x83, 0x83);
	return (e & ~0x1fffffULL) | (va & 0x1fffff);
}

START_TEST(linux_registers)
{
	struct vcpu *vcpu = vm->vcpus[0];

	make_linux();
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = ~0ULL;
	}
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1000200);
	ck_assert_uint_eq(vcpu->gpr[REG_RSI], GUEST_BOOT_PARAMS);
	ck_assert_uint_eq(vcpu->gpr[REG_RBX] | vcpu->gpr[REG_RDI] | vcpu->gpr[REG_RBP], 0);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], RFLAGS_FIXED1);
	ck_assert_uint_eq(f->regs[REG_CR0], CR0_PE | CR0_ET | CR0_PG);
	ck_assert_uint_eq(f->regs[REG_CR4], CR4_PAE);
	ck_assert_uint_eq(f->regs[REG_EFER], EFER_LME | EFER_LMA);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, 0x10);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xa09b);
	ck_assert_uint_eq(f->segs[SEG_DS].selector, 0x18);
	ck_assert_uint_eq(f->segs[SEG_TR].attr & SEG_ATTR_TYPE, 11);
	ck_assert(f->segs[SEG_LDTR].unusable);
	/* The descriptors say what the segments hold. */
	ck_assert_uint_eq(f->tables[0].base, GUEST_BOOT_GDT);
	ck_assert_uint_ge(f->tables[0].limit, 0x1f);
	ck_assert_uint_eq(guest(GUEST_BOOT_GDT + 0x10, 8), 0x00af9b000000ffff);
	ck_assert_uint_eq(guest(GUEST_BOOT_GDT + 0x18, 8), 0x00cf93000000ffff);
	ck_assert_uint_eq(walk(0x1000200), 0x1000200);
	ck_assert_uint_eq(walk(0), 0);
	ck_assert_uint_eq(walk(0xffffffff), 0xffffffff);
	ck_assert_uint_eq(walk(0xc0000000), 0xc0000000);
}
END_TEST

START_TEST(linux_longest_command_line)
{
	char *cmdline = config()->cmdline;

	make_linux();
	memset(cmdline, 'x', MAX_CMDLINE_LEN - 1);
	cmdline[MAX_CMDLINE_LEN - 1] = '\0';
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_uint_eq(guest(GUEST_BOOT_CMDLINE + MAX_CMDLINE_LEN - 2, 1), 'x');
	ck_assert_uint_eq(guest(GUEST_BOOT_CMDLINE + MAX_CMDLINE_LEN - 1, 1), 0);
}
END_TEST

START_TEST(not_enough_memory)
{
	setup_size(16ULL << 20);
	make_linux();
	ck_assert_int_lt(guest_load(vm), 0);
	ck_assert_uint_eq(fake_log_count("vm fake: \\vmlinuz "), 1);
}
END_TEST

START_TEST(not_a_kernel)
{
	ck_assert_int_lt(guest_load(vm), 0);
	ck_assert_uint_eq(fake_log_count("vm fake: \\vmlinuz is not"), 1);
}
END_TEST

/* A reset loads again, over what the guest left: clean memory comes from the caller. */
START_TEST(again_after_reset)
{
	make_linux();
	with_initrd();
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(0), 0xcc, GUEST_EBDA), 0);
	gmem_clear(&vm->mem, 0, UINT64_MAX);
	vm->vcpus[0]->state = VCPU_WAIT_SIPI;
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert_uint_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(guest(GUEST_BOOT_PARAMS + 0x1e8, 1), 4);
	ck_assert_uint_eq(guest(0, 8), 0);
}
END_TEST

/* --- multiboot --- */

struct seg {
	uint32_t addr, file_len, mem_len;
};

/* An ELF32 file with a multiboot header; segment i is filled with byte i + 1. */
static void make_multiboot(const struct seg *segs, unsigned n, uint32_t entry)
{
	const uint32_t header = 0x1000 - 12;
	uint32_t off = 0x1000;

	memcpy(file, "\177ELF\1\1\1", 7);
	put16(file + 16, 2);
	put16(file + 18, 3);
	put32(file + 20, 1);
	put32(file + 24, entry);
	put32(file + 28, 52);
	put16(file + 40, 52);
	put16(file + 42, 32);
	put16(file + 44, (uint16_t)n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *ph = file + 52 + i * 32;

		put32(ph, 1);
		put32(ph + 4, off);
		put32(ph + 8, segs[i].addr);
		put32(ph + 12, segs[i].addr);
		put32(ph + 16, segs[i].file_len);
		put32(ph + 20, segs[i].mem_len);
		put32(ph + 24, 7);
		put32(ph + 28, 1);
		memset(file + off, (int)i + 1, segs[i].file_len);
		off += segs[i].file_len;
	}
	put32(file + header, 0x1badb002);
	put32(file + header + 4, 3);
	put32(file + header + 8, (uint32_t) - (0x1badb002 + 3));
}

START_TEST(multiboot_usual)
{
	static const struct seg segs[] = {{0x100000, 0x800, 0x2000}, {0x200000, 0x100, 0x100}};
	struct vcpu *vcpu = vm->vcpus[0];
	uint64_t mbi, at;

	make_multiboot(segs, 2, 0x100010);
	with_initrd();
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(0x100800), 0xee, 0x1800), 0);
	ck_assert_int_eq(guest_load(vm), 0);
	ck_assert(guest_has(0x100000, 1, 0x800));
	ck_assert(guest_has(0x100800, 0, 0x1800));
	ck_assert(guest_has(0x200000, 2, 0x100));

	mbi = vcpu->gpr[REG_RBX];
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x2badb002);
	ck_assert_uint_eq(mbi, GUEST_MULTIBOOT_INFO);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x100010);
	ck_assert_uint_eq(f->regs[REG_CR0], CR0_PE | CR0_ET);
	ck_assert_uint_eq(f->regs[REG_CR4] | f->regs[REG_EFER] | f->regs[REG_CR3], 0);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], RFLAGS_FIXED1);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xc09b);
	ck_assert_uint_eq(f->segs[SEG_SS].attr, 0xc093);
	ck_assert_uint_eq(f->segs[SEG_ES].limit, 0xffffffff);

	ck_assert_uint_eq(guest(mbi, 4) & 0x24d, 0x24d);
	ck_assert_uint_eq(guest(mbi, 4) & ~0x24dULL, 0);
	ck_assert_uint_eq(guest(mbi + 4, 4), 639);
	ck_assert_uint_eq(guest(mbi + 8, 4), (MEM >> 10) - 1024);
	ck_assert_str_eq(guest_text(guest(mbi + 16, 4)), "\\vmlinuz console=ttyS0 quiet");
	ck_assert_str_eq(guest_text(guest(mbi + 64, 4)), "Candela");
	ck_assert_uint_eq(guest(mbi + 20, 4), 1);
	at = guest(mbi + 24, 4);
	ck_assert_uint_eq(guest(at + 4, 4) - guest(at, 4), sizeof(module));
	ck_assert_uint_eq(guest(at, 4) % PAGE_SIZE, 0);
	ck_assert(guest_has(guest(at, 4), 0x5a, sizeof(module)));
	ck_assert_str_eq(guest_text(guest(at + 8, 4)), "\\initrd.img");
	ck_assert_uint_eq(guest(mbi + 44, 4), 4 * 24);
	at = guest(mbi + 48, 4);
	ck_assert_uint_eq(guest(at, 4), 20);
	ck_assert_uint_eq(guest(at + 3 * 24, 4), 20);
	ck_assert_uint_eq(guest(at + 3 * 24 + 4, 8), 0x100000);
	ck_assert_uint_eq(guest(at + 3 * 24 + 20, 4), 1);
}
END_TEST

START_TEST(multiboot_no_module_no_arguments)
{
	static const struct seg segs[] = {{0x100000, 0x800, 0x800}};
	uint64_t mbi;

	config()->cmdline[0] = '\0';
	make_multiboot(segs, 1, 0x100000);
	ck_assert_int_eq(guest_load(vm), 0);
	mbi = vm->vcpus[0]->gpr[REG_RBX];
	ck_assert_uint_eq(guest(mbi + 20, 4), 0);
	ck_assert_str_eq(guest_text(guest(mbi + 16, 4)), "\\vmlinuz");
}
END_TEST

/* Images that lie where the information would: it moves, and overwrites none of their bytes. */
static const struct {
	struct seg segs[3];
	unsigned n;
	bool module;
} greedy[] = {
        {{{0, 0x1000, 0x1000}}, 1, false},                            /* page 0 alone */
        {{{0, 0x1000, 0x9f000}}, 1, true},                            /* nearly all below 640 KiB */
        {{{0, 0x1000, 0x10000}, {0x10000, 0x10, 0x8fc00}}, 2, false}, /* all of it */
        {{{0, 0x800, 0x9fc00}, {0x100000, 0x800, 0x300000}}, 2, true}, /* and 3 MiB above */
        {{{0x9000, 0x800, 0x4000}, {0x1000, 0x800, 0x1000}, {0x2000, 0x10, 0x10}}, 3, true},
        {{{0xb000, 0x10, 0x10}}, 1, false}, /* in the middle of the block */
};

START_TEST(multiboot_greedy)
{
	uint64_t mbi;

	make_multiboot(greedy[_i].segs, greedy[_i].n, greedy[_i].segs[0].addr);
	if (greedy[_i].module) {
		with_initrd();
	}
	ck_assert_int_eq(guest_load(vm), 0);
	mbi = vm->vcpus[0]->gpr[REG_RBX];
	ck_assert_uint_ne(mbi, 0);
	for (unsigned i = 0; i < greedy[_i].n; i++) {
		const struct seg *s = &greedy[_i].segs[i];

		ck_assert_msg(guest_has(s->addr, (uint8_t)(i + 1), s->file_len), "segment %u", i);
		ck_assert_msg(guest_has(s->addr + s->file_len, 0, s->mem_len - s->file_len),
		        "segment %u: rest", i);
		ck_assert(!ranges_overlap(mbi, 116, s->addr, s->mem_len));
	}
	ck_assert(!ranges_overlap(mbi, 0x2000, GUEST_EBDA, GUEST_TABLES_END - GUEST_EBDA));
	ck_assert_str_eq(guest_text(guest(mbi + 16, 4)), "\\vmlinuz console=ttyS0 quiet");
	if (greedy[_i].module) {
		ck_assert(guest_has(guest(guest(mbi + 24, 4), 4), 0x5a, sizeof(module)));
	}
}
END_TEST

/* Nothing left for the information: an error, not a guess. */
START_TEST(multiboot_full)
{
	static const struct seg segs[] = {
	        {0, 0x10, 0x9fc00}, {0x100000, 0x10, (uint32_t)MEM - 0x100000}};

	make_multiboot(segs, 2, 0);
	ck_assert_int_lt(guest_load(vm), 0);
	ck_assert_uint_eq(fake_log_count("vm fake: \\vmlinuz does not fit"), 1);
}
END_TEST

UNIT_MAIN("guest_load", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, e820_small);
          tcase_add_test(tc, e820_above_4g); tcase_add_test(tc, e820_merges_and_stops);
          tcase_add_test(tc, linux_memory); tcase_add_test(tc, linux_without_initrd);
          tcase_add_test(tc, linux_registers); tcase_add_test(tc, linux_longest_command_line);
          tcase_add_test(tc, not_enough_memory); tcase_add_test(tc, not_a_kernel);
          tcase_add_test(tc, again_after_reset); tcase_add_test(tc, multiboot_usual);
          tcase_add_test(tc, multiboot_no_module_no_arguments);
          tcase_add_loop_test(tc, multiboot_greedy, 0, ARRAY_SIZE(greedy));
          tcase_add_test(tc, multiboot_full);)
