/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BUG(): we are wrong. Never on data that a guest controls.
 * On the machine it panics (vmm/hw/panic.c); in hosted tests it aborts.
 */
#ifndef VMM_LIB_BUG_H
#define VMM_LIB_BUG_H

#include "vmm/lib/types.h"

__noreturn void bug(const char *file, int line, const char *what);

#define BUG(what) bug(__FILE__, __LINE__, what)
#define BUG_ON(cond) \
	do { \
		if (__builtin_expect(!!(cond), 0)) { \
			bug(__FILE__, __LINE__, #cond); \
		} \
	} while (0)

#endif
