// SPDX-License-Identifier: BSD-2-Clause
// Exceptions: vector, error code and where they point, from CPL 0 and CPL 3.
// Specs: [SDM3] "Exception and Interrupt Reference".
#include "guest-test/lib/test.h"

#define NOT_CANONICAL ((void *)0x0000800000000000ULL)

static uint8_t page[4096] __attribute__((aligned(4096)));

INSN(divide, "xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx")
INSN(int3, "int3")
INSN(ud2, "ud2")
INSN(vmcall, "vmcall")
INSN(vmmcall, "vmmcall")
INSN(vmxon, "vmxon (%%rdi)")
INSN(vmptrld, "vmptrld (%%rdi)")
INSN(vmread, "vmread %%rax, %%rbx")
INSN(vmlaunch, "vmlaunch")
INSN(vmxoff, "vmxoff")
INSN(vmfunc, "xor %%eax, %%eax; vmfunc")
INSN(invept, "invept (%%rdi), %%rax")
INSN(invvpid, "invvpid (%%rdi), %%rax")
INSN(getsec, "xor %%eax, %%eax; getsec")
INSN(rsm, "rsm")
INSN(monitor, "mov %%rdi, %%rax; xor %%ecx, %%ecx; xor %%edx, %%edx; monitor")
INSN(mwait, "xor %%eax, %%eax; xor %%ecx, %%ecx; mwait")
INSN(load, "mov (%%rdi), %%eax")
INSN(store, "mov %%eax, (%%rdi)")
INSN(stack_load, "mov %%rbp, %%rcx; mov %%rdi, %%rbp; mov (%%rbp), %%eax; mov %%rcx, %%rbp")
INSN(jump, "jmp *%%rdi")
INSN(mov_ds, "mov %%di, %%ds")
INSN(mov_ss, "mov %%di, %%ss")
INSN(mov_fs, "mov %%di, %%fs")
INSN(rdpmc, "mov $0x100, %%ecx; rdpmc")

TEST(exc_divide)
{
	struct fault f = catch_fault(insn_divide, NULL);

	CHECK_EQ(f.vector, X_DE);
	CHECK_EQ(*(uint16_t *)f.rip, 0xf1f7); /* points to the DIV */
}

TEST(exc_breakpoint)
{
	struct fault f = catch_fault(insn_int3, NULL);

	CHECK_EQ(f.vector, X_BP);
	CHECK_EQ(*(uint8_t *)(f.rip - 1), 0xcc); /* behind the INT3 */
}

TEST(exc_undefined)
{
	static uint8_t operand[16];
	static void (*const insns[])(void *) = {insn_ud2, insn_vmcall, insn_vmmcall, insn_vmxon,
	        insn_vmptrld, insn_vmread, insn_vmlaunch, insn_vmxoff, insn_vmfunc, insn_invept,
	        insn_invvpid, insn_getsec, insn_rsm, insn_monitor, insn_mwait};

	for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		uint32_t vector = fault_of(insns[i], operand);

		if (vector != X_UD) {
			put_string("     instruction ");
			put_dec(i);
			put_string("\n");
		}
		CHECK_EQ(vector, X_UD);
	}
}

TEST(exc_general_protection)
{
	struct fault f = catch_fault(insn_load, NOT_CANONICAL);

	CHECK_EQ(f.vector, X_GP);
	CHECK_EQ(f.error, 0);
	f = catch_fault(insn_mov_ds, (void *)0x1000);
	CHECK_EQ(f.vector, X_GP);
	CHECK_EQ(f.error, 0x1000);
	CHECK_EQ(fault_of(insn_rdpmc, NULL), X_GP);
	/* From CPL 3 what needs privilege. */
	extern void user_hlt(void), user_cpuid(void), user_rdmsr(void), user_out(void);
	extern void user_mov_cr(void);

	CHECK_EQ(user_call(user_hlt, 0).vector, X_GP);
	CHECK_EQ(user_call(user_rdmsr, 0).vector, X_GP);
	CHECK_EQ(user_call(user_out, 0).vector, X_GP);
	CHECK_EQ(user_call(user_mov_cr, 0).vector, X_GP);
	CHECK_EQ(user_call(user_cpuid, 0).vector, USER_EXIT);
	CHECK_EQ(fault_frame.rax, cpuid(0, 0).a);
	CHECK_EQ(fault_frame.cs, 0x3b);
}

TEST(exc_stack)
{
	struct fault f = catch_fault(insn_stack_load, NOT_CANONICAL);

	CHECK_EQ(f.vector, X_SS);
	CHECK_EQ(f.error, 0);
	f = catch_fault(insn_mov_ss, (void *)0x30);
	CHECK_EQ(f.vector, X_SS);
	CHECK_EQ(f.error, 0x30);
}

TEST(exc_not_present)
{
	struct fault f = catch_fault(insn_mov_fs, (void *)0x30);

	CHECK_EQ(f.vector, X_NP);
	CHECK_EQ(f.error, 0x30);
}

TEST(exc_page_fault)
{
	extern void user_read(void), user_write(void), user_jump(void);
	uint8_t *va = window_map(8, 0, 0);
	struct fault f;

	f = catch_fault(insn_load, va + 0x123);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 0);
	CHECK_EQ(f.cr2, (uint64_t)va + 0x123);
	f = catch_fault(insn_store, va + 4);
	CHECK_EQ(f.error, 2);
	CHECK_EQ(f.cr2, (uint64_t)va + 4);
	f = catch_fault(insn_jump, va);
	CHECK_EQ(f.error, 0x10);
	CHECK_EQ(f.rip, (uint64_t)va);
	/* Across two pages: the address of the second. */
	window_map(7, (uint64_t)page, PTE_P | PTE_W);
	f = catch_fault(insn_load, va - 2);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.cr2, (uint64_t)va);
	f = user_call(user_read, (uint64_t)va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 4);
	window_map(8, (uint64_t)page, PTE_P | PTE_U);
	CHECK_EQ(user_call(user_read, (uint64_t)va).vector, USER_EXIT);
	f = user_call(user_write, (uint64_t)va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 7);
	window_map(8, (uint64_t)page, PTE_P);
	f = user_call(user_read, (uint64_t)va);
	CHECK_EQ(f.error, 5);
	window_map(8, (uint64_t)page, PTE_P | PTE_U | PTE_NX);
	f = user_call(user_jump, (uint64_t)va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 0x15);
	/* Reserved bits: beyond the physical address width. */
	window_map(8, (uint64_t)page | 1ULL << (cpuid(0x80000008, 0).a & 0xff), PTE_P);
	f = catch_fault(insn_load, va);
	CHECK_EQ(f.vector, X_PF);
	CHECK_EQ(f.error, 9);
	window_map(7, 0, 0);
	window_map(8, 0, 0);
}

TEST(exc_accessed_dirty)
{
	volatile uint8_t *va = window_map(9, (uint64_t)page, PTE_P | PTE_W);

	(void)*va;
	CHECK_EQ(window_pt[9] & 0x60, 0x20);
	*va = 1;
	CHECK_EQ(window_pt[9] & 0x60, 0x60);
	window_map(9, 0, 0);
}

TEST(exc_alignment)
{
	extern void user_unaligned(void);
	uint64_t cr0 = read_cr0();
	struct fault f;

	CHECK_EQ(user_call(user_unaligned, 0).vector, USER_EXIT);
	write_cr0(cr0 | 1U << 18);
	f = user_call(user_unaligned, 0);
	CHECK_EQ(f.vector, X_AC);
	CHECK_EQ(f.error, 0);
	write_cr0(cr0);
}

INSN(df_bad_stack, "mov %%rdi, %%rsp; ud2")

TEST(exc_double_fault)
{
	uint8_t *va = window_map(10, 0, 0);
	struct fault f = catch_fault(insn_df_bad_stack, va + 0x800);

	CHECK_EQ(f.vector, X_DF);
	CHECK_EQ(f.error, 0);
	CHECK_EQ(fault_frame.rsp, (uint64_t)va + 0x800);
	CHECK_EQ(f.cr2 & ~0xfffULL, (uint64_t)va);
	CHECK_EQ(*(uint16_t *)f.rip, 0x0b0f);
}

INSN(int91, "int $0x91")
INSN(intff, "int $0xff")

TEST(exc_software_interrupt)
{
	extern void user_int91(void), user_int3(void);
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) old, small;
	struct fault f;

	irq_setup(0x91, EOI_NONE, NULL);
	insn_int91(NULL);
	CHECK_EQ(irq_count[0x91], 1);
	/* A gate that CPL 3 may not use, and one beyond the limit. */
	f = user_call(user_int91, 0);
	CHECK_EQ(f.vector, X_GP);
	CHECK_EQ(f.error, 0x91 * 8 + 2);
	CHECK_EQ(user_call(user_int3, 0).vector, X_GP);
	__asm__ volatile("sidt %0" : "=m"(old));
	small = old;
	small.limit = 0xff * 16 - 1;
	__asm__ volatile("lidt %0" : : "m"(small));
	f = catch_fault(insn_intff, NULL);
	__asm__ volatile("lidt %0" : : "m"(old));
	CHECK_EQ(f.vector, X_GP);
	CHECK_EQ(f.error, 0xff * 8 + 2);
	__asm__ volatile("sidt %0" : "=m"(small));
	CHECK_EQ(small.limit, old.limit);
}

/*
 * INT n whose delivery page-faults is executed again. Interrupts from outside and NMIs are
 * acknowledged before they are delivered: the fault takes their place and they are lost.
 */
static volatile uint32_t ist_faults;

static void map_stack(struct frame *f)
{
	(void)f;
	ist_faults++;
	window_map(12, (uint64_t)page, PTE_P | PTE_W);
}

static void nothing(struct frame *f)
{
	(void)f;
}

TEST(exc_fault_in_delivery)
{
	extern uint64_t idt[512];
	extern uint8_t tss[104];
	uint64_t gate_91 = idt[0x91 * 2], gate_14 = idt[14 * 2];
	uint64_t stack2 = WINDOW_BASE + 13 * 4096;
	static uint8_t other[4096] __attribute__((aligned(4096)));

	/* IST2 is not mapped yet; page faults take IST3, which is. */
	window_map(12, 0, 0);
	window_map(14, (uint64_t)other, PTE_P | PTE_W);
	memcpy(tss + 44, &stack2, 8);
	stack2 = WINDOW_BASE + 15 * 4096;
	memcpy(tss + 52, &stack2, 8);
	idt[0x91 * 2] = gate_91 | 2ULL << 32;
	idt[14 * 2] = gate_14 | 3ULL << 32;
	ist_faults = 0;
	irq_setup(X_PF, EOI_NONE, map_stack);
	irq_setup(0x91, EOI_NONE, NULL);
	insn_int91(NULL);
	CHECK_EQ(irq_count[0x91], 1);
	CHECK_EQ(ist_faults, 1);
	/* The same for an interrupt from outside, and for NMI. */
	lapic_enable();
	window_map(12, 0, 0);
	sti();
	mmio_w32(LAPIC_BASE + 0x300, 0x40091);
	for (unsigned i = 0; i < 10; i++) {
		cpuid(0, 0);
	}
	cli();
	CHECK_EQ(irq_count[0x91], 1);
	CHECK_EQ(ist_faults, 2);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x140) >> 17 & 1, 1); /* in service all the same */
	mmio_w32(LAPIC_BASE + 0xb0, 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x140), 0);
	window_map(12, 0, 0);
	idt[2 * 2] |= 2ULL << 32;
	irq_setup(X_NMI, EOI_NONE, nothing);
	mmio_w32(LAPIC_BASE + 0x310, 0);
	mmio_w32(LAPIC_BASE + 0x300, 0x400);
	for (unsigned i = 0; i < 10; i++) {
		cpuid(0, 0);
	}
	CHECK_EQ(irq_count[X_NMI], 0);
	CHECK_EQ(ist_faults, 3);
	mmio_w32(LAPIC_BASE + 0x300, 0x400);
	cpuid(0, 0);
	CHECK_EQ(irq_count[X_NMI], 1);
	idt[2 * 2] &= ~(7ULL << 32);
	idt[0x91 * 2] = gate_91;
	idt[14 * 2] = gate_14;
	window_map(12, 0, 0);
	window_map(14, 0, 0);
}
