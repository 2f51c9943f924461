// SPDX-License-Identifier: BSD-2-Clause
// The decoder against Zydis: whatever ours accepts means the same there, and whatever of ours
// Zydis knows is accepted. Millions of byte strings, the same ones in every run.
#include "tests/unit.h"
#include "vmm/cpu_virt.h"
#include "vmm/insn.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#define CASES_PER_MODE 800000U

static uint64_t seed;

static uint32_t rnd(void)
{
	/* xorshift64* */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dULL) >> 32);
}

static const ZydisMnemonic mnemonics[][5] = {
        [INSN_MOV] = {ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_MOVNTI},
        [INSN_MOVZX] = {ZYDIS_MNEMONIC_MOVZX},
        [INSN_MOVSX] = {ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD},
        [INSN_ADD] = {ZYDIS_MNEMONIC_ADD},
        [INSN_OR] = {ZYDIS_MNEMONIC_OR},
        [INSN_ADC] = {ZYDIS_MNEMONIC_ADC},
        [INSN_SBB] = {ZYDIS_MNEMONIC_SBB},
        [INSN_AND] = {ZYDIS_MNEMONIC_AND},
        [INSN_SUB] = {ZYDIS_MNEMONIC_SUB},
        [INSN_XOR] = {ZYDIS_MNEMONIC_XOR},
        [INSN_CMP] = {ZYDIS_MNEMONIC_CMP},
        [INSN_TEST] = {ZYDIS_MNEMONIC_TEST},
        [INSN_NOT] = {ZYDIS_MNEMONIC_NOT},
        [INSN_NEG] = {ZYDIS_MNEMONIC_NEG},
        [INSN_INC] = {ZYDIS_MNEMONIC_INC},
        [INSN_DEC] = {ZYDIS_MNEMONIC_DEC},
        [INSN_XCHG] = {ZYDIS_MNEMONIC_XCHG},
        [INSN_CMPXCHG] = {ZYDIS_MNEMONIC_CMPXCHG},
        [INSN_XADD] = {ZYDIS_MNEMONIC_XADD},
        [INSN_BT] = {ZYDIS_MNEMONIC_BT},
        [INSN_BTS] = {ZYDIS_MNEMONIC_BTS},
        [INSN_BTR] = {ZYDIS_MNEMONIC_BTR},
        [INSN_BTC] = {ZYDIS_MNEMONIC_BTC},
        [INSN_MOVS] = {ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD,
                ZYDIS_MNEMONIC_MOVSQ},
        [INSN_STOS] = {ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD,
                ZYDIS_MNEMONIC_STOSQ},
        [INSN_LODS] = {ZYDIS_MNEMONIC_LODSB, ZYDIS_MNEMONIC_LODSW, ZYDIS_MNEMONIC_LODSD,
                ZYDIS_MNEMONIC_LODSQ},
        [INSN_PUSH] = {ZYDIS_MNEMONIC_PUSH},
        [INSN_POP] = {ZYDIS_MNEMONIC_POP},
};

static bool is_op(ZydisMnemonic mnemonic, enum insn_op op)
{
	for (unsigned i = 0; mnemonics[op][i] != ZYDIS_MNEMONIC_INVALID; i++) {
		if (mnemonics[op][i] == mnemonic) {
			return true;
		}
	}
	return false;
}

static bool is_string(enum insn_op op)
{
	return op >= INSN_MOVS && op <= INSN_LODS;
}

struct oracle {
	bool ok;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	int op;                         /* enum insn_op, or -1 */
	const ZydisDecodedOperand *mem; /* the operand that struct insn describes */
	const ZydisDecodedOperand *reg;
	const ZydisDecodedOperand *imm;
	bool odd_reg; /* a segment register */
	bool mem_first;
};

/* Which of two memory operands: the source of MOVS, not the stack of PUSH. */
static void pick_operands(struct oracle *o)
{
	for (unsigned i = 0; i < o->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &o->ops[i];
		bool explicit_op = op->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT;

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_MEM) {
			if (is_string((enum insn_op)o->op)
			                ? (o->op != INSN_MOVS ||
			                          (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
			                : explicit_op) {
				o->mem = op;
				o->mem_first = i == 0;
			}
		} else if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		           (explicit_op || (op->visibility == ZYDIS_OPERAND_VISIBILITY_IMPLICIT &&
		                                   !is_string((enum insn_op)o->op)))) {
			ZydisRegisterClass class = ZydisRegisterGetClass(op->reg.value);

			o->reg = op;
			o->odd_reg = class < ZYDIS_REGCLASS_GPR8 || class > ZYDIS_REGCLASS_GPR64;
		} else if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
			o->imm = op;
		}
	}
}

static void ask(struct oracle *o, const ZydisDecoder *decoder, const uint8_t *bytes, unsigned len)
{
	memset(o, 0, sizeof(*o));
	o->op = -1;
	o->ok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, len, &o->insn, o->ops));
	if (!o->ok || o->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
		return;
	}
	for (int op = 0; op < (int)ARRAY_SIZE(mnemonics); op++) {
		if (is_op(o->insn.mnemonic, (enum insn_op)op)) {
			o->op = op;
		}
	}
	/* The SSE2 instruction shares its name with the string one. */
	if (o->op == INSN_MOVS && o->insn.meta.category != ZYDIS_CATEGORY_STRINGOP) {
		o->op = -1;
	}
	if (o->op >= 0) {
		pick_operands(o);
		if (!o->mem || o->odd_reg) {
			o->op = -1;
		}
		/* Refused on purpose: see vmm/insn.c. */
		if (o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && o->insn.operand_width == 16) {
			o->op = -1;
		}
	}
}

/* Number of a general register and whether it is AH-BH; -1 for none. */
static int gpr(ZydisRegister reg, bool *high)
{
	*high = false;
	switch (ZydisRegisterGetClass(reg)) {
	case ZYDIS_REGCLASS_GPR8: {
		int id = (int)reg - ZYDIS_REGISTER_AL;

		*high = id >= 4 && id < 8;
		return id < 4 ? id : id - 4;
	}
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		return ZydisRegisterGetId(reg);
	default:
		return -1;
	}
}

/*
 * Zydis 4.0 takes R13 for the base where SIB.base is 5, mod 0 and REX.B set. The manual says no
 * base and four bytes of displacement ([SDM2] "Special Cases of REX Encodings"), and so says
 * Zydis's own length.
 */
static ZydisDecodedOperandMem corrected(const struct oracle *o)
{
	ZydisDecodedOperandMem mem = o->mem->mem;

	if ((o->insn.attributes & ZYDIS_ATTRIB_HAS_SIB) && o->insn.raw.sib.base == 5 &&
	        o->insn.raw.modrm.mod == 0 && o->insn.raw.rex.B) {
		mem.base = ZYDIS_REGISTER_NONE;
		mem.disp.value = o->insn.raw.disp.value;
	}
	return mem;
}

static bool same_address(const struct insn *insn, const ZydisDecodedOperandMem *mem)
{
	static const ZydisRegister segs[] = {
	        [SEG_ES] = ZYDIS_REGISTER_ES,
	        [SEG_CS] = ZYDIS_REGISTER_CS,
	        [SEG_SS] = ZYDIS_REGISTER_SS,
	        [SEG_DS] = ZYDIS_REGISTER_DS,
	        [SEG_FS] = ZYDIS_REGISTER_FS,
	        [SEG_GS] = ZYDIS_REGISTER_GS,
	};
	bool rip = mem->base == ZYDIS_REGISTER_RIP || mem->base == ZYDIS_REGISTER_EIP;
	uint64_t mask = width_mask(insn->addr_width);
	bool high;

	return segs[insn->seg] == mem->segment && insn->rip_relative == rip &&
	       (rip || (insn->has_base ? insn->base : -1) == gpr(mem->base, &high)) &&
	       (insn->has_index ? insn->index : -1) == gpr(mem->index, &high) &&
	       (!insn->has_index || insn->scale == mem->scale) &&
	       (((uint64_t)insn->disp ^ (uint64_t)mem->disp.value) & mask) == 0;
}

static const char *compare(const struct insn *insn, const struct oracle *o)
{
	const uint64_t attr = o->insn.attributes;
	ZydisDecodedOperandMem mem;
	bool high = false;

	if (!o->ok) {
		return "refused by the oracle";
	}
	if (o->op != (int)insn->op) {
		return "operation";
	}
	if (o->insn.length != insn->len) {
		return "length";
	}
	if (o->mem->size != insn->op_width * 8U) {
		return "memory width";
	}
	if (o->insn.address_width != insn->addr_width * 8U) {
		return "address width";
	}
	mem = corrected(o);
	if (!same_address(insn, &mem)) {
		return "address";
	}
	if (((o->mem->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0) != insn->reads ||
	        ((o->mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0) != insn->writes) {
		return "reads, writes";
	}
	if (!is_string(insn->op)) {
		if (o->mem_first != insn->mem_is_dest && insn->op != INSN_PUSH) {
			return "order";
		}
		if (insn->has_reg != (o->reg != NULL)) {
			return "register presence";
		}
		if (o->reg &&
		        (gpr(o->reg->reg.value, &high) != insn->reg || high != insn->reg_high ||
		                o->reg->size != insn->reg_width * 8U)) {
			return "register";
		}
	}
	if (insn->has_imm != (o->imm != NULL)) {
		return "immediate presence";
	}
	if (o->imm && ((o->imm->imm.value.u ^ insn->imm) &
	                      width_mask(insn->op >= INSN_BT ? 1 : insn->op_width)) != 0) {
		return "immediate";
	}
	if (insn->lock != ((attr & ZYDIS_ATTRIB_HAS_LOCK) != 0)) {
		return "lock";
	}
	if (is_string(insn->op) && (insn->rep || insn->repne) !=
	                                   ((attr & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
	                                                    ZYDIS_ATTRIB_HAS_REPNE)) != 0)) {
		return "rep";
	}
	return NULL;
}

/* Half of the strings begin like one of our instructions. */
static void make_bytes(uint8_t *bytes)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67,
	        0x67, 0xf0, 0xf2, 0xf3, 0x40, 0x48, 0x44, 0x4f, 0x41};
	static const uint8_t opcodes[] = {0x63, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
	        0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xaa, 0xab, 0xac,
	        0xad, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff};
	static const uint8_t opcodes2[] = {
	        0xa3, 0xab, 0xb0, 0xb1, 0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3};
	unsigned n = 0, kind = rnd() % 8;

	for (unsigned i = 0; i < INSN_MAX_LEN; i++) {
		bytes[i] = (uint8_t)rnd();
	}
	for (unsigned i = rnd() % 5; i > 1; i--) {
		bytes[n++] = prefixes[rnd() % sizeof(prefixes)];
	}
	if (rnd() % 64 == 0) {
		/* so many that the instruction may not fit 15 bytes */
		while (n < 9) {
			bytes[n++] = prefixes[rnd() % sizeof(prefixes)];
		}
	}
	if (rnd() % 2) {
		bytes[n++] = (uint8_t)(0x40 | (rnd() & 0xf));
	}
	switch (kind) {
	case 0:
		break;
	case 1:
		bytes[n] = 0x0f;
		break;
	case 2:
	case 3:
		bytes[n++] = 0x0f;
		bytes[n] = opcodes2[rnd() % sizeof(opcodes2)];
		break;
	case 4:
		bytes[n] = (uint8_t)(rnd() & 0x3b); /* ADD to CMP */
		break;
	default:
		bytes[n] = opcodes[rnd() % sizeof(opcodes)];
	}
}

static void fail_case(const char *what, const uint8_t *bytes, enum insn_mode mode, int err)
{
	char hex[3 * INSN_MAX_LEN + 1];

	for (unsigned i = 0; i < INSN_MAX_LEN; i++) {
		snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
	}
	ck_abort_msg("%s: mode %u, ours %d: %s", what, 16U << mode, err, hex);
}

static const struct {
	ZydisMachineMode machine;
	ZydisStackWidth stack;
} modes[] = {
        [INSN_16] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        [INSN_32] = {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        [INSN_64] = {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
};

START_TEST(agrees_with_zydis)
{
	enum insn_mode mode = (enum insn_mode)_i;
	unsigned accepted = 0, seen[ARRAY_SIZE(mnemonics)] = {0};
	ZydisDecoder decoder;

	seed = 0x9e3779b97f4a7c15ULL + (unsigned)_i;
	ck_assert(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, modes[mode].machine, modes[mode].stack)));
	for (unsigned n = 0; n < CASES_PER_MODE; n++) {
		uint8_t bytes[INSN_MAX_LEN];
		struct oracle o;
		struct insn insn;
		const char *what;
		int err;

		make_bytes(bytes);
		err = insn_decode(&insn, bytes, sizeof(bytes), mode);
		ask(&o, &decoder, bytes, sizeof(bytes));
		if (err == 0) {
			accepted++;
			seen[insn.op]++;
			what = compare(&insn, &o);
			if (what) {
				fail_case(what, bytes, mode, err);
			}
		} else if (o.op >= 0) {
			fail_case("only the oracle knows it", bytes, mode, err);
		}
	}
	/* The comparison must have had something to compare. */
	ck_assert_uint_gt(accepted, CASES_PER_MODE / 8);
	for (unsigned op = 0; op < ARRAY_SIZE(seen); op++) {
		ck_assert_uint_gt(seen[op], 100);
	}
}
END_TEST

/* Cut short, an instruction is "too short" at every length, and never read beyond its buffer. */
START_TEST(short_buffers)
{
	enum insn_mode mode = (enum insn_mode)_i;

	seed = 42 + (unsigned)_i;
	for (unsigned n = 0; n < 20000; n++) {
		uint8_t bytes[INSN_MAX_LEN];
		struct insn whole, part;
		int err;

		make_bytes(bytes);
		err = insn_decode(&whole, bytes, sizeof(bytes), mode);
		for (unsigned len = 0; len < sizeof(bytes); len++) {
			uint8_t *exact = malloc(len ? len : 1);
			int got;

			memcpy(exact, bytes, len);
			got = insn_decode(&part, exact, len, mode);
			free(exact);
			if (got == -E2BIG) {
				if (err == 0 && len >= whole.len) {
					fail_case("too short for itself", bytes, mode, err);
				}
			} else if (got != err || (err == 0 && part.len != whole.len)) {
				fail_case("depends on what follows", bytes, mode, got);
			}
		}
	}
}
END_TEST

UNIT_MAIN("insn_diff", tcase_add_loop_test(tc, agrees_with_zydis, 0, 3);
          tcase_add_loop_test(tc, short_buffers, 0, 3);)
