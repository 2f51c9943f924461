// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rows: every call that exists, with the sizes and rights the dispatcher checks.
 * Specs: [TLFS] "Hypercall Reference".
 */
#include "hypercall/hypercall.h"

#define OF(feature) (1U << (feature))

const struct hv_call_row hv_call_rows[HV_CALL_ROWS] = {
        [HV_CALL_FLUSH_SPACE] = {.fn = hv_call_flush,
                .header_len = sizeof(struct hv_flush_input),
                .features = OF(HV_TLB_FLUSH)},
        [HV_CALL_FLUSH_LIST] = {.fn = hv_call_flush,
                .header_len = sizeof(struct hv_flush_input),
                .rep = true,
                .rep_in_len = 8,
                .features = OF(HV_TLB_FLUSH)},
        [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = {.short_fn = hv_call_spin_wait,
                .header_len = 8,
                .features = OF(HV_SPIN_WAIT)},
        [HV_CALL_SEND_IPI] = {.short_fn = hv_call_send_ipi,
                .header_len = sizeof(struct hv_ipi_input),
                .features = OF(HV_IPI)},
        [HV_CALL_FLUSH_SPACE_EX] = {.fn = hv_call_flush_ex,
                .header_len = sizeof(struct hv_flush_ex_input),
                .var_header = true,
                .features = OF(HV_TLB_FLUSH)},
        [HV_CALL_FLUSH_LIST_EX] = {.fn = hv_call_flush_ex,
                .header_len = sizeof(struct hv_flush_ex_input),
                .var_header = true,
                .rep = true,
                .rep_in_len = 8,
                .features = OF(HV_TLB_FLUSH)},
        [HV_CALL_SEND_IPI_EX] = {.fn = hv_call_send_ipi_ex,
                .header_len = sizeof(struct hv_ipi_ex_input),
                .var_header = true,
                .features = OF(HV_IPI)},
        [HV_CALL_GET_VP_REGISTERS] = {.fn = hv_call_get_registers,
                .header_len = sizeof(struct hv_vp_registers_input),
                .rep = true,
                .rep_in_len = 4,
                .rep_out_len = sizeof(union hv_register_value),
                .features = OF(HV_VP_REGS)},
        [HV_CALL_SET_VP_REGISTERS] = {.fn = hv_call_set_registers,
                .header_len = sizeof(struct hv_vp_registers_input),
                .rep = true,
                .rep_in_len = sizeof(struct hv_register_assoc),
                .features = OF(HV_VP_REGS)},
        [HV_CALL_START_VP] = {.fn = hv_call_start_vp,
                .header_len = sizeof(struct hv_start_input),
                .features = OF(HV_START_VP)},
        [HV_CALL_GET_VP_INDEX_FROM_APIC_ID] = {.fn = hv_call_vp_index,
                .header_len = sizeof(struct hv_vp_index_input),
                .rep = true,
                .rep_in_len = 4,
                .rep_out_len = 4,
                .features = OF(HV_VP_REGS) | OF(HV_START_VP)},
        [HV_CALL_POST_MESSAGE] = {.fn = hv_call_post_message,
                .header_len = sizeof(struct hv_post_message_input),
                .features = OF(HV_POST)},
        [HV_CALL_SIGNAL_EVENT] = {.short_fn = hv_call_signal_event,
                .header_len = sizeof(struct hv_signal_event_input),
                .features = OF(HV_SIGNAL)},
};

const struct hv_call_row hv_call_extended[HV_CALL_EXTENDED_ROWS] = {
        [HV_CALL_EXT_QUERY_CAPABILITIES - HV_CALL_EXTENDED] = {.fn = hv_call_query_capabilities,
                .rep_out_len = 8,
                .features = OF(HV_EXT_CALLS)},
};
