// SPDX-License-Identifier: BSD-2-Clause
// Calls that are one sentence each.
// Specs: [TLFS] "HvCallNotifyLongSpinWait", "HvCallGetVpIndexFromApicId",
// "HvExtCallQueryCapabilities".
#include "hypercall/hv.h"
#include "hypercall/hypercall.h"
#include "vmm/lapic.h"
#include "vmm/lib/string.h"

/* The owner of the lock may be the one who waits for this CPU. */
enum exit_action hv_call_spin_wait(
        struct vcpu *vcpu, uint64_t first, uint64_t second, const struct hv_vm *hv)
{
	(void)first;
	(void)second;
	(void)hv;
	(void)hv_call_short_done(vcpu, HV_STATUS_SUCCESS);
	return ACT_YIELD;
}

/* No extended calls but this one. */
struct hv_call_result hv_call_query_capabilities(struct vcpu *vcpu, const struct hv_call_args *args)
{
	(void)vcpu;
	memset(args->output, 0, 8);
	return hv_call_done(HV_STATUS_SUCCESS);
}

enum hv_status hv_call_vp(
        struct vcpu *self, uint64_t partition, uint8_t vtl, uint32_t vp_index, struct vcpu **vcpu)
{
	if (partition != HV_PARTITION_SELF) {
		return HV_STATUS_INVALID_PARTITION_ID;
	}
	/* There is one trust level. */
	if (vtl & ~HV_INPUT_VTL_USED) {
		return HV_STATUS_INVALID_PARAMETER;
	}
	if (vp_index == HV_VP_SELF) {
		vp_index = self->index;
	}
	if (vp_index >= self->vm->n_vcpus) {
		return HV_STATUS_INVALID_VP_INDEX;
	}
	*vcpu = self->vm->vcpus[vp_index];
	return HV_STATUS_SUCCESS;
}

/* The VP with this APIC id, or -1. */
static int vp_of(const struct vm *vm, uint32_t apic_id)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (lapic_id(&vm->vcpus[i]->lapic) == apic_id) {
			return (int)i;
		}
	}
	return -1;
}

struct hv_call_result hv_call_vp_index(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_vp_index_input *in = (const struct hv_vp_index_input *)args->input;
	struct hv_call_result result = {.reps = args->rep_start};
	struct vcpu *self;

	result.status = hv_call_vp(vcpu, in->partition, in->vtl, HV_VP_SELF, &self);
	for (; result.status == HV_STATUS_SUCCESS && result.reps < args->rep_count; result.reps++) {
		uint32_t id = ((const uint32_t *)args->list)[result.reps];
		int vp = vp_of(vcpu->vm, id);

		if (vp < 0) {
			result.status = HV_STATUS_INVALID_PARAMETER;
			break;
		}
		((uint32_t *)args->output)[result.reps] = (uint32_t)vp;
	}
	return result;
}
