// SPDX-License-Identifier: BSD-2-Clause
// NMIs, and what holds an interrupt back for an instruction: STI, MOV SS; HLT.
// Specs: [SDM3] "Nonmaskable Interrupt (NMI)", "Masking Maskable Hardware Interrupts", "Masking
// Exceptions and Interrupts When Switching Stacks"; [SDM2] "STI", "HLT", "INT1".
#include "guest-test/lib/test.h"

#define ICR_LOW (LAPIC_BASE + 0x300)
#define ICR_HIGH (LAPIC_BASE + 0x310)
#define ICR_SELF 0x40000U
#define VECTOR 0x60

static volatile uint64_t seen_rip[8];
static volatile unsigned seen;

static void note(struct frame *f)
{
	if (seen < 8) {
		seen_rip[seen] = f->rip;
	}
	seen++;
}

static void send_nmi(void)
{
	mmio_w32(ICR_HIGH, 0);
	mmio_w32(ICR_LOW, 0x400);
}

static volatile uint32_t depth, deepest;

static void nmi_twice(struct frame *f)
{
	(void)f;
	depth++;
	if (depth > deepest) {
		deepest = depth;
	}
	if (irq_count[X_NMI] == 1) {
		send_nmi(); /* blocked until IRET */
		for (unsigned i = 0; i < 10; i++) {
			cpuid(0, 0);
		}
	}
	depth--;
}

TEST(event_nmi)
{
	lapic_enable();
	depth = deepest = 0;
	irq_setup(X_NMI, EOI_NONE, nmi_twice);
	send_nmi();
	for (unsigned i = 0; i < 10; i++) {
		cpuid(0, 0);
	}
	CHECK_EQ(irq_count[X_NMI], 2);
	CHECK_EQ(deepest, 1);
	/* And once more: blocking ended with the last IRET. */
	send_nmi();
	cpuid(0, 0);
	CHECK_EQ(irq_count[X_NMI], 3);
}

TEST(event_nmi_wakes_hlt)
{
	lapic_enable();
	irq_setup(X_NMI, EOI_NONE, note);
	seen = 0;
	/* The timer's pin as NMI; IF is 0, so nothing else ends the HLT. */
	pic_mask_all();
	outb(0x43, 0x30);
	ioapic_write(0x15, 0);
	ioapic_write(0x14, 0x400);
	outb(0x40, 0x00);
	outb(0x40, 0x10);
	__asm__ volatile("hlt" : : : "memory");
	CHECK_EQ(seen, 1);
	ioapic_write(0x14, 0x10000);
}

/* Interrupt pending, IF = 0; the code between the labels opens it. */
#define PENDING_TEST(setup, code) \
	({ \
		uint64_t here_; \
		seen = 0; \
		irq_setup(VECTOR, EOI_LAPIC, note); \
		mmio_w32(ICR_LOW, ICR_SELF | VECTOR); \
		__asm__ volatile(setup "lea 9f(%%rip), %0;" code "cli" \
		                 : "=&S"(here_) \
		                 : \
		                 : "rax", "rbx", "rcx", "rdx", "memory", "cc"); \
		here_; \
	})

TEST(event_sti_shadow)
{
	uint64_t here;

	lapic_enable();
	here = PENDING_TEST("", "sti; nop; 9: nop; nop;");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
	/* An emulated instruction in the shadow ends it. */
	here = PENDING_TEST("xor %%eax, %%eax;", "sti; cpuid; 9: nop; nop;");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
	here = PENDING_TEST("", "sti; inb $0x80, %%al; 9: nop; nop;");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
	/* STI; CLI lets nothing in. */
	PENDING_TEST("", "sti; cli; 9: nop;");
	CHECK_EQ(seen, 0);
	/* POPF casts no shadow. What STI; CLI left over is the same request. */
	here = PENDING_TEST("", "pushfq; orl $0x200, (%%rsp); popfq; 9: nop; nop;");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
}

TEST(event_mov_ss_shadow)
{
	uint64_t here;

	lapic_enable();
	seen = 0;
	irq_setup(VECTOR, EOI_LAPIC, note);
	/* Sent in the shadow of MOV SS: by the emulated instruction that is in it. */
	sti();
	__asm__ volatile(
	        "mov %%ss, %%ecx; lea 9f(%%rip), %0; mov %%ecx, %%ss; movl %1, (%2); 9: nop"
	        : "=&S"(here)
	        : "r"(ICR_SELF | VECTOR), "r"(ICR_LOW)
	        : "rcx", "memory");
	cli();
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
}

TEST(event_hlt_pending)
{
	uint64_t here;

	lapic_enable();
	/* Pending before STI; HLT: the shadow lets HLT begin, and it ends at once. */
	here = PENDING_TEST("", "sti; hlt; 9: nop;");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
}

TEST(event_hlt_timer)
{
	uint64_t t0 = rdtsc(), ticks = tsc_hz() / 200, t;

	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, note);
	seen = 0;
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	mmio_w32(LAPIC_BASE + 0x320, VECTOR);
	mmio_w32(LAPIC_BASE + 0x380, (uint32_t)ticks);
	while (seen == 0) {
		sti_hlt();
	}
	t = rdtsc() - t0;
	CHECK(t >= ticks && t < ticks + tsc_hz() / 1000);
	mmio_w32(LAPIC_BASE + 0x320, 0x10000);
}

TEST(event_popf_iret_keep)
{
	uint64_t before, after;

	/* Exits leave the flags alone. */
	__asm__ volatile("pushfq; orq $0xcd5, (%%rsp); popfq; pushfq; pop %0; mov %%rbx, %%rsi;"
	                 "mov $0, %%eax; cpuid; inb $0x80, %%al; pushfq; pop %1;"
	                 "cld; mov %%rsi, %%rbx"
	                 : "=&D"(before), "=&r"(after)
	                 :
	                 : "rax", "rbx", "rcx", "rdx", "rsi", "cc", "memory");
	CHECK_EQ(after & 0xcd5, before & 0xcd5);
}

TEST(event_general_registers)
{
	uint64_t sum;

	/* All sixteen but RSP through exits of several kinds. */
	__asm__ volatile(
	        "mov $0x1111, %%r8; mov $0x2222, %%r9; mov $0x3333, %%r10;"
	        "mov $0x4444, %%r11; mov $0x5555, %%r12; mov $0x6666, %%r13;"
	        "mov $0x7777, %%r14; mov $0x8888, %%r15; mov $0x9999, %%rdi;"
	        "mov $0xaaaa, %%rsi; push %%rbp; mov $0xbbbb, %%rbp;"
	        "mov $0x2000, %%ebx;"
	        "1: xor %%eax, %%eax; push %%rbx; cpuid; pop %%rbx; inb $0x80, %%al;"
	        "outb %%al, $0x80; mov $0x1b, %%ecx; rdmsr; mov %%cr0, %%rax; mov %%rax, %%cr0;"
	        "dec %%ebx; test $0xff, %%ebx; jnz 1b;"
	        "add %%r8, %%r9; add %%r9, %%r10; add %%r10, %%r11; add %%r11, %%r12;"
	        "add %%r12, %%r13; add %%r13, %%r14; add %%r14, %%r15; add %%r15, %%rdi;"
	        "add %%rdi, %%rsi; add %%rsi, %%rbp; mov %%rbp, %%rax; pop %%rbp"
	        : "=&a"(sum)
	        :
	        : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
	        "r15", "memory", "cc");
	CHECK_EQ(sum, 0x1111 * 66);
}

TEST(event_icebp)
{
	uint64_t here;

	seen = 0;
	irq_setup(X_DB, EOI_NONE, note);
	write_dr6(0xffff0ff0);
	__asm__ volatile("lea 9f(%%rip), %0; .byte 0xf1; 9: nop" : "=&r"(here) : : "memory");
	CHECK_EQ(seen, 1);
	CHECK_EQ(seen_rip[0], here);
	CHECK_EQ(read_dr6(), 0xffff0ff0);
}
