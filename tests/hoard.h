/* SPDX-License-Identifier: BSD-2-Clause */
/* A host that runs out of memory: all but a few pages are taken, and given back. */
#ifndef TESTS_HOARD_H
#define TESTS_HOARD_H

#include "tests/fake/vmx_fake.h"
#include "vmm/hw/page_alloc.h"

static void *hoard[FAKE_ARENA_SIZE / PAGE_SIZE];
static unsigned hoarded;

static inline void leave_pages(unsigned n)
{
	while (page_alloc_free_bytes() > n * PAGE_SIZE) {
		hoard[hoarded++] = page_alloc(1, PAGE_SIZE);
	}
}

static inline void give_back(void)
{
	while (hoarded) {
		page_free(hoard[--hoarded], 1);
	}
}

#endif
