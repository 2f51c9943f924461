/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dispatcher of hypercalls and the rows it leads to. All generic checks - mode, privilege
 * level, reserved bits, alignment, page crossing, rep counts, header sizes, the partition's
 * privilege - are made once, here; a row's function gets copies that nobody changes.
 * Specs: [TLFS] "Hypercall Interface".
 */
#ifndef HYPERCALL_HYPERCALL_H
#define HYPERCALL_HYPERCALL_H

#include "hypercall/tlfs.h"
#include "vmm/lib/config.h"
#include "vmm/lib/types.h"

struct vcpu;

/* One call, parsed and checked. */
struct hv_call_args {
	uint16_t code;
	bool fast;
	const uint8_t *input;          /* header, variable header, then the list: one copy */
	uint32_t header_len;           /* bytes of the fixed header */
	uint32_t var_len;              /* bytes of the variable header */
	uint32_t rep_start, rep_count; /* elements [start, count) are to be done */
	const uint8_t *list;           /* element 0 of the list */
	uint8_t *output;               /* element 0 of the output; NULL = none */
};

/* What a row's function returns; reps: how many elements are done, from 0 on. */
struct hv_call_result {
	enum hv_status status;
	uint32_t reps;
	bool again; /* not finished: the guest re-executes the instruction with rep start = reps */
};

#define HV_CALL_IN_MAX 4096U
#define HV_CALL_REPS_PER_TURN 64U /* elements done before others get their turn */

struct hv_call_row {
	uint16_t code;
	uint16_t header_len;  /* bytes; the exact size of the fixed input header */
	uint16_t rep_in_len;  /* bytes of a list element; 0 and rep_out_len 0 = a simple call */
	uint16_t rep_out_len; /* bytes of an output element, or of the output of a simple call */
	bool rep;             /* takes a rep count */
	bool var_header;      /* takes a variable header */
	bool may_be_fast;     /* its input fits registers in some use */
	uint8_t feature;      /* enum hv_feature that offers it */
	struct hv_call_result (*fn)(struct vcpu *vcpu, const struct hv_call_args *args);
};

/* Ascending by code; the last row's code is 0. */
extern const struct hv_call_row hv_call_rows[];

#endif
