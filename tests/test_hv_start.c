// SPDX-License-Identifier: BSD-2-Clause
// A VP that is started by hypercall: its context, and who else wants it.
#include "tests/hypercall_world.h"

static const struct hv_start_input long_mode = {
        .partition = HV_PARTITION_SELF,
        .vp_index = 1,
        .context = {.rip = 0xffffffff80001000,
                .rsp = 0x8000,
                .rflags = 2,
                .cs = {.limit = ~0U, .selector = 8, .attributes = 0xa09b},
                .ss = {.limit = ~0U, .selector = 16, .attributes = 0xc093},
                .gs = {.base = 0xffff888000000000, .limit = ~0U, .attributes = 0xc093},
                .tr = {.limit = 0x67, .selector = 24, .attributes = 0x8b},
                .idtr = {.limit = 0xfff, .base = 0xffffffff80002000},
                .gdtr = {.limit = 0x7f, .base = 0xffffffff80003000},
                .efer = EFER_LME | EFER_LMA,
                .cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_ET,
                .cr3 = WORLD_TABLES,
                .cr4 = CR4_PAE,
                .pat = 0x0007040600070406},
};

static struct vcpu *waiting_vp(void)
{
	struct vcpu *other = vm->vcpus[1];

	vcpu_init_signal(other);
	other->requests = 0;
	return other;
}

static enum exit_action start_vp(const struct hv_start_input *in)
{
	put(INPUT, in, sizeof(*in));
	return go(HV_CALL_START_VP, INPUT, 0);
}

START_TEST(start_a_vp)
{
	struct vcpu *other = waiting_vp();
	struct fake_vcpu *f = fake_vcpu(other);

	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert(other->requests & BIT64(VCPU_REQ_CALL));
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(f->regs[REG_RIP], 0xffffffff80001000);
	ck_assert_uint_eq(f->regs[REG_RSP], 0x8000);
	ck_assert_uint_eq(f->regs[REG_CR3], WORLD_TABLES);
	ck_assert_uint_eq(f->regs[REG_EFER], EFER_LME | EFER_LMA);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xa09b);
	ck_assert_uint_eq(f->segs[SEG_GS].base, 0xffff888000000000);
	ck_assert(f->segs[SEG_LDTR].unusable);
	ck_assert_uint_eq(f->tables[1].limit, 0xfff);
	/* It runs: not a second time. */
	ck_assert_int_eq(start_vp(&long_mode), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
}
END_TEST

START_TEST(start_while_others_want_it)
{
	struct vcpu *other = waiting_vp();
	struct vcpu_call busy = {0};

	/* The monitor looks at it. */
	ck_assert(vcpu_call(other, &busy));
	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert_ptr_eq(other->call, &busy);
	other->call = NULL;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* A pause comes in between: asked again after it. */
	other->state = VCPU_STOPPED;
	serve_call(other);
	other->state = VCPU_WAIT_SIPI;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* A SIPI was faster. */
	other->state = VCPU_RUNNABLE;
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_ne(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
}
END_TEST

/* What a VP asked before its INIT is not answered to it after that. */
START_TEST(start_by_one_that_gets_init)
{
	struct vcpu *other = waiting_vp();

	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
	vm->pv->vcpu_reset(vcpu, false);
	waiting_vp();
	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	/* Again, before the answer: it is another's question now. */
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(start_vp(&long_mode), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
	serve_call(other);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
}
END_TEST

/* Control registers that their instructions would refuse: it waits for SIPI as before. */
START_TEST(start_with_bad_control_registers)
{
	struct hv_start_input in = long_mode;
	struct vcpu *other = waiting_vp();

	in.context.cr4 = 0; /* long mode without PAE */
	ck_assert_int_eq(start_vp(&in), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	ck_assert_int_eq(other->pending.type, EVENT_NONE);
	ck_assert_uint_eq(fake_vcpu(other)->regs[REG_EFER], 0);
}
END_TEST

START_TEST(start_with_a_bad_context)
{
	struct hv_start_input in[16];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(in); i++) {
		in[i] = long_mode;
	}
	in[n++].context.rip = 1ULL << 47;
	in[n++].context.rflags = 0;
	in[n++].context.rflags = 1ULL << 17 | 2;
	in[n++].context.rflags = 1ULL << 32 | 2;
	in[n++].context.cs.attributes = 0xe09b; /* L and D */
	in[n++].context.cs.attributes = 0xa0fb; /* CPL 3 */
	in[n++].context.cs.attributes = 0xc093; /* data */
	in[n++].context.ss.attributes = 0xc091; /* read-only */
	in[n++].context.gs.base = 1ULL << 47;
	in[n++].context.ds = (struct hv_segment){.base = 1ULL << 32, .attributes = 0xc093};
	in[n++].context.tr.attributes = 0x89; /* not busy */
	in[n++].context.tr.attributes = 0;
	in[n++].context.ldtr.attributes = 0x8b;
	in[n++].context.gdtr.base = 1ULL << 63;
	in[n++].context.pat = 2;
	in[n++].context.cr0 = 0;
	waiting_vp();
	for (unsigned i = 0; i < n; i++) {
		ck_assert_msg(start_vp(&in[i]) == ACT_SKIP, "row %u", i);
		ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_PARAMETER);
	}
	in[0] = long_mode;
	in[0].vp_index = 0;
	ck_assert_int_eq(start_vp(&in[0]), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
}
END_TEST

UNIT_MAIN("hv_start", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, start_by_one_that_gets_init); tcase_add_test(tc, start_a_vp);
          tcase_add_test(tc, start_while_others_want_it);
          tcase_add_test(tc, start_with_bad_control_registers);
          tcase_add_test(tc, start_with_a_bad_context);)
