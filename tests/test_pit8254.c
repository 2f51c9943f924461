// SPDX-License-Identifier: BSD-2-Clause
// The 8254 by its data sheet: six modes, latches, BCD, port 0x61, the timer interrupt.
// Specs: [8254] "Mode Definitions", "Counter Latch Command", "Read-Back Command".
#include "devices/pit8254.h"
#include "tests/chips.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"

#define GSI 2U
/* Until just after n ticks from a whole number of ticks. */
#define TICKS(n) WAIT(((n)*1000000000ULL + PIT_HZ - 1) / PIT_HZ)
#define SLACK_NS 400U

static struct pit8254 pit;
static struct vm *vm;

static void setup(void)
{
	/* Half a tick into tick 1193182: so that waits of whole ticks stay within their tick. */
	fake_clock_set(NS_PER_SEC + SLACK_NS);
	vm = fake_vm(SIZE_2M, 1);
	vm->clock_base_ns = 0;
	chip_record_lines(vm);
	pit8254_init(&pit);
	ck_assert_int_eq(pit8254_attach(&pit, vm, 0x40, 0x61, GSI), 0);
}

static const struct program programs[] = {
        {"mode 0: OUT low, high after N + 1 clocks, stays",
                {OUT(0x43, 0x30), LINE(0), OUT(0x40, 10), OUT(0x40, 0), TICKS(10), LINE(0),
                        TICKS(1), LINE(1), RISES(1), TICKS(70000), RISES(0), LINE(1)}},
        {"mode 0: the first byte of a new count stops it, OUT low",
                {OUT(0x43, 0x30), OUT(0x40, 10), OUT(0x40, 0), TICKS(11), LINE(1), OUT(0x40, 20),
                        LINE(0), TICKS(100), LINE(0), OUT(0x40, 0), TICKS(21), LINE(1)}},
        {"mode 0: counts on below zero",
                {OUT(0x43, 0x30), OUT(0x40, 5), OUT(0x40, 0), TICKS(1), OUT(0x43, 0x00),
                        IN(0x40, 5), IN(0x40, 0), TICKS(7), OUT(0x43, 0x00), IN(0x40, 0xfe),
                        IN(0x40, 0xff)}},
        {"mode 2: one rise a period",
                {OUT(0x43, 0x34), RISES(1), OUT(0x40, 0xe8), OUT(0x40, 3), TICKS(1000), RISES(0),
                        TICKS(1), RISES(1), TICKS(999), RISES(0), TICKS(1), RISES(1), TICKS(10000),
                        RISES(10)}},
        {"mode 2: counts from N to 1",
                {OUT(0x43, 0x34), OUT(0x40, 3), OUT(0x40, 0), TICKS(1), OUT(0x43, 0), IN(0x40, 3),
                        IN(0x40, 0), TICKS(1), OUT(0x43, 0), IN(0x40, 2), IN(0x40, 0), TICKS(1),
                        OUT(0x43, 0), IN(0x40, 1), IN(0x40, 0), TICKS(1), OUT(0x43, 0), IN(0x40, 3),
                        IN(0x40, 0)}},
        {"mode 2: a new count waits for the period's end",
                {OUT(0x43, 0x34), RISES(1), OUT(0x40, 0xe8), OUT(0x40, 3), TICKS(501),
                        OUT(0x40, 100), OUT(0x40, 0), TICKS(499), RISES(0), TICKS(1), RISES(1),
                        TICKS(100), RISES(1), TICKS(100), RISES(1)}},
        {"mode 3: by two, period N",
                {OUT(0x43, 0x36), RISES(1), OUT(0x40, 0xe8), OUT(0x40, 3), TICKS(1), OUT(0x43, 0),
                        IN(0x40, 0xe8), IN(0x40, 3), TICKS(1), OUT(0x43, 0), IN(0x40, 0xe6),
                        IN(0x40, 3), TICKS(498), OUT(0x43, 0xc2), IN(0x40, 0xb6), IN(0x40, 2),
                        IN(0x40, 0), TICKS(1), OUT(0x43, 0xe2), IN(0x40, 0x36), RISES(0),
                        TICKS(499), RISES(0), TICKS(1), RISES(1)}},
        {"mode 3: an odd count is high one tick longer",
                {OUT(0x43, 0x36), OUT(0x40, 5), OUT(0x40, 0), TICKS(1), OUT(0x43, 0xc2),
                        IN(0x40, 0xb6), IN(0x40, 4), IN(0x40, 0), TICKS(2), OUT(0x43, 0xc2),
                        IN(0x40, 0xb6), IN(0x40, 0), IN(0x40, 0), TICKS(1), OUT(0x43, 0xc2),
                        IN(0x40, 0x36), IN(0x40, 4), IN(0x40, 0), TICKS(1), OUT(0x43, 0xc2),
                        IN(0x40, 0x36), IN(0x40, 2), IN(0x40, 0), TICKS(1), OUT(0x43, 0xc2),
                        IN(0x40, 0xb6), IN(0x40, 4), IN(0x40, 0)}},
        {"mode 4: one strobe, N + 2 clocks after the write it has ended",
                {OUT(0x43, 0x38), RISES(1), OUT(0x40, 20), OUT(0x40, 0), TICKS(21), RISES(0),
                        OUT(0x43, 0xe2), IN(0x40, 0x38), TICKS(1), RISES(1), TICKS(70000), RISES(0),
                        OUT(0x40, 30), OUT(0x40, 0), TICKS(32), RISES(1)}},
        {"mode 1 at counter 2: a gate edge starts it, another starts it anew",
                {OUT(0x43, 0xb2), OUT(0x42, 10), OUT(0x42, 0), TICKS(50), BITS(0x61, 0x20, 0x20),
                        OUT(0x61, 1), TICKS(1), BITS(0x61, 0x20, 0), TICKS(9), BITS(0x61, 0x20, 0),
                        OUT(0x61, 0), OUT(0x61, 1), TICKS(10), BITS(0x61, 0x20, 0), TICKS(1),
                        BITS(0x61, 0x20, 0x20)}},
        {"mode 5 at counter 2: a strobe N + 1 clocks after the gate edge",
                {OUT(0x43, 0xba), OUT(0x42, 10), OUT(0x42, 0), OUT(0x61, 1), TICKS(10),
                        BITS(0x61, 0x20, 0x20), TICKS(1), BITS(0x61, 0x20, 0), TICKS(1),
                        BITS(0x61, 0x20, 0x20)}},
        {"gate 2 low holds mode 0",
                {OUT(0x61, 1), OUT(0x43, 0xb0), OUT(0x42, 100), OUT(0x42, 0), TICKS(51),
                        OUT(0x61, 0), TICKS(1000), OUT(0x43, 0x80), IN(0x42, 50), IN(0x42, 0),
                        BITS(0x61, 0x21, 0), OUT(0x61, 1), TICKS(49), BITS(0x61, 0x20, 0), TICKS(1),
                        BITS(0x61, 0x20, 0x20)}},
        {"gate 2 low sets mode 3 high, a rise starts a period",
                {OUT(0x61, 1), OUT(0x43, 0xb6), OUT(0x42, 10), OUT(0x42, 0), TICKS(7),
                        BITS(0x61, 0x20, 0), OUT(0x61, 0), BITS(0x61, 0x20, 0x20), TICKS(100),
                        BITS(0x61, 0x20, 0x20), OUT(0x61, 1), TICKS(6), BITS(0x61, 0x20, 0)}},
        {"LSB only, MSB only", {OUT(0x43, 0x14), OUT(0x40, 100), TICKS(1), IN(0x40, 100),
                                       IN(0x40, 100), OUT(0x43, 0x24), OUT(0x40, 2), TICKS(1),
                                       IN(0x40, 2), IN(0x40, 2), OUT(0x43, 0), IN(0x40, 2)}},
        {"count 0 is 65536",
                {OUT(0x43, 0x34), RISES(1), OUT(0x40, 0), OUT(0x40, 0), TICKS(1), OUT(0x43, 0),
                        IN(0x40, 0), IN(0x40, 0), TICKS(1), OUT(0x43, 0), IN(0x40, 0xff),
                        IN(0x40, 0xff), TICKS(65534), RISES(0), TICKS(1), RISES(1)}},
        {"BCD counts digits, 0 is 10000",
                {OUT(0x43, 0x31), OUT(0x40, 0x00), OUT(0x40, 0x10), TICKS(2), OUT(0x43, 0),
                        IN(0x40, 0x99), IN(0x40, 0x09), TICKS(1000), OUT(0x43, 0), IN(0x40, 0x99),
                        IN(0x40, 0x99), OUT(0x43, 0x35), RISES(1), OUT(0x40, 0), OUT(0x40, 0),
                        TICKS(10000), RISES(0), TICKS(1), RISES(1)}},
        {"a latched count waits until it is read, a second latch is ignored",
                {OUT(0x43, 0x34), OUT(0x40, 0), OUT(0x40, 0x10), TICKS(1), OUT(0x43, 0), TICKS(5),
                        OUT(0x43, 0), IN(0x40, 0), IN(0x40, 0x10), OUT(0x43, 0), IN(0x40, 0xfb),
                        IN(0x40, 0x0f)}},
        {"read-back: status first, then count; null count until it is loaded",
                {OUT(0x43, 0x34), OUT(0x43, 0xe2), IN(0x40, 0xf4), OUT(0x40, 10), OUT(0x43, 0xe2),
                        IN(0x40, 0xf4), OUT(0x40, 0), OUT(0x43, 0xe2), IN(0x40, 0xf4), TICKS(1),
                        OUT(0x43, 0xc2), IN(0x40, 0xb4), IN(0x40, 10), IN(0x40, 0), OUT(0x43, 0xce),
                        TICKS(1), IN(0x40, 0xb4), IN(0x41, 0x70), IN(0x42, 0x70), IN(0x43, 0xff)}},
        {"port 0x61: what can be written, what toggles",
                {OUT(0x61, 0xff), BITS(0x61, 0xef, 0x0f), OUT(0x61, 0), BITS(0x61, 0xef, 0),
                        OUT(0x61, 2), BITS(0x61, 0x0f, 2)}},
};

START_TEST(program)
{
	program_run(vm, &programs[_i], GSI);
}
END_TEST

START_TEST(ticks_are_exact)
{
	uint64_t seed = 1;

	ck_assert_uint_eq(pit_ticks(NS_PER_SEC), PIT_HZ);
	ck_assert_uint_eq(pit_ticks(NS_PER_SEC * 86400 * 365), PIT_HZ * 86400 * 365);
	ck_assert_uint_eq(pit_ticks(NS_PER_SEC * 86400 * 365 - 1), PIT_HZ * 86400 * 365 - 1);
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t tick = (uint64_t)chip_random(&seed) << (chip_random(&seed) % 16);
		uint64_t ns = pit_tick_ns(tick);

		ck_assert_uint_eq(pit_ticks(ns), tick);
		ck_assert(ns == 0 || pit_ticks(ns - 1) == tick - 1);
	}
}
END_TEST

/* A thousand periods of a tick with a remainder end when the arithmetic says: no drift. */
START_TEST(periodic_does_not_drift)
{
	chip_out(vm, 0x43, 0x34);
	chip_out(vm, 0x40, 11932 & 0xff);
	chip_out(vm, 0x40, 11932 >> 8);
	chip_lines[GSI].rises = 0;
	fake_clock_advance(3600 * NS_PER_SEC);
	ck_assert_uint_eq(chip_lines[GSI].rises, (3600 * PIT_HZ - 1) / 11932);
}
END_TEST

/* Linux quick_pit_calibrate(): mode 0, count 0xffff, the MSB goes down every 256 ticks. */
START_TEST(quick_calibration)
{
	chip_out(vm, 0x61, (chip_in(vm, 0x61) & ~2U) | 1);
	chip_out(vm, 0x43, 0xb0);
	chip_out(vm, 0x42, 0xff);
	chip_out(vm, 0x42, 0xff);
	for (unsigned msb = 0xff; msb > 0xe0; msb--) {
		unsigned reads = 0;
		uint64_t begin = clock_now();

		for (;;) {
			(void)chip_in(vm, 0x42);
			if (chip_in(vm, 0x42) != msb) {
				break;
			}
			reads++;
			fake_clock_advance(2000);
		}
		ck_assert_uint_gt(reads, 100);
		ck_assert_uint_lt(clock_now() - begin, 217000);
	}
}
END_TEST

/* Interrupts that nobody could take in time are one. */
START_TEST(late_ticks_coalesce)
{
	chip_out(vm, 0x43, 0x34);
	chip_out(vm, 0x40, 0xe8);
	chip_out(vm, 0x40, 3);
	chip_lines[GSI].rises = 0;
	fake_clock_set(clock_now() + NS_PER_SEC);
	fake_clock_advance(0);
	ck_assert_uint_eq(chip_lines[GSI].rises, 1);
	/* And go on where they would have been: 1000 ticks are 838 us. */
	fake_clock_advance(838100);
	ck_assert_uint_eq(chip_lines[GSI].rises, 2);
}
END_TEST

START_TEST(fast_rates_are_bounded)
{
	for (unsigned mode = 2; mode <= 3; mode++) {
		for (unsigned count = 1; count < 100; count += 7) {
			chip_out(vm, 0x43, 0x10 | mode << 1);
			chip_out(vm, 0x40, count);
			chip_lines[GSI].rises = 0;
			fake_clock_advance(NS_PER_SEC / 10);
			ck_assert_uint_le(chip_lines[GSI].rises, 2001);
			ck_assert_uint_gt(chip_lines[GSI].rises, 500);
		}
	}
}
END_TEST

START_TEST(wide_accesses_are_bytes)
{
	/* Word to 0x42: counter 2 and the control port. */
	io_bus_write(&vm->pio, 0x42, 2, 0xb000);
	ck_assert_uint_eq(pit.s.counters[2].mode, 0);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x42, 2) >> 8, 0xff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x40, 4) >> 24, 0xff);
}
END_TEST

START_TEST(reset_stops_everything)
{
	chip_out(vm, 0x43, 0x34);
	chip_out(vm, 0x40, 0xe8);
	chip_out(vm, 0x40, 3);
	chip_out(vm, 0x61, 3);
	ck_assert(chip_lines[GSI].level);
	pit8254_reset(&pit);
	ck_assert(!chip_lines[GSI].level);
	chip_lines[GSI].rises = 0;
	fake_clock_advance(NS_PER_SEC);
	ck_assert_uint_eq(chip_lines[GSI].rises, 0);
	ck_assert_uint_eq(chip_in(vm, 0x61) & 0xefU, 0);
	chip_out(vm, 0x43, 0x34);
	chip_out(vm, 0x40, 0xe8);
	chip_out(vm, 0x40, 3);
	pit8254_quiesce(&pit);
	chip_lines[GSI].rises = 0;
	fake_clock_advance(NS_PER_SEC);
	ck_assert_uint_eq(chip_lines[GSI].rises, 0);
}
END_TEST

START_TEST(attach_undoes_itself)
{
	static struct pit8254 second;

	pit8254_init(&second);
	ck_assert_int_eq(pit8254_attach(&second, vm, 0x40, 0x161, GSI), -EEXIST);
	ck_assert_int_eq(pit8254_attach(&second, vm, 0x140, 0x61, GSI), -EEXIST);
	ck_assert_int_eq(pit8254_attach(&second, vm, 0x140, 0x161, 99), -EINVAL);
	ck_assert(!io_bus_claims(&vm->pio, 0x140, 1));
	ck_assert(!io_bus_claims(&vm->pio, 0x161, 1));
}
END_TEST

START_TEST(random_programs)
{
	static const uint64_t ports[] = {0x40, 0x41, 0x42, 0x43, 0x43, 0x61};

	chip_fuzz(&vm->pio, ports, ARRAY_SIZE(ports), 20000, (uint64_t)_i + 1, 20000, NULL);
	pit8254_dump(&pit, &out_log);
	ck_assert_uint_eq(fake_log_count("  counter"), 3);
	chip_lines[GSI].rises = 0;
	fake_clock_advance(NS_PER_SEC);
	ck_assert_uint_le(chip_lines[GSI].rises, 20001);
}
END_TEST

UNIT_MAIN("pit8254", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, program, 0, ARRAY_SIZE(programs));
          tcase_add_test(tc, ticks_are_exact); tcase_add_test(tc, periodic_does_not_drift);
          tcase_add_test(tc, quick_calibration); tcase_add_test(tc, late_ticks_coalesce);
          tcase_add_test(tc, fast_rates_are_bounded); tcase_add_test(tc, wide_accesses_are_bytes);
          tcase_add_test(tc, reset_stops_everything); tcase_add_test(tc, attach_undoes_itself);
          tcase_add_loop_test(tc, random_programs, 0, 4);)
