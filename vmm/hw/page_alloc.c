// SPDX-License-Identifier: BSD-2-Clause
// Physical pages: free ranges in a sorted list whose nodes lie in the free memory itself.
// Specs: none (contract in page_alloc.h).
//
// A few dozen ranges at most after boot, so a linear search is short, and the list
// needs no table that could fill up. Requests take the shortest range that serves them:
// single pages nibble at leftovers and keep the long runs for guests' RAM.
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"

/* Firmware and AP start-up have their own use for the first MiB. */
#define LOWEST_PA 0x100000ULL
/* The direct map has room for 64 TiB. */
#define HIGHEST_PA (DEVICE_MAP_BASE - DIRECT_MAP_BASE)

/*
 * First bytes of each free range. Links are physical: the virtual address of the same
 * memory changes when paging_init() leaves the loader's tables.
 */
struct free_range {
	uint64_t next; /* [l] physical, the next higher one; 0 = last */
	uint64_t len;  /* [l] bytes, whole pages */
};

static struct {
	struct spinlock lock; /* l */
	bool ready;
	uint64_t first;       /* [l] physical */
	uint64_t free_bytes;  /* [l] */
	uint64_t total_bytes; /* (c) */
} heap;

static struct free_range *range_at(uint64_t pa)
{
	return phys_to_virt(hpa(pa));
}

/* Put [pa, pa + len) back, merged with its neighbours. */
static void insert_locked(uint64_t pa, uint64_t len)
{
	uint64_t *link = &heap.first, prev = 0, next, at = pa;
	struct free_range *r;

	while (*link && *link < pa) {
		prev = *link;
		link = &range_at(prev)->next;
	}
	next = *link;
	/* Freed twice, or never allocated. */
	BUG_ON(prev && prev + range_at(prev)->len > pa);
	BUG_ON(next && pa + len > next);
	heap.free_bytes += len;
	if (prev && prev + range_at(prev)->len == pa) {
		at = prev;
		r = range_at(prev);
		r->len += len;
	} else {
		r = range_at(pa);
		r->len = len;
		r->next = next;
		*link = pa;
	}
	if (next && at + r->len == next) {
		r->len += range_at(next)->len;
		r->next = range_at(next)->next;
	}
}

void page_alloc_init(const struct boot_info *bi)
{
	uint32_t n = bi->n_mem < MAX_MEM_RANGES ? bi->n_mem : MAX_MEM_RANGES;

	if (heap.ready) {
		return;
	}
	heap.ready = true;
	for (uint32_t i = 0; i < n; i++) {
		const struct boot_mem *m = &bi->mem[i];
		uint64_t start = align_up(m->base, PAGE_SIZE);
		uint64_t end = align_down(m->base + m->len, PAGE_SIZE);

		if (start < LOWEST_PA) {
			start = LOWEST_PA;
		}
		end = end < HIGHEST_PA ? end : HIGHEST_PA;
		if (m->type == BOOT_MEM_USABLE && start < end) {
			insert_locked(start, end - start);
		}
	}
	heap.total_bytes = heap.free_bytes;
}

/* Where 'len' bytes so aligned fit below 'limit' in the free range at base; 0 = nowhere. */
static uint64_t place_in(uint64_t base, uint64_t len, uint64_t align, uint64_t limit)
{
	uint64_t end = base + range_at(base)->len, at = align_up(base, align);

	end = end < limit ? end : limit;
	return at >= base && at < end && end - at >= len ? at : 0;
}

static void take_locked(uint64_t *link, uint64_t at, uint64_t len)
{
	uint64_t base = *link, end = base + range_at(base)->len, rest = range_at(base)->next;

	if (at + len < end) {
		*range_at(at + len) = (struct free_range){.next = rest, .len = end - (at + len)};
		rest = at + len;
	}
	if (at > base) {
		*range_at(base) = (struct free_range){.next = rest, .len = at - base};
	} else {
		*link = rest;
	}
	heap.free_bytes -= len;
}

void *page_alloc_below(uint64_t count, uint64_t align, uint64_t limit)
{
	uint64_t len = count * PAGE_SIZE, at = 0, shortest = UINT64_MAX;
	uint64_t *best = NULL;
	void *va;

	BUG_ON(!is_pow2(align) || align < PAGE_SIZE);
	if (count == 0 || count > UINT64_MAX / PAGE_SIZE) {
		return NULL;
	}
	spin_lock(&heap.lock);
	for (uint64_t *link = &heap.first; *link; link = &range_at(*link)->next) {
		uint64_t there = place_in(*link, len, align, limit);

		if (there && range_at(*link)->len < shortest) {
			shortest = range_at(*link)->len;
			best = link;
			at = there;
		}
	}
	if (best) {
		take_locked(best, at, len);
	}
	spin_unlock(&heap.lock);
	if (!best) {
		return NULL;
	}
	va = phys_to_virt(hpa(at));
	memset(va, 0, len);
	return va;
}

void *page_alloc(uint64_t count, uint64_t align)
{
	return page_alloc_below(count, align, UINT64_MAX);
}

void page_free(void *va, uint64_t count)
{
	uint64_t pa;

	if (!va || count == 0) {
		return;
	}
	pa = virt_to_phys(va).v;
	BUG_ON(!is_aligned(pa, PAGE_SIZE) || pa < LOWEST_PA);
	spin_lock(&heap.lock);
	insert_locked(pa, count * PAGE_SIZE);
	spin_unlock(&heap.lock);
}

uint64_t page_alloc_free_bytes(void)
{
	uint64_t v;

	spin_lock(&heap.lock);
	v = heap.free_bytes;
	spin_unlock(&heap.lock);
	return v;
}

uint64_t page_alloc_total_bytes(void)
{
	return heap.total_bytes;
}

uint64_t page_alloc_largest_run(uint64_t align)
{
	uint64_t largest = 0;

	spin_lock(&heap.lock);
	for (uint64_t base = heap.first; base; base = range_at(base)->next) {
		uint64_t end = base + range_at(base)->len, at = align_up(base, align);

		if (at >= base && at < end && end - at > largest) {
			largest = end - at;
		}
	}
	spin_unlock(&heap.lock);
	return largest;
}
