/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the core's address space contains, decided from the boot memory map and the
 * linker's symbols. Pure; vmm/hw/paging_hw.c loads the result.
 */
#ifndef VMM_HW_PAGING_BUILD_H
#define VMM_HW_PAGING_BUILD_H

#include "boot/boot_info.h"
#include "vmm/hw/page_table.h"
#include "vmm/lib/types.h"

#define CORE_MAX_GUARDS 8U

/* Virtual addresses from vmm/core.ld; starts are page-aligned. */
struct core_layout {
	uint64_t text, text_end;
	uint64_t rodata, rodata_end;
	uint64_t data, data_end;
	uint64_t guards[CORE_MAX_GUARDS]; /* pages inside data to leave out; 0 = unused */
};

/* The kernel's whole address space in *pt; -ENOMEM. Also remembers it for paging_map_device()
 * and paging_alloc_stack(). */
__must_check int paging_build(
        struct page_table *pt, const struct boot_info *bi, const struct core_layout *core);

/* Is [pa, pa + len) RAM that the direct map shows (readable at least)? */
bool paging_is_ram(const struct boot_info *bi, uint64_t pa, uint64_t len);

/* A page table of its own for starting processors: everything of pt, and the page at pa also
 * at its own physical address, executable. Root below 4 GiB. */
__must_check int paging_build_ap(struct page_table *ap, const struct page_table *pt, hpa_t pa);
void paging_free_ap(struct page_table *ap, hpa_t pa);

/* The table in use (after paging_build()). */
const struct page_table *paging_table(void);

#endif
