// SPDX-License-Identifier: BSD-2-Clause
// Results and status flags of the arithmetic instructions.
// Specs: [SDM1] "Status Flags"; [SDM2] "ADD - Add" and the pages of the other instructions.
#include "vmm/emul_alu.h"
#include "vmm/lib/bits.h"
#include "vmm/x86.h"

#define STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t flag_if(bool on, uint64_t flag)
{
	return on ? flag : 0;
}

/* PF, ZF, SF follow the result alone. */
static uint64_t result_flags(uint64_t result, uint64_t sign)
{
	return flag_if(!__builtin_parity((unsigned)(result & 0xff)), RFLAGS_PF) |
	       flag_if(result == 0, RFLAGS_ZF) | flag_if((result & sign) != 0, RFLAGS_SF);
}

/* keep: flags that the operation leaves alone. */
static uint64_t add(
        unsigned width, uint64_t dst, uint64_t src, bool carry, uint64_t keep, uint64_t *rflags)
{
	uint64_t sign = BIT64(width * 8 - 1);
	uint64_t r = (dst + src + carry) & width_mask(width);
	uint64_t f = result_flags(r, sign) | flag_if(carry ? r <= dst : r < dst, RFLAGS_CF) |
	             flag_if(((dst ^ src ^ r) & 0x10) != 0, RFLAGS_AF) |
	             flag_if(((dst ^ r) & (src ^ r) & sign) != 0, RFLAGS_OF);

	*rflags = (*rflags & (~STATUS | keep)) | (f & ~keep);
	return r;
}

static uint64_t sub(
        unsigned width, uint64_t dst, uint64_t src, bool borrow, uint64_t keep, uint64_t *rflags)
{
	uint64_t sign = BIT64(width * 8 - 1);
	uint64_t r = (dst - src - borrow) & width_mask(width);
	uint64_t f = result_flags(r, sign) | flag_if(borrow ? dst <= src : dst < src, RFLAGS_CF) |
	             flag_if(((dst ^ src ^ r) & 0x10) != 0, RFLAGS_AF) |
	             flag_if(((dst ^ src) & (dst ^ r) & sign) != 0, RFLAGS_OF);

	*rflags = (*rflags & (~STATUS | keep)) | (f & ~keep);
	return r;
}

static uint64_t logic(unsigned width, uint64_t r, uint64_t *rflags)
{
	*rflags = (*rflags & ~STATUS) | result_flags(r, BIT64(width * 8 - 1));
	return r;
}

uint64_t emul_alu(enum insn_op op, unsigned width, uint64_t dst, uint64_t src, uint64_t *rflags)
{
	bool carry = (*rflags & RFLAGS_CF) != 0;

	dst &= width_mask(width);
	src &= width_mask(width);
	switch (op) {
	case INSN_ADD:
	case INSN_XADD:
		return add(width, dst, src, false, 0, rflags);
	case INSN_ADC:
		return add(width, dst, src, carry, 0, rflags);
	case INSN_INC:
		return add(width, dst, 1, false, RFLAGS_CF, rflags);
	case INSN_SUB:
	case INSN_CMP:
	case INSN_CMPXCHG:
		return sub(width, dst, src, false, 0, rflags);
	case INSN_SBB:
		return sub(width, dst, src, carry, 0, rflags);
	case INSN_DEC:
		return sub(width, dst, 1, false, RFLAGS_CF, rflags);
	case INSN_NEG:
		return sub(width, 0, dst, false, 0, rflags);
	case INSN_AND:
	case INSN_TEST:
		return logic(width, dst & src, rflags);
	case INSN_OR:
		return logic(width, dst | src, rflags);
	case INSN_XOR:
		return logic(width, dst ^ src, rflags);
	case INSN_NOT:
		return ~dst & width_mask(width);
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
	case INSN_XCHG:
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
	case INSN_MOVS:
	case INSN_STOS:
	case INSN_LODS:
	case INSN_PUSH:
	case INSN_POP:
		break;
	}
	return dst;
}

uint64_t emul_bit(enum insn_op op, uint64_t dst, unsigned bit, uint64_t *rflags)
{
	uint64_t mask = BIT64(bit & 63);

	*rflags = (*rflags & ~RFLAGS_CF) | flag_if((dst & mask) != 0, RFLAGS_CF);
	if (op == INSN_BTS) {
		return dst | mask;
	}
	if (op == INSN_BTR) {
		return dst & ~mask;
	}
	return op == INSN_BTC ? dst ^ mask : dst;
}
