// SPDX-License-Identifier: BSD-2-Clause
// Loading: registers, extended state and MSRs change hands with a vCPU; INIT and reset.
#include "tests/vmx_world.h"

START_TEST(registers_change_hands)
{
	struct vcpu *other = vm->vcpus[1];

	fake_msr_set(MSR_IA32_LSTAR, 0xffffffff81000000);
	fake_msr_set(MSR_IA32_TSC_AUX, 7);
	fake_dr[0] = 0x1000;
	fake_dr[6] = 0xffff0ff1;
	fake_cr2 = 0xdead000;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_ptr_null(pcpu_this()->loaded);
	ck_assert_uint_eq(vcpu->dr[0], 0x1000);
	ck_assert_uint_eq(vcpu->dr6, 0xffff0ff1);
	ck_assert_uint_eq(vcpu->cr2, 0xdead000);
	vmx_ops.vcpu_load(other);
	ck_assert_ptr_eq(pcpu_this()->loaded, other);
	ck_assert_uint_eq(fake_vmx.loaded_vmcs, vmx_vcpu(other)->vmcs.v);
	/* Nothing of the first one is left. */
	ck_assert_uint_eq(msr(MSR_IA32_LSTAR), 0);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 0);
	ck_assert_uint_eq(fake_dr[0], 0);
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
	ck_assert_uint_eq(fake_cr2, 0);
	vmx_ops.vcpu_put(other);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(msr(MSR_IA32_LSTAR), 0xffffffff81000000);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 7);
	ck_assert_uint_eq(fake_dr[0], 0x1000);
	ck_assert_uint_eq(fake_cr2, 0xdead000);
}
END_TEST

/* Released, it leaves nothing active in this CPU: the next entry, anywhere, is a VMLAUNCH. */
START_TEST(released_for_another_cpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	unsigned clears = fake_vmx.clears, flushes;

	v->launched = true;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_uint_eq(fake_vmx.clears, clears);
	vmx_ops.vcpu_release(vcpu);
	ck_assert_uint_eq(fake_vmx.clears, clears + 1);
	ck_assert(!v->launched);
	/* Back here, what this CPU remembers of it is still right; after another one, it is not. */
	flushes = fake_vmx.invvpids;
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, flushes);
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_release(vcpu);
	v->cpu = 1;
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, flushes + 1);
	ck_assert_uint_eq(v->cpu, pcpu_this()->index);
}
END_TEST

/* All components, whatever the guest's XCR0 says: it may have turned some off with data inside. */
START_TEST(the_whole_extended_state)
{
	vcpu->xcr0 = 3;
	fake_host.xsaves = fake_host.xrstors = 0;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_uint_eq(fake_host.xsaves, 1);
	ck_assert_uint_eq(fake_host.last_xmask, cpuid_xcr0_allowed());
	ck_assert(cpuid_xcr0_allowed() > 3);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_host.xrstors, 1);
	ck_assert_uint_eq(fake_host.last_xmask, cpuid_xcr0_allowed());
	ck_assert_uint_eq(fake_xcr0, 3);
}
END_TEST

START_TEST(a_processor_without_xsave)
{
	fake_cpuid_set(1, 0, 0x306c3, 0, 0x7ffafbff & ~BIT(26), 0xbfebfbff);
	cpuid_policy_init(vmx_ops.caps(), 0, 0);
	ck_assert_uint_eq(cpuid_xcr0_allowed(), 0);
	fake_host.xsaves = fake_host.xrstors = 0;
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_host.xsaves + fake_host.xrstors, 0);
	ck_assert_uint_eq(fake_host.fxsaves, 1);
	ck_assert_uint_eq(fake_host.fxrstors, 1);
}
END_TEST

START_TEST(no_tsc_aux_without_rdtscp)
{
	make(BIT(VMX_OPT_RDTSCP));
	fake_msr_set(MSR_IA32_TSC_AUX, 77);
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_load(vm->vcpus[1]);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 77);
}
END_TEST

/* [SDM3] "Processor States Following Power-up, Reset, or INIT". */
START_TEST(reset_of_live_state)
{
	uint16_t fcw;
	uint32_t mxcsr;

	fake_cr2 = 5;
	fake_dr[0] = 1;
	fake_dr[3] = 2;
	fake_dr[6] = 0xffff0ff1;
	vcpu->xcr0 = 7;
	fake_msr_set(MSR_IA32_STAR, 5);
	vmx_ops.vcpu_reset(vcpu, false); /* loaded: the processor's registers, too */
	ck_assert(fake_cr2 == 0 && fake_dr[0] == 0 && fake_dr[3] == 0 && fake_dr[6] == 0xffff0ff0);
	ck_assert(vcpu->xcr0 == 7 && msr(MSR_IA32_STAR) == 5);
	fake_cr2 = 5;
	vmx_ops.vcpu_reset(vcpu, true);
	ck_assert(fake_cr2 == 0 && vcpu->xcr0 == 1 && msr(MSR_IA32_STAR) == 0);
	memcpy(&fcw, vmx_vcpu(vcpu)->fpu, 2);
	memcpy(&mxcsr, vmx_vcpu(vcpu)->fpu + 24, 4);
	ck_assert_uint_eq(fcw, 0x37f);
	ck_assert_uint_eq(mxcsr, 0x1f80);
}
END_TEST

/* INIT leaves the caches as they were; power-on has them off. */
START_TEST(init_keeps_the_caches)
{
	static const uint64_t cache_bits[] = {0, CR0_CD, CR0_CD | CR0_NW};

	for (unsigned i = 0; i < ARRAY_SIZE(cache_bits); i++) {
		vmx_ops.set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET | CR0_NE | cache_bits[i]);
		vmx_ops.vcpu_reset(vcpu, false);
		ck_assert_uint_eq(vmx_ops.get_reg(vcpu, REG_CR0), CR0_ET | cache_bits[i]);
	}
	vmx_ops.set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET);
	vmx_ops.vcpu_reset(vcpu, true);
	ck_assert_uint_eq(vmx_ops.get_reg(vcpu, REG_CR0), CR0_ET | CR0_CD | CR0_NW);
}
END_TEST

START_TEST(the_first_load_sets_up)
{
	struct vcpu *other = vm->vcpus[1];

	vmx_ops.vcpu_put(vcpu);
	fake_vmcs_forget();
	vmx_ops.vcpu_load(other);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PIN_CONTROLS), 1);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_HOST_GS_BASE), 1);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	vmx_ops.vcpu_put(other);
	fake_vmcs_forget();
	vmx_ops.vcpu_load(other);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 0);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
}
END_TEST

UNIT_MAIN("vmx_live", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, registers_change_hands); tcase_add_test(tc, released_for_another_cpu);
          tcase_add_test(tc, the_whole_extended_state);
          tcase_add_test(tc, a_processor_without_xsave);
          tcase_add_test(tc, no_tsc_aux_without_rdtscp); tcase_add_test(tc, reset_of_live_state);
          tcase_add_test(tc, init_keeps_the_caches); tcase_add_test(tc, the_first_load_sets_up);)
