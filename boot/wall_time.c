// SPDX-License-Identifier: BSD-2-Clause
// A calendar date and time as seconds since 1970-01-01 UTC.
// Specs: [UEFI] "EFI_RUNTIME_SERVICES.GetTime()".
#include "boot/wall_time.h"

static bool is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of January, year 1970 or later. */
static uint64_t days_before_year(uint32_t year)
{
	uint64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

uint64_t wall_time_seconds(const struct wall_time *t)
{
	static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	uint64_t days;
	int64_t seconds;

	if (t->year < 1970 || t->year > 9999 || t->month < 1 || t->month > 12 || t->day < 1 ||
	        t->hour > 23 || t->minute > 59 || t->second > 59 || t->zone_minutes < -1440 ||
	        t->zone_minutes > 1440) {
		return 0;
	}
	if (t->day > month_days[t->month - 1] + (t->month == 2 && is_leap(t->year) ? 1U : 0U)) {
		return 0;
	}
	days = days_before_year(t->year) + t->day - 1;
	for (uint32_t m = 1; m < t->month; m++) {
		days += month_days[m - 1] + (m == 2 && is_leap(t->year) ? 1U : 0U);
	}
	seconds = (int64_t)(days * 86400 + t->hour * 3600U + t->minute * 60U + t->second) +
	          (int64_t)t->zone_minutes * 60;
	return seconds > 0 ? (uint64_t)seconds : 0;
}
