// SPDX-License-Identifier: BSD-2-Clause
// The local APIC in words: vectors by number, each LVT entry, the timer's mode and time left.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lapic_regs.h"
#include <string.h>

static struct lapic *apic;

static void setup(void)
{
	apic = &fake_vm(2 << 20, 2)->vcpus[1]->lapic;
	fake_clock_set(1000);
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	fake_log_clear();
}

static bool says(const char *line)
{
	fake_log_clear();
	lapic_dump(apic, &out_log);
	return fake_log_count(line) == 1;
}

START_TEST(modes)
{
	ck_assert(says("local APIC 1: xAPIC at fee00000, enabled; TPR 00"));
	lapic_write(apic, LAPIC_SVR, 0xff);
	ck_assert(says("xAPIC at fee00000, disabled by SVR"));
	ck_assert(lapic_set_base(apic, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD));
	ck_assert(says("x2APIC at fee00000"));
	ck_assert(lapic_set_base(apic, LAPIC_DEFAULT_BASE));
	ck_assert(says(": off at fee00000"));
}
END_TEST

START_TEST(vectors)
{
	ck_assert(says("IRR: none"));
	lapic_vector_put(apic, LAPIC_IRR, 0x31, true);
	lapic_vector_put(apic, LAPIC_IRR, 0xff, true);
	lapic_vector_put(apic, LAPIC_ISR, 0x20, true);
	lapic_vector_put(apic, LAPIC_TMR, 0x20, true);
	lapic_post(apic, 0x90, false);
	ck_assert(says("IRR: 31 ff"));
	ck_assert(says("ISR: 20"));
	ck_assert(says("TMR: 20"));
	ck_assert(says("posted: 90"));
	for (unsigned v = 16; v < 256; v++) {
		lapic_vector_put(apic, LAPIC_IRR, v, true);
	}
	ck_assert(says("26 27 and 216 more"));
}
END_TEST

START_TEST(lvt)
{
	lapic_write(apic, LAPIC_LVT_LINT0, 0x8700);
	lapic_write(apic, LAPIC_LVT_TIMER, 0x000200ec);
	ck_assert(says("LVT LINT0    00008700: vector 00, ExtINT, open, level"));
	ck_assert(says("LVT timer    000200ec: vector ec, fixed, open"));
	ck_assert(says("LVT error    00010000: vector 00, fixed, masked"));
	ck_assert(says("takes the 8259's interrupts"));
}
END_TEST

START_TEST(timer)
{
	ck_assert(says("timer: one-shot, not armed"));
	lapic_write(apic, LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 2500000);
	fake_clock_advance(500000);
	ck_assert(says("timer: one-shot, due in 0.002000 s (2000000 ticks)"));
	ck_assert(says("timer: count 001e8480 of 002625a0"));
	lapic_write(apic, LAPIC_LVT_TIMER, 0x000200ec);
	ck_assert(says("timer: periodic, due in"));
	lapic_write(apic, LAPIC_LVT_TIMER, 0x000400ec);
	ck_assert(says("timer: TSC deadline, not armed"));
	lapic_set_tsc_deadline(apic, 1500000000ULL + 501000);
	ck_assert(says("timer: TSC deadline, due in 1.500000 s"));
}
END_TEST

UNIT_MAIN("lapic_dump", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, modes);
          tcase_add_test(tc, vectors); tcase_add_test(tc, lvt); tcase_add_test(tc, timer);)
