/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's memory map as the core gets it: sorted, not overlapping, merged. Pure. */
#ifndef BOOT_MEM_MAP_H
#define BOOT_MEM_MAP_H

#include "boot/boot_info.h"

/*
 * Add a range to bi->mem. Where it overlaps another the more restrictive type wins (the higher
 * enum boot_mem_type). Edges that are not page aligned are rounded: outward for memory that is
 * in use, inward for usable memory. false when the table is full: the rest of the range is left
 * out.
 */
bool mem_map_add(struct boot_info *bi, uint64_t base, uint64_t len, enum boot_mem_type type);

/* Bytes in 2 MiB pieces that lie aligned in usable memory: what VMs can be made of. */
uint64_t mem_map_large_bytes(const struct boot_info *bi);

/* The end of the highest range that is RAM. */
uint64_t mem_map_ram_end(const struct boot_info *bi);

#endif
