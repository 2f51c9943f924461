/* SPDX-License-Identifier: BSD-2-Clause */
/* One value of candela.cfg, from its text to its number, word or string. Used by config.c only. */
#ifndef VMM_LIB_CONFIG_VALUE_H
#define VMM_LIB_CONFIG_VALUE_H

#include "vmm/lib/types.h"

/* A piece of the file; not terminated. */
struct slice {
	const char *p;
	size_t len;
};

struct slice slice_trim(struct slice s);
bool slice_is(struct slice s, const char *word);

/* All of s is decimal digits and fits. */
__must_check bool value_u64(struct slice s, uint64_t *v);
/* Decimal digits and one of K, M, G (either case), in bytes. */
__must_check bool value_size(struct slice s, uint64_t *bytes);
/* Copies with a terminator; false when it does not fit. */
__must_check bool value_string(struct slice s, char *dst, size_t size);
/* Index in words, or -1. */
int value_word(struct slice s, const char *const *words, size_t n);

#endif
