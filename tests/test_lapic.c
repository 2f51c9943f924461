// SPDX-License-Identifier: BSD-2-Clause
// The local APIC: priorities, levels, and what of them is the processor's.
// Specs: [SDM3] "Interrupt, Task, and Processor Priority", "Interrupt Acceptance for Fixed
// Interrupts".
#include "tests/lapic_world.h"

START_TEST(highest_first)
{
	lapic_post(apic[0], 0x31, false);
	lapic_post(apic[0], 0xf1, false);
	lapic_post(apic[0], 0x92, false);
	lapic_post(apic[0], 0x92, false);
	ck_assert(lapic_has_interrupt(apic[0]));
	ck_assert_int_eq(lapic_pending(apic[0]), 0xf1);
	lapic_ack(apic[0], 0xf1);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_PPR), 0xf0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ISR + 0x70), 1 << 17);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert(!lapic_has_interrupt(apic[0]));
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x92);
	lapic_ack(apic[0], 0x92);
	/* A higher class nests, the same class waits. */
	lapic_post(apic[0], 0x9f, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	lapic_post(apic[0], 0xa0, false);
	ck_assert_int_eq(lapic_pending(apic[0]), 0xa0);
	lapic_ack(apic[0], 0xa0);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_PPR), 0x90);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x9f);
	lapic_ack(apic[0], 0x9f);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x31);
	lapic_ack(apic[0], 0x31);
	lapic_write(apic[0], LAPIC_EOI, 0);
	lapic_write(apic[0], LAPIC_EOI, 0); /* one too many does nothing */
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(eois, 0);
}
END_TEST

/* TPR, vector in service (0 = none), vector requested: PPR, deliverable. */
static const struct {
	uint8_t tpr, isr, irr, ppr;
	bool deliver;
} priorities[] = {
        {0x00, 0x00, 0x10, 0x00, true},
        {0x0f, 0x00, 0x10, 0x0f, true},
        {0x10, 0x00, 0x1f, 0x10, false},
        {0x40, 0x00, 0x4f, 0x40, false},
        {0x40, 0x00, 0x50, 0x40, true},
        {0x45, 0x41, 0x50, 0x45, true},
        {0x45, 0x51, 0x50, 0x50, false},
        {0x45, 0x51, 0x60, 0x50, true},
        {0xff, 0x00, 0xff, 0xff, false},
        {0x00, 0xff, 0xff, 0xf0, false},
        {0xef, 0x00, 0xff, 0xef, true},
};

START_TEST(priority_table)
{
	struct lapic *a = apic[2];

	if (priorities[_i].isr) {
		lapic_accept(a, priorities[_i].isr, false);
		ck_assert_int_eq(lapic_pending(a), priorities[_i].isr);
		lapic_ack(a, priorities[_i].isr);
	}
	lapic_write(a, LAPIC_TPR, priorities[_i].tpr);
	lapic_post(a, priorities[_i].irr, false);
	ck_assert_uint_eq(lapic_read(a, LAPIC_PPR), priorities[_i].ppr);
	ck_assert_int_eq(lapic_has_interrupt(a), priorities[_i].deliver);
	ck_assert_int_eq(lapic_pending(a), priorities[_i].deliver ? priorities[_i].irr : -1);
	ck_assert_int_eq(lapic_has_interrupt(a), priorities[_i].deliver);
}
END_TEST

START_TEST(cr8_is_tpr)
{
	lapic_post(apic[0], 0x55, false);
	lapic_set_cr8(apic[0], 5);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TPR), 0x50);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	lapic_set_cr8(apic[0], 4);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x55);
	lapic_write(apic[0], LAPIC_TPR, 0x7c);
	ck_assert_uint_eq(lapic_get_cr8(apic[0]), 7);
}
END_TEST

START_TEST(post_asks_once)
{
	unsigned wakes = fake_sched_wakes;

	vm->vcpus[1]->requests = 0;
	lapic_post(apic[1], 0x41, false);
	lapic_post(apic[1], 0x42, false);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_IRQ));
	ck_assert_uint_eq(fake_sched_wakes - wakes, 1);
	lapic_fold(apic[1]);
	ck_assert_uint_eq(apic[1]->pir_notify, 0);
	lapic_post(apic[1], 0x43, false);
	ck_assert_uint_eq(fake_sched_wakes - wakes, 2);
	/* What is posted is requested, as far as the guest can see. */
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_IRR + 0x20), 0xe);
}
END_TEST

START_TEST(level_goes_to_the_ioapic)
{
	lapic_post(apic[0], 0x61, true);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x61);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TMR + 0x30), 2);
	lapic_ack(apic[0], 0x61);
	ck_assert_uint_eq(eois, 0);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(eois, 1);
	ck_assert_uint_eq(eoi_vector, 0x61);
	/* The same vector as an edge clears TMR again. */
	lapic_post(apic[0], 0x61, false);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x61);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TMR + 0x30), 0);
	lapic_ack(apic[0], 0x61);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(eois, 1);
}
END_TEST

START_TEST(threshold_with_a_shadowed_tpr)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	fake_caps()->apic.tpr_shadow = true;
	lapic_write(apic[0], LAPIC_TPR, 0x60);
	lapic_post(apic[0], 0x55, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(f->tpr_threshold, 5);
	lapic_set(apic[0], LAPIC_TPR, 0x40); /* the processor did it */
	lapic_tpr_changed(apic[0]);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x55);
	ck_assert_uint_eq(f->tpr_threshold, 0);
	lapic_ack(apic[0], 0x55);
	/* Held back by what is in service: EOI will tell, no threshold needed. */
	lapic_post(apic[0], 0x51, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(f->tpr_threshold, 0);
}
END_TEST

START_TEST(extint_message)
{
	const struct apic_msg msg = {.dest = 2, .delivery = APIC_DM_EXTINT};

	ck_assert(!lapic_extint_open(apic[2]));
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	ck_assert(lapic_extint_open(apic[2]));
	ck_assert_uint_eq(vm->vcpus[2]->requests, BIT64(VCPU_REQ_IRQ));
}
END_TEST

/* The note of registers that are not empty agrees with the registers, whatever came and went. */
/* Both ways: alone, and beside a processor that delivers. */
START_TEST(highest_of_any_set)
{
	uint32_t seed = 1;

	if (_i) {
		setup_delivery();
	}
	for (unsigned round = 0; round < 4096; round++) {
		uint32_t array = round & 1 ? LAPIC_IRR : LAPIC_ISR;
		int highest = -1;

		seed = seed * 1664525U + 1013904223U;
		lapic_vector_put(apic[0], array, seed >> 24, (seed >> 12 & 3) == 0);
		for (int v = 0; v < 256; v++) {
			highest = lapic_vector_test(apic[0], array, (unsigned)v) ? v : highest;
		}
		ck_assert_int_eq(lapic_vector_highest(apic[0], array), highest);
	}
}
END_TEST

UNIT_MAIN("lapic", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, highest_first);
          tcase_add_loop_test(tc, highest_of_any_set, 0, 2);
          tcase_add_loop_test(tc, priority_table, 0, ARRAY_SIZE(priorities));
          tcase_add_test(tc, cr8_is_tpr); tcase_add_test(tc, post_asks_once);
          tcase_add_test(tc, level_goes_to_the_ioapic);
          tcase_add_test(tc, threshold_with_a_shadowed_tpr); tcase_add_test(tc, extint_message);)
