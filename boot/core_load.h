/* SPDX-License-Identifier: BSD-2-Clause */
/* The core: its file, its segments in memory, and the page tables that it is entered with. */
#ifndef BOOT_CORE_LOAD_H
#define BOOT_CORE_LOAD_H

#include "boot/boot_info.h"
#include "boot/efi_env.h"

/* What the jump needs besides boot_info. */
struct core_entry_state {
	uint64_t entry;
	uint64_t cr3;
	uint64_t stack_top;
};

/* Read candela.elf beside the loader and place its segments. */
EFI_STATUS core_load(struct boot_info *bi);
/* Tables and stack; needs bi->mem and core_load(). */
EFI_STATUS core_prepare_entry(const struct boot_info *bi, struct core_entry_state *state);

#endif
