/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's memory: the one door to it. Guest memory is hostile and changes under us: copy
 * once, check the copy, use the copy.
 *
 * RAM is a few regions of guest-physical space, each backed by contiguous host memory
 * (2 MiB or larger pages). Overlay pages of the host lie over it, or over holes; they count as RAM
 * here, as the guest sees them. Everything else in guest-physical space is a hole: devices
 * (vmm/io_bus.h) or nothing.
 */
#ifndef VMM_GUEST_MEM_H
#define VMM_GUEST_MEM_H

#include "vmm/lib/guest_layout.h" /* GMEM_LOW_MAX, GMEM_VGA_* */
#include "vmm/lib/types.h"

#define GMEM_MAX_REGIONS 64
#define GMEM_MAX_OVERLAYS 64
#define GMEM_NOWHERE (~0ULL)

struct gmem_region {
	gpa_t gpa;    /* (c) 4 KiB aligned */
	uint64_t len; /* (c) bytes */
	uint8_t *hva; /* (c) host mapping */
	hpa_t hpa;    /* (c) contiguous */
};

/* A host-owned page that lies over whatever is at its place; vmm/overlay.c moves it. */
struct gmem_overlay {
	uint64_t gpa;  /* [a] page-aligned; GMEM_NOWHERE = not in place */
	uint8_t *hva;  /* (c) one page, which lives as long as the VM */
	hpa_t hpa;     /* (c) */
	bool writable; /* (c) by the guest */
	bool exec;     /* (c) */
};

struct guest_mem {
	uint64_t size;           /* (c) bytes of RAM its owner asked for */
	uint32_t n_regions;      /* (c) */
	uint32_t n_overlays;     /* (c) after the VM was made */
	uint64_t overlay_filter; /* [a] bit n: an overlay's page number is n modulo 64 */
	struct gmem_overlay overlays[GMEM_MAX_OVERLAYS]; /* where two meet, the first is on top */
	struct gmem_region regions[GMEM_MAX_REGIONS];    /* (c) sorted by gpa */
};

/* Add RAM. -EINVAL for misaligned or wrapping ranges, -EEXIST on overlap, -ENOSPC when full. */
__must_check int gmem_add(struct guest_mem *mem, gpa_t gpa, void *hva, hpa_t hpa, uint64_t len);

/* Copy; -EFAULT, with nothing copied, when any byte is not RAM, or is written and belongs to an
 * overlay that the guest may only read. len 0 is fine anywhere. */
__must_check int gmem_read(const struct guest_mem *mem, gpa_t gpa, void *buf, size_t len);
__must_check int gmem_write(struct guest_mem *mem, gpa_t gpa, const void *buf, size_t len);
__must_check int gmem_fill(struct guest_mem *mem, gpa_t gpa, uint8_t byte, size_t len);

/*
 * Naturally aligned values, read or written in one access (page-table entries). -EFAULT also
 * when gpa is not aligned.
 */
__must_check int gmem_read_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t *value);
__must_check int gmem_read_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t *value);
/* Atomic compare-and-exchange of an aligned word; -EAGAIN when it held something else. */
__must_check int gmem_cmpxchg_u64(
        struct guest_mem *mem, gpa_t gpa, uint64_t expect, uint64_t value);
__must_check int gmem_cmpxchg_u32(
        struct guest_mem *mem, gpa_t gpa, uint32_t expect, uint32_t value);

/* A piece of guest memory for direct access by a backend; never read twice what decides. */
struct gmem_span {
	uint8_t *hva;
	hpa_t hpa;
	uint64_t len; /* bytes, may be less than asked: the run ends with its region or at an
	                 overlay */
	bool read_only;
};

/* The run of RAM at gpa, at most len bytes. -EFAULT when gpa is not RAM. */
__must_check int gmem_map(
        const struct guest_mem *mem, gpa_t gpa, uint64_t len, struct gmem_span *span);

/* The overlay on top at the page of gpa; NULL = none. */
const struct gmem_overlay *gmem_overlay_at(const struct guest_mem *mem, gpa_t gpa);
/* The RAM at gpa, whatever lies over it; -EFAULT when there is none. */
__must_check int gmem_map_ram(
        const struct guest_mem *mem, gpa_t gpa, uint64_t len, struct gmem_span *span);

/*
 * What was read from RAM, to find out later whether it would be read again. For something that was
 * worked out from guest memory and shall be used again: it must be kept itself, too, and nothing
 * but the comparison may look at the memory.
 */
#define GMEM_WORDS 6U
struct gmem_words {
	uint64_t pages; /* where overlays must not lie: as overlay_filter */
	uint32_t n;
	struct gmem_word { /* those beyond n repeat the first one */
		const uint8_t *at;
		uint64_t value;
	} words[GMEM_WORDS];
};

/* One more: value was at gpa. -EFAULT when it is not RAM or on two pages, -ENOSPC. */
__must_check int gmem_words_add(
        struct gmem_words *words, const struct guest_mem *mem, gpa_t gpa, uint64_t value);
static inline uint64_t gmem_word_differs(const struct gmem_word *word)
{
	uint64_t now;

	__builtin_memcpy(&now, word->at, sizeof(now));
	return now ^ word->value;
}

/* Is it all as it was? Not for an empty set. */
static inline bool gmem_words_same(const struct gmem_words *w, const struct guest_mem *mem)
{
	uint64_t filter = __atomic_load_n(&mem->overlay_filter, __ATOMIC_ACQUIRE);

	_Static_assert(GMEM_WORDS == 6, "one term for each word");
	return ((filter & w->pages) | gmem_word_differs(&w->words[0]) |
	               gmem_word_differs(&w->words[1]) | gmem_word_differs(&w->words[2]) |
	               gmem_word_differs(&w->words[3]) | gmem_word_differs(&w->words[4]) |
	               gmem_word_differs(&w->words[5])) == 0;
}

/* Could an overlay lie at one of these bytes? Mostly no, at the price of a test. */
static inline bool gmem_maybe_overlaid(const struct guest_mem *mem, gpa_t gpa, uint64_t len)
{
	uint64_t filter = __atomic_load_n(&mem->overlay_filter, __ATOMIC_ACQUIRE);
	uint64_t first = gpa.v >> PAGE_SHIFT, last = (gpa.v + len - 1) >> PAGE_SHIFT;

	if (filter == 0 || len == 0) {
		return false;
	}
	return first == last ? (filter >> (first % 64)) & 1 : true;
}

/* true when all of [gpa, gpa+len) is RAM. */
bool gmem_is_ram(const struct guest_mem *mem, gpa_t gpa, uint64_t len);

/*
 * RAM to zero, not the overlays, for a VM's next life: at most len bytes from byte 'from' on,
 * counted over all regions. Returns how many; less than len = this was the end.
 */
uint64_t gmem_clear(struct guest_mem *mem, uint64_t from, uint64_t len);

#endif
