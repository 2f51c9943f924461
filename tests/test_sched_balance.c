// SPDX-License-Identifier: BSD-2-Clause
// Between CPUs: who may take whom, and what shares a machine gives in the long run. The second part
// plays a machine of several CPUs, in steps of a quarter of a millisecond.
#include "tests/unit.h"
#include "vmm/lib/bits.h"
#include "vmm/sched_balance.h"
#include <stdio.h>
#include <string.h>

#define MS 1000000ULL
#define STEP_NS 250000ULL
#define MAX_NODES 16U

static struct sched_queue queues[4];
static struct sched_node n[MAX_NODES];
static uint32_t where[MAX_NODES];
static bool pinned_down[MAX_NODES]; /* claim() says no */

static bool claim(struct sched_node *x, uint32_t cpu)
{
	if (pinned_down[x - n]) {
		return false;
	}
	where[x - n] = cpu;
	return true;
}

static struct sched_cpus cpus = {.queues = queues, .n = 2, .claim = claim};

static void setup(void)
{
	for (unsigned i = 0; i < MAX_NODES; i++) {
		sched_node_init(&n[i], 100, ~0ULL);
	}
}

static void runs(unsigned cpu, unsigned i, uint64_t vruntime)
{
	n[i].vruntime = vruntime;
	sched_insert_locked(&queues[cpu], &n[i], 0);
	sched_start_locked(&queues[cpu], &n[i], 0);
}

static void waits(unsigned cpu, unsigned i, uint64_t vruntime)
{
	n[i].vruntime = vruntime;
	sched_insert_locked(&queues[cpu], &n[i], 0);
}

START_TEST(idle_takes_what_waits)
{
	ck_assert_ptr_null(sched_pull(&cpus, 0, true, 0));
	runs(1, 0, 0);
	ck_assert_ptr_null(sched_pull(&cpus, 0, true, 0));
	waits(1, 1, 70);
	waits(1, 2, 80);
	ck_assert_ptr_eq(sched_pull(&cpus, 0, true, 0), &n[1]);
	ck_assert(n[1].queued);
	ck_assert_uint_eq(where[1], 0);
	ck_assert_ptr_eq(queues[1].head, &n[2]);
	ck_assert_uint_eq(queues[1].waiting, 1);
}
END_TEST

START_TEST(not_every_one_may_go)
{
	runs(1, 0, 0);
	waits(1, 1, 0);
	waits(1, 2, 1);
	waits(1, 3, 2);
	n[1].cpus = BIT64(1);
	n[2].held = 2;
	pinned_down[3] = true;
	ck_assert_ptr_null(sched_pull(&cpus, 0, true, 0));
	n[2].held = 0;
	ck_assert_ptr_eq(sched_pull(&cpus, 0, true, 0), &n[2]);
}
END_TEST

START_TEST(busy_takes_who_lags)
{
	runs(0, 0, SCHED_PULL_NS);
	runs(1, 1, 0);
	waits(1, 2, 0);
	ck_assert_ptr_null(sched_pull(&cpus, 0, false, 0));
	/* What ours has used meanwhile counts. */
	ck_assert_ptr_eq(sched_pull(&cpus, 0, false, 1), &n[2]);
	/* Behind by its own measure: a larger weight feels it sooner. */
	sched_node_init(&n[3], 200, ~0ULL);
	waits(1, 3, SCHED_PULL_NS / 2 + 1);
	ck_assert_ptr_null(sched_pull(&cpus, 0, false, 1));
	n[3].vruntime = SCHED_PULL_NS / 2 - 2;
	ck_assert_ptr_eq(sched_pull(&cpus, 0, false, 1), &n[3]);
}
END_TEST

/* One of ours that is behind as well must run first. */
START_TEST(own_ones_that_lag)
{
	runs(0, 0, 100 * MS);
	waits(0, 1, 10 * MS);
	runs(1, 2, 0);
	waits(1, 3, 0);
	ck_assert_ptr_null(sched_pull(&cpus, 0, false, 0));
}
END_TEST

START_TEST(common_clock)
{
	queues[0].vtime = 7;
	ck_assert_uint_eq(sched_common_vtime(&cpus, 0), 7);
	cpus.n = 4;
	queues[1].vtime = 100;
	queues[2].vtime = 50;
	queues[3].vtime = 20; /* idle: says nothing */
	queues[1].busy = queues[2].busy = 1;
	ck_assert_uint_eq(sched_common_vtime(&cpus, 0), 50);
	ck_assert_uint_eq(sched_common_vtime(&cpus, 2), 100);
}
END_TEST

/* A lead that is nobody's loss is forgotten; one that is not, stays. */
START_TEST(lead)
{
	runs(0, 0, 1000 * MS);
	waits(0, 2, 1001 * MS);
	runs(1, 1, 0);
	ck_assert_ptr_null(sched_pull(&cpus, 0, false, 0));
	ck_assert_uint_eq(n[0].vruntime, SCHED_CARRY_NS);
	ck_assert_uint_eq(n[2].vruntime, SCHED_CARRY_NS + 1 * MS);
	ck_assert_uint_eq(queues[0].vtime, SCHED_CARRY_NS);
	n[0].vruntime = n[2].vruntime = queues[0].vtime = 1000 * MS;
	waits(1, 3, 0);
	n[3].held = 2; /* cannot be had at the moment */
	ck_assert_ptr_null(sched_pull(&cpus, 0, false, 0));
	ck_assert_uint_eq(n[0].vruntime, 1000 * MS);
}
END_TEST

/* --- a machine --- */

struct task {
	uint32_t weight;
	uint64_t mask;                   /* 0 = any */
	unsigned run_steps, sleep_steps; /* 0 = always busy */
};

#define BUSY(w) \
	{ \
		.weight = (w) \
	}
#define PINNED(w, m) \
	{ \
		.weight = (w), .mask = (m) \
	}
#define SLEEPY(w, run, sleep) \
	{ \
		.weight = (w), .run_steps = (run), .sleep_steps = (sleep) \
	}

static uint64_t now;
static uint64_t slice_end[4], balance_due[4];
static uint64_t wake_at[MAX_NODES];
static unsigned left[MAX_NODES];
static struct task tasks[MAX_NODES];
static unsigned n_tasks;

static void enter(uint32_t cpu, struct sched_node *x, uint64_t credit)
{
	struct sched_queue *q = &queues[cpu];

	if (!q->busy) {
		q->vtime = sched_common_vtime(&cpus, cpu);
	}
	sched_place_locked(q, x, credit);
	sched_insert_locked(q, x, now);
}

static void wake(unsigned i)
{
	struct sched_queue *q;

	for (unsigned c = 0; c < cpus.n && queues[where[i]].busy; c++) {
		if (!queues[c].busy && (n[i].cpus & BIT64(c))) {
			where[i] = c;
		}
	}
	q = &queues[where[i]];
	enter(where[i], &n[i], SCHED_CREDIT_NS);
	if (q->current && sched_preempts_locked(q, &n[i], now)) {
		slice_end[where[i]] = now;
	}
}

static void pull(uint32_t c, bool idle)
{
	struct sched_node *x = sched_pull(&cpus, c, idle, now);

	if (x) {
		enter(c, x, SCHED_CARRY_NS);
	}
}

static void schedule(uint32_t c)
{
	struct sched_queue *q = &queues[c];
	struct sched_node *cur = q->current;

	sched_charge_locked(q, now);
	if (cur && tasks[cur - n].run_steps && --left[cur - n] == 0) {
		unsigned i = (unsigned)(cur - n);

		q->current = NULL;
		q->busy = q->waiting != 0;
		left[i] = tasks[i].run_steps;
		wake_at[i] = now + tasks[i].sleep_steps * STEP_NS;
	} else if (cur && now < slice_end[c]) {
		return;
	}
	if (now >= balance_due[c]) {
		balance_due[c] = now + SCHED_SLICE_NS;
		pull(c, false);
	}
	cur = q->current;
	if (cur) {
		q->current = NULL;
		sched_insert_locked(q, cur, now);
	}
	if (!q->head) {
		pull(c, true);
	}
	if (q->head) {
		sched_start_locked(q, sched_first_locked(q), now);
		slice_end[c] = now + sched_slice_locked(q);
	}
}

static void machine(unsigned n_cpus, const struct task *t, unsigned count)
{
	cpus.n = n_cpus;
	n_tasks = count;
	memcpy(tasks, t, count * sizeof(*t));
	for (unsigned i = 0; i < count; i++) {
		sched_node_init(&n[i], t[i].weight, t[i].mask ? t[i].mask : ~0ULL);
		where[i] = t[i].mask ? bit_first(t[i].mask) : i % n_cpus;
		left[i] = t[i].run_steps;
		wake_at[i] = now;
	}
}

static void play(uint64_t ms)
{
	for (uint64_t end = now + ms * MS; now < end; now += STEP_NS) {
		for (unsigned i = 0; i < n_tasks; i++) {
			if (wake_at[i] <= now) {
				wake_at[i] = ~0ULL;
				wake(i);
			}
		}
		for (uint32_t c = 0; c < cpus.n; c++) {
			schedule(c);
		}
	}
	for (uint32_t c = 0; c < cpus.n; c++) {
		sched_charge_locked(&queues[c], now);
	}
}

struct scenario {
	unsigned cpus, count;
	struct task tasks[8];
	unsigned percent[8]; /* of one CPU, what each should have */
};

static const struct scenario scenarios[] = {
        {1, 2, {BUSY(100), BUSY(100)}, {50, 50}},
        {1, 3, {BUSY(100), BUSY(200), BUSY(300)}, {17, 33, 50}},
        {1, 2, {BUSY(1), BUSY(10000)}, {0, 100}},
        {2, 2, {BUSY(100), BUSY(100)}, {100, 100}},
        /* Does not divide: evened out over time. */
        {2, 3, {BUSY(100), BUSY(100), BUSY(100)}, {67, 67, 67}},
        {2, 5, {BUSY(100), BUSY(100), BUSY(100), BUSY(100), BUSY(100)}, {40, 40, 40, 40, 40}},
        {4, 7, {BUSY(100), BUSY(100), BUSY(100), BUSY(100), BUSY(100), BUSY(100), BUSY(100)},
                {57, 57, 57, 57, 57, 57, 57}},
        {2, 4, {BUSY(100), BUSY(200), BUSY(300), BUSY(400)}, {20, 40, 60, 80}},
        {2, 3, {BUSY(10), BUSY(10), BUSY(10)}, {67, 67, 67}},
        {2, 3, {BUSY(10000), BUSY(10000), BUSY(10000)}, {67, 67, 67}},
        /* One vCPU has one CPU at most; the others share the rest. */
        {2, 3, {BUSY(900), BUSY(100), BUSY(100)}, {100, 50, 50}},
        {3, 5, {BUSY(10000), BUSY(100), BUSY(100), BUSY(100), BUSY(100)}, {100, 50, 50, 50, 50}},
        /* Pinned ones. */
        {2, 3, {PINNED(100, 1), PINNED(100, 1), PINNED(100, 2)}, {50, 50, 100}},
        {2, 3, {PINNED(100, 1), BUSY(100), PINNED(100, 2)}, {67, 67, 67}},
        {2, 3, {PINNED(1, 1), BUSY(100), BUSY(300)}, {1, 100, 99}},
        {4, 5, {PINNED(100, 3), PINNED(100, 3), PINNED(100, 3), BUSY(100), BUSY(100)},
                {67, 67, 67, 100, 100}},
        /* One that sleeps gets what it asks for, and the others the rest. */
        {1, 3, {SLEEPY(100, 1, 39), BUSY(100), BUSY(100)}, {2, 49, 49}},
        {2, 4, {SLEEPY(100, 2, 6), BUSY(100), BUSY(100), BUSY(100)}, {25, 58, 58, 58}},
        /* And one that sleeps for a moment only, no more than its share. */
        {1, 2, {SLEEPY(100, 40, 1), BUSY(100)}, {50, 50}},
        {1, 2, {SLEEPY(100, 4, 1), BUSY(300)}, {25, 75}},
};

START_TEST(shares)
{
	const struct scenario *s = &scenarios[_i];

	now = 1;
	machine(s->cpus, s->tasks, s->count);
	play(500);
	for (unsigned i = 0; i < s->count; i++) {
		n[i].stats = (struct sched_stats){.run_ns = 0};
	}
	play(4000);
	for (unsigned i = 0; i < s->count; i++) {
		double got = (double)n[i].stats.run_ns / (4000 * MS) * 100, want = s->percent[i];

		/* Within 10 %, and a percentage point for the smallest. */
		ck_assert_msg(got >= want * 0.9 - 1 && got <= want * 1.1 + 1,
		        "scenario %d, vCPU %u: %.1f %% of a CPU, should be %.0f", _i, i, got, want);
	}
}
END_TEST

/*
 * After an hour in which clocks drift apart - a small weight alone on a CPU, a large one alone on
 * the other - newcomers are treated fairly at once.
 */
START_TEST(newcomers_after_a_long_time)
{
	static const struct task t[] = {
	        PINNED(1, 1), PINNED(10000, 2), BUSY(100), BUSY(100), BUSY(100), BUSY(100)};
	static uint64_t before[6];

	now = 1;
	machine(2, t, 6);
	for (unsigned i = 2; i < 6; i++) {
		wake_at[i] = 100000 * MS;
		where[i] = i & 1;
	}
	play(100000);
	ck_assert(n[0].stats.run_ns > 99000 * MS && n[1].stats.run_ns > 99000 * MS);
	for (unsigned i = 0; i < 6; i++) {
		before[i] = n[i].stats.run_ns;
	}
	play(2000);
	for (unsigned i = 0; i < 6; i++) {
		double got = (double)(n[i].stats.run_ns - before[i]) / (2000 * MS) * 100;
		static const double want[] = {0, 96, 25, 25, 25, 25};

		ck_assert_msg(got >= want[i] * 0.8 - 1 && got <= want[i] * 1.2 + 1,
		        "vCPU %u: %.1f %%, should be %.0f", i, got, want[i]);
	}
}
END_TEST

/* Also where others are moved to and fro between CPUs with what they are owed. */
START_TEST(sleepers_beside_movers)
{
	static const struct task t[] = {SLEEPY(100, 1, 9), PINNED(100, 2), BUSY(100), BUSY(100)};

	now = 1;
	machine(2, t, 4);
	play(4000);
	ck_assert_msg(n[0].stats.wait_ns < 1600 * STEP_NS * 3 / 2, "waited %llu us",
	        (unsigned long long)n[0].stats.wait_ns / 1000);
}
END_TEST

/* One that sleeps most of the time runs within a slice's breath of its wake-up, always. */
START_TEST(sleepers_are_served_at_once)
{
	static const struct task t[] = {SLEEPY(100, 1, 39), BUSY(100), BUSY(100), BUSY(100)};

	now = 1;
	machine(1, t, 4);
	play(4000);
	/* 400 wake-ups; without preemption each would wait some milliseconds. */
	ck_assert_msg(n[0].stats.wait_ns < 400 * 2 * STEP_NS, "waited %llu us",
	        (unsigned long long)n[0].stats.wait_ns / 1000);
}
END_TEST

UNIT_MAIN("sched_balance", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, idle_takes_what_waits); tcase_add_test(tc, not_every_one_may_go);
          tcase_add_test(tc, busy_takes_who_lags); tcase_add_test(tc, own_ones_that_lag);
          tcase_add_test(tc, common_clock); tcase_add_test(tc, lead);
          tcase_add_loop_test(tc, shares, 0, ARRAY_SIZE(scenarios));
          tcase_add_test(tc, newcomers_after_a_long_time);
          tcase_add_test(tc, sleepers_are_served_at_once);
          tcase_add_test(tc, sleepers_beside_movers);)
