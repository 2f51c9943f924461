// SPDX-License-Identifier: BSD-2-Clause
// The ACPI timer: never backwards, 24 bits, at the right speed.
// Specs: [ACPI] "Power Management Timer".
#include "guest-test/lib/test.h"

TEST(pm_timer_monotonic)
{
	uint32_t last = inl(PM_TIMER), first = last, wraps = 0;

	for (unsigned i = 0; i < 2000; i++) {
		uint32_t now = inl(PM_TIMER);

		CHECK_EQ(now >> 24, 0);
		wraps += now < last;
		last = now;
	}
	CHECK(wraps <= 1 && last != first);
}

TEST(pm_timer_widths)
{
	uint32_t whole = inl(PM_TIMER);
	uint32_t half = inw(PM_TIMER), byte;

	CHECK(((half - whole) & 0xffff) < 2000);
	byte = inb(PM_TIMER + 2);
	CHECK(((byte - (whole >> 16)) & 0xff) <= 1);
	outl(PM_TIMER, 0); /* read-only */
	CHECK(((inl(PM_TIMER) - whole) & 0xffffff) < 10000);
}
