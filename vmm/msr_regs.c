// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSRs whose value is the processor's: registers of the back end, segment bases, and what stays in
 * the CPU while a vCPU is loaded. Back ends that can let a guest at them directly do; then only the
 * rest arrives here.
 * Specs: [SDM4] "Architectural MSRs"; [SDM3] "Programming the PAT", "Performing Fast Calls to
 * System Procedures with the SYSENTER and SYSEXIT Instructions".
 */
#include "vmm/msr_regs.h"

#include "vmm/cpuid_policy.h"
#include "vmm/cr.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/bug.h"
#include "vmm/vcpu.h"

#define DEBUGCTL_LBR BIT64(0)
#define DEBUGCTL_BTF BIT64(1)

#define PAT_RESET 0x0007040600070406ULL /* [SDM3] "Programming the PAT" */

static bool canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* --- registers of the back end --- */

static enum vcpu_reg reg_of_msr(uint32_t msr)
{
	switch (msr) {
	case MSR_IA32_SYSENTER_CS:
		return REG_SYSENTER_CS;
	case MSR_IA32_SYSENTER_ESP:
		return REG_SYSENTER_ESP;
	case MSR_IA32_SYSENTER_EIP:
		return REG_SYSENTER_EIP;
	case MSR_IA32_PAT:
		return REG_PAT;
	case MSR_IA32_DEBUGCTL:
		return REG_DEBUGCTL;
	case MSR_IA32_EFER:
		return REG_EFER;
	default:
		BUG("an MSR that is no register of the back end");
	}
}

bool msr_reg_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	*value = cpu_virt->get_reg(vcpu, reg_of_msr(msr));
	return true;
}

bool msr_sysenter_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (msr == MSR_IA32_SYSENTER_CS) {
		value = (uint32_t)value;
	} else if (!canonical(value)) {
		return false;
	}
	cpu_virt->set_reg(vcpu, reg_of_msr(msr), value);
	return true;
}

/* [SDM3] "Programming the PAT": eight types out of UC, WC, WT, WP, WB, UC-. */
bool msr_pat_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	for (unsigned i = 0; i < 64; i += 8) {
		uint64_t type = (value >> i) & 0xffU;

		if (type > 7 || type == 2 || type == 3) {
			return false;
		}
	}
	cpu_virt->set_reg(vcpu, REG_PAT, value);
	return true;
}

/* There are no LBR records, so its switch does nothing; single-stepping of branches works. */
bool msr_debugctl_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF)) {
		return false;
	}
	cpu_virt->set_reg(vcpu, REG_DEBUGCTL, value & DEBUGCTL_BTF);
	return true;
}

bool msr_efer_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	return efer_write(vcpu, value);
}

bool msr_xss_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vcpu->xss;
	return cpuid_offers(0xd, 1, CPUID_EAX, 3);
}

bool msr_xss_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (!cpuid_offers(0xd, 1, CPUID_EAX, 3) || (value & ~cpuid_xss_allowed())) {
		return false;
	}
	if (value != vcpu->xss) {
		vcpu->xss = value;
		cpu_wrmsr(msr, value);
	}
	return true;
}

static enum vcpu_seg seg_of_msr(uint32_t msr)
{
	return msr == MSR_IA32_FS_BASE ? SEG_FS : SEG_GS;
}

bool msr_seg_base_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	struct segment seg;

	cpu_virt->get_seg(vcpu, seg_of_msr(msr), &seg);
	*value = seg.base;
	return true;
}

bool msr_seg_base_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct segment seg;

	if (!canonical(value)) {
		return false;
	}
	cpu_virt->get_seg(vcpu, seg_of_msr(msr), &seg);
	seg.base = value;
	cpu_virt->set_seg(vcpu, seg_of_msr(msr), &seg);
	return true;
}

/* --- system-call registers: in the processor while the vCPU is loaded --- */

bool msr_live_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	*value = cpu_rdmsr(msr);
	return true;
}

bool msr_star_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)vcpu;
	cpu_wrmsr(msr, value);
	return true;
}

bool msr_live_address_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)vcpu;
	if (!canonical(value)) {
		return false;
	}
	cpu_wrmsr(msr, value);
	return true;
}

/* The upper halves of IA32_FMASK and IA32_TSC_AUX are reserved. */
bool msr_live_u32_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)vcpu;
	if (value >> 32) {
		return false;
	}
	cpu_wrmsr(msr, value);
	return true;
}

/* IA32_TSC_AUX exists with RDTSCP or RDPID. */
static bool has_tsc_aux(void)
{
	return cpuid_offers(0x80000001U, 0, CPUID_EDX, 27) || cpuid_offers(7, 0, CPUID_ECX, 22);
}

bool msr_tsc_aux_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	return has_tsc_aux() && msr_live_read(vcpu, msr, value);
}

bool msr_tsc_aux_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	return has_tsc_aux() && msr_live_u32_write(vcpu, msr, value);
}

void msr_regs_reset(struct vcpu *vcpu)
{
	cpu_virt->set_reg(vcpu, REG_SYSENTER_CS, 0);
	cpu_virt->set_reg(vcpu, REG_SYSENTER_ESP, 0);
	cpu_virt->set_reg(vcpu, REG_SYSENTER_EIP, 0);
	cpu_virt->set_reg(vcpu, REG_PAT, PAT_RESET);
	cpu_virt->set_reg(vcpu, REG_DEBUGCTL, 0);
}
