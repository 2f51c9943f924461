// SPDX-License-Identifier: BSD-2-Clause
// vmm/lib/log.c: lines, levels, the token bucket.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/log.h"
#include <string.h>

static void vline(const char *prefix, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(LOG_INFO, prefix, fmt, ap);
	va_end(ap);
}

START_TEST(stamps_and_ends_lines)
{
	fake_log_clear();
	log_info("answer %d", 42);
	vline("vm a: ", "%s", "text");
	ck_assert_str_eq(fake_log_text(), "[    0.000000] answer 42\n[    0.000000] vm a: text\n");
}
END_TEST

START_TEST(drops_above_the_level)
{
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		fake_log_clear();
		log_set_level((enum log_level)level);
		ck_assert_int_eq(log_get_level(), level);
		log_error("line");
		log_warn("line");
		log_info("line");
		log_debug("line");
		ck_assert_uint_eq(fake_log_count("line"), (unsigned)level + 1);
	}
}
END_TEST

START_TEST(areas_by_folder)
{
	ck_assert_int_eq(log_area_of("vmx/exit.c"), LOG_VTX);
	ck_assert_int_eq(log_area_of("vmm/hw/clock.c"), LOG_HOST);
	ck_assert_int_eq(log_area_of("boot/efi_main.c"), LOG_HOST);
	ck_assert_int_eq(log_area_of("vmm/vm.c"), LOG_VM);
	ck_assert_int_eq(log_area_of("devices/rtc_cmos.c"), LOG_DEVICES);
	ck_assert_int_eq(log_area_of("hypercall/synic.c"), LOG_HYPERV);
	ck_assert_int_eq(log_area_of("vmbus/server.c"), LOG_HYPERV);
	ck_assert_int_eq(log_area_of("tests/test_log.c"), LOG_VM);
}
END_TEST

START_TEST(a_level_for_each_area)
{
	log_set_level(LOG_WARN);
	log_set_area_level(LOG_VTX, LOG_DEBUG);
	ck_assert_int_eq(log_area_level(LOG_VTX), LOG_DEBUG);
	ck_assert_int_eq(log_area_level(LOG_VM), LOG_WARN);
	ck_assert_int_eq(log_get_level(), LOG_DEBUG);
	fake_log_clear();
	for (unsigned area = 0; area < LOG_AREA_COUNT; area++) {
		log_area_line((enum log_area)area, LOG_DEBUG, "detail of %s", log_area_names[area]);
	}
	ck_assert_uint_eq(fake_log_count("detail"), 1);
	ck_assert_uint_eq(fake_log_count("detail of vtx"), 1);
	log_info("from here"); /* area vm */
	ck_assert_uint_eq(fake_log_count("from here"), 0);
	log_set_area_level(LOG_VTX, LOG_ERROR);
	ck_assert_int_eq(log_get_level(), LOG_WARN);
	log_set_level(LOG_INFO);
}
END_TEST

START_TEST(defuses_control_characters)
{
	fake_log_clear();
	log_info("a\x1b[2Jb\nc\r\x7f\n\n");
	ck_assert_str_eq(fake_log_text(), "[    0.000000] a?[2Jb?c??\n");
}
END_TEST

START_TEST(cuts_long_lines)
{
	char text[2000];
	const char *out;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fake_log_clear();
	log_info("%s", text);
	vline(text, "%s", text);
	out = fake_log_text();
	ck_assert_uint_eq(fake_log_count("x..."), 2);
	ck_assert_uint_eq(strlen(out), 2 * 511);
	ck_assert_int_eq(out[510], '\n');
}
END_TEST

/* Lines that pass out of n tries at this time; the dropped count reported with the first. */
static unsigned try(struct log_limit *l, uint64_t now, unsigned n, uint32_t *first_dropped)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t dropped = 99;

		if (log_limit_pass(l, now, &dropped)) {
			if (passed == 0) {
				*first_dropped = dropped;
			} else {
				ck_assert_uint_eq(dropped, 0);
			}
			passed++;
		} else {
			ck_assert_uint_eq(dropped, 0);
		}
	}
	return passed;
}

START_TEST(limits_by_tokens)
{
	struct log_limit l = {0};
	uint64_t now = 12345;
	uint32_t dropped;

	ck_assert_uint_eq(try(&l, now, LOG_LIMIT_BURST + 5, &dropped), LOG_LIMIT_BURST);
	ck_assert_uint_eq(dropped, 0);
	ck_assert_uint_eq(try(&l, now + LOG_LIMIT_INTERVAL_NS - 1, 3, &dropped), 0);
	ck_assert_uint_eq(try(&l, now + LOG_LIMIT_INTERVAL_NS, 3, &dropped), 1);
	ck_assert_uint_eq(dropped, 8);
	/* Fractions of an interval are not lost: two and a half later, two; half later, one. */
	now += LOG_LIMIT_INTERVAL_NS;
	ck_assert_uint_eq(try(&l, now + LOG_LIMIT_INTERVAL_NS * 5 / 2, 9, &dropped), 2);
	ck_assert_uint_eq(try(&l, now + LOG_LIMIT_INTERVAL_NS * 3, 9, &dropped), 1);
	/* Never more than a burst, however long it was quiet; nothing when the clock goes back. */
	now += 1000 * LOG_LIMIT_INTERVAL_NS;
	ck_assert_uint_eq(try(&l, now, 100, &dropped), LOG_LIMIT_BURST);
	ck_assert_uint_eq(try(&l, now / 2, 100, &dropped), 0);
}
END_TEST

START_TEST(dropped_count_saturates)
{
	struct log_limit l = {.tokens = LOG_LIMIT_BURST, .dropped = UINT32_MAX, .last_ns = 1};
	uint32_t dropped;

	ck_assert(!log_limit_pass(&l, 1, &dropped));
	ck_assert(log_limit_pass(&l, 1 + LOG_LIMIT_INTERVAL_NS, &dropped));
	ck_assert_uint_eq(dropped, UINT32_MAX);
}
END_TEST

UNIT_MAIN("log", tcase_add_test(tc, stamps_and_ends_lines);
          tcase_add_test(tc, drops_above_the_level); tcase_add_test(tc, areas_by_folder);
          tcase_add_test(tc, a_level_for_each_area); tcase_add_test(tc, defuses_control_characters);
          tcase_add_test(tc, cuts_long_lines); tcase_add_test(tc, limits_by_tokens);
          tcase_add_test(tc, dropped_count_saturates);)
