// SPDX-License-Identifier: BSD-2-Clause
// Small hypercalls: a long wait for a lock, VP indexes by APIC id.
#include "tests/hypercall_world.h"

START_TEST(a_long_spin_yields)
{
	ck_assert_int_eq(go(HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_CALL_FAST, 100, 0), ACT_YIELD);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
}
END_TEST

static struct {
	struct hv_vp_index_input head;
	uint32_t ids[4];
} by_id;

START_TEST(vp_index_by_apic_id)
{
	uint32_t found[3];

	by_id.head = (struct hv_vp_index_input){.partition = HV_PARTITION_SELF};
	by_id.ids[0] = 1;
	by_id.ids[1] = 0;
	by_id.ids[2] = 2;
	put(INPUT, &by_id, sizeof(by_id));
	for (unsigned i = 0; i < 2; i++) {
		/* Either feature brings it. */
		world(2, 1U << (i ? HV_VP_REGS : HV_START_VP));
		put(INPUT, &by_id, sizeof(by_id));
		ck_assert_uint_eq(
		        call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 3), INPUT, OUTPUT),
		        2ULL << 32 | HV_STATUS_INVALID_PARAMETER);
		ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT), found, 12), 0);
		ck_assert_uint_eq(found[0], 1);
		ck_assert_uint_eq(found[1], 0);
	}
	by_id.head.partition = 5;
	put(INPUT, &by_id, sizeof(by_id));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 1), INPUT, OUTPUT),
	        HV_STATUS_INVALID_PARTITION_ID);
	world(2, ALL & ~(1U << HV_VP_REGS | 1U << HV_START_VP));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 1), INPUT, OUTPUT),
	        HV_STATUS_ACCESS_DENIED);
}
END_TEST

UNIT_MAIN("hv_misc", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_long_spin_yields); tcase_add_test(tc, vp_index_by_apic_id);)
