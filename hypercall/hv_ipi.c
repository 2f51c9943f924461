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

/* A vector of 32 bits, and above it a VTL of 8, which has to be 0: one number to compare. */
static bool target_valid(uint64_t target)
{
	return (target & GENMASK64(39, 0)) - VECTOR_MIN <= VECTOR_MAX - VECTOR_MIN;
}

static __attribute__((noinline)) void post(const struct vm *vm, uint8_t vector, uint64_t vps)
{
	for (; vps; vps &= vps - 1) {
		struct lapic *apic = &vm->vcpus[bit_first(vps)]->lapic;

		if (lapic_enabled(apic)) {
			lapic_post(apic, vector, false);
		}
	}
}

/* struct hv_ipi_input */
enum exit_action hv_call_send_ipi(
        struct vcpu *vcpu, uint64_t first, uint64_t second, const struct hv_vm *hv)
{
	uint64_t vps = second & hv->all_vps;

	if (!target_valid(first)) {
		return hv_call_short_done(vcpu, HV_STATUS_INVALID_PARAMETER);
	}
	(void)hv_call_short_done(vcpu, HV_STATUS_SUCCESS);
	if (vps) {
		post(vcpu->vm, (uint8_t)first, vps);
	}
	return ACT_SKIP;
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
	if (!target_valid(in->vector | (uint64_t)in->target_vtl << 32)) {
		return hv_call_done(HV_STATUS_INVALID_PARAMETER);
	}
	post(vcpu->vm, (uint8_t)in->vector, vps);
	return hv_call_done(HV_STATUS_SUCCESS);
}
