/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * printf-style formatting without the C library.
 * Conversions: %d %i %u %x %X %c %s %p %% with flags '-', '0', '#', '+', a width and a
 * precision (also '*'), and lengths hh h l ll z j t. Anything else is copied as it stands.
 */
#ifndef VMM_LIB_FMT_H
#define VMM_LIB_FMT_H

#include "vmm/lib/types.h"
#include <stdarg.h>

/* Write at most size bytes, always terminated if size > 0; return what the whole would have needed.
 */
size_t fmt_print(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);

#endif
