// SPDX-License-Identifier: BSD-2-Clause
// Guest memory: regions sorted and disjoint, copies all or nothing.
#include "tests/unit.h"
#include "vmm/guest_mem.h"
#include "vmm/lib/err.h"
#include <string.h>

static uint8_t ram[8 * 4096] __attribute__((aligned(4096)));
static struct guest_mem mem;

/* RAM at 0-0x1fff and 0x2000-0x2fff (contiguous), a hole, RAM at 0x8000-0x8fff and at the top. */
static void setup(void)
{
	memset(&mem, 0, sizeof(mem));
	memset(ram, 0, sizeof(ram));
	ck_assert_int_eq(gmem_add(&mem, gpa(0x8000), ram + 0x5000, hpa(0x75000), 0x1000), 0);
	ck_assert_int_eq(gmem_add(&mem, gpa(0), ram, hpa(0x70000), 0x2000), 0);
	ck_assert_int_eq(gmem_add(&mem, gpa(0x2000), ram + 0x3000, hpa(0x73000), 0x1000), 0);
	ck_assert_int_eq(
	        gmem_add(&mem, gpa(0xfffffffffffff000ULL), ram + 0x6000, hpa(0x76000), 0x1000), 0);
}

START_TEST(add_keeps_order)
{
	setup();
	ck_assert_uint_eq(mem.n_regions, 4);
	for (unsigned i = 1; i < mem.n_regions; i++) {
		ck_assert(mem.regions[i - 1].gpa.v < mem.regions[i].gpa.v);
	}
}
END_TEST

static const struct {
	uint64_t gpa, len;
	unsigned hva_off;
	int want;
} bad_adds[] = {
        {0x10000, 0, 0, -EINVAL},
        {0x10001, 0x1000, 0, -EINVAL},
        {0x10000, 0x1001, 0, -EINVAL},
        {0x10000, 0x1000, 8, -EINVAL},
        {0xfffffffffffff000ULL, 0x2000, 0, -EINVAL}, /* wraps */
        {0x1000, 0x1000, 0, -EEXIST},                /* inside */
        {0, 0x10000, 0, -EEXIST},                    /* covers */
        {0x7000, 0x2000, 0, -EEXIST},                /* overlaps the start */
        {0x2000, 0x2000, 0, -EEXIST},                /* overlaps the end */
        {0xffffffffffffe000ULL, 0x2000, 0, -EEXIST}, /* the top page */
        {0x3000, 0x5000, 0, 0},                      /* fills the hole exactly */
        {0x9000, 0x1000, 0, 0},
};

START_TEST(add_checks)
{
	setup();
	ck_assert_int_eq(gmem_add(&mem, gpa(bad_adds[_i].gpa), ram + bad_adds[_i].hva_off,
	                         hpa(0x1000), bad_adds[_i].len),
	        bad_adds[_i].want);
}
END_TEST

START_TEST(add_until_full)
{
	memset(&mem, 0, sizeof(mem));
	for (unsigned i = 0; i < GMEM_MAX_REGIONS; i++) {
		ck_assert_int_eq(gmem_add(&mem, gpa(i * 0x2000ULL), ram, hpa(0), 0x1000), 0);
	}
	ck_assert_int_eq(gmem_add(&mem, gpa(0x1000000), ram, hpa(0), 0x1000), -ENOSPC);
}
END_TEST

static const struct {
	uint64_t gpa, len;
	bool ram;
} ranges[] = {
        {0, 1, true},
        {0, 0x3000, true},
        {0, 0x3001, false},
        {0x1fff, 2, true}, /* crosses contiguous regions */
        {0x2ffe, 2, true},
        {0x2fff, 2, false}, /* runs into the hole */
        {0x3000, 1, false},
        {0x7fff, 1, false},
        {0x7fff, 2, false},
        {0x8000, 0x1000, true},
        {0x5000, 0, true}, /* nothing, anywhere */
        {0xfffffffffffff000ULL, 0x1000, true},
        {0xffffffffffffffffULL, 1, true},
        {0xffffffffffffffffULL, 2, false}, /* would wrap to RAM at 0 */
        {0, UINT64_MAX, false},
        {0x8ffc, 8, false},
};

START_TEST(all_or_nothing)
{
	uint64_t at = ranges[_i].gpa, len = ranges[_i].len;
	static uint8_t buf[0x4000], other[0x4000], before[sizeof(ram)];
	int want = ranges[_i].ram ? 0 : -EFAULT;

	setup();
	ck_assert_int_eq(gmem_is_ram(&mem, gpa(at), len), ranges[_i].ram);
	ck_assert_int_eq(gmem_fill(&mem, gpa(at), 0x11, len), want);
	if (len > sizeof(buf)) {
		return;
	}
	for (unsigned i = 0; i < sizeof(buf); i++) {
		buf[i] = (uint8_t)(i * 7 + 1);
	}
	memcpy(before, ram, sizeof(ram));
	memset(other, 0xee, sizeof(other));
	ck_assert_int_eq(gmem_write(&mem, gpa(at), buf, len), want);
	ck_assert_int_eq(gmem_read(&mem, gpa(at), other, len), want);
	if (want == 0) {
		ck_assert_int_eq(memcmp(buf, other, len), 0);
	} else {
		ck_assert_int_eq(memcmp(before, ram, sizeof(ram)), 0);
		ck_assert_uint_eq(other[0], 0xee);
	}
	ck_assert_uint_eq(other[len], 0xee);
}
END_TEST

START_TEST(regions_reach_their_own_memory)
{
	uint16_t v = 0xbbaa;

	setup();
	ck_assert_int_eq(gmem_write(&mem, gpa(0x1fff), &v, 2), 0);
	ck_assert_uint_eq(ram[0x1fff], 0xaa);
	ck_assert_uint_eq(ram[0x3000], 0xbb);
	ck_assert_uint_eq(ram[0x2000], 0);
}
END_TEST

START_TEST(words)
{
	uint64_t v = 0x1122334455667788ULL, got;
	uint32_t got32;

	setup();
	ck_assert_int_eq(gmem_write(&mem, gpa(0x1008), &v, 8), 0);
	ck_assert_int_eq(gmem_read_u64(&mem, gpa(0x1008), &got), 0);
	ck_assert_uint_eq(got, v);
	ck_assert_int_eq(gmem_read_u32(&mem, gpa(0x100c), &got32), 0);
	ck_assert_uint_eq(got32, 0x11223344);
	ck_assert_int_eq(gmem_read_u64(&mem, gpa(0x100c), &got), -EFAULT);
	ck_assert_int_eq(gmem_read_u32(&mem, gpa(0x100a), &got32), -EFAULT);
	ck_assert_int_eq(gmem_read_u64(&mem, gpa(0x3000), &got), -EFAULT);
	ck_assert_int_eq(gmem_cmpxchg_u64(&mem, gpa(0x1008), v, 5), 0);
	ck_assert_int_eq(gmem_cmpxchg_u64(&mem, gpa(0x1008), v, 6), -EAGAIN);
	ck_assert_int_eq(gmem_cmpxchg_u64(&mem, gpa(0x1009), 5, 6), -EFAULT);
	ck_assert_int_eq(gmem_cmpxchg_u32(&mem, gpa(0x1008), 5, 7), 0);
	ck_assert_int_eq(gmem_cmpxchg_u32(&mem, gpa(0x1008), 5, 7), -EAGAIN);
	ck_assert_int_eq(gmem_cmpxchg_u32(&mem, gpa(0x4000), 5, 7), -EFAULT);
	ck_assert_uint_eq(ram[0x1008], 7);
}
END_TEST

START_TEST(map_stops_at_the_region)
{
	struct gmem_span span;

	setup();
	ck_assert_int_eq(gmem_map(&mem, gpa(0x1234), 0x10, &span), 0);
	ck_assert_ptr_eq(span.hva, ram + 0x1234);
	ck_assert_uint_eq(span.hpa.v, 0x71234);
	ck_assert_uint_eq(span.len, 0x10);
	ck_assert_int_eq(gmem_map(&mem, gpa(0x1ff0), 0x100, &span), 0);
	ck_assert_uint_eq(span.len, 0x10);
	ck_assert_int_eq(gmem_map(&mem, gpa(0x3000), 1, &span), -EFAULT);
}
END_TEST

START_TEST(clear_leaves_zeros)
{
	setup();
	memset(ram, 0xff, sizeof(ram));
	ck_assert_uint_eq(gmem_clear(&mem, 0, UINT64_MAX), 0x5000);
	ck_assert_uint_eq(ram[0], 0);
	ck_assert_uint_eq(ram[0x6fff], 0);
	ck_assert_uint_eq(ram[0x2000], 0xff); /* no region is backed by this page */
}
END_TEST

/* Pieces of any size reach every byte once, in order, and the end is told. */
START_TEST(clear_in_pieces)
{
	const uint64_t sizes[] = {0x1000, 0x1800, 0x7ff, 0x5000, 1, UINT64_MAX};
	uint64_t size = sizes[_i], at = 0, n;

	setup();
	memset(ram, 0xff, sizeof(ram));
	ck_assert_uint_eq(gmem_clear(&mem, 0, 0), 0);
	do {
		uint64_t zeros = 0;

		n = gmem_clear(&mem, at, size);
		ck_assert_uint_eq(n, size < 0x5000 - at ? size : 0x5000 - at);
		at += n;
		for (size_t i = 0; i < sizeof(ram); i++) {
			zeros += ram[i] == 0;
		}
		ck_assert_uint_eq(zeros, at);
	} while (n == size);
	ck_assert_uint_eq(at, 0x5000);
	ck_assert_uint_eq(gmem_clear(&mem, at, size), 0);
	ck_assert_uint_eq(gmem_clear(&mem, UINT64_MAX, size), 0);
}
END_TEST

UNIT_MAIN("guest_mem", tcase_add_test(tc, add_keeps_order);
          tcase_add_loop_test(tc, add_checks, 0, ARRAY_SIZE(bad_adds));
          tcase_add_test(tc, add_until_full);
          tcase_add_loop_test(tc, all_or_nothing, 0, ARRAY_SIZE(ranges));
          tcase_add_test(tc, regions_reach_their_own_memory); tcase_add_test(tc, words);
          tcase_add_test(tc, map_stops_at_the_region); tcase_add_test(tc, clear_leaves_zeros);
          tcase_add_loop_test(tc, clear_in_pieces, 0, 6);)
