// SPDX-License-Identifier: BSD-2-Clause
// Single steps and breakpoints, over emulated instructions above all.
// Specs: [SDM3] "Debug Registers", "Debug Exceptions".
#include "guest-test/lib/test.h"

#define DR6_CLEAR 0xffff0ff0ULL
#define DR6_BS (1ULL << 14)
#define DR6_BD (1ULL << 13)
#define DR7_CLEAR 0x400ULL
#define CR4_DE 8ULL

static volatile uint64_t rips[64], dr6s[64];
static volatile unsigned traps;

static void note(struct frame *f)
{
	if (traps < 64) {
		rips[traps] = f->rip;
		dr6s[traps] = read_dr6();
	}
	traps++;
	write_dr6(DR6_CLEAR);
	f->rflags |= 1U << 16; /* RF: past an instruction breakpoint */
}

static void begin(void)
{
	traps = 0;
	write_dr6(DR6_CLEAR);
	irq_setup(X_DB, EOI_NONE, note);
}

/* Every emulated instruction raises the trap of its own step: labels 1 to 7 are the returns. */
TEST(debug_single_step)
{
	uint64_t places[8];

	begin();
	__asm__ volatile(
	        "mov %%rbx, %%rdi;"
	        "lea 1f(%%rip), %%rax; mov %%rax, 0(%0); lea 2f(%%rip), %%rax;"
	        "mov %%rax, 8(%0); lea 3f(%%rip), %%rax; mov %%rax, 16(%0);"
	        "lea 4f(%%rip), %%rax; mov %%rax, 24(%0); lea 5f(%%rip), %%rax;"
	        "mov %%rax, 32(%0); lea 6f(%%rip), %%rax; mov %%rax, 40(%0);"
	        "lea 7f(%%rip), %%rax; mov %%rax, 48(%0); xor %%eax, %%eax;"
	        "pushfq; orl $0x100, (%%rsp); popfq;"
	        "nop; 1: cpuid; 2: outb %%al, $0x80; 3: inb $0x80, %%al; 4: mov $0x1b, %%ecx;"
	        "5: rdmsr; 6: mov (%1), %%eax; 7: pushfq; andl $~0x100, (%%rsp); popfq;"
	        "mov %%rdi, %%rbx"
	        :
	        : "r"(places), "r"(IOAPIC_BASE)
	        : "rax", "rbx", "rcx", "rdx", "rdi", "memory", "cc");
	/* After popfq one instruction runs before the first trap; the last is after POPFQ. */
	CHECK_EQ(traps, 10);
	for (unsigned i = 0; i < 7; i++) {
		CHECK_EQ(rips[i], places[i]);
		CHECK_EQ(dr6s[i], DR6_CLEAR | DR6_BS);
	}
}

/* REP is one step an iteration; a string to a port, which is emulated, as well. */
TEST(debug_step_rep)
{
	static uint8_t bytes[4];

	begin();
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; rep outsb;"
	                 "pushfq; andl $~0x100, (%%rsp); popfq"
	                 :
	                 : "S"(bytes), "c"(3), "d"(0x80)
	                 : "memory", "cc");
	CHECK_EQ(traps, 6);
}

/* MOV SS puts its own trap off; the emulated instruction behind it has one. */
TEST(debug_step_mov_ss)
{
	uint64_t here;

	begin();
	__asm__ volatile("mov %%rbx, %%rdi; mov %%ss, %%esi; lea 1f(%%rip), %0;"
	                 "pushfq; orl $0x100, (%%rsp); popfq; mov %%esi, %%ss; cpuid; 1: nop;"
	                 "pushfq; andl $~0x100, (%%rsp); popfq; mov %%rdi, %%rbx"
	                 : "=&r"(here)
	                 :
	                 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "memory", "cc");
	CHECK_EQ(traps, 5);
	CHECK_EQ(rips[0], here);
}

TEST(debug_instruction_breakpoint)
{
	uint64_t here;

	begin();
	__asm__ volatile("lea 1f(%%rip), %0; mov %0, %%dr1; mov $0x408, %%eax; mov %%rax, %%dr7;"
	                 "mov %%rbx, %%rdi; xor %%eax, %%eax; 1: cpuid; mov %%rdi, %%rbx;"
	                 "mov $0x400, %%eax; mov %%rax, %%dr7"
	                 : "=&S"(here)
	                 :
	                 : "rax", "rbx", "rcx", "rdx", "rdi", "memory");
	CHECK_EQ(traps, 1);
	CHECK_EQ(rips[0], here);
	CHECK_EQ(dr6s[0], DR6_CLEAR | 2);
}

TEST(debug_data_breakpoint)
{
	static volatile uint32_t word;
	uint64_t here;

	begin();
	write_dr2((uint64_t)&word);
	write_dr7(DR7_CLEAR | 1U << 5 | 0xdU << 24); /* four bytes, writes */
	__asm__ volatile("lea 1f(%%rip), %0; movl $1, %1; 1: nop" : "=&r"(here), "=m"(word));
	(void)word;
	write_dr7(DR7_CLEAR);
	CHECK_EQ(traps, 1);
	CHECK_EQ(rips[0], here);
	CHECK_EQ(dr6s[0], DR6_CLEAR | 4);
}

/* With CR4.DE ports are watched, too: the OUT itself is emulated. */
TEST(debug_io_breakpoint)
{
	uint64_t here, cr4 = read_cr4();

	begin();
	write_cr4(cr4 | CR4_DE);
	write_dr0(0x80);
	write_dr7(DR7_CLEAR | 2 | 2U << 16);
	__asm__ volatile("lea 1f(%%rip), %0; outb %%al, $0x80; 1: nop; inb $0xed, %%al"
	                 : "=&r"(here)
	                 :
	                 : "rax", "memory");
	CHECK_EQ(traps, 1);
	CHECK_EQ(rips[0], here);
	CHECK_EQ(dr6s[0], DR6_CLEAR | 1);
	inb(0x80);
	CHECK_EQ(traps, 2);
	write_dr7(DR7_CLEAR);
	outb(0x80, 0);
	CHECK_EQ(traps, 2);
	write_cr4(cr4);
}

INSN(read_dr0, "mov %%dr0, %%rax")
INSN(read_dr4, "mov %%dr4, %%rax")
INSN(bad_dr7, "mov $1, %%eax; shl $32, %%rax; mov %%rax, %%dr7")
INSN(bad_dr6, "mov $1, %%eax; shl $32, %%rax; mov %%rax, %%dr6")

TEST(debug_general_detect)
{
	struct fault f;
	uint64_t cr4 = read_cr4();

	write_dr6(DR6_CLEAR);
	write_dr7(DR7_CLEAR | 1U << 13);
	f = catch_fault(insn_read_dr0, NULL);
	CHECK_EQ(f.vector, X_DB);
	CHECK_EQ(read_dr6(), DR6_CLEAR | DR6_BD);
	CHECK_EQ(read_dr7(), DR7_CLEAR); /* delivery clears GD */
	write_dr6(DR6_CLEAR);
	CHECK_EQ(fault_of(insn_bad_dr7, NULL), X_GP);
	CHECK_EQ(fault_of(insn_bad_dr6, NULL), X_GP);
	write_cr4(cr4 & ~CR4_DE);
	CHECK_EQ(fault_of(insn_read_dr4, NULL), NO_FAULT);
	write_cr4(cr4 | CR4_DE);
	CHECK_EQ(fault_of(insn_read_dr4, NULL), X_UD);
	write_cr4(cr4);
}

TEST(debug_registers_keep)
{
	write_dr0(0x1111111111);
	write_dr1(0x2222222222);
	write_dr2(0x3333333333);
	write_dr3(0x4444444444);
	write_dr7(DR7_CLEAR | 0x200);
	write_dr6(DR6_CLEAR | 5);
	for (unsigned i = 0; i < 100; i++) {
		cpuid(0, 0);
		inb(0x80);
		mmio_r32(IOAPIC_BASE);
	}
	CHECK_EQ(read_dr0(), 0x1111111111);
	CHECK_EQ(read_dr1(), 0x2222222222);
	CHECK_EQ(read_dr2(), 0x3333333333);
	CHECK_EQ(read_dr3(), 0x4444444444);
	CHECK_EQ(read_dr6(), DR6_CLEAR | 5);
	CHECK_EQ(read_dr7(), DR7_CLEAR | 0x200);
	write_dr7(DR7_CLEAR);
	write_dr6(DR6_CLEAR);
}
