// SPDX-License-Identifier: BSD-2-Clause
// Registers of VPs by hypercall: one's own and those of others.
#include "tests/hypercall_world.h"

static struct {
	struct hv_vp_registers_input head;
	uint32_t names[8];
} get;
static struct {
	struct hv_vp_registers_input head;
	struct hv_register_assoc list[4];
} set;

static uint64_t get_registers(unsigned n)
{
	put(INPUT, &get, sizeof(get));
	return call(HV_CALL_GET_VP_REGISTERS | REPS(0, n), INPUT, OUTPUT);
}

static uint64_t set_registers(unsigned n)
{
	put(INPUT, &set, sizeof(set));
	return call(HV_CALL_SET_VP_REGISTERS | REPS(0, n), INPUT, 0);
}

static union hv_register_value output(unsigned i)
{
	union hv_register_value v;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT + 16 * i), &v, sizeof(v)), 0);
	return v;
}

static void self(struct hv_vp_registers_input *head)
{
	*head = (struct hv_vp_registers_input){
	        .partition = HV_PARTITION_SELF, .vp_index = HV_VP_SELF};
}

START_TEST(read_registers)
{
	static const uint32_t names[] = {HV_REG_RAX + REG_R12, HV_REG_CR3, HV_REG_RIP,
	        HV_REG_RAX + REG_RSP, HV_REG_ES + SEG_CS, HV_REG_GDTR, HV_REG_SINT15,
	        HV_REG_VP_INDEX};
	uint64_t ones = ~0ULL;

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	vcpu->gpr[REG_R12] = 0x1212;
	vcpu_reg_set(vcpu, REG_RSP, 0x7777);
	fake_vcpu(vcpu)->regs[REG_RIP] = 0x123456;
	fake_vcpu(vcpu)->tables[0] = (struct desc_table){.base = 0xffff800000001000, .limit = 0x7f};
	put(OUTPUT + 8, &ones, 8);
	ck_assert_uint_eq(get_registers(8), 8ULL << 32);
	ck_assert_uint_eq(output(0).low, 0x1212);
	ck_assert_uint_eq(output(0).words[1], 0);
	ck_assert_uint_eq(output(1).low, WORLD_TABLES);
	ck_assert_uint_eq(output(2).low, 0x123456);
	ck_assert_uint_eq(output(3).low, 0x7777);
	ck_assert_uint_eq(output(4).segment.attributes, 0xa09b);
	ck_assert_uint_eq(output(4).segment.selector, 8);
	ck_assert_uint_eq(output(4).segment.limit, 0xffffffff);
	ck_assert_uint_eq(output(5).table.base, 0xffff800000001000);
	ck_assert_uint_eq(output(5).table.limit, 0x7f);
	ck_assert_uint_eq(output(6).low, HV_SINT_RESET);
	ck_assert_uint_eq(output(7).low, 0);
	/* By its number, and from the middle of the list. */
	get.head.vp_index = 0;
	get.head.vtl = HV_INPUT_VTL_USED;
	put(INPUT, &get, sizeof(get));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_REGISTERS | REPS(7, 8), INPUT, OUTPUT), 8ULL << 32);
}
END_TEST

START_TEST(control_registers)
{
	static const uint32_t names[] = {
	        HV_REG_CR0, HV_REG_CR2, HV_REG_CR4, HV_REG_CR8, HV_REG_EFER};

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	fake_cr2 = 0xc2c2;
	lapic_set_cr8(&vcpu->lapic, 7);
	ck_assert_uint_eq(get_registers(5), 5ULL << 32);
	ck_assert_uint_eq(output(0).low, fake_vcpu(vcpu)->regs[REG_CR0]);
	ck_assert_uint_eq(output(1).low, 0xc2c2);
	ck_assert_uint_eq(output(2).low, CR4_PAE);
	ck_assert_uint_eq(output(3).low, 7);
	ck_assert_uint_eq(output(4).low, fake_vcpu(vcpu)->regs[REG_EFER]);
}
END_TEST

START_TEST(registers_there_are_not)
{
	static const uint32_t names[] = {HV_REG_CR3, 0xdead, HV_REG_CR3};

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	/* What came before it is done. */
	ck_assert_uint_eq(get_registers(3), 1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(output(0).low, WORLD_TABLES);
	/* More than a page of output. */
	ck_assert_uint_eq(get_registers(257), HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

START_TEST(write_registers)
{
	self(&set.head);
	set.list[0].name = HV_REG_RAX + REG_R12;
	set.list[0].value.low = 0x1313;
	set.list[1].name = HV_REG_SINT0 + 2;
	set.list[1].value.low = 0xf3;
	ck_assert_uint_eq(set_registers(2), 2ULL << 32);
	ck_assert_uint_eq(vcpu->gpr[REG_R12], 0x1313);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), 0xf3);
	set.list[1].value.low = 3; /* no such vector */
	ck_assert_uint_eq(set_registers(2), 1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), 0xf3);
	set.list[0].name = HV_REG_CR3;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_ACCESS_DENIED);
	ck_assert_uint_eq(fake_vcpu(vcpu)->regs[REG_CR3], WORLD_TABLES);
	set.list[0].name = HV_REG_VP_INDEX;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_INVALID_PARAMETER);
	set.list[0].name = 7;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

static const struct {
	struct hv_vp_registers_input head;
	enum hv_status status;
} others[] = {
        {{0, HV_VP_SELF, 0, {0}}, HV_STATUS_INVALID_PARTITION_ID},
        {{HV_PARTITION_SELF, 2, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
        {{HV_PARTITION_SELF, ~0U, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
        {{HV_PARTITION_SELF, HV_VP_SELF, 0x11, {0}}, HV_STATUS_INVALID_PARAMETER},
        {{HV_PARTITION_SELF, HV_VP_SELF, 0x20, {0}}, HV_STATUS_INVALID_PARAMETER},
};

START_TEST(registers_of_others)
{
	get.head = set.head = others[_i].head;
	get.names[0] = set.list[0].name = HV_REG_RAX;
	ck_assert_uint_eq(get_registers(1), others[_i].status);
	ck_assert_uint_eq(set_registers(1), others[_i].status);
}
END_TEST

static struct {
	struct hv_vp_registers_input head;
	uint32_t names[40];
} get_many;

/* Another's, by its own CPU; some at a time, and executed again until all are there. */
START_TEST(read_registers_of_another)
{
	struct vcpu *other = vm->vcpus[1];
	unsigned rounds = 0;

	get_many.head =
	        (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	for (unsigned i = 0; i < 40; i++) {
		get_many.names[i] = i == 39 ? 0xdead : HV_REG_RAX + REG_R8 + i % 8;
	}
	for (unsigned i = 0; i < 8; i++) {
		other->gpr[REG_R8 + i] = 0x4000 + i;
		vcpu->gpr[REG_R8 + i] = 0x5000 + i;
	}
	put(INPUT, &get_many, sizeof(get_many));
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 40), INPUT, OUTPUT), ACT_RESUME);
	for (; hv_hypercall(vcpu) == ACT_RESUME; rounds++) {
		ck_assert_uint_lt(rounds, 10);
		if (other->call) {
			serve_call(other);
		}
	}
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 39ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	for (unsigned i = 0; i < 39; i++) {
		ck_assert_uint_eq(output(i).low, 0x4000 + i % 8);
	}
}
END_TEST

START_TEST(write_registers_of_another)
{
	struct vcpu *other = vm->vcpus[1];

	set.head = (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	set.list[0].name = HV_REG_RAX + REG_R12;
	set.list[0].value.low = 0x1313;
	set.list[1].name = HV_REG_SINT0 + 2;
	set.list[1].value.low = 0xf3;
	put(INPUT, &set, sizeof(set));
	ck_assert_int_eq(go(HV_CALL_SET_VP_REGISTERS | REPS(0, 2), INPUT, 0), ACT_RESUME);
	ck_assert_uint_ne(other->gpr[REG_R12], 0x1313);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 2ULL << 32);
	ck_assert_uint_eq(other->gpr[REG_R12], 0x1313);
	ck_assert_uint_eq(rd(other, HV_MSR_SINT0 + 2), 0xf3);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), HV_SINT_RESET);
	/* Control registers have their instructions, here too. */
	set.list[1].name = HV_REG_CR3;
	put(INPUT, &set, sizeof(set));
	ck_assert_int_eq(go(HV_CALL_SET_VP_REGISTERS | REPS(1, 2), INPUT, 0), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 1ULL << 32 | HV_STATUS_ACCESS_DENIED);
}
END_TEST

START_TEST(registers_while_others_want_it)
{
	struct vcpu *other = vm->vcpus[1];
	struct vcpu_call busy = {0};

	get.head = (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	get.names[0] = HV_REG_RAX + REG_R12;
	get.names[1] = HV_REG_RAX + REG_R13;
	other->gpr[REG_R12] = 12;
	other->gpr[REG_R13] = 13;
	put(INPUT, &get, sizeof(get));
	/* The monitor looks at it. */
	ck_assert(vcpu_call(other, &busy));
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	ck_assert_ptr_eq(other->call, &busy);
	other->call = NULL;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* An interrupt handler asks, too: each gets its own. */
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 2), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 2ULL << 32);
	ck_assert_uint_eq(output(1).low, 13);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	/* INIT, and the same call in the next life: not the old answer. */
	serve_call(other);
	other->gpr[REG_R12] = 0x1212;
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(output(0).low, 0x1212);
	/* The same while it is being answered. */
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	other->gpr[REG_R12] = 0x1313;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(output(0).low, 0x1313);
}
END_TEST

UNIT_MAIN("hv_regs", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, read_registers);
          tcase_add_test(tc, control_registers); tcase_add_test(tc, registers_there_are_not);
          tcase_add_test(tc, write_registers);
          tcase_add_loop_test(tc, registers_of_others, 0, ARRAY_SIZE(others));
          tcase_add_test(tc, read_registers_of_another);
          tcase_add_test(tc, write_registers_of_another);
          tcase_add_test(tc, registers_while_others_want_it);)
