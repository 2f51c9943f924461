/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-off from the loader (boot/) to the core: everything the core knows
 * about the machine it was started on. Versioned: the core refuses another version.
 *
 * The loader builds it in memory of its own (type BOOT_MEM_LOADER, so the core never
 * gives it to its page allocator) and enters the core at its ELF entry point with
 *     RDI = physical address of struct boot_info (identity mapped)
 *     CR3 = the loader's page tables: all memory identity mapped, writable and
 *           executable, and the core's segments at their virtual addresses
 *     IF = 0, 64-bit mode, a 16 KiB stack, only the boot processor running.
 * Physical addresses throughout; no pointers.
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "vmm/lib/config.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/types.h"

#define BOOT_INFO_MAGIC 0x616c65646e6143ULL /* "Candela" */
#define BOOT_INFO_VERSION 1U

enum boot_mem_type {
	BOOT_MEM_USABLE,   /* free for the core */
	BOOT_MEM_LOADER,   /* core image, files, this struct, the loader's tables: RAM in use */
	BOOT_MEM_ACPI,     /* ACPI tables and NVS: RAM to keep as it is */
	BOOT_MEM_RUNTIME,  /* EFI runtime services: RAM to keep as it is */
	BOOT_MEM_RESERVED, /* anything else, MMIO included */
};

struct boot_mem {
	uint64_t base; /* 4 KiB aligned, sorted, not overlapping, adjacent ranges merged */
	uint64_t len;  /* bytes */
	uint32_t type; /* enum boot_mem_type */
	uint32_t pad;
};

struct boot_cpu {
	uint32_t apic_id;
	uint32_t is_bsp; /* exactly one entry has 1 */
};

/* A file named in candela.cfg, as the core finds it: by the path as written there. */
struct boot_file {
	char path[MAX_PATH_LEN];
	uint64_t base; /* 4 KiB aligned */
	uint64_t len;  /* bytes */
};

/* The firmware's graphics console; base 0 = none. */
struct boot_fb {
	uint64_t base;
	uint32_t width, height; /* pixels */
	uint32_t pitch;         /* bytes a line */
	uint32_t bgr;           /* 1 = blue in the lowest byte */
};

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* sizeof(struct boot_info) */

	uint64_t core_base;      /* the loaded core image, 2 MiB aligned */
	uint64_t core_len;       /* bytes from the first to past the last segment */
	uint64_t core_file_base; /* the ELF file itself: its symbols name addresses in a panic */
	uint64_t core_file_len;
	uint64_t ap_page;      /* a free 4 KiB page below 640 KiB for starting processors */
	uint64_t rsdp;         /* 0 = the firmware has no ACPI tables */
	uint64_t wall_seconds; /* seconds since 1970-01-01 UTC ... */
	uint64_t wall_tsc;     /* ... when the time-stamp counter read this; both 0 = not known */
	uint64_t handoff_tsc;  /* just before the jump */

	struct boot_fb fb;

	uint32_t n_cpus;
	uint32_t n_mem;
	uint32_t n_files;
	uint32_t pad;
	struct boot_cpu cpus[MAX_CPUS];
	struct boot_mem mem[MAX_MEM_RANGES];
	struct boot_file files[MAX_BOOT_FILES];
	struct config config;
};

/* The core's link address; its segments lie at core_base + (vaddr - CORE_VIRT_BASE). */
#define CORE_VIRT_BASE 0xffffffff80000000ULL

#endif
