/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory type of host-physical ranges, from the MTRRs: what EPT entries must say.
 * Specs: [SDM3] "Memory Type Range Registers (MTRRs)".
 */
#ifndef VMX_EPT_MEMTYPE_H
#define VMX_EPT_MEMTYPE_H

#include "vmm/lib/types.h"

enum memtype { MEMTYPE_UC = 0, MEMTYPE_WC = 1, MEMTYPE_WT = 4, MEMTYPE_WP = 5, MEMTYPE_WB = 6 };

#define MTRR_MAX_VARIABLE 16
#define MTRR_FIXED 11

struct mtrrs {
	uint64_t def_type;          /* IA32_MTRR_DEF_TYPE */
	uint64_t cap;               /* IA32_MTRRCAP */
	uint64_t fixed[MTRR_FIXED]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 .. 4K_F8000 */
	struct {
		uint64_t base, mask;
	} var[MTRR_MAX_VARIABLE];
	uint64_t phys_mask; /* implemented address bits */
};

void mtrrs_read(struct mtrrs *m);

/* The type of the 4 KiB page at pa. */
enum memtype mtrr_page_type(const struct mtrrs *m, uint64_t pa);

/* The type of a naturally aligned range of a power of two bytes; false when it is not the same
 * everywhere. */
bool mtrr_range_type(const struct mtrrs *m, uint64_t pa, uint64_t len, enum memtype *type);

#endif
