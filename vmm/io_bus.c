// SPDX-License-Identifier: BSD-2-Clause
// Routes port and MMIO accesses to the device that claims the address.
// Specs: [PCI3] "Base Addresses" (ranges that move); [PIIX4] "Register descriptions" (fixed ones).
#include "vmm/io_bus.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

_Static_assert(sizeof(struct io_target) == 64, "one line of the processor's cache");

static uint64_t read_ones(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)offset;
	return width_mask(width);
}

static void write_nothing(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	(void)offset;
	(void)width;
	(void)value;
}

void io_bus_init(struct io_bus *bus, uint64_t limit)
{
	memset(bus, 0, sizeof(*bus));
	bus->limit = limit;
}

static bool fits(const struct io_bus *bus, uint64_t base, uint64_t len)
{
	return len != 0 && base <= bus->limit && len - 1 <= bus->limit - base;
}

/* Inclusive ends, so that a range may end at the last address there is. */
static bool overlap(uint64_t a, uint64_t a_span, uint64_t b, uint64_t b_span)
{
	return a <= b + b_span && b <= a + a_span;
}

/* Put the range in its place in the map, unless it overlaps a row that is there already. */
static void map_insert(struct io_map *map, const struct io_range *range)
{
	uint64_t span = range->len - 1;
	uint32_t i;

	for (i = 0; i < map->n; i++) {
		if (overlap(range->base, span, map->rows[i].base, map->rows[i].span)) {
			return;
		}
	}
	for (i = map->n; i > 0 && map->rows[i - 1].base > range->base; i--) {
		map->rows[i] = map->rows[i - 1];
	}
	map->rows[i] = (struct io_row){
	        .base = range->base,
	        .span = span,
	        .dev = range->dev,
	        .read = range->ops->read ? range->ops->read : read_ones,
	        .write = range->ops->write ? range->ops->write : write_nothing,
	};
	map->n++;
}

static void rebuild_locked(struct io_bus *bus)
{
	uint32_t next = bus->generation + 1;
	struct io_map *map = &bus->maps[next & 1];

	/*
	 * Readers of this map started two generations ago: they must see the last count (stored
	 * before) when they see any of these writes.
	 */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	map->n = 0;
	for (uint32_t i = 0; i < bus->n_ranges; i++) {
		if (bus->ranges[i]->kind == IO_FIXED) {
			map_insert(map, bus->ranges[i]);
		}
	}
	for (uint32_t i = 0; i < bus->n_ranges; i++) {
		if (bus->ranges[i]->kind == IO_MOVABLE && bus->ranges[i]->enabled) {
			map_insert(map, bus->ranges[i]);
		}
	}
	__atomic_store_n(&bus->generation, next, __ATOMIC_RELEASE);
}

static int check_locked(const struct io_bus *bus, const struct io_range *range)
{
	bool anywhere = range->kind == IO_MOVABLE && !range->enabled && range->len != 0;

	if (!anywhere && !fits(bus, range->base, range->len)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < bus->n_ranges; i++) {
		const struct io_range *other = bus->ranges[i];

		if (other == range) {
			return -EEXIST;
		}
		if (range->kind == IO_FIXED && other->kind == IO_FIXED &&
		        overlap(range->base, range->len - 1, other->base, other->len - 1)) {
			return -EEXIST;
		}
	}
	return bus->n_ranges == IO_BUS_MAX_RANGES ? -ENOSPC : 0;
}

int io_bus_add(struct io_bus *bus, struct io_range *range)
{
	int err;

	spin_lock(&bus->lock);
	err = check_locked(bus, range);
	if (!err) {
		if (range->kind == IO_FIXED) {
			range->enabled = true;
		}
		range->seq = bus->next_seq++;
		bus->ranges[bus->n_ranges++] = range;
		rebuild_locked(bus);
	}
	spin_unlock(&bus->lock);
	return err;
}

void io_bus_remove(struct io_bus *bus, struct io_range *range)
{
	uint32_t i;

	spin_lock(&bus->lock);
	for (i = 0; i < bus->n_ranges && bus->ranges[i] != range; i++) {
	}
	if (i < bus->n_ranges) {
		bus->n_ranges--;
		for (; i < bus->n_ranges; i++) {
			bus->ranges[i] = bus->ranges[i + 1];
		}
		rebuild_locked(bus);
	}
	spin_unlock(&bus->lock);
}

void io_bus_move(struct io_bus *bus, struct io_range *range, uint64_t base, bool enabled)
{
	BUG_ON(range->kind != IO_MOVABLE);
	enabled = enabled && fits(bus, base, range->len);
	spin_lock(&bus->lock);
	/* Guests rewrite BARs with what they hold: no new map for that. */
	bool changed = range->enabled != enabled || (enabled && range->base != base);

	range->base = base;
	range->enabled = enabled;
	if (changed) {
		rebuild_locked(bus);
	}
	spin_unlock(&bus->lock);
}

static inline bool row_has(const struct io_row *row, uint64_t addr, unsigned width)
{
	uint64_t base = __atomic_load_n(&row->base, __ATOMIC_RELAXED);
	uint64_t span = __atomic_load_n(&row->span, __ATOMIC_RELAXED);
	uint64_t offset = addr - base;

	return offset <= span && span - offset >= width - 1;
}

/* The last row whose base is not above addr: the only one that can hold it. */
static uint32_t search(const struct io_map *map, uint64_t addr)
{
	uint32_t lo = 0, hi = __atomic_load_n(&map->n, __ATOMIC_RELAXED);

	while (hi - lo > 1) {
		uint32_t mid = (lo + hi) / 2;

		if (__atomic_load_n(&map->rows[mid].base, __ATOMIC_RELAXED) <= addr) {
			lo = mid;
		} else {
			hi = mid;
		}
	}
	return lo;
}

/* Was everything since 'generation' was loaded read from one map? */
static inline bool still_current(const struct io_bus *bus, uint32_t generation)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&bus->generation, __ATOMIC_RELAXED) == generation;
}

/* One look at the map of a generation, which may be overwritten meanwhile. */
static bool look(const struct io_bus *bus, uint32_t generation, uint64_t addr, unsigned width,
        struct io_target *out)
{
	const struct io_map *map = &bus->maps[generation & 1];
	const struct io_row *row = &map->rows[search(map, addr)];

	out->key = io_cache_key(addr, width);
	if (__atomic_load_n(&map->n, __ATOMIC_RELAXED) == 0 || !row_has(row, addr, width)) {
		out->dev = NULL;
		out->offset = 0;
		out->read = read_ones;
		out->write = write_nothing;
		return false;
	}
	out->dev = __atomic_load_n(&row->dev, __ATOMIC_RELAXED);
	out->offset = addr - __atomic_load_n(&row->base, __ATOMIC_RELAXED);
	out->read = __atomic_load_n(&row->read, __ATOMIC_RELAXED);
	out->write = __atomic_load_n(&row->write, __ATOMIC_RELAXED);
	return true;
}

/* Look until the map stands still for that long. false = nobody claims the access. */
static bool lookup(const struct io_bus *bus, uint64_t addr, unsigned width, struct io_target *out,
        uint32_t *generation)
{
	bool found;

	do {
		*generation = __atomic_load_n(&bus->generation, __ATOMIC_ACQUIRE);
		found = look(bus, *generation, addr, width, out);
	} while (!still_current(bus, *generation));
	return found;
}

const struct io_target *io_cache_find(
        struct io_cache *cache, const struct io_bus *bus, uint64_t addr, unsigned width)
{
	const struct io_target *hit = io_cache_hit(cache, bus, addr, width);
	struct io_target *t;
	uint32_t generation;

	if (hit) {
		return hit;
	}
	t = &cache->targets[io_cache_index(io_cache_key(addr, width))];
	(void)lookup(bus, addr, width, t, &generation);
	if (cache->generation != generation) {
		for (unsigned i = 0; i < IO_CACHE_TARGETS; i++) {
			if (&cache->targets[i] != t) {
				cache->targets[i].key = 0;
			}
		}
		cache->generation = generation;
	}
	return t;
}

uint64_t io_bus_read(const struct io_bus *bus, uint64_t addr, unsigned width)
{
	uint32_t generation;
	struct io_target t;

	(void)lookup(bus, addr, width, &t, &generation);
	return t.read(t.dev, t.offset, width) & width_mask(width);
}

void io_bus_write(const struct io_bus *bus, uint64_t addr, unsigned width, uint64_t value)
{
	uint32_t generation;
	struct io_target t;

	(void)lookup(bus, addr, width, &t, &generation);
	t.write(t.dev, t.offset, width, value & width_mask(width));
}

bool io_bus_claims(const struct io_bus *bus, uint64_t addr, unsigned width)
{
	uint32_t generation;
	struct io_target t;

	return lookup(bus, addr, width, &t, &generation);
}
