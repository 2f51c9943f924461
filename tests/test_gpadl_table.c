// SPDX-License-Identifier: BSD-2-Clause
// The table of GPADLs: numbers, a full table and pool, who holds one, when its words are free.
#include "tests/gpadl_world.h"

START_TEST(numbers)
{
	struct gpadl *g;

	setup();
	ck_assert_ptr_nonnull(make_pages(1, 5, 1));
	ck_assert_ptr_null(make_pages(1, 5, 1));
	/* Another channel may use it, too. */
	g = gpadl_create(&t, RELID + 1, 1, 1, 16);
	ck_assert_ptr_nonnull(g);
	/* But while it is built nobody: its bodies have no channel. */
	ck_assert_ptr_null(gpadl_create(&t, RELID + 2, 1, 1, 16));
	ck_assert_int_eq(fill(g, 2), 1);
	ck_assert_ptr_nonnull(gpadl_create(&t, RELID + 2, 1, 1, 16));
	ck_assert_ptr_eq(gpadl_find(&t, RELID + 1, 1), g);
	ck_assert_ptr_null(gpadl_find(&t, RELID + 3, 1));
	ck_assert_ptr_null(gpadl_hold(&t, RELID + 3, 1));
	ck_assert_ptr_null(gpadl_hold(&t, RELID, 2));
}
END_TEST

START_TEST(table_is_full)
{
	setup();
	for (uint32_t i = 1; i <= GPADL_MAX; i++) {
		ck_assert_ptr_nonnull(make_pages(i, i, 1));
	}
	ck_assert_ptr_null(make_pages(GPADL_MAX + 1, 5, 1));
	ck_assert(gpadl_retire(&t, gpadl_find(&t, RELID, 77), false));
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	ck_assert_ptr_nonnull(make_pages(GPADL_MAX + 1, 5, 1));
}
END_TEST

/* Words: first fit, to the last one, holes used again, never two for one. */
START_TEST(pool_is_full)
{
	static uint8_t used[GPADL_POOL_PAGES];
	struct gpadl *g, *big[4];

	setup();
	for (unsigned i = 0; i < 4; i++) {
		big[i] = make_pages(i + 1, 0, 8190);
		ck_assert_ptr_nonnull(big[i]);
		ck_assert_uint_eq(first_word(big[i]), i * 8191);
	}
	/* 32768 - 4 * 8191 = 4 words: three pages. */
	ck_assert_ptr_null(make_pages(9, 0, 4));
	ck_assert_ptr_nonnull(make_pages(9, 0, 3));
	ck_assert_ptr_null(make_pages(10, 0, 1));
	ck_assert(gpadl_retire(&t, big[1], false));
	ck_assert_ptr_null(make_pages(10, 0, 1)); /* retired is not gone */
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	for (uint32_t i = 10; i < 100; i++) {
		g = make_pages(i, i, 90);
		ck_assert_ptr_nonnull(g);
		ck_assert_uint_eq(first_word(g), 8191 + (i - 10) * 91);
	}
	ck_assert_ptr_null(make_pages(100, 0, 1));
	memset(used, 0, sizeof(used));
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		for (uint32_t k = 0; t.slots[i].state != GPADL_FREE && k < t.slots[i].n_words;
		        k++) {
			ck_assert_uint_eq(used[t.slots[i].first + k]++, 0);
		}
	}
	/* What was there before is as it was. */
	for (uint32_t i = 0; i < 8190; i++) {
		ck_assert_ptr_eq(big[0]->pages[i], ram + i * PAGE_SIZE);
		ck_assert_ptr_eq(big[2]->pages[i], ram + i * PAGE_SIZE);
	}
}
END_TEST

START_TEST(held_until_released)
{
	struct gpadl *g, *h;

	setup();
	g = make_pages(5, 5, 1);
	h = gpadl_hold(&t, RELID, 5);
	ck_assert_ptr_eq(g, h);
	ck_assert_ptr_eq(gpadl_hold(&t, RELID, 5), g);
	ck_assert_uint_eq(g->holders, 2);
	ck_assert(!gpadl_is_retired(g));
	ck_assert(!gpadl_retire(&t, g, true));
	ck_assert(gpadl_is_retired(g));
	ck_assert_ptr_null(gpadl_hold(&t, RELID, 5));
	ck_assert_ptr_null(gpadl_any(&t, RELID));
	ck_assert_ptr_eq(gpadl_find(&t, RELID, 5), g);
	ck_assert_ptr_null(make_pages(5, 5, 1)); /* its number is not free */
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	gpadl_release(&t, g);
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	ck_assert_ptr_eq(g->pages[0], ram + 5 * PAGE_SIZE); /* still usable */
	gpadl_release(&t, g);
	ck_assert_uint_eq(gpadl_reap(&t), 5);
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	ck_assert_ptr_null(gpadl_find(&t, RELID, 5));
	ck_assert_ptr_nonnull(make_pages(5, 5, 1));
}
END_TEST

START_TEST(reap_tells_those_who_wait)
{
	struct gpadl *held;

	setup();
	for (uint32_t i = 1; i <= 6; i++) {
		ck_assert_ptr_nonnull(make_pages(i, 5, 1));
	}
	held = gpadl_hold(&t, RELID, 4);
	for (uint32_t i = 1; i <= 6; i++) {
		ck_assert_int_eq(gpadl_retire(&t, gpadl_find(&t, RELID, i), i % 2 == 0), i != 4);
	}
	ck_assert_uint_eq(gpadl_reap(&t), 2);
	ck_assert_uint_eq(gpadl_reap(&t), 6);
	ck_assert_uint_eq(gpadl_reap(&t), 0);
	ck_assert_uint_eq(t.n_retired, 1);
	gpadl_release(&t, held);
	ck_assert_uint_eq(gpadl_reap(&t), 4);
	ck_assert_uint_eq(t.n_retired, 0);
}
END_TEST

/* One that is not complete can be taken back, too. */
START_TEST(retired_while_built)
{
	struct gpadl *g;

	setup();
	g = gpadl_create(&t, RELID, 1, 1, 32);
	ck_assert_ptr_eq(gpadl_any(&t, 0), g);
	ck_assert(gpadl_retire(&t, g, true));
	ck_assert_ptr_null(gpadl_building(&t, 1));
	ck_assert_uint_eq(gpadl_reap(&t), 1);
	ck_assert_ptr_null(gpadl_any(&t, 0));
}
END_TEST

START_TEST(any_of_a_channel)
{
	struct gpadl *a, *b;

	setup();
	a = gpadl_create(&t, 7, 1, 1, 16);
	b = make_pages(2, 5, 1);
	ck_assert_ptr_eq(gpadl_any(&t, 7), a);
	ck_assert_ptr_eq(gpadl_any(&t, RELID), b);
	ck_assert_ptr_null(gpadl_any(&t, 8));
	ck_assert_ptr_nonnull(gpadl_any(&t, 0));
}
END_TEST

UNIT_MAIN("gpadl_table", tcase_add_test(tc, numbers); tcase_add_test(tc, table_is_full);
          tcase_add_test(tc, pool_is_full); tcase_add_test(tc, held_until_released);
          tcase_add_test(tc, reap_tells_those_who_wait); tcase_add_test(tc, retired_while_built);
          tcase_add_test(tc, any_of_a_channel);)
