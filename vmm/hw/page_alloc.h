/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory: whole pages, from the usable ranges of the boot memory map.
 * All of it is mapped writable and not executable at DIRECT_MAP_BASE (vmm/hw/paging.h).
 */
#ifndef VMM_HW_PAGE_ALLOC_H
#define VMM_HW_PAGE_ALLOC_H

#include "boot/boot_info.h"
#include "vmm/lib/types.h"

/*
 * Works on the loader's tables too, so paging_init() calls it first, for its tables; a
 * second call does nothing.
 */
void page_alloc_init(const struct boot_info *bi);

/*
 * 'count' contiguous pages, the first one aligned to 'align' bytes (a power of two >= 4096),
 * zeroed. Returns NULL when there is no such run. Any CPU.
 */
__must_check void *page_alloc(uint64_t count, uint64_t align);
/* The same, ending at or below physical address 'limit'. */
__must_check void *page_alloc_below(uint64_t count, uint64_t align, uint64_t limit);
void page_free(void *va, uint64_t count);

uint64_t page_alloc_free_bytes(void);
uint64_t page_alloc_total_bytes(void);
/* The longest contiguous run at this alignment, in bytes. */
uint64_t page_alloc_largest_run(uint64_t align);

/*
 * Direct map; before paging_init() the loader's identity map, so such a pointer ends with
 * it: go through the physical address. virt_to_phys also takes addresses of the core
 * image. Link-time: tests/fake.
 */
void *phys_to_virt(hpa_t pa);
hpa_t virt_to_phys(const void *va);

#endif
