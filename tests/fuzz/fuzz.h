/* SPDX-License-Identifier: BSD-2-Clause */
/* What every fuzz target begins with. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "vmm/lib/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A property that must hold for every input; libFuzzer keeps the one that breaks it. */
#define FUZZ_CHECK(cond) \
	do { \
		if (!(cond)) { \
			__builtin_trap(); \
		} \
	} while (0)

#endif
