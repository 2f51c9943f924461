// SPDX-License-Identifier: BSD-2-Clause
// A VM's clock and the timers on it.
// Specs: vmm/vm_timer.h.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/vm_timer.h"

#define BASE 1000000ULL

static struct vm *vm;
static unsigned fired;
static uint64_t fired_at;

static void on_fire(void *arg)
{
	fired++;
	fired_at = vm_clock_now(arg);
}

static void setup(void)
{
	fake_clock_set(BASE);
	vm = fake_vm(1 << 20, 1);
	vm->clock_base_ns = BASE;
	fired = 0;
}

START_TEST(clock_starts_at_zero)
{
	ck_assert_uint_eq(vm_clock_now(vm), 0);
	fake_clock_advance(5);
	ck_assert_uint_eq(vm_clock_now(vm), 5);
}
END_TEST

START_TEST(fires_once_at_its_time)
{
	struct vm_timer t;

	vm_timer_init(&t, vm, on_fire, vm);
	ck_assert(t.deadline_ns == TIMER_NEVER);
	vm_timer_arm(&t, 100);
	ck_assert_uint_eq(t.deadline_ns, 100);
	fake_clock_advance(99);
	ck_assert_uint_eq(fired, 0);
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired, 1);
	ck_assert_uint_eq(fired_at, 100);
	ck_assert(t.deadline_ns == TIMER_NEVER);
}
END_TEST

START_TEST(past_deadline_fires_soon)
{
	struct vm_timer t;

	vm_timer_init(&t, vm, on_fire, vm);
	fake_clock_advance(50);
	vm_timer_arm(&t, 0);
	fake_clock_advance(0);
	ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(moves_and_cancels)
{
	struct vm_timer t;

	vm_timer_init(&t, vm, on_fire, vm);
	vm_timer_arm(&t, 100);
	vm_timer_arm(&t, 200);
	fake_clock_advance(150);
	ck_assert_uint_eq(fired, 0);
	vm_timer_cancel(&t);
	vm_timer_cancel(&t);
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired, 0);
	vm_timer_arm(&t, 2000);
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(far_future_is_never)
{
	struct vm_timer t;

	vm_timer_init(&t, vm, on_fire, vm);
	vm_timer_arm(&t, 10);
	vm_timer_arm(&t, ~0ULL - 5); /* beyond the end of the host's clock */
	ck_assert(t.deadline_ns == TIMER_NEVER);
	vm_timer_arm(&t, 10);
	vm_timer_arm(&t, TIMER_NEVER);
	fake_clock_advance(1000000000ULL);
	ck_assert_uint_eq(fired, 0);
}
END_TEST

/* A call that was already due when another CPU moved the timer. */
START_TEST(stale_call_is_ignored)
{
	struct vm_timer t;

	vm_timer_init(&t, vm, on_fire, vm);
	vm_timer_arm(&t, 100);
	t.timer.fn(&t.timer);
	ck_assert_uint_eq(fired, 0);
	vm_timer_cancel(&t);
	t.timer.fn(&t.timer);
	ck_assert_uint_eq(fired, 0);
}
END_TEST

START_TEST(queues_on_the_home_cpu)
{
	struct vm_timer t;

	vm->home_cpu = 3;
	vm_timer_init(&t, vm, on_fire, vm);
	vm_timer_arm(&t, 100);
	ck_assert_uint_eq(timer_next_deadline(3), BASE + 100);
	ck_assert(timer_next_deadline(0) == TIMER_NEVER);
	vm_timer_cancel(&t);
}
END_TEST

/* --- the clock stands still --- */

START_TEST(a_pause_is_no_time)
{
	fake_clock_advance(50);
	vm_clock_stop(vm, clock_now());
	ck_assert_uint_eq(vm_clock_now(vm), 50);
	fake_clock_advance(1000);
	ck_assert_uint_eq(vm_clock_now(vm), 50);
	vm_clock_go(vm, clock_now());
	ck_assert_uint_eq(vm_clock_now(vm), 50);
	fake_clock_advance(7);
	ck_assert_uint_eq(vm_clock_now(vm), 57);
	/* Again, and as soon as it began. */
	vm_clock_stop(vm, clock_now());
	vm_clock_go(vm, clock_now());
	ck_assert_uint_eq(vm_clock_now(vm), 57);
}
END_TEST

static unsigned others;

static void on_other(void *arg)
{
	(void)arg;
	others++;
}

START_TEST(timers_wait_for_the_end_of_a_pause)
{
	struct vm_timer t, other, idle;

	others = 0;
	vm_timer_init(&t, vm, on_fire, vm);
	vm_timer_init(&other, vm, on_other, vm);
	vm_timer_init(&idle, vm, on_other, vm);
	vm_timer_arm(&t, 100);
	vm_timer_arm(&other, 300);
	fake_clock_advance(60);
	vm_clock_stop(vm, clock_now());
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired + others, 0);
	vm_clock_go(vm, clock_now());
	fake_clock_advance(39);
	ck_assert_uint_eq(fired + others, 0);
	fake_clock_advance(1);
	ck_assert_uint_eq(fired, 1);
	ck_assert_uint_eq(fired_at, 100);
	/* Twice is as good as once. */
	vm_clock_stop(vm, clock_now());
	fake_clock_advance(1000);
	vm_clock_go(vm, clock_now());
	fake_clock_advance(199);
	ck_assert_uint_eq(others, 0);
	fake_clock_advance(1);
	ck_assert_uint_eq(others, 1);
	fake_clock_advance(1000000);
	ck_assert_uint_eq(fired + others, 2);
}
END_TEST

/* Devices go on with their timers meanwhile: bytes come in on the serial line. */
START_TEST(armed_moved_and_cancelled_in_a_pause)
{
	struct vm_timer armed, moved, cancelled, due;

	vm_timer_init(&armed, vm, on_fire, vm);
	vm_timer_init(&moved, vm, on_fire, vm);
	vm_timer_init(&cancelled, vm, on_fire, vm);
	vm_timer_init(&due, vm, on_fire, vm);
	vm_timer_arm(&moved, 100);
	vm_timer_arm(&cancelled, 100);
	vm_timer_arm(&due, 50);
	fake_clock_set(BASE + 50); /* due, but nobody has looked yet */
	vm_clock_stop(vm, clock_now());
	vm_timer_arm(&armed, 60);
	vm_timer_arm(&moved, 70);
	vm_timer_cancel(&cancelled);
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired, 0);
	vm_clock_go(vm, clock_now());
	fake_clock_advance(0);
	ck_assert_uint_eq(fired, 1);
	fake_clock_advance(10);
	ck_assert_uint_eq(fired, 2);
	fake_clock_advance(10);
	ck_assert_uint_eq(fired, 3);
	fake_clock_advance(1000);
	ck_assert_uint_eq(fired, 3);
}
END_TEST

/* A device attached a second time is in the VM's list once. */
START_TEST(listed_once)
{
	struct vm_timer a, b;

	vm_timer_init(&a, vm, on_fire, vm);
	vm_timer_init(&b, vm, on_fire, vm);
	vm_timer_init(&a, vm, on_fire, vm);
	ck_assert_ptr_eq(vm->timers, &b);
	ck_assert_ptr_eq(b.next_of_vm, &a);
	ck_assert_ptr_null(a.next_of_vm);
}
END_TEST

UNIT_MAIN("vm_timer", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, clock_starts_at_zero); tcase_add_test(tc, fires_once_at_its_time);
          tcase_add_test(tc, past_deadline_fires_soon); tcase_add_test(tc, moves_and_cancels);
          tcase_add_test(tc, far_future_is_never); tcase_add_test(tc, stale_call_is_ignored);
          tcase_add_test(tc, queues_on_the_home_cpu); tcase_add_test(tc, a_pause_is_no_time);
          tcase_add_test(tc, timers_wait_for_the_end_of_a_pause);
          tcase_add_test(tc, armed_moved_and_cancelled_in_a_pause);
          tcase_add_test(tc, listed_once);)
