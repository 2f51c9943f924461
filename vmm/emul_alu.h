/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic of emulated instructions: results and flags as the processor makes them. Pure.
 * Specs: [SDM1] "EFLAGS Cross-Reference".
 */
#ifndef VMM_EMUL_ALU_H
#define VMM_EMUL_ALU_H

#include "vmm/insn.h"

/*
 * The result of op on operands of width bytes (1, 2, 4, 8), masked to the width; what op does to
 * the status flags goes to *rflags. src is ignored by NOT, NEG, INC and DEC. CMP and TEST return
 * what SUB and AND would. Operations that are no arithmetic return dst and change nothing. AF,
 * which logical operations leave undefined, becomes 0.
 */
uint64_t emul_alu(enum insn_op op, unsigned width, uint64_t dst, uint64_t src, uint64_t *rflags);

/* BT, BTS, BTR, BTC on bit 0-63: the new value; CF gets the old bit. */
uint64_t emul_bit(enum insn_op op, uint64_t dst, unsigned bit, uint64_t *rflags);

#endif
