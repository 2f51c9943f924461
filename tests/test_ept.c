// SPDX-License-Identifier: BSD-2-Clause
// Second-level tables: which page sizes and types, splitting, unmapping.
#include "tests/ept_world.h"

/* [SDM3] table "Format of Extended-Page-Table Pointer" */
START_TEST(pointer)
{
	ck_assert_uint_eq(vmx_vm(vm)->eptp, virt_to_phys(vmx_vm(vm)->root).v | 6 | 3 << 3 | 1 << 6);
	ept_destroy(vm);
	vmx_caps.granted &= ~BIT(VMX_OPT_EPTAD);
	ck_assert_int_eq(ept_init(vm), 0);
	ck_assert_uint_eq(vmx_vm(vm)->eptp & 0xfff, 6 | 3 << 3);
	destroyed();
}
END_TEST

static const struct {
	uint64_t at, to, len, size;
	uint32_t off;
} sizes[] = {
        {0, RAM_HPA, PAGE_SIZE, PAGE_SIZE, 0},
        {0, RAM_HPA, SIZE_2M, SIZE_2M, 0},
        {0, RAM_HPA, SIZE_2M - PAGE_SIZE, PAGE_SIZE, 0},
        {PAGE_SIZE, RAM_HPA + PAGE_SIZE, SIZE_2M, PAGE_SIZE, 0},
        {0, RAM_HPA + PAGE_SIZE, SIZE_2M, PAGE_SIZE, 0}, /* aligned, but not to each other */
        {PAGE_SIZE, RAM_HPA, SIZE_2M, PAGE_SIZE, 0},
        {0, RAM_HPA, SIZE_1G, SIZE_1G, 0},
        {SIZE_2M, RAM_HPA + SIZE_2M, SIZE_1G - SIZE_2M, SIZE_2M, 0},
        {SIZE_1G, RAM_HPA + SIZE_2M, SIZE_1G, SIZE_2M, 0},
        {SIZE_1G, RAM_HPA, SIZE_1G, SIZE_1G, 0},
        {0, RAM_HPA, SIZE_1G, SIZE_2M, BIT(VMX_OPT_EPT1G)},
        {0, RAM_HPA, SIZE_2M, PAGE_SIZE, BIT(VMX_OPT_EPT2M)},
        {0x7ffffffff000, RAM_HPA, PAGE_SIZE, PAGE_SIZE, 0},
};

START_TEST(page_sizes)
{
	uint64_t at = sizes[_i].at, end = at + sizes[_i].len;

	vmx_caps.granted &= ~sizes[_i].off;
	ck_assert_int_eq(map(at, sizes[_i].to, sizes[_i].len), 0);
	ck_assert_uint_eq(size_at(at), sizes[_i].size);
	ck_assert_uint_eq(reaches(at), sizes[_i].to);
	ck_assert_uint_eq(reaches(end - 1), sizes[_i].to + sizes[_i].len - 1);
	ck_assert_uint_eq(size_at(end), 0);
	ck_assert(at == 0 || size_at(at - 1) == 0);
	destroyed();
}
END_TEST

/* 4 KiB up to the first 2 MiB border, then 2 MiB, then 1 GiB, and down again. */
START_TEST(sizes_within_one_range)
{
	uint64_t at = SIZE_1G - SIZE_2M - PAGE_SIZE, to = RAM_HPA + at;

	ck_assert_int_eq(map(at, to, SIZE_1G + 2 * SIZE_2M + 2 * PAGE_SIZE), 0);
	ck_assert_uint_eq(size_at(at), PAGE_SIZE);
	ck_assert_uint_eq(size_at(at + PAGE_SIZE), SIZE_2M);
	ck_assert_uint_eq(size_at(SIZE_1G), SIZE_1G);
	ck_assert_uint_eq(size_at(2 * SIZE_1G), SIZE_2M);
	ck_assert_uint_eq(size_at(2 * SIZE_1G + SIZE_2M), PAGE_SIZE);
	ck_assert_uint_eq(size_at(2 * SIZE_1G + SIZE_2M + PAGE_SIZE), 0);
	for (uint64_t a = at; a < 2 * SIZE_1G + SIZE_2M; a += 0x7ff000) {
		ck_assert_uint_eq(reaches(a), RAM_HPA + a);
	}
	destroyed();
}
END_TEST

START_TEST(device_memory)
{
	uint64_t size, entry;

	ck_assert_int_eq(
	        ept_map(vm, gpa(0), hpa(RAM_HPA), SIZE_2M, MAP_READ | MAP_WRITE, MAP_TYPE_DEVICE),
	        0);
	entry = look(SIZE_2M - PAGE_SIZE, &size);
	ck_assert_uint_eq(size, PAGE_SIZE);
	ck_assert_uint_eq(TYPE(entry), MEMTYPE_UC);
	ck_assert_uint_eq(entry & 7, R | W);
	destroyed();
}
END_TEST

static const struct {
	enum map_prot prot;
	uint64_t rights;
} rights[] = {
        {MAP_READ, R},
        {MAP_READ | MAP_WRITE, R | W},
        {MAP_READ | MAP_EXEC, R | X},
        {MAP_RWX, R | W | X},
};

START_TEST(protection)
{
	uint64_t size;

	ck_assert_int_eq(
	        ept_map(vm, gpa(0), hpa(RAM_HPA), SIZE_2M, rights[_i].prot, MAP_TYPE_RAM), 0);
	ck_assert_uint_eq(look(0, &size) & 7, rights[_i].rights);
	ck_assert_uint_eq(look(0, &size) & LARGE, LARGE);
	ck_assert_int_eq(
	        ept_map(vm, gpa(SIZE_2M), hpa(RAM_HPA), PAGE_SIZE, rights[_i].prot, MAP_TYPE_RAM),
	        0);
	ck_assert_uint_eq(look(SIZE_2M, &size) & 7, rights[_i].rights);
	ck_assert_uint_eq(look(SIZE_2M, &size) & LARGE, 0);
}
END_TEST

/* The MTRRs of the host: WB by default, one uncached page, fixed ranges of another type. */
static void mixed_mtrrs(void)
{
	ept_destroy(vm);
	fake_msr_set(MSR_IA32_MTRRCAP, 0x101);
	fake_msr_set(MSR_IA32_MTRR_DEF_TYPE, 0xc06);
	for (uint32_t i = 0; i < 11; i++) {
		const uint32_t msrs[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c,
		        0x26d, 0x26e, 0x26f};

		fake_msr_set(msrs[i], i == 2 ? 0 : 0x0606060606060606);
	}
	fake_msr_set(0x200, RAM_HPA + 0x301000);
	fake_msr_set(0x201, (((1ULL << 46) - 1) & ~PAGE_MASK) | BIT(11));
	ck_assert_int_eq(ept_init(vm), 0);
}

START_TEST(types_by_mtrrs)
{
	uint64_t size;

	mixed_mtrrs();
	ck_assert_int_eq(map(0, RAM_HPA, 3 * SIZE_2M), 0);
	ck_assert_uint_eq(TYPE(look(0, &size)), MEMTYPE_WB);
	ck_assert_uint_eq(size, SIZE_2M);
	ck_assert_uint_eq(TYPE(look(0x300000, &size)), MEMTYPE_WB);
	ck_assert_uint_eq(size, PAGE_SIZE);
	ck_assert_uint_eq(TYPE(look(0x301000, &size)), MEMTYPE_UC);
	ck_assert_uint_eq(TYPE(look(0x302000, &size)), MEMTYPE_WB);
	ck_assert_uint_eq(TYPE(look(0x400000, &size)), MEMTYPE_WB);
	ck_assert_uint_eq(size, SIZE_2M);
	/* A gigabyte with the hole: 2 MiB pages but for the one around it. */
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA, SIZE_1G), 0);
	ck_assert_uint_eq(size_at(SIZE_1G), SIZE_2M);
	ck_assert_uint_eq(size_at(SIZE_1G + SIZE_2M), PAGE_SIZE);
	/* Below 1 MiB by the fixed ranges: VGA is uncached. */
	ck_assert_int_eq(map(0x40000000000, 0, SIZE_2M), 0);
	ck_assert_uint_eq(TYPE(look(0x40000000000, &size)), MEMTYPE_WB);
	ck_assert_uint_eq(size, PAGE_SIZE);
	ck_assert_uint_eq(TYPE(look(0x400000a0000, &size)), MEMTYPE_UC);
	ck_assert_uint_eq(TYPE(look(0x400000c0000, &size)), MEMTYPE_WB);
	destroyed();
}
END_TEST

/* --- the iTLB multihit erratum --- */

START_TEST(no_large_page_is_executable)
{
	uint64_t size;

	vmx_caps.itlb_multihit = true;
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), 0);
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA + SIZE_1G, SIZE_2M + PAGE_SIZE), 0);
	ck_assert_uint_eq(look(0, &size) & 7, R | W);
	ck_assert_uint_eq(size, SIZE_1G);
	ck_assert_uint_eq(look(SIZE_1G, &size) & 7, R | W);
	ck_assert_uint_eq(size, SIZE_2M);
	ck_assert_uint_eq(look(SIZE_1G + SIZE_2M, &size) & 7, R | W | X);
	ck_assert_uint_eq(size, PAGE_SIZE);
}
END_TEST

START_TEST(a_fetch_splits)
{
	uint64_t size, entry;

	vmx_caps.itlb_multihit = true;
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA, SIZE_1G), 0);
	ck_assert(!ept_fix_fault(vm, gpa(SIZE_1G + 0x201000), false)); /* not a fetch */
	ck_assert_uint_eq(size_at(SIZE_1G), SIZE_1G);
	ck_assert(ept_fix_fault(vm, gpa(SIZE_1G + 0x201234), true));
	/* All 512 pages of the one that was split, and the 511 beside it. */
	for (unsigned i = 0; i < 512; i++) {
		uint64_t a = SIZE_1G + SIZE_2M + i * PAGE_SIZE;

		entry = look(a, &size);
		ck_assert_uint_eq(size, PAGE_SIZE);
		ck_assert_uint_eq(ADDR(entry), RAM_HPA + SIZE_2M + i * PAGE_SIZE);
		ck_assert_uint_eq(entry & 7, R | W | X);
		ck_assert_uint_eq(TYPE(entry), MEMTYPE_WB);
		ck_assert_uint_eq(entry & LARGE, 0);
		a = SIZE_1G + i * SIZE_2M;
		if (i != 1) {
			entry = look(a, &size);
			ck_assert_uint_eq(size, SIZE_2M);
			ck_assert_uint_eq(ADDR(entry), RAM_HPA + i * SIZE_2M);
			ck_assert_uint_eq(entry & 7, R | W);
			ck_assert_uint_eq(TYPE(entry), MEMTYPE_WB);
		}
	}
	/* Another vCPU with the old translation: fixed already, nothing is split further. */
	ck_assert_uint_eq(tables(), 4);
	ck_assert(ept_fix_fault(vm, gpa(SIZE_1G + SIZE_2M), true));
	ck_assert_uint_eq(tables(), 4);
	destroyed();
}
END_TEST

START_TEST(a_fetch_that_cannot_be_fixed)
{
	ck_assert(!ept_fix_fault(vm, gpa(0x5000), true)); /* nothing is mapped */
	ck_assert_int_eq(
	        ept_map(vm, gpa(0), hpa(RAM_HPA), PAGE_SIZE, MAP_READ | MAP_WRITE, MAP_TYPE_RAM),
	        0);
	ck_assert(!ept_fix_fault(vm, gpa(0), true)); /* meant not to be executed */
}
END_TEST

/* --- changes --- */

START_TEST(small_pages_over_a_large_one)
{
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
	ck_assert_int_eq(map(0x5000, 0x300005000, PAGE_SIZE), 0);
	ck_assert_uint_eq(reaches(0x5000), 0x300005000);
	ck_assert_uint_eq(reaches(0x4fff), RAM_HPA + 0x4fff);
	ck_assert_uint_eq(reaches(0x6000), RAM_HPA + 0x6000);
	ck_assert_uint_eq(size_at(0x6000), PAGE_SIZE);
	destroyed();
}
END_TEST

/* A large page replaces a table, which is freed with all below it - when nobody can walk it any
 * more. */
START_TEST(a_large_page_over_tables)
{
	struct vmx_vcpu walker = {.flushes_seen = 0};
	uint64_t free_before;

	vm->vcpus[0]->virt = &walker;

	ck_assert_int_eq(map(SIZE_1G + PAGE_SIZE, RAM_HPA + PAGE_SIZE, PAGE_SIZE), 0);
	ck_assert_int_eq(map(SIZE_1G + 5 * SIZE_2M + PAGE_SIZE, RAM_HPA + PAGE_SIZE, PAGE_SIZE), 0);
	free_before = page_alloc_free_bytes();
	vm->vcpus[0]->requests = 0;
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA, SIZE_1G), 0);
	ck_assert_uint_eq(size_at(SIZE_1G + PAGE_SIZE), SIZE_1G);
	/* What the vCPUs may have cached is no longer true. */
	ck_assert_uint_eq(vm->vcpus[0]->requests, BIT64(VCPU_REQ_FLUSH_NESTED));
	ck_assert_uint_eq(page_alloc_free_bytes(), free_before);
	/* Tables are looked through when another would be retired. */
	ck_assert_int_eq(map(SIZE_1G + PAGE_SIZE, RAM_HPA + PAGE_SIZE, PAGE_SIZE), 0);
	free_before = page_alloc_free_bytes();
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA, SIZE_1G), 0);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_before);
	vmx_flush_nested(vm->vcpus[0]);
	ck_assert_int_eq(map(SIZE_1G + PAGE_SIZE, RAM_HPA + PAGE_SIZE, PAGE_SIZE), 0);
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA, SIZE_1G), 0);
	/* Three and two are back, two were taken and are retired. */
	ck_assert_uint_eq(page_alloc_free_bytes(), free_before + 3 * PAGE_SIZE);
	vm->vcpus[0]->virt = NULL;
	destroyed();
}
END_TEST

/* A vCPU that does not flush holds tables back: after a few of them pages stay small, and no memory
 * is lost. */
START_TEST(retired_tables_are_few)
{
	struct vmx_vcpu walker = {.flushes_seen = 0};
	uint64_t free_before;

	vm->vcpus[0]->virt = &walker;
	for (unsigned i = 0; i < 3 * EPT_RETIRED_MAX; i++) {
		ck_assert_int_eq(map(PAGE_SIZE, RAM_HPA + PAGE_SIZE, PAGE_SIZE), 0);
		ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
		ck_assert_uint_eq(size_at(0), i < EPT_RETIRED_MAX ? SIZE_2M : PAGE_SIZE);
		ck_assert_uint_eq(reaches(0x5000), RAM_HPA + 0x5000);
	}
	free_before = page_alloc_free_bytes();
	vmx_flush_nested(vm->vcpus[0]);
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
	ck_assert_uint_eq(size_at(0), SIZE_2M);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_before + EPT_RETIRED_MAX * PAGE_SIZE);
	vm->vcpus[0]->virt = NULL;
	destroyed();
}
END_TEST

START_TEST(only_changes_are_flushed)
{
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0); /* nothing was mapped there before */
	ck_assert_int_eq(map(0x1000, RAM_HPA, PAGE_SIZE), 0);
	ck_assert_uint_eq(vm->vcpus[0]->requests, BIT64(VCPU_REQ_FLUSH_NESTED));
	vm->vcpus[0]->requests = 0;
	ck_assert_int_eq(ept_unmap(vm, gpa(0x1000), PAGE_SIZE), 0);
	ck_assert_uint_eq(vm->vcpus[0]->requests, BIT64(VCPU_REQ_FLUSH_NESTED));
}
END_TEST

START_TEST(part_of_a_large_page_is_unmapped)
{
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), 0);
	ck_assert_int_eq(ept_unmap(vm, gpa(0xa0000), 0x20000), 0);
	for (uint64_t a = 0; a < SIZE_2M; a += PAGE_SIZE) {
		ck_assert_uint_eq(reaches(a), a >= 0xa0000 && a < 0xc0000 ? ~0ULL : RAM_HPA + a);
	}
	ck_assert_uint_eq(reaches(SIZE_2M), RAM_HPA + SIZE_2M);
	ck_assert_uint_eq(size_at(SIZE_2M), SIZE_2M);
	destroyed();
}
END_TEST

START_TEST(what_is_not_mapped_is_unmapped)
{
	ck_assert_int_eq(map(SIZE_2M, RAM_HPA, PAGE_SIZE), 0);
	ck_assert_int_eq(ept_unmap(vm, gpa(0), 2 * SIZE_2M), 0);
	ck_assert_uint_eq(tables(), 4);
	ck_assert_uint_eq(size_at(SIZE_2M), 0);
	ck_assert_int_eq(ept_unmap(vm, gpa(0), 0), 0);
	destroyed();
}
END_TEST

/* --- refusals --- */

#define TOP (1ULL << 48) /* what four levels reach */

static const struct {
	uint64_t at, to, len;
} bad[] = {
        {1, 0, PAGE_SIZE},
        {0, 0x800, PAGE_SIZE},
        {0, 0, PAGE_SIZE + 1},
        {0, 0, 0},
        {TOP, 0, PAGE_SIZE},
        {TOP - PAGE_SIZE, 0, 2 * PAGE_SIZE},
        {~PAGE_MASK, 0, PAGE_SIZE},
        {~PAGE_MASK, 0, 2 * PAGE_SIZE}, /* wraps */
        {PAGE_SIZE, 0, ~PAGE_MASK},
        {0, ~PAGE_MASK, 2 * PAGE_SIZE},
        {0, 1ULL << 52, PAGE_SIZE},
};

START_TEST(bad_ranges)
{
	ck_assert_int_eq(map(bad[_i].at, bad[_i].to, bad[_i].len), -EINVAL);
	ck_assert_uint_eq(tables(), 1);
	if (bad[_i].to == 0 && bad[_i].len) {
		ck_assert_int_eq(ept_unmap(vm, gpa(bad[_i].at), bad[_i].len), -EINVAL);
	}
}
END_TEST

START_TEST(the_last_page)
{
	ck_assert_int_eq(map(TOP - PAGE_SIZE, RAM_HPA, PAGE_SIZE), 0);
	ck_assert_uint_eq(reaches(TOP - PAGE_SIZE), RAM_HPA);
	ck_assert_uint_eq(ept_lookup(vm, gpa(TOP * 2 - PAGE_SIZE), &(uint64_t){0}), 0);
}
END_TEST

UNIT_MAIN("ept", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, pointer);
          tcase_add_loop_test(tc, page_sizes, 0, ARRAY_SIZE(sizes));
          tcase_add_test(tc, sizes_within_one_range); tcase_add_test(tc, device_memory);
          tcase_add_loop_test(tc, protection, 0, ARRAY_SIZE(rights));
          tcase_add_test(tc, types_by_mtrrs); tcase_add_test(tc, no_large_page_is_executable);
          tcase_add_test(tc, a_fetch_splits); tcase_add_test(tc, a_fetch_that_cannot_be_fixed);
          tcase_add_test(tc, small_pages_over_a_large_one);
          tcase_add_test(tc, a_large_page_over_tables); tcase_add_test(tc, retired_tables_are_few);
          tcase_add_test(tc, only_changes_are_flushed);
          tcase_add_test(tc, part_of_a_large_page_is_unmapped);
          tcase_add_test(tc, what_is_not_mapped_is_unmapped);
          tcase_add_loop_test(tc, bad_ranges, 0, ARRAY_SIZE(bad));
          tcase_add_test(tc, the_last_page);)
