/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The opcode maps as far as insn.c knows them; nobody else includes this.
 * Specs: [SDM2] "Opcode Map".
 */
#ifndef VMM_INSN_TABLE_H
#define VMM_INSN_TABLE_H

#include "vmm/insn.h"
#include "vmm/lib/bits.h"

enum {
	ROW_KNOWN = BIT(0),
	ROW_PREFIX = BIT(1),    /* a legacy prefix */
	ROW_REX = BIT(2),       /* a REX prefix in 64-bit mode, unknown elsewhere */
	ROW_GROUP = BIT(3),     /* ModRM.reg picks the row: op is the enum insn_group */
	ROW_BYTE = BIT(4),      /* operands of one byte */
	ROW_REG = BIT(5),       /* ModRM.reg is the register operand */
	ROW_DEST = BIT(6),      /* memory is the first operand */
	ROW_READ = BIT(7),      /* memory is read */
	ROW_WRITE = BIT(8),     /* memory is written; with ROW_READ: LOCK is allowed */
	ROW_IMM8 = BIT(9),      /* immediate of one byte */
	ROW_IMMZ = BIT(10),     /* immediate of two or four bytes */
	ROW_MOFFS = BIT(11),    /* no ModRM: rAX and an absolute offset */
	ROW_STRING = BIT(12),   /* no ModRM: rSI or rDI */
	ROW_STACK = BIT(13),    /* operand size 8 by default in 64-bit mode */
	ROW_MEM16 = BIT(14),    /* memory operand of one or two bytes whatever the operand size */
	ROW_LONG = BIT(15),     /* 64-bit mode only, no 16-bit form */
	ROW_NOT_LONG = BIT(16), /* not in 64-bit mode */
	ROW_PLAIN = BIT(17),    /* no 66, F2, F3; operands of 4 bytes, or 8 with REX.W */
};

enum insn_group { GROUP_1, GROUP_1A, GROUP_3, GROUP_4, GROUP_5, GROUP_8, GROUP_11, GROUP_COUNT };

struct insn_row {
	uint8_t op; /* enum insn_op */
	uint32_t flags;
};

extern const struct insn_row insn_map1[256];              /* one byte */
extern const struct insn_row insn_map2[256];              /* 0F and one byte */
extern const struct insn_row insn_groups[GROUP_COUNT][8]; /* flags are added to the opcode's */

#endif
