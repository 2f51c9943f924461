// SPDX-License-Identifier: BSD-2-Clause
// The calendar and its spellings in the MC146818's registers.
// Specs: [MC146818] "Time, Calendar, and Alarm Locations".
#include "devices/rtc_time.h"
#include "tests/unit.h"

START_TEST(calendar)
{
	static const struct {
		uint64_t unix_seconds;
		struct rtc_time t;
	} rows[] = {
	        {0, {0, 0, 0, 4, 1, 1, 1970}},
	        {951782399, {59, 59, 23, 1, 28, 2, 2000}},
	        {951782400, {0, 0, 0, 2, 29, 2, 2000}},
	        {1767323045, {5, 4, 3, 5, 2, 1, 2026}},
	        {4107542400, {0, 0, 0, 1, 1, 3, 2100}}, /* no leap year */
	        {253402300799, {59, 59, 23, 5, 31, 12, 9999}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rtc_time t;

		rtc_time_split(RTC_UNIX_EPOCH + rows[i].unix_seconds, &t);
		ck_assert_mem_eq(&t, &rows[i].t, sizeof(t));
		ck_assert_uint_eq(rtc_time_join(&t), RTC_UNIX_EPOCH + rows[i].unix_seconds);
	}
}
END_TEST

/* Every day from year 0 to 2400 follows the day before. */
START_TEST(every_day)
{
	struct rtc_time last = {.weekday = 5, .day = 31, .month = 12, .year = 9999};

	for (uint64_t day = 0; day < 876583; day++) {
		struct rtc_time t;

		rtc_time_split(day * RTC_DAY_SECONDS, &t);
		ck_assert_uint_eq(t.weekday, (last.weekday + 1) % 7);
		if (t.day == 1) {
			ck_assert_uint_ge(last.day, 28);
			ck_assert_uint_eq(t.month, last.month % 12 + 1);
		} else {
			ck_assert_uint_eq(t.day, last.day + 1);
			ck_assert_uint_eq(t.month, last.month);
		}
		ck_assert_uint_eq(rtc_time_join(&t), day * RTC_DAY_SECONDS);
		last = t;
	}
}
END_TEST

START_TEST(spelling)
{
	for (unsigned b = 0; b < 8; b += 2) {
		for (unsigned v = 0; v < 100; v++) {
			ck_assert_uint_eq(rtc_decode(rtc_encode(v, (uint8_t)b), (uint8_t)b), v);
		}
		for (unsigned h = 0; h < 24; h++) {
			ck_assert_uint_eq(
			        rtc_decode_hour(rtc_encode_hour(h, (uint8_t)b), (uint8_t)b), h);
		}
	}
}
END_TEST

/* Fields out of range count on: no field can make time fail. */
START_TEST(out_of_range)
{
	static const struct {
		struct rtc_time in;
		uint64_t seconds;
	} rows[] = {
	        {{.second = 61, .day = 1, .month = 1}, 61},
	        {{.minute = 60, .day = 1, .month = 1}, 3600},
	        {{.hour = 24, .day = 1, .month = 1}, RTC_DAY_SECONDS},
	        {{.day = 32, .month = 1}, 31 * RTC_DAY_SECONDS},
	        {{.day = 0, .month = 0}, 0},
	        {{.day = 1, .month = 13}, 0},
	        {{.second = 255, .minute = 255, .hour = 255, .day = 255, .month = 255},
	                255 + 255 * 60 + 255 * 3600 + (60 + 254) * RTC_DAY_SECONDS},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(rtc_time_join(&rows[i].in), rows[i].seconds);
	}
	ck_assert_uint_eq(rtc_decode(0xff, 0), 165);
	ck_assert_uint_eq(rtc_decode_hour(0x80, 0), 12); /* hour 0 of 12 is taken as 12 */
}
END_TEST

UNIT_MAIN("rtc_time", tcase_add_test(tc, calendar); tcase_add_test(tc, every_day);
          tcase_add_test(tc, spelling); tcase_add_test(tc, out_of_range);)
