// SPDX-License-Identifier: BSD-2-Clause
// Physical memory of the hosted tests: an arena that stands for one range of addresses.
#include "tests/fake/phys_fake.h"
#include "vmm/hw/acpi.h"
#include "vmm/hw/page_alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *arena;
static uint64_t arena_base, arena_size;

void *fake_phys_init(uint64_t base, uint64_t size)
{
	free(arena);
	arena = aligned_alloc(PAGE_SIZE, size);
	if (!arena) {
		abort();
	}
	memset(arena, 0xa5, size);
	arena_base = base;
	arena_size = size;
	return arena;
}

static bool inside(uint64_t pa, uint64_t len)
{
	return arena && pa >= arena_base && len <= arena_size &&
	       pa - arena_base <= arena_size - len;
}

void fake_phys_write(uint64_t pa, const void *src, uint64_t len)
{
	if (!inside(pa, len)) {
		abort();
	}
	memcpy(arena + (pa - arena_base), src, len);
}

void *phys_to_virt(hpa_t pa)
{
	if (!inside(pa.v, 1)) {
		fprintf(stderr, "phys_to_virt(%#llx): outside of the arena\n",
		        (unsigned long long)pa.v);
		abort();
	}
	return arena + (pa.v - arena_base);
}

hpa_t virt_to_phys(const void *va)
{
	const uint8_t *p = va;

	if (p < arena || p >= arena + arena_size) {
		fprintf(stderr, "virt_to_phys(%p): outside of the arena\n", va);
		abort();
	}
	return hpa(arena_base + (uint64_t)(p - arena));
}

const void *acpi_map(uint64_t pa, uint64_t len)
{
	return len && inside(pa, len) ? arena + (pa - arena_base) : NULL;
}
