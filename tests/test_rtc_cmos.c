// SPDX-License-Identifier: BSD-2-Clause
// The MC146818 by its data sheet: time in its spellings, SET, UIP, divider, three interrupts.
// Specs: [MC146818] "Registers", "Update Cycle", "Interrupts".
#include "devices/rtc_cmos.h"
#include "tests/chips.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"

#define GSI 8U
#define START_WALL 1767323045ULL /* 2026-01-02 03:04:05 UTC, a Friday */
#define MS 1000000ULL
#define S 1000000000ULL

static struct rtc_cmos rtc;
static struct vm *vm;

static void setup(void)
{
	/* Not a round time: seconds begin where the VM began, not the host. */
	fake_clock_set(12345678);
	vm = fake_vm(SIZE_2M, 1);
	vm->clock_base_ns = 12345678;
	chip_record_lines(vm);
	rtc_cmos_init(&rtc);
	ck_assert_int_eq(rtc_cmos_attach(&rtc, vm, 0x70, GSI, START_WALL), 0);
}

#define SEL(i) OUT(0x70, i)
#define RD(i, v) SEL(i), IN(0x71, v)
#define WR(i, v) SEL(i), OUT(0x71, v)
#define UIP(v) SEL(10), BITS(0x71, 0x80, (v) << 7)
#define TIME(h, m, s) RD(4, h), RD(2, m), RD(0, s)
#define DATE(c, y, mo, d) RD(0x32, c), RD(9, y), RD(8, mo), RD(7, d)

static const struct program programs[] = {
        {"after power-on: BCD, 24 hours, battery good",
                {RD(10, 0x26), RD(11, 0x02), RD(12, 0), RD(13, 0x80), TIME(0x03, 0x04, 0x05),
                        DATE(0x20, 0x26, 0x01, 0x02), RD(6, 6), IN(0x70, 0xff), LINE(0)}},
        {"seconds begin a second after the start",
                {WAIT(999 * MS), RD(0, 0x05), WAIT(1 * MS), RD(0, 0x06), WAIT(54 * S),
                        TIME(0x03, 0x05, 0x00)}},
        {"binary", {WR(11, 0x06), WAIT(55 * S), DATE(20, 26, 1, 2), TIME(3, 5, 0)}},
        {"12 hours, BCD and binary, noon and midnight",
                {WR(11, 0), RD(4, 0x03), WAIT(9 * 3600 * S), RD(4, 0x92), WAIT(3600 * S),
                        RD(4, 0x81), WAIT(10 * 3600 * S), RD(4, 0x91), WAIT(3600 * S), RD(4, 0x12),
                        WR(11, 0x04), RD(4, 12), WAIT(13 * 3600 * S), RD(4, 0x81)}},
        {"UIP is up for the last 244 us of a second",
                {UIP(0), WAIT(999 * MS), UIP(0), WAIT(755999), UIP(0), WAIT(1), UIP(1), RD(0, 0x05),
                        WAIT(243999), UIP(1), WAIT(1), UIP(0), RD(0, 0x06)}},
        {"SET: time can be written, the phase of the seconds stays",
                {WAIT(300 * MS), WR(11, 0x82), WR(0x32, 0x19), WR(9, 0x99), WR(8, 0x12),
                        WR(7, 0x31), WR(6, 0x06), WR(4, 0x23), WR(2, 0x59), WR(0, 0x59),
                        WAIT(10 * S), UIP(0), TIME(0x23, 0x59, 0x59), WR(11, 0x02), WAIT(699 * MS),
                        TIME(0x23, 0x59, 0x59), WAIT(1 * MS), TIME(0, 0, 0)}},
        {"and the century follows, with the guest's own weekday",
                {WR(11, 0x82), WR(0x32, 0x19), WR(9, 0x99), WR(8, 0x12), WR(7, 0x31), WR(6, 0x03),
                        WR(4, 0x23), WR(2, 0x59), WR(0, 0x59), WR(11, 0x02), WAIT(1 * S),
                        DATE(0x20, 0x00, 0x01, 0x01), RD(6, 0x04), WAIT(59 * 86400 * S),
                        RD(8, 0x02), RD(7, 0x29)}},
        {"Linux sets the time: divider reset, first update after half a second",
                {WR(11, 0x82), WR(10, 0x70), WR(4, 0x12), WR(2, 0x00), WR(0, 0x00), WAIT(5 * S),
                        WR(11, 0x02), WAIT(5 * S), TIME(0x12, 0, 0), UIP(0), WR(10, 0x26),
                        WAIT(499 * MS), RD(0, 0), WAIT(1 * MS), RD(0, 1), WAIT(999 * MS), RD(0, 1),
                        WAIT(1 * MS), RD(0, 2)}},
        {"a write without SET changes the running time",
                {WR(0, 0x30), RD(0, 0x30), WAIT(1 * S), TIME(0x03, 0x04, 0x31), WR(4, 0x23),
                        WAIT(3600 * S), DATE(0x20, 0x26, 0x01, 0x03), RD(6, 7)}},
        {"update interrupt: once until C is read; SET clears UIE",
                {WR(11, 0x12), WAIT(999 * MS), LINE(0), WAIT(1 * MS), LINE(1), WAIT(10 * S),
                        RISES(1), RD(12, 0xd0), LINE(0), RD(12, 0), WAIT(1 * S), RISES(1),
                        WR(11, 0x92), RD(11, 0x82), LINE(0)}},
        {"flags are set without being enabled",
                {WAIT(1 * S), RD(12, 0x50), RD(12, 0), WR(10, 0x20), WAIT(1 * S), RD(12, 0x10)}},
        {"periodic interrupt: rate 6 is 1024 Hz, counted by the guest's reads of C",
                {WR(11, 0x42), WAIT(976562), LINE(0), WAIT(1), LINE(1), RD(12, 0xc0), WAIT(976562),
                        RISES(2), RD(12, 0xc0), LINE(0)}},
        {"periodic: slowest is 2 Hz, 1 and 2 are 256 and 128 Hz",
                {WR(10, 0x2f), WR(11, 0x42), WAIT(499 * MS), LINE(0), WAIT(1 * MS), LINE(1),
                        WR(10, 0x21), RD(12, 0xc0), WAIT(3906249), LINE(0), WAIT(1), LINE(1),
                        WR(10, 0x22), RD(12, 0xc0), WAIT(7812499 - 3906250), LINE(0), WAIT(1),
                        LINE(1)}},
        {"periodic: rate 0 and a stopped divider are silent",
                {WR(10, 0x20), WR(11, 0x42), WAIT(10 * S), LINE(0), WR(10, 0x76), WAIT(10 * S),
                        LINE(0)}},
        {"alarm at a time", {WR(5, 0x03), WR(3, 0x05), WR(1, 0x10), WR(11, 0x22), WAIT(64 * S),
                                    LINE(0), WAIT(1 * S), LINE(1), RISES(1), RD(12, 0xf0), LINE(0),
                                    WAIT(86399 * S), LINE(0), WAIT(1 * S), LINE(1)}},
        {"alarm every minute and every second; 0xc0 and up match anything",
                {WR(5, 0xff), WR(3, 0xc0), WR(1, 0x00), WR(11, 0x22), WAIT(55 * S), LINE(1),
                        RD(12, 0xf0), WAIT(59 * S), LINE(0), WAIT(1 * S), LINE(1), RD(12, 0xf0),
                        WR(1, 0xfe), WAIT(1 * S), LINE(1)}},
        {"alarm in 12-hour mode",
                {WR(11, 0x20), WR(5, 0x92), WR(3, 0), WR(1, 0), WAIT((8 * 3600 + 3354) * S),
                        LINE(0), WAIT(1 * S), LINE(1)}},
        {"an alarm that cannot be is never",
                {WR(5, 0x25), WR(3, 0x61), WR(1, 0xbf), WR(11, 0x22), WAIT(172800 * S), LINE(0)}},
        {"registers C and D are read-only, A keeps UIP to itself",
                {WR(12, 0xff), RD(12, 0), WR(13, 0), RD(13, 0x80), WR(10, 0xa6), RD(10, 0x26)}},
        {"memory", {WR(14, 0x5a), WR(127, 0xa5), RD(14, 0x5a), RD(127, 0xa5), RD(0xff, 0xa5)}},
};

START_TEST(program)
{
	program_run(vm, &programs[_i], GSI);
}
END_TEST

/* Garbage in every field: some time comes out, and goes on from there. */
START_TEST(garbage_time)
{
	for (unsigned v = 0; v < 256; v++) {
		chip_out(vm, 0x70, 11);
		chip_out(vm, 0x71, v & 0x06 ? 0x82 : 0x86);
		for (unsigned i = 0; i <= 10; i++) {
			chip_out(vm, 0x70, i == 10 ? 0x32 : i);
			chip_out(vm, 0x71, v);
		}
		chip_out(vm, 0x70, 11);
		chip_out(vm, 0x71, 0x06);
		fake_clock_advance(S);
		chip_out(vm, 0x70, 0);
		ck_assert_uint_lt(chip_in(vm, 0x71), 60);
		chip_out(vm, 0x70, 8);
		ck_assert_uint_le(chip_in(vm, 0x71) - 1, 11);
		chip_out(vm, 0x70, 6);
		ck_assert_uint_le(chip_in(vm, 0x71) - 1, 6);
	}
}
END_TEST

START_TEST(nmi_mask)
{
	chip_out(vm, 0x70, 0x8f);
	ck_assert(rtc.s.nmi_disabled);
	chip_out(vm, 0x70, 0x0f);
	ck_assert(!rtc.s.nmi_disabled);
}
END_TEST

START_TEST(platform_bytes)
{
	static const struct program read = {
	        "read", {RD(0x17, 0x12), RD(0x18, 0x34), RD(0x32, 0x20), RD(11, 0x02)}};

	rtc_cmos_set_byte(&rtc, 0x17, 0x12);
	rtc_cmos_set_byte(&rtc, 0x18, 0x34);
	rtc_cmos_set_byte(&rtc, 0x32, 0x99); /* belongs to the clock */
	rtc_cmos_set_byte(&rtc, 11, 0xff);
	rtc_cmos_set_byte(&rtc, 128, 0xff);
	program_run(vm, &read, GSI);
}
END_TEST

/* RESET clears the interrupts, the battery keeps the rest; also while the time stands still. */
START_TEST(reset_keeps_time)
{
	static const struct program before = {
	        "before", {WR(0x40, 0x77), WR(11, 0x72), WAIT(1 * S), LINE(1), OUT(0x70, 0xff)}};
	static const struct program after = {
	        "after", {LINE(0), RD(12, 0), RD(11, 0x02), RD(0x40, 0x77), WAIT(2 * S), LINE(0),
	                         TIME(0x03, 0x04, 0x08)}};

	program_run(vm, &before, GSI);
	rtc_cmos_reset(&rtc);
	ck_assert(!rtc.s.nmi_disabled);
	program_run(vm, &after, GSI);
	chip_out(vm, 0x70, 12);
	(void)chip_in(vm, 0x71);
	chip_out(vm, 0x70, 11);
	chip_out(vm, 0x71, 0x72);
	rtc_cmos_quiesce(&rtc);
	fake_clock_advance(2 * S);
	ck_assert(!chip_lines[GSI].level);
}
END_TEST

START_TEST(wide_accesses_are_bytes)
{
	io_bus_write(&vm->pio, 0x70, 2, 0xab20); /* index and data */
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x70, 2), 0xabff);
}
END_TEST

START_TEST(attach_undoes_itself)
{
	static struct rtc_cmos second;

	rtc_cmos_init(&second);
	ck_assert_int_eq(rtc_cmos_attach(&second, vm, 0x70, GSI, 0), -EEXIST);
	ck_assert_int_eq(rtc_cmos_attach(&second, vm, 0x170, 24, 0), -EINVAL);
	ck_assert(!io_bus_claims(&vm->pio, 0x170, 1));
}
END_TEST

START_TEST(random_programs)
{
	static const uint64_t ports[] = {0x70, 0x71};
	uint64_t state = (uint64_t)_i + 99;

	chip_fuzz(&vm->pio, ports, ARRAY_SIZE(ports), 10000, (uint64_t)_i + 1, 300 * MS, NULL);
	/* Registers only, so that most hits mean something. */
	for (unsigned i = 0; i < 20000; i++) {
		chip_out(vm, 0x70, chip_random(&state) % 14);
		if (chip_random(&state) & 1) {
			chip_out(vm, 0x71, chip_random(&state));
		} else {
			(void)chip_in(vm, 0x71);
		}
		fake_clock_advance(chip_random(&state) % (400 * MS));
	}
	fake_log_clear();
	rtc_cmos_dump(&rtc, &out_log);
	ck_assert_uint_eq(fake_log_count("alarm"), 1);
	ck_assert_uint_eq(fake_log_count(", A "), 1);
	/* Nobody reads C: at most one more interrupt. */
	chip_lines[GSI].rises = 0;
	fake_clock_advance(10 * S);
	ck_assert_uint_le(chip_lines[GSI].rises, 1);
}
END_TEST

static void pause_for(uint64_t ns)
{
	vm_clock_stop(vm, clock_now());
	fake_clock_advance(ns);
	vm_clock_go(vm, clock_now());
	rtc_cmos_time_passed(&rtc, ns);
}

static uint64_t seconds_read(void)
{
	chip_out(vm, 0x70, 0);
	return chip_in(vm, 0x71);
}

/* After a pause the time of day is right again, to the second; pieces of a second add up. */
START_TEST(catches_up)
{
	fake_clock_advance(500 * MS);
	ck_assert_uint_eq(seconds_read(), 0x05);
	pause_for(10 * S + 600 * MS);
	ck_assert_uint_eq(seconds_read(), 0x15);
	fake_clock_advance(499 * MS);
	ck_assert_uint_eq(seconds_read(), 0x15);
	fake_clock_advance(1 * MS);
	ck_assert_uint_eq(seconds_read(), 0x16);
	pause_for(600 * MS);
	ck_assert_uint_eq(seconds_read(), 0x17);
	/* One that the guest has stopped is left alone. */
	chip_out(vm, 0x70, 11);
	chip_out(vm, 0x71, 0x82);
	pause_for(20 * S);
	ck_assert_uint_eq(seconds_read(), 0x17);
}
END_TEST

/* Interrupts keep their distance in the guest's time, whatever the pause. */
START_TEST(updates_stand_still)
{
	chip_out(vm, 0x70, 11);
	chip_out(vm, 0x71, 0x12);
	fake_clock_advance(400 * MS);
	chip_lines[GSI].rises = 0;
	pause_for(30 * S);
	fake_clock_advance(599 * MS);
	ck_assert_uint_eq(chip_lines[GSI].rises, 0);
	fake_clock_advance(1 * MS);
	ck_assert_uint_eq(chip_lines[GSI].rises, 1);
}
END_TEST

UNIT_MAIN("rtc_cmos", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, program, 0, ARRAY_SIZE(programs));
          tcase_add_test(tc, garbage_time); tcase_add_test(tc, nmi_mask);
          tcase_add_test(tc, platform_bytes); tcase_add_test(tc, reset_keeps_time);
          tcase_add_test(tc, wide_accesses_are_bytes); tcase_add_test(tc, attach_undoes_itself);
          tcase_add_test(tc, catches_up); tcase_add_test(tc, updates_stand_still);
          tcase_add_loop_test(tc, random_programs, 0, 4);)
