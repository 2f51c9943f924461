// SPDX-License-Identifier: BSD-2-Clause
// The machine's memory map as the core gets it: sorted, not overlapping, merged.
// Specs: [UEFI] "EFI_BOOT_SERVICES.GetMemoryMap()".
#include "boot/mem_map.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

static uint64_t end_of(const struct boot_mem *m)
{
	return m->base + m->len;
}

static bool insert(struct boot_info *bi, uint32_t at, uint64_t base, uint64_t end, uint32_t type)
{
	if (bi->n_mem == MAX_MEM_RANGES) {
		return false;
	}
	memmove(&bi->mem[at + 1], &bi->mem[at], (bi->n_mem - at) * sizeof(bi->mem[0]));
	bi->mem[at] = (struct boot_mem){.base = base, .len = end - base, .type = type};
	bi->n_mem++;
	return true;
}

/* Cut range 'at' in two at 'where', if that is inside it. */
static bool split(struct boot_info *bi, uint32_t at, uint64_t where)
{
	struct boot_mem *m = &bi->mem[at];

	if (where <= m->base || where >= end_of(m)) {
		return true;
	}
	if (!insert(bi, at + 1, where, end_of(m), m->type)) {
		return false;
	}
	m->len = where - m->base;
	return true;
}

static void merge(struct boot_info *bi)
{
	uint32_t out = 0;

	for (uint32_t i = 1; i < bi->n_mem; i++) {
		struct boot_mem *last = &bi->mem[out];

		if (bi->mem[i].type == last->type && bi->mem[i].base == end_of(last)) {
			last->len += bi->mem[i].len;
		} else {
			bi->mem[++out] = bi->mem[i];
		}
	}
	if (bi->n_mem != 0) {
		bi->n_mem = out + 1;
	}
}

static bool add_pieces(struct boot_info *bi, uint64_t base, uint64_t end, uint32_t type)
{
	for (uint32_t i = 0; base < end; i++) {
		struct boot_mem *m = &bi->mem[i];

		if (i == bi->n_mem || end <= m->base) {
			return insert(bi, i, base, end, type);
		}
		if (end_of(m) <= base) {
			continue;
		}
		if (base < m->base) {
			if (!insert(bi, i, base, m->base, type)) {
				return false;
			}
			base = end_of(m); /* m is the piece just inserted */
		} else if (m->type >= type) {
			base = end_of(m);
		} else if (base > m->base) {
			/* The part from 'base' on is looked at in the next round. */
			if (!split(bi, i, base)) {
				return false;
			}
		} else {
			if (!split(bi, i, end)) {
				return false;
			}
			m->type = type;
			base = end_of(m);
		}
	}
	return true;
}

bool mem_map_add(struct boot_info *bi, uint64_t base, uint64_t len, enum boot_mem_type type)
{
	uint64_t end;
	bool ok;

	if (__builtin_add_overflow(base, len, &end)) {
		end = align_down(UINT64_MAX, PAGE_SIZE);
	}
	if (type == BOOT_MEM_USABLE) {
		base = base > align_down(UINT64_MAX, PAGE_SIZE) ? end : align_up(base, PAGE_SIZE);
		end = align_down(end, PAGE_SIZE);
	} else {
		base = align_down(base, PAGE_SIZE);
		end = end > align_down(UINT64_MAX, PAGE_SIZE) ? align_down(UINT64_MAX, PAGE_SIZE)
		                                              : align_up(end, PAGE_SIZE);
	}
	ok = add_pieces(bi, base, end, type);
	merge(bi);
	return ok;
}

uint64_t mem_map_large_bytes(const struct boot_info *bi)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < bi->n_mem; i++) {
		uint64_t start = align_up(bi->mem[i].base, SIZE_2M);
		uint64_t end = align_down(end_of(&bi->mem[i]), SIZE_2M);

		if (bi->mem[i].type == BOOT_MEM_USABLE && start < end) {
			sum += end - start;
		}
	}
	return sum;
}

uint64_t mem_map_ram_end(const struct boot_info *bi)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < bi->n_mem; i++) {
		if (bi->mem[i].type != BOOT_MEM_RESERVED) {
			end = end_of(&bi->mem[i]);
		}
	}
	return end;
}
