/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 real-time clock and its 128 bytes of battery-backed memory. The time is
 * computed from the VM's clock when somebody looks; a timer runs only for enabled interrupts.
 *
 * Specs: [MC146818] "Real-Time Clock plus RAM"; [PIIX4] "Real Time Clock".
 */
#ifndef DEVICES_RTC_CMOS_H
#define DEVICES_RTC_CMOS_H

#include "devices/device.h"

#define RTC_CMOS_SIZE 128U
#define RTC_REG_CENTURY 0x32U /* for the FADT's CENTURY field */

struct rtc_cmos_state {
	uint32_t version;
	uint8_t index;                /* port 0x70, without bit 7 */
	bool nmi_disabled;            /* port 0x70 bit 7; no device asks for an NMI */
	uint8_t bytes[RTC_CMOS_SIZE]; /* 0-9 and 0x32 hold the time only while it stands still */
	uint8_t flags;                /* register C's PF, AF, UF */
	uint64_t base_seconds;        /* time of day before the update at update_ns, since year 0 */
	uint64_t update_ns;           /* VM clock of that update; then one every second */
	uint64_t checked_ns;          /* flags are right up to this VM clock */
	uint64_t behind_ns;           /* of pauses, not caught up yet: below a second */
	uint8_t weekday_shift;        /* the guest's idea of the week against the calendar's */
};

struct rtc_cmos {
	struct spinlock lock;
	struct rtc_cmos_state s; /* [lock] */
	struct vm *vm;           /* (c) */
	struct irq_source irq;
	struct vm_timer timer;
	struct io_range range;
};

void rtc_cmos_init(struct rtc_cmos *rtc);
/* wall_seconds: time of day now, since 1970-01-01 UTC. Ports: index and data. */
__must_check int rtc_cmos_attach(
        struct rtc_cmos *rtc, struct vm *vm, uint16_t port, unsigned gsi, uint64_t wall_seconds);
/* RESET pin: time and memory stay, interrupts are disabled. */
void rtc_cmos_reset(struct rtc_cmos *rtc);
void rtc_cmos_quiesce(struct rtc_cmos *rtc);
void rtc_cmos_dump(const struct rtc_cmos *rtc, struct out *out);

/* Battery-backed memory (index 14 to 127 but the century), for the platform to fill. */
void rtc_cmos_set_byte(struct rtc_cmos *rtc, unsigned index, uint8_t value);
/* The VM was paused so long: the time of day catches up by whole seconds, the rest is kept for the
 * next time. An alarm that it jumps over does not ring. */
void rtc_cmos_time_passed(struct rtc_cmos *rtc, uint64_t paused_ns);

#endif
