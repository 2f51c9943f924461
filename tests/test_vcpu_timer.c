// SPDX-License-Identifier: BSD-2-Clause
// Timers of a vCPU: fire once, move with it.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/vcpu.h"
#include "vmm/vcpu_timer.h"

static unsigned fired;
static uint64_t period_ns;

static void count(struct vcpu_timer *t)
{
	fired++;
	if (period_ns) {
		vcpu_timer_arm(t, clock_now() + period_ns);
	}
}

/* A VM whose one vCPU is loaded. */
static struct vm *make(void)
{
	struct vm *vm = fake_vm(SIZE_2M, 1);

	pcpu_this()->loaded = vm->vcpus[0];
	fired = 0;
	period_ns = 0;
	return vm;
}

START_TEST(fires_once_at_its_deadline)
{
	struct vm *vm = make();
	struct vcpu_timer t;

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
	struct vm *vm = make();
	struct vcpu_timer t;

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
	struct vm *vm = make();
	struct vcpu *vcpu = vm->vcpus[0];
	struct vcpu_timer armed, idle;

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
	struct vm *vm = make();
	struct vcpu *vcpu = vm->vcpus[0];
	struct vcpu_timer t, idle;

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

/* Whoever runs meanwhile is not to pay for each period, on one CPU as little as on many. */
START_TEST(waits_for_its_vcpus_turn)
{
	struct vm *vm = make();
	struct vcpu *vcpu = vm->vcpus[0];
	struct vcpu_timer t;

	ck_assert(!sched_shared(&vcpu->sched));
	period_ns = 20000;
	fake_clock_set(0);
	vcpu_timer_init(&t, vcpu, count);
	vcpu_timer_arm(&t, 20000);
	fake_clock_advance(100000);
	ck_assert_uint_eq(fired, 5);
	pcpu_this()->loaded = NULL;
	fake_clock_advance(1000000);
	ck_assert_uint_eq(fired, 5);
	ck_assert_uint_eq(vcpu->requests, BIT64(VCPU_REQ_TIMER));
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	/* What it missed is one call. */
	pcpu_this()->loaded = vcpu;
	vcpu_timers_serve(vcpu);
	ck_assert_uint_eq(fired, 6);
	fake_clock_advance(20000);
	ck_assert_uint_eq(fired, 7);
	period_ns = 0;
	fake_clock_advance(20000);
	vcpu->timers = NULL;
}
END_TEST

UNIT_MAIN("vcpu_timer", tcase_add_test(tc, fires_once_at_its_deadline);
          tcase_add_test(tc, cancelled_and_never); tcase_add_test(tc, moves_with_its_vcpu);
          tcase_add_test(tc, waits_while_it_is_stopped);
          tcase_add_test(tc, waits_for_its_vcpus_turn);)
