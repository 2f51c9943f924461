/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM with nothing but its second-level tables, and what they reach: what test_ept.c and
 * test_ept_nomem.c have in common.
 */
#ifndef TESTS_EPT_WORLD_H
#define TESTS_EPT_WORLD_H

#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmx/ept_memtype.h"
#include <string.h>

#define R 1ULL
#define W 2ULL
#define X 4ULL
#define LARGE BIT64(7)
#define TYPE(e) (((e) >> 3) & 7)
#define ADDR(e) ((e)&0xffffffffff000ULL)
#define RAM_HPA 0x200000000ULL

static struct vm *vm;
static uint64_t free_at_start;

static inline void make(uint32_t off)
{
	vm = fake_vm(SIZE_2M, 1);
	fake_vmx_host(off);
	vm->vcpus[0]->virt = NULL;
	free_at_start = page_alloc_free_bytes();
	vm->virt = page_alloc(1, PAGE_SIZE);
	ck_assert_int_eq(ept_init(vm), 0);
	vmx_caps.itlb_multihit = false;
	vm->vcpus[0]->requests = 0;
}

static inline void setup(void)
{
	make(0);
}

static inline int map(uint64_t at, uint64_t to, uint64_t len)
{
	return ept_map(vm, gpa(at), hpa(to), len, MAP_RWX, MAP_TYPE_RAM);
}

static inline uint64_t look(uint64_t at, uint64_t *size)
{
	uint64_t entry = ept_lookup(vm, gpa(at), size);

	if (!entry) {
		*size = 0;
	}
	return entry;
}

static inline uint64_t size_at(uint64_t at)
{
	uint64_t size;

	look(at, &size);
	return size;
}

/* What an access to 'at' reaches; ~0 = nothing. */
static inline uint64_t reaches(uint64_t at)
{
	uint64_t size, entry = look(at, &size);

	return entry ? (ADDR(entry) & ~(size - 1)) + (at & (size - 1)) : ~0ULL;
}

/* Tables that wait until a large page is split. */
static inline unsigned spares(void)
{
	unsigned n = 0;

	for (uint64_t *t = vmx_vm(vm)->spare; t; t = (uint64_t *)(uintptr_t)t[0]) {
		n++;
	}
	return n;
}

static inline unsigned tables(void)
{
	return (unsigned)((free_at_start - page_alloc_free_bytes()) / PAGE_SIZE) - 1 - spares();
}

static inline void destroyed(void)
{
	ept_destroy(vm);
	ck_assert_ptr_null(vmx_vm(vm)->root);
	page_free(vm->virt, 1);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_at_start);
}

#endif
