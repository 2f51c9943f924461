// SPDX-License-Identifier: BSD-2-Clause
// The memory map's promises: sorted, not overlapping, merged, the restrictive type wins.
#include "boot/mem_map.h"
#include "tests/unit.h"
#include <string.h>

static struct boot_info bi;

static void expect(uint32_t i, uint64_t base, uint64_t end, uint32_t type)
{
	ck_assert_uint_lt(i, bi.n_mem);
	ck_assert_uint_eq(bi.mem[i].base, base);
	ck_assert_uint_eq(bi.mem[i].base + bi.mem[i].len, end);
	ck_assert_uint_eq(bi.mem[i].type, type);
}

static void add(uint64_t base, uint64_t end, enum boot_mem_type type)
{
	ck_assert(mem_map_add(&bi, base, end - base, type));
}

START_TEST(sorts_and_merges)
{
	memset(&bi, 0, sizeof(bi));
	add(0x3000, 0x5000, BOOT_MEM_USABLE);
	add(0x1000, 0x2000, BOOT_MEM_USABLE);
	add(0x2000, 0x3000, BOOT_MEM_USABLE);
	add(0x6000, 0x7000, BOOT_MEM_USABLE);
	add(0x5000, 0x6000, BOOT_MEM_ACPI);
	add(0x9000, 0x9000, BOOT_MEM_RESERVED);
	ck_assert_uint_eq(bi.n_mem, 3);
	expect(0, 0x1000, 0x5000, BOOT_MEM_USABLE);
	expect(1, 0x5000, 0x6000, BOOT_MEM_ACPI);
	expect(2, 0x6000, 0x7000, BOOT_MEM_USABLE);
}
END_TEST

START_TEST(restrictive_wins)
{
	memset(&bi, 0, sizeof(bi));
	add(0x1000, 0x9000, BOOT_MEM_USABLE);
	add(0x3000, 0x4000, BOOT_MEM_RESERVED); /* inside */
	add(0x0000, 0x2000, BOOT_MEM_LOADER);   /* over the lower edge */
	add(0x8000, 0xa000, BOOT_MEM_RUNTIME);  /* over the upper edge */
	add(0x0000, 0xb000, BOOT_MEM_USABLE);   /* over everything: fills the gaps only */
	ck_assert_uint_eq(bi.n_mem, 6);
	expect(0, 0x0000, 0x2000, BOOT_MEM_LOADER);
	expect(1, 0x2000, 0x3000, BOOT_MEM_USABLE);
	expect(2, 0x3000, 0x4000, BOOT_MEM_RESERVED);
	expect(3, 0x4000, 0x8000, BOOT_MEM_USABLE);
	expect(4, 0x8000, 0xa000, BOOT_MEM_RUNTIME);
	expect(5, 0xa000, 0xb000, BOOT_MEM_USABLE);
}
END_TEST

START_TEST(rounds)
{
	memset(&bi, 0, sizeof(bi));
	add(0x1800, 0x4800, BOOT_MEM_USABLE);
	add(0x5800, 0x6800, BOOT_MEM_RESERVED);
	add(0x7100, 0x7f00, BOOT_MEM_USABLE); /* no whole page */
	ck_assert_uint_eq(bi.n_mem, 2);
	expect(0, 0x2000, 0x4000, BOOT_MEM_USABLE);
	expect(1, 0x5000, 0x7000, BOOT_MEM_RESERVED);
}
END_TEST

START_TEST(wraps_and_fills_up)
{
	memset(&bi, 0, sizeof(bi));
	ck_assert(mem_map_add(&bi, ~0ULL - 0x1fff, ~0ULL, BOOT_MEM_RESERVED));
	ck_assert(mem_map_add(&bi, ~0ULL, ~0ULL, BOOT_MEM_USABLE));
	ck_assert_uint_eq(bi.n_mem, 1);
	expect(0, ~0ULL - 0x1fff, ~0xfffULL, BOOT_MEM_RESERVED);
	for (unsigned i = 1; i < MAX_MEM_RANGES; i++) {
		ck_assert(mem_map_add(&bi, i * 0x2000ULL, 0x1000, BOOT_MEM_USABLE));
	}
	ck_assert_uint_eq(bi.n_mem, MAX_MEM_RANGES);
	ck_assert(!mem_map_add(&bi, 0x800000, 0x1000, BOOT_MEM_USABLE));
	ck_assert_uint_eq(bi.n_mem, MAX_MEM_RANGES);
	/* A merge makes room again. */
	ck_assert(mem_map_add(&bi, 0x2000, 0x1000, BOOT_MEM_RESERVED));
	ck_assert(!mem_map_add(&bi, 0x3000, 0x1000, BOOT_MEM_USABLE) || bi.n_mem < MAX_MEM_RANGES);
}
END_TEST

/* Random ranges against a map of single pages. */
START_TEST(against_a_page_array)
{
	enum { PAGES = 64 };
	unsigned seed = 12345 + (unsigned)_i;
	int page[PAGES];

	memset(&bi, 0, sizeof(bi));
	memset(page, -1, sizeof(page));
	for (unsigned n = 0; n < 40; n++) {
		unsigned from = (unsigned)rand_r(&seed) % PAGES;
		unsigned to = from + (unsigned)rand_r(&seed) % (PAGES - from + 1);
		int type = rand_r(&seed) % 5;

		add(from * PAGE_SIZE, to * PAGE_SIZE, (enum boot_mem_type)type);
		for (unsigned p = from; p < to; p++) {
			page[p] = page[p] > type ? page[p] : type;
		}
		for (unsigned p = 0, r = 0; p < PAGES; p++) {
			int got = -1;

			while (r < bi.n_mem && bi.mem[r].base + bi.mem[r].len <= p * PAGE_SIZE) {
				ck_assert(r + 1 == bi.n_mem ||
				          bi.mem[r + 1].base >= bi.mem[r].base + bi.mem[r].len);
				r++;
			}
			if (r < bi.n_mem && bi.mem[r].base <= p * PAGE_SIZE) {
				got = (int)bi.mem[r].type;
			}
			ck_assert_int_eq(got, page[p]);
		}
	}
}
END_TEST

START_TEST(sums)
{
	memset(&bi, 0, sizeof(bi));
	add(0, 0x9f000, BOOT_MEM_USABLE);
	add(0x100000, 0x900000, BOOT_MEM_USABLE); /* 2-8 MiB whole */
	add(0xa00000, 0xc00000, BOOT_MEM_LOADER);
	add(0xfe000000, 0xff000000, BOOT_MEM_RESERVED);
	ck_assert_uint_eq(mem_map_large_bytes(&bi), 3 * SIZE_2M);
	ck_assert_uint_eq(mem_map_ram_end(&bi), 0xc00000);
}
END_TEST

UNIT_MAIN("mem_map", tcase_add_test(tc, sorts_and_merges); tcase_add_test(tc, restrictive_wins);
          tcase_add_test(tc, rounds); tcase_add_test(tc, wraps_and_fills_up);
          tcase_add_loop_test(tc, against_a_page_array, 0, 50); tcase_add_test(tc, sums);)
