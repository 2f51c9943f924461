// SPDX-License-Identifier: BSD-2-Clause
/*
 * Idle by MSR: the read waits until an interrupt is pending, whether the guest could take it or
 * not. Specs: [TLFS] "Virtual Processor Idle Sleep State".
 */
#include "hypercall/hv.h"

bool guest_idle_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = 0;
	vcpu->idle_by_msr = true;
	return true;
}
