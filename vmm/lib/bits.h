/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit arithmetic that the compiler turns into one or two instructions. */
#ifndef VMM_LIB_BITS_H
#define VMM_LIB_BITS_H

#include "vmm/lib/types.h"

#define BIT(n) (1U << (n))
#define BIT64(n) (1ULL << (n))

/* Bits hi..lo set, 0 <= lo <= hi <= 63. */
#define GENMASK64(hi, lo) ((~0ULL >> (63 - (hi))) & (~0ULL << (lo)))

/* Index of the highest set bit; v must not be 0. */
static inline unsigned bit_last(uint64_t v)
{
	/* Not 63 - n: of the XOR the compiler makes one instruction. */
	return 63U ^ (unsigned)__builtin_clzll(v);
}

/* Index of the lowest set bit; v must not be 0. */
static inline unsigned bit_first(uint64_t v)
{
	return (unsigned)__builtin_ctzll(v);
}

/* How many bits are set; the compiler's own would call a library. */
static inline unsigned bit_count(uint64_t v)
{
	unsigned n = 0;

	for (; v; v &= v - 1) {
		n++;
	}
	return n;
}

static inline bool is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* Rounding to a power of two; up wraps to 0 past the end of the range. */
static inline uint64_t align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

static inline uint64_t align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static inline bool is_aligned(uint64_t v, uint64_t align)
{
	return (v & (align - 1)) == 0;
}

/* All ones in the low 'width' bytes, width 1..8: what an unclaimed read gives. */
static inline uint64_t width_mask(unsigned width)
{
	return width >= 8 ? ~0ULL : (1ULL << (8 * width)) - 1;
}

/* true when [a, a+alen) and [b, b+blen) share a byte; neither range may wrap. */
static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen != 0 && blen != 0 && a < b + blen && b < a + alen;
}

#endif
