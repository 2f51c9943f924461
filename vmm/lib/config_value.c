// SPDX-License-Identifier: BSD-2-Clause
// One value of candela.cfg, from its text to its number, word or string.
#include "vmm/lib/config_value.h"
#include "vmm/lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1])) {
		s.len--;
	}
	return s;
}

bool slice_is(struct slice s, const char *word)
{
	return strlen(word) == s.len && memcmp(s.p, word, s.len) == 0;
}

bool value_u64(struct slice s, uint64_t *v)
{
	uint64_t n = 0;

	if (s.len == 0) {
		return false;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(n, 10U, &n) ||
		        __builtin_add_overflow(n, (unsigned)(s.p[i] - '0'), &n)) {
			return false;
		}
	}
	*v = n;
	return true;
}

bool value_size(struct slice s, uint64_t *bytes)
{
	uint64_t n, unit;

	if (s.len < 2) {
		return false;
	}
	switch (s.p[s.len - 1]) {
	case 'K':
	case 'k':
		unit = 1ULL << 10;
		break;
	case 'M':
	case 'm':
		unit = 1ULL << 20;
		break;
	case 'G':
	case 'g':
		unit = 1ULL << 30;
		break;
	default:
		return false;
	}
	s.len--;
	return value_u64(s, &n) && !__builtin_mul_overflow(n, unit, bytes);
}

bool value_string(struct slice s, char *dst, size_t size)
{
	if (s.len >= size) {
		return false;
	}
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return true;
}

int value_word(struct slice s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (slice_is(s, words[i])) {
			return (int)i;
		}
	}
	return -1;
}
