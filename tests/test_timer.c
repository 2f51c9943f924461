// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/timer.c: order, re-arming, cancelling, kicks, bounds.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"

static char fired[600];
static unsigned n_fired;

struct named {
	struct timer timer;
	char name;
	uint64_t again_ns; /* re-arm at this time from the callback; 0 = no */
};

static void fire(struct timer *t)
{
	struct named *n = container_of(t, struct named, timer);

	ck_assert_uint_eq(t->queued, 0);
	ck_assert_uint_eq(t->deadline_ns, TIMER_NEVER);
	ck_assert_uint_lt(n_fired, sizeof(fired) - 1);
	fired[n_fired++] = n->name;
	fired[n_fired] = '\0';
	if (n->again_ns) {
		timer_arm(t, t->cpu, n->again_ns);
	}
}

static struct named a, b, c;

static void start(void)
{
	struct named *all[] = {&a, &b, &c};

	for (unsigned i = 0; i < 3; i++) {
		*all[i] = (struct named){.name = (char)('a' + i)};
		timer_init(&all[i]->timer, fire);
	}
	n_fired = 0;
	fired[0] = '\0';
	fake_kicks = 0;
}

START_TEST(runs_in_order_of_deadline)
{
	start();
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	timer_arm(&b.timer, 0, 200);
	timer_arm(&c.timer, 0, 300);
	timer_arm(&a.timer, 0, 100);
	ck_assert_uint_eq(timer_next_deadline(0), 100);
	timer_run_due(0, 99);
	ck_assert_str_eq(fired, "");
	timer_run_due(0, 200);
	ck_assert_str_eq(fired, "ab");
	ck_assert_uint_eq(timer_next_deadline(0), 300);
	timer_run_due(0, 1000);
	timer_run_due(0, 1000);
	ck_assert_str_eq(fired, "abc");
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

START_TEST(equal_deadlines_keep_their_order)
{
	start();
	timer_arm(&c.timer, 0, 5);
	timer_arm(&a.timer, 0, 5);
	timer_arm(&b.timer, 0, 5);
	timer_run_due(0, 5);
	ck_assert_str_eq(fired, "cab");
}
END_TEST

START_TEST(re_arming_moves)
{
	start();
	timer_arm(&a.timer, 0, 100);
	timer_arm(&b.timer, 0, 150);
	timer_arm(&a.timer, 0, 200);
	ck_assert_uint_eq(timer_next_deadline(0), 150);
	timer_arm(&a.timer, 3, 120); /* to another CPU */
	ck_assert_uint_eq(timer_next_deadline(3), 120);
	timer_run_due(0, 500);
	ck_assert_str_eq(fired, "b");
	timer_run_due(3, 500);
	ck_assert_str_eq(fired, "ba");
}
END_TEST

START_TEST(cancels_first_middle_last_and_unarmed)
{
	start();
	timer_arm(&a.timer, 1, 10);
	timer_arm(&b.timer, 1, 20);
	timer_arm(&c.timer, 1, 30);
	timer_cancel(&b.timer);
	timer_cancel(&b.timer);
	ck_assert_uint_eq(b.timer.deadline_ns, TIMER_NEVER);
	timer_cancel(&a.timer);
	ck_assert_uint_eq(timer_next_deadline(1), 30);
	timer_arm(&b.timer, 1, 40);
	timer_arm(&c.timer, 1, TIMER_NEVER); /* the same as cancelling */
	ck_assert_uint_eq(timer_next_deadline(1), 40);
	timer_run_due(1, 100);
	ck_assert_str_eq(fired, "b");
}
END_TEST

START_TEST(callback_may_re_arm)
{
	start();
	a.again_ns = 70;
	timer_arm(&a.timer, 0, 50);
	timer_arm(&b.timer, 0, 60);
	timer_run_due(0, 60);
	ck_assert_str_eq(fired, "ab");
	a.again_ns = 0;
	timer_run_due(0, 70);
	ck_assert_str_eq(fired, "aba");
}
END_TEST

START_TEST(re_arming_in_the_past_is_bounded)
{
	start();
	a.again_ns = 1;
	timer_arm(&a.timer, 0, 1);
	timer_run_due(0, 100);
	ck_assert_uint_gt(n_fired, 1);
	ck_assert_uint_lt(n_fired, 500);
	ck_assert_uint_eq(timer_next_deadline(0), 1);
}
END_TEST

START_TEST(kicks_for_a_new_first_only)
{
	start();
	timer_arm(&a.timer, 2, 100);
	ck_assert_uint_eq(fake_kicks, 1);
	timer_arm(&b.timer, 2, 200);
	ck_assert_uint_eq(fake_kicks, 1);
	timer_arm(&c.timer, 2, 50);
	ck_assert_uint_eq(fake_kicks, 2);
	timer_cancel(&c.timer);
	ck_assert_uint_eq(fake_kicks, 2);
}
END_TEST

START_TEST(every_cpu_has_its_own_queue)
{
	start();
	timer_arm(&a.timer, 0, 10);
	timer_arm(&b.timer, MAX_CPUS - 1, 10);
	timer_run_due(MAX_CPUS - 1, 10);
	ck_assert_str_eq(fired, "b");
	timer_run_due(0, 10);
	ck_assert_str_eq(fired, "ba");
}
END_TEST

/* What the CPU's loop looks at follows the queue, but never past its limit. */
START_TEST(watched)
{
	const uint64_t *tsc;

	start();
	tsc = timer_watch(0, 1000);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(1000));
	timer_arm(&a.timer, 0, 2000);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(1000));
	timer_arm(&b.timer, 0, 500);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(500));
	timer_arm(&c.timer, 3, 100); /* another CPU's */
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(500));
	timer_run_due(0, 500);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(1000));
	tsc = timer_watch(0, TIMER_NEVER);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(2000));
	timer_cancel(&a.timer);
	ck_assert_uint_eq(*tsc, clock_ns_to_tsc(TIMER_NEVER));
	timer_cancel(&c.timer);
}
END_TEST

UNIT_MAIN("timer", tcase_add_test(tc, runs_in_order_of_deadline);
          tcase_add_test(tc, equal_deadlines_keep_their_order); tcase_add_test(tc, re_arming_moves);
          tcase_add_test(tc, cancels_first_middle_last_and_unarmed);
          tcase_add_test(tc, callback_may_re_arm);
          tcase_add_test(tc, re_arming_in_the_past_is_bounded);
          tcase_add_test(tc, kicks_for_a_new_first_only);
          tcase_add_test(tc, every_cpu_has_its_own_queue); tcase_add_test(tc, watched);)
