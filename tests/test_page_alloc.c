// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/page_alloc.c over an arena: alignment, merging, exhaustion, a long random run.
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/hw/page_alloc.h"
#include <signal.h>
#include <string.h>

#define MIB (1ULL << 20)
#define BASE 0ULL
#define ARENA (64 * MIB)

static struct boot_info bi;

static void add(uint64_t base, uint64_t len, enum boot_mem_type type)
{
	bi.mem[bi.n_mem++] = (struct boot_mem){.base = base, .len = len, .type = type};
}

/* Check forks for every test, so that each has an allocator that was never started. */
static void start(void)
{
	fake_phys_init(BASE, ARENA);
	memset(&bi, 0, sizeof(bi));
	add(0, 0x9f000, BOOT_MEM_USABLE);
	add(0x9f000, 0x61000, BOOT_MEM_RESERVED);
	add(1 * MIB, 1 * MIB, BOOT_MEM_USABLE);
	add(2 * MIB, 1 * MIB, BOOT_MEM_LOADER);
	add(3 * MIB, 13 * MIB + 4096, BOOT_MEM_USABLE);
	add(16 * MIB + 4096, 4 * MIB, BOOT_MEM_ACPI);
	add(21 * MIB, 43 * MIB, BOOT_MEM_USABLE);
	page_alloc_init(&bi);
}

#define TOTAL (57 * MIB + 4096)

static bool all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		if (b[i]) {
			return false;
		}
	}
	return true;
}

START_TEST(knows_what_there_is)
{
	start();
	ck_assert_uint_eq(page_alloc_total_bytes(), TOTAL);
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL);
	ck_assert_uint_eq(page_alloc_largest_run(PAGE_SIZE), 43 * MIB);
	ck_assert_uint_eq(page_alloc_largest_run(SIZE_2M), 42 * MIB);
	ck_assert_uint_eq(page_alloc_largest_run(32 * MIB), 32 * MIB);
	ck_assert_uint_eq(page_alloc_largest_run(SIZE_1G), 0);
	/* paging_init() has called it; main() calls it again. */
	page_alloc_init(&bi);
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL);
}
END_TEST

START_TEST(gives_aligned_zeroed_runs)
{
	static const struct {
		uint64_t count, align;
	} rows[] = {
	        {1, 4096}, {1, SIZE_2M}, {3, 8192}, {512, SIZE_2M}, {1024, 8 * MIB}, {2048, 4096}};
	start();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *p = page_alloc(rows[i].count, rows[i].align);
		uint64_t pa;

		ck_assert_ptr_nonnull(p);
		pa = virt_to_phys(p).v;
		ck_assert_uint_eq(pa % rows[i].align, 0);
		ck_assert_uint_ge(pa, MIB);
		ck_assert(all_zero(p, rows[i].count * PAGE_SIZE));
		memset(p, 0xff, rows[i].count * PAGE_SIZE);
	}
}
END_TEST

START_TEST(takes_from_the_shortest_range)
{
	start();
	/* The first MiB of RAM above 1 MiB is the shortest range; the long runs stay whole. */
	for (unsigned i = 0; i < 256; i++) {
		void *p = page_alloc(1, PAGE_SIZE);

		ck_assert_uint_lt(virt_to_phys(p).v, 2 * MIB);
	}
	ck_assert_uint_eq(page_alloc_largest_run(PAGE_SIZE), 43 * MIB);
	ck_assert_uint_ge(virt_to_phys(page_alloc(1, PAGE_SIZE)).v, 3 * MIB);
}
END_TEST

START_TEST(refuses_what_does_not_fit)
{
	start();
	ck_assert_ptr_null(page_alloc(0, PAGE_SIZE));
	ck_assert_ptr_null(page_alloc(43 * 256 + 1, PAGE_SIZE));
	ck_assert_ptr_null(page_alloc(1, SIZE_1G));
	ck_assert_ptr_null(page_alloc(UINT64_MAX, PAGE_SIZE));
	ck_assert_ptr_null(page_alloc(UINT64_MAX / PAGE_SIZE, PAGE_SIZE));
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL);
	ck_assert_ptr_nonnull(page_alloc(43 * 256, PAGE_SIZE));
	ck_assert_ptr_null(page_alloc(43 * 256, PAGE_SIZE));
}
END_TEST

START_TEST(keeps_below_a_limit)
{
	void *p;

	start();
	ck_assert_ptr_null(page_alloc_below(1, PAGE_SIZE, MIB));
	ck_assert_ptr_null(page_alloc_below(257, PAGE_SIZE, 3 * MIB));
	p = page_alloc_below(4, PAGE_SIZE, MIB + 4 * PAGE_SIZE);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(virt_to_phys(p).v, MIB);
	ck_assert_ptr_null(page_alloc_below(1, PAGE_SIZE, MIB + 4 * PAGE_SIZE));
}
END_TEST

START_TEST(merges_with_both_neighbours)
{
	uint8_t *p;

	start();
	p = page_alloc(256, PAGE_SIZE); /* all of the shortest range */
	page_free(p, 1);
	page_free(p + 2 * PAGE_SIZE, 1);
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL - 254 * PAGE_SIZE);
	page_free(p + PAGE_SIZE, 1);
	/* One range of three pages now: it is the shortest that has three. */
	ck_assert_ptr_eq(page_alloc(3, PAGE_SIZE), p);
	page_free(p + 128 * PAGE_SIZE, 128);
	page_free(p, 128);
	ck_assert_ptr_eq(page_alloc(256, PAGE_SIZE), p);
	page_free(p, 256);
	page_free(NULL, 7);
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL);
}
END_TEST

START_TEST(double_free_is_a_bug)
{
	uint8_t *p;

	start();
	p = page_alloc(4, PAGE_SIZE);
	page_free(p, 4);
	if (_i == 0) {
		page_free(p, 4);
	} else if (_i == 1) {
		page_free(p + PAGE_SIZE, 1);
	} else {
		page_free(p + 1, 1);
	}
}
END_TEST

START_TEST(random_run_loses_nothing)
{
	static struct {
		uint8_t *p;
		uint64_t count;
		uint8_t mark;
	} held[200];
	uint32_t seed = 1;

	start();
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % ARRAY_SIZE(held);
		if (held[i].p) {
			/* Nobody else wrote there. */
			ck_assert_int_eq(held[i].p[0], held[i].mark);
			ck_assert_int_eq(held[i].p[held[i].count * PAGE_SIZE - 1], held[i].mark);
			page_free(held[i].p, held[i].count);
			held[i].p = NULL;
		} else {
			held[i].count = 1 + (seed >> 20) % 60;
			held[i].p = page_alloc(held[i].count, PAGE_SIZE << (seed >> 28) % 4);
			if (held[i].p) {
				held[i].mark = (uint8_t)step;
				held[i].p[0] = held[i].mark;
				held[i].p[held[i].count * PAGE_SIZE - 1] = held[i].mark;
			}
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
		if (held[i].p) {
			page_free(held[i].p, held[i].count);
		}
	}
	ck_assert_uint_eq(page_alloc_free_bytes(), TOTAL);
	ck_assert_uint_eq(page_alloc_largest_run(PAGE_SIZE), 43 * MIB);
}
END_TEST

UNIT_MAIN("page_alloc", tcase_add_test(tc, knows_what_there_is);
          tcase_add_test(tc, gives_aligned_zeroed_runs);
          tcase_add_test(tc, takes_from_the_shortest_range);
          tcase_add_test(tc, refuses_what_does_not_fit); tcase_add_test(tc, keeps_below_a_limit);
          tcase_add_test(tc, merges_with_both_neighbours);
          tcase_add_loop_test_raise_signal(tc, double_free_is_a_bug, SIGABRT, 0, 3);
          tcase_add_test(tc, random_run_loses_nothing);)
