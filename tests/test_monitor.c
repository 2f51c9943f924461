// SPDX-License-Identifier: BSD-2-Clause
// The monitor's line: who has it, one command at a time, answers that take their time.
#include "tests/fake/console_fake.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/monitor.h"
#include "vmm/monitor_out.h"
#include <stdio.h>
#include <string.h>

static struct config config;
static struct vm *vm;

/* What the consoles were told. */
static struct {
	struct vm *shown;
	bool all, full;
	unsigned shows, rx_spaces;
	char typed[16];
} line;

/* Bytes that the monitor had no room for, as the host's ring keeps them. */
static char held[4096];
static size_t n_held, next_held;

static void show(struct vm *v, bool all)
{
	line.shown = v;
	line.all = all;
	line.shows++;
}

static bool type_at_guest(struct vm *v, uint8_t byte)
{
	(void)v;
	if (line.full) {
		return false;
	}
	line.typed[strlen(line.typed)] = (char)byte;
	return true;
}

static void offer_held(void)
{
	while (next_held < n_held && monitor_rx((uint8_t)held[next_held])) {
		next_held++;
	}
}

static void rx_space(void)
{
	line.rx_spaces++;
	offer_held();
}

static const struct monitor_ops ops = {.show = show, .type = type_at_guest, .rx_space = rx_space};

/* Text since the last look. */
static const char *said(void)
{
	static char text[262144];
	size_t n = 0;

	for (const char *s = fake_console_text(); *s; s++) {
		if (*s != '\r') {
			text[n++] = *s;
		}
	}
	text[n] = '\0';
	fake_console_reset(200000);
	return text;
}

static void type(const char *text)
{
	ck_assert_uint_lt(n_held + strlen(text), sizeof(held));
	memcpy(held + n_held, text, strlen(text));
	n_held += strlen(text);
	offer_held();
	fake_clock_advance(0);
}

static void start(struct vm *front)
{
	vm = fake_vm(4 << 20, 1);
	vms[0] = vm;
	n_vms = 1;
	n_held = next_held = 0;
	memset(&line, 0, sizeof(line));
	memset(&config, 0, sizeof(config));
	config.monitor_key = CONFIG_MONITOR_KEY;
	fake_console_reset(200000);
	fake_console_logs = 0;
	monitor_init(&config, &ops, front ? vm : NULL);
	fake_clock_advance(0);
}

static struct vm some_vm;

static void setup(void)
{
	fake_clock_set(1000);
	start(&some_vm);
	type("\x1d");
	(void)said();
}

START_TEST(the_key_leads_in_and_out)
{
	start(&some_vm);
	ck_assert_str_eq(said(), "");
	type("\x1d");
	ck_assert_str_eq(said(),
	        "\n[monitor - Ctrl-] for the console of fake, 'help' for the commands]\n"
	        "candela> ");
	type("\x1d");
	ck_assert_str_eq(said(), "\n[console: fake - Ctrl-] for the monitor]\n");
	ck_assert_ptr_eq(line.shown, vm);
	ck_assert(!line.all);
	ck_assert_uint_eq(line.shows, 1);
	type("\x1d");
	ck_assert_ptr_nonnull(strstr(said(), "candela> "));
}
END_TEST

START_TEST(without_a_guest_the_monitor_has_the_line)
{
	start(NULL);
	ck_assert_ptr_nonnull(strstr(said(), "candela> "));
	type("vm list\r");
	fake_clock_advance(300000000);
	ck_assert_ptr_nonnull(strstr(said(), "fake"));
	type("\x1d");
	ck_assert_ptr_eq(line.shown, vm);
}
END_TEST

START_TEST(nobody_hears_what_is_not_for_us)
{
	start(&some_vm);
	type("vm list\r");
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(a_command_and_the_next_prompt)
{
	type("bogus\r");
	ck_assert_str_eq(said(), "bogus\nerror: unknown command 'bogus' ('help' lists them)\n"
	                         "candela> ");
	type("hlep\n");
	ck_assert_ptr_nonnull(
	        strstr(said(), "error: unknown command 'hlep' (did you mean 'help'?)\n"));
	type("\r");
	ck_assert_str_eq(said(), "\ncandela> ");
	type("# remark\r");
	ck_assert_str_eq(said(), "# remark\ncandela> ");
	type("console\r");
	ck_assert_ptr_nonnull(strstr(said(), "error: usage: console VM [key]\n"));
	type("help one two\r");
	ck_assert_ptr_nonnull(strstr(said(), "error: usage: help [COMMAND]\n"));
}
END_TEST

/* Everything at once, as a script does: order is kept, and nothing is lost. */
START_TEST(pasted_lines)
{
	const char *text;

	type("bogus1\r\nbogus2\r\nbogus3\r\n");
	text = said();
	text = strstr(text, "'bogus1'");
	ck_assert_ptr_nonnull(text);
	text = strstr(text, "'bogus2'");
	ck_assert_ptr_nonnull(text);
	text = strstr(text, "'bogus3'");
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_null(strstr(text, "candela> \n"));
}
END_TEST

START_TEST(what_follows_console_is_the_guests)
{
	type("console fake\rls\r");
	ck_assert_ptr_eq(line.shown, vm);
	ck_assert(line.all);
	ck_assert_ptr_nonnull(strstr(said(), "[console: fake - Ctrl-] for the monitor]\n"));
	/* In the real machine the console backend would find the VM in front; here it comes to us
	 * and is nobody's. */
	ck_assert_ptr_null(strstr(said(), "error"));
	type("\x1d");
	(void)said();
	type("console fake key\r");
	ck_assert_str_eq(line.typed, "\x1d");
	ck_assert(!line.all);
	type("\x1d");
	line.full = true;
	(void)said();
	type("console fake key\r");
	ck_assert_ptr_nonnull(strstr(said(), "error: the serial port of fake is full"));
	type("console fake kye\r");
	ck_assert_ptr_nonnull(strstr(said(), "error: "));
	type("console fkae\r");
	ck_assert_ptr_nonnull(
	        strstr(said(), "error: there is no VM 'fkae' (did you mean 'fake'?)"));
}
END_TEST

START_TEST(the_line_survives_a_visit)
{
	type("vm li");
	(void)said();
	type("\x1d");
	type("\x1d");
	ck_assert_ptr_nonnull(strstr(said(), "candela> vm li"));
	type("st\r");
	fake_clock_advance(300000000);
	ck_assert_ptr_nonnull(strstr(said(), "name"));
}
END_TEST

START_TEST(leaving_waits_for_the_last_byte)
{
	fake_console_reset(5);
	type("console fake\r");
	ck_assert_uint_eq(line.shows, 0);
	fake_console_room(20);
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_uint_eq(line.shows, 0);
	fake_console_room(2000);
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_uint_eq(line.shows, 1);
}
END_TEST

START_TEST(log_lines_bring_the_prompt_again)
{
	type("vm l");
	(void)said();
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "");
	fake_console_logs++;
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "candela> vm l");
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "");
}
END_TEST

/* A line of the log that came before the prompt was out stands above it. */
START_TEST(log_lines_before_the_prompt_is_out)
{
	fake_console_reset(0);
	type("bogus\r");
	fake_console_logs++;
	fake_console_room(200000);
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(
	        said(), "bogus\nerror: unknown command 'bogus' ('help' lists them)\ncandela> ");
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "");
	fake_console_logs++;
	monitor_tx();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "candela> ");
}
END_TEST

/* --- commands that take their time, planted here --- */

static unsigned calls;

static bool third_time(struct out *out)
{
	out_print(out, "call %u\n", ++calls);
	return calls == 3;
}

static bool never(struct out *out)
{
	out_print(out, "call %u\n", ++calls);
	return false;
}

static enum monitor_result run_later(struct out *out, unsigned argc, char *const argv[])
{
	(void)out;
	(void)argc;
	calls = 0;
	if (strcmp(argv[1], "repeat") == 0) {
		monitor_repeat(third_time, 1000, false);
	} else if (strcmp(argv[1], "follow") == 0) {
		monitor_repeat(never, 1000, true);
	} else if (strcmp(argv[1], "now") == 0) {
		monitor_done();
	}
	return MONITOR_PENDING;
}

static enum monitor_result run_flood(struct out *out, unsigned argc, char *const argv[])
{
	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < 10000; i++) {
		out_print(out, "line %u of far too many for any buffer\n", i);
	}
	return MONITOR_DONE;
}

extern const struct monitor_command later, flood;
const struct monitor_command later = {.name = "later",
        .args = "HOW",
        .summary = "s",
        .min_args = 1,
        .max_args = 1,
        .run = run_later};
const struct monitor_command flood = {
        .name = "flood", .args = "", .summary = "s", .run = run_flood};

extern const struct monitor_command monitor_cmd_help, monitor_cmd_vm, monitor_cmd_console;
const struct monitor_command *const monitor_commands[] = {
        &monitor_cmd_help, &monitor_cmd_vm, &monitor_cmd_console, &later, &flood, NULL};

START_TEST(an_answer_from_elsewhere)
{
	type("later x\rbogus\r");
	ck_assert_str_eq(said(), "later x\n");
	out_print(&monitor_out, "the answer\n");
	monitor_done();
	fake_clock_advance(0);
	ck_assert_ptr_nonnull(strstr(said(), "the answer\ncandela> bogus\nerror: "));
	/* Done before run() returned, and a second time. */
	type("later now\r");
	ck_assert_str_eq(said(), "later now\ncandela> ");
	monitor_done();
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "");
}
END_TEST

START_TEST(an_answer_that_never_comes)
{
	type("later x\r");
	(void)said();
	fake_clock_advance(9 * NS_PER_SEC);
	ck_assert_str_eq(said(), "");
	fake_clock_advance(2 * NS_PER_SEC);
	ck_assert_str_eq(said(), "error: no answer within 10 s\ncandela> ");
}
END_TEST

START_TEST(repeated_until_done)
{
	type("later repeat\rbogus\r");
	ck_assert_str_eq(said(), "later repeat\n");
	fake_clock_advance(1000);
	ck_assert_str_eq(said(), "call 1\n");
	fake_clock_advance(2000);
	ck_assert_ptr_nonnull(strstr(said(), "call 2\ncall 3\ncandela> bogus\n"));
	fake_clock_advance(10000);
	ck_assert_uint_eq(calls, 3);
}
END_TEST

START_TEST(followed_until_a_key)
{
	type("later follow\r\n");
	fake_clock_advance(2000);
	ck_assert_str_eq(said(), "later follow\ncall 1\ncall 2\n");
	type("x");
	ck_assert_str_eq(said(), "candela> ");
	fake_clock_advance(5000);
	ck_assert_str_eq(said(), "");
	/* The key does what it always does. */
	type("later follow\r");
	type("\x1d");
	ck_assert_ptr_eq(line.shown, vm);
	fake_clock_advance(5000);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

/* The line is slower than what is said: no tick is written before there is room for it. */
START_TEST(following_waits_for_the_line)
{
	type("later follow\r");
	fake_console_room(0);
	for (unsigned i = 0; i < 100000; i++) {
		fake_clock_advance(1000);
	}
	ck_assert_uint_gt(calls, 1000);
	ck_assert_uint_le(monitor_out_used(), MONITOR_OUT_LOW + 100);
}
END_TEST

START_TEST(too_long_an_answer)
{
	const char *text;

	fake_console_room(1000);
	type("flood\rbogus\r");
	for (unsigned i = 0; i < 200; i++) {
		fake_console_room(1000);
		monitor_tx();
		fake_clock_advance(0);
	}
	text = said();
	ck_assert_ptr_nonnull(strstr(text, "line 1000 of"));
	ck_assert_ptr_null(strstr(text, "line 9999 of"));
	text = strstr(text, "\nerror: output cut off\ncandela> ");
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "error: unknown command 'bogus'"));
}
END_TEST

START_TEST(no_key)
{
	start(&some_vm);
	config.monitor_key = 0;
	monitor_init(&config, &ops, NULL);
	fake_clock_advance(0);
	ck_assert_str_eq(said(), "\n[monitor - 'help' for the commands]\ncandela> ");
	type("console fake key\r");
	ck_assert_ptr_nonnull(strstr(said(), "error: no key is set aside for the monitor"));
	type("console fake\r");
	ck_assert_ptr_nonnull(strstr(said(), "\n[console: fake]\n"));
	ck_assert_uint_eq(line.shows, 1);
}
END_TEST

UNIT_MAIN("monitor", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, the_key_leads_in_and_out);
          tcase_add_test(tc, without_a_guest_the_monitor_has_the_line);
          tcase_add_test(tc, nobody_hears_what_is_not_for_us);
          tcase_add_test(tc, a_command_and_the_next_prompt); tcase_add_test(tc, pasted_lines);
          tcase_add_test(tc, what_follows_console_is_the_guests);
          tcase_add_test(tc, the_line_survives_a_visit);
          tcase_add_test(tc, leaving_waits_for_the_last_byte);
          tcase_add_test(tc, log_lines_bring_the_prompt_again);
          tcase_add_test(tc, log_lines_before_the_prompt_is_out);
          tcase_add_test(tc, an_answer_from_elsewhere);
          tcase_add_test(tc, an_answer_that_never_comes); tcase_add_test(tc, repeated_until_done);
          tcase_add_test(tc, followed_until_a_key);
          tcase_add_test(tc, following_waits_for_the_line); tcase_add_test(tc, too_long_an_answer);
          tcase_add_test(tc, no_key);)
