/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory from the firmware, and the end of the firmware. What mem_alloc() gives is of type
 * EfiLoaderData, which is how the core's map knows it as in use (BOOT_MEM_LOADER).
 */
#ifndef BOOT_EFI_MEM_H
#define BOOT_EFI_MEM_H

#include "boot/boot_info.h"
#include "boot/efi_env.h"

#define MEM_ANYWHERE UINT64_MAX

/* Whole pages, zeroed, aligned to align (a power of two), ending at or below max_addr; 0 = none. */
uint64_t mem_alloc(uint64_t len, uint64_t align, uint64_t max_addr);
/* Give everything back: the loader returns to the firmware. */
void mem_free_all(void);

/* Read the memory map into bi->mem as it will be for the core. */
EFI_STATUS mem_read_map(struct boot_info *bi);
/* Leave boot services for good and fill in the final map. On error the firmware is still there. */
EFI_STATUS mem_exit_boot_services(struct boot_info *bi);

#endif
