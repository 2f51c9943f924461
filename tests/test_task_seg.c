// SPDX-License-Identifier: BSD-2-Clause
// Checks in the new task: its segments, its entry point, and the stack that takes an error code.
#include "tests/task_world.h"

#define LDT_FIELD SEG_LDTR
#define USER BIT(16) /* with CS and SS of CPL 3 */

static const struct {
	const char *what;
	uint32_t field;
	uint16_t selector;
	int vector; /* -1: none */
} loads[] = {
        {"LDT in the LDT", LDT_FIELD, 12, X86_TS},
        {"LDT beyond", LDT_FIELD, GDT_END, X86_TS},
        {"LDT of another type", LDT_FIELD, SEL_C, X86_TS},
        {"LDT as data", LDT_FIELD, FRESH_DATA, X86_TS},
        {"LDT not present", LDT_FIELD, NP_LDT, X86_TS},
        {"LDT with RPL", LDT_FIELD, SEL_LDT | 3, -1},
        {"LDT null", LDT_FIELD, 3, -1},
        {"SS null", SEG_SS, 0, X86_TS},
        {"SS null, user", SEG_SS | USER, 3, X86_TS},
        {"SS beyond", SEG_SS, GDT_END, X86_TS},
        {"SS without LDT", SEG_SS, 12, X86_TS},
        {"SS code", SEG_SS, CODE0, X86_TS},
        {"SS read-only", SEG_SS, READ_ONLY, X86_TS},
        {"SS system", SEG_SS, SEL_LDT, X86_TS},
        {"SS not present", SEG_SS, NP_DATA, X86_SS},
        {"SS DPL", SEG_SS, DATA3, X86_TS},
        {"SS DPL and RPL", SEG_SS, DATA3 | 3, X86_TS},
        {"SS RPL", SEG_SS, DATA0 | 1, X86_TS},
        {"SS DPL, user", SEG_SS | USER, DATA0, X86_TS},
        {"SS RPL, user", SEG_SS | USER, DATA3, X86_TS},
        {"SS expand-down", SEG_SS, DOWN_STACK, -1},
        {"CS null", SEG_CS, 0, X86_TS},
        {"CS beyond", SEG_CS, GDT_END, X86_TS},
        {"CS without LDT", SEG_CS, 12, X86_TS},
        {"CS data", SEG_CS, DATA0, X86_TS},
        {"CS system", SEG_CS, SEL_B, X86_TS},
        {"CS DPL", SEG_CS, CODE3, X86_TS},
        {"CS RPL, user", SEG_CS | USER, CODE0 | 3, X86_TS},
        {"CS not present", SEG_CS, NP_CODE, X86_NP},
        {"CS conforming", SEG_CS, CONFORMING0, -1},
        {"CS conforming, user", SEG_CS | USER, CONFORMING0 | 3, -1},
        {"CS conforming DPL", SEG_CS, CONFORMING3, X86_TS},
        {"CS conforming DPL, user", SEG_CS | USER, CONFORMING3 | 3, -1},
        {"CS execute-only", SEG_CS, EXEC_ONLY, -1},
        {"DS null", SEG_DS, 0, -1},
        {"DS beyond", SEG_DS, GDT_END | 3, X86_TS},
        {"ES beyond", SEG_ES, GDT_END, X86_TS},
        {"FS beyond", SEG_FS, GDT_END, X86_TS},
        {"GS beyond", SEG_GS, GDT_END, X86_TS},
        {"last of the GDT", SEG_GS, GDT_END - 8, -1},
        {"DS without LDT", SEG_DS, 12, X86_TS},
        {"DS execute-only", SEG_DS, EXEC_ONLY, X86_TS},
        {"DS system", SEG_DS, SEL_LDT, X86_TS},
        {"DS readable code", SEG_DS, CODE0, -1},
        {"DS read-only", SEG_DS, READ_ONLY, -1},
        {"DS not present", SEG_DS, NP_DATA, X86_NP},
        {"GS not present", SEG_GS, NP_DATA | 1, X86_NP},
        {"DS RPL", SEG_DS, DATA0 | 1, X86_TS},
        {"DS CPL", SEG_DS | USER, DATA0, X86_TS},
        {"DS code CPL", SEG_DS | USER, CODE0, X86_TS},
        {"DS code RPL", SEG_DS, CODE0 | 3, X86_TS},
        {"DS conforming", SEG_DS | USER, CONFORMING0 | 3, -1},
        {"DS of users", SEG_DS, DATA3 | 3, -1},
};

static void make_new(unsigned i)
{
	struct tss32 t = new_tss();
	uint32_t field = loads[i].field & ~USER;

	if (loads[i].field & USER) {
		for (unsigned s = 0; s < 6; s++) {
			t.seg[s].value = s == SEG_CS ? CODE3 | 3 : DATA3 | 3;
		}
	}
	/* Null selectors are not looked up, or they would find something. */
	descriptor(GDT, 0, 0xfffff,
	        field == LDT_FIELD ? 0x82
	        : field == SEG_CS  ? 0xc09b
	                           : (loads[i].field & USER ? 0xc0f3 : 0xc093));
	if (field == LDT_FIELD) {
		t.ldt.value = loads[i].selector;
	} else {
		t.seg[field].value = loads[i].selector;
	}
	put(TSS_B, &t, sizeof(t));
}

START_TEST(loaded_segments)
{
	const char *what = loads[_i].what;
	uint32_t field = loads[_i].field & ~USER;
	uint16_t error = loads[_i].selector & 0xfffc;
	enum exit_action action;

	make_new((unsigned)_i);
	action = run(TASK_CALL, SEL_B);
	check_in_new(what, SEL_B);
	ck_assert_uint_eq(f->segs[field].selector, loads[_i].selector);
	ck_assert_uint_eq(access_of(SEL_B), 0x8b);
	ck_assert_uint_eq(get16(TSS_B), SEL_A);
	if (loads[_i].vector < 0) {
		ck_assert_msg(action == ACT_RESUME, "%s: fault %u", what, vcpu->pending.vector);
		ck_assert(f->segs[field].unusable == (error == 0));
		return;
	}
	ck_assert_msg(action == ACT_FAULT, "%s: action %d", what, action);
	check_fault(what, loads[_i].vector, error);
	/* What the entry needs: a CS and an SS of one level; nothing that was not checked. */
	ck_assert(!f->segs[SEG_CS].unusable);
	ck_assert_uint_eq(f->segs[SEG_CS].attr & 0x9a, 0x9a);
	ck_assert_uint_eq(vcpu_cpl(vcpu), f->segs[SEG_CS].selector & 3);
	if (!(f->segs[SEG_CS].attr & 4)) {
		ck_assert_uint_eq(f->segs[SEG_CS].attr >> 5 & 3, f->segs[SEG_CS].selector & 3);
	}
	ck_assert(field == SEG_CS || f->segs[field].unusable);
	if (field == LDT_FIELD) {
		ck_assert(f->segs[SEG_SS].unusable && f->segs[SEG_DS].unusable);
		ck_assert_uint_eq(f->segs[SEG_SS].selector, DATA0);
	}
	/* As the delivery of something, it says so; of a fault, it is the second. */
	setup();
	make_new((unsigned)_i);
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault(what, loads[_i].vector, error | 1);
	setup();
	make_new((unsigned)_i);
	pend(EVENT_EXCEPTION, X86_GP, true, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault(what, X86_DF, 0);
}
END_TEST

START_TEST(entry_point_outside_code)
{
	put16(TSS_B + 0x48 + 4 * SEG_CS, SMALL_CODE);
	put32(TSS_B + 0x20, 0x10000);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("EIP", X86_GP, 0);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x10000);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, SMALL_CODE);
	setup();
	put16(TSS_B + 0x48 + 4 * SEG_CS, SMALL_CODE);
	put32(TSS_B + 0x20, 0xffff);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
}
END_TEST

/* --- error codes --- */

START_TEST(error_code_is_pushed)
{
	pend(EVENT_EXCEPTION, X86_GP, true, 0x89abcdef);
	put32(STACK - 8, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK - 4);
	ck_assert_uint_eq(get32(STACK - 4), 0x89abcdef);
	ck_assert_uint_eq(get32(STACK - 8), 0x55555555);
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
	/* On a stack of 16-bit addresses, by a 32-bit task. */
	setup();
	put16(TSS_B + 0x48 + 4 * SEG_SS, DATA16);
	put32(TSS_B + 0x38, 0xabcd0000);
	pend(EVENT_EXCEPTION, X86_DF, true, 0);
	put32(0x1fffc, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], 0xabcdfffc);
	ck_assert_uint_eq(get32(0x1fffc), 0);
	/* By a 16-bit task: a word. */
	setup();
	pend(EVENT_EXCEPTION, X86_GP, true, 0x89abcdef);
	put32(0x18fec, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_C), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], 0x8fee);
	ck_assert_uint_eq(get32(0x18fec), 0xcdef5555);
}
END_TEST

/* What is not delivered has no error code, whatever its event's field says. */
START_TEST(no_error_code)
{
	pend(EVENT_NONE, 0, true, 0x1234);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK);
	ck_assert_uint_eq(get32(STACK - 4), 0);
}
END_TEST

START_TEST(stack_limits)
{
	enum exit_action action;

	put16(TSS_B + 0x48 + 4 * SEG_SS, stacks[_i].ss);
	put32(TSS_B + 0x38, stacks[_i].esp);
	pend(EVENT_EXCEPTION, X86_AC, true, 0);
	action = run(TASK_IDT_GATE, SEL_B);
	check_in_new("stack", SEL_B);
	if (stacks[_i].ok) {
		ck_assert_int_eq(action, ACT_RESUME);
		ck_assert_uint_eq(f->regs[REG_RSP], stacks[_i].esp - 4);
	} else if (stacks[_i].ss == DATA0) {
		ck_assert_int_eq(action, ACT_KILL);
	} else {
		ck_assert_int_eq(action, ACT_FAULT);
		check_fault("stack", X86_SS, 1);
		ck_assert_uint_eq(f->regs[REG_RSP], stacks[_i].esp);
	}
}
END_TEST

UNIT_MAIN("task_seg", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, loaded_segments, 0, ARRAY_SIZE(loads));
          tcase_add_test(tc, entry_point_outside_code); tcase_add_test(tc, error_code_is_pushed);
          tcase_add_test(tc, no_error_code);
          tcase_add_loop_test(tc, stack_limits, 0, ARRAY_SIZE(stacks));)
