// SPDX-License-Identifier: BSD-2-Clause
// Messages and events from the guest to the host's ports.
// Specs: [TLFS] "HvCallPostMessage", "HvCallSignalEvent".
#include "hypercall/hv.h"
#include "hypercall/hypercall.h"

struct hv_call_result hv_call_post_message(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_post_message_input *in = (const struct hv_post_message_input *)args->input;

	if (in->payload_size > HV_MESSAGE_PAYLOAD || in->type == HV_MESSAGE_NONE ||
	        (in->type & HV_MESSAGE_TYPE_HYPERVISOR)) {
		return hv_call_done(HV_STATUS_INVALID_PARAMETER);
	}
	return hv_call_done(synic_port_message(
	        vcpu->vm, in->connection_id, in->type, in->payload, in->payload_size));
}

/* struct hv_signal_event_input: nothing but a flag number above the connection's. */
enum exit_action hv_call_signal_event(
        struct vcpu *vcpu, uint64_t first, uint64_t second, const struct hv_vm *hv)
{
	(void)second;
	(void)hv;
	if (first >> 32 >= HV_EVENT_FLAGS) {
		return hv_call_short_done(vcpu, HV_STATUS_INVALID_PARAMETER);
	}
	return hv_call_short_done(
	        vcpu, synic_port_event(vcpu, (uint32_t)first, (uint16_t)(first >> 32)));
}
