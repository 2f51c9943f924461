// SPDX-License-Identifier: BSD-2-Clause
// Decode one instruction with a memory operand.
// Specs: [SDM2] "Instruction Format", tables "16-Bit Addressing Forms with the ModR/M Byte",
// "32-Bit Addressing Forms with the ModR/M Byte", "32-Bit Addressing Forms with the SIB Byte";
// "REX Prefixes", "RIP-Relative Addressing".
#include "vmm/insn.h"
#include "vmm/cpu_virt.h"
#include "vmm/insn_table.h"
#include "vmm/lib/err.h"

#define REX_W 8U
#define REX_R 4U
#define REX_X 2U
#define REX_B 1U

#define OPCODE_2BYTE 0x0fU

struct cursor {
	const uint8_t *p, *end;
	int short_err; /* what it means that the bytes ran out */
};

struct prefixes {
	bool opsize, addrsize;
	uint8_t rex;
};

/* Little-endian value of n bytes (1, 2, 4, 8), sign-extended. */
static inline int take(struct cursor *c, unsigned n, int64_t *out)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		return c->short_err;
	}
	for (unsigned i = 0; i < n; i++) {
		v |= (uint64_t)c->p[i] << (8 * i);
	}
	c->p += n;
	switch (n) {
	case 1:
		*out = (int8_t)v;
		break;
	case 2:
		*out = (int16_t)v;
		break;
	case 4:
		*out = (int32_t)v;
		break;
	default:
		*out = (int64_t)v;
	}
	return 0;
}

static void override(struct insn *insn, enum vcpu_seg seg)
{
	insn->seg = (uint8_t)seg;
	insn->seg_override = true;
}

static void legacy_prefix(
        struct insn *insn, struct prefixes *pfx, uint8_t byte, enum insn_mode mode)
{
	/* In 64-bit mode the first four segment overrides are ignored, and do not cancel FS or GS.
	 */
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		if (mode != INSN_64) {
			override(insn, (enum vcpu_seg)((byte >> 3) & 3));
		}
		break;
	case 0x64:
		override(insn, SEG_FS);
		break;
	case 0x65:
		override(insn, SEG_GS);
		break;
	case 0x66:
		pfx->opsize = true;
		break;
	case 0x67:
		pfx->addrsize = true;
		break;
	case 0xf0:
		insn->lock = true;
		break;
	case 0xf2:
		insn->repne = true;
		insn->rep = false;
		break;
	case 0xf3:
		insn->rep = true;
		insn->repne = false;
		break;
	default:
		break;
	}
}

static void set_base(struct insn *insn, uint8_t reg)
{
	insn->has_base = true;
	insn->base = reg;
}

static void set_index(struct insn *insn, uint8_t reg, uint8_t scale)
{
	insn->has_index = true;
	insn->index = reg;
	insn->scale = scale;
}

static int modrm_16(struct insn *insn, struct cursor *c, unsigned mod, unsigned rm)
{
	static const uint8_t bases[8] = {
	        REG_RBX, REG_RBX, REG_RBP, REG_RBP, REG_RSI, REG_RDI, REG_RBP, REG_RBX};

	if (mod == 0 && rm == 6) {
		return take(c, 2, &insn->disp);
	}
	set_base(insn, bases[rm]);
	if (rm < 4) {
		set_index(insn, (rm & 1) != 0 ? REG_RDI : REG_RSI, 1);
	}
	return mod == 0 ? 0 : take(c, mod == 1 ? 1 : 2, &insn->disp);
}

static int modrm_32(struct insn *insn, struct cursor *c, unsigned mod, unsigned rm, unsigned rex,
        enum insn_mode mode)
{
	unsigned base = rm;

	if (rm == 4) {
		unsigned sib, index;

		if (c->p >= c->end) {
			return c->short_err;
		}
		sib = *c->p++;
		index = ((sib >> 3) & 7) | ((rex & REX_X) << 2);
		base = sib & 7;
		if (index != REG_RSP) {
			set_index(insn, (uint8_t)index, (uint8_t)(1U << (sib >> 6)));
		}
		if (base == 5 && mod == 0) {
			return take(c, 4, &insn->disp);
		}
	} else if (rm == 5 && mod == 0) {
		insn->rip_relative = mode == INSN_64;
		return take(c, 4, &insn->disp);
	}
	set_base(insn, (uint8_t)(base | ((rex & REX_B) << 3)));
	return mod == 0 ? 0 : take(c, mod == 1 ? 1 : 4, &insn->disp);
}

static int memory_operand(
        struct insn *insn, struct cursor *c, unsigned modrm, unsigned rex, enum insn_mode mode)
{
	unsigned mod = modrm >> 6, rm = modrm & 7;
	int err;

	err = insn->addr_width == 2 ? modrm_16(insn, c, mod, rm)
	                            : modrm_32(insn, c, mod, rm, rex, mode);
	if (!insn->seg_override && insn->has_base &&
	        (insn->base == REG_RBP || insn->base == REG_RSP)) {
		insn->seg = SEG_SS;
	}
	return err;
}

/* rSI for what reads, rDI in ES for STOS. */
static void string_operand(struct insn *insn)
{
	if (insn->op == INSN_STOS) {
		set_base(insn, REG_RDI);
		insn->seg = SEG_ES;
		insn->seg_override = false;
	} else {
		set_base(insn, REG_RSI);
	}
	insn->reg = REG_RAX;
	insn->has_reg = insn->op != INSN_MOVS;
}

static int moffs_operand(struct insn *insn, struct cursor *c)
{
	int err = take(c, insn->addr_width, &insn->disp);

	insn->disp = (int64_t)((uint64_t)insn->disp & width_mask(insn->addr_width));
	insn->reg = REG_RAX;
	insn->has_reg = true;
	return err;
}

static unsigned operand_width(const struct prefixes *pfx, uint32_t flags, enum insn_mode mode)
{
	if ((flags & ROW_BYTE) != 0 && (flags & ROW_MEM16) == 0) {
		return 1;
	}
	if ((pfx->rex & REX_W) != 0) {
		return 8;
	}
	if ((flags & ROW_PLAIN) != 0) {
		return 4;
	}
	if (pfx->opsize) {
		return mode == INSN_16 ? 4 : 2;
	}
	if (mode == INSN_64) {
		return (flags & ROW_STACK) != 0 ? 8 : 4;
	}
	return mode == INSN_16 ? 2 : 4;
}

static unsigned address_width(const struct prefixes *pfx, enum insn_mode mode)
{
	static const uint8_t widths[3][2] = {
	        [INSN_16] = {2, 4}, [INSN_32] = {4, 2}, [INSN_64] = {8, 4}};

	return widths[mode][pfx->addrsize];
}

static void register_operand(struct insn *insn, unsigned modrm, unsigned rex, uint32_t flags)
{
	unsigned reg = (modrm >> 3) & 7;

	insn->has_reg = true;
	if (rex == 0 && insn->reg_width == 1 && reg >= 4) {
		insn->reg = (uint8_t)(reg - 4);
		insn->reg_high = true;
	} else {
		insn->reg = (uint8_t)(reg | ((rex & REX_R) << 1));
	}
	if ((flags & ROW_MEM16) != 0) {
		insn->op_width = (flags & ROW_BYTE) != 0 ? 1 : 2;
	} else if (insn->op == INSN_MOVSX && insn->op_width == 8) {
		insn->op_width = 4; /* MOVSXD */
	}
}

static int immediate(struct insn *insn, struct cursor *c, uint32_t flags)
{
	unsigned width = insn->op_width < 4 ? insn->op_width : 4;
	int64_t imm;
	int err;

	if ((flags & (ROW_IMM8 | ROW_IMMZ)) == 0) {
		return 0;
	}
	err = take(c, (flags & ROW_IMM8) != 0 ? 1 : width, &imm);
	if (err) {
		return err;
	}
	insn->imm = (uint64_t)imm;
	insn->has_imm = true;
	return 0;
}

/* Prefixes and opcode: the row, and the cursor behind the opcode. */
static int opcode(struct insn *insn, struct prefixes *pfx, struct cursor *c, enum insn_mode mode,
        struct insn_row *row)
{
	for (;;) {
		uint8_t byte;

		if (c->p >= c->end) {
			return c->short_err;
		}
		byte = *c->p++;
		*row = insn_map1[byte];
		if ((row->flags & (ROW_PREFIX | ROW_REX)) == 0) {
			if (byte != OPCODE_2BYTE) {
				return 0;
			}
			break;
		}
		if ((row->flags & ROW_PREFIX) != 0) {
			legacy_prefix(insn, pfx, byte, mode);
			pfx->rex = 0; /* REX counts only right before the opcode */
		} else if (mode == INSN_64) {
			pfx->rex = byte;
		} else {
			return -EOPNOTSUPP;
		}
	}
	if (c->p >= c->end) {
		return c->short_err;
	}
	*row = insn_map2[*c->p++];
	return 0;
}

static int check_row(
        const struct insn *insn, const struct prefixes *pfx, uint32_t flags, enum insn_mode mode)
{
	if ((flags & ROW_KNOWN) == 0 || ((flags & ROW_LONG) != 0 && mode != INSN_64) ||
	        ((flags & ROW_NOT_LONG) != 0 && mode == INSN_64)) {
		return -EOPNOTSUPP;
	}
	/* Manuals and processors disagree on how much MOVSXD reads for a 16-bit register. */
	if ((flags & ROW_LONG) != 0 && pfx->opsize && (pfx->rex & REX_W) == 0) {
		return -EOPNOTSUPP;
	}
	if ((flags & ROW_PLAIN) != 0 && (pfx->opsize || insn->rep || insn->repne)) {
		return -EOPNOTSUPP;
	}
	return 0;
}

int insn_decode(struct insn *insn, const uint8_t *bytes, size_t len, enum insn_mode mode)
{
	struct cursor c = {bytes, bytes + (len < INSN_MAX_LEN ? len : INSN_MAX_LEN),
	        len < INSN_MAX_LEN ? -E2BIG : -ERANGE};
	struct prefixes pfx = {false, false, 0};
	struct insn_row row;
	unsigned modrm = 0;
	int err;

	*insn = (struct insn){.seg = SEG_DS};
	err = opcode(insn, &pfx, &c, mode, &row);
	if (!err) {
		err = check_row(insn, &pfx, row.flags, mode);
	}
	if (err) {
		return err;
	}
	if ((row.flags & (ROW_MOFFS | ROW_STRING)) == 0) {
		if (c.p >= c.end) {
			return c.short_err;
		}
		modrm = *c.p++;
		if ((modrm >> 6) == 3) {
			return -EOPNOTSUPP;
		}
	}
	if ((row.flags & ROW_GROUP) != 0) {
		const struct insn_row *g = &insn_groups[row.op][(modrm >> 3) & 7];

		if ((g->flags & ROW_KNOWN) == 0) {
			return -EOPNOTSUPP;
		}
		row.op = g->op;
		row.flags |= g->flags;
	}
	insn->op = (enum insn_op)row.op;
	insn->mem_is_dest = (row.flags & ROW_DEST) != 0;
	insn->reads = (row.flags & ROW_READ) != 0;
	insn->writes = (row.flags & ROW_WRITE) != 0;
	insn->op_width = (uint8_t)operand_width(&pfx, row.flags, mode);
	insn->reg_width = insn->op_width;
	insn->addr_width = (uint8_t)address_width(&pfx, mode);

	if ((row.flags & ROW_STRING) != 0) {
		string_operand(insn);
	} else if ((row.flags & ROW_MOFFS) != 0) {
		err = moffs_operand(insn, &c);
	} else {
		if ((row.flags & ROW_REG) != 0) {
			register_operand(insn, modrm, pfx.rex, row.flags);
		}
		err = memory_operand(insn, &c, modrm, pfx.rex, mode);
	}
	if (!err) {
		err = immediate(insn, &c, row.flags);
	}
	if (err) {
		return err;
	}
	if (insn->lock && !(insn->reads && insn->writes)) {
		return -EINVAL;
	}
	insn->len = (uint8_t)(c.p - bytes);
	return 0;
}
