// SPDX-License-Identifier: BSD-2-Clause
// Second-level tables when memory runs out: nothing is half done, and a second try succeeds.
#include "tests/ept_world.h"
#include "tests/hoard.h"

/*
 * 4 KiB pages, a 2 MiB page to be split, another 4 levels deep: up to 7 tables, refused at each.
 * Whatever is mapped afterwards is right, and a second try succeeds.
 */
START_TEST(out_of_memory)
{
	const uint64_t far = 1ULL << 39;
	int err = 0;

	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), 0);
	leave_pages((unsigned)_i);
	err = map(0x1000, 0x300000000, PAGE_SIZE);      /* two splits */
	err = err ? err : map(far, RAM_HPA, PAGE_SIZE); /* three tables */
	ck_assert_int_eq(err, _i < 5 ? -ENOMEM : 0);
	ck_assert_uint_eq(reaches(0), RAM_HPA);
	ck_assert_uint_eq(reaches(0x1000), _i < 2 ? RAM_HPA + 0x1000 : 0x300000000);
	ck_assert_uint_eq(reaches(0x2000), RAM_HPA + 0x2000);
	ck_assert_uint_eq(reaches(SIZE_1G - 1), RAM_HPA + SIZE_1G - 1);
	ck_assert_uint_eq(reaches(far), _i < 5 ? ~0ULL : RAM_HPA);
	give_back();
	ck_assert_int_eq(map(0x1000, 0x300000000, PAGE_SIZE), 0);
	ck_assert_int_eq(map(far, RAM_HPA, PAGE_SIZE), 0);
	ck_assert_uint_eq(reaches(0x1000), 0x300000000);
	ck_assert_uint_eq(reaches(far), RAM_HPA);
	destroyed();
}
END_TEST

START_TEST(no_memory_to_unmap)
{
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
	leave_pages(0);
	ck_assert_int_eq(ept_unmap(vm, gpa(0x1000), PAGE_SIZE), -ENOMEM);
	ck_assert_uint_eq(reaches(0x1000), RAM_HPA + 0x1000);
	ck_assert(!ept_fix_fault(vm, gpa(0x5000), false));
	vmx_caps.itlb_multihit = true;
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_2M), 0);
	ck_assert(!ept_fix_fault(vm, gpa(0x5000), true));
	give_back();
	ck_assert(ept_fix_fault(vm, gpa(0x5000), true));
	destroyed();
}
END_TEST

/* A guest that fetches from everywhere takes no memory that is not its own already. */
START_TEST(splits_need_no_memory)
{
	vmx_caps.itlb_multihit = true;
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), 0);
	ck_assert_int_eq(map(SIZE_1G, RAM_HPA + SIZE_1G, 3 * SIZE_2M), 0);
	ck_assert_uint_eq(spares(), 513 + 3);
	leave_pages(0);
	for (uint64_t a = 0; a < SIZE_1G + 3 * SIZE_2M; a += SIZE_2M) {
		ck_assert(ept_fix_fault(vm, gpa(a + 0x7000), true));
		ck_assert_uint_eq(size_at(a), PAGE_SIZE);
		ck_assert_uint_eq(reaches(a + 0x5000), RAM_HPA + a + 0x5000);
	}
	ck_assert_uint_eq(spares(), 0);
	give_back();
	destroyed();
}
END_TEST

/* Not for processors that need no splits. */
START_TEST(no_spares_without_the_erratum)
{
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), 0);
	ck_assert_uint_eq(spares(), 0);
}
END_TEST

START_TEST(no_memory_for_spares)
{
	vmx_caps.itlb_multihit = true;
	leave_pages(200);
	ck_assert_int_eq(map(0, RAM_HPA, SIZE_1G), -ENOMEM);
	give_back();
	destroyed();
}
END_TEST

START_TEST(no_memory_to_begin)
{
	ept_destroy(vm);
	leave_pages(0);
	ck_assert_int_eq(ept_init(vm), -ENOMEM);
	give_back();
	ept_destroy(vm); /* nothing there: fine */
	destroyed();
}
END_TEST

UNIT_MAIN("ept_nomem", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, splits_need_no_memory);
          tcase_add_test(tc, no_spares_without_the_erratum);
          tcase_add_test(tc, no_memory_for_spares); tcase_add_loop_test(tc, out_of_memory, 0, 7);
          tcase_add_test(tc, no_memory_to_unmap); tcase_add_test(tc, no_memory_to_begin);)
