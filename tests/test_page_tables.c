// SPDX-License-Identifier: BSD-2-Clause
// The hand-off's page tables, walked as the processor would.
#include "boot/boot_info.h"
#include "boot/page_tables.h"
#include "tests/unit.h"
#include <string.h>

#define NONE (~0ULL)

static uint64_t walk(const struct page_tables *t, uint64_t va)
{
	const uint64_t *table = t->mem;

	for (unsigned shift = 39; shift >= 21; shift -= 9) {
		uint64_t e = table[va >> shift & 511];

		if ((e & 3) != 3) {
			return NONE;
		}
		if (e & 0x80) {
			ck_assert_uint_lt(shift, 39);
			ck_assert_uint_eq(e & ((1ULL << shift) - 1) & ~0xfffULL, 0);
			return (e & ~((1ULL << shift) - 1)) | (va & ((1ULL << shift) - 1));
		}
		table = (const uint64_t *)(uintptr_t)(e & ~0xfffULL);
	}
	return NONE;
}

static const struct {
	uint64_t ram_end, core_len;
	bool has_1g;
} rows[] = {
        {0x20000000, 0x1000, false},
        {0x20000000, 0x201000, true},
        {SIZE_4G, SIZE_2M, false},
        {6 * SIZE_1G + 0x5000, 3 * SIZE_2M, true},
        {6 * SIZE_1G + 0x5000, 3 * SIZE_2M, false},
        {513 * SIZE_1G, 1, true},
        {2048 * SIZE_1G, 1, true},
};

START_TEST(maps)
{
	const uint64_t core_base = 0x1e000000;
	struct page_tables t = {
	        .pages = page_tables_need(rows[_i].ram_end, rows[_i].core_len, rows[_i].has_1g)};
	uint64_t end = rows[_i].ram_end < SIZE_4G ? SIZE_4G : rows[_i].ram_end;

	t.mem = aligned_alloc(PAGE_SIZE, t.pages * PAGE_SIZE);
	memset(t.mem, 0, t.pages * PAGE_SIZE);
	ck_assert(page_tables_build(&t, rows[_i].ram_end, CORE_VIRT_BASE, core_base,
	        rows[_i].core_len, rows[_i].has_1g));
	ck_assert_uint_eq(t.used, t.pages);
	for (uint64_t pa = 0; pa < end; pa += SIZE_2M - 0x1000) {
		ck_assert_uint_eq(walk(&t, pa), pa);
	}
	ck_assert_uint_eq(walk(&t, end - 1), end - 1);
	for (uint64_t off = 0; off < rows[_i].core_len; off += 0x1000) {
		ck_assert_uint_eq(walk(&t, CORE_VIRT_BASE + off), core_base + off);
	}
	ck_assert_uint_eq(walk(&t, CORE_VIRT_BASE + 512 * SIZE_2M), NONE);
	ck_assert_uint_eq(walk(&t, 0x0000700000000000), NONE);
	free(t.mem);
}
END_TEST

START_TEST(too_few_pages)
{
	struct page_tables t = {.pages = page_tables_need(SIZE_4G, SIZE_2M, false) - 1};

	t.mem = aligned_alloc(PAGE_SIZE, t.pages * PAGE_SIZE);
	memset(t.mem, 0, t.pages * PAGE_SIZE);
	ck_assert(!page_tables_build(&t, SIZE_4G, CORE_VIRT_BASE, 0, SIZE_2M, false));
	free(t.mem);
}
END_TEST

UNIT_MAIN("page_tables", tcase_add_loop_test(tc, maps, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, too_few_pages);)
