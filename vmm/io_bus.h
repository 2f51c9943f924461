/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who answers a port or a guest-physical address: one bus for ports and one for MMIO a VM.
 *
 * Fixed ranges never overlap each other. Ranges that the guest moves (BARs, the PM base)
 * have lower priority: where one overlaps something registered before it, it is hidden as a whole
 * and comes back when the overlap ends; a hidden range hides nothing itself. An access belongs to a
 * range when its first byte does and its last byte does too; what nobody claims reads all ones and
 * is dropped when written.
 *
 * Ranges are added, moved and removed at any time on any CPU; lookups take no lock.
 */
#ifndef VMM_IO_BUS_H
#define VMM_IO_BUS_H

#include "vmm/lib/bits.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

#define IO_BUS_MAX_RANGES 64

/*
 * offset: bytes from the range's base. width: 1, 2, 4 (8 on MMIO). Values are in the low
 * 'width' bytes; the bus masks what read returns. Context: the vCPU's CPU, no locks held;
 * a device takes its own. An access never fails: bad ones read ones and are ignored.
 */
struct io_ops {
	const char *name;
	uint64_t (*read)(void *dev, uint64_t offset, unsigned width);
	void (*write)(void *dev, uint64_t offset, unsigned width, uint64_t value);
};

enum io_kind { IO_FIXED, IO_MOVABLE };

struct io_range {
	uint64_t base; /* first address; for IO_MOVABLE changed by io_bus_move only */
	uint64_t len;  /* bytes, not 0, does not wrap */
	const struct io_ops *ops;
	void *dev;
	enum io_kind kind;
	bool enabled; /* [bus lock] a disabled movable range answers nothing */
	uint32_t seq; /* [bus lock] order of registration: earlier wins among movable ranges */
};

/* One immutable picture of the bus, sorted by base, without overlaps. */
struct io_map {
	uint32_t n;
	uint32_t pad;
	struct io_row {
		uint64_t base;
		uint64_t span; /* last address less base */
		void *dev;
		uint64_t (*read)(void *dev, uint64_t offset, unsigned width);
		void (*write)(void *dev, uint64_t offset, unsigned width, uint64_t value);
	} rows[IO_BUS_MAX_RANGES];
};

/*
 * Readers use maps[generation & 1] and look again when the generation has moved meanwhile; a
 * writer builds the other map and publishes it by counting up. So nobody waits: a map is
 * written only two generations later.
 */
struct io_bus {
	uint64_t limit;       /* (c) highest address: 0xffff or the physical-address maximum */
	struct spinlock lock; /* of ranges and of building maps */
	uint32_t n_ranges;    /* [lock] */
	uint32_t next_seq;    /* [lock] */
	uint32_t generation;  /* [a] which map is in use */
	struct io_range *ranges[IO_BUS_MAX_RANGES]; /* [lock] owned by the devices; by seq */
	struct io_map maps[2];
};

/*
 * Who answers accesses of one width at one address; nobody's go to functions that do nothing. One
 * line of the cache.
 */
struct io_target {
	uint64_t key; /* of address and width; 0 = none */
	void *dev;
	uint64_t offset;
	uint64_t (*read)(void *dev, uint64_t offset, unsigned width);
	void (*write)(void *dev, uint64_t offset, unsigned width, uint64_t value);
} __attribute__((aligned(64)));

/*
 * What one vCPU found on a bus lately: a frequent access is one comparison and one call. Only the
 * vCPU's own CPU uses it; a bus that has changed since empties it. All zeros = empty.
 */
#define IO_CACHE_BITS 5
#define IO_CACHE_TARGETS (1U << IO_CACHE_BITS)
struct io_cache {
	uint32_t generation; /* of the bus when these were found */
	struct io_target targets[IO_CACHE_TARGETS];
};

void io_bus_init(struct io_bus *bus, uint64_t limit);

/*
 * Register *range (it stays the caller's and must live until removed). -EEXIST when a fixed
 * range overlaps a fixed one or *range is registered already, -EINVAL when empty, wrapping or
 * beyond the limit (a disabled movable range may be anywhere), -ENOSPC when full. Fixed ranges are
 * always enabled. A NULL read gives ones, a NULL write does nothing.
 */
__must_check int io_bus_add(struct io_bus *bus, struct io_range *range);
void io_bus_remove(struct io_bus *bus, struct io_range *range);
/* Movable ranges only: new place and whether it answers at all. A place beyond the limit disables
 * it. */
void io_bus_move(struct io_bus *bus, struct io_range *range, uint64_t base, bool enabled);

/* width 1, 2, 4, 8. */
uint64_t io_bus_read(const struct io_bus *bus, uint64_t addr, unsigned width);
void io_bus_write(const struct io_bus *bus, uint64_t addr, unsigned width, uint64_t value);
/* addr: below 2^60. */
static inline uint64_t io_cache_key(uint64_t addr, unsigned width)
{
	return addr << 4 | width;
}

static inline unsigned io_cache_index(uint64_t key)
{
	/* By the golden ratio: neighbours and equal offsets come to lie apart. */
	return ((uint32_t)key * 0x9e3779b1U) >> (32 - IO_CACHE_BITS);
}

/* What the cache holds; NULL = nothing. Good for one access at once. */
static inline const struct io_target *io_cache_hit(
        const struct io_cache *cache, const struct io_bus *bus, uint64_t addr, unsigned width)
{
	uint64_t key = io_cache_key(addr, width);
	const struct io_target *t = &cache->targets[io_cache_index(key)];
	uint32_t generation = __atomic_load_n(&bus->generation, __ATOMIC_ACQUIRE);

	return t->key == key && cache->generation == generation ? t : NULL;
}

/* The same, searched for if need be. */
const struct io_target *io_cache_find(
        struct io_cache *cache, const struct io_bus *bus, uint64_t addr, unsigned width);

/* The same accesses through a vCPU's cache. */
static inline uint64_t io_cache_read(
        struct io_cache *cache, const struct io_bus *bus, uint64_t addr, unsigned width)
{
	const struct io_target *t = io_cache_find(cache, bus, addr, width);

	return t->read(t->dev, t->offset, width) & width_mask(width);
}

static inline void io_cache_write(struct io_cache *cache, const struct io_bus *bus, uint64_t addr,
        unsigned width, uint64_t value)
{
	const struct io_target *t = io_cache_find(cache, bus, addr, width);

	t->write(t->dev, t->offset, width, value & width_mask(width));
}

/* true when some range claims this access (for "unclaimed" statistics and logs). */
bool io_bus_claims(const struct io_bus *bus, uint64_t addr, unsigned width);

#endif
