// SPDX-License-Identifier: BSD-2-Clause
// The loop of a CPU: turns, wake-ups that come at the wrong moment, sleep. vcpu_run() is a script.
#include "tests/sched_world.h"

START_TEST(assigned_in_turn)
{
	sched_init(2);
	assign();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(vm->vcpus[i]->cpu, i & 1);
	}
}
END_TEST

START_TEST(nothing_to_do)
{
	loop(1);
	ck_assert_int_eq(fake_end_reason, FAKE_END_IDLE);
	ck_assert_str_eq(trace, "");
	ck_assert_uint_eq(fake_host.apic_timer_tsc, ~0ULL);
}
END_TEST

START_TEST(two_take_turns)
{
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	loop(5);
	ck_assert_str_eq(trace, "load0 run0 put0 load1 run1 put1 load0 run0 put0 load1 run1 put1 "
	                        "load0 run0 ");
}
END_TEST

START_TEST(one_alone_stays_loaded)
{
	fake_clock_set(5000);
	sched_wake(vm->vcpus[1]);
	loop(3);
	ck_assert_str_eq(trace, "load1 run1 run1 run1 ");
	ck_assert_uint_eq(slice_end, 5000 + SCHED_SLICE_NS);
}
END_TEST

START_TEST(woken_twice_queued_once)
{
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[2]);
	sched_wake(vm->vcpus[0]);
	loop(3);
	ck_assert_str_eq(trace, "load0 run0 put0 load2 run2 put2 load0 run0 ");
}
END_TEST

static void halts(struct vcpu *vcpu)
{
	vcpu->state = VCPU_HALTED;
}

START_TEST(halted_ones_leave)
{
	on_run = halts;
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	loop(9);
	ck_assert_int_eq(fake_end_reason, FAKE_END_IDLE);
	ck_assert_str_eq(trace, "load0 run0 put0 load1 run1 ");
	/* And come back. */
	sched_wake(vm->vcpus[0]);
	loop(9);
	ck_assert_str_eq(trace, "load0 run0 put0 load1 run1 put1 load0 run0 ");
}
END_TEST

/* After its last look a request comes, from another CPU: current, so not queued by the wake-up. */
static void halts_and_is_woken(struct vcpu *vcpu)
{
	vcpu->state = VCPU_HALTED;
	if (runs_left > 1) {
		vcpu_request(vcpu, VCPU_REQ_IRQ);
		ck_assert(!vcpu->sched.queued);
	}
}

START_TEST(woken_while_it_leaves)
{
	on_run = halts_and_is_woken;
	sched_wake(vm->vcpus[0]);
	loop(2);
	ck_assert_str_eq(trace, "load0 run0 run0 ");
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
}
END_TEST

static void wakes_the_other(struct vcpu *vcpu)
{
	if (vcpu->index == 0) {
		vcpu->state = VCPU_HALTED;
		sched_wake(vm->vcpus[2]);
	}
}

START_TEST(one_wakes_another)
{
	on_run = wakes_the_other;
	sched_wake(vm->vcpus[0]);
	loop(2);
	ck_assert_str_eq(trace, "load0 run0 put0 load2 run2 ");
}
END_TEST

/* A wake-up for a vCPU of this CPU kicks it; another CPU's queue is not ours. */
START_TEST(other_cpus)
{
	vm->vcpus[1]->cpu = 1;
	fake_kicks = 0;
	sched_wake(vm->vcpus[1]);
	ck_assert_uint_eq(fake_kicks, 1);
	loop(1);
	ck_assert_int_eq(fake_end_reason, FAKE_END_IDLE);
	ck_assert_str_eq(trace, "");
}
END_TEST

static void timer_fires(struct timer *t)
{
	(void)t;
	sched_wake(vm->vcpus[0]);
}

static void sleep_to_the_timer(void)
{
	ck_assert_uint_eq(fake_host.apic_timer_tsc, 7000);
	fake_clock_set(7000);
}

START_TEST(a_timer_ends_the_sleep)
{
	struct timer t;

	fake_clock_set(0);
	timer_init(&t, timer_fires);
	timer_arm(&t, 0, 7000);
	fake_host.on_idle = sleep_to_the_timer;
	loop(1);
	ck_assert_uint_eq(fake_host.idles, 1);
	ck_assert_str_eq(trace, "load0 run0 ");
}
END_TEST

static unsigned served;

static bool serve_twice(uint32_t cpu)
{
	ck_assert_uint_eq(cpu, 0);
	note("serve", served);
	return ++served <= 2;
}

/* A VM's life goes on before the CPU sleeps, and vCPUs have their turns in between. */
START_TEST(vm_requests_and_turns)
{
	on_serve = serve_twice;
	loop(1);
	ck_assert_int_eq(fake_end_reason, FAKE_END_IDLE);
	ck_assert_str_eq(trace, "serve0 serve1 serve2 ");
	served = 0;
	trace[0] = '\0';
	sched_wake(vm->vcpus[0]);
	loop(2);
	ck_assert_str_eq(trace, "serve0 load0 run0 serve1 run0 ");
}
END_TEST

/* Waiting interrupts have their moment in each turn, not only in sleep. */
START_TEST(interrupts_come_in_between)
{
	sched_wake(vm->vcpus[0]);
	loop(5);
	ck_assert_uint_eq(fake_host.taken, 5);
}
END_TEST

static bool serve_long(uint32_t cpu)
{
	uint64_t start = clock_now();

	(void)cpu;
	fake_clock_set(start + 3000000);
	sched_charge(vm->vcpus[2], 3000000);
	return false;
}

static void use_1ms(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_clock_set(clock_now() + 1000000);
}

/* What is done for a VM between the turns is its own time, not that of whoever ran before. */
START_TEST(work_between_turns)
{
	struct sched_stats runs, served_one;

	fake_clock_set(1000);
	sched_wake(vm->vcpus[0]);
	on_run = use_1ms;
	on_serve = serve_long;
	loop(4);
	sched_get_stats(vm->vcpus[0], &runs);
	sched_get_stats(vm->vcpus[2], &served_one);
	ck_assert_uint_eq(runs.run_ns, 4 * 1000000);
	ck_assert_uint_eq(served_one.run_ns, 4 * 3000000);
	/* When it wants to run, it is behind. */
	ck_assert_int_gt(
	        sched_ahead(vm->vcpus[2]->sched.vruntime, vm->vcpus[0]->sched.vruntime), 0);
}
END_TEST

UNIT_MAIN("sched", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, assigned_in_turn);
          tcase_add_test(tc, nothing_to_do); tcase_add_test(tc, two_take_turns);
          tcase_add_test(tc, one_alone_stays_loaded); tcase_add_test(tc, woken_twice_queued_once);
          tcase_add_test(tc, halted_ones_leave); tcase_add_test(tc, woken_while_it_leaves);
          tcase_add_test(tc, one_wakes_another); tcase_add_test(tc, other_cpus);
          tcase_add_test(tc, a_timer_ends_the_sleep); tcase_add_test(tc, vm_requests_and_turns);
          tcase_add_test(tc, interrupts_come_in_between); tcase_add_test(tc, work_between_turns);)
