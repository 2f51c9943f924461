// SPDX-License-Identifier: BSD-2-Clause
// Interrupts to vCPUs by hypercall.
#include "tests/hypercall_world.h"

static bool posted(unsigned cpu, unsigned vector)
{
	return (vm->vcpus[cpu]->lapic.pir[vector / 64] & BIT64(vector % 64)) != 0;
}

START_TEST(cluster_ipi)
{
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x55, 2 | 1ULL << 40), HV_STATUS_SUCCESS);
	ck_assert(posted(1, 0x55));
	ck_assert(!posted(0, 0x55));
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x0f, 2), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x100, 2), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(call(HV_CALL_SEND_IPI | HV_CALL_FAST, 1ULL << 32 | 0x55, 2),
	        HV_STATUS_INVALID_PARAMETER); /* another trust level */
}
END_TEST

START_TEST(cluster_ipi_by_banks)
{
	struct {
		struct hv_ipi_ex_input head;
		uint64_t bank;
	} in = {.head = {.vector = 0x66, .valid_banks = 1}, .bank = 3};

	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_SEND_IPI_EX | VAR(1), INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert(posted(0, 0x66));
	ck_assert(posted(1, 0x66));
}
END_TEST

UNIT_MAIN("hv_ipi", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, cluster_ipi);
          tcase_add_test(tc, cluster_ipi_by_banks);)
