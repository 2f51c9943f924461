// SPDX-License-Identifier: BSD-2-Clause
// MSRs: which there are, what they refuse, and that they keep what is written.
// Specs: [SDM4] "Architectural MSRs"; [SDM3] "Time-Stamp Counter", "Programming the PAT",
// "Memory Type Range Registers (MTRRs)".
#include "guest-test/lib/test.h"

#define NOT_CANONICAL 0x0000800000000000ULL
#define TSC 0x10
#define TSC_ADJUST 0x3b
#define PAT 0x277
#define EFER 0xc0000080U

TEST(msr_unknown)
{
	static const uint32_t unknown[] = {
	        0x2, 0x12345, 0x480, 0x48, 0x4b564d00, 0x40000000, 0xc0010015, 0xffffffff};

	for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CHECK_EQ(rdmsr_fault(unknown[i]), X_GP);
		CHECK_EQ(wrmsr_fault(unknown[i], 0), X_GP);
		CHECK_EQ(fault_frame.error, 0);
	}
	/* VMX is locked off. */
	CHECK_EQ(rdmsr(0x3a) & 5, 1);
	CHECK_EQ(wrmsr_fault(0x3a, 5), X_GP);
}

TEST(msr_tsc)
{
	uint64_t before = rdtsc(), adjust = rdmsr(TSC_ADJUST), t;

	t = rdmsr(TSC);
	CHECK(t > before && rdtsc() > t);
	wrmsr(TSC_ADJUST, adjust + (1ULL << 40));
	t = rdtsc();
	CHECK(t > before + (1ULL << 40) && t < before + (1ULL << 40) + (1U << 24));
	CHECK_EQ(rdmsr(TSC_ADJUST), adjust + (1ULL << 40));
	wrmsr(TSC, 1000);
	t = rdtsc();
	CHECK(t >= 1000 && t < 1U << 20);
	/* A write of the counter shows in the adjustment. */
	t = rdmsr(TSC_ADJUST);
	CHECK(t != adjust + (1ULL << 40));
	wrmsr(TSC_ADJUST, adjust);
	t = rdtsc();
	CHECK_EQ(rdmsr(TSC_ADJUST), adjust);
	CHECK(t > before && t < before + (1U << 24));
}

TEST(msr_pat)
{
	uint64_t pat = rdmsr(PAT);

	CHECK_EQ(pat, 0x0007040600070406ULL);
	CHECK_EQ(wrmsr_fault(PAT, 0x0007040600070402ULL), X_GP);
	CHECK_EQ(wrmsr_fault(PAT, 0x0807040600070406ULL), X_GP);
	CHECK_EQ(rdmsr(PAT), pat);
	wrmsr(PAT, 0x0105040600070406ULL);
	CHECK_EQ(rdmsr(PAT), 0x0105040600070406ULL);
	wrmsr(PAT, pat);
}

TEST(msr_efer)
{
	uint64_t efer = rdmsr(EFER);

	CHECK_EQ(efer & 0x500, 0x500); /* LMA, LME */
	CHECK_EQ(wrmsr_fault(EFER, efer | 1U << 1), X_GP);
	CHECK_EQ(wrmsr_fault(EFER, efer | 1U << 12), X_GP); /* SVME */
	CHECK_EQ(wrmsr_fault(EFER, efer | 1ULL << 63), X_GP);
	CHECK_EQ(wrmsr_fault(EFER, efer & ~0x100ULL), X_GP); /* LME while paging */
	wrmsr(EFER, efer ^ 1);
	CHECK_EQ(rdmsr(EFER), efer ^ 1);
	wrmsr(EFER, efer & ~0x400ULL); /* LMA is read-only */
	CHECK_EQ(rdmsr(EFER), efer);
}

TEST(msr_canonical)
{
	static const uint32_t addresses[] = {
	        0x175, 0x176, 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102};

	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		uint64_t before = rdmsr(addresses[i]);

		CHECK_EQ(wrmsr_fault(addresses[i], NOT_CANONICAL), X_GP);
		CHECK_EQ(rdmsr(addresses[i]), before);
	}
}

TEST(msr_keep_values)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} rows[] = {
	        {0x174, 0x1234},
	        {0x175, 0xffff800000001000ULL},
	        {0x176, 0xffff800000002000ULL},
	        {0xc0000081, 0x0013000800001234ULL},
	        {0xc0000082, 0xffff800000003000ULL},
	        {0xc0000083, 0xffff800000004000ULL},
	        {0xc0000084, 0x47700},
	        {0xc0000100, 0xffff800000005000ULL},
	        {0xc0000101, 0xffff800000006000ULL},
	        {0xc0000102, 0xffff800000007000ULL},
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	uint64_t old[N];

	for (unsigned i = 0; i < N; i++) {
		old[i] = rdmsr(rows[i].msr);
		wrmsr(rows[i].msr, rows[i].value);
	}
	for (unsigned i = 0; i < 100; i++) {
		cpuid(0, 0);
		inb(0x80);
	}
	for (unsigned i = 0; i < N; i++) {
		CHECK_EQ(rdmsr(rows[i].msr), rows[i].value);
	}
	/* KERNEL_GS_BASE is what SWAPGS takes. */
	__asm__ volatile("swapgs" : : : "memory");
	CHECK_EQ(rdmsr(0xc0000101), 0xffff800000007000ULL);
	CHECK_EQ(rdmsr(0xc0000102), 0xffff800000006000ULL);
	for (unsigned i = 0; i < N; i++) {
		wrmsr(rows[i].msr, old[i]);
	}
}

TEST(msr_tsc_aux)
{
	uint32_t aux;

	if (!(cpuid(0x80000001, 0).d & (1U << 27))) {
		skip("no RDTSCP");
		return;
	}
	wrmsr(0xc0000103, 0x12345678);
	cpuid(0, 0);
	__asm__ volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	CHECK_EQ(aux, 0x12345678);
	CHECK_EQ(wrmsr_fault(0xc0000103, 1ULL << 32), X_GP);
	wrmsr(0xc0000103, 0);
}

TEST(msr_syscall)
{
	uint64_t efer = rdmsr(EFER), rcx, r11, cs, want;

	wrmsr(EFER, efer | 1);
	wrmsr(0xc0000081, 8ULL << 32);
	wrmsr(0xc0000084, 0x1); /* CF is cleared */
	__asm__ volatile("lea 1f(%%rip), %%rax; mov $0xc0000082, %%ecx; mov %%rax, %%rdx;"
	                 "shr $32, %%rdx; wrmsr; stc; lea 2f(%%rip), %3; syscall; 2: ud2; 1:"
	                 "setc %%al; movzx %%al, %2; shl $16, %2; mov %%cs, %%ax; mov %%ax, %w2;"
	                 "mov %%rcx, %0; mov %%r11, %1"
	                 : "=&b"(rcx), "=&D"(r11), "=&S"(cs), "=&r"(want)
	                 :
	                 : "rax", "rcx", "rdx", "r11", "memory", "cc");
	CHECK_EQ(rcx, want);
	CHECK_EQ(r11 & 1, 1);
	CHECK_EQ(cs, 8);
	wrmsr(EFER, efer);
}

TEST(msr_mtrr)
{
	uint64_t cap = rdmsr(0xfe), def = rdmsr(0x2ff), base, mask;
	unsigned last = (unsigned)(cap & 0xff) - 1;

	CHECK((cap & 0xff) >= 2);
	CHECK_EQ(wrmsr_fault(0xfe, cap), X_GP);
	CHECK_EQ(wrmsr_fault(0x2ff, (def & ~0xffULL) | 2), X_GP);
	CHECK_EQ(wrmsr_fault(0x2ff, def | 1U << 12), X_GP);
	wrmsr(0x2ff, def & ~0x800ULL);
	CHECK_EQ(rdmsr(0x2ff), def & ~0x800ULL);
	wrmsr(0x2ff, def);
	base = rdmsr(0x200 + 2 * last);
	mask = rdmsr(0x201 + 2 * last);
	wrmsr(0x200 + 2 * last, 0xd0000001);
	wrmsr(0x201 + 2 * last, 0xff0000800);
	CHECK_EQ(rdmsr(0x200 + 2 * last), 0xd0000001);
	CHECK_EQ(rdmsr(0x201 + 2 * last), 0xff0000800);
	CHECK_EQ(wrmsr_fault(0x200 + 2 * last, 0xd0000003), X_GP);
	CHECK_EQ(wrmsr_fault(0x200 + 2 * last, 0xd0000101), X_GP);
	CHECK_EQ(wrmsr_fault(0x201 + 2 * last, 1ULL << 60), X_GP);
	wrmsr(0x200 + 2 * last, base);
	wrmsr(0x201 + 2 * last, mask);
	if (cap & 0x100) {
		uint64_t fixed = rdmsr(0x250);

		wrmsr(0x250, 0x0001040506000606ULL);
		CHECK_EQ(rdmsr(0x250), 0x0001040506000606ULL);
		CHECK_EQ(wrmsr_fault(0x250, 0x02), X_GP);
		wrmsr(0x250, fixed);
		CHECK_EQ(rdmsr(0x259), 0); /* the VGA window is uncached */
	}
}

TEST(msr_misc)
{
	uint64_t debugctl = rdmsr(0x1d9);

	CHECK_EQ(debugctl, 0);
	CHECK_EQ(wrmsr_fault(0x1d9, 1U << 31), X_GP);
	wrmsr(0x1d9, 2);
	CHECK_EQ(rdmsr(0x1d9), 2);
	wrmsr(0x1d9, 0);
	CHECK_EQ(rdmsr_fault(0x1a0), NO_FAULT);
	CHECK(rdmsr(0x8b) >> 32); /* a microcode revision */
	CHECK_EQ(rdmsr(0x179), 0);
	CHECK_EQ(wrmsr_fault(0x179, 0), X_GP);
	CHECK_EQ(wrmsr_fault(0x17a, 1), X_GP);
}
