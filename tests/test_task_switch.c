// SPDX-License-Identifier: BSD-2-Clause
// Hardware task switches: what each source does, each size of TSS, and what memory holds after
// them.
#include "tests/task_world.h"

static void check_saved32(uint64_t at, uint32_t eip, uint32_t eflags)
{
	struct tss32 t;

	get(at, &t, sizeof(t));
	ck_assert_uint_eq(t.eip, eip);
	ck_assert_uint_eq(t.eflags, eflags);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(t.gpr[i], 0xa0 | i);
	}
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_uint_eq(t.seg[i].value, 0xa8 + i);
	}
	/* The rest is not a switch's. */
	ck_assert_uint_eq(t.cr3, 0x55555555);
	ck_assert_uint_eq(t.stacks[5], 0x55555555);
	ck_assert_uint_eq(t.ldt.value, 0x5555);
	ck_assert_uint_eq(t.trap, 0x5555);
}

static void check_loaded_b(uint64_t eflags)
{
	ck_assert_uint_eq(f->regs[REG_RIP], 0x8000);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], eflags);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK);
	ck_assert_uint_eq(vcpu->gpr[REG_RSP], 0x5555);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(vcpu_reg_get(vcpu, i), i == REG_RSP ? STACK : 0xb0 | i);
	}
	ck_assert_uint_eq(f->regs[REG_CR3], 0x7000); /* no paging */
	ck_assert_uint_eq(f->regs[REG_CR0], CR0_PE | CR0_ET | CR0_TS);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x7ff & ~0x155U);
	ck_assert_uint_eq(f->segs[SEG_TR].base, TSS_B);
	ck_assert_uint_eq(f->segs[SEG_TR].limit, 0x67);
	ck_assert_uint_eq(f->segs[SEG_TR].attr, 0x8b);
	ck_assert(f->segs[SEG_LDTR].unusable);
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		ck_assert_uint_eq(f->segs[i].selector, i == SEG_CS ? CODE0 : DATA0);
		ck_assert_uint_eq(f->segs[i].attr, i == SEG_CS ? 0xc09b : 0xc093);
		ck_assert_uint_eq(f->segs[i].limit, 0xffffffff);
		ck_assert_uint_eq(f->segs[i].base, 0);
		ck_assert(!f->segs[i].unusable);
	}
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
}

#define NEW_EFLAGS (((0xffbc8228 | RFLAGS_IF) & 0x3f7fd7) | 2)

static const struct {
	const char *what;
	enum task_source source;
	enum event_type event;
	uint16_t selector;
	bool nest, old_busy;
	uint32_t eip;
	bool nt_saved;
} sources[] = {
        {"CALL", TASK_CALL, EVENT_NONE, SEL_B | 3, true, true, 0x123b, true},
        {"JMP", TASK_JMP, EVENT_NONE, SEL_B, false, false, 0x123b, true},
        {"IRET", TASK_IRET, EVENT_NONE, SEL_BUSY_B, false, false, 0x123b, false},
        {"INT n", TASK_IDT_GATE, EVENT_SOFT_INTERRUPT, SEL_B, true, true, 0x1236, true},
        {"INT3", TASK_IDT_GATE, EVENT_SOFT_EXCEPTION, SEL_B, true, true, 0x1236, true},
        {"INT1", TASK_IDT_GATE, EVENT_PRIV_SOFT_EXCEPTION, SEL_B, true, true, 0x1236, true},
        {"exception", TASK_IDT_GATE, EVENT_EXCEPTION, SEL_B, true, true, 0x1234, true},
        {"interrupt", TASK_IDT_GATE, EVENT_EXTINT, SEL_B, true, true, 0x1234, true},
        {"NMI", TASK_IDT_GATE, EVENT_NMI, SEL_B, true, true, 0x1234, true},
};

START_TEST(each_source)
{
	uint8_t fill[0x68];

	memset(fill, 0x55, sizeof(fill));
	put(TSS_A, fill, sizeof(fill));
	f->regs[REG_RFLAGS] |= RFLAGS_NT;
	f->intr_shadow = true;
	f->nmi_blocked = sources[_i].source == TASK_IRET;
	pend(sources[_i].event, 6, false, 0);
	ck_assert_int_eq(run(sources[_i].source, sources[_i].selector), ACT_RESUME);
	check_saved32(TSS_A, sources[_i].eip, sources[_i].nt_saved ? 0x7202 : 0x3202);
	check_loaded_b(NEW_EFLAGS | (sources[_i].nest ? RFLAGS_NT : 0));
	ck_assert_uint_eq(get16(TSS_A), 0x5555);
	ck_assert_uint_eq(get16(TSS_B), sources[_i].nest ? SEL_A : 0xdead);
	ck_assert_uint_eq(get16(TSS_B + 2), 0);
	ck_assert_uint_eq(access_of(SEL_A), sources[_i].old_busy ? 0x8b : 0x89);
	ck_assert_uint_eq(access_of(sources[_i].selector & 0xf8), 0x8b);
	ck_assert_uint_eq(f->segs[SEG_TR].selector, sources[_i].selector);
	ck_assert(!f->intr_shadow);
	ck_assert_uint_eq(f->skipped_len, 0);
	ck_assert(f->nmi_blocked == (sources[_i].event == EVENT_NMI));
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
}
END_TEST

START_TEST(nested_call_and_return)
{
	struct vcpu before = *vcpu;
	struct fake_vcpu f_before = *f;
	struct tss32 a = new_tss();

	/* Registers the old task can have, so that its image loads again. */
	put(TSS_A, &a, sizeof(a));
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i].selector = i == SEG_CS ? CODE0 : DATA0;
	}
	put16(TSS_A + 0x60, SEL_LDT);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert(f->regs[REG_RFLAGS] & RFLAGS_NT);
	ex.task.insn_len = 1;
	ck_assert_int_eq(run(TASK_IRET, get16(TSS_B)), ACT_RESUME);
	ck_assert_uint_eq(get32(TSS_B + 0x20), 0x8001);
	ck_assert_uint_eq(get32(TSS_B + 0x24), NEW_EFLAGS & ~RFLAGS_NT);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1234 + 7);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], f_before.regs[REG_RFLAGS]);
	ck_assert_uint_eq(f->regs[REG_RSP], 0xa4);
	ck_assert_uint_eq(vcpu->gpr[REG_RDI], (uint32_t)before.gpr[REG_RDI]);
	ck_assert_uint_eq(f->segs[SEG_LDTR].selector, SEL_LDT);
	ck_assert_uint_eq(f->segs[SEG_LDTR].base, LDT);
	ck_assert_uint_eq(f->segs[SEG_LDTR].limit, 0x1f);
	ck_assert(!f->segs[SEG_LDTR].unusable);
	ck_assert_uint_eq(access_of(SEL_A), 0x8b);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
	/* And once more: nothing is worn out. */
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x8001);
}
END_TEST

START_TEST(to_a_16_bit_task)
{
	fake_dr[6] = 0xffff0ff0;
	put16(TSS_C + 0x2c, 0xffff); /* behind its end: no T flag there */
	ck_assert_int_eq(run(TASK_JMP, SEL_C), ACT_RESUME);
	check_in_new("16 bit", SEL_C);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x4246);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(vcpu_reg_get(vcpu, i), i == REG_RSP ? 0x8ff0 : 0xc0 | i);
	}
	ck_assert_uint_eq(f->segs[SEG_TR].attr, 0x83);
	ck_assert_uint_eq(f->segs[SEG_ES].selector, DATA16);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, CODE0);
	ck_assert_uint_eq(f->segs[SEG_SS].base, 0x10000);
	ck_assert_uint_eq(f->segs[SEG_DS].selector, DATA0);
	ck_assert(f->segs[SEG_FS].unusable && f->segs[SEG_FS].selector == 0);
	ck_assert(f->segs[SEG_GS].unusable && f->segs[SEG_GS].selector == 0);
	ck_assert_uint_eq(access_of(SEL_C), 0x83);
	ck_assert_uint_eq(access_of(SEL_A), 0x89);
}
END_TEST

START_TEST(from_a_16_bit_task)
{
	uint8_t fill[0x40];
	struct tss16 t;

	memset(fill, 0x55, sizeof(fill));
	put(TSS_D, fill, sizeof(fill));
	f->segs[SEG_TR] =
	        (struct segment){.base = TSS_D, .limit = 0x2b, .attr = 0x83, .selector = SEL_D};
	f->regs[REG_RIP] = 0x54321;
	f->regs[REG_RFLAGS] = 0x13202;
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	get(TSS_D, &t, sizeof(t));
	ck_assert_uint_eq(t.link, 0x5555);
	ck_assert_uint_eq(t.stacks[5], 0x5555);
	ck_assert_uint_eq(t.ip, 0x4328);
	ck_assert_uint_eq(t.flags, 0x3202);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(t.gpr[i], 0xa0 | i);
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(t.seg[i], 0xa8 + i);
	}
	ck_assert_uint_eq(t.ldt, 0x5555);
	ck_assert_uint_eq(get16(TSS_D + 0x2c), 0x5555);
	ck_assert_uint_eq(get16(TSS_B), SEL_D);
	ck_assert_uint_eq(access_of(SEL_D), 0x83);
	/* Back again: its saved image, with LDT 0x5554 being none. */
	put16(TSS_D + 0x2a, 0);
	put16(TSS_D + 0x22, DATA0);
	put16(TSS_D + 0x24, CODE0);
	put16(TSS_D + 0x26, DATA0);
	put16(TSS_D + 0x28, 0);
	ck_assert_int_eq(run(TASK_IRET, SEL_D), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x4328);
	ck_assert(f->segs[SEG_DS].unusable);
	ck_assert_uint_eq(access_of(SEL_D), 0x83);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
}
END_TEST

/* A task that returns to itself reads what it just saved. */
START_TEST(to_itself)
{
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i].selector = i == SEG_CS ? CODE0 : DATA0;
	}
	f->regs[REG_RFLAGS] |= RFLAGS_NT;
	ck_assert_int_eq(run(TASK_IRET, SEL_A), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1234 + 7);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x3202);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 0xa1);
}
END_TEST

START_TEST(virtual_8086_task)
{
	static const uint16_t selectors[] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0xffff};
	struct tss32 t = new_tss();

	t.eflags = 0x23202;
	t.eip = 0x8000;
	t.ldt.value = SEL_LDT;
	for (unsigned i = 0; i < 6; i++) {
		t.seg[i].value = selectors[i];
	}
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	check_in_new("v86", SEL_B);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x23202);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_uint_eq(f->segs[i].selector, selectors[i]);
		ck_assert_uint_eq(f->segs[i].base, (uint32_t)selectors[i] << 4);
		ck_assert_uint_eq(f->segs[i].limit, 0xffff);
		ck_assert_uint_eq(f->segs[i].attr, 0xf3);
		ck_assert(!f->segs[i].unusable);
	}
	ck_assert_uint_eq(f->segs[SEG_LDTR].selector, SEL_LDT);
	ck_assert(!f->segs[SEG_LDTR].unusable);
	/* From it by an interrupt: its flags and paragraphs are saved. */
	f->segs[SEG_TR].selector = SEL_B;
	descriptor(GDT + SEL_A, TSS_A, 0x67, 0x89);
	t = new_tss();
	put(TSS_A, &t, sizeof(t));
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_A), ACT_RESUME);
	ck_assert_uint_eq(get32(TSS_B + 0x24), 0x23202);
	ck_assert_uint_eq(get16(TSS_B + 0x5c), 0xffff);
	ck_assert(!(f->regs[REG_RFLAGS] & RFLAGS_VM));
}
END_TEST

/* Its LDT is checked though it has no use for it; an EIP beyond 64 KiB is outside CS. */
START_TEST(virtual_8086_faults)
{
	struct tss32 t = new_tss();

	t.eflags = 0x23202;
	t.ldt.value = SEL_B;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("v86 LDT", X86_TS, SEL_B);
	ck_assert_uint_eq(f->segs[SEG_SS].attr, 0xf3);
	setup();
	t.ldt.value = 0;
	t.eip = 0x10000;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("v86 EIP", X86_GP, 0);
	setup();
	t.eip = 0xffff;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
}
END_TEST

START_TEST(user_task)
{
	struct tss32 t = new_tss();

	for (unsigned i = 0; i < 6; i++) {
		t.seg[i].value = i == SEG_CS ? CODE3 | 3 : DATA3 | 3;
	}
	t.seg[SEG_GS].value = 3;           /* null, with an RPL */
	t.seg[SEG_FS].value = CONFORMING0; /* readable by everybody */
	t.seg[SEG_DS].value = 16 | 4 | 3;  /* in the LDT */
	t.ldt.value = SEL_LDT;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(vcpu_cpl(vcpu), 3);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xc0fb);
	ck_assert(f->segs[SEG_GS].unusable);
	ck_assert_uint_eq(f->segs[SEG_GS].selector, 3);
	ck_assert_uint_eq(f->segs[SEG_FS].attr, 0xc09f);
	ck_assert_uint_eq(f->segs[SEG_DS].base, 0x800);
	/* The processor's own accesses are the supervisor's still. */
	ck_assert_int_eq(run(TASK_JMP, SEL_C), ACT_RESUME);
	ck_assert_uint_eq(vcpu_cpl(vcpu), 0);
}
END_TEST

START_TEST(accessed_flags)
{
	put16(TSS_B + 0x48 + 4 * SEG_ES, FRESH_DATA);
	put16(TSS_B + 0x48 + 4 * SEG_CS, FRESH_CODE);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(access_of(FRESH_DATA), 0x93);
	ck_assert_uint_eq(access_of(FRESH_CODE), 0x9b);
	ck_assert_uint_eq(f->segs[SEG_ES].attr, 0xc093);
	ck_assert_uint_eq(f->segs[SEG_ES].base, 0x12345000);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xc09b);
}
END_TEST

START_TEST(trap_flag)
{
	put16(TSS_B + 0x64, 0xfffe);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	setup();
	put16(TSS_B + 0x64, 1);
	f->regs[REG_DR7] = 0x27ff;
	fake_dr[6] = 0xffff0ff1;
	pend(EVENT_EXCEPTION, X86_GP, true, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_in_new("T", SEL_B);
	/* Not a double fault: the first one is delivered. */
	ck_assert_int_eq(vcpu->pending.type, EVENT_EXCEPTION);
	ck_assert_uint_eq(vcpu->pending.vector, X86_DB);
	ck_assert(!vcpu->pending.has_error);
	ck_assert_uint_eq(fake_dr[6], 0xffff8ff0);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x27ff & ~0x2155U);
	ck_assert_uint_eq(f->regs[REG_DEBUGCTL], 0);
	ck_assert_uint_eq(f->segs[SEG_GS].selector, DATA0);
}
END_TEST

UNIT_MAIN("task_switch", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, each_source, 0, ARRAY_SIZE(sources));
          tcase_add_test(tc, nested_call_and_return); tcase_add_test(tc, to_a_16_bit_task);
          tcase_add_test(tc, from_a_16_bit_task); tcase_add_test(tc, to_itself);
          tcase_add_test(tc, virtual_8086_task); tcase_add_test(tc, virtual_8086_faults);
          tcase_add_test(tc, user_task); tcase_add_test(tc, accessed_flags);
          tcase_add_test(tc, trap_flag);)
