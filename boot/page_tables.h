/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page tables of the hand-off (boot_info.h): everything identity mapped, the core at its
 * virtual address, all of it writable and executable; the core makes better ones at once. Pure.
 * Specs: [SDM3] "4-Level Paging and 5-Level Paging".
 */
#ifndef BOOT_PAGE_TABLES_H
#define BOOT_PAGE_TABLES_H

#include "vmm/lib/types.h"

struct page_tables {
	uint64_t *mem;  /* zeroed pages, identity mapped; the first one is the PML4 */
	uint64_t pages; /* how many there are */
	uint64_t used;
};

/* Pages needed to map [0, ram_end) and core_len bytes of core. */
uint64_t page_tables_need(uint64_t ram_end, uint64_t core_len, bool has_1g);

/*
 * Build them in t->mem. core_virt and core_base are 2 MiB aligned. Beyond 4 GiB pages of 1 GiB
 * are used where the processor has them. false when t->pages is less than page_tables_need().
 */
__must_check bool page_tables_build(struct page_tables *t, uint64_t ram_end, uint64_t core_virt,
        uint64_t core_base, uint64_t core_len, bool has_1g);

#endif
