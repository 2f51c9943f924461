// SPDX-License-Identifier: BSD-2-Clause
/*
 * Cached translations: guest-linear ones by VPID, second-level ones by EPT pointer.
 * Specs: [SDM3] "Invalidating Cached Translation Information", "Guidelines for Use of the
 * INVVPID Instruction", "Guidelines for Use of the INVEPT Instruction".
 */
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

void vmx_flush_guest(struct vcpu *vcpu)
{
	/* Without a VPID every entry and exit flushes. */
	if (vmx_vcpu(vcpu)->vpid) {
		vmx_invvpid(vmx_caps.invvpid_single ? INV_SINGLE : INV_ALL, vmx_vcpu(vcpu)->vpid);
	}
}

void vmx_flush_nested(struct vcpu *vcpu)
{
	uint64_t served = __atomic_load_n(&vmx_vm(vcpu->vm)->flushes, __ATOMIC_SEQ_CST);

	vmx_invept(vmx_caps.invept_single ? INV_SINGLE : INV_ALL, vmx_vm(vcpu->vm)->eptp);
	__atomic_store_n(&vmx_vcpu(vcpu)->flushes_seen, served, __ATOMIC_SEQ_CST);
}

void vmx_flush_all(struct vcpu *vcpu)
{
	vmx_flush_guest(vcpu);
	vmx_flush_nested(vcpu);
}

void vmx_flush_nested_request(struct vm *vm)
{
	__atomic_fetch_add(&vmx_vm(vm)->flushes, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i]) {
			vcpu_request(vm->vcpus[i], VCPU_REQ_FLUSH_NESTED);
		}
	}
}
