/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest's RAM lies and what below 1 MiB is spoken for: docs/memory-layout.md has the map.
 */
#ifndef VMM_LIB_GUEST_LAYOUT_H
#define VMM_LIB_GUEST_LAYOUT_H

/* Where the guest's RAM below 4 GiB ends at the latest; the rest continues at 4 GiB. */
#define GMEM_LOW_MAX 0xc0000000ULL
/* The VGA window: never RAM. */
#define GMEM_VGA_BASE 0xa0000ULL
#define GMEM_VGA_END 0xc0000ULL

#define GUEST_EBDA 0x9fc00ULL        /* end of conventional memory */
#define GUEST_TABLES_BASE 0xe0000ULL /* ACPI and SMBIOS up to 1 MiB */
#define GUEST_TABLES_END 0x100000ULL

#endif
