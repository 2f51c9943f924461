// SPDX-License-Identifier: BSD-2-Clause
/*
 * The Hyper-V interface of a VM, put together: memory, overlay pages, reset.
 * Specs: [TLFS] "Feature and Interface Discovery", "GPA Overlay Pages".
 */
#include "hypercall/hv.h"
#include "vmm/cpuid_policy.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/overlay.h"

#define LEAF_INVARIANT_TSC 0x80000007U
#define INVARIANT_TSC_BIT 8U

/* Of the VM: hypercall and reference TSC page; of a vCPU: assist, message and event-flag page. */
#define VM_PAGES 2U
#define VCPU_PAGES 3U

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_MASK) >> PAGE_SHIFT;
}

uint64_t hv_memory_pages(uint32_t n_vcpus)
{
	return VM_PAGES + pages_of(sizeof(struct hv_vm)) +
	       n_vcpus * (VCPU_PAGES + pages_of(sizeof(struct hv_vcpu)));
}

/* A feature goes with those it stands on. */
static uint32_t granted(const struct config_vm *config)
{
	uint32_t f = config->hv_features;

	if (!cpuid_offers(LEAF_INVARIANT_TSC, 0, CPUID_EDX, INVARIANT_TSC_BIT)) {
		f &= ~BIT(HV_INVARIANT_TSC);
	}
	if (!(f & BIT(HV_REF_COUNT))) {
		f &= ~(BIT(HV_STIMER) | BIT(HV_REF_TSC));
	}
	if (!(f & BIT(HV_STIMER))) {
		f &= ~BIT(HV_STIMER_DIRECT_MODE);
	}
	if (!(f & BIT(HV_APIC_MSRS))) {
		f &= ~(BIT(HV_APIC_HINT) | BIT(HV_EOI_ASSIST));
	}
	/* A processor that delivers interrupts by itself ends them, too. */
	if (cpu_virt->caps()->apic.intr_delivery) {
		f &= ~BIT(HV_EOI_ASSIST);
	}
	return f;
}

static void vm_reset(struct vm *vm)
{
	struct hv_vm *hv = hv_vm(vm);

	overlay_reset(vm);
	hv->guest_os_id = 0;
	hv->hypercall_msr = 0;
	hypercall_offer_short(hv, false);
	hv->reference_tsc = 0;
	hv->invariant_tsc = 0;
	memset(hv->crash, 0, sizeof(hv->crash));
	if (vm->config->testdev) {
		hv_testdev_reset(&hv->testdev);
	}
	hv_page_init(hv);
	ref_time_init(hv);
}

/* INIT leaves synthetic MSRs as it leaves all others. */
static void vcpu_reset_pv(struct vcpu *vcpu, bool power_on)
{
	struct hv_vcpu *hv = hv_vcpu(vcpu);

	/* The flush call that it was in, if it was, is not executed again. */
	hv->flush_waits = 0;
	hv->remote.name = 0;
	hv->lives++;
	if (!power_on) {
		return;
	}
	__atomic_store_n(&hv->start.state, 0, __ATOMIC_RELAXED);
	hv->vp_assist = 0;
	memset(hv->assist_page, 0, PAGE_SIZE);
	synic_reset(&hv->synic);
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		stimer_reset(&hv->stimers[i]);
	}
}

/* The reference time stood still: what is armed is due later. */
static void vm_resume(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vcpu_request(vm->vcpus[i], VCPU_REQ_PV);
	}
}

static void serve(struct vcpu *vcpu)
{
	stimer_rearm(vcpu);
	if (vcpu->vm->bus_ops) {
		vcpu->vm->bus_ops->serve(vcpu);
	}
}

static void eoi(struct vcpu *vcpu, uint8_t vector)
{
	synic_eoi(&hv_vcpu(vcpu)->synic, vector);
}

static void dump(const struct vm *vm, struct out *out)
{
	const struct hv_vm *hv = hv_vm(vm);

	out_print(out, "guest OS id %#llx, hypercall %#llx, reference TSC %#llx, time %llu\n",
	        (unsigned long long)hv->guest_os_id, (unsigned long long)hv->hypercall_msr,
	        (unsigned long long)hv->reference_tsc, (unsigned long long)hv_reference_time(vm));
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct hv_vcpu *v = hv_vcpu(vm->vcpus[i]);

		out_print(out, "VP %u: assist page %#llx\n", i, (unsigned long long)v->vp_assist);
		synic_dump(&v->synic, out);
		for (unsigned t = 0; t < HV_STIMER_COUNT; t++) {
			stimer_dump(&v->stimers[t], out);
		}
	}
}

static const struct pv_ops hv_ops = {
        .cpuid = hv_cpuid,
        .msr_read = hv_msr_read,
        .msr_write = hv_msr_write,
        .serve = serve,
        .eoi = eoi,
        .vcpu_reset = vcpu_reset_pv,
        .vm_reset = vm_reset,
        .vm_resume = vm_resume,
        .dump = dump,
};

static uint8_t *take(uint8_t **memory, uint64_t pages)
{
	uint8_t *p = *memory;

	*memory += pages * PAGE_SIZE;
	return p;
}

/* Overlays of one vCPU; where two of the VM's lie at one place, the lower vCPU's is on top. */
static int attach_vcpu(struct vcpu *vcpu, uint8_t **memory)
{
	uint8_t *assist = take(memory, 1), *events = take(memory, 1), *messages = take(memory, 1);
	struct hv_vcpu *hv = (struct hv_vcpu *)take(memory, pages_of(sizeof(struct hv_vcpu)));
	int first = overlay_add(vcpu->vm, assist, true, false);

	if (first < 0 || overlay_add(vcpu->vm, events, true, false) < 0 ||
	        overlay_add(vcpu->vm, messages, true, false) < 0) {
		return -ENOSPC;
	}
	hv->vcpu = vcpu;
	hv->overlays = (uint32_t)first;
	hv->assist_page = assist;
	synic_init(&hv->synic, vcpu, messages, events);
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		stimer_init(&hv->stimers[i], vcpu, i);
	}
	vcpu->pv = hv;
	vcpu->hypercall = hv_hypercall;
	return 0;
}

int hv_attach(struct vm *vm, void *memory)
{
	uint8_t *at = memory;
	uint8_t *call_page = take(&at, 1), *tsc_page = take(&at, 1);
	struct hv_vm *hv = (struct hv_vm *)take(&at, pages_of(sizeof(struct hv_vm)));
	int err = 0;

	if (overlay_add(vm, call_page, false, true) != HV_OVERLAY_HYPERCALL ||
	        overlay_add(vm, tsc_page, false, false) != HV_OVERLAY_REFERENCE_TSC) {
		return -ENOSPC;
	}
	hv->vm = vm;
	hv->features = granted(vm->config);
	hv->all_vps = ~0ULL >> (64 - vm->n_vcpus);
	hv->hypercall_page = call_page;
	hv->reference_page = tsc_page;
	vm->pv_vm = hv;
	for (unsigned i = 0; !err && i < vm->n_vcpus; i++) {
		err = attach_vcpu(vm->vcpus[i], &at);
	}
	if (!err && vm->config->testdev) {
		err = hv_testdev_attach(&hv->testdev, vm);
	}
	if (err) {
		return err;
	}
	vm->pv = &hv_ops;
	vm_reset(vm);
	return 0;
}
