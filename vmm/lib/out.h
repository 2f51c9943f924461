/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a dump writes: the log, the monitor, or a test's buffer. A dump is a function
 * x_dump(const struct x *, struct out *) that prints whole lines with out_print().
 */
#ifndef VMM_LIB_OUT_H
#define VMM_LIB_OUT_H

#include "vmm/lib/types.h"

struct out {
	/* Take n bytes of text; lines end in "\n". */
	void (*write)(struct out *out, const char *text, size_t n); /* (c) */
};

#define OUT_LINE_MAX 256U /* what one out_print() writes at most; the rest is cut off */

void out_print(struct out *out, const char *fmt, ...) __printf(2, 3);

/* Each line is a line of the log, of level info. Stateless: every out_print() is whole lines. */
extern struct out out_log;
/* The same of level error: for what explains an error. */
extern struct out out_error;

#endif
