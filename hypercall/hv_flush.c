// SPDX-License-Identifier: BSD-2-Clause
/*
 * Flushing other processors' translations: HvCallFlushVirtualAddressSpace and -List, with the
 * Ex forms. Whatever part is asked for, all of a vCPU's guest-linear translations go.
 *
 * A guest may rely on the flush when the call returns, so a target in guest mode has to leave it
 * first. Nothing waits: the call asks, and is executed again until all have come out.
 *
 * Specs: [TLFS] "HvCallFlushVirtualAddressSpace", "HvCallFlushVirtualAddressList", "Virtual
 * TLB".
 */
#include "hypercall/hv.h"
#include "hypercall/hv_vpset.h"
#include "hypercall/hypercall.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

#define FLAGS_KNOWN \
	(HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_SPACES | HV_FLUSH_NON_GLOBAL | \
	        HV_FLUSH_EXTENDED_RANGES)

/* In guest mode since before it was asked? A vCPU that is not will flush before it enters. */
static bool still_stale(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST) &&
	       (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) & BIT64(VCPU_REQ_FLUSH_GUEST));
}

static void ask(struct vcpu *self, uint64_t vps)
{
	for (; vps; vps &= vps - 1) {
		struct vcpu *target = self->vm->vcpus[bit_first(vps)];

		if (target == self) {
			cpu_virt->flush_guest_tlb(self);
		} else if (__atomic_load_n(&target->running, __ATOMIC_SEQ_CST)) {
			vcpu_request(target, VCPU_REQ_FLUSH_GUEST);
		} else {
			/* Asleep: it is enough that it finds this when something wakes it. */
			vcpu_request_lazy(target, VCPU_REQ_FLUSH_GUEST);
		}
	}
}

static uint64_t stale_of(const struct vm *vm, uint64_t vps)
{
	uint64_t stale = 0;

	for (; vps; vps &= vps - 1) {
		unsigned i = bit_first(vps);

		stale |= still_stale(vm->vcpus[i]) ? BIT64(i) : 0;
	}
	return stale;
}

/*
 * What identifies a call that is executed again: an interrupt handler's flush in between has
 * another input, and then waits for both.
 */
static struct hv_call_result flush(
        struct vcpu *vcpu, uint64_t vps, uint64_t key, const struct hv_call_args *args)
{
	struct hv_vcpu *hv = hv_vcpu(vcpu);
	uint64_t self = BIT64(vcpu->index);

	if (hv->flush_waits == 0 || hv->flush_key != key) {
		ask(vcpu, vps);
		hv->flush_waits |= vps & ~self;
		hv->flush_key = key;
	}
	hv->flush_waits = stale_of(vcpu->vm, hv->flush_waits);
	if (hv->flush_waits) {
		return (struct hv_call_result){.again = true, .reps = args->rep_start};
	}
	return (struct hv_call_result){.status = HV_STATUS_SUCCESS, .reps = args->rep_count};
}

/* What tells two calls apart: control word, input, and the stack, which in an interrupt handler is
 * another part of it, or another one. */
static uint64_t call_key(struct vcpu *vcpu, uint64_t vps, const struct hv_call_args *args)
{
	return (args->name * 31 + vcpu_reg_get(vcpu, REG_RSP)) * 31 + vps;
}

static struct hv_call_result refuse(enum hv_status status)
{
	return hv_call_done(status);
}

struct hv_call_result hv_call_flush(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_flush_input *in = (const struct hv_flush_input *)args->input;
	uint64_t vps = hv_vm(vcpu->vm)->all_vps;

	if (in->flags & ~FLAGS_KNOWN) {
		return refuse(HV_STATUS_INVALID_PARAMETER);
	}
	if (!(in->flags & HV_FLUSH_ALL_PROCESSORS)) {
		vps &= in->processor_mask;
	}
	return flush(vcpu, vps, call_key(vcpu, vps, args), args);
}

struct hv_call_result hv_call_flush_ex(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_flush_ex_input *in = (const struct hv_flush_ex_input *)args->input;
	uint64_t vps = hv_vm(vcpu->vm)->all_vps;

	if (in->flags & ~FLAGS_KNOWN) {
		return refuse(HV_STATUS_INVALID_PARAMETER);
	}
	if (!(in->flags & HV_FLUSH_ALL_PROCESSORS)) {
		enum hv_status status = hv_vpset_parse(
		        vcpu->vm, in->format, in->valid_banks, args->var, args->n_var, &vps);

		if (status != HV_STATUS_SUCCESS) {
			return refuse(status);
		}
	}
	return flush(vcpu, vps, call_key(vcpu, vps, args), args);
}
