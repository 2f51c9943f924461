// SPDX-License-Identifier: BSD-2-Clause
// The page tables of the hand-off: identity map and the core at its virtual address.
// Specs: [SDM3] "4-Level Paging and 5-Level Paging", "Formats of paging-structure entries".
#include "boot/page_tables.h"
#include "vmm/lib/bits.h"

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_PS BIT64(7)
#define PTE_ADDR GENMASK64(51, 12)
#define ENTRIES 512U
#define LEVEL_2M 1U
#define LEVEL_1G 2U
#define LEVEL_PML4 3U
#define SIZE_512G (512 * SIZE_1G)

static uint64_t *table_at(const struct page_tables *t, uint64_t pa)
{
	return t->mem + (pa - (uintptr_t)t->mem) / sizeof(uint64_t);
}

static unsigned index_at(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (PAGE_SHIFT + 9 * level)) % ENTRIES;
}

/* One large page; 'level' LEVEL_2M or LEVEL_1G. */
static bool map(struct page_tables *t, uint64_t va, uint64_t pa, unsigned level)
{
	uint64_t *table = t->mem;

	for (unsigned l = LEVEL_PML4; l > level; l--) {
		uint64_t *entry = &table[index_at(va, l)];

		if (!(*entry & PTE_P)) {
			if (t->used == t->pages) {
				return false;
			}
			*entry = ((uintptr_t)t->mem + t->used * PAGE_SIZE) | PTE_P | PTE_W;
			t->used++;
		}
		table = table_at(t, *entry & PTE_ADDR);
	}
	table[index_at(va, level)] = pa | PTE_P | PTE_W | PTE_PS;
	return true;
}

static uint64_t identity_end(uint64_t ram_end)
{
	return align_up(ram_end < SIZE_4G ? SIZE_4G : ram_end, SIZE_1G);
}

uint64_t page_tables_need(uint64_t ram_end, uint64_t core_len, bool has_1g)
{
	uint64_t end = identity_end(ram_end);
	uint64_t directories = (has_1g ? SIZE_4G : end) / SIZE_1G;
	uint64_t core_directories = align_up(core_len, SIZE_1G) / SIZE_1G;

	/* PML4; for the identity map and for the core each its PDPTs and directories. */
	return 1 + align_up(end, SIZE_512G) / SIZE_512G + directories + 1 + core_directories;
}

bool page_tables_build(struct page_tables *t, uint64_t ram_end, uint64_t core_virt,
        uint64_t core_base, uint64_t core_len, bool has_1g)
{
	uint64_t end = identity_end(ram_end);

	t->used = 1;
	/* Small enough below 4 GiB that no page spans RAM and device registers by much. */
	for (uint64_t pa = 0; pa < end;) {
		unsigned level = has_1g && pa >= SIZE_4G ? LEVEL_1G : LEVEL_2M;

		if (!map(t, pa, pa, level)) {
			return false;
		}
		pa += level == LEVEL_1G ? SIZE_1G : SIZE_2M;
	}
	for (uint64_t off = 0; off < core_len; off += SIZE_2M) {
		if (!map(t, core_virt + off, core_base + off, LEVEL_2M)) {
			return false;
		}
	}
	return true;
}
