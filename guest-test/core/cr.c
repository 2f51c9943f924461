// SPDX-License-Identifier: BSD-2-Clause
// Control registers: what is refused, and what each bit does to paging and to instructions.
// Specs: [SDM3] "Control Registers", "Access Rights"; [SDM2] "MOV - Move to/from Control
// Registers", "LMSW", "CLTS", "XSETBV".
#include "guest-test/lib/test.h"

#define CR4_OSXSAVE (1ULL << 18)

static uint8_t page[4096] __attribute__((aligned(4096)));

static void set_cr0(void *arg)
{
	write_cr0(*(uint64_t *)arg);
}

static void set_cr3(void *arg)
{
	write_cr3(*(uint64_t *)arg);
}

static void set_cr4(void *arg)
{
	write_cr4(*(uint64_t *)arg);
}

static void set_cr8(void *arg)
{
	write_cr8(*(uint64_t *)arg);
}

static uint32_t with(void (*fn)(void *), uint64_t v)
{
	return fault_of(fn, &v);
}

TEST(cr0_rules)
{
	uint64_t cr0 = read_cr0();

	CHECK_EQ(with(set_cr0, cr0 | 1ULL << 32), X_GP);
	CHECK_EQ(with(set_cr0, cr0 | 1ULL << 63), X_GP);
	CHECK_EQ(with(set_cr0, cr0 & ~1ULL), X_GP);         /* PG without PE */
	CHECK_EQ(with(set_cr0, cr0 & ~(1ULL << 31)), X_GP); /* paging off in 64-bit code */
	CHECK_EQ(with(set_cr0, cr0 | 1U << 29), X_GP);      /* NW without CD */
	CHECK_EQ(read_cr0(), cr0);
	/* Reserved bits below 32 do not stick, ET does not go away. */
	write_cr0((cr0 | 1U << 17 | 1U << 6) & ~0x10ULL);
	CHECK_EQ(read_cr0(), cr0);
	write_cr0(cr0 | 3U << 29);
	CHECK_EQ(read_cr0(), cr0 | 3U << 29);
	write_cr0(cr0);
	CHECK_EQ(read_cr0(), cr0);
}

TEST(cr0_task_switched)
{
	uint64_t cr0 = read_cr0(), seen;

	__asm__ volatile("smsw %0" : "=r"(seen));
	CHECK_EQ(seen & 0xffff, cr0 & 0xffff);
	__asm__ volatile("lmsw %w0" : : "r"(cr0 | 8));
	CHECK_EQ(read_cr0(), cr0 | 8);
	__asm__ volatile("clts");
	CHECK_EQ(read_cr0(), cr0);
	/* LMSW does not clear PE. */
	__asm__ volatile("lmsw %w0" : : "r"(cr0 & 0xe));
	CHECK_EQ(read_cr0(), cr0);
	cpuid(0, 0);
	CHECK_EQ(read_cr0(), cr0);
}

INSN(x87, "fnop")
INSN(sse, "xorps %%xmm0, %%xmm0")

TEST(cr0_fpu_traps)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 | 8);
	CHECK_EQ(fault_of(insn_x87, NULL), X_NM);
	CHECK_EQ(fault_of(insn_sse, NULL), X_NM);
	__asm__ volatile("clts");
	CHECK_EQ(fault_of(insn_x87, NULL), NO_FAULT);
	write_cr0((cr0 | 4) & ~2ULL);
	CHECK_EQ(fault_of(insn_x87, NULL), X_NM);
	CHECK_EQ(fault_of(insn_sse, NULL), X_UD);
	write_cr0(cr0);
}

TEST(cr3_rules)
{
	uint64_t cr3 = read_cr3();
	unsigned bits = cpuid(0x80000008, 0).a & 0xff;

	CHECK_EQ(with(set_cr3, cr3 | 1ULL << bits), X_GP);
	CHECK_EQ(with(set_cr3, cr3 | 1ULL << 63), X_GP);
	CHECK_EQ(read_cr3(), cr3);
}

TEST(cr3_flushes)
{
	static volatile uint32_t other[1024] __attribute__((aligned(4096)));
	volatile uint32_t *va = window_map(0, (uint64_t)page, PTE_P | PTE_W);

	*(volatile uint32_t *)page = 1;
	other[0] = 2;
	CHECK_EQ(*va, 1);
	window_pt[0] = (uint64_t)other | PTE_P | PTE_W;
	write_cr3(read_cr3());
	CHECK_EQ(*va, 2);
	/* Global pages survive that, and not a change of PGE. */
	window_map(0, (uint64_t)page, PTE_P | PTE_W | 0x100);
	write_cr4(read_cr4() | 0x80);
	CHECK_EQ(*va, 1);
	window_pt[0] = (uint64_t)other | PTE_P | PTE_W | 0x100;
	write_cr4(read_cr4() & ~0x80ULL);
	CHECK_EQ(*va, 2);
	window_map(0, 0, 0);
}

TEST(cr4_rules)
{
	uint64_t cr4 = read_cr4();

	CHECK_EQ(with(set_cr4, cr4 | 1ULL << 13), X_GP); /* VMXE */
	CHECK_EQ(with(set_cr4, cr4 | 1ULL << 14), X_GP); /* SMXE */
	CHECK_EQ(with(set_cr4, cr4 | 1ULL << 15), X_GP);
	CHECK_EQ(with(set_cr4, cr4 | 1ULL << 31), X_GP);
	CHECK_EQ(with(set_cr4, cr4 | 1ULL << 63), X_GP);
	CHECK_EQ(with(set_cr4, cr4 & ~0x20ULL), X_GP); /* PAE in long mode */
	CHECK_EQ(read_cr4(), cr4);
	/* VMXE is not shown although the host has it. */
	CHECK_EQ(cr4 & 1U << 13, 0);
	for (unsigned bit = 0; bit < 12; bit++) {
		if (bit == 5 || bit == 11) {
			continue;
		}
		write_cr4(cr4 ^ 1U << bit);
		CHECK_EQ(read_cr4(), cr4 ^ 1U << bit);
	}
	write_cr4(cr4);
}

TEST(cr4_tsd)
{
	extern void user_rdtsc(void);
	uint64_t cr4 = read_cr4();

	CHECK_EQ(user_call(user_rdtsc, 0).vector, USER_EXIT);
	write_cr4(cr4 | 4);
	CHECK_EQ(user_call(user_rdtsc, 0).vector, X_GP);
	CHECK(rdtsc() != 0);
	write_cr4(cr4);
}

TEST(cr4_pcid)
{
	uint64_t cr3 = read_cr3(), cr4 = read_cr4();

	if (!(cpuid(1, 0).c & (1U << 17))) {
		skip("no PCID");
		return;
	}
	write_cr4(cr4 | 1U << 17);
	write_cr3(cr3 | 5);
	CHECK_EQ(read_cr3(), cr3 | 5);
	write_cr3(cr3 | 7 | 1ULL << 63);
	CHECK_EQ(read_cr3(), cr3 | 7);
	write_cr3(cr3);
	write_cr4(cr4);
	write_cr3(cr3 | 0x18); /* PWT, PCD */
	CHECK_EQ(read_cr3(), cr3 | 0x18);
	write_cr3(cr3);
}

TEST(cr8_is_tpr)
{
	lapic_enable();
	write_cr8(5);
	CHECK_EQ(read_cr8(), 5);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x80), 0x50);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0xa0), 0x50);
	mmio_w32(LAPIC_BASE + 0x80, 0x73);
	CHECK_EQ(read_cr8(), 7);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x80), 0x73);
	CHECK_EQ(with(set_cr8, 16), X_GP);
	CHECK_EQ(with(set_cr8, 1ULL << 32), X_GP);
	write_cr8(0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x80), 0);
}

static void do_xsetbv(void *arg)
{
	const uint64_t *v = arg;

	xsetbv((uint32_t)v[0], v[1]);
}

static uint32_t xsetbv_fault(uint32_t index, uint64_t v)
{
	uint64_t arg[2] = {index, v};

	return fault_of(do_xsetbv, arg);
}

TEST(cr_xsetbv)
{
	extern void user_xsetbv(void);
	uint64_t cr4 = read_cr4(), allowed;
	struct cpuid all = cpuid(0xd, 0);

	if (!(cpuid(1, 0).c & (1U << 26))) {
		CHECK_EQ(with(set_cr4, cr4 | CR4_OSXSAVE), X_GP);
		return;
	}
	allowed = (uint64_t)all.d << 32 | all.a;
	write_cr4(cr4 & ~CR4_OSXSAVE);
	CHECK_EQ(xsetbv_fault(0, 1), X_UD);
	write_cr4(cr4 | CR4_OSXSAVE);
	xsetbv(0, 3);
	CHECK_EQ(xsetbv_fault(1, 1), X_GP);
	CHECK_EQ(xsetbv_fault(0, 0), X_GP);
	CHECK_EQ(xsetbv_fault(0, 2), X_GP);
	CHECK_EQ(xsetbv_fault(0, 5), X_GP); /* AVX without SSE */
	CHECK_EQ(xsetbv_fault(0, 1ULL << 62 | 3), X_GP);
	CHECK_EQ(xsetbv_fault(0, allowed | 1ULL << 63), X_GP);
	CHECK_EQ(user_call(user_xsetbv, 0).vector, X_GP);
	CHECK_EQ(xgetbv(0), 3);
	xsetbv(0, allowed);
	CHECK_EQ(xgetbv(0), allowed);
	cpuid(0, 0);
	CHECK_EQ(xgetbv(0), allowed);
	xsetbv(0, 3);
	write_cr4(cr4);
}

INSN(store, "movl $0x1234, (%%rdi)")
INSN(load, "movl (%%rdi), %%eax")
INSN(jump, "call *%%rdi")

TEST(cr0_write_protect)
{
	uint64_t cr0 = read_cr0();
	uint32_t *va = window_map(1, (uint64_t)page, PTE_P);
	struct fault f;

	write_cr0(cr0 & ~(1ULL << 16));
	CHECK_EQ(fault_of(insn_store, va), NO_FAULT);
	CHECK_EQ(*(uint32_t *)page, 0x1234);
	write_cr0(cr0 | 1U << 16);
	f = catch_fault(insn_store, va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 3);
	CHECK_EQ(f.cr2, (uint64_t)va);
	write_cr0(cr0);
	window_map(1, 0, 0);
}

TEST(cr_no_execute)
{
	uint64_t efer = rdmsr(0xc0000080);
	uint8_t *va = window_map(2, (uint64_t)page, PTE_P | PTE_W);
	struct fault f;

	page[0] = 0xc3;
	CHECK_EQ(fault_of(insn_jump, va), NO_FAULT);
	window_map(2, (uint64_t)page, PTE_P | PTE_W | PTE_NX);
	CHECK_EQ(fault_of(insn_load, va), NO_FAULT);
	f = catch_fault(insn_jump, va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 0x11);
	CHECK_EQ(f.cr2, (uint64_t)va);
	/* With NXE off the bit is reserved. */
	wrmsr(0xc0000080, efer & ~0x800ULL);
	write_cr3(read_cr3());
	f = catch_fault(insn_load, va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 9);
	wrmsr(0xc0000080, efer);
	window_map(2, 0, 0);
}

TEST(cr4_smep_smap)
{
	uint64_t cr4 = read_cr4();
	uint8_t *va = window_map(3, (uint64_t)page, PTE_P | PTE_W | PTE_U);
	struct fault f;
	bool any = false;

	page[0] = 0xc3;
	if (cpuid(7, 0).b & (1U << 7)) {
		any = true;
		CHECK_EQ(fault_of(insn_jump, va), NO_FAULT);
		write_cr4(cr4 | 1U << 20);
		f = catch_fault(insn_jump, va);
		CHECK_EQ(f.vector, X_PF);
		CHECK_EQ(f.error, 0x11);
		write_cr4(cr4);
	}
	if (cpuid(7, 0).b & (1U << 20)) {
		any = true;
		write_cr4(cr4 | 1U << 21);
		f = catch_fault(insn_load, va);
		CHECK_EQ(f.vector, X_PF);
		CHECK_EQ(f.error, 1);
		__asm__ volatile("stac");
		CHECK_EQ(fault_of(insn_load, va), NO_FAULT);
		__asm__ volatile("clac");
		write_cr4(cr4);
	}
	window_map(3, 0, 0);
	if (!any) {
		skip("neither SMEP nor SMAP");
	}
}

TEST(cr2_keeps)
{
	write_cr2(0x123456789abc);
	for (unsigned i = 0; i < 10; i++) {
		cpuid(0, 0);
		inb(0x80);
	}
	CHECK_EQ(read_cr2(), 0x123456789abc);
}
