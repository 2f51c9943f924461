/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calendar time as the MC146818's registers spell it: binary or BCD, 12 or 24 hours.
 *
 * Seconds count from 0000-01-01 00:00 of the Gregorian calendar, carried back.
 * Specs: [MC146818] "Time, Calendar, and Alarm Locations".
 */
#ifndef DEVICES_RTC_TIME_H
#define DEVICES_RTC_TIME_H

#include "vmm/lib/types.h"

#define RTC_DAY_SECONDS 86400ULL
#define RTC_UNIX_EPOCH (719528ULL * RTC_DAY_SECONDS) /* 1970-01-01 */

/* Bits of register B that say how a number is spelt. */
#define RTC_B_24H 0x02U
#define RTC_B_BINARY 0x04U

struct rtc_time {
	uint32_t second, minute, hour;
	uint32_t weekday; /* 0 = Sunday */
	uint32_t day;     /* 1..31 */
	uint32_t month;   /* 1..12 */
	uint32_t year;    /* 0..9999 */
};

void rtc_time_split(uint64_t seconds, struct rtc_time *t);
/* Values out of range count on into the next field; weekday is not looked at. */
uint64_t rtc_time_join(const struct rtc_time *t);

/* One number, and an hour, as a register holds it. Decoding takes any byte. */
uint8_t rtc_encode(uint32_t value, uint8_t reg_b);
uint32_t rtc_decode(uint8_t byte, uint8_t reg_b);
uint8_t rtc_encode_hour(uint32_t hour, uint8_t reg_b);
uint32_t rtc_decode_hour(uint8_t byte, uint8_t reg_b);

#endif
