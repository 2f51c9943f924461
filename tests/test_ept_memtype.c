// SPDX-License-Identifier: BSD-2-Clause
// MTRRs to memory types: fixed ranges, variable ones, where they overlap, where a border lies.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmx/ept_memtype.h"

#define ENABLE BIT64(11)
#define FIXED BIT64(10)
#define VALID BIT64(11)
#define MASK(size) (((1ULL << 46) - 1) & ~((size)-1))

static struct mtrrs m;

static void setup(void)
{
	m = (struct mtrrs){
	        .def_type = ENABLE | MEMTYPE_WB, .cap = 0x100 | 8, .phys_mask = (1ULL << 46) - 1};
}

static void var(unsigned i, uint64_t base, uint64_t size, enum memtype type)
{
	m.var[i].base = base | type;
	m.var[i].mask = MASK(size) | VALID;
}

static int page(uint64_t pa)
{
	return (int)mtrr_page_type(&m, pa);
}

/* The type, or -1 when it is not the same everywhere. */
static int range(uint64_t pa, uint64_t len)
{
	enum memtype type;

	return mtrr_range_type(&m, pa, len, &type) ? (int)type : -1;
}

START_TEST(default_type)
{
	ck_assert_int_eq(page(0), MEMTYPE_WB);
	ck_assert_int_eq(range(SIZE_1G, SIZE_1G), MEMTYPE_WB);
	m.def_type = ENABLE | MEMTYPE_UC;
	ck_assert_int_eq(page(0x123456000), MEMTYPE_UC);
	/* MTRRs off: everything is uncached, whatever the registers say. */
	m.def_type = MEMTYPE_WB;
	var(0, 0, SIZE_1G, MEMTYPE_WB);
	ck_assert_int_eq(page(0), MEMTYPE_UC);
	ck_assert_int_eq(range(0, SIZE_1G), MEMTYPE_UC);
	ck_assert_int_eq(range(0, 2 * SIZE_1G), MEMTYPE_UC);
}
END_TEST

/* [SDM3] table "Address Mapping for Fixed-Range MTRRs": register, byte, first and last page. */
static const struct {
	unsigned reg, byte;
	uint64_t first, last;
} fixed[] = {
        {0, 0, 0x00000, 0x0f000},
        {0, 7, 0x70000, 0x7f000},
        {1, 0, 0x80000, 0x83000},
        {1, 7, 0x9c000, 0x9f000},
        {2, 0, 0xa0000, 0xa3000},
        {2, 7, 0xbc000, 0xbf000},
        {3, 0, 0xc0000, 0xc0000},
        {3, 7, 0xc7000, 0xc7000},
        {4, 0, 0xc8000, 0xc8000},
        {7, 3, 0xe3000, 0xe3000},
        {10, 0, 0xf8000, 0xf8000},
        {10, 7, 0xff000, 0xff000},
};

START_TEST(fixed_ranges)
{
	m.def_type |= FIXED;
	m.fixed[fixed[_i].reg] = (uint64_t)MEMTYPE_WP << (8 * fixed[_i].byte);
	for (uint64_t pa = 0; pa < 0x100000; pa += PAGE_SIZE) {
		bool in = pa >= fixed[_i].first && pa <= fixed[_i].last;

		ck_assert_int_eq(page(pa), in ? MEMTYPE_WP : MEMTYPE_UC);
	}
	ck_assert_int_eq(page(0x100000), MEMTYPE_WB);
}
END_TEST

START_TEST(fixed_ranges_are_switched_twice)
{
	m.fixed[0] = 0x0505050505050505;
	ck_assert_int_eq(page(0), MEMTYPE_WB); /* DEF_TYPE.FE is 0 */
	m.def_type |= FIXED;
	ck_assert_int_eq(page(0), MEMTYPE_WP);
	m.cap &= ~0x100ULL; /* the processor has none */
	ck_assert_int_eq(page(0), MEMTYPE_WB);
}
END_TEST

/* The first 2 MiB are one large page only when all fixed ranges say what lies above them. */
START_TEST(low_memory_of_one_type)
{
	m.def_type |= FIXED;
	ck_assert_int_eq(range(0, SIZE_2M), -1);
	for (unsigned i = 0; i < MTRR_FIXED; i++) {
		m.fixed[i] = 0x0606060606060606;
	}
	ck_assert_int_eq(range(0, SIZE_2M), MEMTYPE_WB);
	ck_assert_int_eq(range(0, SIZE_1G), MEMTYPE_WB);
	m.fixed[10] = 0x0506060606060606; /* the last page below 1 MiB */
	ck_assert_int_eq(range(0, SIZE_2M), -1);
	m.def_type = ENABLE | FIXED | MEMTYPE_WT;
	m.fixed[10] = 0x0606060606060606;
	ck_assert_int_eq(range(0, SIZE_2M), -1); /* WB below, WT above */
	ck_assert_int_eq(range(0x80000, 0x20000), MEMTYPE_WB);
}
END_TEST

/* [SDM3] "MTRR Precedences"; the combinations it leaves undefined are uncached. */
static const struct {
	enum memtype a, b, both;
} pairs[] = {
        {MEMTYPE_UC, MEMTYPE_WB, MEMTYPE_UC},
        {MEMTYPE_WB, MEMTYPE_UC, MEMTYPE_UC},
        {MEMTYPE_UC, MEMTYPE_WT, MEMTYPE_UC},
        {MEMTYPE_WT, MEMTYPE_WB, MEMTYPE_WT},
        {MEMTYPE_WB, MEMTYPE_WT, MEMTYPE_WT},
        {MEMTYPE_WB, MEMTYPE_WB, MEMTYPE_WB},
        {MEMTYPE_WC, MEMTYPE_WC, MEMTYPE_WC},
        {MEMTYPE_WC, MEMTYPE_WB, MEMTYPE_UC},
        {MEMTYPE_WP, MEMTYPE_WT, MEMTYPE_UC},
};

START_TEST(overlapping_ranges)
{
	m.def_type = ENABLE | MEMTYPE_WP;
	var(0, 0x40000000, SIZE_1G, pairs[_i].a);
	var(5, 0x60000000, SIZE_2M, pairs[_i].b);
	ck_assert_int_eq(page(0x40000000), pairs[_i].a);
	ck_assert_int_eq(page(0x60000000), pairs[_i].both);
	ck_assert_int_eq(page(0x601ff000), pairs[_i].both);
	ck_assert_int_eq(page(0x60200000), pairs[_i].a);
	ck_assert_int_eq(page(0x80000000), MEMTYPE_WP);
	ck_assert_int_eq(range(0x60000000, SIZE_2M), pairs[_i].both);
	ck_assert_int_eq(range(0x40000000, SIZE_1G), -1);
	ck_assert_int_eq(range(0x60200000, SIZE_2M), pairs[_i].a);
}
END_TEST

START_TEST(three_overlap)
{
	var(0, 0, SIZE_4G, MEMTYPE_WB);
	var(1, 0x80000000, SIZE_1G, MEMTYPE_WT);
	var(2, 0x80000000, SIZE_2M, MEMTYPE_UC);
	ck_assert_int_eq(page(0x80000000), MEMTYPE_UC);
	ck_assert_int_eq(page(0x80200000), MEMTYPE_WT);
}
END_TEST

/* A small hole: the large pages around it see it, their neighbours do not. */
START_TEST(a_hole_of_one_page)
{
	var(0, 0x40123000, PAGE_SIZE, MEMTYPE_UC);
	ck_assert_int_eq(page(0x40122000), MEMTYPE_WB);
	ck_assert_int_eq(page(0x40123000), MEMTYPE_UC);
	ck_assert_int_eq(page(0x40124000), MEMTYPE_WB);
	ck_assert_int_eq(range(0x40000000, SIZE_2M), -1);
	ck_assert_int_eq(range(0x40200000, SIZE_2M), MEMTYPE_WB);
	ck_assert_int_eq(range(0x40000000, SIZE_1G), -1);
	ck_assert_int_eq(range(0x40123000, PAGE_SIZE), MEMTYPE_UC);
}
END_TEST

/* A mask with holes repeats its range: every second megabyte here. */
START_TEST(a_mask_with_holes)
{
	m.var[0].base = 0x100000 | MEMTYPE_UC;
	m.var[0].mask = 0x100000 | VALID;
	ck_assert_int_eq(page(0x000000), MEMTYPE_WB);
	ck_assert_int_eq(page(0x100000), MEMTYPE_UC);
	ck_assert_int_eq(page(0x200000), MEMTYPE_WB);
	ck_assert_int_eq(page(0x7fff00000), MEMTYPE_UC);
	ck_assert_int_eq(range(0x200000, SIZE_2M), -1);
	ck_assert_int_eq(range(0x300000, 0x100000), MEMTYPE_UC);
}
END_TEST

START_TEST(ranges_that_do_not_count)
{
	var(0, 0, SIZE_4G, MEMTYPE_UC);
	m.var[0].mask &= ~VALID;
	var(8, 0, SIZE_4G, MEMTYPE_UC); /* beyond VCNT */
	ck_assert_int_eq(page(0x40000000), MEMTYPE_WB);
	ck_assert_int_eq(range(0x40000000, SIZE_1G), MEMTYPE_WB);
	/* More than we keep. */
	m.cap = 0xff;
	ck_assert_int_eq(page(0x40000000), MEMTYPE_UC);
}
END_TEST

START_TEST(read_from_the_processor)
{
	struct mtrrs r;

	cpu_model_haswell(); /* 39 address bits */
	fake_msr_set(MSR_IA32_MTRRCAP, 0x50a);
	fake_msr_set(MSR_IA32_MTRR_DEF_TYPE, 0xc00);
	fake_msr_set(0x250, 0x0606060606060606);
	fake_msr_set(0x26f, 0x0500000000000000);
	fake_msr_set(0x200, 0x80000006);
	fake_msr_set(0x201, 0x7f80000800);
	fake_msr_set(0x212, 0x1000000006);
	fake_msr_set(0x213, 0x7000000800);
	mtrrs_read(&r);
	ck_assert_uint_eq(r.phys_mask, (1ULL << 39) - 1);
	ck_assert_int_eq(mtrr_page_type(&r, 0x7f000), MEMTYPE_WB);
	ck_assert_int_eq(mtrr_page_type(&r, 0xff000), MEMTYPE_WP);
	ck_assert_int_eq(mtrr_page_type(&r, 0x80000000), MEMTYPE_WB);
	ck_assert_int_eq(mtrr_page_type(&r, 0x100000000), MEMTYPE_UC);
	ck_assert_int_eq(mtrr_page_type(&r, 0x1fff000000), MEMTYPE_WB);
}
END_TEST

START_TEST(a_processor_without_mtrrs)
{
	struct mtrrs r;

	cpu_model_haswell();
	fake_cpuid_set(1, 0, 0x306c3, 0, 0, 0xbfebfbff & ~BIT(12));
	mtrrs_read(&r);
	ck_assert_int_eq(mtrr_page_type(&r, 0), MEMTYPE_WB);
	ck_assert_int_eq(mtrr_page_type(&r, 0xfee00000), MEMTYPE_WB);
}
END_TEST

UNIT_MAIN(
        "ept_memtype", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, default_type);
        tcase_add_loop_test(tc, fixed_ranges, 0, ARRAY_SIZE(fixed));
        tcase_add_test(tc, fixed_ranges_are_switched_twice);
        tcase_add_test(tc, low_memory_of_one_type);
        tcase_add_loop_test(tc, overlapping_ranges, 0, ARRAY_SIZE(pairs));
        tcase_add_test(tc, three_overlap); tcase_add_test(tc, a_hole_of_one_page);
        tcase_add_test(tc, a_mask_with_holes); tcase_add_test(tc, ranges_that_do_not_count);
        tcase_add_test(tc, read_from_the_processor); tcase_add_test(tc, a_processor_without_mtrrs);)
