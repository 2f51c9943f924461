// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/console_ring.c: wrap-around, whole lines, fresh lines, the reserve.
#include "tests/unit.h"
#include "vmm/hw/console_ring.h"
#include <string.h>

static char buf[64];
static struct console_ring r;

static size_t put(const char *s)
{
	return console_ring_put(&r, s, strlen(s), 0);
}

static bool put_log(const char *s)
{
	return console_ring_put_log(&r, s, strlen(s));
}

static const char *drain(void)
{
	static char out[200];
	size_t n = 0;

	for (int c; (c = console_ring_get(&r)) >= 0;) {
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return out;
}

START_TEST(is_a_ring)
{
	console_ring_init(&r, buf, sizeof(buf));
	ck_assert_int_eq(console_ring_get(&r), -1);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_uint_eq(put("0123456789abcdefg"), 17);
		ck_assert_uint_eq(console_ring_used(&r), 17);
		ck_assert_uint_eq(console_ring_free(&r), 64 - 17);
		ck_assert_str_eq(drain(), "0123456789abcdefg");
	}
	ck_assert_uint_eq(put("\xff"), 1);
	ck_assert_int_eq(console_ring_get(&r), 0xff);
}
END_TEST

START_TEST(takes_what_fits)
{
	char big[100];

	memset(big, 'x', sizeof(big));
	console_ring_init(&r, buf, sizeof(buf));
	ck_assert_uint_eq(console_ring_put(&r, big, sizeof(big), 16), 48);
	ck_assert_uint_eq(console_ring_put(&r, big, sizeof(big), 16), 0);
	ck_assert_uint_eq(console_ring_put(&r, big, sizeof(big), 15), 1);
	ck_assert_uint_eq(console_ring_put(&r, big, sizeof(big), 0), 15);
	ck_assert_uint_eq(console_ring_put(&r, big, sizeof(big), 0), 0);
	ck_assert_uint_eq(console_ring_free(&r), 0);
	ck_assert_uint_eq(strlen(drain()), 64);
}
END_TEST

START_TEST(counters_wrap)
{
	console_ring_init(&r, buf, sizeof(buf));
	r.head = r.tail = UINT32_MAX - 3;
	ck_assert_uint_eq(put("across the wrap"), 15);
	ck_assert_uint_eq(console_ring_used(&r), 15);
	ck_assert_str_eq(drain(), "across the wrap");
}
END_TEST

START_TEST(log_starts_on_a_fresh_line)
{
	console_ring_init(&r, buf, sizeof(buf));
	ck_assert(put_log("one\n"));
	ck_assert_str_eq(drain(), "one\r\n");
	put("login: ");
	ck_assert(put_log("two\n"));
	ck_assert_str_eq(drain(), "login: \r\ntwo\r\n");
	put("guest\r\n");
	ck_assert(put_log("three\n"));
	ck_assert_str_eq(drain(), "guest\r\nthree\r\n");
}
END_TEST

START_TEST(log_lines_are_whole_or_counted)
{
	console_ring_init(&r, buf, sizeof(buf));
	put("0123456789012345678901234567890123456789"); /* 40, in mid-line */
	/* 22 bytes and the line ends: 2 + 20 + 2 = 24 fit exactly. */
	ck_assert(!put_log("12345678901234567890+\n"));
	ck_assert(!put_log("12345678901234567890+\n"));
	ck_assert_uint_eq(console_ring_used(&r), 40);
	/* What would fit alone does not with the notice. */
	ck_assert(!put_log("fits alone\n"));
	drain();
	ck_assert(put_log("x\n"));
	ck_assert_str_eq(drain(), "\r\n[console: 3 log lines dropped]\r\nx\r\n");
	ck_assert(put_log("y\n"));
	ck_assert_str_eq(drain(), "y\r\n");
}
END_TEST

START_TEST(log_line_fits_exactly)
{
	console_ring_init(&r, buf, sizeof(buf));
	put("0123456789012345678901234567890123456789");
	ck_assert(put_log("12345678901234567890\n"));
	ck_assert_uint_eq(console_ring_free(&r), 0);
}
END_TEST

UNIT_MAIN("console_ring", tcase_add_test(tc, is_a_ring); tcase_add_test(tc, takes_what_fits);
          tcase_add_test(tc, counters_wrap); tcase_add_test(tc, log_starts_on_a_fresh_line);
          tcase_add_test(tc, log_lines_are_whole_or_counted);
          tcase_add_test(tc, log_line_fits_exactly);)
