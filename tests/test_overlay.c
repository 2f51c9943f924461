// SPDX-License-Identifier: BSD-2-Clause
// Overlay pages: over RAM, over holes, over each other, and away again.
#include "tests/fake/fake.h"
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lapic.h"
#include "vmm/lib/err.h"
#include "vmm/overlay.h"
#include <string.h>

#define ARENA 0x1000000ULL
#define MEM (8 * SIZE_2M)
#define RAM_HPA 0x100000000ULL
#define HOLE 0xfec00000ULL

static struct vm *vm;
static uint8_t *pages;
static int code, data; /* overlays: read and execute; read and write, below the other */

static void setup(void)
{
	vm = fake_vm(MEM, 1);
	pages = fake_phys_init(ARENA, 16 * PAGE_SIZE);
	code = overlay_add(vm, pages, false, true);
	data = overlay_add(vm, pages + PAGE_SIZE, true, false);
	ck_assert_int_eq(code, 0);
	ck_assert_int_eq(data, 1);
	memset(pages, 0xc0, PAGE_SIZE);
	memset(pages + PAGE_SIZE, 0xda, PAGE_SIZE);
}

static uint8_t byte_at(uint64_t at)
{
	uint8_t b = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), 0);
	return b;
}

static void check_mapped(uint64_t at, uint64_t to, enum map_prot prot)
{
	uint64_t len, found;

	ck_assert_uint_eq(fake_mapping(at, &found, &len), prot);
	if (prot) {
		ck_assert_uint_eq(found, to);
	}
}

START_TEST(over_ram_and_away)
{
	const uint64_t at = SIZE_2M + 0x3000;
	uint64_t to, len;

	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), 0x55, PAGE_SIZE), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, at + 0x123), 0);
	check_mapped(at, ARENA + PAGE_SIZE, MAP_READ | MAP_WRITE);
	ck_assert_uint_eq(byte_at(at), 0xda);
	ck_assert_uint_eq(byte_at(at - 1), 0);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), 0x77, 8), 0);
	ck_assert_uint_eq(pages[PAGE_SIZE], 0x77);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, GMEM_NOWHERE), 0);
	/* The RAM's old contents, and the large page as a whole. */
	ck_assert_uint_eq(byte_at(at), 0x55);
	ck_assert_uint_eq(fake_mapping(at, &to, &len), MAP_RWX);
	ck_assert_uint_eq(to, RAM_HPA + at);
	ck_assert_uint_eq(len, SIZE_2M);
	ck_assert_uint_eq(vm->mem.overlay_filter, 0);
}
END_TEST

START_TEST(a_large_page_waits_for_its_last_overlay)
{
	uint64_t to, len;

	ck_assert_int_eq(overlay_place(vm, (unsigned)code, SIZE_2M), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, SIZE_2M + PAGE_SIZE), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, GMEM_NOWHERE), 0);
	ck_assert_uint_eq(fake_mapping(SIZE_2M, &to, &len), MAP_RWX);
	ck_assert_uint_eq(len, PAGE_SIZE);
	check_mapped(SIZE_2M + PAGE_SIZE, ARENA + PAGE_SIZE, MAP_READ | MAP_WRITE);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, 3 * SIZE_2M), 0);
	fake_mapping(SIZE_2M, &to, &len);
	ck_assert_uint_eq(len, SIZE_2M);
}
END_TEST

/* RAM is not one run below 2 MiB: the VGA window. */
START_TEST(beside_the_vga_window)
{
	uint64_t to, len;

	ck_assert_int_eq(overlay_place(vm, (unsigned)code, 0x9f000), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, GMEM_NOWHERE), 0);
	ck_assert_uint_eq(fake_mapping(0x9f000, &to, &len), MAP_RWX);
	ck_assert_uint_eq(to, RAM_HPA + 0x9f000);
	ck_assert_uint_eq(len, PAGE_SIZE);
}
END_TEST

START_TEST(over_a_hole)
{
	uint8_t b;

	ck_assert_int_eq(overlay_place(vm, (unsigned)data, HOLE), 0);
	check_mapped(HOLE, ARENA + PAGE_SIZE, MAP_READ | MAP_WRITE);
	ck_assert_uint_eq(byte_at(HOLE + 4095), 0xda);
	ck_assert(gmem_is_ram(&vm->mem, gpa(HOLE), PAGE_SIZE));
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(HOLE + PAGE_SIZE), &b, 1), -EFAULT);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, GMEM_NOWHERE), 0);
	check_mapped(HOLE, 0, (enum map_prot)0);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(HOLE), &b, 1), -EFAULT);
}
END_TEST

START_TEST(over_each_other)
{
	const uint64_t at = 5 * SIZE_2M;

	ck_assert_int_eq(overlay_place(vm, (unsigned)data, at), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, at), 0);
	check_mapped(at, ARENA, MAP_READ | MAP_EXEC);
	ck_assert_uint_eq(byte_at(at), 0xc0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, GMEM_NOWHERE), 0);
	check_mapped(at, ARENA + PAGE_SIZE, MAP_READ | MAP_WRITE);
	ck_assert_uint_eq(byte_at(at), 0xda);
	/* The lower one moves away below the upper one: nothing changes there. */
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, at), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, GMEM_NOWHERE), 0);
	check_mapped(at, ARENA, MAP_READ | MAP_EXEC);
}
END_TEST

START_TEST(what_may_not_be_written)
{
	const uint64_t at = SIZE_2M;
	const uint8_t zeros[32] = {0};
	uint64_t v = 0;
	struct gmem_span span;

	ck_assert_int_eq(overlay_place(vm, (unsigned)code, at), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), zeros, 8), -EFAULT);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at - 16), zeros, 32), -EFAULT);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at - 16), 1, 32), -EFAULT);
	ck_assert_int_eq(gmem_cmpxchg_u64(&vm->mem, gpa(at), 0, 1), -EFAULT);
	ck_assert_int_eq(gmem_read_u64(&vm->mem, gpa(at), &v), 0);
	ck_assert_uint_eq(v, 0xc0c0c0c0c0c0c0c0ULL);
	ck_assert_int_eq(gmem_map(&vm->mem, gpa(at + 8), SIZE_2M, &span), 0);
	ck_assert(span.read_only);
	ck_assert_uint_eq(span.len, PAGE_SIZE - 8);
	ck_assert_ptr_eq(span.hva, pages + 8);
	ck_assert_uint_eq(byte_at(at - 1), 0); /* nothing of what failed was done */
}
END_TEST

START_TEST(runs_end_at_overlays)
{
	struct gmem_span span;
	uint8_t buf[3 * PAGE_SIZE];

	ck_assert_int_eq(overlay_place(vm, (unsigned)data, SIZE_2M + 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(gmem_map(&vm->mem, gpa(SIZE_2M + 16), SIZE_2M, &span), 0);
	ck_assert_uint_eq(span.len, 2 * PAGE_SIZE - 16);
	ck_assert(!span.read_only);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIZE_2M + PAGE_SIZE), buf, sizeof(buf)), 0);
	ck_assert_uint_eq(buf[0], 0);
	ck_assert_uint_eq(buf[PAGE_SIZE], 0xda);
	ck_assert_uint_eq(buf[2 * PAGE_SIZE - 1], 0xda);
	ck_assert_uint_eq(buf[2 * PAGE_SIZE], 0);
}
END_TEST

START_TEST(places_that_are_none)
{
	uint8_t b;

	ck_assert_int_eq(overlay_place(vm, (unsigned)data, 1ULL << 52), -EINVAL);
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, LAPIC_DEFAULT_BASE), 0);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(LAPIC_DEFAULT_BASE), &b, 1), -EFAULT);
	check_mapped(LAPIC_DEFAULT_BASE, 0, (enum map_prot)0);
}
END_TEST

START_TEST(no_memory_leaves_it_nowhere)
{
	fake_map_error = -ENOMEM;
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, SIZE_2M), -ENOMEM);
	fake_map_error = 0;
	ck_assert_uint_eq(byte_at(SIZE_2M), 0);
	ck_assert_uint_eq(vm->mem.overlay_filter, 0);
}
END_TEST

START_TEST(reset_takes_all_away)
{
	ck_assert_int_eq(overlay_place(vm, (unsigned)data, SIZE_2M), 0);
	ck_assert_int_eq(overlay_place(vm, (unsigned)code, 2 * SIZE_2M), 0);
	overlay_reset(vm);
	ck_assert_uint_eq(byte_at(SIZE_2M), 0);
	ck_assert_uint_eq(byte_at(2 * SIZE_2M), 0);
	gmem_clear(&vm->mem, 0, UINT64_MAX);
	ck_assert_uint_eq(pages[0], 0xc0);
}
END_TEST

START_TEST(until_full)
{
	for (unsigned i = 2; i < GMEM_MAX_OVERLAYS; i++) {
		ck_assert_int_eq(overlay_add(vm, pages, true, false), (int)i);
	}
	ck_assert_int_eq(overlay_add(vm, pages, true, false), -ENOSPC);
	for (unsigned i = 0; i < GMEM_MAX_OVERLAYS; i++) {
		ck_assert_int_eq(overlay_place(vm, i, (1 + i) * PAGE_SIZE), 0);
	}
	ck_assert_uint_eq(byte_at(PAGE_SIZE), 0xc0);
	overlay_reset(vm);
}
END_TEST

UNIT_MAIN("overlay", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, over_ram_and_away);
          tcase_add_test(tc, a_large_page_waits_for_its_last_overlay);
          tcase_add_test(tc, beside_the_vga_window); tcase_add_test(tc, over_a_hole);
          tcase_add_test(tc, over_each_other); tcase_add_test(tc, what_may_not_be_written);
          tcase_add_test(tc, runs_end_at_overlays); tcase_add_test(tc, places_that_are_none);
          tcase_add_test(tc, no_memory_leaves_it_nowhere); tcase_add_test(tc, reset_takes_all_away);
          tcase_add_test(tc, until_full);)
