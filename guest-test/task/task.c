// SPDX-License-Identifier: BSD-2-Clause
// Hardware task switches in 32-bit protected mode: JMP, CALL and IRET, gates, TSSs of 16 bits,
// virtual-8086 tasks, faults and NMIs through task gates.
// Specs: [SDM3] "Task Management", "Interrupt Tasks".
#include "guest-test/lib/test.h"

#define MAIN 0x58
#define B 0x60
#define B16 0x68
#define H 0x70
#define V86 0x78
#define GATE 0x80
#define LDT 0x88
#define CODE16 0x90
#define CODE32 0x28
#define DATA 0x10
#define V86_CODE 0x70000U

#define ATTR_TSS32 0x89ULL
#define ATTR_TSS16 0x81ULL
#define ATTR_LDT 0x82ULL
#define ATTR_TASK_GATE 0x85ULL
#define ATTR_INT_GATE 0x8eULL

struct tss32 {
	uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], seg[6], ldt;
	uint16_t trap, io_map;
};

struct tss16 {
	uint16_t link, stacks[6], ip, flags, gpr[8], seg[4], ldt;
};

uint64_t gdt32[32] __attribute__((aligned(8)));
uint64_t idt32[256] __attribute__((aligned(8)));
struct tss32 tss_main, tss_b, tss_h, tss_v86;
static struct tss16 tss_16;
static uint64_t ldt[2] __attribute__((aligned(8)));
static uint64_t pdpt[2][4] __attribute__((aligned(32)));

extern const uint64_t gdt[11];
extern uint64_t pds[4 * 512];
extern uint32_t unexpected[3], record_start[], record_end[];
extern volatile uint32_t m_flags, m_ebx, m_esp, m_cr0, m_cr3, m_tr, m_ldt;
extern volatile uint32_t b_regs[8], b_count, b_flags, b_cr0, b_cr3, b_dr7, b_tr, b_ldt;
extern volatile uint16_t b_seg[6];
extern volatile uint32_t h_count, h_error, h_flags, h_tr, h_link, h_dr6, h_fix_tss, h_fix_len;
extern volatile uint32_t h_eip, h_return, h_eoi, h_nmi, h_nested, h_esp;
extern uint8_t stack_main[], stack_b[], stack_h[], v86_code[], v86_end[];
extern uint8_t main_gp_insn[];

void run32(void (*fn)(void), uint32_t cr3);
void unexpected32(void);
void main_jmp(void), main_call(void), main_call_gate(void), main_int(void), main_ud(void);
void main_gp(void), main_nmi(void), main_irq(void), main_jmp16(void), main_call_v86(void);
void main_jmp_busy(void), main_call_twice(void);
void b_jmp(void), b_iret(void), b_16(void), h_with_error(void), h_plain(void);

static uint32_t address(const void *p)
{
	return (uint32_t)(uint64_t)p;
}

static void descriptor(unsigned selector, uint32_t base, uint32_t limit, uint64_t attr)
{
	gdt32[selector / 8] = (uint64_t)(base >> 24) << 56 | (uint64_t)(base & 0xffffff) << 16 |
	                      attr << 40 | (uint64_t)(limit & 0xf0000) << 32 | (limit & 0xffff);
}

static void task_gate(unsigned vector, unsigned selector)
{
	idt32[vector] = ATTR_TASK_GATE << 40 | (uint64_t)selector << 16;
}

static void make_task(struct tss32 *t, void (*fn)(void), uint8_t *stack)
{
	memset(t, 0, sizeof(*t));
	t->cr3 = address(pdpt[1]);
	t->eip = (uint32_t)(uint64_t)fn;
	t->eflags = 2;
	t->gpr[4] = address(stack);
	for (unsigned i = 0; i < 6; i++) {
		t->seg[i] = i == 1 ? CODE32 : DATA;
	}
	t->io_map = sizeof(*t);
}

/* Everything as for the first time. */
static void prepare(void (*b)(void), void (*h)(void))
{
	uint64_t handler = (uint64_t)unexpected32;

	for (uint32_t *p = record_start; p < record_end; p++) {
		*p = 0;
	}
	memset(unexpected, 0, 12);
	memcpy(gdt32, gdt, sizeof(gdt));
	descriptor(MAIN, address(&tss_main), 0x67, ATTR_TSS32);
	descriptor(B, address(&tss_b), 0x67, ATTR_TSS32);
	descriptor(B16, address(&tss_16), 0x2b, ATTR_TSS16);
	descriptor(H, address(&tss_h), 0x67, ATTR_TSS32);
	descriptor(V86, address(&tss_v86), 0x67, ATTR_TSS32);
	gdt32[GATE / 8] = ATTR_TASK_GATE << 40 | (uint64_t)B << 16;
	descriptor(LDT, address(ldt), sizeof(ldt) - 1, ATTR_LDT);
	ldt[1] = gdt[DATA / 8];
	descriptor(CODE16, (uint32_t)(uint64_t)b_16, 0xfffff, 0x9bULL);
	gdt32[CODE16 / 8] |= 0xc0ULL << 48;
	for (unsigned i = 0; i < 256; i++) {
		idt32[i] = (handler & 0xffff) | (uint64_t)CODE32 << 16 | ATTR_INT_GATE << 40 |
		           (handler >> 16) << 48;
	}
	for (unsigned i = 0; i < 4; i++) {
		pdpt[0][i] = pdpt[1][i] = (uint64_t)(pds + i * 512) | 1;
	}
	make_task(&tss_main, NULL, stack_main);
	tss_main.cr3 = address(pdpt[0]);
	make_task(&tss_b, b, stack_b);
	make_task(&tss_h, h, stack_h);
}

static void go(void (*fn)(void), uint32_t cr3)
{
	run32(fn, cr3);
	CHECK_EQ(unexpected[0], 0);
	if (unexpected[0]) {
		put_string("     unexpected: stack ");
		put_hex(unexpected[1]);
		put_string(" ");
		put_hex(unexpected[2]);
		put_string("\n");
	}
	/* The main task came back to itself. */
	CHECK_EQ(m_tr, MAIN);
	CHECK_EQ(m_esp, address(stack_main) - 4);
	CHECK(m_cr0 & 8);
	CHECK(!(m_flags & 0x4000));
	CHECK_EQ(m_cr3, cr3 ? cr3 : read_cr3());
}

static uint8_t busy(unsigned selector)
{
	return gdt32[selector / 8] >> 41 & 1;
}

TEST(task_jump)
{
	prepare(b_jmp, h_plain);
	for (unsigned i = 0; i < 8; i++) {
		tss_b.gpr[i] = 0xb0000000 + i;
	}
	tss_b.gpr[4] = address(stack_b);
	tss_b.eflags = 0x8d7;
	tss_b.ldt = LDT;
	tss_b.seg[4] = 8 | 4;
	tss_b.seg[5] = 0;
	write_dr7(0x7ff);
	go(main_jmp, 0);
	CHECK_EQ(b_count, 1);
	for (unsigned i = 0; i < 8; i++) {
		CHECK_EQ(b_regs[i], i == 4 ? address(stack_b) : 0xb0000000 + i);
	}
	CHECK_EQ(b_flags & 0x8d5, 0x8d5);
	CHECK(!(b_flags & 0x4000));
	CHECK(b_cr0 & 8);
	CHECK_EQ(b_tr, B);
	CHECK_EQ(b_ldt, LDT);
	CHECK_EQ(b_dr7, 0x7ff & ~0x155);
	CHECK_EQ(b_seg[4], 12);
	CHECK_EQ(b_seg[5], 0);
	CHECK_EQ(b_seg[1], CODE32);
	CHECK_EQ(m_ebx, 0x11111111);
	CHECK_EQ(m_ldt, 0);
	CHECK_EQ(busy(MAIN), 1);
	CHECK_EQ(busy(B), 0);
	CHECK_EQ(tss_b.link, 0);
}

TEST(task_call_and_return)
{
	prepare(b_iret, h_plain);
	go(main_call, 0);
	CHECK_EQ(b_count, 1);
	CHECK(b_flags & 0x4000);
	CHECK_EQ(tss_b.link, MAIN);
	CHECK(!(tss_b.eflags & 0x4000));
	CHECK_EQ(busy(MAIN), 1);
	CHECK_EQ(busy(B), 0);
	/* Through a gate of the GDT, and again from where it stopped. */
	prepare(b_iret, h_plain);
	go(main_call_gate, 0);
	CHECK_EQ(b_count, 1);
	prepare(b_iret, h_plain);
	go(main_call_twice, 0);
	CHECK_EQ(b_count, 2);
}

TEST(task_paging)
{
	prepare(b_iret, h_plain);
	go(main_call, address(pdpt[0]));
	CHECK_EQ(b_count, 1);
	CHECK_EQ(b_cr3, address(pdpt[1]));
}

TEST(task_int)
{
	prepare(b_iret, h_plain);
	task_gate(0x41, B);
	go(main_int, 0);
	CHECK_EQ(b_count, 1);
	CHECK(b_flags & 0x4000);
	CHECK_EQ(b_regs[4], address(stack_b)); /* no error code */
}

TEST(task_fault)
{
	prepare(b_iret, h_plain);
	task_gate(6, H);
	h_fix_tss = address(&tss_main);
	h_fix_len = 2;
	go(main_ud, 0);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_eip, (uint32_t)(uint64_t)main_ud);
	CHECK_EQ(h_link, MAIN);
	CHECK_EQ(h_tr, H);
	CHECK_EQ(h_esp, address(stack_h) - 4);
	CHECK_EQ(tss_main.eflags & 0x10000, 0x10000); /* RF, as of any fault */
}

TEST(task_fault_with_error)
{
	prepare(b_iret, h_with_error);
	task_gate(13, H);
	h_fix_tss = address(&tss_main);
	h_fix_len = 2;
	go(main_gp, 0);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_error, 0xfff8);
	CHECK_EQ(h_eip, address(main_gp_insn));
	CHECK_EQ(h_esp, address(stack_h) - 4);
}

TEST(task_double_fault)
{
	prepare(b_iret, h_with_error);
	task_gate(8, H);
	idt32[13] = 0;
	h_fix_tss = address(&tss_main);
	h_fix_len = 2;
	h_error = 0x1234;
	go(main_gp, 0);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_error, 0);
	CHECK_EQ(h_eip, address(main_gp_insn));
}

/* The descriptor of a task that runs: #GP in the old task. */
TEST(task_busy)
{
	prepare(b_iret, h_with_error);
	task_gate(13, H);
	h_fix_tss = address(&tss_main);
	h_fix_len = 7;
	go(main_jmp_busy, 0);
	CHECK_EQ(h_error, MAIN);
	CHECK_EQ(h_link, MAIN);
	CHECK_EQ(h_eip, (uint32_t)(uint64_t)main_jmp_busy);
}

/* What is wrong with a new task is that task's fault. */
TEST(task_invalid)
{
	prepare(b_iret, h_with_error);
	task_gate(10, H);
	tss_b.seg[2] = DATA | 3;
	h_return = MAIN;
	go(main_call, 0);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_error, DATA);
	CHECK_EQ(h_link, B);
	CHECK_EQ(b_count, 0);
	CHECK_EQ(tss_b.eip, (uint32_t)(uint64_t)b_iret);
	/* A data segment that is not there: #NP, in that task again. */
	prepare(b_iret, h_with_error);
	task_gate(11, H);
	tss_b.seg[3] = 0x30; /* not present */
	h_return = MAIN;
	go(main_call, 0);
	CHECK_EQ(h_error, 0x30);
	CHECK_EQ(h_link, B);
}

TEST(task_trap)
{
	prepare(b_iret, h_plain);
	task_gate(1, H);
	tss_b.trap = 1;
	go(main_call, 0);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_link, B);
	CHECK_EQ(h_dr6 & 0xe00f, 0x8000);
	CHECK_EQ(b_count, 1);
	write_dr6(0xffff0ff0);
}

TEST(task_16_bit)
{
	prepare(b_iret, h_plain);
	memset(&tss_16, 0, sizeof(tss_16));
	tss_16.flags = 2;
	tss_16.gpr[0] = 0x1234;
	tss_16.seg[0] = tss_16.seg[2] = tss_16.seg[3] = DATA;
	tss_16.seg[1] = CODE16;
	tss_16.gpr[4] = 0x7000;
	go(main_jmp16, 0);
	CHECK_EQ(b_count, 1);
	CHECK_EQ(b_tr, B16);
	CHECK_EQ(b_regs[0] & 0xffff, 0x1234);
	CHECK_EQ(b_regs[4] & 0xffff, 0x7000);
	CHECK_EQ(b_seg[4], 0);
	CHECK_EQ(tss_16.seg[1], CODE16);
	CHECK_EQ(tss_16.gpr[4], 0x7000);
	CHECK_EQ(busy(B16), 0);
}

TEST(task_v86)
{
	volatile uint16_t *mark = (uint16_t *)(uint64_t)(V86_CODE + 0x100);

	prepare(b_iret, h_with_error);
	memset((void *)(uint64_t)V86_CODE, 0, 0x200);
	memcpy((void *)(uint64_t)V86_CODE, v86_code, (size_t)(v86_end - v86_code));
	make_task(&tss_v86, NULL, NULL);
	for (unsigned i = 0; i < 6; i++) {
		tss_v86.seg[i] = i == 1 ? V86_CODE >> 4 : 0x6000;
	}
	tss_v86.eflags = 0x20002;
	tss_v86.gpr[4] = 0x8000;
	task_gate(13, H);
	h_return = MAIN;
	go(main_call_v86, 0);
	CHECK_EQ(mark[0], V86_CODE >> 4);
	CHECK_EQ(mark[1], 0x6000);
	CHECK_EQ(h_count, 1);
	CHECK_EQ(h_error, 0);
	CHECK_EQ(h_link, V86);
	CHECK_EQ(tss_v86.eip, (uint32_t)(v86_end - v86_code - 1));
	CHECK(tss_v86.eflags & 0x20000);
	CHECK_EQ(tss_v86.seg[1], V86_CODE >> 4);
}

TEST(task_nmi)
{
	prepare(b_iret, h_plain);
	lapic_enable();
	task_gate(2, H);
	h_nmi = 1; /* another while it is handled */
	go(main_nmi, 0);
	CHECK_EQ(h_nested, 1);
	CHECK_EQ(h_count, 2);
	CHECK_EQ(h_link, MAIN);
}

TEST(task_interrupt)
{
	prepare(b_iret, h_plain);
	lapic_enable();
	pic_mask_all();
	task_gate(0x51, H);
	h_eoi = 1;
	go(main_irq, 0);
	CHECK_EQ(h_count, 1);
	CHECK(!(h_flags & 0x200));
	CHECK(h_flags & 0x4000);
	CHECK(m_flags & 0x200);
}
