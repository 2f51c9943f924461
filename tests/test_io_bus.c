// SPDX-License-Identifier: BSD-2-Clause
// The I/O bus: registration rules, priorities of ranges that move, lookups beside a writer.
// Specs: vmm/io_bus.h.
#include "tests/unit.h"
#include "vmm/io_bus.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <pthread.h>
#include <string.h>

static struct io_bus bus;

/* A device that says who it is and what it was asked. */
struct probe {
	uint64_t id;
	uint64_t offset, value;
	unsigned width, reads, writes;
};

static uint64_t probe_read(void *dev, uint64_t offset, unsigned width)
{
	struct probe *p = dev;

	p->offset = offset;
	p->width = width;
	p->reads++;
	return p->id;
}

static void probe_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct probe *p = dev;

	p->offset = offset;
	p->width = width;
	p->value = value;
	p->writes++;
}

static const struct io_ops probe_ops = {.name = "probe", .read = probe_read, .write = probe_write};
static const struct io_ops empty_ops = {.name = "empty"};

#define RANGE(b, l, d) ((struct io_range){.base = (b), .len = (l), .ops = &probe_ops, .dev = (d)})
#define MOVABLE(b, l, d) \
	((struct io_range){.base = (b), \
	        .len = (l), \
	        .ops = &probe_ops, \
	        .dev = (d), \
	        .kind = IO_MOVABLE, \
	        .enabled = true})

static struct probe probe[4] = {{.id = 0x11}, {.id = 0x22}, {.id = 0x33}, {.id = 0x44}};

START_TEST(empty_bus_reads_ones)
{
	io_bus_init(&bus, 0xffff);
	ck_assert_uint_eq(io_bus_read(&bus, 0, 1), 0xff);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1234, 2), 0xffff);
	ck_assert_uint_eq(io_bus_read(&bus, 0xfffc, 4), 0xffffffff);
	ck_assert_uint_eq(io_bus_read(&bus, ~0ULL, 8), ~0ULL);
	io_bus_write(&bus, 0x80, 1, 0);
	ck_assert(!io_bus_claims(&bus, 0, 1));
}
END_TEST

START_TEST(offsets_and_masks)
{
	struct io_range r = RANGE(0x3f8, 8, &probe[0]);

	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	probe[0].id = 0x1122334455667788ULL;
	ck_assert_uint_eq(io_bus_read(&bus, 0x3f8, 1), 0x88);
	ck_assert_uint_eq(io_bus_read(&bus, 0x3fa, 2), 0x7788);
	ck_assert_uint_eq(probe[0].offset, 2);
	ck_assert_uint_eq(probe[0].width, 2);
	ck_assert_uint_eq(io_bus_read(&bus, 0x3fc, 4), 0x55667788);
	io_bus_write(&bus, 0x3ff, 1, 0xabcd);
	ck_assert_uint_eq(probe[0].value, 0xcd);
	ck_assert_uint_eq(probe[0].offset, 7);
	io_bus_write(&bus, 0x3f8, 8, ~0ULL);
	ck_assert_uint_eq(probe[0].value, ~0ULL);
}
END_TEST

/* First and last byte must lie in the range. */
static const struct {
	uint64_t addr;
	unsigned width;
	bool claimed;
} edges[] = {
        {0x3f7, 1, false},
        {0x3f7, 2, false},
        {0x3f8, 1, true},
        {0x3f8, 8, true},
        {0x3f9, 8, false},
        {0x3fe, 2, true},
        {0x3ff, 1, true},
        {0x3ff, 2, false},
        {0x3fd, 4, false},
        {0x400, 1, false},
        {0, 1, false},
        {~0ULL, 1, false},
        {~0ULL, 8, false},
};

START_TEST(edge)
{
	struct io_range r = RANGE(0x3f8, 8, &probe[0]);
	unsigned before = probe[0].reads;

	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	ck_assert_int_eq(io_bus_claims(&bus, edges[_i].addr, edges[_i].width), edges[_i].claimed);
	io_bus_read(&bus, edges[_i].addr, edges[_i].width);
	ck_assert_uint_eq(probe[0].reads - before, edges[_i].claimed);
}
END_TEST

/* Adding {base, len} to a bus that has 0x100-0x10f and ends at 0xffff. */
static const struct {
	uint64_t base, len;
	int err;
} adds[] = {
        {0x110, 1, 0},
        {0xff, 1, 0},
        {0x10f, 1, -EEXIST},
        {0x100, 0x10, -EEXIST},
        {0xf0, 0x11, -EEXIST},
        {0, 0x10000, -EEXIST},
        {0x108, 4, -EEXIST},
        {0x200, 0, -EINVAL},
        {0xffff, 1, 0},
        {0xffff, 2, -EINVAL},
        {0x10000, 1, -EINVAL},
        {~0ULL, 1, -EINVAL},
        {0x200, ~0ULL, -EINVAL},
        {~0ULL, ~0ULL, -EINVAL},
};

START_TEST(add_checks)
{
	struct io_range first = RANGE(0x100, 0x10, &probe[0]);
	struct io_range r = RANGE(adds[_i].base, adds[_i].len, &probe[1]);

	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &first), 0);
	ck_assert_int_eq(io_bus_add(&bus, &first), -EEXIST);
	ck_assert_int_eq(io_bus_add(&bus, &r), adds[_i].err);
}
END_TEST

START_TEST(whole_address_space)
{
	struct io_range r = RANGE(0, ~0ULL, &probe[0]);
	struct io_range last = RANGE(~0ULL, 1, &probe[1]);

	io_bus_init(&bus, ~0ULL);
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	ck_assert_int_eq(io_bus_add(&bus, &last), 0);
	ck_assert(io_bus_claims(&bus, ~0ULL, 1));
	ck_assert(!io_bus_claims(&bus, ~0ULL, 2));
	ck_assert(!io_bus_claims(&bus, ~0ULL - 1, 2));
	ck_assert(io_bus_claims(&bus, ~0ULL - 1, 1));
}
END_TEST

START_TEST(full_table)
{
	static struct io_range r[IO_BUS_MAX_RANGES + 1];
	static struct probe p[IO_BUS_MAX_RANGES + 1];

	io_bus_init(&bus, 0xffff);
	/* Odd places first, downwards: sorting and searching have something to do. */
	for (unsigned i = 0; i <= IO_BUS_MAX_RANGES; i++) {
		unsigned at = i < 32 ? 63 - 2 * i : (i - 32) * 2;

		p[i].id = at;
		r[i] = RANGE(at * 0x10, 8, &p[i]);
		ck_assert_int_eq(io_bus_add(&bus, &r[i]), i < IO_BUS_MAX_RANGES ? 0 : -ENOSPC);
	}
	for (unsigned at = 0; at < IO_BUS_MAX_RANGES; at++) {
		ck_assert_uint_eq(io_bus_read(&bus, at * 0x10 + 7, 1), at);
		ck_assert_uint_eq(io_bus_read(&bus, at * 0x10 + 8, 1), 0xff);
	}
	io_bus_remove(&bus, &r[5]);
	ck_assert_uint_eq(io_bus_read(&bus, r[5].base, 1), 0xff);
	io_bus_remove(&bus, &r[5]);
	ck_assert_int_eq(io_bus_add(&bus, &r[IO_BUS_MAX_RANGES]), 0);
	for (unsigned i = 0; i < IO_BUS_MAX_RANGES; i++) {
		io_bus_remove(&bus, &r[i]);
	}
	ck_assert_uint_eq(io_bus_read(&bus, r[64].base, 1), p[64].id);
	ck_assert_uint_eq(io_bus_read(&bus, 0, 1), 0xff);
}
END_TEST

START_TEST(same_hash_different_rows)
{
	struct io_range a = RANGE(0x40, 4, &probe[0]);
	struct io_range b = RANGE(0x80, 4, &probe[1]);

	probe[0].id = 1;
	probe[1].id = 2;
	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &b), 0);
	ck_assert_int_eq(io_bus_add(&bus, &a), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(io_bus_read(&bus, 0x40, 1), 1);
		ck_assert_uint_eq(io_bus_read(&bus, 0x80, 1), 2);
		ck_assert_uint_eq(io_bus_read(&bus, 0xc0, 1), 0xff);
	}
	/* The hint points past the end of the new map. */
	io_bus_remove(&bus, &b);
	ck_assert_uint_eq(io_bus_read(&bus, 0x80, 1), 0xff);
	io_bus_remove(&bus, &a);
	ck_assert_uint_eq(io_bus_read(&bus, 0x40, 1), 0xff);
}
END_TEST

START_TEST(movable_hides_under_fixed)
{
	struct io_range m = MOVABLE(0x1000, 0x40, &probe[0]);
	struct io_range f = RANGE(0x2000, 0x10, &probe[1]);

	probe[0].id = 1;
	probe[1].id = 2;
	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &m), 0);
	ck_assert_int_eq(io_bus_add(&bus, &f), 0);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1000, 1), 1);
	io_bus_move(&bus, &m, 0x1ff0, true); /* as a whole: also where nothing overlaps */
	ck_assert_uint_eq(io_bus_read(&bus, 0x1ff0, 1), 0xff);
	ck_assert_uint_eq(io_bus_read(&bus, 0x2000, 1), 2);
	ck_assert_uint_eq(io_bus_read(&bus, 0x2010, 1), 0xff);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1000, 1), 0xff);
	io_bus_remove(&bus, &f);
	ck_assert_uint_eq(io_bus_read(&bus, 0x2000, 1), 1);
	/* A fixed range that comes later wins just the same. */
	ck_assert_int_eq(io_bus_add(&bus, &f), 0);
	ck_assert_uint_eq(io_bus_read(&bus, 0x2000, 1), 2);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1ff0, 1), 0xff);
	io_bus_move(&bus, &m, 0x3000, true);
	ck_assert_uint_eq(io_bus_read(&bus, 0x303f, 1), 1);
	io_bus_move(&bus, &m, 0x3000, false);
	ck_assert_uint_eq(io_bus_read(&bus, 0x303f, 1), 0xff);
	io_bus_move(&bus, &m, 0xfff0, true); /* sticks out */
	ck_assert_uint_eq(io_bus_read(&bus, 0xfff0, 1), 0xff);
	ck_assert(!m.enabled);
	io_bus_move(&bus, &m, ~0ULL, true);
	ck_assert(!m.enabled);
}
END_TEST

START_TEST(movable_order)
{
	struct io_range a = MOVABLE(0x1000, 0x100, &probe[0]);
	struct io_range b = MOVABLE(0x1000, 0x100, &probe[1]);
	struct io_range c = MOVABLE(0x10f0, 0x20, &probe[2]);
	struct io_range f = RANGE(0x1010, 1, &probe[3]);

	probe[0].id = 1;
	probe[1].id = 2;
	probe[2].id = 3;
	probe[3].id = 4;
	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &a), 0);
	ck_assert_int_eq(io_bus_add(&bus, &b), 0);
	ck_assert_int_eq(io_bus_add(&bus, &c), 0);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1000, 1), 1); /* earlier wins */
	ck_assert_uint_eq(io_bus_read(&bus, 0x1100, 1), 0xff);
	io_bus_move(&bus, &a, 0x4000, true);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1000, 1), 2);
	io_bus_move(&bus, &b, 0x5000, true);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1100, 1), 3);
	io_bus_move(&bus, &a, 0x1000, true);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1100, 1), 0xff);
	/* Hidden by the fixed one, a hides nothing itself. */
	ck_assert_int_eq(io_bus_add(&bus, &f), 0);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1100, 1), 3);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1010, 1), 4);
	ck_assert_uint_eq(io_bus_read(&bus, 0x1000, 1), 0xff);
}
END_TEST

START_TEST(disabled_movable_may_be_anywhere)
{
	struct io_range r = MOVABLE(~0ULL, 0x20000, &probe[0]);

	r.enabled = false;
	io_bus_init(&bus, 0xfffff);
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	ck_assert(!io_bus_claims(&bus, 0, 1));
	io_bus_move(&bus, &r, 0, true);
	ck_assert(io_bus_claims(&bus, 0x1ffff, 1));
	r = MOVABLE(0, 0, &probe[0]);
	r.enabled = false;
	io_bus_init(&bus, 0xfffff);
	ck_assert_int_eq(io_bus_add(&bus, &r), -EINVAL);
}
END_TEST

START_TEST(missing_handlers)
{
	struct io_range r = RANGE(0x80, 1, NULL);

	r.ops = &empty_ops;
	io_bus_init(&bus, 0xffff);
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	ck_assert(r.enabled);
	ck_assert_uint_eq(io_bus_read(&bus, 0x80, 1), 0xff);
	io_bus_write(&bus, 0x80, 1, 1);
	ck_assert(io_bus_claims(&bus, 0x80, 1));
}
END_TEST

static struct probe still = {.id = 0x5a}, mover = {.id = 0xa5};

static uint64_t id_read(void *dev, uint64_t offset, unsigned width)
{
	(void)width;
	return ((struct probe *)dev)->id + (offset << 8);
}

static const struct io_ops id_ops = {.name = "id", .read = id_read};

/* --- a vCPU's cache --- */

START_TEST(cache_gives_what_the_bus_gives)
{
	static const struct {
		uint64_t addr;
		unsigned width;
	} rows[] = {{0x3f8, 1}, {0x3f8, 2}, {0x3f8, 4}, {0x3fa, 2}, {0x3ff, 1}, {0x3ff, 2},
	        {0x3f7, 1}, {0, 1}, {0xffff, 1}, {0xfffc, 4}};
	struct io_range r = RANGE(0x3f8, 8, &probe[0]);
	static struct io_cache cache;

	io_bus_init(&bus, 0xffff);
	memset(&cache, 0, sizeof(cache));
	probe[0].id = 0x1122334455667788;
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	/* The second round hits. */
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		uint64_t addr = rows[i % ARRAY_SIZE(rows)].addr;
		unsigned width = rows[i % ARRAY_SIZE(rows)].width;
		unsigned writes = probe[0].writes;
		uint64_t want = io_bus_read(&bus, addr, width);

		probe[0].offset = probe[0].width = 99;
		ck_assert_uint_eq(io_cache_read(&cache, &bus, addr, width), want);
		if (io_bus_claims(&bus, addr, width)) {
			ck_assert_uint_eq(probe[0].offset, addr - 0x3f8);
			ck_assert_uint_eq(probe[0].width, width);
		}
		ck_assert_ptr_nonnull(io_cache_hit(&cache, &bus, addr, width));
		io_cache_write(&cache, &bus, addr, width, ~0ULL);
		ck_assert_uint_eq(
		        probe[0].writes - writes, io_bus_claims(&bus, addr, width) ? 1 : 0);
		if (probe[0].writes != writes) {
			ck_assert_uint_eq(probe[0].value, width_mask(width));
		}
	}
	ck_assert_ptr_null(io_cache_hit(&cache, &bus, 0x3f9, 1));
	probe[0].id = 0x11;
}
END_TEST

START_TEST(cache_follows_the_bus)
{
	struct io_range m = MOVABLE(0x1000, 0x40, &probe[1]), f = RANGE(0x2000, 4, &probe[0]);
	static struct io_cache cache;

	io_bus_init(&bus, 0xffff);
	memset(&cache, 0, sizeof(cache));
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x1000, 1), 0xff);
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x2000, 1), 0xff);
	ck_assert_int_eq(io_bus_add(&bus, &m), 0);
	ck_assert_int_eq(io_bus_add(&bus, &f), 0);
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x1000, 1), 0x22);
	ck_assert_ptr_null(io_cache_hit(&cache, &bus, 0x2000, 1)); /* all of it is out of date */
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x2000, 1), 0x11);
	io_bus_move(&bus, &m, 0x3000, true);
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x3000, 1), 0x22);
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x1000, 1), 0xff);
	io_bus_remove(&bus, &f);
	ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x2000, 1), 0xff);
}
END_TEST

/* More addresses than places: the older ones go. */
START_TEST(cache_overflows)
{
	struct io_range r = RANGE(0x4000, 0x1000, &still);
	static struct io_cache cache;

	r.ops = &id_ops;
	io_bus_init(&bus, 0xffff);
	memset(&cache, 0, sizeof(cache));
	ck_assert_int_eq(io_bus_add(&bus, &r), 0);
	for (unsigned i = 0; i < 3 * 0x1000; i++) {
		uint64_t offset = i * 7 % 0x1000;

		ck_assert_uint_eq(io_cache_read(&cache, &bus, 0x4000 + offset, 1), 0x5a);
		ck_assert_uint_eq(io_cache_hit(&cache, &bus, 0x4000 + offset, 1)->offset, offset);
	}
}
END_TEST

/* A writer moves a range back and forth while readers look: each answer must be one of the maps'.
 */
static unsigned readers_left;

#define LOOKS 300000U

static void *reader(void *arg)
{
	struct io_cache cache = {0};
	uintptr_t bad = 0;

	(void)arg;
	for (unsigned i = 0; i < LOOKS; i++) {
		uint64_t low = io_bus_read(&bus, 0x1003, 2), high = io_bus_read(&bus, 0xf003, 2);

		bad += io_bus_read(&bus, 0xe002, 2) != 0x25a;
		low = i & 1 ? io_cache_read(&cache, &bus, 0x1003, 2) : low;
		high = i & 1 ? io_cache_read(&cache, &bus, 0xf003, 2) : high;
		bad += low != 0x3a5 && low != 0xffff;
		bad += high != 0x3a5 && high != 0xffff;
	}
	__atomic_fetch_sub(&readers_left, 1, __ATOMIC_RELEASE);
	return (void *)bad;
}

START_TEST(readers_beside_a_writer)
{
	static struct io_range fill[IO_BUS_MAX_RANGES - 2];
	struct io_range s = RANGE(0xe000, 0x10, &still);
	struct io_range m = MOVABLE(0x1000, 0x10, &mover);
	pthread_t threads[2];

	s.ops = &id_ops;
	m.ops = &id_ops;
	io_bus_init(&bus, 0xffff);
	/* A full bus, so that building a map takes longer than looking. */
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++) {
		fill[i] = RANGE(0x2000 + i * 0x10, 0x10, &probe[0]);
		ck_assert_int_eq(io_bus_add(&bus, &fill[i]), 0);
	}
	ck_assert_int_eq(io_bus_add(&bus, &s), 0);
	ck_assert_int_eq(io_bus_add(&bus, &m), 0);
	readers_left = 2;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, NULL), 0);
	}
	for (unsigned i = 0; __atomic_load_n(&readers_left, __ATOMIC_ACQUIRE); i++) {
		io_bus_move(&bus, &m, i & 1 ? 0x1000 : 0xf000, true);
	}
	for (int i = 0; i < 2; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		ck_assert_ptr_null(bad);
	}
}
END_TEST

UNIT_MAIN("io_bus", tcase_add_test(tc, empty_bus_reads_ones); tcase_add_test(tc, offsets_and_masks);
          tcase_add_loop_test(tc, edge, 0, ARRAY_SIZE(edges));
          tcase_add_loop_test(tc, add_checks, 0, ARRAY_SIZE(adds));
          tcase_add_test(tc, whole_address_space); tcase_add_test(tc, full_table);
          tcase_add_test(tc, same_hash_different_rows);
          tcase_add_test(tc, movable_hides_under_fixed); tcase_add_test(tc, movable_order);
          tcase_add_test(tc, disabled_movable_may_be_anywhere);
          tcase_add_test(tc, missing_handlers); tcase_add_test(tc, cache_gives_what_the_bus_gives);
          tcase_add_test(tc, cache_follows_the_bus); tcase_add_test(tc, cache_overflows);
          tcase_add_test(tc, readers_beside_a_writer);)
