// SPDX-License-Identifier: BSD-2-Clause
// The ends of synthetic interrupts: those that end themselves, and ends that must be seen.
#include "tests/synic_world.h"

START_TEST(auto_eoi)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | VECTOR);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	/* Never in service: the next one needs no EOI. */
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 1), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	/* Masked, or without the bit, the vector is an ordinary one. */
	wr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | HV_SINT_MASKED | VECTOR);
	lapic_post(&vcpu->lapic, VECTOR, false);
	ck_assert_int_eq(interrupt(), VECTOR);
	lapic_post(&vcpu->lapic, VECTOR, false);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(auto_eoi_by_any_source_of_the_vector)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | VECTOR);
	wr(HV_MSR_SINT0 + 3, HV_SINT_AUTO_EOI | VECTOR);
	wr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED);
	lapic_post(&vcpu->lapic, VECTOR, false);
	ck_assert_int_eq(interrupt(), VECTOR);
	lapic_post(&vcpu->lapic, VECTOR, false);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

/* A processor that delivers by itself cannot do that: this vCPU leaves that path until reset. */
START_TEST(auto_eoi_leaves_the_processors_delivery)
{
	fake_caps()->apic = (struct virt_apic_caps){.tpr_shadow = true, .intr_delivery = true};
	lapic_reset(&vcpu->lapic, true);
	lapic_reset(&vm->vcpus[1]->lapic, true);
	ck_assert(vcpu->lapic.hw_delivery);
	wr(HV_MSR_SINT0 + SINT, VECTOR);
	ck_assert(vcpu->lapic.hw_delivery);
	wr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | HV_SINT_MASKED | VECTOR);
	ck_assert(vcpu->lapic.hw_delivery);
	wr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | VECTOR);
	ck_assert(!vcpu->lapic.hw_delivery);
	ck_assert(vm->vcpus[1]->lapic.hw_delivery);
	wr(HV_MSR_SINT0 + SINT, VECTOR);
	ck_assert(!vcpu->lapic.hw_delivery);
	vm->pv->vcpu_reset(vcpu, true);
	lapic_reset(&vcpu->lapic, true);
	ck_assert(vcpu->lapic.hw_delivery);
}
END_TEST

/* With the processor's delivery an end exits only while a message waits. */
START_TEST(ends_exit_while_a_message_waits)
{
	uint64_t bit = BIT64(VECTOR % 64);

	fake_caps()->apic = (struct virt_apic_caps){.tpr_shadow = true, .intr_delivery = true};
	lapic_reset(&vcpu->lapic, true);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(post(SINT, 1), 0);
	lapic_fold(&vcpu->lapic);
	ck_assert_uint_eq(fake_vcpu(vcpu)->eoi_exits[VECTOR / 64], 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	lapic_fold(&vcpu->lapic);
	ck_assert_uint_eq(fake_vcpu(vcpu)->eoi_exits[VECTOR / 64], bit);
	/* INIT forgets the interrupts, not the message. */
	lapic_reset(&vcpu->lapic, false);
	ck_assert_uint_eq(fake_vcpu(vcpu)->eoi_exits[VECTOR / 64], 0);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	lapic_post(&vcpu->lapic, VECTOR, false);
	lapic_fold(&vcpu->lapic);
	ck_assert_uint_eq(fake_vcpu(vcpu)->eoi_exits[VECTOR / 64], bit);
	ck_assert(free_slot(SINT));
	lapic_eoi_done(&vcpu->lapic, VECTOR);
	ck_assert_uint_eq(slot(SINT).sender, 2);
	lapic_fold(&vcpu->lapic);
	ck_assert_uint_eq(fake_vcpu(vcpu)->eoi_exits[VECTOR / 64], 0);
}
END_TEST

UNIT_MAIN("synic_eoi", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, auto_eoi);
          tcase_add_test(tc, auto_eoi_by_any_source_of_the_vector);
          tcase_add_test(tc, auto_eoi_leaves_the_processors_delivery);
          tcase_add_test(tc, ends_exit_while_a_message_waits);)
