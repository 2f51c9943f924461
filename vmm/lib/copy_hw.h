/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy() for what moves through a device: blocks and frames. The processor moves a string in
 * pieces of its own choice, faster than a loop over general registers, but takes some tens of
 * cycles to begin; memcpy() itself stays short for the small copies of the exit path. Specs: [SDM1]
 * "Fast-String Operation".
 */
#ifndef VMM_LIB_COPY_HW_H
#define VMM_LIB_COPY_HW_H

#include "vmm/lib/string.h"
#include "vmm/lib/types.h"

/* From here on it is worth while. */
#define COPY_STRING_MIN 256U

static inline void copy_large(void *dst, const void *src, size_t n)
{
#if !__STDC_HOSTED__ /* sanitizers watch memcpy() */
	if (n >= COPY_STRING_MIN) {
		size_t words = n / sizeof(uint64_t);

		__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
		n %= sizeof(uint64_t);
	}
#endif
	memcpy(dst, src, n);
}

#endif
