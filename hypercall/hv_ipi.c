// SPDX-License-Identifier: BSD-2-Clause
// Interrupts from vCPU to vCPUs by hypercall: one exit for a whole set.
// Specs: [TLFS] "HvCallSendSyntheticClusterIpi", "HvCallSendSyntheticClusterIpiEx".
#include "hypercall/hv.h"
#include "hypercall/hv_vpset.h"
#include "hypercall/hypercall.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"

#define VECTOR_MIN 0x10U
#define VECTOR_MAX 0xffU

static enum hv_status send(struct vcpu *vcpu, uint32_t vector, uint8_t vtl, uint64_t vps)
{
	if (vector < VECTOR_MIN || vector > VECTOR_MAX || vtl != 0) {
		return HV_STATUS_INVALID_PARAMETER;
	}
	for (; vps; vps &= vps - 1) {
		struct lapic *apic = &vcpu->vm->vcpus[bit_first(vps)]->lapic;

		if (lapic_enabled(apic)) {
			lapic_post(apic, (uint8_t)vector, false);
		}
	}
	return HV_STATUS_SUCCESS;
}

/* struct hv_ipi_input */
enum exit_action hv_call_send_ipi(struct vcpu *vcpu, uint64_t first, uint64_t second)
{
	return hv_call_short_done(vcpu, send(vcpu, (uint32_t)first, (uint8_t)(first >> 32),
	                                        second & hv_vpset_all(vcpu->vm)));
}

struct hv_call_result hv_call_send_ipi_ex(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_ipi_ex_input *in = (const struct hv_ipi_ex_input *)args->input;
	uint64_t vps;
	enum hv_status status =
	        hv_vpset_parse(vcpu->vm, in->format, in->valid_banks, args->var, args->n_var, &vps);

	if (status != HV_STATUS_SUCCESS) {
		return hv_call_done(status);
	}
	return hv_call_done(send(vcpu, in->vector, in->target_vtl, vps));
}
