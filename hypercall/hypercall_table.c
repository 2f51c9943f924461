// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rows: every call that exists, with the sizes and rights the dispatcher checks.
 * Specs: [TLFS] "Hypercall Reference".
 */
#include "hypercall/hypercall.h"

#define EXTENDED_BASE 0x8000U

static const struct hv_call_row rows[] = {
        [HV_CALL_FLUSH_SPACE] = {.fn = hv_call_flush,
                .header_len = sizeof(struct hv_flush_input),
                .feature = HV_TLB_FLUSH},
        [HV_CALL_FLUSH_LIST] = {.fn = hv_call_flush,
                .header_len = sizeof(struct hv_flush_input),
                .rep = true,
                .rep_in_len = 8,
                .feature = HV_TLB_FLUSH},
        [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = {.fn = hv_call_spin_wait,
                .header_len = 8,
                .feature = HV_SPIN_WAIT},
        [HV_CALL_SEND_IPI] = {.fn = hv_call_send_ipi,
                .header_len = sizeof(struct hv_ipi_input),
                .feature = HV_IPI},
        [HV_CALL_FLUSH_SPACE_EX] = {.fn = hv_call_flush_ex,
                .header_len = sizeof(struct hv_flush_ex_input),
                .var_header = true,
                .feature = HV_TLB_FLUSH},
        [HV_CALL_FLUSH_LIST_EX] = {.fn = hv_call_flush_ex,
                .header_len = sizeof(struct hv_flush_ex_input),
                .var_header = true,
                .rep = true,
                .rep_in_len = 8,
                .feature = HV_TLB_FLUSH},
        [HV_CALL_SEND_IPI_EX] = {.fn = hv_call_send_ipi_ex,
                .header_len = sizeof(struct hv_ipi_ex_input),
                .var_header = true,
                .feature = HV_IPI},
        [HV_CALL_GET_VP_REGISTERS] = {.fn = hv_call_get_registers,
                .header_len = sizeof(struct hv_vp_registers_input),
                .rep = true,
                .rep_in_len = 4,
                .rep_out_len = sizeof(union hv_register_value),
                .feature = HV_VP_REGS},
        [HV_CALL_SET_VP_REGISTERS] = {.fn = hv_call_set_registers,
                .header_len = sizeof(struct hv_vp_registers_input),
                .rep = true,
                .rep_in_len = sizeof(struct hv_register_assoc),
                .feature = HV_VP_REGS},
        [HV_CALL_START_VP] = {.fn = hv_call_start_vp,
                .header_len = sizeof(struct hv_start_input),
                .feature = HV_START_VP},
        [HV_CALL_GET_VP_INDEX_FROM_APIC_ID] = {.fn = hv_call_vp_index,
                .header_len = sizeof(struct hv_vp_index_input),
                .rep = true,
                .rep_in_len = 4,
                .rep_out_len = 4,
                .feature = HV_VP_REGS,
                .or_features = 1U << HV_START_VP},
        [HV_CALL_POST_MESSAGE] = {.fn = hv_call_post_message,
                .header_len = sizeof(struct hv_post_message_input),
                .feature = HV_POST},
        [HV_CALL_SIGNAL_EVENT] = {.fn = hv_call_signal_event,
                .header_len = sizeof(struct hv_signal_event_input),
                .feature = HV_SIGNAL},
};

static const struct hv_call_row extended[] = {
        [HV_CALL_EXT_QUERY_CAPABILITIES - EXTENDED_BASE] = {.fn = hv_call_query_capabilities,
                .rep_out_len = 8,
                .feature = HV_EXT_CALLS},
};

const struct hv_call_row *hv_call_row(uint16_t code)
{
	const struct hv_call_row *row = NULL;

	if (code < ARRAY_SIZE(rows)) {
		row = &rows[code];
	} else if (code >= EXTENDED_BASE && code - EXTENDED_BASE < ARRAY_SIZE(extended)) {
		row = &extended[code - EXTENDED_BASE];
	}
	return row && row->fn ? row : NULL;
}
