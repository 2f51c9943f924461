// SPDX-License-Identifier: BSD-2-Clause
// Timers of a vCPU: fire once, move with it.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/vcpu_timer.h"

static unsigned fired;

static void count(struct vcpu_timer *t)
{
	(void)t;
	fired++;
}

START_TEST(fires_once_at_its_deadline)
{
	struct vm *vm = fake_vm(SIZE_2M, 1);
	struct vcpu_timer t;

	fired = 0;
	fake_clock_set(1000);
	vcpu_timer_init(&t, vm->vcpus[0], count);
	vcpu_timer_arm(&t, 5000);
	fake_clock_advance(3999);
	ck_assert_uint_eq(fired, 0);
	fake_clock_advance(1);
	ck_assert_uint_eq(fired, 1);
	fake_clock_advance(10000);
	ck_assert_uint_eq(fired, 1);
	vm->vcpus[0]->timers = NULL;
}
END_TEST

START_TEST(cancelled_and_never)
{
	struct vm *vm = fake_vm(SIZE_2M, 1);
	struct vcpu_timer t;

	fired = 0;
	fake_clock_set(0);
	vcpu_timer_init(&t, vm->vcpus[0], count);
	vcpu_timer_arm(&t, 5000);
	vcpu_timer_cancel(&t);
	fake_clock_advance(10000);
	vcpu_timer_arm(&t, 20000);
	vcpu_timer_arm(&t, TIMER_NEVER);
	fake_clock_advance(100000);
	ck_assert_uint_eq(fired, 0);
	vm->vcpus[0]->timers = NULL;
}
END_TEST

START_TEST(moves_with_its_vcpu)
{
	struct vm *vm = fake_vm(SIZE_2M, 1);
	struct vcpu *vcpu = vm->vcpus[0];
	struct vcpu_timer armed, idle;

	fired = 0;
	fake_clock_set(0);
	vcpu_timer_init(&armed, vcpu, count);
	vcpu_timer_init(&idle, vcpu, count);
	vcpu_timer_arm(&armed, 5000);
	ck_assert_uint_eq(timer_next_deadline(0), 5000);
	vcpu->cpu = 3;
	vcpu_timers_move(vcpu);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	ck_assert_uint_eq(timer_next_deadline(3), 5000);
	timer_run_due(3, 5000);
	ck_assert_uint_eq(fired, 1);
	vcpu->cpu = 0;
	vcpu->timers = NULL;
}
END_TEST

static void rearm(struct vcpu_timer *t)
{
	if (clock_now() < 20000) {
		vcpu_timer_arm(t, 20000);
	}
	fired++;
}

/* A stopped vCPU's timers do nothing; when it goes on, each looks for itself. */
START_TEST(waits_while_it_is_stopped)
{
	struct vm *vm = fake_vm(SIZE_2M, 1);
	struct vcpu *vcpu = vm->vcpus[0];
	struct vcpu_timer t, idle;

	fired = 0;
	fake_clock_set(0);
	vcpu_timer_init(&t, vcpu, rearm);
	vcpu_timer_init(&idle, vcpu, count);
	vcpu_timer_arm(&t, 5000);
	vcpu_stop(vcpu);
	fake_clock_advance(10000);
	ck_assert_uint_eq(fired, 0);
	ck_assert_uint_eq(vcpu_resume(vcpu), 0);
	fake_clock_advance(0);
	ck_assert_uint_eq(fired, 2);
	fake_clock_advance(9999);
	ck_assert_uint_eq(fired, 2);
	fake_clock_advance(1);
	ck_assert_uint_eq(fired, 3);
	vcpu->timers = NULL;
}
END_TEST

UNIT_MAIN("vcpu_timer", tcase_add_test(tc, fires_once_at_its_deadline);
          tcase_add_test(tc, cancelled_and_never); tcase_add_test(tc, moves_with_its_vcpu);
          tcase_add_test(tc, waits_while_it_is_stopped);)
