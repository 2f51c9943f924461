/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder for the instructions that guests use on device memory. Pure: bytes in, description out.
 * Specs: [SDM2] "Instruction Format", "Opcode Map".
 */
#ifndef VMM_INSN_H
#define VMM_INSN_H

#include "vmm/lib/types.h"

#define INSN_MAX_LEN 15

enum insn_mode { INSN_16, INSN_32, INSN_64 };

enum insn_op {
	INSN_MOV, /* register or immediate <-> memory; MOVABS and MOVNTI too */
	INSN_MOVZX,
	INSN_MOVSX, /* MOVSXD too */
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_XCHG,
	INSN_CMPXCHG,
	INSN_XADD,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_MOVS, /* the memory operand is the source; the destination is ES:rDI */
	INSN_STOS,
	INSN_LODS,
	INSN_PUSH, /* memory operand pushed */
	INSN_POP,
};

struct insn {
	enum insn_op op;
	uint8_t len;        /* bytes of the instruction */
	uint8_t op_width;   /* of the memory operand: 1, 2, 4, 8 */
	uint8_t reg_width;  /* of the register operand (MOVZX/MOVSX differ) */
	uint8_t addr_width; /* 2, 4, 8 */
	uint8_t reg;        /* register operand where has_reg, enum vcpu_reg */
	bool has_reg;
	bool reg_high;      /* AH, CH, DH, BH: reg is then the register that contains it */
	bool mem_is_dest;   /* memory is the first operand: the left side of CMP, too */
	bool reads, writes; /* what happens to the memory operand */
	bool has_imm;
	bool lock, rep, repne; /* of F2 and F3 the last one counts */
	uint8_t seg;           /* enum vcpu_seg of the memory operand, override applied */
	bool seg_override;
	/* Effective address: base + index * scale + disp (rip_relative: relative to the next
	 * instruction), in addr_width bytes. */
	bool has_base, has_index, rip_relative;
	uint8_t base, index, scale;
	int64_t disp;
	uint64_t imm; /* sign-extended to 64 bits */
};

/*
 * 0; -EOPNOTSUPP for an instruction this decoder does not know or that has no memory operand;
 * -E2BIG when len bytes are not enough (fetch more, up to INSN_MAX_LEN); -ERANGE when
 * longer than 15 bytes (#GP); -EINVAL when LOCK is not allowed there (#UD). *insn is
 * meaningless unless 0.
 */
__must_check int insn_decode(
        struct insn *insn, const uint8_t *bytes, size_t len, enum insn_mode mode);

#endif
