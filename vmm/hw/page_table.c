// SPDX-License-Identifier: BSD-2-Clause
// Builds and reads the host's page tables.
// Specs: [SDM3] "4-Level Paging and 5-Level Paging" (formats of the paging-structure entries).
#include "vmm/hw/page_table.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"

#define ENTRIES 512U
#define LEVELS 4U

/* Bytes that one entry of a table covers; level 1 is the page table, 4 the PML4. */
static uint64_t span(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static uint64_t *table_at(uint64_t entry)
{
	return phys_to_virt(hpa(entry & PTE_ADDR));
}

static uint64_t *slot(uint64_t *table, uint64_t va, unsigned level)
{
	return &table[(va >> (PAGE_SHIFT + 9 * (level - 1))) % ENTRIES];
}

int page_table_init(struct page_table *pt, bool pages_1g, bool below_4g)
{
	void *root = page_alloc_below(1, PAGE_SIZE, below_4g ? SIZE_4G : UINT64_MAX);

	if (!root) {
		return -ENOMEM;
	}
	pt->root = virt_to_phys(root);
	pt->pages_1g = pages_1g;
	return 0;
}

static uint64_t leaf_bits(unsigned rights, unsigned level)
{
	/* Accessed and dirty at once: nobody reads them, and the processor need not write. */
	uint64_t bits = PTE_P | PTE_A | PTE_D;

	bits |= rights & PT_WRITE ? PTE_W : 0;
	bits |= rights & PT_EXEC ? 0 : PTE_NX;
	bits |= rights & PT_UNCACHED ? PTE_PCD | PTE_PWT : 0;
	bits |= level > 1 ? PTE_PS : 0;
	return bits;
}

/* The largest page for this place: 3 = 1 GiB, 2 = 2 MiB, 1 = 4 KiB. */
static unsigned leaf_level(const struct page_table *pt, uint64_t va, uint64_t pa, uint64_t len)
{
	for (unsigned level = pt->pages_1g ? 3 : 2; level > 1; level--) {
		if (len >= span(level) && is_aligned(va | pa, span(level))) {
			return level;
		}
	}
	return 1;
}

/* The table that a non-leaf entry points to, made where there is none; NULL = no memory. */
static uint64_t *descend(uint64_t *e)
{
	if (!(*e & PTE_P)) {
		void *below = page_alloc(1, PAGE_SIZE);

		if (!below) {
			return NULL;
		}
		/* Everything that a leaf may allow: the leaf decides. */
		*e = virt_to_phys(below).v | PTE_P | PTE_W | PTE_A;
	}
	return table_at(*e);
}

static int map_one(struct page_table *pt, uint64_t va, uint64_t pa, unsigned leaf, unsigned rights)
{
	uint64_t *table = phys_to_virt(pt->root);
	uint64_t *e;

	for (unsigned level = LEVELS; level > leaf; level--) {
		e = slot(table, va, level);
		if ((*e & PTE_P) && (*e & PTE_PS)) {
			return -EEXIST;
		}
		table = descend(e);
		if (!table) {
			return -ENOMEM;
		}
	}
	e = slot(table, va, leaf);
	if (*e & PTE_P) {
		return -EEXIST;
	}
	*e = pa | leaf_bits(rights, leaf);
	return 0;
}

int page_table_reserve(struct page_table *pt, uint64_t va)
{
	return descend(slot(phys_to_virt(pt->root), va, LEVELS)) ? 0 : -ENOMEM;
}

int page_table_map(struct page_table *pt, uint64_t va, hpa_t pa, uint64_t len, unsigned rights)
{
	uint64_t to = pa.v;

	BUG_ON(!is_aligned(va | to | len, PAGE_SIZE));
	BUG_ON((rights & PT_WRITE) && (rights & PT_EXEC));
	while (len > 0) {
		unsigned level = leaf_level(pt, va, to, len);
		int err = map_one(pt, va, to, level, rights);

		if (err) {
			return err;
		}
		va += span(level);
		to += span(level);
		len -= span(level);
	}
	return 0;
}

bool page_table_lookup(const struct page_table *pt, uint64_t va, hpa_t *pa, unsigned *rights)
{
	uint64_t *table = phys_to_virt(pt->root);

	for (unsigned level = LEVELS; level >= 1; level--) {
		uint64_t e = *slot(table, va, level);

		if (!(e & PTE_P)) {
			return false;
		}
		if (level == 1 || (e & PTE_PS)) {
			*pa = hpa((e & PTE_ADDR & ~(span(level) - 1)) | (va & (span(level) - 1)));
			if (rights) {
				*rights = (e & PTE_W ? PT_WRITE : 0) | (e & PTE_NX ? 0 : PT_EXEC) |
				          (e & PTE_PCD ? PT_UNCACHED : 0);
			}
			return true;
		}
		table = table_at(e);
	}
	return false;
}
