// SPDX-License-Identifier: BSD-2-Clause
// Memory and string functions with C's names and contracts, for code that has no C library.
// Specs: [C11] "String handling <string.h>".
//
// The compiler may call memcpy, memmove, memset and memcmp by itself, also after link-time
// optimization decided that nobody does (hence 'used'), and must not find a memcpy in the
// loop that is memcpy (hence 'optimize').
#include "vmm/lib/string.h"

#define LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))
#define PRIMITIVE LOOP __attribute__((used))

/* Eight bytes at any address, of any type. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

/* Each block is read before it is written, so dst may lie below src and overlap it. */
LOOP static inline void copy_forward(uint8_t *d, const uint8_t *s, size_t n)
{
	while (n >= 4 * sizeof(word_t)) {
		word_t w0 = ((const word_t *)s)[0], w1 = ((const word_t *)s)[1];
		word_t w2 = ((const word_t *)s)[2], w3 = ((const word_t *)s)[3];

		((word_t *)d)[0] = w0;
		((word_t *)d)[1] = w1;
		((word_t *)d)[2] = w2;
		((word_t *)d)[3] = w3;
		d += 4 * sizeof(word_t);
		s += 4 * sizeof(word_t);
		n -= 4 * sizeof(word_t);
	}
	while (n >= sizeof(word_t)) {
		*(word_t *)d = *(const word_t *)s;
		d += sizeof(word_t);
		s += sizeof(word_t);
		n -= sizeof(word_t);
	}
	while (n > 0) {
		*d++ = *s++;
		n--;
	}
}

PRIMITIVE void *memcpy(void *dst, const void *src, size_t n)
{
	copy_forward(dst, src, n);
	return dst;
}

PRIMITIVE void *memmove(void *dst, const void *src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	/* Unsigned distance: dst below src is far away. */
	if ((uintptr_t)d - (uintptr_t)s >= n) {
		copy_forward(d, s, n);
		return dst;
	}
	while (n > 0) {
		n--;
		d[n] = s[n];
	}
	return dst;
}

PRIMITIVE void *memset(void *dst, int c, size_t n)
{
	uint8_t *d = dst;
	word_t w = 0x0101010101010101ULL * (uint8_t)c;

	while (n >= 8 * sizeof(word_t)) {
		word_t *p = (word_t *)d;

		p[0] = w;
		p[1] = w;
		p[2] = w;
		p[3] = w;
		p[4] = w;
		p[5] = w;
		p[6] = w;
		p[7] = w;
		d += 8 * sizeof(word_t);
		n -= 8 * sizeof(word_t);
	}
	while (n >= sizeof(word_t)) {
		*(word_t *)d = w;
		d += sizeof(word_t);
		n -= sizeof(word_t);
	}
	while (n > 0) {
		*d++ = (uint8_t)c;
		n--;
	}
	return dst;
}

PRIMITIVE int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	while (n >= sizeof(word_t) && *(const word_t *)p == *(const word_t *)q) {
		p += sizeof(word_t);
		q += sizeof(word_t);
		n -= sizeof(word_t);
	}
	while (n > 0) {
		if (*p != *q) {
			return *p < *q ? -1 : 1;
		}
		p++;
		q++;
		n--;
	}
	return 0;
}

PRIMITIVE size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0') {
		n++;
	}
	return n;
}

PRIMITIVE size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0') {
		n++;
	}
	return n;
}

PRIMITIVE int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

PRIMITIVE int strncmp(const char *a, const char *b, size_t n)
{
	while (n > 0 && *a != '\0' && *a == *b) {
		a++;
		b++;
		n--;
	}
	return n == 0 ? 0 : (uint8_t)*a - (uint8_t)*b;
}

PRIMITIVE char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c) {
			return (char *)(uintptr_t)s;
		}
		if (*s == '\0') {
			return NULL;
		}
	}
}

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n;

	if (size == 0) {
		return false;
	}
	n = strnlen(src, size);
	if (n == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return false;
	}
	memcpy(dst, src, n + 1);
	return true;
}
