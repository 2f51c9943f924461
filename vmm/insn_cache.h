/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that touched device memory lately, decoded, one cache a vCPU: drivers use few of
 * them, again and again. An entry is used only while a fetch and a decoding now would give the
 * same: RIP, CR3 and mode are the same, and so are the page-table entries that led to the code and
 * the code's bytes, which are compared each time. So neither self-modifying code nor another vCPU
 * that rewrites code or page tables can have an instruction carried out as what it was.
 *
 * 64-bit code, and instructions within one page, are kept; the rest is decoded each time.
 * Specs: [SDM3] "Handling Self- and Cross-Modifying Code", "Caching Translation Information".
 */
#ifndef VMM_INSN_CACHE_H
#define VMM_INSN_CACHE_H

#include "vmm/cpu_virt.h"
#include "vmm/guest_mem.h"
#include "vmm/guest_walk.h"
#include "vmm/insn.h"

#define INSN_CACHE_BITS 4
#define INSN_CACHE_BYTES 16U /* compared: the longest instruction and one more */

/* (v) all zeros = empty */
struct insn_cache {
	struct insn_cache_entry {
		struct fetch_context at; /* mode 0 = empty */
		struct gmem_words words;
		struct insn insn;
	} entries[1U << INSN_CACHE_BITS];
};

static inline unsigned insn_cache_index(uint64_t rip)
{
	return ((uint32_t)rip * 0x9e3779b1U) >> (32 - INSN_CACHE_BITS);
}

/* The instruction at *at; NULL = not known. */
static inline const struct insn *insn_cache_hit(
        const struct insn_cache *cache, const struct guest_mem *mem, const struct fetch_context *at)
{
	const struct insn_cache_entry *e = &cache->entries[insn_cache_index(at->rip)];

	if (((e->at.rip ^ at->rip) | (e->at.cr3 ^ at->cr3) | (e->at.mode ^ at->mode)) != 0 ||
	        !gmem_words_same(&e->words, mem)) {
		return NULL;
	}
	return &e->insn;
}

/*
 * Keep what was decoded: found at code through the entries of trace, from these bytes
 * (INSN_CACHE_BYTES of them, on one page).
 */
void insn_cache_keep(struct insn_cache *cache, const struct guest_mem *mem,
        const struct fetch_context *at, const struct walk_trace *trace, gpa_t code,
        const uint8_t *bytes, const struct insn *insn);

#endif
