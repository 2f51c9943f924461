// SPDX-License-Identifier: BSD-2-Clause
// The memory that test_vmbus_twice.c watches (tests/fake/watched.h): what is wrong is found.
#include "tests/fake/watched.h"

#include "tests/unit.h"
#include "vmm/x86.h"
#include <string.h>

static volatile uint64_t result;

START_TEST(what_is_wrong_is_found)
{
	static uint8_t memory[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	volatile uint64_t *words = (volatile uint64_t *)memory;

	watched_init(memory, sizeof(memory), true, 1);
	watched_set(memory, 64, WATCHED_READ_ONCE);
	watched_set(memory + 64, 64, WATCHED_READ);
	watched_set(memory + PAGE_SIZE, 64, WATCHED_WRITE);
	words[0] = words[8] = 0x1234;
	watched_on();
	result = words[0];
	watched_off();
	ck_assert_uint_eq(result, 0x1234);
	ck_assert_uint_ne(words[0], 0x1234);
	watched_on();
	result = words[8] + words[8];
	words[512] = 1;
	watched_off();
	ck_assert_uint_ne(result, 2 * 0x1234);
	ck_assert_uint_eq(watched_broken, 0);
	ck_assert_uint_eq(watched_reads, 3);
	ck_assert_uint_eq(watched_writes, 1);
	watched_on();
	result = *(volatile uint8_t *)(memory + 7);
	watched_off();
	ck_assert_uint_eq(watched_broken, 1);
	ck_assert_ptr_nonnull(strstr(watched_first, "byte 0x7 is read twice"));
	watched_fresh(memory, 8);
	watched_on();
	result = words[0]; /* fine */
	words[1] = 0;      /* not */
	result = words[512];
	words[512]++; /* its reading is not */
	watched_off();
	ck_assert_uint_eq(watched_broken, 1 + 8 + 8 + 8);
}
END_TEST

UNIT_MAIN("watched", tcase_add_test(tc, what_is_wrong_is_found);)
