// SPDX-License-Identifier: BSD-2-Clause
// vmm/lib/fmt.c against the C library's snprintf, and its limits.
#include "tests/unit.h"
#include "vmm/lib/fmt.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The formats are data here: what the compiler would check is what is tested. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define SAME(...) \
	do { \
		char ours[200], theirs[200]; \
		size_t n = fmt_print(ours, sizeof(ours), __VA_ARGS__); \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		ck_assert_str_eq(ours, theirs); \
		ck_assert_uint_eq(n, (size_t)m); \
	} while (0)

static const char *const int_formats[] = {"%d", "%i", "%5d", "%-5d|", "%05d", "%+d", "%+05d",
        "%.3d", "%8.3d", "%-8.3d|", "%08.3d", "%.0d", "%u", "%x", "%X", "%#x", "%#X", "%#010x",
        "%#10x|", "%-#10x|", "%hhd", "%hd", "%hhu", "%hu", "%hhx", "%hx", "[%3u]", "%.9x"};

START_TEST(integers)
{
	static const int values[] = {0, 1, -1, 9, 10, 127, 128, -128, -129, 255, 256, 32767, 32768,
	        65535, 65536, INT_MAX, INT_MIN};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		SAME(int_formats[_i], values[i]);
	}
}
END_TEST

START_TEST(long_integers)
{
	static const char *const formats[] = {"%ld", "%lld", "%lu", "%llu", "%lx", "%llx", "%zu",
	        "%zx", "%jd", "%ju", "%td", "%#018lx", "%20ld", "%-20ld|", "%+lld", "%.20llu"};
	static const long long values[] = {0, 1, -1, 1LL << 32, LLONG_MAX, LLONG_MIN, 4294967295};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		SAME(formats[_i], values[i]);
	}
}
END_TEST

START_TEST(strings_and_characters)
{
	char unterminated[3] = {'a', 'b', 'c'};

	SAME("%s", "");
	SAME("%s %s", "one", "two");
	SAME("%10s|%-10s|", "right", "left");
	SAME("%.2s|%10.2s|%-10.2s|", "abcdef", "abcdef", "abcdef");
	SAME("%.*s", 3, unterminated);
	SAME("%.0s|", "abc");
	SAME("%*s|%-*s|%*s|", 6, "ab", 6, "ab", -6, "ab");
	SAME("%.*s|", -1, "all of it");
	SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
	SAME("100%% %d", 1);
	SAME("%08x-%*.*d", 0xbeef, 6, 3, 7);
}
END_TEST

START_TEST(what_the_c_library_leaves_open)
{
	char buf[64];

	fmt_print(buf, sizeof(buf), "%s", (const char *)NULL);
	ck_assert_str_eq(buf, "(null)");
	fmt_print(buf, sizeof(buf), "%p", (void *)0xffff800000001000);
	ck_assert_str_eq(buf, "0xffff800000001000");
	fmt_print(buf, sizeof(buf), "%p", NULL);
	ck_assert_str_eq(buf, "0x0");
	fmt_print(buf, sizeof(buf), "%q %5.2f %", 1);
	ck_assert_str_eq(buf, "%q %5.2f %");
	fmt_print(buf, sizeof(buf), "%-l");
	ck_assert_str_eq(buf, "%-l");
}
END_TEST

START_TEST(never_writes_past_the_end)
{
	for (size_t size = 0; size < 20; size++) {
		/* Exactly that large: the sanitizer sees one byte more. */
		char *buf = malloc(size ? size : 1);
		char want[32];

		snprintf(want, sizeof(want), "%s", "hello 12345 world");
		ck_assert_uint_eq(fmt_print(buf, size, "hello %d %s", 12345, "world"), 17);
		if (size > 0) {
			ck_assert_int_eq(strncmp(buf, want, size - 1), 0);
			ck_assert_int_eq(buf[size <= 17 ? size - 1 : 17], '\0');
		}
		free(buf);
	}
	ck_assert_uint_eq(fmt_print(NULL, 0, "%300d", 1), 300);
}
END_TEST

UNIT_MAIN("fmt", tcase_add_loop_test(tc, integers, 0, (int)ARRAY_SIZE(int_formats));
          tcase_add_loop_test(tc, long_integers, 0, 16); tcase_add_test(tc, strings_and_characters);
          tcase_add_test(tc, what_the_c_library_leaves_open);
          tcase_add_test(tc, never_writes_past_the_end);)
