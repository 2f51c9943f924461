// SPDX-License-Identifier: BSD-2-Clause
// Decides what is mapped where in the core's own address space.
// Specs: docs/memory-layout.md; [SDM3] "Access Rights" (paging).
#include "vmm/hw/paging.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging_build.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* Physical memory beyond this has no place between the direct map and the device map. */
#define DIRECT_MAP_MAX (DEVICE_MAP_BASE - DIRECT_MAP_BASE)
#define DEVICE_MAP_END STACK_MAP_BASE
#define NOT_MAPPED (~0U)

static struct {
	struct page_table *pt;
	uint64_t device_next; /* both: the next free virtual address */
	uint64_t stack_next;
} space;

const struct page_table *paging_table(void)
{
	return space.pt;
}

/* Rights of a range in the direct map. */
static unsigned direct_rights(uint32_t type)
{
	switch ((enum boot_mem_type)type) {
	case BOOT_MEM_USABLE:
	case BOOT_MEM_LOADER:
		return PT_WRITE;
	case BOOT_MEM_ACPI:
	case BOOT_MEM_RUNTIME:
		/* Some firmware keeps tables in its runtime data. */
		return 0;
	case BOOT_MEM_RESERVED:
		break;
	}
	return NOT_MAPPED;
}

static uint32_t mem_count(const struct boot_info *bi)
{
	return bi->n_mem < MAX_MEM_RANGES ? bi->n_mem : MAX_MEM_RANGES;
}

bool paging_is_ram(const struct boot_info *bi, uint64_t pa, uint64_t len)
{
	if (len == 0 || pa < PAGE_SIZE || pa > DIRECT_MAP_MAX || len > DIRECT_MAP_MAX - pa) {
		return false;
	}
	/* Sorted and not overlapping, so one pass finds neighbours in order. */
	for (uint32_t i = 0; i < mem_count(bi) && len > 0; i++) {
		const struct boot_mem *m = &bi->mem[i];
		uint64_t part;

		if (pa < m->base || pa - m->base >= m->len) {
			continue;
		}
		if (direct_rights(m->type) == NOT_MAPPED) {
			return false;
		}
		part = m->len - (pa - m->base);
		part = part < len ? part : len;
		pa += part;
		len -= part;
	}
	return len == 0;
}

static int map_direct(struct page_table *pt, uint64_t start, uint64_t end, unsigned rights)
{
	if (start >= end) {
		return 0;
	}
	return page_table_map(pt, DIRECT_MAP_BASE + start, hpa(start), end - start, rights);
}

/* One run of equal rights, with the core's text and rodata [ro, ro_end) read-only in it. */
static int map_run(struct page_table *pt, uint64_t start, uint64_t end, unsigned rights,
        uint64_t ro, uint64_t ro_end)
{
	uint64_t mid, mid_end;
	int err;

	/* Physical page 0 stays out: its direct-map address is too easily made from a zero. */
	start = start < PAGE_SIZE ? PAGE_SIZE : start;
	end = end < DIRECT_MAP_MAX ? end : DIRECT_MAP_MAX;
	mid = ro < start ? start : ro > end ? end : ro;
	mid_end = ro_end < mid ? mid : ro_end > end ? end : ro_end;
	err = map_direct(pt, start, mid, rights);
	if (!err) {
		err = map_direct(pt, mid, mid_end, 0);
	}
	if (!err) {
		err = map_direct(pt, mid_end, end, rights);
	}
	return err;
}

static int map_ram(struct page_table *pt, const struct boot_info *bi, uint64_t ro, uint64_t ro_end)
{
	uint64_t start = 0, end = 0;
	unsigned rights = NOT_MAPPED;

	for (uint32_t i = 0; i <= mem_count(bi); i++) {
		/* One step past the last range ends the last run. */
		bool last = i == mem_count(bi);
		unsigned next = last ? NOT_MAPPED : direct_rights(bi->mem[i].type);

		if (!last && next == rights && bi->mem[i].base == end) {
			end += bi->mem[i].len;
			continue;
		}
		if (rights != NOT_MAPPED) {
			int err = map_run(pt, start, end, rights, ro, ro_end);

			if (err) {
				return err;
			}
		}
		if (!last) {
			start = align_up(bi->mem[i].base, PAGE_SIZE);
			end = align_down(bi->mem[i].base + bi->mem[i].len, PAGE_SIZE);
			rights = next;
		}
	}
	return 0;
}

/* Pages [va, va_end) of the core image. */
static int map_core(struct page_table *pt, const struct boot_info *bi, uint64_t va, uint64_t va_end,
        unsigned rights)
{
	va_end = align_up(va_end, PAGE_SIZE);
	if (va >= va_end) {
		return 0;
	}
	return page_table_map(
	        pt, va, hpa(bi->core_base + (va - CORE_VIRT_BASE)), va_end - va, rights);
}

static int map_core_data(
        struct page_table *pt, const struct boot_info *bi, const struct core_layout *core)
{
	uint64_t va = core->data, end = align_up(core->data_end, PAGE_SIZE);

	while (va < end) {
		/* Up to the nearest guard page, which stays out. */
		uint64_t stop = end;
		int err;

		for (unsigned i = 0; i < CORE_MAX_GUARDS; i++) {
			if (core->guards[i] >= va && core->guards[i] < stop) {
				stop = core->guards[i];
			}
		}
		err = map_core(pt, bi, va, stop, PT_WRITE);
		if (err) {
			return err;
		}
		va = stop + PAGE_SIZE;
	}
	return 0;
}

int paging_build(struct page_table *pt, const struct boot_info *bi, const struct core_layout *core)
{
	uint64_t to_phys = bi->core_base - CORE_VIRT_BASE;
	int err = map_core(pt, bi, core->text, core->text_end, PT_EXEC);

	if (!err) {
		err = map_core(pt, bi, core->rodata, core->rodata_end, 0);
	}
	if (!err) {
		err = map_core_data(pt, bi, core);
	}
	if (!err) {
		err = map_ram(pt, bi, core->text + to_phys,
		        align_up(core->rodata_end, PAGE_SIZE) + to_phys);
	}
	if (!err) {
		err = page_table_reserve(pt, DEVICE_MAP_BASE);
	}
	if (!err) {
		err = page_table_reserve(pt, STACK_MAP_BASE);
	}
	space.pt = pt;
	space.device_next = DEVICE_MAP_BASE;
	space.stack_next = STACK_MAP_BASE;
	return err;
}

void *paging_map_device(hpa_t pa, uint64_t len)
{
	uint64_t offset = pa.v % PAGE_SIZE, base = pa.v - offset, va = space.device_next;
	int err;

	if (len == 0 || len > DEVICE_MAP_END - va - 2 * PAGE_SIZE || pa.v & ~PTE_ADDR & ~0xfffULL) {
		return NULL;
	}
	len = align_up(offset + len, PAGE_SIZE);
	err = page_table_map(space.pt, va, hpa(base), len, PT_WRITE | PT_UNCACHED);
	if (err) {
		return NULL;
	}
	/* A hole behind it: running past one device's registers must not reach another's. */
	space.device_next = va + len + PAGE_SIZE;
	return (void *)(uintptr_t)(va + offset);
}

void *paging_alloc_stack(unsigned pages)
{
	uint64_t bottom = space.stack_next + PAGE_SIZE;

	for (unsigned i = 0; i < pages; i++) {
		void *page = page_alloc(1, PAGE_SIZE);

		if (!page) {
			return NULL;
		}
		if (page_table_map(space.pt, bottom + i * PAGE_SIZE, virt_to_phys(page), PAGE_SIZE,
		            PT_WRITE)) {
			page_free(page, 1);
			return NULL;
		}
	}
	space.stack_next = bottom + pages * PAGE_SIZE;
	return (void *)(uintptr_t)space.stack_next;
}

int paging_build_ap(struct page_table *ap, const struct page_table *pt, hpa_t pa)
{
	int err = page_table_init(ap, pt->pages_1g, true);
	const uint64_t *from = phys_to_virt(pt->root);
	uint64_t *to;

	if (err) {
		return err;
	}
	to = phys_to_virt(ap->root);
	memcpy(to + 256, from + 256, 256 * sizeof(*to));
	err = page_table_map(ap, pa.v, pa, PAGE_SIZE, PT_EXEC);
	if (err) {
		paging_free_ap(ap, pa);
	}
	return err;
}

void paging_free_ap(struct page_table *ap, hpa_t pa)
{
	uint64_t table = ap->root.v;

	/* The one chain of tables below the root that is its own. */
	for (unsigned level = 4; table != 0; level--) {
		uint64_t *page = phys_to_virt(hpa(table));
		uint64_t e = page[(pa.v >> (PAGE_SHIFT + 9 * (level - 1))) % 512];

		page_free(page, 1);
		table = level > 1 && (e & PTE_P) ? e & PTE_ADDR : 0;
	}
}
