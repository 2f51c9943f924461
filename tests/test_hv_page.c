// SPDX-License-Identifier: BSD-2-Clause
// Pages that synthetic MSRs place: the hypercall page, the VP assist page, one over another.
#include "tests/hv_msr_world.h"

START_TEST(the_hypercall_page)
{
	static const uint8_t code[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x01, 0xc1, 0xc3, 0xcc};
	uint8_t bytes[PAGE_SIZE];

	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_OS_ID), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), 0);
	/* Not for a guest that has not said who it is: the place is kept, the bit is not. */
	wr(HV_MSR_HYPERCALL, PAGE_AT | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_GUEST_OS_ID), OS_ID);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(PAGE_AT), 0x55, PAGE_SIZE), 0);
	wr(HV_MSR_HYPERCALL, PAGE_AT | 0xffd); /* bits between are kept */
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_HYPERCALL), PAGE_AT | 0xffd);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(PAGE_AT), bytes, PAGE_SIZE), 0);
	ck_assert_mem_eq(bytes, code, sizeof(code));
	for (unsigned i = sizeof(code); i < PAGE_SIZE; i++) {
		ck_assert_uint_eq(bytes[i], 0xcc);
	}
	ck_assert_int_ne(gmem_fill(&vm->mem, gpa(PAGE_AT), 0, 1), 0);
	/* Without an identity the page goes, and the RAM is what it was. */
	wr(HV_MSR_GUEST_OS_ID, 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL) & 1, 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0x55);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL) & 1, 0);
}
END_TEST

START_TEST(the_hypercall_page_locked)
{
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	wr(HV_MSR_HYPERCALL, PAGE_AT | HV_HYPERCALL_MSR_LOCKED | 1);
	wr(HV_MSR_HYPERCALL, 0);
	wr(HV_MSR_HYPERCALL, OTHER_PAGE | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT | HV_HYPERCALL_MSR_LOCKED | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0xf3);
	vm->pv->vm_reset(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_OS_ID), 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
}
END_TEST

START_TEST(the_hypercall_page_moves)
{
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	wr(HV_MSR_HYPERCALL, PAGE_AT | 1);
	wr(HV_MSR_HYPERCALL, OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0xf3);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_HYPERCALL, 1ULL << 46 | 1));
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0xf3);
}
END_TEST

/* --- pages over each other, over devices, and back --- */

static const struct {
	uint32_t msr;
	uint8_t first; /* byte of the page */
} pages[] = {          /* in order of precedence */
        {HV_MSR_HYPERCALL, 0xf3}, {HV_MSR_REFERENCE_TSC, 1}, {HV_MSR_VP_ASSIST_PAGE, 0xa1},
        {HV_MSR_SIEFP, 0xa2}, {HV_MSR_SIMP, 0xa3}};

static void mark(uint64_t at, uint8_t byte)
{
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), byte, 1), 0);
}

START_TEST(pages_over_each_other)
{
	mark(PAGE_AT, 0x55);
	mark(OTHER_PAGE, 0x66);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	for (unsigned i = ARRAY_SIZE(pages); i-- > 0;) {
		wr(pages[i].msr, PAGE_AT | 1);
		if (pages[i].first >= 0xa0 && pages[i].first < 0xb0) {
			mark(PAGE_AT, pages[i].first);
		}
		ck_assert_uint_eq(byte_at(PAGE_AT), pages[i].first);
	}
	/* The uppermost goes: the next one is seen. */
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		ck_assert_uint_eq(byte_at(PAGE_AT), pages[i].first);
		wr(pages[i].msr, OTHER_PAGE | 1);
		ck_assert_uint_eq(byte_at(OTHER_PAGE), pages[0].first);
	}
	ck_assert_uint_eq(byte_at(PAGE_AT), 0x55);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		wr(pages[i].msr, 0);
	}
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0x66);
}
END_TEST

static const uint64_t odd_places[] = {
        0xa0000, 0xfec00000, 0xfed00000, WORLD_MEM, SIZE_4G, (1ULL << 46) - PAGE_SIZE};

START_TEST(a_page_where_no_ram_is)
{
	uint64_t at = odd_places[_i / ARRAY_SIZE(pages)];
	uint32_t msr = pages[_i % ARRAY_SIZE(pages)].msr;
	uint8_t b;
	uint64_t to, len;

	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), -EFAULT);
	wr(msr, at | 1);
	ck_assert_uint_eq(rd(vcpu, msr), at | 1);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at + PAGE_SIZE - 1), &b, 1), 0);
	ck_assert_uint_ne(fake_mapping(at, &to, &len), 0);
	wr(msr, 0);
	/* The device, or nothing, again. */
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), -EFAULT);
	ck_assert_uint_eq(fake_mapping(at, &to, &len), 0);
}
END_TEST

START_TEST(below_the_local_apic)
{
	uint8_t b;

	wr(HV_MSR_SIMP, 0xfee00000 | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), 0xfee00001);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(0xfee00000), &b, 1), -EFAULT);
}
END_TEST

START_TEST(page_zero)
{
	mark(0, 0x77);
	wr(HV_MSR_SIMP, 1);
	ck_assert_uint_eq(byte_at(0), 0);
	wr(HV_MSR_SIMP, 0);
	ck_assert_uint_eq(byte_at(0), 0x77);
}
END_TEST

/* Memory for the tables of a split large page may run out: the guest gets #GP and keeps what it
 * had. */
START_TEST(no_memory_for_a_page)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		wr(HV_MSR_GUEST_OS_ID, OS_ID);
		fake_map_error = -ENOMEM;
		ck_assert(!hv_msr_write(vcpu, pages[i].msr, PAGE_AT | 1));
		fake_map_error = 0;
		ck_assert_uint_eq(rd(vcpu, pages[i].msr), 0);
		ck_assert_uint_eq(byte_at(PAGE_AT), 0);
		wr(pages[i].msr, PAGE_AT | 1);
		wr(pages[i].msr, 0);
	}
}
END_TEST

START_TEST(the_vp_assist_page)
{
	wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1); /* before any identity */
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), PAGE_AT | 1);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_ASSIST_PAGE), 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	mark(PAGE_AT + 100, 9);
	wr(HV_MSR_VP_ASSIST_PAGE, OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(OTHER_PAGE + 100), 9);
	wr(HV_MSR_VP_ASSIST_PAGE, 0);
	wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT + 100), 0);
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), PAGE_AT | 1);
	vm->pv->vcpu_reset(vcpu, true);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), 0);
}
END_TEST

/* Its first bit: the handler needs no EOI; for a guest that has the page, and the feature. */
START_TEST(the_eoi_assist)
{
	for (unsigned i = 0; i < 3; i++) {
		vm = hv_world(2, i == 2 ? ALL & ~(1U << HV_EOI_ASSIST) : ALL);
		vcpu = vm->vcpus[0];
		if (i > 0) {
			wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
		}
		lapic_post(&vcpu->lapic, 0x50, false);
		ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x50);
		lapic_ack(&vcpu->lapic, 0x50);
		ck_assert_uint_eq(byte_at(PAGE_AT), i == 1 ? HV_APIC_ASSIST_NO_EOI : 0);
		/* Taken away while it is served, and brought back. */
		wr(HV_MSR_VP_ASSIST_PAGE, 0);
		wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
		ck_assert_uint_eq(byte_at(PAGE_AT), 0);
		wr(HV_MSR_EOI, 0);
		ck_assert_uint_eq(lapic_read(&vcpu->lapic, LAPIC_ISR + 0x20), 0);
	}
}
END_TEST

UNIT_MAIN("hv_page", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, the_hypercall_page); tcase_add_test(tc, the_hypercall_page_locked);
          tcase_add_test(tc, the_hypercall_page_moves); tcase_add_test(tc, pages_over_each_other);
          tcase_add_loop_test(
                  tc, a_page_where_no_ram_is, 0, ARRAY_SIZE(odd_places) * ARRAY_SIZE(pages));
          tcase_add_test(tc, below_the_local_apic); tcase_add_test(tc, page_zero);
          tcase_add_test(tc, no_memory_for_a_page); tcase_add_test(tc, the_vp_assist_page);
          tcase_add_test(tc, the_eoi_assist);)
