// SPDX-License-Identifier: BSD-2-Clause
// Flushes of translations by hypercall: whose, and who waits for whom.
#include "tests/hypercall_world.h"

START_TEST(flush_named_processors)
{
	struct hv_flush_input in = {.processor_mask = 1ULL << 1 | 1ULL << 63};

	put(INPUT, &in, sizeof(in));
	vm->vcpus[0]->requests = vm->vcpus[1]->requests = 0;
	fake_vcpu(vcpu)->flushes = 0;
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(fake_vcpu(vcpu)->flushes, 0);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	in.flags = HV_FLUSH_ALL_PROCESSORS;
	in.processor_mask = 0;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(fake_vcpu(vcpu)->flushes, 1);
	in.flags = 1ULL << 4;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

/* One that runs has to come out first: the call is executed again until it has. */
START_TEST(flush_waits_for_who_runs)
{
	struct hv_flush_input in = {.flags = HV_FLUSH_ALL_PROCESSORS};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(1, 3), INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], HV_CALL_FLUSH_LIST | REPS(1, 3));
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xdead);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	other->requests = 0; /* out, and flushed */
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 3ULL << 32 | HV_STATUS_SUCCESS);
	ck_assert_uint_eq(other->requests, 0);
	/* The next call asks anew. */
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(0, 3), INPUT, 0), ACT_RESUME);
	other->running = 0;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
}
END_TEST

START_TEST(another_flush_in_between)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	put(INPUT + 64, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT + 64, 0), ACT_RESUME);
	ck_assert_uint_eq(other->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT + 64, 0), ACT_SKIP);
}
END_TEST

/* An interrupt handler's call with the very same input, and what a vCPU left when INIT came. */
START_TEST(the_same_flush_in_between)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	vcpu_reg_set(vcpu, REG_RSP, 0x9000);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	other->requests = 0; /* flushed, and in the guest again */
	vcpu_reg_set(vcpu, REG_RSP, 0x8f00);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(other->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_SKIP);
	vcpu_reg_set(vcpu, REG_RSP, 0x9000);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	vm->pv->vcpu_reset(vcpu, false);
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
}
END_TEST

START_TEST(flush_by_banks)
{
	struct {
		struct hv_flush_ex_input head;
		uint64_t banks[2];
	} in = {.head = {.format = HV_VP_SET_SPARSE, .valid_banks = 3}, .banks = {2, ~0ULL}};

	vm->vcpus[1]->requests = 0;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(
	        call(HV_CALL_FLUSH_SPACE_EX | VAR(1), INPUT, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(vm->vcpus[1]->requests, 0);
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX | VAR(2), INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	in.head.format = HV_VP_SET_ALL;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX, INPUT, 0), HV_STATUS_SUCCESS);
	in.head.format = 2;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

UNIT_MAIN("hv_flush", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, flush_named_processors); tcase_add_test(tc, flush_waits_for_who_runs);
          tcase_add_test(tc, another_flush_in_between);
          tcase_add_test(tc, the_same_flush_in_between); tcase_add_test(tc, flush_by_banks);)
