/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?": the known word nearest to a mistyped one. */
#ifndef VMM_LIB_SUGGEST_H
#define VMM_LIB_SUGGEST_H

#include "vmm/lib/types.h"

/*
 * Index of the word of names[n] nearest to word[len] when it is near enough to be a slip of
 * the keyboard (insert, delete, replace, swap of neighbours), else -1.
 */
int suggest(const char *word, size_t len, const char *const *names, size_t n);

#endif
