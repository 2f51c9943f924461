// SPDX-License-Identifier: BSD-2-Clause
// Instructions on device memory: forms, widths, flags, holes.
// Specs: [SDM2] the instructions; [IOAPIC] "Memory Mapped Registers".
#include "guest-test/lib/test.h"

#define IOWIN (IOAPIC_BASE + 0x10)
#define HOLE 0xd0000000ULL
#define TPR (LAPIC_BASE + 0x80)
#define LDR (LAPIC_BASE + 0xd0)

static uint32_t buffer[8];

/* Redirection entry of pin 23, masked: its vector is eight bits of storage. */
static void pick(uint32_t value)
{
	ioapic_write(0x3e, 0x10000 | value);
}

TEST(mmio_mov)
{
	uint64_t v = ~0ULL;

	pick(0x12);
	__asm__ volatile("movl (%1), %k0" : "+r"(v) : "r"(IOWIN));
	CHECK_EQ(v, 0x10012); /* the upper half is cleared */
	__asm__ volatile("movl $0x10034, (%0)" : : "r"(IOWIN) : "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x10034);
	__asm__ volatile("mov %0, %%r13d; lea -0x100(%1), %%r12; mov $0x40, %%r14d;"
	                 "movl %%r13d, (%%r12, %%r14, 4)"
	                 :
	                 : "r"(0x10056), "r"(IOWIN)
	                 : "r12", "r13", "r14", "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x10056);
	__asm__ volatile("movslq (%1), %0" : "=r"(v) : "r"(IOWIN));
	CHECK_EQ(v, 0x10056);
	__asm__ volatile("movabsl 0xfec00010, %%eax" : "=a"(v));
	CHECK_EQ(v & 0xffffffff, 0x10056);
	__asm__ volatile("movl %%eax, %%gs:(%0)" : : "r"(IOWIN), "a"(0x10078) : "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x10078);
	__asm__ volatile("movnti %0, (%1)" : : "r"(0x10079), "r"(IOWIN) : "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x10079);
}

#define RMW(text, start, reg, want, want_flags) \
	do { \
		uint64_t flags_, r_ = (reg); \
		pick(start); \
		__asm__ volatile("pushq $2; popfq;" text "; pushfq; pop %0" \
		                 : "=&r"(flags_), "+a"(r_) \
		                 : "D"(IOWIN) \
		                 : "rcx", "memory", "cc"); \
		CHECK_EQ(ioapic_read(0x3e), 0x10000 | (want)); \
		CHECK_EQ(flags_ & 0x8c1, (want_flags)); \
		last_reg = r_; \
	} while (0)

TEST(mmio_read_modify_write)
{
	uint64_t last_reg;

	/* flags: CF 1, ZF 0x40, SF 0x80, OF 0x800 */
	RMW("orl $0x30, (%%rdi)", 0x05, 0, 0x35, 0);
	RMW("andl %%eax, (%%rdi)", 0x3f, 0x1000f, 0x0f, 0);
	RMW("xorl $0xff, (%%rdi)", 0x0f, 0, 0xf0, 0);
	RMW("addl $1, (%%rdi)", 0x41, 0, 0x42, 0);
	RMW("subl %%eax, (%%rdi)", 0x41, 1, 0x40, 0);
	RMW("incl (%%rdi)", 0x10, 0, 0x11, 0);
	RMW("decl (%%rdi)", 0x10, 0, 0x0f, 0);
	RMW("lock btsl $3, (%%rdi)", 0x00, 0, 0x08, 0);
	RMW("btrl $3, (%%rdi)", 0x08, 0, 0x00, 1);
	RMW("btcl %%eax, (%%rdi)", 0x00, 6, 0x40, 0);
	RMW("xchgl %%eax, (%%rdi)", 0x22, 0x10033, 0x33, 0);
	CHECK_EQ(last_reg, 0x10022);
	RMW("lock xaddl %%eax, (%%rdi)", 0x22, 0x11, 0x33, 0);
	CHECK_EQ(last_reg, 0x10022);
	RMW("mov $0x10077, %%ecx; lock cmpxchgl %%ecx, (%%rdi)", 0x22, 0x10022, 0x77, 0x40);
	RMW("mov $0x10077, %%ecx; lock cmpxchgl %%ecx, (%%rdi)", 0x22, 0x10023, 0x22, 0);
	CHECK_EQ(last_reg, 0x10022);
	/* Compare without a write. */
	RMW("cmpl $0x10022, (%%rdi)", 0x22, 0, 0x22, 0x40);
	RMW("testl $0x20000, (%%rdi)", 0x22, 0, 0x22, 0x40);
	RMW("btl $1, (%%rdi)", 0x22, 0, 0x22, 1);
	RMW("cmpl (%%rdi), %%eax", 0x22, 0, 0x22, 0x81);
	/* Memory as the source. */
	RMW("addl (%%rdi), %%eax", 0x22, 1, 0x22, 0);
	CHECK_EQ(last_reg, 0x10023);
}

TEST(mmio_stack)
{
	uint64_t v;

	pick(0x44);
	/* PUSH and POP move 8 bytes: the IOAPIC answers only 4, so the hole. */
	__asm__ volatile("pushq (%1); popq %0" : "=r"(v) : "r"(HOLE) : "memory");
	CHECK_EQ(v, ~0ULL);
	__asm__ volatile("pushq %0; popq (%1)" : : "r"(v), "r"(HOLE) : "memory");
}

TEST(mmio_strings)
{
	void *from = (void *)IOWIN, *to = buffer;
	uint64_t n;

	pick(0x5a);
	memset(buffer, 0, sizeof(buffer));
	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	CHECK_EQ(buffer[0], 0x1005a);
	CHECK_EQ((uint64_t)from, IOWIN + 4);
	from = buffer;
	buffer[0] = 0x1003c;
	to = (void *)IOWIN;
	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x1003c);
	to = (void *)IOWIN;
	__asm__ volatile("stosl" : "+D"(to) : "a"(0x10011) : "memory");
	CHECK_EQ(ioapic_read(0x3e), 0x10011);
	from = (void *)IOWIN;
	__asm__ volatile("lodsl" : "+S"(from), "=a"(n));
	CHECK_EQ(n & 0xffffffff, 0x10011);
	/* From a hole to memory, and across its pages. */
	from = (void *)(HOLE + 0xffc);
	to = buffer;
	n = 4;
	memset(buffer, 0, sizeof(buffer));
	__asm__ volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	CHECK_EQ(buffer[0] & buffer[1] & buffer[2] & buffer[3], 0xffffffff);
	CHECK_EQ(buffer[4], 0);
}

TEST(mmio_narrow_and_wide)
{
	volatile uint8_t *p = (volatile uint8_t *)HOLE;
	uint64_t v;

	CHECK_EQ(*p, 0xff);
	CHECK_EQ(*(volatile uint16_t *)(p + 1), 0xffff);
	CHECK_EQ(*(volatile uint64_t *)(p + 8), ~0ULL);
	__asm__ volatile("movzbl (%1), %k0" : "=r"(v) : "r"(p));
	CHECK_EQ(v, 0xff);
	__asm__ volatile("movzwl (%1), %k0" : "=r"(v) : "r"(p));
	CHECK_EQ(v, 0xffff);
	__asm__ volatile("movsbq (%1), %0" : "=r"(v) : "r"(p));
	CHECK_EQ(v, ~0ULL);
	__asm__ volatile("mov $0x1122334455667788, %0; movb (%1), %%ah" : "=&a"(v) : "r"(p));
	CHECK_EQ(v, 0x112233445566ff88);
	__asm__ volatile("mov $0x1122334455667788, %0; movb (%1), %%al" : "=&a"(v) : "r"(p));
	CHECK_EQ(v, 0x11223344556677ff);
	__asm__ volatile("mov $0x1122334455667788, %0; movw (%1), %%ax" : "=&a"(v) : "r"(p));
	CHECK_EQ(v, 0x112233445566ffff);
	__asm__ volatile("movb %%ah, (%0); movw %%ax, (%0); movq %%rax, (%0)"
	                 :
	                 : "r"(p), "a"(0)
	                 : "memory");
	CHECK_EQ(*(volatile uint64_t *)p, ~0ULL);
}

TEST(mmio_hole_edges)
{
	/* Two pages of the hole; the IOAPIC's end; the RAM's end. */
	uint64_t ram_end = 0;
	volatile uint32_t *last;

	CHECK_EQ(*(volatile uint32_t *)(HOLE + 0xffe), 0xffffffff);
	*(volatile uint32_t *)(HOLE + 0xffe) = 0;
	CHECK_EQ(*(volatile uint32_t *)(IOAPIC_BASE + 0xffe), 0xffffffff);
	ram_end = ram_size();
	last = (volatile uint32_t *)(ram_end - 2);
	*last = 0x11223344;
	CHECK_EQ(*last, 0xffff3344);
	CHECK_EQ(*(volatile uint16_t *)last, 0x3344);
}

TEST(mmio_code_crosses_pages)
{
	/* The instruction itself lies in two pages that are not neighbours. */
	static uint8_t code[3][4096] __attribute__((aligned(4096)));
	static const uint8_t insn[] = {
	        0xc7, 0x07, 0x66, 0x00, 0x01, 0x00, 0xc3}; /* movl $,(%rdi) */
	uint8_t *va = window_map(20, (uint64_t)code[0], PTE_P | PTE_W);
	void (*fn)(uint64_t);

	window_map(21, (uint64_t)code[2], PTE_P | PTE_W);
	for (unsigned split = 1; split < 6; split++) {
		pick(0);
		memcpy(va + 4096 - split, insn, sizeof(insn));
		fn = (void (*)(uint64_t))(va + 4096 - split);
		fn(IOWIN);
		CHECK_EQ(ioapic_read(0x3e), 0x10066);
	}
}

TEST(mmio_lapic_forms)
{
	uint64_t v = 0;

	lapic_enable();
	mmio_w32(TPR, 0);
	__asm__ volatile("orl $0x50, (%0)" : : "r"(TPR) : "memory", "cc");
	CHECK_EQ(mmio_r32(TPR), 0x50);
	CHECK_EQ(read_cr8(), 5);
	__asm__ volatile("andl $0x1f, (%0)" : : "r"(TPR) : "memory", "cc");
	CHECK_EQ(mmio_r32(TPR), 0x10);
	mmio_w32(TPR, 0x22);
	__asm__ volatile("xchgl %k0, (%1)" : "+r"(v) : "r"(TPR) : "memory");
	CHECK_EQ(v, 0x22);
	CHECK_EQ(mmio_r32(TPR), 0);
	mmio_w32(LDR, 0x01ffffff);
	CHECK_EQ(mmio_r32(LDR), 0x01000000);
	__asm__ volatile("xorl %0, (%1)" : : "r"(0x03000000), "r"(LDR) : "memory", "cc");
	CHECK_EQ(mmio_r32(LDR), 0x02000000);
	__asm__ volatile("incl (%0)" : : "r"(LDR) : "memory", "cc");
	CHECK_EQ(mmio_r32(LDR), 0x02000000);
	mmio_w32(LDR, 0);
	__asm__ volatile("movl (%1), %%eax; movl %%eax, %k0"
	                 : "=r"(v)
	                 : "r"(LAPIC_BASE + 0x30)
	                 : "rax");
	CHECK_EQ(v & 0xff, 0x14);
	CHECK_EQ(v >> 16, 5);
}
