// SPDX-License-Identifier: BSD-2-Clause
// A pause of a VM takes no time for the guest.
#include "tests/vm_life_world.h"

START_TEST(a_pause_takes_no_time)
{
	uint64_t offset, clock, guest_tsc;

	vm->vcpus[1]->state = VCPU_HALTED;
	vm->vcpus[2]->state = VCPU_WAIT_SIPI;
	vm->vcpus[1]->tsc_offset = 55; /* the guest has written its TSC */
	offset = vm->vcpus[0]->tsc_offset;
	vm_request(vm, VM_REQ_PAUSE, "by the operator");
	settle();
	ck_assert_int_eq(vm->state, VM_PAUSED);
	ck_assert_str_eq(described(), "paused");
	ck_assert_uint_eq(fake_log_count("vm fake: paused (by the operator)"), 1);
	clock = vm_clock_now(vm);
	guest_tsc = clock_tsc() + offset;
	fake_clock_advance(5000000000ULL);
	ck_assert_uint_eq(vm_clock_now(vm), clock);
	vm_request(vm, VM_REQ_RESUME, "by the operator");
	settle();
	ck_assert_uint_eq(fake_log_count("vm fake: goes on (by the operator)"), 1);
	ck_assert_uint_eq(vm_clock_now(vm), clock);
	ck_assert_uint_eq(passed_ns, 5000000000ULL);
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *v = vm->vcpus[i];

		ck_assert_uint_eq(fake_vcpu(v)->tsc_offset, v->tsc_offset);
	}
	ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, guest_tsc);
	ck_assert_uint_eq(vm->vcpus[1]->tsc_offset, 55 - 5000000000ULL);
	ck_assert_uint_eq(vm->vcpus[2]->tsc_offset, vm->vcpus[0]->tsc_offset);
	ck_assert_uint_eq(vm->tsc_offset, vm->vcpus[0]->tsc_offset);
	ck_assert_int_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_int_eq(vm->vcpus[1]->state, VCPU_HALTED);
	ck_assert_int_eq(vm->vcpus[2]->state, VCPU_WAIT_SIPI);
	ck_assert_str_eq(trace, ""); /* no device was touched */
	/* Another pause counts by itself; a stop for nothing does not count. */
	fake_clock_advance(10);
	vm_request(vm, VM_REQ_PAUSE, "x");
	settle();
	fake_clock_advance(100);
	vm_request(vm, VM_REQ_RESUME, "x");
	settle();
	vm_request(vm, VM_REQ_RESUME, "x");
	settle();
	ck_assert_uint_eq(vm_clock_now(vm), clock + 10);
	ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, guest_tsc + 10);
}
END_TEST

/* A VM that ends or is reset while paused has its clock again. */
START_TEST(the_clock_after_a_pause)
{
	uint64_t clock;

	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_PAUSE, "x");
	settle();
	clock = vm_clock_now(vm);
	fake_clock_advance(100);
	vm_request(vm, _i ? VM_REQ_KILL : VM_REQ_RESET, "x");
	settle();
	ck_assert_uint_eq(passed_ns, 100);
	fake_clock_advance(7);
	if (_i) {
		ck_assert_uint_eq(vm_clock_now(vm), clock + 7);
	} else {
		ck_assert_int_eq(vm->state, VM_PAUSED);
		ck_assert_uint_eq(vm_clock_now(vm), clock);
		vm_request(vm, VM_REQ_RESUME, "x");
		settle();
		ck_assert_uint_eq(vm_clock_now(vm), clock);
		/* Its first instruction is at TSC 0. */
		ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, 0);
	}
}
END_TEST

UNIT_MAIN("vm_pause", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_pause_takes_no_time);
          tcase_add_loop_test(tc, the_clock_after_a_pause, 0, 2);)
