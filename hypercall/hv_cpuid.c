// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the interface says about itself: each bit of a leaf is there because a feature is.
 * Specs: [TLFS] "Feature and Interface Discovery".
 */
#include "hypercall/hv.h"
#include "vmm/cpuid_policy.h"

/* The version that guests print: of the Hyper-V whose interface this is closest to. */
#define VERSION_BUILD 20348U
#define VERSION_MAJOR 10U
#define VERSION_MINOR 0U

/* Spins of a guest on a lock before it says so. */
#define SPINS_BEFORE_NOTIFY 0xfffU

#define LEAF_INVARIANT_TSC 0x80000007U
#define INVARIANT_TSC (1U << 8)

enum hv_reg { PRIV_LOW, PRIV_HIGH, FEATURES, HINTS, REG_KINDS };

/* Which bit each feature brings. */
static const struct {
	uint8_t feature; /* enum hv_feature */
	uint8_t reg;
	uint32_t bits;
} bits[] = {
        {HV_VP_RUNTIME, PRIV_LOW, HV_PRIV_VP_RUNTIME},
        {HV_REF_COUNT, PRIV_LOW, HV_PRIV_TIME_REF_COUNT},
        {HV_SYNIC, PRIV_LOW, HV_PRIV_SYNIC},
        {HV_STIMER, PRIV_LOW, HV_PRIV_STIMER},
        {HV_APIC_MSRS, PRIV_LOW, HV_PRIV_APIC_MSRS},
        {HV_RESET, PRIV_LOW, HV_PRIV_RESET},
        {HV_REF_TSC, PRIV_LOW, HV_PRIV_REFERENCE_TSC},
        {HV_IDLE, PRIV_LOW, HV_PRIV_GUEST_IDLE},
        {HV_FREQ_MSRS, PRIV_LOW, HV_PRIV_FREQUENCY_MSRS},
        {HV_INVARIANT_TSC, PRIV_LOW, HV_PRIV_INVARIANT_TSC},
        {HV_POST, PRIV_HIGH, HV_PRIV_POST_MESSAGES},
        {HV_SIGNAL, PRIV_HIGH, HV_PRIV_SIGNAL_EVENTS},
        {HV_VP_REGS, PRIV_HIGH, HV_PRIV_ACCESS_VP_REGISTERS},
        {HV_EXT_CALLS, PRIV_HIGH, HV_PRIV_EXTENDED_HYPERCALLS},
        {HV_START_VP, PRIV_HIGH, HV_PRIV_START_VP},
        {HV_XMM, FEATURES, HV_FEATURE_XMM_INPUT},
        {HV_IDLE, FEATURES, HV_FEATURE_GUEST_IDLE},
        {HV_FREQ_MSRS, FEATURES, HV_FEATURE_FREQUENCY_MSRS},
        {HV_CRASH, FEATURES, HV_FEATURE_CRASH_MSRS},
        {HV_STIMER_DIRECT_MODE, FEATURES, HV_FEATURE_STIMER_DIRECT},
        {HV_TLB_FLUSH, HINTS, HV_HINT_REMOTE_FLUSH},
        {HV_APIC_HINT, HINTS, HV_HINT_APIC_MSRS},
        {HV_EOI_ASSIST, HINTS, HV_HINT_APIC_MSRS},
        {HV_RELAXED, HINTS, HV_HINT_RELAXED_TIMING},
        {HV_NO_AUTO_EOI, HINTS, HV_HINT_NO_AUTO_EOI},
        {HV_IPI, HINTS, HV_HINT_CLUSTER_IPI},
        {HV_EX_MASKS, HINTS, HV_HINT_EX_MASKS},
};

static uint32_t bits_of(const struct vm *vm, enum hv_reg reg)
{
	uint32_t value = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		if (bits[i].reg == reg && hv_has(vm, (enum hv_feature)bits[i].feature)) {
			value |= bits[i].bits;
		}
	}
	return value;
}

static uint32_t hardware_in_use(void)
{
	const struct virt_apic_caps *apic = &cpu_virt->caps()->apic;

	return HV_HW_NESTED_PAGING | HV_HW_UNRESTRICTED_GUEST | HV_HW_MSR_BITMAPS |
	       (apic->apic_reg || apic->intr_delivery ? HV_HW_APIC_ASSIST : 0);
}

/* The architectural flag appears when the guest has asked for it. */
static void hide_invariant_tsc(const struct vm *vm, struct cpuid_regs *out)
{
	uint64_t asked = __atomic_load_n(&hv_vm(vm)->invariant_tsc, __ATOMIC_RELAXED);

	if (!hv_has(vm, HV_INVARIANT_TSC) || !(asked & HV_INVARIANT_TSC_VISIBLE)) {
		out->edx &= ~INVARIANT_TSC;
	}
}

void hv_cpuid(struct vcpu *vcpu, uint32_t leaf, struct cpuid_regs *out)
{
	const struct vm *vm = vcpu->vm;

	switch (leaf) {
	case HV_CPUID_VENDOR:
		*out = (struct cpuid_regs){
		        HV_CPUID_MAX, HV_VENDOR_EBX, HV_VENDOR_ECX, HV_VENDOR_EDX};
		break;
	case HV_CPUID_INTERFACE:
		out->eax = HV_INTERFACE_HV1;
		break;
	case HV_CPUID_VERSION:
		out->eax = VERSION_BUILD;
		out->ebx = VERSION_MAJOR << 16 | VERSION_MINOR;
		break;
	case HV_CPUID_FEATURES:
		/* Without these two a guest ignores the interface. */
		out->eax = bits_of(vm, PRIV_LOW) | HV_PRIV_HYPERCALL_MSRS | HV_PRIV_VP_INDEX;
		out->ebx = bits_of(vm, PRIV_HIGH);
		out->edx = bits_of(vm, FEATURES);
		break;
	case HV_CPUID_HINTS:
		out->eax = bits_of(vm, HINTS);
		out->ebx = hv_has(vm, HV_SPIN_WAIT) ? SPINS_BEFORE_NOTIFY : HV_SPIN_NEVER;
		out->ecx = cpuid_phys_bits();
		break;
	case HV_CPUID_LIMITS:
		out->eax = HV_MAX_VPS;
		out->ebx = HV_MAX_VPS;
		break;
	case HV_CPUID_HARDWARE:
		out->eax = hardware_in_use();
		break;
	case LEAF_INVARIANT_TSC:
		hide_invariant_tsc(vm, out);
		break;
	default:
		/* Guests ask beyond the highest leaf: zeros, never another leaf's data. */
		break;
	}
}
