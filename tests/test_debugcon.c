// SPDX-License-Identifier: BSD-2-Clause
// Port 0xE9: lines into the log, nothing else.
#include "devices/debugcon.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"

static struct vm *vm;
static struct debugcon d;

static void setup(void)
{
	vm = fake_vm(4 << 20, 1);
	debugcon_init(&d);
	ck_assert_int_eq(debugcon_attach(&d, vm, 0xe9), 0);
	fake_log_clear();
}

static void say(const char *text)
{
	for (; *text; text++) {
		io_bus_write(&vm->pio, 0xe9, 1, (uint8_t)*text);
	}
}

START_TEST(lines)
{
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xe9, 1), 0xe9);
	say("hello");
	ck_assert_uint_eq(fake_log_count("hello"), 0);
	say(" world\r\n\n");
	ck_assert_uint_eq(fake_log_count("hello world"), 1);
	ck_assert_uint_eq(fake_log_count("debug port"), 1);
}
END_TEST

START_TEST(nothing_steers_a_terminal)
{
	say("a\033[31m\tb\x7f\x9b\n");
	ck_assert_uint_eq(fake_log_count("a.[31m.b.."), 1);
}
END_TEST

START_TEST(long_lines_are_cut)
{
	for (unsigned i = 0; i < 2 * DEBUGCON_LINE + 1; i++) {
		say("x");
	}
	ck_assert_uint_eq(fake_log_count("xxxx"), 2);
	debugcon_reset(&d);
	ck_assert_uint_eq(fake_log_count("debug port"), 3);
	debugcon_reset(&d);
	ck_assert_uint_eq(fake_log_count("debug port"), 3);
}
END_TEST

UNIT_MAIN("debugcon", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, lines);
          tcase_add_test(tc, nothing_steers_a_terminal); tcase_add_test(tc, long_lines_are_cut);)
