// SPDX-License-Identifier: BSD-2-Clause
// Reference time: the MSR and the page say the same, on every vCPU, and the page says no more.
#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x300000ULL
#define TICK 100ULL

static struct vm *vm;
static struct vcpu *vcpu;

static void setup(void)
{
	vm = hv_world(2, ALL);
	vcpu = vm->vcpus[0];
	ck_assert(hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, PAGE_AT | 1));
}

static struct hv_reference_tsc page(void)
{
	struct hv_reference_tsc p;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(PAGE_AT), &p, sizeof(p)), 0);
	return p;
}

/* [TLFS] "Partition Reference TSC Mechanism", as a guest does it. */
static uint64_t by_page(uint64_t tsc)
{
	struct hv_reference_tsc p = page();

	ck_assert_uint_ne(p.sequence, 0);
	ck_assert_uint_ne(p.sequence, ~0U);
	return (uint64_t)(((unsigned __int128)tsc * p.scale) >> 64) + (uint64_t)p.offset;
}

static uint64_t guest_tsc(void)
{
	return clock_tsc() + vm->tsc_offset;
}

START_TEST(msr_and_page_agree)
{
	uint64_t before = 0;

	for (uint64_t step = 1; step < 1ULL << 50; step += step / 3 + 17) {
		uint64_t value = rd(vcpu, HV_MSR_TIME_REF_COUNT);

		ck_assert_uint_eq(value, by_page(guest_tsc()));
		ck_assert_uint_eq(value, rd(vm->vcpus[1], HV_MSR_TIME_REF_COUNT));
		ck_assert_uint_ge(value, before);
		before = value;
		fake_clock_set(clock_now() + step);
	}
}
END_TEST

START_TEST(its_unit_is_100_ns)
{
	fake_clock_set(3600 * NS_PER_SEC + 50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TIME_REF_COUNT), 3600 * HV_TICKS_PER_SEC);
	/* Years later it is still right, to the unit. */
	fake_clock_set(400000000 * NS_PER_SEC + 50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TIME_REF_COUNT), 400000000 * HV_TICKS_PER_SEC);
}
END_TEST

START_TEST(the_scale)
{
	/* floor(2^64 / 100): 1 GHz */
	ck_assert_uint_eq(page().scale, 184467440737095516ULL);
	ck_assert_int_eq(page().offset, 0);
}
END_TEST

START_TEST(a_pause_does_not_count)
{
	uint64_t before;

	fake_clock_set(NS_PER_SEC + 50);
	before = rd(vcpu, HV_MSR_TIME_REF_COUNT);
	fake_clock_set(10 * NS_PER_SEC + 50);
	vm->tsc_offset -= 9 * NS_PER_SEC;
	vm->pv->vm_resume(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TIME_REF_COUNT), before);
	ck_assert_uint_eq(by_page(guest_tsc()), before);
}
END_TEST

START_TEST(host_deadlines)
{
	fake_clock_set(12345);
	for (uint64_t due = 0; due < 3000; due += 7) {
		uint64_t ns = hv_reference_to_host_ns(vm, due);

		ck_assert_uint_ge(ns, 12345);
		ck_assert_uint_le(ns, (due * TICK > 12345 ? due * TICK : 12345) + TICK);
	}
	ck_assert_uint_eq(hv_reference_to_host_ns(vm, ~0ULL), ~0ULL);
	ck_assert_uint_eq(hv_reference_to_host_ns(vm, ~0ULL / TICK + 1000), ~0ULL);
}
END_TEST

/* --- [XSA-472]: what went wrong elsewhere --- */

/* The page enabled where there is no memory, over device memory, or beyond all: no page, no crash.
 */
START_TEST(enabled_while_it_is_unmapped)
{
	static const uint64_t places[] = {
	        0xa0000, 0xfec00000, 0xfee00000, WORLD_MEM, 1ULL << 40, (1ULL << 46) - PAGE_SIZE};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		ck_assert(hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, places[i] | 1));
		ck_assert_uint_eq(rd(vcpu, HV_MSR_REFERENCE_TSC), places[i] | 1);
		fake_clock_advance(TICK);
		vm->pv->vm_resume(vm);
		vm->pv->serve(vcpu);
	}
	ck_assert(!hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, 1ULL << 46 | 1));
	ck_assert(!hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, ~0ULL));
	ck_assert(hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, PAGE_AT | 1));
	ck_assert_uint_eq(by_page(guest_tsc()), rd(vcpu, HV_MSR_TIME_REF_COUNT));
}
END_TEST

/* Away and back by both vCPUs: the page is the VM's, and is never given back while it is there. */
START_TEST(placed_by_two)
{
	for (unsigned i = 0; i < 20; i++) {
		struct vcpu *who = vm->vcpus[i % 2];

		ck_assert(hv_msr_write(
		        who, HV_MSR_REFERENCE_TSC, (PAGE_AT + i % 3 * PAGE_SIZE) | (i % 5 != 4)));
	}
	ck_assert(hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, PAGE_AT | 1));
	ck_assert_uint_ne(page().sequence, 0);
}
END_TEST

static void check_rest_is_zero(void)
{
	uint8_t bytes[PAGE_SIZE];

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(PAGE_AT), bytes, PAGE_SIZE), 0);
	for (unsigned i = sizeof(struct hv_reference_tsc); i < PAGE_SIZE; i++) {
		ck_assert_uint_eq(bytes[i], 0);
	}
	ck_assert_uint_eq(page().reserved, 0);
}

/* User programs read this page: its 24 bytes, and nothing of the host's. */
START_TEST(the_page_holds_nothing_else)
{
	check_rest_is_zero();
	ck_assert_int_ne(gmem_fill(&vm->mem, gpa(PAGE_AT + 64), 0x55, 64), 0); /* only to read */
	check_rest_is_zero();
	vm->pv->vm_reset(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_REFERENCE_TSC), 0);
	ck_assert(hv_msr_write(vcpu, HV_MSR_REFERENCE_TSC, PAGE_AT | 1));
	check_rest_is_zero();
}
END_TEST

UNIT_MAIN("ref_time", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, msr_and_page_agree); tcase_add_test(tc, its_unit_is_100_ns);
          tcase_add_test(tc, the_scale); tcase_add_test(tc, a_pause_does_not_count);
          tcase_add_test(tc, host_deadlines); tcase_add_test(tc, enabled_while_it_is_unmapped);
          tcase_add_test(tc, placed_by_two); tcase_add_test(tc, the_page_holds_nothing_else);)
