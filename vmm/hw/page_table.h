/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four-level page tables of the host, built from pages of the page allocator. Pure: writes
 * memory, loads no register.
 * Specs: [SDM3] "4-Level Paging and 5-Level Paging".
 */
#ifndef VMM_HW_PAGE_TABLE_H
#define VMM_HW_PAGE_TABLE_H

#include "vmm/lib/bits.h"
#include "vmm/lib/types.h"

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_NX BIT64(63)
#define PTE_ADDR GENMASK64(51, 12)

/* Rights of a mapping; never both of the first two. */
#define PT_WRITE BIT(0)
#define PT_EXEC BIT(1)
#define PT_UNCACHED BIT(2) /* PCD and PWT: UC in the PAT's reset value, whatever the MTRRs say */

struct page_table {
	hpa_t root;    /* PML4 */
	bool pages_1g; /* the processor has them */
};

/* An empty one; -ENOMEM. below_4g: where 32-bit code has to load CR3. */
__must_check int page_table_init(struct page_table *pt, bool pages_1g, bool below_4g);

/*
 * Map [va, va + len) to pa, in the largest pages that fit; all multiples of 4 KiB. -EEXIST when
 * something is mapped there, -ENOMEM; what was mapped before the failure stays.
 */
__must_check int page_table_map(
        struct page_table *pt, uint64_t va, hpa_t pa, uint64_t len, unsigned rights);

/* Make the PML4 entry for va, so that a copy of the root shares what is mapped there later. */
__must_check int page_table_reserve(struct page_table *pt, uint64_t va);

/* What va is mapped to; false = nothing. rights may be NULL. */
bool page_table_lookup(const struct page_table *pt, uint64_t va, hpa_t *pa, unsigned *rights);

#endif
