// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of synthetic MSRs, with the feature that offers each; and the handlers of those that
 * need no file of their own.
 * Specs: [TLFS] "Synthetic MSR".
 */
#include "hypercall/hv.h"
#include "vmm/lapic.h"
#include "vmm/vm_clock.h"
#include "vmm/x86.h"

#define ALWAYS HV_FEATURE_COUNT
#define APIC_TPR_MASK 0xffULL

static bool vp_index_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vcpu->index;
	return true;
}

static bool reset_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	(void)msr;
	*value = 0;
	return true;
}

static bool reset_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & 1) {
		vm_request(vcpu->vm, VM_REQ_RESET, "Hyper-V reset MSR");
	}
	return true;
}

static bool vp_runtime_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = vm_ticks_to_ns(stats_guest_ticks(vcpu)) / 100;
	return true;
}

static bool frequency_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)vcpu;
	*value = msr == HV_MSR_TSC_FREQUENCY ? vm_tsc_hz() : lapic_timer_hz();
	return true;
}

static bool invariant_tsc_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = __atomic_load_n(&hv_vm(vcpu->vm)->invariant_tsc, __ATOMIC_RELAXED);
	return true;
}

static bool invariant_tsc_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (value & ~HV_INVARIANT_TSC_VISIBLE) {
		return false;
	}
	__atomic_store_n(&hv_vm(vcpu->vm)->invariant_tsc, value, __ATOMIC_RELAXED);
	return true;
}

/* --- the local APIC by MSR: [TLFS] "Local APIC MSR Accesses" --- */

/* An APIC in x2APIC mode takes nothing by way of its page. */
static bool apic_read(struct vcpu *vcpu, enum lapic_reg reg, uint64_t *value)
{
	if (lapic_x2apic(&vcpu->lapic)) {
		return lapic_msr_read(&vcpu->lapic, MSR_X2APIC_BASE + reg / 16, value);
	}
	*value = lapic_read(&vcpu->lapic, reg);
	return true;
}

static bool apic_write(struct vcpu *vcpu, enum lapic_reg reg, uint64_t value)
{
	if (lapic_x2apic(&vcpu->lapic)) {
		return lapic_msr_write(&vcpu->lapic, MSR_X2APIC_BASE + reg / 16, value);
	}
	lapic_write(&vcpu->lapic, reg, (uint32_t)value);
	return true;
}

static bool eoi_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	(void)value;
	return apic_write(vcpu, LAPIC_EOI, 0);
}

static bool icr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	bool ok = apic_read(vcpu, LAPIC_ICR, value);

	(void)msr;
	if (!lapic_x2apic(&vcpu->lapic)) {
		*value |= (uint64_t)lapic_read(&vcpu->lapic, LAPIC_ICR_HIGH) << 32;
	}
	return ok;
}

static bool icr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	if (!lapic_x2apic(&vcpu->lapic)) {
		lapic_write(&vcpu->lapic, LAPIC_ICR_HIGH, (uint32_t)(value >> 32));
	}
	return apic_write(vcpu, LAPIC_ICR, value);
}

static bool tpr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	return apic_read(vcpu, LAPIC_TPR, value);
}

static bool tpr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)msr;
	return !(value & ~APIC_TPR_MASK) && apic_write(vcpu, LAPIC_TPR, value);
}

/* --- the table --- */

struct hv_msr_range {
	uint32_t first, last;
	uint32_t feature;
	bool (*read)(struct vcpu *vcpu, uint32_t msr, uint64_t *value); /* NULL = #GP */
	bool (*write)(struct vcpu *vcpu, uint32_t msr, uint64_t value); /* NULL = #GP */
};

static const struct hv_msr_range ranges[] = {
        {HV_MSR_GUEST_OS_ID, HV_MSR_GUEST_OS_ID, ALWAYS, guest_os_id_read, guest_os_id_write},
        {HV_MSR_HYPERCALL, HV_MSR_HYPERCALL, ALWAYS, hypercall_msr_read, hypercall_msr_write},
        {HV_MSR_VP_INDEX, HV_MSR_VP_INDEX, ALWAYS, vp_index_read, NULL},
        {HV_MSR_RESET, HV_MSR_RESET, HV_RESET, reset_read, reset_write},
        {HV_MSR_VP_RUNTIME, HV_MSR_VP_RUNTIME, HV_VP_RUNTIME, vp_runtime_read, NULL},
        {HV_MSR_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT, HV_REF_COUNT, ref_time_read, NULL},
        {HV_MSR_REFERENCE_TSC, HV_MSR_REFERENCE_TSC, HV_REF_TSC, reference_tsc_read,
                reference_tsc_write},
        {HV_MSR_TSC_FREQUENCY, HV_MSR_APIC_FREQUENCY, HV_FREQ_MSRS, frequency_read, NULL},
        {HV_MSR_EOI, HV_MSR_EOI, HV_APIC_MSRS, NULL, eoi_write},
        {HV_MSR_ICR, HV_MSR_ICR, HV_APIC_MSRS, icr_read, icr_write},
        {HV_MSR_TPR, HV_MSR_TPR, HV_APIC_MSRS, tpr_read, tpr_write},
        /* Linux writes this one on every processor without asking for the feature. */
        {HV_MSR_VP_ASSIST_PAGE, HV_MSR_VP_ASSIST_PAGE, ALWAYS, vp_assist_read, vp_assist_write},
        {HV_MSR_SCONTROL, HV_MSR_SINT15, HV_SYNIC, synic_msr_read, synic_msr_write},
        {HV_MSR_STIMER0_CONFIG, HV_MSR_STIMER3_COUNT, HV_STIMER, stimer_msr_read, stimer_msr_write},
        {HV_MSR_GUEST_IDLE, HV_MSR_GUEST_IDLE, HV_IDLE, guest_idle_read, NULL},
        {HV_MSR_CRASH_P0, HV_MSR_CRASH_P4, HV_CRASH, crash_param_read, crash_param_write},
        {HV_MSR_CRASH_CTL, HV_MSR_CRASH_CTL, HV_CRASH, crash_ctl_read, crash_ctl_write},
        {HV_MSR_INVARIANT_TSC, HV_MSR_INVARIANT_TSC, HV_INVARIANT_TSC, invariant_tsc_read,
                invariant_tsc_write},
};

static const struct hv_msr_range *find(const struct vm *vm, uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct hv_msr_range *r = &ranges[i];

		if (msr >= r->first && msr <= r->last) {
			bool offered =
			        r->feature == ALWAYS || hv_has(vm, (enum hv_feature)r->feature);

			return offered ? r : NULL;
		}
	}
	return NULL;
}

bool hv_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct hv_msr_range *r = find(vcpu->vm, msr);

	return r && r->read && r->read(vcpu, msr, value);
}

bool hv_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct hv_msr_range *r;

	/* What a guest's timer tick does. */
	if (msr == HV_MSR_STIMER0_CONFIG + 1 && hv_has(vcpu->vm, HV_STIMER)) {
		return stimer_msr_write(vcpu, msr, value);
	}
	r = find(vcpu->vm, msr);
	return r && r->write && r->write(vcpu, msr, value);
}
