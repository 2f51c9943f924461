// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of MSRs a guest may use, and the handlers of those that belong to no other file.
 * Specs: [SDM4] "Architectural MSRs"; [SDM3] "Time-Stamp Counter", "Memory Type Range Registers
 * (MTRRs)", "Page Attribute Table (PAT)", "Machine-Check Architecture".
 */
#include "vmm/msr.h"

#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lapic.h"
#include "vmm/msr_mtrr.h"
#include "vmm/msr_regs.h"
#include "vmm/pv.h"
#include "vmm/vm.h"

/* Of interest to this file alone; vmm/x86.h has the others. */
#define MSR_IA32_PLATFORM_ID 0x17U
#define MSR_PLATFORM_INFO 0xceU
#define MSR_MISC_FEATURES_ENABLES 0x140U
#define MSR_MTRR_VAR_LAST (MSR_IA32_MTRR_PHYSBASE0 + 2U * MTRR_VARIABLE - 1U)

#define FEATURE_CONTROL_LOCKED BIT64(0)

#define MISC_ENABLE_FAST_STRINGS BIT64(0)
#define MISC_ENABLE_BTS_UNAVAIL BIT64(11)
#define MISC_ENABLE_PEBS_UNAVAIL BIT64(12)
#define MISC_ENABLE_RESET \
	(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAIL | MISC_ENABLE_PEBS_UNAVAIL)

/*
 * IA32_ARCH_CAPABILITIES ([SDM4]): statements that the processor is not affected by something hold
 * for its guests, too. Everything that announces another MSR is left out.
 */
#define ARCH_CAP_RDCL_NO BIT64(0)
#define ARCH_CAP_RSBA BIT64(2)
#define ARCH_CAP_SKIP_L1DFL BIT64(3)
#define ARCH_CAP_SSB_NO BIT64(4)
#define ARCH_CAP_MDS_NO BIT64(5)
#define ARCH_CAP_PSCHANGE_NO BIT64(6)
#define ARCH_CAP_TAA_NO BIT64(8)
#define ARCH_CAP_SBDR_SSDP_NO BIT64(13)
#define ARCH_CAP_FBSDP_NO BIT64(14)
#define ARCH_CAP_PSDP_NO BIT64(15)
#define ARCH_CAP_BHI_NO BIT64(20)
#define ARCH_CAP_PBRSB_NO BIT64(24)
#define ARCH_CAP_GDS_NO BIT64(26)
#define ARCH_CAP_RFDS_NO BIT64(27)
#define ARCH_CAP_PASS \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SKIP_L1DFL | ARCH_CAP_SSB_NO | \
	        ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
	        ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | \
	        ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO)

typedef bool msr_read_fn(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
typedef bool msr_write_fn(struct vcpu *vcpu, uint32_t msr, uint64_t value);

static bool zero_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	(void)msr;
	*value = 0;
	return true;
}

/* Registers with nothing to switch on: zero is the only value they take. */
static bool zero_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)vcpu;
	(void)msr;
	return value == 0;
}

/* --- time --- */

static void tsc_move(struct vcpu *vcpu, uint64_t delta)
{
	uint64_t deadline;

	if (delta == 0) {
		return;
	}
	vcpu->tsc_offset += delta;
	vcpu->tsc_adjust += delta;
	cpu_virt->set_tsc_offset(vcpu, vcpu->tsc_offset);
	/* The deadline is in guest ticks: the same number is another moment now. */
	deadline = lapic_get_tsc_deadline(&vcpu->lapic);
	if (deadline != 0) {
		lapic_set_tsc_deadline(&vcpu->lapic, deadline);
	}
}

static bool tsc_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = cpu_rdtsc() + vcpu->tsc_offset;
	return true;
}

static bool tsc_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	tsc_move(vcpu, value - (cpu_rdtsc() + vcpu->tsc_offset));
	return true;
}

static bool tsc_adjust_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vcpu->tsc_adjust;
	return true;
}

static bool tsc_adjust_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	tsc_move(vcpu, value - vcpu->tsc_adjust);
	return true;
}

static bool tsc_deadline_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = lapic_get_tsc_deadline(&vcpu->lapic);
	return true;
}

static bool tsc_deadline_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	lapic_set_tsc_deadline(&vcpu->lapic, value);
	return true;
}

/* --- local APIC --- */

static bool apic_base_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vcpu->lapic.base;
	return true;
}

static bool apic_base_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	return lapic_set_base(&vcpu->lapic, value);
}

static bool x2apic_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	return lapic_msr_read(&vcpu->lapic, msr, value);
}

static bool x2apic_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	return lapic_msr_write(&vcpu->lapic, msr, value);
}

/* --- the paravirtual interface's --- */

static bool pv_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	return vcpu->pv && vcpu->vm->pv->msr_read(vcpu, msr, value);
}

static bool pv_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	return vcpu->pv && vcpu->vm->pv->msr_write(vcpu, msr, value);
}

/* --- identification and features --- */

static bool feature_control_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	(void)msr;
	*value = FEATURE_CONTROL_LOCKED;
	return true;
}

static bool microcode_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	if (!cpu_rdmsr_safe(msr, value) || *value == 0) {
		*value = BIT64(32);
	}
	return true;
}

/* Ratios of 100 MHz, so that nobody who divides by them divides by zero. */
static bool platform_info_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	uint64_t ratio = clock_tsc_hz() / 100000000U;

	(void)vcpu;
	(void)msr;
	ratio = ratio == 0 ? 1 : (ratio > 0xff ? 0xff : ratio);
	*value = ratio << 8 | ratio << 40;
	return true;
}

static bool arch_capabilities_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	if (!cpuid_offers(7, 0, CPUID_EDX, 29) || !cpu_rdmsr_safe(msr, value)) {
		return false;
	}
	*value &= ARCH_CAP_PASS;
	return true;
}

static bool misc_enable_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vcpu->misc_enable;
	return true;
}

/* Only fast strings can be switched; the rest is what it is, and saying so again is no fault. */
static bool misc_enable_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	vcpu->misc_enable = (vcpu->misc_enable & ~MISC_ENABLE_FAST_STRINGS) |
	                    (value & MISC_ENABLE_FAST_STRINGS);
	return true;
}

/* --- the table --- */

struct msr_range {
	uint32_t first, last;
	msr_read_fn *read;   /* NULL = #GP */
	msr_write_fn *write; /* NULL = #GP */
};

/* Ascending; searched by halves. */
static const struct msr_range ranges[] = {
        {MSR_IA32_TSC, MSR_IA32_TSC, tsc_read, tsc_write},
        {MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, zero_read, NULL},
        {MSR_IA32_APIC_BASE, MSR_IA32_APIC_BASE, apic_base_read, apic_base_write},
        {MSR_IA32_FEATURE_CONTROL, MSR_IA32_FEATURE_CONTROL, feature_control_read, NULL},
        {MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_ADJUST, tsc_adjust_read, tsc_adjust_write},
        {MSR_IA32_BIOS_SIGN_ID, MSR_IA32_BIOS_SIGN_ID, microcode_read, zero_write},
        {MSR_PLATFORM_INFO, MSR_PLATFORM_INFO, platform_info_read, NULL},
        {MSR_IA32_MTRRCAP, MSR_IA32_MTRRCAP, mtrr_read, NULL},
        {MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_ARCH_CAPABILITIES, arch_capabilities_read, NULL},
        {MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES, zero_read, zero_write},
        {MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, msr_reg_read, msr_sysenter_write},
        /* No banks, no control register, nothing ever in progress. */
        {MSR_IA32_MCG_CAP, MSR_IA32_MCG_CAP, zero_read, NULL},
        {MSR_IA32_MCG_STATUS, MSR_IA32_MCG_STATUS, zero_read, zero_write},
        {MSR_IA32_MISC_ENABLE, MSR_IA32_MISC_ENABLE, misc_enable_read, misc_enable_write},
        {MSR_IA32_DEBUGCTL, MSR_IA32_DEBUGCTL, msr_reg_read, msr_debugctl_write},
        {MSR_IA32_MTRR_PHYSBASE0, MSR_MTRR_VAR_LAST, mtrr_read, mtrr_write},
        {MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX64K_00000, mtrr_read, mtrr_write},
        {MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000, mtrr_read, mtrr_write},
        {MSR_IA32_MTRR_FIX4K_C0000, MSR_IA32_MTRR_FIX4K_C0000 + 7, mtrr_read, mtrr_write},
        {MSR_IA32_PAT, MSR_IA32_PAT, msr_reg_read, msr_pat_write},
        {MSR_IA32_MTRR_DEF_TYPE, MSR_IA32_MTRR_DEF_TYPE, mtrr_read, mtrr_write},
        {MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, tsc_deadline_read, tsc_deadline_write},
        {MSR_X2APIC_BASE, MSR_X2APIC_LAST, x2apic_read, x2apic_write},
        {MSR_IA32_XSS, MSR_IA32_XSS, msr_xss_read, msr_xss_write},
        {PV_MSR_FIRST, PV_MSR_LAST, pv_read, pv_write},
        {MSR_IA32_EFER, MSR_IA32_EFER, msr_reg_read, msr_efer_write},
        {MSR_IA32_STAR, MSR_IA32_STAR, msr_live_read, msr_star_write},
        {MSR_IA32_LSTAR, MSR_IA32_CSTAR, msr_live_read, msr_live_address_write},
        {MSR_IA32_FMASK, MSR_IA32_FMASK, msr_live_read, msr_live_u32_write},
        {MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, msr_seg_base_read, msr_seg_base_write},
        {MSR_IA32_KERNEL_GS_BASE, MSR_IA32_KERNEL_GS_BASE, msr_live_read, msr_live_address_write},
        {MSR_IA32_TSC_AUX, MSR_IA32_TSC_AUX, msr_tsc_aux_read, msr_tsc_aux_write},
};

static const struct msr_range *find(uint32_t msr)
{
	size_t low = 0, high = ARRAY_SIZE(ranges);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (msr < ranges[mid].first) {
			high = mid;
		} else if (msr > ranges[mid].last) {
			low = mid + 1;
		} else {
			return &ranges[mid];
		}
	}
	return NULL;
}

bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct msr_range *range = find(msr);

	if (range && range->read && range->read(vcpu, msr, value)) {
		return true;
	}
	vm_log(vcpu->vm, LOG_DEBUG, "vCPU %u: RDMSR 0x%x refused", vcpu->index, msr);
	return false;
}

bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_range *range = find(msr);

	if (range && range->write && range->write(vcpu, msr, value)) {
		return true;
	}
	vm_log(vcpu->vm, LOG_DEBUG, "vCPU %u: WRMSR 0x%x, value 0x%llx refused", vcpu->index, msr,
	        (unsigned long long)value);
	return false;
}

void msr_reset(struct vcpu *vcpu, bool power_on)
{
	if (vcpu->pv) {
		vcpu->vm->pv->vcpu_reset(vcpu, power_on);
	}
	/* [SDM3] table "IA-32 and Intel 64 Processor States": INIT leaves MSRs as they are. */
	if (!power_on) {
		return;
	}
	mtrr_reset(vcpu);
	vcpu->misc_enable = MISC_ENABLE_RESET;
	vcpu->tsc_adjust = 0;
	vcpu->tsc_offset = vcpu->vm->tsc_offset;
	vcpu->xcr0 = 1;
	vcpu->xss = 0;
	cpu_virt->set_tsc_offset(vcpu, vcpu->tsc_offset);
	msr_regs_reset(vcpu);
}
