// SPDX-License-Identifier: BSD-2-Clause
// Order and arithmetic of one CPU's queue.
#include "tests/unit.h"
#include "vmm/sched_queue.h"

#define MS 1000000ULL

static struct sched_queue q;
static struct sched_node n[4];

static void setup(void)
{
	q = (struct sched_queue){.vtime = 0};
	for (unsigned i = 0; i < 4; i++) {
		sched_node_init(&n[i], 100, 1);
	}
}

static void order(const char *want)
{
	const struct sched_node *x = q.head, *last = NULL;
	unsigned count = 0;

	for (; *want; want++, x = x->next) {
		ck_assert_ptr_nonnull(x);
		ck_assert_int_eq(x - n, *want - '0');
		ck_assert_ptr_eq(x->prev, last);
		ck_assert(x->queued);
		last = x;
		count++;
	}
	ck_assert_ptr_null(x);
	ck_assert_ptr_eq(q.tail, last);
	ck_assert_uint_eq(q.waiting, count);
}

static void insert(unsigned i, uint64_t vruntime)
{
	n[i].vruntime = vruntime;
	sched_insert_locked(&q, &n[i], 0);
}

START_TEST(scale)
{
	static const struct {
		uint32_t weight;
		uint64_t want;
	} rows[] = {{0, 1000000}, {100, 1000000}, {200, 500000}, {50, 2000000}, {1, 100000000},
	        {10000, 9999}, {300, 333333}};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		sched_node_init(&n[0], rows[i].weight, 1);
		ck_assert_uint_eq(sched_scaled(&n[0], MS), rows[i].want);
	}
	/* A time too long to count does not overflow. */
	sched_node_init(&n[0], 1, 1);
	ck_assert_uint_eq(sched_scaled(&n[0], UINT64_MAX), (1ULL << 36) * 100);
}
END_TEST

START_TEST(insert_and_remove)
{
	order("");
	insert(0, 50);
	order("0");
	insert(1, 50); /* equal: behind */
	order("01");
	insert(2, 10);
	order("201");
	insert(3, 40);
	order("2301");
	sched_remove_locked(&q, &n[3], 7);
	order("201");
	ck_assert_uint_eq(n[3].stats.wait_ns, 7);
	ck_assert(n[3].queued); /* on its way */
	sched_remove_locked(&q, &n[1], 0);
	order("20");
	sched_remove_locked(&q, &n[2], 0);
	order("0");
	sched_remove_locked(&q, &n[0], 0);
	order("");
	ck_assert_uint_eq(q.busy, 0);
}
END_TEST

/* The order holds where the clock wraps. */
START_TEST(wraps)
{
	insert(0, 5);
	insert(1, UINT64_MAX - 5);
	insert(2, 0);
	order("120");
}
END_TEST

/* Another CPU's clock may be a little behind: no time, rather than almost for ever. */
START_TEST(clocks_apart)
{
	sched_insert_locked(&q, &n[0], 1000);
	sched_start_locked(&q, &n[0], 990);
	ck_assert_uint_eq(n[0].stats.wait_ns, 0);
	sched_charge_locked(&q, 980);
	ck_assert_uint_eq(n[0].stats.run_ns, 0);
	ck_assert_uint_eq(n[0].vruntime, 0);
}
END_TEST

START_TEST(charging)
{
	sched_node_init(&n[0], 200, 1);
	insert(0, 1000);
	insert(1, 3000);
	sched_start_locked(&q, &n[0], 0);
	order("1");
	ck_assert_uint_eq(q.vtime, 1000);
	sched_charge_locked(&q, 2000);
	ck_assert_uint_eq(n[0].vruntime, 2000);
	ck_assert_uint_eq(n[0].stats.run_ns, 2000);
	ck_assert_uint_eq(q.vtime, 2000);
	/* The least of all, not the running one's. */
	sched_charge_locked(&q, 10000);
	ck_assert_uint_eq(n[0].vruntime, 6000);
	ck_assert_uint_eq(q.vtime, 3000);
	/* It does not go back for one that comes in behind. */
	insert(2, 0);
	sched_charge_locked(&q, 10002);
	ck_assert_uint_eq(q.vtime, 3000);
}
END_TEST

/* Sleep is not saved up, and debt is not carried for ever. */
START_TEST(placing)
{
	q.vtime = 100 * MS;
	n[0].vruntime = 1;
	sched_place_locked(&q, &n[0], 5 * MS);
	ck_assert_uint_eq(n[0].vruntime, 95 * MS);
	n[0].vruntime = 98 * MS;
	sched_place_locked(&q, &n[0], 5 * MS);
	ck_assert_uint_eq(n[0].vruntime, 98 * MS);
	n[0].vruntime = 1000 * MS;
	sched_place_locked(&q, &n[0], 5 * MS);
	ck_assert_uint_eq(n[0].vruntime, 100 * MS + SCHED_CARRY_NS);
	/* By its own weight. */
	sched_node_init(&n[0], 1000, 1);
	sched_place_locked(&q, &n[0], 5 * MS);
	ck_assert(n[0].vruntime > 99 * MS && n[0].vruntime < 100 * MS);
}
END_TEST

START_TEST(preempting)
{
	insert(0, 0);
	ck_assert(!sched_preempts_locked(&q, &n[0], 0)); /* nobody runs */
	sched_start_locked(&q, &n[0], 0);
	insert(1, 0);
	/* What the running one has used since it was charged counts. */
	q.vtime = 0;
	ck_assert(!sched_preempts_locked(&q, &n[1], SCHED_PREEMPT_NS));
	ck_assert(sched_preempts_locked(&q, &n[1], SCHED_PREEMPT_NS + 1));
	n[1].vruntime = 10 * MS;
	ck_assert(!sched_preempts_locked(&q, &n[1], SCHED_PREEMPT_NS + 1));
}
END_TEST

/* One that wakes goes before one that another CPU left far behind. */
START_TEST(favoured)
{
	q.vtime = 100 * MS;
	ck_assert_ptr_null(sched_first_locked(&q));
	insert(0, 50 * MS);
	sched_start_locked(&q, &n[0], 0);
	insert(1, 60 * MS);
	insert(2, 96 * MS);
	ck_assert_ptr_eq(sched_first_locked(&q), &n[1]);
	ck_assert(sched_preempts_locked(&q, &n[2], 0));
	ck_assert_ptr_eq(sched_first_locked(&q), &n[2]);
	/* The needier of two that wake. */
	insert(3, 97 * MS);
	ck_assert(sched_preempts_locked(&q, &n[3], 0));
	ck_assert_ptr_eq(sched_first_locked(&q), &n[2]);
	sched_remove_locked(&q, &n[3], 0);
	insert(3, 95 * MS);
	ck_assert(sched_preempts_locked(&q, &n[3], 0));
	ck_assert_ptr_eq(sched_first_locked(&q), &n[3]);
	/* Once. */
	sched_start_locked(&q, &n[3], 0);
	ck_assert_ptr_eq(sched_first_locked(&q), &n[1]);
	/* On the clock, nobody has a claim. */
	sched_remove_locked(&q, &n[2], 0);
	n[3].vruntime = 50 * MS;
	insert(2, 100 * MS);
	ck_assert(!sched_preempts_locked(&q, &n[2], 0));
	ck_assert_ptr_eq(sched_first_locked(&q), &n[1]);
}
END_TEST

START_TEST(slices)
{
	static const uint64_t want[] = {10, 10, 20, 20, 20, 20};
	static struct sched_node many[20];

	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		uint64_t slice = want[i] == 10 ? 10 * MS : 20 * MS / (i + 1);

		ck_assert_uint_eq(sched_slice_locked(&q), slice);
		sched_insert_locked(&q, &many[i], 0);
	}
	for (unsigned i = ARRAY_SIZE(want); i < 20; i++) {
		sched_insert_locked(&q, &many[i], 0);
	}
	ck_assert_uint_eq(sched_slice_locked(&q), 2 * MS);
}
END_TEST

static const struct sched_node *preferred;

static bool prefer(const struct sched_node *x, const struct sched_node *who)
{
	(void)who;
	return x == preferred;
}

START_TEST(yielding)
{
	insert(0, 0);
	ck_assert_ptr_null(sched_yield_to_locked(&q, &n[0], prefer));
	insert(1, 3 * MS);
	insert(2, 4 * MS);
	insert(3, 50 * MS);
	ck_assert_ptr_eq(sched_yield_to_locked(&q, &n[0], prefer), &n[1]);
	ck_assert_uint_eq(n[0].vruntime, 0);
	/* From behind the others, too. */
	ck_assert_ptr_eq(sched_yield_to_locked(&q, &n[3], prefer), &n[0]);
	/* Its own kind first, but not long before their time. */
	preferred = &n[2];
	ck_assert_ptr_eq(sched_yield_to_locked(&q, &n[0], prefer), &n[2]);
	preferred = &n[3];
	ck_assert_ptr_eq(sched_yield_to_locked(&q, &n[0], prefer), &n[1]);
	/* Always giving up is no claim on the time given up. */
	sched_remove_locked(&q, &n[1], 0);
	sched_remove_locked(&q, &n[2], 0);
	ck_assert_ptr_eq(sched_yield_to_locked(&q, &n[0], prefer), &n[3]);
	ck_assert_uint_eq(n[0].vruntime, 50 * MS - SCHED_SLICE_NS);
}
END_TEST

START_TEST(shifting)
{
	insert(0, 10);
	insert(1, 20);
	insert(2, 30);
	sched_start_locked(&q, &n[0], 0);
	sched_shift_locked(&q, -15);
	ck_assert_uint_eq(q.vtime, 10 - 15ULL);
	ck_assert_uint_eq(n[0].vruntime, 10 - 15ULL);
	ck_assert_uint_eq(n[1].vruntime, 5);
	ck_assert_uint_eq(n[2].vruntime, 15);
	order("12");
}
END_TEST

UNIT_MAIN("sched_queue", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, scale);
          tcase_add_test(tc, insert_and_remove); tcase_add_test(tc, wraps);
          tcase_add_test(tc, clocks_apart); tcase_add_test(tc, charging);
          tcase_add_test(tc, placing); tcase_add_test(tc, preempting); tcase_add_test(tc, favoured);
          tcase_add_test(tc, slices); tcase_add_test(tc, yielding); tcase_add_test(tc, shifting);)
