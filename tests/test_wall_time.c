// SPDX-License-Identifier: BSD-2-Clause
// Calendar to seconds, against the C library, and refusal of dates that are none.
#include "boot/wall_time.h"
#include "tests/unit.h"
#include <time.h>

START_TEST(as_the_c_library)
{
	for (int64_t t = 86400; t < 253402300799; t += 86400 * 13 + 12345) {
		time_t tt = (time_t)t;
		struct tm tm;
		struct wall_time w;

		gmtime_r(&tt, &tm);
		w = (struct wall_time){(uint32_t)tm.tm_year + 1900, (uint32_t)tm.tm_mon + 1,
		        (uint32_t)tm.tm_mday, (uint32_t)tm.tm_hour, (uint32_t)tm.tm_min,
		        (uint32_t)tm.tm_sec, 0};
		ck_assert_uint_eq(wall_time_seconds(&w), (uint64_t)t);
		w.zone_minutes = -60; /* one hour ahead of UTC */
		ck_assert_uint_eq(wall_time_seconds(&w), (uint64_t)t - 3600);
	}
}
END_TEST

static const struct wall_time none[] = {
        {0, 0, 0, 0, 0, 0, 0},
        {1969, 12, 31, 23, 59, 59, 0},
        {1970, 1, 1, 0, 0, 0, -60},
        {2023, 2, 29, 0, 0, 0, 0},
        {2100, 2, 29, 0, 0, 0, 0},
        {2024, 13, 1, 0, 0, 0, 0},
        {2024, 4, 31, 0, 0, 0, 0},
        {2024, 4, 30, 24, 0, 0, 0},
        {2024, 4, 30, 0, 60, 0, 0},
        {10000, 1, 1, 0, 0, 0, 0},
        {2024, 1, 1, 0, 0, 0, 30000},
};

START_TEST(no_date)
{
	ck_assert_uint_eq(wall_time_seconds(&none[_i]), 0);
}
END_TEST

START_TEST(leap_days)
{
	ck_assert_uint_eq(
	        wall_time_seconds(&(struct wall_time){2000, 2, 29, 0, 0, 0, 0}), 951782400);
	ck_assert_uint_eq(
	        wall_time_seconds(&(struct wall_time){2024, 3, 1, 0, 0, 0, 0}), 1709251200);
}
END_TEST

UNIT_MAIN("wall_time", tcase_add_test(tc, as_the_c_library);
          tcase_add_loop_test(tc, no_date, 0, ARRAY_SIZE(none)); tcase_add_test(tc, leap_days);)
