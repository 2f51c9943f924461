// SPDX-License-Identifier: BSD-2-Clause
// The known word nearest to a mistyped one, by edit distance (optimal string alignment).
#include "vmm/lib/suggest.h"
#include "vmm/lib/string.h"

#define WORD_MAX 24U

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Both words at most WORD_MAX long. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];

	for (size_t j = 0; j <= b_len; j++) {
		before[j] = prev[j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *spare = before;

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			cur[j] = min2(min2(prev[j], cur[j - 1]) + 1, prev[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2])) {
				cur[j] = min2(cur[j], before[j - 2] + 1);
			}
		}
		before = prev;
		prev = cur;
		cur = spare;
	}
	return prev[b_len];
}

int suggest(const char *word, size_t len, const char *const *names, size_t n)
{
	/* A short word is near to everything: allow one slip there, two in longer ones. */
	unsigned best = len < 4 ? 2 : 3;
	int found = -1;

	if (len == 0 || len > WORD_MAX) {
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		size_t name_len = strlen(names[i]);
		unsigned d;

		if (name_len > WORD_MAX) {
			continue;
		}
		d = edit_distance(word, len, names[i], name_len);
		/* 'd < name_len': replacing every letter is no resemblance. */
		if (d < best && d < name_len && d < len) {
			best = d;
			found = (int)i;
		}
	}
	return found;
}
