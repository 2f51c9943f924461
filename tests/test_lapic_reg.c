// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's registers: what each takes and gives back, what a reset leaves, and errors.
// Specs: [SDM3] "Local APIC", "Error Handling".
#include "tests/lapic_world.h"

/* After power-on and software enable: value read, value written, value read then, ESR bits. */
static const struct {
	uint32_t offset, reset, write, after, esr;
} regs[] = {
        {LAPIC_ID, 0x01000000, 0xff000000, 0x01000000, 0},
        {LAPIC_VERSION, 0x00050014, 0, 0x00050014, 0},
        {LAPIC_TPR, 0, 0xffffffff, 0xff, 0},
        {LAPIC_PPR, 0, 0xff, 0, 0},
        {LAPIC_EOI, 0, 0, 0, 0},
        {LAPIC_LDR, 0, 0xffffffff, 0xff000000, 0},
        {LAPIC_DFR, 0xffffffff, 0, 0x0fffffff, 0},
        {LAPIC_SVR, 0x1ff, 0xffffffff, 0x3ff, 0},
        {LAPIC_ISR, 0, 0xffffffff, 0, 0},
        {LAPIC_TMR + 0x70, 0, 0xffffffff, 0, 0},
        {LAPIC_IRR + 0x70, 0, 0xffffffff, 0, 0},
        {LAPIC_ESR, 0, 0xffffffff, 0, 0},
        {LAPIC_LVT_CMCI, 0, 0x10000, 0, ESR_ILLEGAL_REGISTER},
        {LAPIC_ICR, 0, 0x000c1541, 0x000c0541, 0},
        {LAPIC_ICR_HIGH, 0, 0xffffffff, 0xff000000, 0},
        {LAPIC_LVT_TIMER, 0x10000, 0xffffffff, 0x700ff, 0},
        {LAPIC_LVT_THERMAL, 0x10000, 0xffffffff, 0x107ff, 0},
        {LAPIC_LVT_PERF, 0x10000, 0xffffffff, 0x107ff, 0},
        {LAPIC_LVT_LINT0, 0x10000, 0xffffffff, 0x1a7ff, 0},
        {LAPIC_LVT_LINT1, 0x10000, 0xffffffff, 0x1a7ff, 0},
        {LAPIC_LVT_ERROR, 0x10000, 0xffffffff, 0x100ff, 0},
        {LAPIC_TIMER_INITIAL, 0, 0x12345678, 0x12345678, 0},
        {LAPIC_TIMER_CURRENT, 0, 0x12345678, 0, 0},
        {LAPIC_TIMER_DIVIDE, 0, 0xffffffff, 0xb, 0},
        {LAPIC_SELF_IPI, 0, 0x41, 0, ESR_ILLEGAL_REGISTER},
        {0x000, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x090, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x400, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0xff0, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x084, 0, 1, 0, 0},
        {0x1000, 0, 1, 0, 0},
        {0xfffffff0, 0, 1, 0, 0},
};

START_TEST(register_table)
{
	ck_assert_uint_eq(lapic_read(apic[1], regs[_i].offset), regs[_i].reset);
	ck_assert_uint_eq(apic[1]->esr_pending, regs[_i].esr);
	apic[1]->esr_pending = 0;
	/* An ICR write here is an INIT to everybody, so nothing to see in IRR. */
	lapic_write(apic[1], regs[_i].offset, regs[_i].write);
	ck_assert_uint_eq(apic[1]->esr_pending, regs[_i].esr);
	ck_assert_uint_eq(lapic_read(apic[1], regs[_i].offset), regs[_i].after);
}
END_TEST

START_TEST(software_disable_masks)
{
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x40);
	lapic_write(apic[0], LAPIC_LVT_LINT0, 0x700);
	ck_assert(lapic_extint_open(apic[0]));
	lapic_write(apic[0], LAPIC_SVR, 0xff);
	ck_assert(!lapic_enabled(apic[0]));
	ck_assert(!lapic_extint_open(apic[0]));
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10040);
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x41);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10041);
	lapic_write(apic[0], LAPIC_SVR, 0x1ff);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10041);
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x41);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x41);
}
END_TEST

START_TEST(reset_states)
{
	lapic_write(apic[1], LAPIC_TPR, 0x20);
	lapic_post(apic[1], 0x41, true);
	lapic_fold(apic[1]);
	lapic_post(apic[1], 0x42, false);
	ck_assert(lapic_set_base(apic[1], 0xfec80000 | APIC_BASE_EN));
	lapic_reset(apic[1], false);
	ck_assert_uint_eq(apic[1]->base, 0xfec80000 | APIC_BASE_EN);
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_TPR), 0);
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_SVR), 0xff);
	ck_assert_int_eq(lapic_pending(apic[1]), -1);
	ck_assert(!lapic_has_interrupt(apic[1]));
	lapic_reset(apic[1], true);
	ck_assert_uint_eq(apic[1]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN);
	lapic_reset(apic[0], true);
	ck_assert_uint_eq(apic[0]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP);
	ck_assert(lapic_extint_open(apic[0]));
	ck_assert(!lapic_extint_open(apic[1]));
	ck_assert_uint_eq(fake_vcpu(vm->vcpus[0])->apic_base, apic[0]->base);
}
END_TEST

/* --- errors --- */

START_TEST(errors)
{
	lapic_write(apic[0], LAPIC_LVT_ERROR, 0x33);
	lapic_write(apic[0], LAPIC_ICR, 0x000c0005); /* fixed, vector 5, others */
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x33);
	lapic_write(apic[0], LAPIC_ESR, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), ESR_SEND_ILLEGAL);
	ck_assert_uint_eq(apic[1]->pir_notify, 0);
	lapic_read(apic[0], 0x3a0);
	lapic_write(apic[0], LAPIC_ESR, 0x1234);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), ESR_ILLEGAL_REGISTER);
	lapic_write(apic[0], LAPIC_ESR, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), 0);
}
END_TEST

START_TEST(error_vector_may_be_illegal_itself)
{
	lapic_write(apic[0], LAPIC_LVT_ERROR, 0x3);
	lapic_read(apic[0], 0x3a0);
	ck_assert_uint_eq(apic[0]->esr_pending, ESR_ILLEGAL_REGISTER | ESR_RECEIVE_ILLEGAL);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
}
END_TEST

UNIT_MAIN("lapic_reg", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, register_table, 0, ARRAY_SIZE(regs));
          tcase_add_test(tc, software_disable_masks); tcase_add_test(tc, reset_states);
          tcase_add_test(tc, errors); tcase_add_test(tc, error_vector_may_be_illegal_itself);)
