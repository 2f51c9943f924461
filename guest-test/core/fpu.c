// SPDX-License-Identifier: BSD-2-Clause
// x87, SSE and AVX registers stay what they are through every kind of exit.
// Specs: [SDM1] "Managing State Using the XSAVE Feature Set".
#include "guest-test/lib/test.h"

static uint8_t pattern[32] __attribute__((aligned(32)));
static uint8_t result[16 * 32] __attribute__((aligned(32)));

static void many_exits(void)
{
	for (unsigned i = 0; i < 200; i++) {
		cpuid(i & 7, 0);
		outb(0x80, (uint8_t)i);
		mmio_w32(IOAPIC_BASE, 0);
		(void)rdmsr(0x1b);
		write_cr0(read_cr0() ^ 1U << 16);
		write_cr0(read_cr0() ^ 1U << 16);
	}
}

static void halt_a_little(void)
{
	lapic_enable();
	irq_setup(0x60, EOI_LAPIC, NULL);
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	mmio_w32(LAPIC_BASE + 0x320, 0x60);
	mmio_w32(LAPIC_BASE + 0x380, 100000);
	while (irq_count[0x60] == 0) {
		sti_hlt();
	}
}

TEST(fpu_x87)
{
	uint16_t control = 0x027f, got_control, status;
	uint64_t got = 0;
	uint64_t want = 0x123456789abcdefULL;

	__asm__ volatile("fninit; fldcw %0; fildll %1" : : "m"(control), "m"(want));
	many_exits();
	halt_a_little();
	__asm__ volatile("fnstcw %0; fnstsw %1; fistpll %2"
	                 : "=m"(got_control), "=m"(status), "=m"(got));
	CHECK_EQ(got_control, control);
	CHECK_EQ(got, want);
	__asm__ volatile("fninit");
}

TEST(fpu_sse)
{
	uint32_t mxcsr = 0x1fa0, got;

	for (unsigned i = 0; i < 32; i++) {
		pattern[i] = (uint8_t)(i * 7 + 1);
	}
	__asm__ volatile("ldmxcsr %0; movdqa (%1), %%xmm0; movdqa 16(%1), %%xmm7;"
	                 "movdqa (%1), %%xmm8; movdqa 16(%1), %%xmm15"
	                 :
	                 : "m"(mxcsr), "r"(pattern));
	many_exits();
	halt_a_little();
	__asm__ volatile("stmxcsr %0; movdqa %%xmm0, (%1); movdqa %%xmm7, 16(%1);"
	                 "movdqa %%xmm8, 32(%1); movdqa %%xmm15, 48(%1)"
	                 : "=m"(got)
	                 : "r"(result)
	                 : "memory");
	CHECK_EQ(got, mxcsr);
	for (unsigned i = 0; i < 64; i++) {
		CHECK_EQ(result[i], pattern[i % 32]);
	}
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

TEST(fpu_avx)
{
	uint64_t cr4 = read_cr4();

	if (!(cpuid(1, 0).c & (1U << 28))) {
		skip("no AVX");
		return;
	}
	write_cr4(cr4 | 1U << 18);
	xsetbv(0, 7);
	for (unsigned i = 0; i < 32; i++) {
		pattern[i] = (uint8_t)(i * 11 + 3);
	}
	__asm__ volatile("vmovdqa (%0), %%ymm1; vmovdqa (%0), %%ymm14" : : "r"(pattern));
	many_exits();
	halt_a_little();
	/* With AVX off in XCR0 the upper halves wait. */
	xsetbv(0, 3);
	many_exits();
	halt_a_little();
	xsetbv(0, 7);
	__asm__ volatile("vmovdqa %%ymm1, (%0); vmovdqa %%ymm14, 32(%0)"
	                 :
	                 : "r"(result)
	                 : "memory");
	for (unsigned i = 0; i < 64; i++) {
		CHECK_EQ(result[i], pattern[i % 32]);
	}
	xsetbv(0, 3);
	write_cr4(cr4);
}

TEST(fpu_errors)
{
	uint16_t control = 0x037b; /* division by zero unmasked */
	uint32_t mxcsr = 0x1d80;
	extern uint8_t fpu_div_zero[], sse_div_zero[];

	(void)mxcsr;
	__asm__ volatile("fninit; fldcw %0" : : "m"(control));
	CHECK_EQ(fault_of((void (*)(void *))fpu_div_zero, NULL), X_MF);
	__asm__ volatile("fninit");
	CHECK_EQ(fault_of((void (*)(void *))sse_div_zero, NULL), 19);
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

__asm__("fpu_div_zero: fld1; fldz; fdivrp; fwait; ret\n"
        "sse_div_zero: push $0x1d80; ldmxcsr (%rsp); pop %rax; mov $1, %eax; cvtsi2sd %eax, %xmm0;"
        "xorpd %xmm1, %xmm1; divsd %xmm1, %xmm0; ret\n");
