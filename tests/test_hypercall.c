// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls: who may call, and what is checked before a row sees it.
#include "tests/hypercall_world.h"

/* --- legal environments --- */

START_TEST(only_the_kernel_with_a_page)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	f->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
	vcpu->pending.type = EVENT_NONE;
	f->segs[SEG_SS].attr &= (uint16_t) ~(3U << SEG_ATTR_DPL_SHIFT);
	f->regs[REG_CR0] &= ~CR0_PE;
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	vcpu->pending.type = EVENT_NONE;
	f->regs[REG_CR0] |= CR0_PE;
	ck_assert(hv_msr_write(vcpu, HV_MSR_GUEST_OS_ID, 0));
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
}
END_TEST

START_TEST(in_32_bit_code)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	f->regs[REG_EFER] = 0;
	f->segs[SEG_CS].attr = 0xc09b;
	vcpu->gpr[REG_RDX] = 0;
	vcpu->gpr[REG_RAX] = HV_CALL_SIGNAL_EVENT | HV_CALL_FAST;
	vcpu->gpr[REG_RBX] = 0;    /* input, high: flag 0 */
	vcpu->gpr[REG_RCX] = 4711; /* input, low: a connection there is not */
	vcpu->gpr[REG_RDI] = vcpu->gpr[REG_RSI] = 0;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX], 0);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 4711);
}
END_TEST

/* What the back end does not see at a glance - conforming code - is looked at closely. */
START_TEST(short_calls_the_long_way)
{
	vcpu->gpr[REG_RCX] = HV_CALL_SIGNAL_EVENT | HV_CALL_FAST;
	vcpu->gpr[REG_RDX] = 4711;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_CONNECTION_ID);
	vcpu->gpr[REG_RCX] = HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_CALL_FAST;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_YIELD);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	vcpu->gpr[REG_RCX] = HV_CALL_SEND_IPI | HV_CALL_FAST;
	vcpu->gpr[REG_RDX] = 0x44;
	vcpu->gpr[REG_R8] = 2;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	ck_assert(vm->vcpus[1]->lapic.pir[1] & BIT64(4));
	fake_vcpu(vcpu)->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
}
END_TEST

/* --- the control word --- */

static const struct {
	uint64_t control;
	enum hv_status status;
} refused[] = {
        {0x0000, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x0001, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x005e, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x7fff, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x8000, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x8002, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0xffff, HV_STATUS_INVALID_HYPERCALL_CODE},
        {HV_CALL_FLUSH_SPACE | 1ULL << 27, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 30, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 31, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 44, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 63, HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* counts where none belong, none where some do, the start behind the end */
        {HV_CALL_FLUSH_SPACE | REPS(0, 1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | REPS(1, 0), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(2, 2), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(3, 2), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | VAR(1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_POST_MESSAGE | VAR(1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* more than a page, and more than registers hold */
        {HV_CALL_FLUSH_LIST | REPS(0, 510), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(0, 4095), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE_EX | VAR(0x3ff), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST_EX | VAR(0x3ff) | REPS(0, 4095), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_POST_MESSAGE | HV_CALL_FAST, HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* output has no way back in registers */
        {HV_CALL_EXT_QUERY_CAPABILITIES | HV_CALL_FAST, HV_STATUS_INVALID_HYPERCALL_INPUT},
};

START_TEST(control_words)
{
	ck_assert_uint_eq(call(refused[_i].control, INPUT, OUTPUT), refused[_i].status);
}
END_TEST

static const struct {
	uint64_t input, output;
	enum hv_status status;
} places[] = {
        {INPUT + 1, 0, HV_STATUS_INVALID_ALIGNMENT}, {INPUT + 4, 0, HV_STATUS_INVALID_ALIGNMENT},
        {INPUT + PAGE_SIZE - 248, 0, HV_STATUS_INVALID_ALIGNMENT}, /* crosses */
        {WORLD_MEM, 0, HV_STATUS_INVALID_PARAMETER},               /* no memory there */
        {0xa0000, 0, HV_STATUS_INVALID_PARAMETER},
        {~7ULL & ~PAGE_MASK, 0, HV_STATUS_INVALID_PARAMETER},
        {INPUT + PAGE_SIZE - 256, 0, HV_STATUS_INVALID_CONNECTION_ID}, /* fits */
};

START_TEST(input_blocks)
{
	struct hv_post_message_input message = {.connection_id = 99, .type = 1};

	put(INPUT + PAGE_SIZE - 256, &message, sizeof(message));
	ck_assert_uint_eq(
	        call(HV_CALL_POST_MESSAGE, places[_i].input, places[_i].output), places[_i].status);
}
END_TEST

START_TEST(output_blocks)
{
	uint64_t value = ~0ULL;

	put(OUTPUT, &value, 8);
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT + 4), HV_STATUS_INVALID_ALIGNMENT);
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, WORLD_MEM), HV_STATUS_INVALID_PARAMETER);
	/* The hypercall page is nobody's to write. */
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, PAGE_AT), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT), HV_STATUS_SUCCESS);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT), &value, 8), 0);
	ck_assert_uint_eq(value, 0);
}
END_TEST

static const struct {
	uint16_t code;
	enum hv_feature feature;
} privileged[] = {
        {HV_CALL_FLUSH_SPACE, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_LIST, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_SPACE_EX, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_LIST_EX, HV_TLB_FLUSH},
        {HV_CALL_SEND_IPI, HV_IPI},
        {HV_CALL_SEND_IPI_EX, HV_IPI},
        {HV_CALL_POST_MESSAGE, HV_POST},
        {HV_CALL_SIGNAL_EVENT, HV_SIGNAL},
        {HV_CALL_NOTIFY_LONG_SPIN_WAIT, HV_SPIN_WAIT},
        {HV_CALL_EXT_QUERY_CAPABILITIES, HV_EXT_CALLS},
        {HV_CALL_GET_VP_REGISTERS, HV_VP_REGS},
        {HV_CALL_SET_VP_REGISTERS, HV_VP_REGS},
        {HV_CALL_START_VP, HV_START_VP},
};

START_TEST(without_the_feature)
{
	world(1, ALL & ~(1U << privileged[_i].feature));
	ck_assert_uint_eq(call(privileged[_i].code, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
	world(1, ALL);
	ck_assert_uint_ne(call(privileged[_i].code, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
}
END_TEST

UNIT_MAIN("hypercall", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, only_the_kernel_with_a_page); tcase_add_test(tc, in_32_bit_code);
          tcase_add_loop_test(tc, control_words, 0, ARRAY_SIZE(refused));
          tcase_add_loop_test(tc, input_blocks, 0, ARRAY_SIZE(places));
          tcase_add_test(tc, output_blocks);
          tcase_add_loop_test(tc, without_the_feature, 0, ARRAY_SIZE(privileged));
          tcase_add_test(tc, short_calls_the_long_way);)
