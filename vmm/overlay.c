// SPDX-License-Identifier: BSD-2-Clause
/*
 * Overlay pages come and go; below them RAM, device memory or nothing stays what it was.
 * Specs: [TLFS] "GPA Overlay Pages".
 */
#include "vmm/overlay.h"

#include "vmm/cpu_virt.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"

int overlay_add(struct vm *vm, void *page, bool writable, bool exec)
{
	struct guest_mem *mem = &vm->mem;
	struct gmem_overlay *o;

	if (mem->n_overlays == GMEM_MAX_OVERLAYS) {
		return -ENOSPC;
	}
	o = &mem->overlays[mem->n_overlays];
	*o = (struct gmem_overlay){.gpa = GMEM_NOWHERE,
	        .hva = page,
	        .hpa = virt_to_phys(page),
	        .writable = writable,
	        .exec = exec};
	return (int)mem->n_overlays++;
}

/* A page too many in the filter only costs a look: it grows at once and is made anew afterwards. */
static void refresh_filter_locked(struct guest_mem *mem)
{
	uint64_t filter = 0;

	for (uint32_t i = 0; i < mem->n_overlays; i++) {
		if (mem->overlays[i].gpa != GMEM_NOWHERE) {
			filter |= BIT64((mem->overlays[i].gpa >> PAGE_SHIFT) % 64);
		}
	}
	__atomic_store_n(&mem->overlay_filter, filter, __ATOMIC_RELEASE);
}

static bool overlaid_within_locked(const struct guest_mem *mem, uint64_t from, uint64_t len)
{
	for (uint32_t i = 0; i < mem->n_overlays; i++) {
		if (mem->overlays[i].gpa - from < len) {
			return true;
		}
	}
	return false;
}

/*
 * RAM again at this page. When nothing else lies over the large page around it, that one
 * comes back as a whole.
 */
static int uncover_ram_locked(struct vm *vm, uint64_t at)
{
	uint64_t large = align_down(at, SIZE_2M);
	struct gmem_span span;

	if (!overlaid_within_locked(&vm->mem, large, SIZE_2M) &&
	        gmem_map_ram(&vm->mem, gpa(large), SIZE_2M, &span) == 0 && span.len == SIZE_2M) {
		return cpu_virt->map(vm, gpa(large), span.hpa, SIZE_2M, MAP_RWX, MAP_TYPE_RAM);
	}
	if (gmem_map_ram(&vm->mem, gpa(at), PAGE_SIZE, &span)) {
		return cpu_virt->unmap(vm, gpa(at), PAGE_SIZE);
	}
	return cpu_virt->map(vm, gpa(at), span.hpa, PAGE_SIZE, MAP_RWX, MAP_TYPE_RAM);
}

/* Make the second-level tables say what lies on top at this page now. */
static int apply_locked(struct vm *vm, uint64_t at)
{
	const struct gmem_overlay *top = gmem_overlay_at(&vm->mem, gpa(at));

	if (top) {
		enum map_prot prot = (enum map_prot)(
		        MAP_READ | (top->writable ? MAP_WRITE : 0) | (top->exec ? MAP_EXEC : 0));

		return cpu_virt->map(vm, gpa(at), top->hpa, PAGE_SIZE, prot, MAP_TYPE_RAM);
	}
	return uncover_ram_locked(vm, at);
}

static int move_locked(struct vm *vm, struct gmem_overlay *o, uint64_t to)
{
	struct guest_mem *mem = &vm->mem;
	uint64_t from = o->gpa;
	int err = 0, err2 = 0;

	if (from == to) {
		return 0;
	}
	if (to != GMEM_NOWHERE) {
		__atomic_fetch_or(
		        &mem->overlay_filter, BIT64((to >> PAGE_SHIFT) % 64), __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&o->gpa, to, __ATOMIC_SEQ_CST);
	refresh_filter_locked(mem);
	if (from != GMEM_NOWHERE) {
		err = apply_locked(vm, from);
	}
	if (to != GMEM_NOWHERE) {
		err2 = apply_locked(vm, to);
	}
	return err ? err : err2;
}

int overlay_place(struct vm *vm, unsigned n, uint64_t gpa)
{
	struct gmem_overlay *o = &vm->mem.overlays[n];
	uint64_t to = gpa == GMEM_NOWHERE ? gpa : gpa & ~PAGE_MASK;
	int err;

	if (to != GMEM_NOWHERE && to >> cpuid_phys_bits()) {
		return -EINVAL;
	}
	/* Below the local APIC's page nobody sees it. */
	if (to == LAPIC_DEFAULT_BASE) {
		to = GMEM_NOWHERE;
	}
	spin_lock(&vm->overlay_lock);
	err = move_locked(vm, o, to);
	if (err && to != GMEM_NOWHERE && move_locked(vm, o, GMEM_NOWHERE)) {
		/* Uncovering needs memory only where covering has just got it. */
		log_error("vm %s: no memory to take an overlay page away", vm->config->name);
	}
	spin_unlock(&vm->overlay_lock);
	return err;
}

void overlay_reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->mem.n_overlays; i++) {
		if (overlay_place(vm, i, GMEM_NOWHERE)) {
			log_error("vm %s: an overlay page cannot be taken away", vm->config->name);
		}
	}
}
