// SPDX-License-Identifier: BSD-2-Clause
// Synthetic MSRs: which there are, what they hold, who refuses.
#include "tests/hv_msr_world.h"

/* --- which there are --- */

#define NONE HV_FEATURE_COUNT

static const struct {
	uint32_t msr;
	uint32_t feature;
	bool read, write;
} msrs[] = {
        {HV_MSR_GUEST_OS_ID, NONE, true, true},
        {HV_MSR_HYPERCALL, NONE, true, true},
        {HV_MSR_VP_INDEX, NONE, true, false},
        {HV_MSR_RESET, HV_RESET, true, true},
        {HV_MSR_VP_RUNTIME, HV_VP_RUNTIME, true, false},
        {HV_MSR_TIME_REF_COUNT, HV_REF_COUNT, true, false},
        {HV_MSR_REFERENCE_TSC, HV_REF_TSC, true, true},
        {HV_MSR_TSC_FREQUENCY, HV_FREQ_MSRS, true, false},
        {HV_MSR_APIC_FREQUENCY, HV_FREQ_MSRS, true, false},
        {HV_MSR_EOI, HV_APIC_MSRS, false, true},
        {HV_MSR_ICR, HV_APIC_MSRS, true, true},
        {HV_MSR_TPR, HV_APIC_MSRS, true, true},
        {HV_MSR_VP_ASSIST_PAGE, NONE, true, true},
        {HV_MSR_SCONTROL, HV_SYNIC, true, true},
        {HV_MSR_SVERSION, HV_SYNIC, true, false},
        {HV_MSR_SIEFP, HV_SYNIC, true, true},
        {HV_MSR_SIMP, HV_SYNIC, true, true},
        {HV_MSR_EOM, HV_SYNIC, true, true},
        {HV_MSR_STIMER0_CONFIG, HV_STIMER, true, true},
        {HV_MSR_STIMER3_COUNT, HV_STIMER, true, true},
        {HV_MSR_STIMER0_CONFIG + 1, HV_STIMER, true, true},
        {HV_MSR_GUEST_IDLE, HV_IDLE, true, false},
        {HV_MSR_CRASH_P0, HV_CRASH, true, true},
        {HV_MSR_CRASH_P4, HV_CRASH, true, true},
        {HV_MSR_CRASH_CTL, HV_CRASH, true, true},
        {HV_MSR_INVARIANT_TSC, HV_INVARIANT_TSC, true, true},
};

START_TEST(who_refuses)
{
	uint64_t value;

	ck_assert_int_eq(hv_msr_read(vcpu, msrs[_i].msr, &value), msrs[_i].read);
	ck_assert_int_eq(hv_msr_write(vcpu, msrs[_i].msr, 0), msrs[_i].write);
	if (msrs[_i].feature == NONE) {
		world(0);
		ck_assert_int_eq(hv_msr_read(vcpu, msrs[_i].msr, &value), msrs[_i].read);
		ck_assert_int_eq(hv_msr_write(vcpu, msrs[_i].msr, 0), msrs[_i].write);
	} else {
		world(ALL & ~(1U << msrs[_i].feature));
		ck_assert(!hv_msr_read(vcpu, msrs[_i].msr, &value));
		ck_assert(!hv_msr_write(vcpu, msrs[_i].msr, 0));
	}
}
END_TEST

static bool is_known(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].msr == msr) {
			return true;
		}
	}
	return (msr >= HV_MSR_SINT0 && msr <= HV_MSR_SINT15) ||
	       (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT) ||
	       (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_P4);
}

START_TEST(all_others_are_refused)
{
	uint64_t value;

	for (uint32_t msr = PV_MSR_FIRST; msr <= PV_MSR_LAST; msr++) {
		if (!is_known(msr)) {
			ck_assert_msg(
			        !hv_msr_read(vcpu, msr, &value) && !hv_msr_write(vcpu, msr, 0),
			        "MSR %#x is there", msr);
		}
	}
	ck_assert(!hv_msr_read(vcpu, 0x40001080, &value));
}
END_TEST

/* --- the simple ones --- */

START_TEST(values)
{
	ck_assert_uint_eq(rd(vm->vcpus[0], HV_MSR_VP_INDEX), 0);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_INDEX), 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TSC_FREQUENCY), 1000000000);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_APIC_FREQUENCY), lapic_timer_hz());
	vcpu->stats.loop_ticks = 12345678;
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_RUNTIME), 123456);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_RUNTIME), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_IDLE), 0);
	ck_assert(vcpu->idle_by_msr);
}
END_TEST

START_TEST(reset_by_msr)
{
	wr(HV_MSR_RESET, 0);
	wr(HV_MSR_RESET, 2);
	ck_assert_uint_eq(fake_vm_requests, 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_RESET), 0);
	wr(HV_MSR_RESET, 1);
	ck_assert_uint_eq(fake_vm_requests, BIT(VM_REQ_RESET));
}
END_TEST

START_TEST(the_local_apic)
{
	struct lapic *apic = &vcpu->lapic, *other = &vm->vcpus[1]->lapic;

	wr(HV_MSR_TPR, 0x50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TPR), 0x50);
	ck_assert_uint_eq(lapic_get_cr8(apic), 5);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_TPR, 0x100));
	wr(HV_MSR_TPR, 0);
	lapic_post(apic, 0x41, false);
	ck_assert_int_eq(lapic_pending(apic), 0x41);
	lapic_ack(apic, 0x41);
	lapic_post(apic, 0x40, false);
	ck_assert_int_eq(lapic_pending(apic), -1);
	wr(HV_MSR_EOI, 0xdead);
	ck_assert_int_eq(lapic_pending(apic), 0x40);
	wr(HV_MSR_ICR, 1ULL << 56 | 0x4077);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_ICR), 1ULL << 56 | 0x4077);
	ck_assert_int_eq(lapic_pending(other), 0x77);
}
END_TEST

START_TEST(the_local_apic_in_x2apic_mode)
{
	ck_assert(lapic_set_base(&vcpu->lapic, vcpu->lapic.base | 1U << 10));
	ck_assert(lapic_x2apic(&vcpu->lapic));
	wr(HV_MSR_ICR, 1ULL << 32 | 0x4077);
	ck_assert_int_eq(lapic_pending(&vm->vcpus[1]->lapic), 0x77);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_ICR), 1ULL << 32 | 0x4077);
	lapic_post(&vcpu->lapic, 0x41, false);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x41);
	lapic_ack(&vcpu->lapic, 0x41);
	wr(HV_MSR_EOI, 0xdead);
	lapic_post(&vcpu->lapic, 0x40, false);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x40);
	wr(HV_MSR_TPR, 0x50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TPR), 0x50);
	ck_assert_uint_eq(lapic_get_cr8(&vcpu->lapic), 5);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), -1);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_TPR, 0x100));
}
END_TEST

UNIT_MAIN("hv_msr", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, who_refuses, 0, ARRAY_SIZE(msrs));
          tcase_add_test(tc, all_others_are_refused); tcase_add_test(tc, values);
          tcase_add_test(tc, reset_by_msr); tcase_add_test(tc, the_local_apic);
          tcase_add_test(tc, the_local_apic_in_x2apic_mode);)
