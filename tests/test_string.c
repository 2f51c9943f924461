// SPDX-License-Identifier: BSD-2-Clause
// vmm/lib/string.c against the C library's functions. In the hosted build its functions
// carry the prefix hv_ (tests/unit.mk).
#include "tests/unit.h"
#include "vmm/lib/string.h"

void *hv_memcpy(void *dst, const void *src, size_t n);
void *hv_memmove(void *dst, const void *src, size_t n);
void *hv_memset(void *dst, int c, size_t n);
int hv_memcmp(const void *a, const void *b, size_t n);
size_t hv_strlen(const char *s);
size_t hv_strnlen(const char *s, size_t max);
int hv_strcmp(const char *a, const char *b);
int hv_strncmp(const char *a, const char *b, size_t n);
char *hv_strchr(const char *s, int c);

#define SPAN 300

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)(i * 37 + 11);
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

START_TEST(copies_every_length_and_alignment)
{
	uint8_t src[SPAN], a[SPAN], b[SPAN];

	fill(src, sizeof(src));
	for (size_t from = 0; from < 9; from++) {
		for (size_t to = 0; to < 9; to++) {
			for (size_t n = 0; n <= 140; n++) {
				memset(a, 0x55, sizeof(a));
				memset(b, 0x55, sizeof(b));
				memcpy(b + to, src + from, n);
				ck_assert_ptr_eq(hv_memcpy(a + to, src + from, n), a + to);
				ck_assert_mem_eq(a, b, sizeof(a));
			}
		}
	}
}
END_TEST

START_TEST(moves_overlapping)
{
	uint8_t a[SPAN], b[SPAN];

	for (size_t from = 0; from < 80; from++) {
		for (size_t to = 0; to < 80; to++) {
			for (size_t n = 0; n <= 200; n += n < 70 ? 1 : 13) {
				fill(a, sizeof(a));
				fill(b, sizeof(b));
				memmove(b + to, b + from, n);
				ck_assert_ptr_eq(hv_memmove(a + to, a + from, n), a + to);
				ck_assert_mem_eq(a, b, sizeof(a));
			}
		}
	}
}
END_TEST

START_TEST(sets_every_length)
{
	uint8_t a[SPAN], b[SPAN];

	for (size_t to = 0; to < 9; to++) {
		for (size_t n = 0; n <= 200; n++) {
			fill(a, sizeof(a));
			fill(b, sizeof(b));
			memset(b + to, 0x1fe, n);
			ck_assert_ptr_eq(hv_memset(a + to, 0x1fe, n), a + to);
			ck_assert_mem_eq(a, b, sizeof(a));
		}
	}
}
END_TEST

START_TEST(compares_memory)
{
	uint8_t a[64], b[64];

	fill(a, sizeof(a));
	for (size_t n = 0; n <= sizeof(a); n++) {
		memcpy(b, a, sizeof(b));
		ck_assert_int_eq(hv_memcmp(a, b, n), 0);
		for (size_t i = 0; i < n; i++) {
			b[i] ^= 0x80;
			ck_assert_int_eq(sign(hv_memcmp(a, b, n)), sign(memcmp(a, b, n)));
			b[i] ^= 0x80;
		}
		if (n < sizeof(a)) {
			b[n] ^= 1; /* behind the end */
			ck_assert_int_eq(hv_memcmp(a, b, n), 0);
		}
	}
}
END_TEST

START_TEST(measures_strings)
{
	ck_assert_uint_eq(hv_strlen(""), 0);
	ck_assert_uint_eq(hv_strlen("candela"), 7);
	ck_assert_uint_eq(hv_strnlen("candela", 3), 3);
	ck_assert_uint_eq(hv_strnlen("candela", 7), 7);
	ck_assert_uint_eq(hv_strnlen("candela", 100), 7);
	ck_assert_uint_eq(hv_strnlen(NULL, 0), 0);
}
END_TEST

START_TEST(compares_strings)
{
	static const char *const words[] = {"", "a", "b", "ab", "abc", "abd", "\xff", "a\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
			ck_assert_int_eq(sign(hv_strcmp(words[i], words[j])),
			        sign(strcmp(words[i], words[j])));
			for (size_t n = 0; n < 5; n++) {
				ck_assert_int_eq(sign(hv_strncmp(words[i], words[j], n)),
				        sign(strncmp(words[i], words[j], n)));
			}
		}
	}
}
END_TEST

START_TEST(finds_characters)
{
	const char *s = "a=b=c";

	ck_assert_ptr_eq(hv_strchr(s, '='), s + 1);
	ck_assert_ptr_eq(hv_strchr(s, '\0'), s + 5);
	ck_assert_ptr_null(hv_strchr(s, 'x'));
}
END_TEST

START_TEST(copy_always_terminates)
{
	char buf[4] = "xyz";

	ck_assert(!str_copy(buf, 0, "a"));
	ck_assert_str_eq(buf, "xyz");
	ck_assert(str_copy(buf, sizeof(buf), "abc"));
	ck_assert_str_eq(buf, "abc");
	ck_assert(!str_copy(buf, sizeof(buf), "abcd"));
	ck_assert_str_eq(buf, "abc");
	ck_assert(!str_copy(buf, 1, "a"));
	ck_assert_str_eq(buf, "");
	ck_assert(str_copy(buf, 1, ""));
}
END_TEST

UNIT_MAIN("string", tcase_add_test(tc, copies_every_length_and_alignment);
          tcase_add_test(tc, moves_overlapping); tcase_add_test(tc, sets_every_length);
          tcase_add_test(tc, compares_memory); tcase_add_test(tc, measures_strings);
          tcase_add_test(tc, compares_strings); tcase_add_test(tc, finds_characters);
          tcase_add_test(tc, copy_always_terminates);)
