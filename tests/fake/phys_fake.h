/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phys_fake.c: physical memory for the page allocator, the page tables and the ACPI parser: a
 * malloc'd arena that stands for [base, base + size). Addresses outside of it abort.
 */
#ifndef TESTS_FAKE_PHYS_FAKE_H
#define TESTS_FAKE_PHYS_FAKE_H

#include "vmm/lib/types.h"

/* A new arena, filled with 0xa5; returns where base lies. */
void *fake_phys_init(uint64_t base, uint64_t size);
/* Copy bytes into it. */
void fake_phys_write(uint64_t pa, const void *src, uint64_t len);

#endif
