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

#define IO_BUS_HINTS 64U /* a power of two */

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
	uint8_t hints[IO_BUS_HINTS]; /* [a] the row last hit for addresses with this hash; may be
	                                stale */
	struct io_map maps[2];
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
uint64_t io_bus_read(struct io_bus *bus, uint64_t addr, unsigned width);
void io_bus_write(struct io_bus *bus, uint64_t addr, unsigned width, uint64_t value);
/* true when some range claims this access (for "unclaimed" statistics and logs). */
bool io_bus_claims(struct io_bus *bus, uint64_t addr, unsigned width);

#endif
