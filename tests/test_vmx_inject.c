// SPDX-License-Identifier: BSD-2-Clause
// Events to VMCS encodings and back, windows, what blocks.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/x86.h"

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, 0)->vcpus[0];
	fake_vmx_long_mode(vcpu);
}

/* [SDM3] table "Format of the VM-Entry Interruption-Information Field" */
static const struct {
	struct event event;
	uint32_t info;
	bool error, len;
} rows[] = {
        {{.type = EVENT_EXTINT, .vector = 0x20}, 0x80000020, false, false},
        {{.type = EVENT_EXTINT, .vector = 0xff}, 0x800000ff, false, false},
        {{.type = EVENT_NMI, .vector = 2}, 0x80000202, false, false},
        {{.type = EVENT_EXCEPTION, .vector = X86_UD}, 0x80000306, false, false},
        {{.type = EVENT_EXCEPTION, .vector = X86_GP, .has_error = true, .error = 0x1234},
                0x80000b0d, true, false},
        {{.type = EVENT_EXCEPTION, .vector = X86_PF, .has_error = true, .error = 0x11}, 0x80000b0e,
                true, false},
        {{.type = EVENT_EXCEPTION, .vector = X86_DF, .has_error = true}, 0x80000b08, true, false},
        {{.type = EVENT_SOFT_INTERRUPT, .vector = 0x80, .insn_len = 2}, 0x80000480, false, true},
        {{.type = EVENT_PRIV_SOFT_EXCEPTION, .vector = X86_DB, .insn_len = 1}, 0x80000501, false,
                true},
        {{.type = EVENT_SOFT_EXCEPTION, .vector = X86_BP, .insn_len = 1}, 0x80000603, false, true},
        {{.type = EVENT_SOFT_EXCEPTION, .vector = X86_OF, .insn_len = 3}, 0x80000604, false, true},
};

START_TEST(encodings)
{
	vmx_inject(vcpu, &rows[_i].event);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO], rows[_i].info);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_ENTRY_ERROR_CODE), rows[_i].error);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_ENTRY_INSN_LEN), rows[_i].len);
	if (rows[_i].error) {
		ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_ERROR_CODE], rows[_i].event.error);
	}
	if (rows[_i].len) {
		ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INSN_LEN], rows[_i].event.insn_len);
	}
}
END_TEST

/* [SDM3] "Checks on Guest Non-Register State": with TF a shadow wants a pending single step. */
START_TEST(exceptions_end_the_shadow)
{
	const struct event db = {.type = EVENT_EXCEPTION, .vector = X86_DB};
	const struct event int1 = {
	        .type = EVENT_PRIV_SOFT_EXCEPTION, .vector = X86_DB, .insn_len = 1};
	const struct event nmi = {.type = EVENT_NMI, .vector = 2};

	for (uint64_t shadow = 1; shadow <= 2; shadow++) {
		fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = shadow | 8;
		vmx_inject(vcpu, &db);
		ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 8);
		fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = shadow;
		vmx_inject(vcpu, &int1);
		ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 0);
	}
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	vmx_inject(vcpu, &nmi);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 1);
}
END_TEST

/* What an exit broke off has the encoding of the injection: there and back. */
START_TEST(broken_off_and_again)
{
	const struct event *e = &rows[_i].event;

	fake_vmcs[VMCS_EXIT_INSN_LEN] = e->insn_len;
	fake_vmcs[VMCS_IDT_VECTORING_ERROR] = e->error;
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8; /* an NMI was on its way, or ran before */
	vmx_requeue_vectoring(vcpu, rows[_i].info);
	ck_assert_int_eq(vcpu->pending.type, e->type);
	ck_assert_uint_eq(vcpu->pending.vector, e->vector);
	ck_assert_uint_eq(vcpu->pending.has_error, e->has_error);
	ck_assert_uint_eq(vcpu->pending.error, e->error);
	ck_assert_uint_eq(vcpu->pending.insn_len, e->insn_len);
	/* Only an NMI's own delivery opens them again. */
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], e->type == EVENT_NMI ? 0 : 8);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_IDT_VECTORING_ERROR), rows[_i].error);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_EXIT_INSN_LEN), rows[_i].len);
}
END_TEST

/* Types 1 and 7 do not exist there: nothing is delivered. */
START_TEST(reserved_types)
{
	vmx_requeue_vectoring(vcpu, 0x80000120);
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
	vmx_requeue_vectoring(vcpu, 0x80000720);
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
}
END_TEST

/* Interruptibility bits: STI, MOV SS, SMI, NMI. */
static const struct {
	uint64_t state;
	bool shadow, nmi_blocked;
} blocking[] = {
        {0, false, false},
        {1, true, true},
        {2, true, true},
        {4, false, false},
        {8, false, true},
        {9, true, true},
        {0x10, false, false},
};

static void give_nmi(void)
{
	const struct event nmi = {.type = EVENT_NMI, .vector = X86_NMI};

	vmx_inject(vcpu, &nmi);
}

START_TEST(what_blocks)
{
	give_nmi();
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = blocking[_i].state;
	ck_assert_int_eq(vmx_in_intr_shadow(vcpu), blocking[_i].shadow);
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
	ck_assert_int_eq(vmx_intr_open(vcpu), !blocking[_i].shadow);
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1;
	ck_assert(!vmx_intr_open(vcpu));
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
	ck_assert_int_eq(vmx_nmi_blocked(vcpu), blocking[_i].nmi_blocked);
}
END_TEST

/* An interrupt goes in only where intr_open() says so. */
START_TEST(an_interrupt_if_open)
{
	fake_vmcs[VMCS_ENTRY_INTR_INFO] = 0;
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1;
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	ck_assert(!vmx_inject_interrupt(vcpu, 0xf3));
	fake_vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 2;
	ck_assert(!vmx_inject_interrupt(vcpu, 0xf3));
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO], 0);
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	ck_assert(vmx_inject_interrupt(vcpu, 0xf3));
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO], 0x800000f3);
}
END_TEST

/* Bochs 2.7 hands the blocking of one guest on to the next that is entered on the same CPU. */
START_TEST(nmi_blocking_that_is_anothers)
{
	vmx_reset_regs(vcpu);
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8;
	ck_assert(!vmx_nmi_blocked(vcpu));
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 0);
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 9;
	ck_assert(vmx_nmi_blocked(vcpu)); /* by STI */
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 1);
	/* Its own, from the injection to the IRET. */
	give_nmi();
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8;
	ck_assert(vmx_nmi_blocked(vcpu));
	ck_assert(vmx_nmi_blocked(vcpu));
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	ck_assert(!vmx_nmi_blocked(vcpu));
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8;
	ck_assert(!vmx_nmi_blocked(vcpu));
	/* By a task switch, and ended by INIT. */
	vmx_set_nmi_blocked(vcpu, true);
	ck_assert(vmx_nmi_blocked(vcpu));
	vmx_reset_regs(vcpu);
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8;
	ck_assert(!vmx_nmi_blocked(vcpu));
	/* An IRET between its exits is noticed when it leaves the CPU, at the latest. */
	give_nmi();
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_load(vcpu);
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 8;
	ck_assert(!vmx_nmi_blocked(vcpu));
}
END_TEST

START_TEST(nmi_blocking_is_set)
{
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	vmx_set_nmi_blocked(vcpu, true);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 9);
	vmx_set_nmi_blocked(vcpu, false);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 1);
	/* Without virtual NMIs the bit would block the host's. */
	vmx_caps.virtual_nmi = false;
	vmx_set_nmi_blocked(vcpu, true);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 1);
}
END_TEST

START_TEST(nmis_without_virtual_nmis)
{
	vmx_caps.virtual_nmi = false;
	ck_assert(!vmx_nmi_blocked(vcpu));
	fake_vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_IF;
	ck_assert(vmx_nmi_blocked(vcpu));
	fake_vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	ck_assert(vmx_nmi_blocked(vcpu));
}
END_TEST

static const struct {
	bool virtual_nmi, intr, nmi;
	uint32_t windows;
} windows[] = {
        {true, false, false, 0},
        {true, true, false, PROC_INTR_WINDOW},
        {true, false, true, PROC_NMI_WINDOW},
        {true, true, true, PROC_INTR_WINDOW | PROC_NMI_WINDOW},
        {false, true, false, PROC_INTR_WINDOW},
        {false, false, true, PROC_INTR_WINDOW},
        {false, true, true, PROC_INTR_WINDOW},
};

START_TEST(window_exits)
{
	uint32_t before = (uint32_t)fake_vmcs[VMCS_PROC_CONTROLS];

	vmx_caps.virtual_nmi = windows[_i].virtual_nmi;
	vmx_request_window(vcpu, windows[_i].intr, windows[_i].nmi);
	ck_assert_uint_eq(fake_vmcs[VMCS_PROC_CONTROLS], before | windows[_i].windows);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PROC_CONTROLS), windows[_i].windows != 0);
	/* Asked again: no VMWRITE. */
	vmx_request_window(vcpu, windows[_i].intr, windows[_i].nmi);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PROC_CONTROLS), windows[_i].windows != 0);
	vmx_request_window(vcpu, false, false);
	ck_assert_uint_eq(fake_vmcs[VMCS_PROC_CONTROLS], before);
}
END_TEST

UNIT_MAIN("vmx_inject", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, encodings, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, exceptions_end_the_shadow);
          tcase_add_loop_test(tc, broken_off_and_again, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, reserved_types);
          tcase_add_loop_test(tc, what_blocks, 0, ARRAY_SIZE(blocking));
          tcase_add_test(tc, nmi_blocking_that_is_anothers);
          tcase_add_test(tc, an_interrupt_if_open); tcase_add_test(tc, nmi_blocking_is_set);
          tcase_add_test(tc, nmis_without_virtual_nmis);
          tcase_add_loop_test(tc, window_exits, 0, ARRAY_SIZE(windows));)
