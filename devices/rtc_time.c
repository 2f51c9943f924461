// SPDX-License-Identifier: BSD-2-Clause
// Calendar time as the MC146818's registers spell it.
// Specs: [MC146818] "Time, Calendar, and Alarm Locations".
#include "devices/rtc_time.h"
#include "vmm/lib/bits.h"

#define HOUR_PM 0x80U
#define FIRST_WEEKDAY 6U /* 0000-01-01 was a Saturday */
#define MAX_YEAR 9999U

static const uint16_t month_start[2][13] = {
        {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
        {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
};

static bool leap_year(uint64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days before January 1st. */
static uint64_t year_start(uint64_t year)
{
	return 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

void rtc_time_split(uint64_t seconds, struct rtc_time *t)
{
	uint64_t days = seconds / RTC_DAY_SECONDS;
	uint32_t rest = (uint32_t)(seconds % RTC_DAY_SECONDS);
	uint64_t year = days / 146097 * 400 + days % 146097 * 400 / 146097;
	uint32_t day_of_year, month = 1;
	const uint16_t *starts;

	/* The mean year puts us at most one off. */
	if (year_start(year) > days) {
		year--;
	} else if (year_start(year + 1) <= days) {
		year++;
	}
	day_of_year = (uint32_t)(days - year_start(year));
	starts = month_start[leap_year(year)];
	while (month < 12 && starts[month] <= day_of_year) {
		month++;
	}
	*t = (struct rtc_time){
	        .second = rest % 60,
	        .minute = rest / 60 % 60,
	        .hour = rest / 3600,
	        .weekday = (uint32_t)((days + FIRST_WEEKDAY) % 7),
	        .day = day_of_year - starts[month - 1] + 1,
	        .month = month,
	        .year = (uint32_t)(year % (MAX_YEAR + 1)),
	};
}

uint64_t rtc_time_join(const struct rtc_time *t)
{
	uint32_t month = t->month ? (t->month - 1) % 12 : 0;
	uint64_t days = year_start(t->year) + month_start[leap_year(t->year)][month] +
	                (t->day ? t->day - 1 : 0);

	return days * RTC_DAY_SECONDS + t->hour * 3600ULL + t->minute * 60ULL + t->second;
}

uint8_t rtc_encode(uint32_t value, uint8_t reg_b)
{
	if (reg_b & RTC_B_BINARY) {
		return (uint8_t)value;
	}
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

uint32_t rtc_decode(uint8_t byte, uint8_t reg_b)
{
	return reg_b & RTC_B_BINARY ? byte : (byte >> 4) * 10U + (byte & 15U);
}

uint8_t rtc_encode_hour(uint32_t hour, uint8_t reg_b)
{
	uint32_t twelve = hour % 12 ? hour % 12 : 12;

	if (reg_b & RTC_B_24H) {
		return rtc_encode(hour, reg_b);
	}
	return (uint8_t)(rtc_encode(twelve, reg_b) | (hour >= 12 ? HOUR_PM : 0));
}

uint32_t rtc_decode_hour(uint8_t byte, uint8_t reg_b)
{
	uint32_t hour;

	if (reg_b & RTC_B_24H) {
		return rtc_decode(byte, reg_b);
	}
	hour = rtc_decode(byte & (uint8_t)~HOUR_PM, reg_b) % 12;
	return byte & HOUR_PM ? hour + 12 : hour;
}
