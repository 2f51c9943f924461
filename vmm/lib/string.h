/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few memory and string functions of a freestanding world; the names and
 * the contracts are C's. Hosted tests get the C library's.
 */
#ifndef VMM_LIB_STRING_H
#define VMM_LIB_STRING_H

#include "vmm/lib/types.h"

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
#endif

/* Copies at most size-1 bytes and always terminates; returns false when src was cut. */
bool str_copy(char *dst, size_t size, const char *src);

#endif
