// SPDX-License-Identifier: BSD-2-Clause
// Task switches that are refused while the old task still runs.
#include "tests/task_world.h"

static const struct {
	const char *what;
	enum task_source source;
	uint16_t selector;
	uint8_t vector;
	uint16_t error;
} refused[] = {
        {"null", TASK_JMP, 0, X86_GP, 0},
        {"null with RPL", TASK_CALL, 3, X86_GP, 0},
        {"null, back", TASK_IRET, 2, X86_TS, 0},
        {"in the LDT", TASK_JMP, SEL_B | 4, X86_GP, SEL_B | 4},
        {"in the LDT, back", TASK_IRET, SEL_BUSY_B | 4, X86_TS, SEL_BUSY_B | 4},
        {"beyond the GDT", TASK_CALL, GDT_END | 1, X86_GP, GDT_END},
        {"beyond the GDT, back", TASK_IRET, GDT_END, X86_TS, GDT_END},
        {"far beyond", TASK_CALL, 0xfffb, X86_GP, 0xfff8},
        {"busy", TASK_JMP, SEL_BUSY_B, X86_GP, SEL_BUSY_B},
        {"busy, 16 bit", TASK_CALL, SEL_D, X86_GP, SEL_D},
        {"itself", TASK_CALL, SEL_A, X86_GP, SEL_A},
        {"not busy, back", TASK_IRET, SEL_B, X86_TS, SEL_B},
        {"not busy, 16 bit, back", TASK_IRET, SEL_C, X86_TS, SEL_C},
        {"an LDT", TASK_JMP, SEL_LDT, X86_GP, SEL_LDT},
        {"an LDT, back", TASK_IRET, SEL_LDT, X86_TS, SEL_LDT},
        {"code", TASK_JMP, EXEC_ONLY, X86_GP, EXEC_ONLY},
        {"data", TASK_JMP, READ_ONLY, X86_GP, READ_ONLY},
        {"code, back", TASK_IRET, CODE0, X86_TS, CODE0},
        {"not present", TASK_CALL, NP_TSS | 2, X86_NP, NP_TSS},
        {"not present, back", TASK_IRET, NP_BUSY_TSS, X86_NP, NP_BUSY_TSS},
        {"short", TASK_JMP, SHORT_TSS32, X86_TS, SHORT_TSS32},
        {"short, 16 bit", TASK_JMP, SHORT_TSS16, X86_TS, SHORT_TSS16},
};

START_TEST(refused_selectors)
{
	uint16_t attr = refused[_i].source == TASK_IRET ? 0x8b : 0x89;

	/* Where a selector that is refused unseen would lead: to a task. */
	descriptor(GDT, TSS_B, 0x67, attr);
	descriptor(f->segs[SEG_LDTR].base + SEL_B, TSS_B, 0x67, attr);
	descriptor(f->segs[SEG_LDTR].base + SEL_BUSY_B, TSS_B, 0x67, attr);
	ck_assert_int_eq(run(refused[_i].source, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	check_in_old(refused[_i].what);
	if (refused[_i].source != TASK_CALL) {
		return;
	}
	/* By a gate of the IDT: EXT, unless an instruction asked for it. */
	vcpu->pending.type = EVENT_NONE;
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error | 1);
	pend(EVENT_PRIV_SOFT_EXCEPTION, 1, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error | 1);
	pend(EVENT_SOFT_INTERRUPT, 0x80, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	pend(EVENT_SOFT_EXCEPTION, 3, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	check_in_old(refused[_i].what);
}
END_TEST

/* What the delivery of a fault cannot deliver becomes a double fault, and that the end. */
START_TEST(refused_deliveries)
{
	pend(EVENT_EXCEPTION, X86_GP, true, 0x50);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_FAULT);
	check_fault("double", X86_DF, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_SHUTDOWN);
	check_in_old("triple");
	pend(EVENT_NMI, X86_NMI, false, 0);
	f->nmi_blocked = false;
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_FAULT);
	ck_assert(f->nmi_blocked);
	ck_assert_int_eq(run(TASK_IRET, SEL_B), ACT_FAULT);
	ck_assert(!f->nmi_blocked);
}
END_TEST

START_TEST(old_tss_too_short)
{
	f->segs[SEG_TR].limit = 0x66;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("32 bit", X86_TS, SEL_A);
	check_in_old("32 bit");
	f->segs[SEG_TR].limit = 0x2b;
	f->segs[SEG_TR].attr = 0x83;
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	setup();
	f->segs[SEG_TR].limit = 0x2a;
	f->segs[SEG_TR].attr = 0x83;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("16 bit", X86_TS, SEL_A);
	/* Its descriptor is gone: only who has to clear its busy flag cares. */
	setup();
	f->segs[SEG_TR].selector = GDT_END;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("no descriptor", X86_TS, GDT_END);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
}
END_TEST

START_TEST(tables_outside_ram)
{
	f->tables[0].base = 0xfffff000;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	ck_assert_ptr_nonnull(vcpu->kill_reason);
	setup();
	f->segs[SEG_TR].base = 0xfffff000;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	setup();
	descriptor(GDT + SEL_B, 0xfffff000, 0x67, 0x89);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	check_in_old("outside");
}
END_TEST

START_TEST(modes_without_tasks)
{
	f->regs[REG_CR0] = CR0_ET;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	f->regs[REG_CR0] = CR0_PE | CR0_PG | CR0_ET;
	f->regs[REG_EFER] = EFER_LMA | EFER_LME;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "task switch in a mode that has none");
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
}
END_TEST

UNIT_MAIN("task_refused", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, refused_selectors, 0, ARRAY_SIZE(refused));
          tcase_add_test(tc, refused_deliveries); tcase_add_test(tc, old_tss_too_short);
          tcase_add_test(tc, tables_outside_ram); tcase_add_test(tc, modes_without_tasks);)
