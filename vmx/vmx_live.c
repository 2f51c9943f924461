// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest state that stays in the processor from one run to the next, because the host does not
 * use it: FPU, XCR0, debug registers, CR2, and the MSRs of system calls. It changes hands only
 * when another vCPU is loaded, so an exit does not pay for it.
 * Specs: [SDM3] "Debug Registers", "Saving the x87 FPU, MMX, SSE and Extended State"; [SDM1]
 * "XSAVE-Supported Features".
 */
#include "vmm/cpuid_policy.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lib/string.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define FCW_RESET 0x037fU
#define MXCSR_RESET 0x1f80U
#define FX_MXCSR_OFFSET 24
#define DR6_RESET 0xffff0ff0ULL

static const uint32_t live_msrs[LIVE_MSR_COUNT] = {
        [LIVE_STAR] = MSR_IA32_STAR,
        [LIVE_LSTAR] = MSR_IA32_LSTAR,
        [LIVE_CSTAR] = MSR_IA32_CSTAR,
        [LIVE_FMASK] = MSR_IA32_FMASK,
        [LIVE_KERNEL_GS_BASE] = MSR_IA32_KERNEL_GS_BASE,
        [LIVE_TSC_AUX] = MSR_IA32_TSC_AUX,
};

static unsigned live_count(void)
{
	/* TSC_AUX is the last one and exists with RDTSCP only. */
	return vmx_caps.virt.rdtscp ? LIVE_MSR_COUNT : LIVE_TSC_AUX;
}

void vmx_live_state_reset(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	const uint16_t fcw = FCW_RESET;
	const uint32_t mxcsr = MXCSR_RESET;

	memset(v->live_msrs, 0, sizeof(v->live_msrs));
	memset(v->fpu, 0, PAGE_SIZE);
	memcpy(v->fpu, &fcw, sizeof(fcw));
	memcpy(v->fpu + FX_MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	vcpu->cr2 = 0;
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = DR6_RESET;
	vcpu->xcr0 = 1;
	vcpu->xss = 0;
	if (pcpu_this()->loaded == vcpu) {
		vmx_live_state_load(vcpu);
	}
}

void vmx_live_state_init(void)
{
	for (unsigned i = 0; i < 4; i++) {
		cpu_write_dr(i, 0);
	}
	cpu_write_dr(6, DR6_RESET);
	cpu_write_cr2(0);
}

void vmx_live_state_load(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	uint64_t all = cpuid_xcr0_allowed();

	for (unsigned i = 0; i < live_count(); i++) {
		cpu_wrmsr(live_msrs[i], v->live_msrs[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vcpu->dr); i++) {
		cpu_write_dr(i, vcpu->dr[i]);
	}
	cpu_write_dr(6, vcpu->dr6);
	cpu_write_cr2(vcpu->cr2);
	if (all) {
		cpu_xsetbv(0, all);
		cpu_xrstor(v->fpu, all);
		cpu_xsetbv(0, vcpu->xcr0);
	} else {
		cpu_fxrstor(v->fpu);
	}
	if (vmx_caps.virt.xsaves) {
		cpu_wrmsr(MSR_IA32_XSS, vcpu->xss);
	}
}

void vmx_live_state_save(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	uint64_t all = cpuid_xcr0_allowed();

	for (unsigned i = 0; i < live_count(); i++) {
		v->live_msrs[i] = cpu_rdmsr(live_msrs[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vcpu->dr); i++) {
		vcpu->dr[i] = cpu_read_dr(i);
	}
	vcpu->dr6 = cpu_read_dr(6);
	vcpu->cr2 = cpu_read_cr2();
	if (all) {
		cpu_xsetbv(0, all);
		cpu_xsave(v->fpu, all);
	} else {
		cpu_fxsave(v->fpu);
	}
}
