// SPDX-License-Identifier: BSD-2-Clause
/*
 * Second-level tables: guest-physical to host-physical. The one place that changes them and
 * that tells all vCPUs to forget what changed.
 *
 * Where the processor does not deny the iTLB multihit erratum, a page larger than 4 KiB is
 * mapped without execute permission and split into 4 KiB pages on the first fetch from it.
 *
 * Specs: [SDM3] "The Extended Page Table Mechanism (EPT)", "EPT Memory Types"; Intel, "Machine
 * Check Error Avoidance on Page Size Change".
 */
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmx/ept_memtype.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define EPT_READ BIT64(0)
#define EPT_WRITE BIT64(1)
#define EPT_EXEC BIT64(2)
#define EPT_RWX 7ULL
#define EPT_TYPE_SHIFT 3
#define EPT_LARGE BIT64(7)
#define EPT_ADDR GENMASK64(51, 12)

#define EPTP_WALK4 (3ULL << 3)
#define EPTP_AD BIT64(6)

#define LEVELS 4U
#define ENTRIES 512U
#define GPA_END BIT64(48) /* what four levels reach */
#define HPA_END BIT64(52)

static struct mtrrs mtrrs; /* (c) after the first VM */

/* Bytes that one entry of this level maps; level 1 is the leaf of 4 KiB pages. */
static uint64_t level_size(unsigned level)
{
	return 1ULL << (PAGE_SHIFT + 9 * (level - 1));
}

static unsigned level_index(uint64_t a, unsigned level)
{
	return (unsigned)(a >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRIES - 1);
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(hpa(entry & EPT_ADDR));
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (entry & EPT_LARGE);
}

/* Entries are read by processors at any time: one aligned store each. */
static void set_entry(uint64_t *slot, uint64_t value)
{
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

int ept_init(struct vm *vm)
{
	struct vmx_vm *v = vmx_vm(vm);

	mtrrs_read(&mtrrs);
	v->root = page_alloc(1, PAGE_SIZE);
	if (!v->root) {
		return -ENOMEM;
	}
	v->eptp = virt_to_phys(v->root).v | MEMTYPE_WB | EPTP_WALK4 |
	          ((vmx_caps.granted & BIT(VMX_OPT_EPTAD)) ? EPTP_AD : 0);
	return 0;
}

static void put_spare(struct vmx_vm *v, uint64_t *table)
{
	table[0] = (uintptr_t)v->spare;
	v->spare = table;
}

static uint64_t *take_table(struct vmx_vm *v)
{
	uint64_t *table = v->spare;

	if (!table) {
		return page_alloc(1, PAGE_SIZE);
	}
	v->spare = (uint64_t *)(uintptr_t)table[0];
	memset(table, 0, PAGE_SIZE);
	return table;
}

/*
 * A guest chooses which of its pages are split, by fetching from them. The tables for all of them
 * are the VM's from the start, so that it cannot take the last memory from the others.
 */
static int reserve_tables(struct vmx_vm *v, unsigned level)
{
	/* One for each large page, and those that appear when a larger one is split. */
	unsigned n = level == 3 ? 1 + ENTRIES : level - 1;

	while (vmx_caps.itlb_multihit && n-- > 0) {
		uint64_t *table = page_alloc(1, PAGE_SIZE);

		if (!table) {
			return -ENOMEM;
		}
		put_spare(v, table);
	}
	return 0;
}

/* Those that large pages may be split with again stay with the VM. */
static void free_table(struct vmx_vm *v, uint64_t *table, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < ENTRIES; i++) {
		if (table[i] && !is_leaf(table[i], level)) {
			free_table(v, table_of(table[i]), level - 1);
		}
	}
	if (vmx_caps.itlb_multihit) {
		put_spare(v, table);
	} else {
		page_free(table, 1);
	}
}

/* Has every vCPU forgotten what it knew before flush number 'flush'? */
static bool all_flushed(const struct vm *vm, uint64_t flush)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu *vcpu = vm->vcpus[i];

		if (vcpu && vcpu->virt &&
		        __atomic_load_n(&((const struct vmx_vcpu *)vcpu->virt)->flushes_seen,
		                __ATOMIC_SEQ_CST) < flush) {
			return false;
		}
	}
	return true;
}

/* Free what no processor can be walking; true when there is room to retire another. */
static bool reap_locked(struct vm *vm)
{
	struct vmx_vm *v = vmx_vm(vm);
	bool room = false;

	for (unsigned i = 0; i < EPT_RETIRED_MAX; i++) {
		if (v->retired[i].table && all_flushed(vm, v->retired[i].flush)) {
			free_table(v, v->retired[i].table, v->retired[i].level);
			v->retired[i].table = NULL;
		}
		room |= v->retired[i].table == NULL;
	}
	return room;
}

/* The flush that the caller asks for after it has let the lock go is the one to wait for. */
static void retire_locked(struct vmx_vm *v, uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < EPT_RETIRED_MAX; i++) {
		if (!v->retired[i].table) {
			v->retired[i].table = table;
			v->retired[i].level = level;
			v->retired[i].flush = __atomic_load_n(&v->flushes, __ATOMIC_SEQ_CST) + 1;
			return;
		}
	}
	BUG("no room for a table that holds_table() let through");
}

void ept_destroy(struct vm *vm)
{
	struct vmx_vm *v = vmx_vm(vm);

	for (unsigned i = 0; i < EPT_RETIRED_MAX; i++) {
		if (v->retired[i].table) {
			free_table(v, v->retired[i].table, v->retired[i].level);
			v->retired[i].table = NULL;
		}
	}
	if (v->root) {
		free_table(v, v->root, LEVELS);
		v->root = NULL;
	}
	while (v->spare) {
		uint64_t *table = v->spare;

		v->spare = (uint64_t *)(uintptr_t)table[0];
		page_free(table, 1);
	}
}

static uint64_t leaf_rights(enum map_prot prot, unsigned level)
{
	uint64_t rights = (uint64_t)prot & EPT_RWX;

	if (level > 1 && vmx_caps.itlb_multihit) {
		rights &= ~EPT_EXEC;
	}
	return rights | (level > 1 ? EPT_LARGE : 0);
}

/* Replace a large leaf by a table of the next smaller pages with the same contents. */
static int split(struct vmx_vm *v, uint64_t *slot, unsigned level)
{
	uint64_t *table = take_table(v);
	uint64_t old = *slot;
	uint64_t step = level_size(level - 1);
	uint64_t low = old & ~(EPT_ADDR | EPT_LARGE);

	if (!table) {
		return -ENOMEM;
	}
	if (level - 1 > 1) {
		low |= EPT_LARGE;
	} else if (vmx_caps.itlb_multihit) {
		/* Only RAM is ever mapped large, and RAM may be executed. */
		low |= EPT_EXEC;
	}
	for (unsigned i = 0; i < ENTRIES; i++) {
		table[i] = ((old & EPT_ADDR) + i * step) | low;
	}
	set_entry(slot, virt_to_phys(table).v | EPT_RWX);
	return 0;
}

/* Does a table of smaller pages stand where a page of this level would go? */
static bool holds_table(const struct vmx_vm *v, uint64_t a, unsigned level)
{
	const uint64_t *table = v->root;

	for (unsigned l = LEVELS; l > level; l--) {
		uint64_t entry = table[level_index(a, l)];

		if (entry == 0 || is_leaf(entry, l)) {
			return false;
		}
		table = table_of(entry);
	}
	return level > 1 && table[level_index(a, level)] != 0 &&
	       !is_leaf(table[level_index(a, level)], level);
}

/* The slot of 'a' at 'level', making and splitting tables on the way. NULL = no memory. */
static uint64_t *walk_make(struct vmx_vm *v, uint64_t a, unsigned level)
{
	uint64_t *table = v->root;

	for (unsigned l = LEVELS; l > level; l--) {
		uint64_t *slot = &table[level_index(a, l)];

		if (*slot == 0) {
			uint64_t *next = page_alloc(1, PAGE_SIZE);

			if (!next) {
				return NULL;
			}
			set_entry(slot, virt_to_phys(next).v | EPT_RWX);
		} else if (is_leaf(*slot, l) && split(v, slot, l)) {
			return NULL;
		}
		table = table_of(*slot);
	}
	return &table[level_index(a, level)];
}

/* The largest page that both addresses, the rest of the range, the options and one memory type
 * allow. */
static unsigned pick_level(
        uint64_t a, uint64_t to, uint64_t left, enum map_type kind, enum memtype *type)
{
	unsigned max = 1;

	if (vmx_caps.granted & BIT(VMX_OPT_EPT2M)) {
		max = (vmx_caps.granted & BIT(VMX_OPT_EPT1G)) ? 3 : 2;
	}
	if (kind == MAP_TYPE_DEVICE) {
		*type = MEMTYPE_UC;
		return 1;
	}
	for (unsigned level = max; level > 1; level--) {
		uint64_t size = level_size(level);

		if (left >= size && is_aligned(a | to, size) &&
		        mtrr_range_type(&mtrrs, to, size, type)) {
			return level;
		}
	}
	*type = mtrr_page_type(&mtrrs, to);
	return 1;
}

/* Whole pages below 'end', no wrap. */
static bool range_ok(uint64_t at, uint64_t len, uint64_t end)
{
	return is_aligned(at | len, PAGE_SIZE) && at <= end && len <= end - at;
}

/*
 * A table that a large page replaces may still be walked by processors: it is retired, and freed
 * when all vCPUs have served the flush. While too many wait, pages stay small.
 */
int ept_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t len, enum map_prot prot, enum map_type kind)
{
	struct vmx_vm *v = vmx_vm(vm);
	bool changed = false;
	int err = 0;

	if (len == 0 || !range_ok(at.v, len, GPA_END) || !range_ok(to.v, len, HPA_END)) {
		return -EINVAL;
	}
	spin_lock(&v->lock);
	while (len) {
		enum memtype type;
		unsigned level = pick_level(at.v, to.v, len, kind, &type);
		uint64_t *slot, old, size;

		while (holds_table(v, at.v, level) && !reap_locked(vm)) {
			level--;
		}
		size = level_size(level);
		slot = walk_make(v, at.v, level);

		if (!slot) {
			err = -ENOMEM;
			break;
		}
		old = *slot;
		if (old == 0 && level > 1) {
			err = reserve_tables(v, level);
			if (err) {
				break;
			}
		}
		set_entry(slot, to.v | (uint64_t)type << EPT_TYPE_SHIFT | leaf_rights(prot, level));
		if (old && !is_leaf(old, level)) {
			retire_locked(v, table_of(old), level - 1);
		}
		changed |= old != 0;
		at = gpa_add(at, size);
		to = hpa_add(to, size);
		len -= size;
	}
	spin_unlock(&v->lock);
	if (changed) {
		cpu_virt->flush_nested(vm);
	}
	return err;
}

int ept_unmap(struct vm *vm, gpa_t at, uint64_t len)
{
	struct vmx_vm *v = vmx_vm(vm);
	int err = 0;

	if (!range_ok(at.v, len, GPA_END)) {
		return -EINVAL;
	}
	spin_lock(&v->lock);
	for (; len && !err; at = gpa_add(at, PAGE_SIZE), len -= PAGE_SIZE) {
		uint64_t size;

		if (ept_lookup(vm, at, &size)) {
			uint64_t *slot = walk_make(v, at.v, 1);

			if (slot) {
				set_entry(slot, 0);
			} else {
				err = -ENOMEM;
			}
		}
	}
	spin_unlock(&v->lock);
	cpu_virt->flush_nested(vm);
	return err;
}

uint64_t ept_lookup(struct vm *vm, gpa_t at, uint64_t *size)
{
	uint64_t *table = vmx_vm(vm)->root;

	if (at.v >= GPA_END) {
		return 0;
	}
	for (unsigned level = LEVELS; level >= 1; level--) {
		uint64_t entry = table[level_index(at.v, level)];

		if (entry == 0) {
			return 0;
		}
		if (is_leaf(entry, level)) {
			*size = level_size(level);
			return entry;
		}
		table = table_of(entry);
	}
	return 0;
}

bool ept_fix_fault(struct vm *vm, gpa_t at, bool fetch)
{
	struct vmx_vm *v = vmx_vm(vm);
	uint64_t size, entry;
	bool fixed = false;

	if (!fetch) {
		return false;
	}
	spin_lock(&v->lock);
	entry = ept_lookup(vm, at, &size);
	if (entry & EPT_EXEC) {
		fixed = true; /* another vCPU was faster */
	} else if (entry && size > PAGE_SIZE) {
		fixed = walk_make(v, at.v, 1) != NULL;
	}
	/*
	 * No INVEPT: rights only grew and every address maps as before. A processor that still
	 * holds the old translation faults on its next fetch, which drops it, and finds this.
	 */
	spin_unlock(&v->lock);
	return fixed;
}
