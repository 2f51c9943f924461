// SPDX-License-Identifier: BSD-2-Clause
// The line editor: what is typed, and what the screen shows of it.
#include "tests/unit.h"
#include "vmm/monitor_line.h"
#include <stdio.h>
#include <string.h>

static struct monitor_line line;

/* A terminal of one row: what a user sees. */
static struct {
	char row[512];
	unsigned col, bells, rows;
	char raw[65536];
	size_t n_raw;
} screen;

static void screen_write(struct out *out, const char *text, size_t n)
{
	(void)out;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		screen.raw[screen.n_raw++] = c;
		if (c == '\x1b') {
			unsigned arg = 0;

			ck_assert_int_eq(text[++i], '[');
			while (text[i + 1] >= '0' && text[i + 1] <= '9') {
				arg = arg * 10 + (unsigned)(text[++i] - '0');
			}
			c = text[++i];
			if (c == 'D') {
				ck_assert_uint_ge(screen.col, arg);
				screen.col -= arg;
			} else if (c == 'C') {
				screen.col += arg;
			} else if (c == 'K') {
				memset(screen.row + screen.col, 0, sizeof(screen.row) - screen.col);
			} else if (c == 'J' || c == 'H') {
				memset(screen.row, 0, sizeof(screen.row));
				screen.col = 0;
			} else {
				ck_abort_msg("escape sequence %c", c);
			}
		} else if (c == '\a') {
			screen.bells++;
		} else if (c == '\n') {
			memset(screen.row, 0, sizeof(screen.row));
			screen.col = 0;
			screen.rows++;
		} else {
			screen.row[screen.col++] = c;
		}
	}
}

static struct out echo = {.write = screen_write};

static void setup(void)
{
	memset(&screen, 0, sizeof(screen));
	monitor_line_init(&line);
	monitor_line_draw(&line, &echo);
}

static enum line_event feed(const char *keys)
{
	enum line_event event = LINE_NONE;

	for (; *keys; keys++) {
		event = monitor_line_feed(&line, (uint8_t)*keys, &echo);
	}
	return event;
}

/* Text and cursor, as kept and as shown: "ab|cd". */
static void expect(const char *want)
{
	char got[MONITOR_LINE_MAX + 2];
	size_t prompt = strlen(MONITOR_PROMPT);

	snprintf(got, sizeof(got), "%.*s|%s", (int)line.at, line.text, line.text + line.at);
	ck_assert_str_eq(got, want);
	ck_assert_int_eq(strncmp(screen.row, MONITOR_PROMPT, prompt), 0);
	ck_assert_str_eq(screen.row + prompt, line.text);
	ck_assert_uint_eq(screen.col, prompt + line.at);
}

#define UP "\x1b[A"
#define DOWN "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT "\x1b[D"

static const struct {
	const char *keys, *want;
} rows[] = {
        {"vm list", "vm list|"}, {"vm" LEFT "x", "vx|m"}, {"vm" LEFT LEFT LEFT "x", "x|vm"},
        {"vm" LEFT RIGHT RIGHT "x", "vmx|"}, {"\x1bOD\x1bOC\x1bOHa", "a|"},
        {"bc\x1b[Ha\x1b[Fd", "abcd|"}, {"bc\x1b[1~a\x1b[4~d", "abcd|"},
        {"bc\x1b[7~a\x1b[8~d", "abcd|"},
        {"bc\x01"
         "a\x05"
         "d",
                "abcd|"},
        {"abc\x02\x02\x06x", "abx|c"}, {"abc\x7f", "ab|"}, {"abc\b\b\b\b", "|"},
        {"abc" LEFT "\b", "a|c"}, {"abc" LEFT LEFT "\x1b[3~", "a|c"}, {"abc\x1b[3~", "abc|"},
        {"abc\x01\x04", "|bc"}, {"abc" LEFT "\x0b", "ab|"}, {"abc" LEFT "\x15", "|c"},
        {"one two  \x17", "one |"}, {"one two" LEFT LEFT "\x17", "one |wo"}, {"one\x17\x17", "|"},
        {"abc\x0c", "abc|"}, {"abc" LEFT "\x0c", "ab|c"},
        {"a\x1b[5~b\x1b[2~c", "abc|"},           /* Page Up, Insert: not ours */
        {"ab\x1b[1;5Dc", "ac|b"},                /* Ctrl and an arrow: the arrow */
        {"ab\x1b[3;5~c", "abc|"},                /* Ctrl and Delete, at the end */
        {"ab\x01\x1b[3;5~c", "c|b"},             /* in the middle */
        {"a\x1b[99999999999999999999Cb", "ab|"}, /* a number that would overflow */
        {"a\x1b\x1b[Db", "b|a"},                 /* one sequence cut off by another */
        {"a\x1bxb", "ab|"},                      /* Meta x */
        {"a\x80\xc3\xa4\xff"
         "b",
                "ab|"}, /* no ASCII */
        {"a\x1d\x1e\x1f\x13"
         "b",
                "ab|"}, /* control characters without a meaning */
};

START_TEST(keys)
{
	feed(rows[_i].keys);
	expect(rows[_i].want);
}
END_TEST

START_TEST(typing_at_the_end_needs_no_escape_sequence)
{
	screen.n_raw = 0;
	feed("vm list");
	ck_assert_int_eq(feed("\r"), LINE_READY);
	ck_assert_uint_eq(screen.n_raw, strlen("vm list\n"));
	ck_assert_int_eq(memcmp(screen.raw, "vm list\n", screen.n_raw), 0);
}
END_TEST

START_TEST(line_ends)
{
	ck_assert_int_eq(feed("a\r"), LINE_READY);
	ck_assert_str_eq(line.text, "a");
	monitor_line_next(&line);
	ck_assert_str_eq(line.text, "");
	ck_assert_int_eq(feed("\n"), LINE_NONE); /* of CR LF */
	ck_assert_int_eq(feed("\n"), LINE_READY);
	monitor_line_next(&line);
	ck_assert_int_eq(feed("\r"), LINE_READY);
	ck_assert_int_eq(feed("\r"), LINE_READY);
}
END_TEST

START_TEST(dropped)
{
	feed("vm kill x" LEFT);
	ck_assert_int_eq(feed("\x03"), LINE_DROPPED);
	ck_assert_str_eq(line.text, "");
	ck_assert_uint_eq(line.at, 0);
	monitor_line_draw(&line, &echo);
	expect("|");
	feed(UP);
	expect("|"); /* and is not in the history */
}
END_TEST

static void enter(const char *text)
{
	feed(text);
	ck_assert_int_eq(feed("\r"), LINE_READY);
	monitor_line_next(&line);
	monitor_line_draw(&line, &echo);
}

START_TEST(history)
{
	feed(UP);
	expect("|");
	ck_assert_uint_eq(screen.bells, 1);
	enter("first line");
	enter("second");
	enter("second"); /* again: once is enough */
	enter("");
	feed("dra" UP);
	expect("second|");
	feed(UP);
	expect("first line|");
	feed(UP);
	expect("first line|");
	ck_assert_uint_eq(screen.bells, 2);
	feed(DOWN);
	expect("second|");
	feed("\x0e"); /* Ctrl-N */
	expect("dra|");
	feed(DOWN);
	expect("dra|");
	feed("ft\x10\x10"); /* Ctrl-P */
	expect("first line|");
	/* What is changed of an old line is a new one. */
	feed("!\r");
	ck_assert_str_eq(line.text, "first line!");
	monitor_line_next(&line);
	monitor_line_draw(&line, &echo);
	feed(UP);
	expect("first line!|");
	feed(UP UP);
	expect("first line|");
}
END_TEST

START_TEST(history_is_bounded)
{
	char text[16];

	for (unsigned i = 0; i < 5 * MONITOR_HISTORY; i++) {
		snprintf(text, sizeof(text), "line %u", i);
		enter(text);
	}
	for (unsigned i = 0; i < MONITOR_HISTORY; i++) {
		feed(UP);
	}
	ck_assert_uint_eq(screen.bells, 0);
	snprintf(text, sizeof(text), "line %u|", 4 * MONITOR_HISTORY);
	expect(text);
	feed(UP);
	ck_assert_uint_eq(screen.bells, 1);
	expect(text);
}
END_TEST

START_TEST(full)
{
	for (unsigned i = 0; i < MONITOR_LINE_MAX - 1; i++) {
		feed("x");
	}
	ck_assert_uint_eq(screen.bells, 0);
	feed("y");
	ck_assert_uint_eq(screen.bells, 1);
	ck_assert_uint_eq(line.len, MONITOR_LINE_MAX - 1);
	ck_assert_ptr_null(strchr(line.text, 'y'));
	feed("\x01\x04y"); /* one out, one in */
	ck_assert_int_eq(line.text[0], 'y');
	ck_assert_uint_eq(line.len, MONITOR_LINE_MAX - 1);
	monitor_line_insert(&line, "zz", 2, &echo);
	ck_assert_uint_eq(line.len, MONITOR_LINE_MAX - 1);
	ck_assert_uint_eq(strlen(line.text), line.len);
}
END_TEST

START_TEST(tabs)
{
	ck_assert_int_eq(feed("vm\t"), LINE_COMPLETE);
	ck_assert_uint_eq(line.tabs, 1);
	ck_assert_int_eq(feed("\t"), LINE_COMPLETE);
	ck_assert_uint_eq(line.tabs, 2);
	feed("x");
	ck_assert_int_eq(feed("\t"), LINE_COMPLETE);
	ck_assert_uint_eq(line.tabs, 1);
}
END_TEST

UNIT_MAIN("monitor_line", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, keys, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, typing_at_the_end_needs_no_escape_sequence);
          tcase_add_test(tc, line_ends); tcase_add_test(tc, dropped); tcase_add_test(tc, history);
          tcase_add_test(tc, history_is_bounded); tcase_add_test(tc, full);
          tcase_add_test(tc, tabs);)
