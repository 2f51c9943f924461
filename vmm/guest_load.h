/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Put a guest's kernel where its boot protocol wants it and point the boot vCPU at it.
 * Specs: [BOOT] "64-bit Boot Protocol"; [MB1] "Machine state".
 */
#ifndef VMM_GUEST_LOAD_H
#define VMM_GUEST_LOAD_H

#include "vmm/lib/guest_layout.h" /* GUEST_EBDA, GUEST_TABLES_* */
#include "vmm/lib/types.h"

struct vm;

/*
 * Load vm->kernel (and vm->initrd) into cleared guest memory and set the boot vCPU's registers.
 * Returns 0 or a negative error with a sentence in the log. Called at every start and reset.
 */
__must_check int guest_load(struct vm *vm);

/* Below 1 MiB, what the loader and the platform's tables use; docs/hardware.md has the map. */
#define GUEST_BOOT_GDT 0x1000ULL
#define GUEST_BOOT_PARAMS 0x2000ULL
#define GUEST_BOOT_PAGE_TABLES 0x3000ULL /* 6 pages: PML4, PDPT, 4 PDs of 2 MiB pages */
#define GUEST_BOOT_CMDLINE 0x9000ULL     /* MAX_CMDLINE_LEN */
#define GUEST_MULTIBOOT_INFO 0xa000ULL

struct e820_entry {
	uint64_t base, len;
	uint32_t type; /* 1 RAM, 2 reserved, 3 ACPI */
} __attribute__((packed));

/* The memory map that every boot protocol and fw_cfg report; returns the number of entries. */
unsigned guest_e820(const struct vm *vm, struct e820_entry *out, unsigned max);

#endif
