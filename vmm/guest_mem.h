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

/* true when all of [gpa, gpa+len) is RAM. */
bool gmem_is_ram(const struct guest_mem *mem, gpa_t gpa, uint64_t len);

/*
 * RAM to zero, not the overlays, for a VM's next life: at most len bytes from byte 'from' on,
 * counted over all regions. Returns how many; less than len = this was the end.
 */
uint64_t gmem_clear(struct guest_mem *mem, uint64_t from, uint64_t len);

#endif
