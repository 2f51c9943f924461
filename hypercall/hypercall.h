/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dispatcher of hypercalls and the rows it leads to. All generic checks - mode, privilege
 * level, reserved bits, alignment, page crossing, rep counts, header sizes, the partition's
 * privilege - are made once, here; a row's function gets copies that nobody changes.
 * Specs: [TLFS] "Hypercall Interface".
 */
#ifndef HYPERCALL_HYPERCALL_H
#define HYPERCALL_HYPERCALL_H

#include "hypercall/hv.h"
#include "hypercall/tlfs.h"
#include "vmm/lib/config.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu.h"

/* One call, parsed and checked. */
struct hv_call_args {
	const uint8_t *input; /* the fixed header; a copy */
	const uint64_t *var;  /* the variable header */
	uint32_t n_var;       /* its length in units of 8 bytes */
	uint32_t rep_start;   /* elements [rep_start, rep_count) are to be done */
	uint32_t rep_count;   /* 0 = a simple call */
	const uint8_t *list;  /* input element 0 */
	uint64_t name;        /* of control word and input: the same when it is executed again */
	uint8_t *output;      /* output, or output element 0; NULL = none */
};

/* What a row's function returns. */
struct hv_call_result {
	enum hv_status status;
	uint32_t reps; /* elements done, from 0 on; of a rep call */
	bool again;    /* not finished: the guest executes the instruction again, from reps on */
};

/* Elements that a call does before it lets others have their turn. */
#define HV_CALL_REPS_PER_TURN 64U

/* One of the two; of a row that is all zero there is no such call. */
struct hv_call_row {
	struct hv_call_result (*fn)(struct vcpu *vcpu, const struct hv_call_args *args);
	/*
	 * The short form, for calls whose input is at most two words, passed in registers as a
	 * rule, and whose result is a status: hv_call_short_done(). No other member but header_len
	 * and features.
	 */
	hv_call_short_fn *short_fn;
	uint32_t features;    /* those that offer it, any one: 1U << enum hv_feature */
	uint16_t header_len;  /* bytes of the fixed input header, a multiple of 8 */
	uint16_t rep_in_len;  /* bytes of an input element */
	uint16_t rep_out_len; /* bytes of an output element, or of the output of a simple call */
	bool rep;             /* takes a rep count */
	bool var_header;      /* takes a variable header */
};

/* One VP of the caller's own partition, as calls name it: HV_VP_SELF, too. */
enum hv_status hv_call_vp(
        struct vcpu *self, uint64_t partition, uint8_t vtl, uint32_t vp_index, struct vcpu **vcpu);

/* hypercall_table.c: by call code, and those from HV_CALL_EXTENDED on. */
#define HV_CALL_EXTENDED 0x8000U
#define HV_CALL_EXTENDED_ROWS (HV_CALL_EXT_QUERY_CAPABILITIES - HV_CALL_EXTENDED + 1U)
extern const struct hv_call_row hv_call_rows[HV_CALL_ROWS];
extern const struct hv_call_row hv_call_extended[HV_CALL_EXTENDED_ROWS];

/* The common results. */
static inline struct hv_call_result hv_call_done(enum hv_status status)
{
	return (struct hv_call_result){.status = status};
}

static inline enum exit_action hv_call_short_done(struct vcpu *vcpu, enum hv_status status)
{
	vcpu->gpr[REG_RAX] = status;
	return ACT_SKIP;
}

typedef struct hv_call_result hv_call_fn(struct vcpu *vcpu, const struct hv_call_args *args);
hv_call_fn hv_call_flush, hv_call_flush_ex;              /* hv_flush.c */
hv_call_short_fn hv_call_send_ipi;                       /* hv_ipi.c */
hv_call_fn hv_call_send_ipi_ex;                          /* hv_ipi.c */
hv_call_fn hv_call_post_message;                         /* hv_message.c */
hv_call_short_fn hv_call_signal_event;                   /* hv_message.c */
hv_call_fn hv_call_get_registers, hv_call_set_registers; /* hv_regs.c */
hv_call_fn hv_call_start_vp;                             /* hv_start.c */
hv_call_short_fn hv_call_spin_wait;                      /* hv_misc.c */
hv_call_fn hv_call_vp_index, hv_call_query_capabilities; /* hv_misc.c */

#endif
