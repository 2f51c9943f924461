// SPDX-License-Identifier: BSD-2-Clause
// Calls that are one sentence each.
// Specs: [TLFS] "HvCallNotifyLongSpinWait", "HvExtCallQueryCapabilities".
#include "hypercall/hv.h"
#include "hypercall/hypercall.h"
#include "vmm/lib/string.h"

/* The owner of the lock may be the one who waits for this CPU. */
struct hv_call_result hv_call_spin_wait(struct vcpu *vcpu, const struct hv_call_args *args)
{
	(void)vcpu;
	(void)args;
	return (struct hv_call_result){.status = HV_STATUS_SUCCESS, .yield = true};
}

/* No extended calls but this one. */
struct hv_call_result hv_call_query_capabilities(struct vcpu *vcpu, const struct hv_call_args *args)
{
	(void)vcpu;
	memset(args->output, 0, 8);
	return hv_call_done(HV_STATUS_SUCCESS);
}
