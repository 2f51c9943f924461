/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of GPADLs over plain memory: what test_gpadl*.c have in common.
 */
#ifndef TESTS_GPADL_WORLD_H
#define TESTS_GPADL_WORLD_H

#include "tests/unit.h"
#include "vmbus/gpadl.h"
#include "vmbus/proto.h"
#include "vmm/lib/err.h"
#include <string.h>

#define RAM_PAGES 9000U
#define RELID 3U

static struct gpadl_table t;
static struct guest_mem mem;
static uint8_t *ram;
static uint8_t *pool[GPADL_POOL_PAGES];
static uint64_t list[8192];

static inline void setup(void)
{
	if (!ram) {
		ram = aligned_alloc(PAGE_SIZE, RAM_PAGES * PAGE_SIZE);
	}
	memset(&mem, 0, sizeof(mem));
	ck_assert_int_eq(gmem_add(&mem, gpa(0), ram, hpa(SIZE_2M), RAM_PAGES * PAGE_SIZE), 0);
	gpadl_table_init(&t, &mem, pool);
}

static inline uint64_t range(uint32_t bytes, uint32_t offset)
{
	return (uint64_t)offset << 32 | bytes;
}

static inline int fill(struct gpadl *g, uint32_t words)
{
	return gpadl_fill(&t, g, (const uint8_t *)list, 8 * words);
}

/* Of the words in 'list'; NULL = refused, at once or later. */
static inline struct gpadl *make(uint32_t id, uint16_t ranges, uint32_t words)
{
	struct gpadl *g = gpadl_create(&t, RELID, id, ranges, (uint16_t)(8 * words));

	return g && fill(g, words) == 1 ? g : NULL;
}

/* n pages from 'first' on. */
static inline struct gpadl *make_pages(uint32_t id, uint32_t first, uint32_t n)
{
	list[0] = range(n * (uint32_t)PAGE_SIZE, 0);
	for (uint32_t i = 0; i < n; i++) {
		list[1 + i] = first + i;
	}
	return make(id, 1, n + 1);
}

/* Its words in the pool. */
static inline uint32_t first_word(const struct gpadl *g)
{
	return container_of(g, const struct gpadl_slot, g)->first;
}

#endif
