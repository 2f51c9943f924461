// SPDX-License-Identifier: BSD-2-Clause
// A VM's RAM as a short sorted table of regions, and the copies in and out of it.
// Specs: [SDM3] "Guaranteed Atomic Operations".
#include "vmm/guest_mem.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* The region that holds gpa, or NULL. Two or three regions are the rule: a scan is fastest. */
static const struct gmem_region *find(const struct guest_mem *mem, uint64_t at)
{
	const struct gmem_region *end = &mem->regions[mem->n_regions];

	for (const struct gmem_region *r = mem->regions; r < end; r++) {
		if (at - r->gpa.v < r->len) {
			return r;
		}
	}
	return NULL;
}

/* Operands of instructions go in one access each, as the processor would: a device's driver may
 * poll them from another vCPU. */
static inline void copy(void *dst, const void *src, size_t len)
{
	switch (len) {
	case 1:
		__builtin_memcpy(dst, src, 1);
		break;
	case 2:
		__builtin_memcpy(dst, src, 2);
		break;
	case 4:
		__builtin_memcpy(dst, src, 4);
		break;
	case 8:
		__builtin_memcpy(dst, src, 8);
		break;
	case 16: /* an instruction fetch */
		__builtin_memcpy(dst, src, 16);
		break;
	default:
		memcpy(dst, src, len);
	}
}

const struct gmem_overlay *gmem_overlay_at(const struct guest_mem *mem, gpa_t gpa)
{
	uint64_t page = gpa.v & ~PAGE_MASK;

	if (!gmem_maybe_overlaid(mem, gpa, 1)) {
		return NULL;
	}
	for (uint32_t i = 0; i < mem->n_overlays; i++) {
		if (__atomic_load_n(&mem->overlays[i].gpa, __ATOMIC_ACQUIRE) == page) {
			return &mem->overlays[i];
		}
	}
	return NULL;
}

/* Host address of an access that lies in one region or one overlay, or NULL. */
static uint8_t *find_run(const struct guest_mem *mem, uint64_t at, size_t len, bool write)
{
	const struct gmem_region *r;

	if (gmem_maybe_overlaid(mem, gpa(at), len)) {
		struct gmem_span span;

		if (gmem_map(mem, gpa(at), len, &span) || span.len < len ||
		        (write && span.read_only)) {
			return NULL;
		}
		return span.hva;
	}
	r = find(mem, at);
	if (!r || len > r->len - (at - r->gpa.v)) {
		return NULL;
	}
	return r->hva + (at - r->gpa.v);
}

int gmem_add(struct guest_mem *mem, gpa_t gpa, void *hva, hpa_t hpa, uint64_t len)
{
	uint64_t at = gpa.v;
	uint32_t i;

	if (len == 0 || !is_aligned(at | len | hpa.v, PAGE_SIZE) ||
	        !is_aligned((uintptr_t)hva, PAGE_SIZE) || at + len - 1 < at) {
		return -EINVAL;
	}
	for (i = 0; i < mem->n_regions; i++) {
		const struct gmem_region *r = &mem->regions[i];

		/* Compared by last byte: a region may end at the top of the address space. */
		if (at <= r->gpa.v + (r->len - 1) && r->gpa.v <= at + (len - 1)) {
			return -EEXIST;
		}
	}
	if (mem->n_regions >= GMEM_MAX_REGIONS) {
		return -ENOSPC;
	}
	for (i = mem->n_regions; i > 0 && mem->regions[i - 1].gpa.v > at; i--) {
		mem->regions[i] = mem->regions[i - 1];
	}
	mem->regions[i] = (struct gmem_region){.gpa = gpa, .len = len, .hva = hva, .hpa = hpa};
	mem->n_regions++;
	return 0;
}

/* Each turn consumes a whole region or ends at an overlay: few turns. */
static bool accessible(const struct guest_mem *mem, gpa_t at, uint64_t len, bool write)
{
	while (len != 0) {
		struct gmem_span span;

		if (gmem_map(mem, at, len, &span) || (write && span.read_only)) {
			return false;
		}
		at = gpa_add(at, span.len);
		len -= span.len;
		if (at.v == 0 && len != 0) {
			return false; /* past the top of the address space */
		}
	}
	return true;
}

bool gmem_is_ram(const struct guest_mem *mem, gpa_t gpa, uint64_t len)
{
	return accessible(mem, gpa, len, false);
}

/* A copy that crosses regions, or fails. Exactly one of in and out is set. */
static int copy_runs(
        const struct guest_mem *mem, gpa_t gpa, uint8_t *in, const uint8_t *out, size_t len)
{
	if (!accessible(mem, gpa, len, out != NULL)) {
		return -EFAULT;
	}
	while (len != 0) {
		struct gmem_span span;

		/* An overlay may have moved since: the guest that raced with itself gets half. */
		if (gmem_map(mem, gpa, len, &span) || (out && span.read_only)) {
			return -EFAULT;
		}
		if (in) {
			memcpy(in, span.hva, span.len);
			in += span.len;
		} else {
			memcpy(span.hva, out, span.len);
			out += span.len;
		}
		len -= span.len;
		gpa = gpa_add(gpa, span.len);
	}
	return 0;
}

int gmem_read(const struct guest_mem *mem, gpa_t gpa, void *buf, size_t len)
{
	const uint8_t *p = find_run(mem, gpa.v, len, false);

	if (p) {
		copy(buf, p, len);
		return 0;
	}
	return copy_runs(mem, gpa, buf, NULL, len);
}

int gmem_write(struct guest_mem *mem, gpa_t gpa, const void *buf, size_t len)
{
	uint8_t *p = find_run(mem, gpa.v, len, true);

	if (p) {
		copy(p, buf, len);
		return 0;
	}
	return copy_runs(mem, gpa, NULL, buf, len);
}

int gmem_fill(struct guest_mem *mem, gpa_t gpa, uint8_t byte, size_t len)
{
	if (!accessible(mem, gpa, len, true)) {
		return -EFAULT;
	}
	while (len != 0) {
		struct gmem_span span;

		if (gmem_map(mem, gpa, len, &span) || span.read_only) {
			return -EFAULT;
		}
		memset(span.hva, byte, span.len);
		len -= span.len;
		gpa = gpa_add(gpa, span.len);
	}
	return 0;
}

/* Regions are page aligned on both sides: an aligned word never leaves its region. */
static void *find_word(const struct guest_mem *mem, gpa_t gpa, size_t size, bool write)
{
	return is_aligned(gpa.v, size) ? find_run(mem, gpa.v, size, write) : NULL;
}

int gmem_words_add(struct gmem_words *words, const struct guest_mem *mem, gpa_t gpa, uint64_t value)
{
	const uint8_t *p;

	if (words->n == GMEM_WORDS) {
		return -ENOSPC;
	}
	if ((gpa.v & PAGE_MASK) > PAGE_SIZE - sizeof(value) ||
	        gmem_maybe_overlaid(mem, gpa, sizeof(value))) {
		return -EFAULT;
	}
	p = find_run(mem, gpa.v, sizeof(value), false);
	if (!p) {
		return -EFAULT;
	}
	words->pages |= BIT64((gpa.v >> PAGE_SHIFT) % 64);
	for (unsigned i = words->n; i < (words->n == 0 ? GMEM_WORDS : words->n + 1); i++) {
		words->words[i] = (struct gmem_word){p, value};
	}
	words->n++;
	return 0;
}

int gmem_read_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t *value)
{
	const uint64_t *p = find_word(mem, gpa, sizeof(*p), false);

	if (!p) {
		return -EFAULT;
	}
	*value = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	return 0;
}

int gmem_read_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t *value)
{
	const uint32_t *p = find_word(mem, gpa, sizeof(*p), false);

	if (!p) {
		return -EFAULT;
	}
	*value = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	return 0;
}

int gmem_cmpxchg_u64(struct guest_mem *mem, gpa_t gpa, uint64_t expect, uint64_t value)
{
	uint64_t *p = find_word(mem, gpa, sizeof(*p), true);

	if (!p) {
		return -EFAULT;
	}
	return __atomic_compare_exchange_n(
	               p, &expect, value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
	               ? 0
	               : -EAGAIN;
}

int gmem_cmpxchg_u32(struct guest_mem *mem, gpa_t gpa, uint32_t expect, uint32_t value)
{
	uint32_t *p = find_word(mem, gpa, sizeof(*p), true);

	if (!p) {
		return -EFAULT;
	}
	return __atomic_compare_exchange_n(
	               p, &expect, value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
	               ? 0
	               : -EAGAIN;
}

int gmem_map_ram(const struct guest_mem *mem, gpa_t gpa, uint64_t len, struct gmem_span *span)
{
	const struct gmem_region *r = find(mem, gpa.v);
	uint64_t off, run;

	if (!r) {
		return -EFAULT;
	}
	off = gpa.v - r->gpa.v;
	run = r->len - off;
	*span = (struct gmem_span){
	        .hva = r->hva + off, .hpa = hpa_add(r->hpa, off), .len = len < run ? len : run};
	return 0;
}

/* How far a run of RAM reaches before an overlay begins: whole pages after its first. */
static uint64_t until_overlay(const struct guest_mem *mem, gpa_t gpa, uint64_t len)
{
	uint64_t first = gpa.v & ~PAGE_MASK;

	/* By overlays, not by pages: a run may be all of a VM's memory. */
	for (uint32_t i = 0; i < mem->n_overlays; i++) {
		uint64_t at = __atomic_load_n(&mem->overlays[i].gpa, __ATOMIC_ACQUIRE);

		if (at != GMEM_NOWHERE && at > first && at - gpa.v < len) {
			len = at - gpa.v;
		}
	}
	return len;
}

int gmem_map(const struct guest_mem *mem, gpa_t gpa, uint64_t len, struct gmem_span *span)
{
	const struct gmem_overlay *o;
	uint64_t off = gpa.v & PAGE_MASK;
	int err;

	if (!gmem_maybe_overlaid(mem, gpa, len)) {
		return gmem_map_ram(mem, gpa, len, span);
	}
	o = gmem_overlay_at(mem, gpa);
	if (o) {
		*span = (struct gmem_span){.hva = o->hva + off,
		        .hpa = hpa_add(o->hpa, off),
		        .len = len < PAGE_SIZE - off ? len : PAGE_SIZE - off,
		        .read_only = !o->writable};
		return 0;
	}
	err = gmem_map_ram(mem, gpa, len, span);
	if (!err) {
		span->len = until_overlay(mem, gpa, span->len);
	}
	return err;
}

uint64_t gmem_clear(struct guest_mem *mem, uint64_t from, uint64_t len)
{
	uint64_t done = 0;

	for (uint32_t i = 0; i < mem->n_regions && done < len; i++) {
		const struct gmem_region *r = &mem->regions[i];

		if (from < r->len) {
			uint64_t run = r->len - from < len - done ? r->len - from : len - done;

			memset(r->hva + from, 0, run);
			done += run;
			from = 0;
		} else {
			from -= r->len;
		}
	}
	return done;
}
