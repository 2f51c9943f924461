// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: CPU 0 runs the test, the others are played.
#include "tests/sched_world.h"

static void release(struct vcpu *vcpu)
{
	ck_assert_ptr_null(pcpu_this()->loaded);
	note("release", vcpu->index);
}

static void two_cpus(void)
{
	ops.vcpu_release = release;
	sched_init(2);
	assign();
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->cpu = 0;
	}
}

START_TEST(shared_ones_leave_no_trace)
{
	two_cpus();
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	loop(3);
	ck_assert_str_eq(trace, "load0 run0 put0 release0 load1 run1 put1 release1 load0 run0 ");
	ck_assert_uint_eq(vm->vcpus[1]->sched.held, 0);
	ck_assert_uint_eq(vm->vcpus[0]->sched.held, 1);
}
END_TEST

START_TEST(missing_cpus)
{
	struct config_vm config = *vm->config;

	sched_init(2);
	ck_assert_uint_eq(sched_missing_cpus(7), 4);
	vm->config = &config;
	config.cpu_mask = 2;
	ck_assert_int_eq(sched_assign(vm->vcpus[0]), 0);
	ck_assert_uint_eq(vm->vcpus[0]->cpu, 1);
	ck_assert(!sched_shared(&vm->vcpus[0]->sched));
	config.cpu_mask = 4;
	ck_assert_int_lt(sched_assign(vm->vcpus[0]), 0);
	sched_init(64);
	ck_assert_uint_eq(sched_missing_cpus(~0ULL), 0);
}
END_TEST

static void uses_time_and_wakes_one(struct vcpu *vcpu)
{
	fake_clock_set(clock_now() + 1000000);
	if (vcpu->index == 0 && vm->vcpus[1]->state == VCPU_HALTED) {
		vm->vcpus[1]->state = VCPU_RUNNABLE;
		sched_wake(vm->vcpus[1]);
		/* It is asked to make room, and asked no longer when it has. */
		ck_assert_uint_eq(vcpu->requests, BIT64(VCPU_REQ_YIELD));
	}
}

START_TEST(woken_one_goes_first)
{
	vm->vcpus[1]->state = VCPU_HALTED;
	on_run = uses_time_and_wakes_one;
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[2]);
	loop(2);
	ck_assert_str_eq(trace, "load0 run0 put0 load1 run1 ");
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
}
END_TEST

static void yields(struct vcpu *vcpu)
{
	fake_clock_set(clock_now() + 1000);
	vcpu->yielding = true;
}

/* Who yields is passed over once, though it has used least. */
START_TEST(yield)
{
	on_run = yields;
	vm->vcpus[1]->sched.vruntime = 1000000;
	sched_wake(vm->vcpus[0]);
	ck_assert(sched_contended(vm->vcpus[1]));
	sched_wake(vm->vcpus[1]);
	loop(3);
	ck_assert_str_eq(trace, "load0 run0 put0 load1 run1 put1 load0 run0 ");
}
END_TEST

/* With nobody else there it goes on. */
START_TEST(yield_alone)
{
	on_run = yields;
	sched_wake(vm->vcpus[0]);
	loop(3);
	ck_assert_str_eq(trace, "load0 run0 run0 run0 ");
	ck_assert(!sched_contended(vm->vcpus[0]));
}
END_TEST

/* One that would wait for a busy CPU while another sleeps is woken there. */
START_TEST(a_sleeping_cpu_is_preferred)
{
	two_cpus();
	loop(1); /* CPU 0 falls asleep, and stays so: it is ours to play */
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->cpu = 1;
	}
	sched_wake(vm->vcpus[0]);
	ck_assert_uint_eq(vm->vcpus[0]->cpu, 1); /* free, too */
	/* Not where another CPU has its registers, or when it is stopped. */
	vm->vcpus[2]->sched.held = 2;
	sched_wake(vm->vcpus[2]);
	ck_assert_uint_eq(vm->vcpus[2]->cpu, 1);
	sched_wake(vm->vcpus[1]);
	ck_assert_uint_eq(vm->vcpus[1]->cpu, 0);
}
END_TEST

START_TEST(idle_cpu_takes_over)
{
	struct sched_cpu_stats stats;

	two_cpus();
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->cpu = 1;
	}
	vm->vcpus[0]->sched.held = 2;
	vm->vcpus[1]->state = VCPU_STOPPED;
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	sched_wake(vm->vcpus[2]);
	loop(1);
	ck_assert_str_eq(trace, "load2 run2 ");
	ck_assert_uint_eq(vm->vcpus[2]->cpu, 0);
	ck_assert_uint_eq(vm->vcpus[2]->sched.stats.switches, 1);
	sched_get_cpu_stats(0, &stats);
	ck_assert_uint_eq(stats.pulls, 1);
}
END_TEST

static void stops(struct vcpu *vcpu)
{
	vcpu->state = VCPU_STOPPED;
}

/* Its home CPU, and no other, may load it again - as soon as nothing of it is left here. */
START_TEST(stopped_ones_go_home)
{
	two_cpus();
	vm->home_cpu = 1;
	on_run = stops;
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	loop(5);
	ck_assert_str_eq(trace, "load0 run0 put0 release0 load1 run1 put1 release1 ");
	ck_assert_int_eq(fake_end_reason, FAKE_END_IDLE);
	ck_assert_uint_eq(vm->vcpus[0]->cpu, 1);
	ck_assert_uint_eq(vm->vcpus[1]->cpu, 0); /* the boot vCPU alone */
	ck_assert(sched_released(vm->vcpus[0], 1) && sched_released(vm->vcpus[1], 1));
	vm->vcpus[0]->sched.held = 1;
	ck_assert(!sched_released(vm->vcpus[0], 1));
	ck_assert(sched_released(vm->vcpus[0], 0));
}
END_TEST

static void runs_2_ms(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_clock_set(clock_now() + 2000000);
}

START_TEST(figures)
{
	struct sched_stats stats;

	fake_clock_set(1000);
	on_run = runs_2_ms;
	sched_wake(vm->vcpus[0]);
	sched_wake(vm->vcpus[1]);
	loop(3);
	fake_clock_set(clock_now() + 500000);
	sched_get_stats(vm->vcpus[0], &stats); /* runs */
	ck_assert_uint_eq(stats.run_ns, 4500000);
	ck_assert_uint_eq(stats.wait_ns, 2000000);
	ck_assert_uint_eq(stats.switches, 2);
	ck_assert_uint_eq(stats.migrations, 0);
	sched_get_stats(vm->vcpus[1], &stats); /* waits */
	ck_assert_uint_eq(stats.run_ns, 2000000);
	ck_assert_uint_eq(stats.wait_ns, 4500000);
}
END_TEST

UNIT_MAIN("sched_cpus", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, shared_ones_leave_no_trace); tcase_add_test(tc, missing_cpus);
          tcase_add_test(tc, woken_one_goes_first); tcase_add_test(tc, yield);
          tcase_add_test(tc, yield_alone); tcase_add_test(tc, a_sleeping_cpu_is_preferred);
          tcase_add_test(tc, idle_cpu_takes_over); tcase_add_test(tc, stopped_ones_go_home);
          tcase_add_test(tc, figures);)
