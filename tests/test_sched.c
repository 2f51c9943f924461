// SPDX-License-Identifier: BSD-2-Clause
// The loop of a CPU: turns, wake-ups that come at the wrong moment, sleep. vcpu_run() is a script.
#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/sched.h"
#include <stdio.h>
#include <string.h>

static struct vm *vm;
static char trace[256];
static struct cpu_virt_ops ops;
static void (*on_run)(struct vcpu *vcpu);
static unsigned runs_left;
static uint64_t slice_end;
static bool (*on_serve)(uint32_t cpu);

static void note(const char *what, unsigned n)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s%u ", what, n);
}

void vcpu_run(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	ck_assert_ptr_eq(pcpu_this()->loaded, vcpu);
	note("run", vcpu->index);
	slice_end = slice_end_ns;
	vcpu->requests = 0; /* as serve_requests() does */
	if (on_run) {
		on_run(vcpu);
	}
	if (--runs_left == 0) {
		fake_end_reason = FAKE_END_NONE;
		longjmp(fake_end, 1);
	}
}

bool vm_serve_requests(uint32_t cpu)
{
	return on_serve && on_serve(cpu);
}

static void load(struct vcpu *vcpu)
{
	note("load", vcpu->index);
	pcpu_this()->loaded = vcpu;
}

static void put(struct vcpu *vcpu)
{
	note("put", vcpu->index);
	pcpu_this()->loaded = NULL;
}

static void assign(void)
{
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(sched_assign(vm->vcpus[i]), 0);
	}
}

static void setup(void)
{
	vm = fake_vm(SIZE_2M, 3);
	ops = *cpu_virt;
	ops.vcpu_load = load;
	ops.vcpu_put = put;
	cpu_virt = &ops;
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_RUNNABLE;
	}
	sched_init(1);
	assign();
}

/* Until the CPU idles or 'runs' turns are over. */
static void loop(unsigned runs)
{
	runs_left = runs;
	if (setjmp(fake_end) == 0) {
		sched_loop(pcpu_this());
	}
}

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

/* --- several CPUs: CPU 0 runs the test, the others are played --- */

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

UNIT_MAIN("sched", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, assigned_in_turn);
          tcase_add_test(tc, nothing_to_do); tcase_add_test(tc, two_take_turns);
          tcase_add_test(tc, one_alone_stays_loaded); tcase_add_test(tc, woken_twice_queued_once);
          tcase_add_test(tc, halted_ones_leave); tcase_add_test(tc, woken_while_it_leaves);
          tcase_add_test(tc, one_wakes_another); tcase_add_test(tc, other_cpus);
          tcase_add_test(tc, a_timer_ends_the_sleep); tcase_add_test(tc, vm_requests_and_turns);
          tcase_add_test(tc, interrupts_come_in_between); tcase_add_test(tc, work_between_turns);
          tcase_add_test(tc, shared_ones_leave_no_trace); tcase_add_test(tc, missing_cpus);
          tcase_add_test(tc, woken_one_goes_first); tcase_add_test(tc, yield);
          tcase_add_test(tc, yield_alone); tcase_add_test(tc, a_sleeping_cpu_is_preferred);
          tcase_add_test(tc, idle_cpu_takes_over); tcase_add_test(tc, stopped_ones_go_home);
          tcase_add_test(tc, figures);)
