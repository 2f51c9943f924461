/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core's own address space (docs/memory-layout.md): nothing both writable and
 * executable, guard pages around every stack, page 0 never mapped.
 */
#ifndef VMM_HW_PAGING_H
#define VMM_HW_PAGING_H

#include "boot/boot_info.h"
#include "vmm/lib/types.h"

#define DIRECT_MAP_BASE 0xffff800000000000ULL
#define DEVICE_MAP_BASE 0xffffc00000000000ULL
#define STACK_MAP_BASE 0xffffd00000000000ULL

/*
 * Build the tables and switch to them; ends use of the loader's. Boot processor only.
 * Calls page_alloc_init() first. bi is the loader's identity-mapped pointer and is dead
 * afterwards, like every such pointer: go on with
 *     bi = phys_to_virt(hpa((uintptr_t)bi));
 */
void paging_init(const struct boot_info *bi);
/* Switch the calling processor to them (NXE, WP, SMEP/SMAP/UMIP where present). */
void paging_use(void);

/* Map device registers, uncached. len in bytes. NULL when out of space. Boot time only. */
__must_check void *paging_map_device(hpa_t pa, uint64_t len);

/* A stack of 'pages' pages with an unmapped page below; returns its top, NULL = no memory. */
__must_check void *paging_alloc_stack(unsigned pages);

#endif
