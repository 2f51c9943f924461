// SPDX-License-Identifier: BSD-2-Clause
// What is common to all vCPUs: faults, requests, reset, INIT and SIPI.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *f;

static void setup(void)
{
	struct virt_caps caps = cpu_model_caps();

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, 0, 0);
	vm = fake_vm(SIZE_2M, 2);
	vcpu = vm->vcpus[0];
	f = fake_vcpu(vcpu);
	fake_long_mode(vcpu, 0x10000);
	fake_sched_wakes = fake_kicks = 0;
}

START_TEST(faults)
{
	ck_assert_int_eq(vcpu_fault(vcpu, X86_GP, 0x18), ACT_FAULT);
	ck_assert_int_eq(vcpu->pending.type, EVENT_EXCEPTION);
	ck_assert(vcpu->pending.vector == X86_GP && vcpu->pending.has_error &&
	          vcpu->pending.error == 0x18);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(vcpu_fault_noerr(vcpu, X86_UD), ACT_FAULT);
	ck_assert(vcpu->pending.vector == X86_UD && !vcpu->pending.has_error);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(vcpu_page_fault(vcpu, gva(0xffff888000001234), 7), ACT_FAULT);
	ck_assert(vcpu->pending.vector == X86_PF && vcpu->pending.error == 7);
	ck_assert_uint_eq(fake_cr2, 0xffff888000001234);
	/* One too many. */
	ck_assert_int_eq(vcpu_page_fault(vcpu, gva(0), 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_DF);
	ck_assert_int_eq(vcpu_fault(vcpu, X86_GP, 0), ACT_SHUTDOWN);
}
END_TEST

/* [SDM3] "Real-Address Mode Emulation": no error codes there. */
START_TEST(faults_in_real_mode)
{
	f->regs[REG_CR0] = CR0_ET;
	ck_assert_int_eq(vcpu_fault(vcpu, X86_GP, 0x18), ACT_FAULT);
	ck_assert(!vcpu->pending.has_error);
}
END_TEST

START_TEST(kill)
{
	ck_assert_int_eq(vcpu_kill(vcpu, "because"), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "because");
}
END_TEST

START_TEST(privilege_is_that_of_ss)
{
	for (unsigned cpl = 0; cpl < 4; cpl++) {
		f->segs[SEG_SS].attr = (uint16_t)(0xc093 | cpl << 5);
		f->segs[SEG_CS].attr = 0xa09b; /* conforming code may say otherwise */
		ck_assert_uint_eq(vcpu_cpl(vcpu), cpl);
	}
}
END_TEST

START_TEST(requests_wake_or_kick)
{
	vcpu_request(vcpu, VCPU_REQ_NMI);
	ck_assert_uint_eq(vcpu->requests, BIT64(VCPU_REQ_NMI));
	ck_assert(fake_sched_wakes == 1 && fake_kicks == 0);
	vcpu->running = 1;
	vcpu_request(vcpu, VCPU_REQ_IRQ);
	ck_assert_uint_eq(vcpu->requests, BIT64(VCPU_REQ_NMI) | BIT64(VCPU_REQ_IRQ));
	ck_assert(fake_sched_wakes == 1 && fake_kicks == 1);
}
END_TEST

static void dirty(void)
{
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0x1111;
	}
	vcpu->pending.type = EVENT_NMI;
	vcpu->nmi_pending = 1;
	vcpu->windows = 3;
	vcpu->state = VCPU_HALTED;
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert(lapic_set_base(
	        &vcpu->lapic, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP));
}

static void check_reset(void)
{
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		/* EDX: family, model, stepping. */
		ck_assert_uint_eq(vcpu->gpr[i], i == REG_RDX ? 0x50654 : 0);
	}
	ck_assert_uint_eq(f->regs[REG_RIP], 0xfff0);
	ck_assert(vcpu->pending.type == EVENT_NONE && vcpu->nmi_pending == 0 && vcpu->windows == 0);
	ck_assert_int_eq(vcpu->state, VCPU_WAIT_SIPI);
	ck_assert(!lapic_enabled(&vcpu->lapic));
}

START_TEST(reset)
{
	dirty();
	vcpu_reset(vcpu);
	check_reset();
	ck_assert(!lapic_x2apic(&vcpu->lapic));
}
END_TEST

/* INIT keeps IA32_APIC_BASE, and with it the mode. */
START_TEST(init_signal)
{
	dirty();
	vcpu_init_signal(vcpu);
	check_reset();
	ck_assert(lapic_x2apic(&vcpu->lapic));
}
END_TEST

START_TEST(sipi)
{
	static const enum vcpu_state ignores[] = {VCPU_RUNNABLE, VCPU_HALTED, VCPU_STOPPED};

	vcpu_reset(vcpu);
	f->segs[SEG_CS].attr = 0x9b;
	vcpu_sipi(vcpu, 0x9f);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, 0x9f00);
	ck_assert_uint_eq(f->segs[SEG_CS].base, 0x9f000);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0x9b);
	ck_assert_uint_eq(f->regs[REG_RIP], 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ignores); i++) {
		vcpu->state = ignores[i];
		vcpu_sipi(vcpu, 0x10);
		ck_assert_uint_eq(f->segs[SEG_CS].base, 0x9f000);
		ck_assert_int_eq(vcpu->state, ignores[i]);
	}
}
END_TEST

UNIT_MAIN("vcpu", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, faults);
          tcase_add_test(tc, faults_in_real_mode); tcase_add_test(tc, kill);
          tcase_add_test(tc, privilege_is_that_of_ss); tcase_add_test(tc, requests_wake_or_kick);
          tcase_add_test(tc, reset); tcase_add_test(tc, init_signal); tcase_add_test(tc, sipi);)
