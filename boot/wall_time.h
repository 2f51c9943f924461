/* SPDX-License-Identifier: BSD-2-Clause */
/* A calendar date and time as seconds since 1970-01-01 UTC. Pure. */
#ifndef BOOT_WALL_TIME_H
#define BOOT_WALL_TIME_H

#include "vmm/lib/types.h"

struct wall_time {
	uint32_t year, month, day; /* month and day from 1 */
	uint32_t hour, minute, second;
	int32_t zone_minutes; /* UTC = this time + zone; [UEFI] EFI_TIME.TimeZone */
};

/* 0 when the date is none (firmware with an empty clock) or before 1970. */
uint64_t wall_time_seconds(const struct wall_time *t);

#endif
