// SPDX-License-Identifier: BSD-2-Clause
// Which MSRs a guest touches without an exit: exactly the list, and nothing beside it.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include <string.h>

static uint8_t bitmap[3 * PAGE_SIZE];
static uint8_t *const map = bitmap + PAGE_SIZE;

static void setup(void)
{
	memset(bitmap, 0x5a, sizeof(bitmap));
	msr_bitmap_init(map);
}

/* [SDM3] "MSR-Bitmap Address": four bitmaps of 1024 bytes. */
static bool exits(uint32_t msr, bool write)
{
	unsigned part = (msr >= 0xc0000000U ? 1024 : 0) + (write ? 2048 : 0);

	return (map[part + (msr & 0x1fff) / 8] >> (msr % 8)) & 1;
}

static const uint32_t both[] = {0x174, 0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000081,
        0xc0000082, 0xc0000083, 0xc0000084};

static bool listed(uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
		if (both[i] == msr) {
			return true;
		}
	}
	return false;
}

START_TEST(only_the_list)
{
	for (uint32_t i = 0; i < 0x4000; i++) {
		uint32_t msr = i < 0x2000 ? i : 0xc0000000U + (i & 0x1fff);

		ck_assert_msg(exits(msr, false) == (!listed(msr) && msr != MSR_IA32_TSC),
		        "read of %#x", msr);
		ck_assert_msg(exits(msr, true) == !listed(msr), "write of %#x", msr);
	}
}
END_TEST

/* EFER decides the IA-32e control, TSC_AUX is saved with RDTSCP only: both exit. */
START_TEST(these_always_exit)
{
	const uint32_t msrs[] = {MSR_IA32_EFER, MSR_IA32_TSC_AUX, MSR_IA32_APIC_BASE,
	        MSR_IA32_SPEC_CTRL, MSR_IA32_PAT, MSR_IA32_DEBUGCTL, MSR_IA32_XSS, 0x830, 0x480};

	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		ck_assert(exits(msrs[i], false) && exits(msrs[i], true));
	}
}
END_TEST

START_TEST(stays_in_its_page)
{
	msr_bitmap_allow(map, 0, true, true);
	msr_bitmap_allow(map, 0xc0001fff, true, true);
	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		ck_assert(bitmap[i] == 0x5a && bitmap[2 * PAGE_SIZE + i] == 0x5a);
	}
	ck_assert(!exits(0, false) && !exits(0, true));
	ck_assert(!exits(0xc0001fff, false) && !exits(0xc0001fff, true));
	ck_assert(exits(1, false) && exits(0xc0001ffe, true));
}
END_TEST

START_TEST(one_way)
{
	msr_bitmap_allow(map, 0x800, true, false);
	ck_assert(!exits(0x800, false) && exits(0x800, true));
	msr_bitmap_allow(map, 0x800, false, true);
	ck_assert(exits(0x800, false) && !exits(0x800, true));
	msr_bitmap_allow(map, 0x800, false, false);
	ck_assert(exits(0x800, false) && exits(0x800, true));
}
END_TEST

UNIT_MAIN("msr_bitmap", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, only_the_list); tcase_add_test(tc, these_always_exit);
          tcase_add_test(tc, stays_in_its_page); tcase_add_test(tc, one_way);)
