// SPDX-License-Identifier: BSD-2-Clause
// From a guest's set of virtual processors to a mask of the VM's own.
// Specs: [TLFS] "Virtual Processor Sets".
#include "hypercall/hv_vpset.h"

#include "hypercall/hv.h"
#include "vmm/lib/bits.h"

enum hv_status hv_vpset_parse(const struct vm *vm, uint64_t format, uint64_t valid_banks,
        const uint64_t *banks, uint32_t n_banks, uint64_t *vps)
{
	if (format == HV_VP_SET_ALL) {
		*vps = hv_vm(vm)->all_vps;
		return HV_STATUS_SUCCESS;
	}
	if (format != HV_VP_SET_SPARSE) {
		return HV_STATUS_INVALID_PARAMETER;
	}
	if (bit_count(valid_banks) != n_banks) {
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	}
	/* Bank 0 is the only one with vCPUs of ours, and the first in the array if it is there. */
	*vps = valid_banks & 1 ? banks[0] & hv_vm(vm)->all_vps : 0;
	return HV_STATUS_SUCCESS;
}
