// SPDX-License-Identifier: BSD-2-Clause
/*
 * The pages a guest places by MSR: hypercall page, reference TSC page, VP assist page; and the
 * guest OS identity, without which there is no hypercall page.
 * Specs: [TLFS] "Establishing the Hypercall Interface", "Reporting the Guest OS Identity",
 * "Partition Reference Time Enlightenment", "Virtual Processor Assist Page".
 */
#include "hypercall/hv.h"
#include "vmm/lapic.h"
#include "vmm/lib/string.h"
#include "vmm/overlay.h"

/* What a guest calls: ENDBR64 (a no-operation in 32-bit code), VMCALL, RET; then INT3. */
static const uint8_t call_code[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x01, 0xc1, 0xc3};

void hv_page_init(struct hv_vm *hv)
{
	memset(hv->hypercall_page, 0xcc, PAGE_SIZE);
	memcpy(hv->hypercall_page, call_code, sizeof(call_code));
}

bool hv_page_place(struct vm *vm, unsigned overlay, uint64_t msr)
{
	uint64_t at = msr & HV_PAGE_MSR_ENABLE ? msr & ~PAGE_MASK : GMEM_NOWHERE;

	return overlay_place(vm, overlay, at) == 0;
}

/* The page comes or goes, and the calls with it. */
static void set_hypercall_msr_locked(struct hv_vm *hv, uint64_t value)
{
	__atomic_store_n(&hv->hypercall_msr, value, __ATOMIC_RELAXED);
	hypercall_offer_short(hv, (value & HV_PAGE_MSR_ENABLE) != 0);
}

bool guest_os_id_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = __atomic_load_n(&hv_vm(vcpu->vm)->guest_os_id, __ATOMIC_RELAXED);
	return true;
}

bool guest_os_id_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct hv_vm *hv = hv_vm(vcpu->vm);

	(void)msr;
	spin_lock(&hv->lock);
	__atomic_store_n(&hv->guest_os_id, value, __ATOMIC_RELAXED);
	if (value == 0 && (hv->hypercall_msr & HV_PAGE_MSR_ENABLE) &&
	        hv_page_place(vcpu->vm, HV_OVERLAY_HYPERCALL, 0)) {
		set_hypercall_msr_locked(hv, hv->hypercall_msr & ~HV_PAGE_MSR_ENABLE);
	}
	spin_unlock(&hv->lock);
	return true;
}

bool hypercall_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = __atomic_load_n(&hv_vm(vcpu->vm)->hypercall_msr, __ATOMIC_RELAXED);
	return true;
}

bool hypercall_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct hv_vm *hv = hv_vm(vcpu->vm);
	bool ok = true;

	(void)msr;
	spin_lock(&hv->lock);
	if (!(hv->hypercall_msr & HV_HYPERCALL_MSR_LOCKED)) {
		/* A guest that has not said who it is gets no page. */
		if (hv->guest_os_id == 0) {
			value &= ~HV_PAGE_MSR_ENABLE;
		}
		ok = hv_page_place(vcpu->vm, HV_OVERLAY_HYPERCALL, value);
		if (ok) {
			set_hypercall_msr_locked(hv, value);
		}
	}
	spin_unlock(&hv->lock);
	return ok;
}

bool reference_tsc_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = __atomic_load_n(&hv_vm(vcpu->vm)->reference_tsc, __ATOMIC_RELAXED);
	return true;
}

bool reference_tsc_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct hv_vm *hv = hv_vm(vcpu->vm);
	bool ok;

	(void)msr;
	spin_lock(&hv->lock);
	ok = hv_page_place(vcpu->vm, HV_OVERLAY_REFERENCE_TSC, value);
	if (ok) {
		__atomic_store_n(&hv->reference_tsc, value, __ATOMIC_RELAXED);
	}
	spin_unlock(&hv->lock);
	return ok;
}

bool vp_assist_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = hv_vcpu(vcpu)->vp_assist;
	return true;
}

bool vp_assist_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct hv_vcpu *hv = hv_vcpu(vcpu);

	(void)msr;
	if (!hv_page_place(vcpu->vm, hv->overlays + HV_OVERLAY_VP_ASSIST, value)) {
		return false;
	}
	/* [TLFS]: the page is cleared when it is enabled. */
	if ((value & HV_PAGE_MSR_ENABLE) && !(hv->vp_assist & HV_PAGE_MSR_ENABLE)) {
		memset(hv->assist_page, 0, PAGE_SIZE);
	}
	hv->vp_assist = value;
	if (hv_has(vcpu->vm, HV_EOI_ASSIST)) {
		lapic_set_eoi_assist(&vcpu->lapic,
		        (value & HV_PAGE_MSR_ENABLE) ? (uint32_t *)(void *)hv->assist_page : NULL);
	}
	return true;
}
