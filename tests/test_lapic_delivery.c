// SPDX-License-Identifier: BSD-2-Clause
// The local APIC beside a processor that delivers interrupts by itself.
// Specs: [SDM3] "Virtual-Interrupt Delivery".
#include "tests/lapic_world.h"

START_TEST(delivery_by_the_processor)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	ck_assert_int_eq(f->irr, -1);
	lapic_post(apic[0], 0x41, false);
	ck_assert(lapic_has_interrupt(apic[0]));
	ck_assert_int_eq(f->irr, -1);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x41);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
	lapic_post(apic[0], 0x61, true);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x61);
	ck_assert_uint_eq(f->eoi_exits[1], 1ULL << 33);
	/* Only a change is told. */
	memset(f->eoi_exits, 0, sizeof(f->eoi_exits));
	lapic_post(apic[0], 0x61, true);
	lapic_fold(apic[0]);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
	lapic_eoi_done(apic[0], 0x61);
	ck_assert_uint_eq(eois, 1);
	lapic_eoi_done(apic[0], 0x41);
	ck_assert_uint_eq(eois, 1);
	f->irr = 7; /* nothing posted: nothing told */
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 7);
	lapic_reset(apic[0], true);
	ck_assert_int_eq(f->irr, -1);
	ck_assert_int_eq(f->isr, -1);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
}
END_TEST

START_TEST(self_ipi_beside_delivery)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	lapic_write(apic[0], LAPIC_ICR, 0x40055);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x55);
}
END_TEST

/* The processor stored what the guest wrote; here is what it means. */
START_TEST(writes_after_the_fact)
{
	lapic_set(apic[0], LAPIC_ICR_HIGH, 0x02000000);
	lapic_set(apic[0], LAPIC_ICR, 0x71);
	lapic_write_done(apic[0], LAPIC_ICR);
	ck_assert_uint_eq(apic[2]->pir[1] >> 49 & 1, 1);
	lapic_set(apic[0], LAPIC_SVR, 0xff);
	lapic_write_done(apic[0], LAPIC_SVR);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_LVT_LINT0), 0x10700);
	lapic_set(apic[0], LAPIC_ID, 0x77000000);
	lapic_write_done(apic[0], LAPIC_ID);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_ID), 0);
	apic[0]->esr_pending = 0x20;
	lapic_set(apic[0], LAPIC_ESR, 0);
	lapic_write_done(apic[0], LAPIC_ESR);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_ESR), 0x20);
	lapic_vector_put(apic[0], LAPIC_ISR, 0x81, true);
	lapic_vector_put(apic[0], LAPIC_ISR, 0x41, true);
	lapic_write_done(apic[0], LAPIC_EOI);
	ck_assert_int_eq(fake_vcpu(vm->vcpus[0])->isr, 0x41);
	enter_x2apic(apic[0]);
	lapic_set(apic[0], LAPIC_ICR, 0x72);
	lapic_set(apic[0], LAPIC_ICR + 4, 3);
	lapic_write_done(apic[0], LAPIC_ICR);
	ck_assert_uint_eq(apic[3]->pir[1] >> 50 & 1, 1);
	lapic_write_done(apic[0], 0x1000);
	lapic_write_done(apic[0], ~0U);
}
END_TEST

UNIT_MAIN("lapic_delivery", tcase_add_checked_fixture(tc, setup_delivery, NULL);
          tcase_add_test(tc, delivery_by_the_processor);
          tcase_add_test(tc, self_ipi_beside_delivery); tcase_add_test(tc, writes_after_the_fact);)
