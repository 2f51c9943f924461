// SPDX-License-Identifier: BSD-2-Clause
// Keeps decoded instructions together with what they were decoded from.
// Specs: [SDM3] "Handling Self- and Cross-Modifying Code", "Caching Translation Information".
#include "vmm/insn_cache.h"

#include "vmm/lib/string.h"

_Static_assert(WALK_MAX_LEVELS + INSN_CACHE_BYTES / 8 <= GMEM_WORDS, "entries and code fit");
_Static_assert(INSN_CACHE_BYTES >= INSN_MAX_LEN, "a whole instruction is compared");

void insn_cache_keep(struct insn_cache *cache, const struct guest_mem *mem,
        const struct fetch_context *at, const struct walk_trace *trace, gpa_t code,
        const uint8_t *bytes, const struct insn *insn)
{
	struct insn_cache_entry *e = &cache->entries[insn_cache_index(at->rip)];
	int err = 0;

	memset(e, 0, sizeof(*e));
	for (unsigned i = 0; i < trace->n && !err; i++) {
		err = gmem_words_add(&e->words, mem, trace->steps[i].at, trace->steps[i].entry);
	}
	for (unsigned i = 0; i < INSN_CACHE_BYTES && !err; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		err = gmem_words_add(&e->words, mem, gpa_add(code, i), word);
	}
	if (!err) {
		e->insn = *insn;
		e->at = *at;
	}
}
