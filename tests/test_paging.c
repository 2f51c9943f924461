// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/paging.c and page_table.c: who may do what where, guard pages, large pages.
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging.h"
#include "vmm/hw/paging_build.h"
#include "vmm/lib/err.h"
#include <string.h>

#define MIB (1ULL << 20)
#define CORE_PA (8 * MIB)

static struct boot_info bi;
static struct page_table pt;
static const struct core_layout core = {
        .text = CORE_VIRT_BASE,
        .text_end = CORE_VIRT_BASE + 0x2345,
        .rodata = CORE_VIRT_BASE + 0x3000,
        .rodata_end = CORE_VIRT_BASE + 0x4001,
        .data = CORE_VIRT_BASE + 0x6000,
        .data_end = CORE_VIRT_BASE + 0xb000,
        .guards = {CORE_VIRT_BASE + 0x9000, CORE_VIRT_BASE + 0x7000},
};

static void add(uint64_t base, uint64_t len, enum boot_mem_type type)
{
	bi.mem[bi.n_mem++] = (struct boot_mem){.base = base, .len = len, .type = type};
}

static void start(bool pages_1g)
{
	fake_phys_init(0, 32 * MIB);
	memset(&bi, 0, sizeof(bi));
	bi.core_base = CORE_PA;
	bi.core_len = 0xb000;
	add(0, 0x9f000, BOOT_MEM_USABLE);
	add(0x9f000, 0x1000, BOOT_MEM_LOADER);
	add(0xa0000, 0x60000, BOOT_MEM_RESERVED);
	add(1 * MIB, 7 * MIB, BOOT_MEM_USABLE);
	add(8 * MIB, 0xb000, BOOT_MEM_LOADER);
	add(8 * MIB + 0xb000, 24 * MIB - 0xb000 - 0x10000, BOOT_MEM_USABLE);
	add(32 * MIB - 0x10000, 0x10000, BOOT_MEM_ACPI);
	page_alloc_init(&bi);
	/* Memory beyond the arena is only mapped, never touched. */
	add(SIZE_1G, 3 * SIZE_1G, BOOT_MEM_USABLE);
	add(0x1000000000000ULL, SIZE_1G, BOOT_MEM_USABLE);
	ck_assert_int_eq(page_table_init(&pt, pages_1g, false), 0);
	ck_assert_int_eq(paging_build(&pt, &bi, &core), 0);
}

#define NONE 99

static const struct {
	uint64_t va, pa;
	unsigned rights;
} wanted[] = {
        {0, 0, NONE},
        {CORE_PA, 0, NONE}, /* nothing of the loader's identity map */
        {CORE_VIRT_BASE - PAGE_SIZE, 0, NONE},
        {CORE_VIRT_BASE, CORE_PA, PT_EXEC},
        {CORE_VIRT_BASE + 0x2fff, CORE_PA + 0x2fff, PT_EXEC},
        {CORE_VIRT_BASE + 0x3000, CORE_PA + 0x3000, 0},
        {CORE_VIRT_BASE + 0x4fff, CORE_PA + 0x4fff, 0},
        {CORE_VIRT_BASE + 0x5000, 0, NONE},
        {CORE_VIRT_BASE + 0x6123, CORE_PA + 0x6123, PT_WRITE},
        {CORE_VIRT_BASE + 0x7000, 0, NONE}, /* guards */
        {CORE_VIRT_BASE + 0x8000, CORE_PA + 0x8000, PT_WRITE},
        {CORE_VIRT_BASE + 0x9fff, 0, NONE},
        {CORE_VIRT_BASE + 0xafff, CORE_PA + 0xafff, PT_WRITE},
        {CORE_VIRT_BASE + 0xb000, 0, NONE},
        {DIRECT_MAP_BASE, 0, NONE}, /* physical page 0 */
        {DIRECT_MAP_BASE + 0x1000, 0x1000, PT_WRITE},
        {DIRECT_MAP_BASE + 0x9f000, 0x9f000, PT_WRITE},
        {DIRECT_MAP_BASE + 0xa0000, 0, NONE}, /* reserved */
        {DIRECT_MAP_BASE + 0xfffff, 0, NONE},
        {DIRECT_MAP_BASE + 5 * MIB + 7, 5 * MIB + 7, PT_WRITE},
        {DIRECT_MAP_BASE + CORE_PA - 1, CORE_PA - 1, PT_WRITE},
        {DIRECT_MAP_BASE + CORE_PA, CORE_PA, 0}, /* text: no way to write it */
        {DIRECT_MAP_BASE + CORE_PA + 0x4fff, CORE_PA + 0x4fff, 0},
        {DIRECT_MAP_BASE + CORE_PA + 0x5000, CORE_PA + 0x5000, PT_WRITE},
        {DIRECT_MAP_BASE + 20 * MIB, 20 * MIB, PT_WRITE},
        {DIRECT_MAP_BASE + 32 * MIB - 1, 32 * MIB - 1, 0}, /* ACPI */
        {DIRECT_MAP_BASE + 32 * MIB, 0, NONE},
        {DIRECT_MAP_BASE + SIZE_4G - 1, SIZE_4G - 1, PT_WRITE},
        {DIRECT_MAP_BASE + SIZE_4G, 0, NONE},
        {DEVICE_MAP_BASE, 0, NONE}, /* RAM beyond the direct map's room is left out */
        {STACK_MAP_BASE, 0, NONE},
};

static void check_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		unsigned rights = NONE;
		hpa_t pa = hpa(0);

		if (!page_table_lookup(&pt, wanted[i].va, &pa, &rights)) {
			rights = NONE;
		}
		ck_assert_msg(rights == wanted[i].rights && pa.v == wanted[i].pa,
		        "row %zu: %#llx: rights %u, pa %#llx", i, (unsigned long long)wanted[i].va,
		        rights, (unsigned long long)pa.v);
	}
}

START_TEST(maps_each_page_as_it_should)
{
	uint64_t before;

	start(_i);
	check_rows();
	/* Large pages: three more GiB must not cost 1536 page tables. */
	before = page_alloc_total_bytes() - page_alloc_free_bytes();
	ck_assert_uint_lt(before, 30 * PAGE_SIZE);
}
END_TEST

START_TEST(nothing_is_writable_and_executable)
{
	const uint64_t *pml4;
	unsigned leaves = 0;

	start(true);
	pml4 = phys_to_virt(pt.root);
	for (unsigned i = 0; i < 512; i++) {
		const uint64_t *pdpt =
		        phys_to_virt(hpa(pml4[i] & PTE_ADDR ? pml4[i] & PTE_ADDR : 0));

		for (unsigned j = 0; pml4[i] && j < 512; j++) {
			const uint64_t *pd = pdpt;

			if (!pdpt[j] || (pdpt[j] & PTE_PS)) {
				ck_assert(!pdpt[j] || (pdpt[j] & PTE_NX));
				continue;
			}
			pd = phys_to_virt(hpa(pdpt[j] & PTE_ADDR));
			for (unsigned k = 0; k < 512; k++) {
				const uint64_t *t;

				if (!pd[k] || (pd[k] & PTE_PS)) {
					ck_assert(!pd[k] || (pd[k] & PTE_NX));
					continue;
				}
				t = phys_to_virt(hpa(pd[k] & PTE_ADDR));
				for (unsigned l = 0; l < 512; l++) {
					leaves += t[l] != 0;
					ck_assert(!(t[l] & PTE_P) || !(t[l] & PTE_W) ||
					          (t[l] & PTE_NX));
				}
			}
		}
	}
	ck_assert_uint_gt(leaves, 8);
}
END_TEST

START_TEST(maps_devices_uncached_and_apart)
{
	unsigned rights;
	uint8_t *a, *b;
	hpa_t pa;

	start(true);
	a = paging_map_device(hpa(0xfee00000), 0x1000);
	b = paging_map_device(hpa(0xfec00010), 0x1000);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert(page_table_lookup(&pt, (uintptr_t)a, &pa, &rights));
	ck_assert_uint_eq(pa.v, 0xfee00000);
	ck_assert_uint_eq(rights, PT_WRITE | PT_UNCACHED);
	ck_assert(page_table_lookup(&pt, (uintptr_t)b + 0xfff, &pa, &rights));
	ck_assert_uint_eq(pa.v, 0xfec0100f); /* the second page, too */
	ck_assert(!page_table_lookup(&pt, (uintptr_t)a + 0x1000, &pa, &rights));
	ck_assert_ptr_null(paging_map_device(hpa(0xfee00000), 0));
	ck_assert_ptr_null(paging_map_device(hpa(0xfee00000), UINT64_MAX));
	ck_assert_ptr_null(paging_map_device(hpa(1ULL << 52), 0x1000));
}
END_TEST

START_TEST(stacks_have_guards)
{
	uint64_t top, second;
	unsigned rights;
	hpa_t pa;

	start(true);
	top = (uintptr_t)paging_alloc_stack(2);
	second = (uintptr_t)paging_alloc_stack(1);
	ck_assert(page_table_lookup(&pt, top - 1, &pa, &rights));
	ck_assert_uint_eq(rights, PT_WRITE);
	ck_assert(page_table_lookup(&pt, top - 2 * PAGE_SIZE, &pa, &rights));
	ck_assert(!page_table_lookup(&pt, top - 2 * PAGE_SIZE - 1, &pa, &rights));
	ck_assert(!page_table_lookup(&pt, top, &pa, &rights));
	ck_assert(page_table_lookup(&pt, second - 1, &pa, &rights));
	ck_assert(!page_table_lookup(&pt, second - PAGE_SIZE - 1, &pa, &rights));
}
END_TEST

START_TEST(start_up_tables_share_and_go)
{
	struct page_table ap;
	uint64_t before, stack;
	unsigned rights;
	hpa_t pa;

	start(true);
	before = page_alloc_free_bytes();
	ck_assert_int_eq(paging_build_ap(&ap, &pt, hpa(0x9f000)), 0);
	ck_assert(page_table_lookup(&ap, 0x9f123, &pa, &rights));
	ck_assert_uint_eq(pa.v, 0x9f123);
	ck_assert_uint_eq(rights, PT_EXEC);
	ck_assert(!page_table_lookup(&ap, 0x9e000, &pa, &rights));
	ck_assert(!page_table_lookup(&pt, 0x9f000, &pa, &rights));
	ck_assert(page_table_lookup(&ap, CORE_VIRT_BASE, &pa, &rights));
	paging_free_ap(&ap, hpa(0x9f000));
	ck_assert_uint_eq(page_alloc_free_bytes(), before);
	/* A stack that is made after the copy is in it. */
	ck_assert_int_eq(paging_build_ap(&ap, &pt, hpa(0x9f000)), 0);
	stack = (uintptr_t)paging_alloc_stack(1);
	ck_assert(page_table_lookup(&ap, stack - 8, &pa, &rights));
}
END_TEST

START_TEST(table_refuses_overlap)
{
	start(false);
	ck_assert_int_eq(page_table_map(&pt, CORE_VIRT_BASE, hpa(0), PAGE_SIZE, 0), -EEXIST);
	/* A small page inside of a large one. */
	ck_assert_int_eq(
	        page_table_map(&pt, DIRECT_MAP_BASE + 20 * MIB, hpa(0), PAGE_SIZE, 0), -EEXIST);
	/* A large page over a table of small ones. */
	ck_assert_int_eq(
	        page_table_map(&pt, DIRECT_MAP_BASE + 8 * MIB, hpa(0), SIZE_2M, 0), -EEXIST);
}
END_TEST

START_TEST(reports_no_memory)
{
	void *p;

	start(false);
	while ((p = page_alloc(1, PAGE_SIZE))) {
	}
	ck_assert_int_eq(page_table_map(&pt, 0x7000, hpa(0x7000), PAGE_SIZE, 0), -ENOMEM);
	ck_assert_ptr_null(paging_map_device(hpa(0xfee00000), 0x1000));
	ck_assert_ptr_null(paging_alloc_stack(1));
}
END_TEST

static const struct {
	uint64_t pa, len;
	bool ram;
} ram_rows[] = {
        {0, 1, false},
        {0x1000, 0, false},
        {0x1000, 1, true},
        {0x9e000, 0x2000, true}, /* usable and loader */
        {0x9ffff, 2, false},     /* into reserved */
        {0xa0000, 1, false},
        {MIB, 31 * MIB, true}, /* three types in a row */
        {MIB, 31 * MIB + 1, false},
        {32 * MIB - 4, 4, true},
        {32 * MIB - 4, UINT64_MAX, false},
        {UINT64_MAX, 1, false},
        {SIZE_1G - 1, 2, false},
};

START_TEST(tells_ram)
{
	start(true);
	ck_assert_int_eq(paging_is_ram(&bi, ram_rows[_i].pa, ram_rows[_i].len), ram_rows[_i].ram);
}
END_TEST

UNIT_MAIN("paging", tcase_add_loop_test(tc, maps_each_page_as_it_should, 0, 2);
          tcase_add_test(tc, nothing_is_writable_and_executable);
          tcase_add_test(tc, maps_devices_uncached_and_apart);
          tcase_add_test(tc, stacks_have_guards); tcase_add_test(tc, start_up_tables_share_and_go);
          tcase_add_test(tc, table_refuses_overlap); tcase_add_test(tc, reports_no_memory);
          tcase_add_loop_test(tc, tells_ram, 0, (int)ARRAY_SIZE(ram_rows));)
