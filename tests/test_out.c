// SPDX-License-Identifier: BSD-2-Clause
// Dumps to the log: whole lines, each of its level, and never more than a line holds.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/log.h"
#include "vmm/lib/out.h"
#include <string.h>

static void setup(void)
{
	fake_log_clear();
	log_set_level(LOG_INFO);
}

START_TEST(lines_become_log_lines)
{
	out_print(&out_log, "one %d\ntwo %s\n", 1, "x");
	ck_assert_uint_eq(fake_log_count("one 1"), 1);
	ck_assert_uint_eq(fake_log_count("two x"), 1);
	out_print(&out_log, "no end");
	ck_assert_uint_eq(fake_log_count("no end"), 1);
}
END_TEST

START_TEST(errors_pass_when_information_does_not)
{
	log_set_level(LOG_ERROR);
	out_print(&out_log, "quiet\n");
	out_print(&out_error, "loud\n");
	ck_assert_uint_eq(fake_log_count("quiet"), 0);
	ck_assert_uint_eq(fake_log_count("loud"), 1);
}
END_TEST

static char got[2 * OUT_LINE_MAX];
static size_t got_len;

static void keep(struct out *out, const char *text, size_t n)
{
	(void)out;
	ck_assert_uint_le(n, sizeof(got));
	memcpy(got, text, n);
	got_len = n;
}

START_TEST(too_long_is_cut_at_a_line)
{
	struct out out = {.write = keep};

	out_print(&out, "%0*d\n", 254, 7);
	ck_assert_uint_eq(got_len, 255);
	ck_assert_int_eq(got[254], '\n');
	ck_assert_int_eq(got[253], '7');
	out_print(&out, "%0*d\n", 255, 7);
	ck_assert_uint_eq(got_len, 255);
	ck_assert_int_eq(got[254], '\n');
	ck_assert_int_eq(got[253], '0');
	out_print(&out, "%0*d\n", 4000, 7);
	ck_assert_uint_eq(got_len, 255);
	out_print(&out, "%s", "");
	ck_assert_uint_eq(got_len, 0);
}
END_TEST

UNIT_MAIN("out", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, lines_become_log_lines);
          tcase_add_test(tc, errors_pass_when_information_does_not);
          tcase_add_test(tc, too_long_is_cut_at_a_line);)
