// SPDX-License-Identifier: BSD-2-Clause
// The decoder, form by form: what guests really use, and what must be refused.
// tests/test_insn_diff.c has the breadth.
#include "tests/unit.h"
#include "vmm/cpu_virt.h"
#include "vmm/insn.h"
#include "vmm/lib/err.h"
#include <string.h>

#define NONE 0xff

static const struct {
	const char *name;
	uint8_t bytes[INSN_MAX_LEN];
	uint8_t len;
	enum insn_mode mode;
	enum insn_op op;
	uint8_t op_width, reg_width, reg; /* reg: NONE without */
	uint8_t seg, base, index, scale;  /* NONE without */
	bool high, dest;
	int64_t disp;
	bool has_imm;
	uint64_t imm;
} forms[] = {
        {"mov [rax], ecx", {0x89, 0x08}, 2, INSN_64, INSN_MOV, 4, 4, REG_RCX, SEG_DS, REG_RAX, NONE,
                0, false, true, 0, false, 0},
        {"mov r9, [r12+8]", {0x4d, 0x8b, 0x4c, 0x24, 0x08}, 5, INSN_64, INSN_MOV, 8, 8, REG_R9,
                SEG_DS, REG_R12, NONE, 0, false, false, 8, false, 0},
        {"mov [rsp+rdi*4-1], ah", {0x88, 0x64, 0xbc, 0xff}, 4, INSN_64, INSN_MOV, 1, 1, REG_RAX,
                SEG_SS, REG_RSP, REG_RDI, 4, true, true, -1, false, 0},
        {"mov [rax], spl", {0x40, 0x88, 0x20}, 3, INSN_64, INSN_MOV, 1, 1, REG_RSP, SEG_DS, REG_RAX,
                NONE, 0, false, true, 0, false, 0},
        {"mov dword [rip+0x10], -2", {0xc7, 0x05, 0x10, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}, 10,
                INSN_64, INSN_MOV, 4, 4, NONE, SEG_DS, NONE, NONE, 0, false, true, 0x10, true,
                ~1ULL},
        {"mov qword [rax], -2", {0x48, 0xc7, 0x00, 0xfe, 0xff, 0xff, 0xff}, 7, INSN_64, INSN_MOV, 8,
                8, NONE, SEG_DS, REG_RAX, NONE, 0, false, true, 0, true, ~1ULL},
        {"movabs eax, [0xfee00020]", {0xa1, 0x20, 0, 0xe0, 0xfe, 0, 0, 0, 0}, 9, INSN_64, INSN_MOV,
                4, 4, REG_RAX, SEG_DS, NONE, NONE, 0, false, false, 0xfee00020, false, 0},
        {"mov gs:[0xfee00020], eax", {0x65, 0xa3, 0x20, 0, 0xe0, 0xfe}, 6, INSN_32, INSN_MOV, 4, 4,
                REG_RAX, SEG_GS, NONE, NONE, 0, false, true, 0xfee00020, false, 0},
        {"movzx ecx, word [rdx]", {0x0f, 0xb7, 0x0a}, 3, INSN_64, INSN_MOVZX, 2, 4, REG_RCX, SEG_DS,
                REG_RDX, NONE, 0, false, false, 0, false, 0},
        {"movsxd r8, [rdx]", {0x4c, 0x63, 0x02}, 3, INSN_64, INSN_MOVSX, 4, 8, REG_R8, SEG_DS,
                REG_RDX, NONE, 0, false, false, 0, false, 0},
        {"mov [bp+si+0x10], ax", {0x89, 0x42, 0x10}, 3, INSN_16, INSN_MOV, 2, 2, REG_RAX, SEG_SS,
                REG_RBP, REG_RSI, 1, false, true, 0x10, false, 0},
        {"mov es:[0x8000], dl", {0x26, 0x88, 0x16, 0x00, 0x80}, 5, INSN_16, INSN_MOV, 1, 1, REG_RDX,
                SEG_ES, NONE, NONE, 0, false, true, -0x8000, false, 0},
        {"stosw", {0x66, 0xab}, 2, INSN_64, INSN_STOS, 2, 2, REG_RAX, SEG_ES, REG_RDI, NONE, 0,
                false, true, 0, false, 0},
        {"fs movsb", {0x64, 0xa4}, 2, INSN_64, INSN_MOVS, 1, 1, NONE, SEG_FS, REG_RSI, NONE, 0,
                false, false, 0, false, 0},
        {"cs, fs: cs is ignored", {0x64, 0x2e, 0x8b, 0x00}, 4, INSN_64, INSN_MOV, 4, 4, REG_RAX,
                SEG_FS, REG_RAX, NONE, 0, false, false, 0, false, 0},
        {"rex before a prefix is void", {0x48, 0x66, 0x8b, 0x00}, 4, INSN_64, INSN_MOV, 2, 2,
                REG_RAX, SEG_DS, REG_RAX, NONE, 0, false, false, 0, false, 0},
        {"cmp al-like r8, [rax]", {0x3a, 0x10}, 2, INSN_64, INSN_CMP, 1, 1, REG_RDX, SEG_DS,
                REG_RAX, NONE, 0, false, false, 0, false, 0},
        {"push qword [rax]", {0xff, 0x30}, 2, INSN_64, INSN_PUSH, 8, 8, NONE, SEG_DS, REG_RAX, NONE,
                0, false, false, 0, false, 0},
        {"movnti [rax], edx", {0x0f, 0xc3, 0x10}, 3, INSN_64, INSN_MOV, 4, 4, REG_RDX, SEG_DS,
                REG_RAX, NONE, 0, false, true, 0, false, 0},
};

START_TEST(form)
{
	struct insn insn;

	ck_assert_msg(insn_decode(&insn, forms[_i].bytes, INSN_MAX_LEN, forms[_i].mode) == 0, "%s",
	        forms[_i].name);
	ck_assert_uint_eq(insn.op, forms[_i].op);
	ck_assert_uint_eq(insn.len, forms[_i].len);
	ck_assert_uint_eq(insn.op_width, forms[_i].op_width);
	ck_assert_uint_eq(insn.reg_width, forms[_i].reg_width);
	ck_assert_uint_eq(insn.has_reg ? insn.reg : NONE, forms[_i].reg);
	ck_assert_uint_eq(insn.reg_high, forms[_i].high);
	ck_assert_uint_eq(insn.mem_is_dest, forms[_i].dest);
	ck_assert_uint_eq(insn.seg, forms[_i].seg);
	ck_assert_uint_eq(insn.has_base ? insn.base : NONE, forms[_i].base);
	ck_assert_uint_eq(insn.has_index ? insn.index : NONE, forms[_i].index);
	ck_assert_uint_eq(insn.scale, forms[_i].scale);
	ck_assert_int_eq(insn.disp, forms[_i].disp);
	ck_assert_uint_eq(insn.has_imm, forms[_i].has_imm);
	ck_assert_uint_eq(insn.imm, forms[_i].imm);
}
END_TEST

static const struct {
	const char *name;
	uint8_t bytes[INSN_MAX_LEN + 1];
	uint8_t len;
	enum insn_mode mode;
	int err;
} refusals[] = {
        {"nothing", {0}, 0, INSN_64, -E2BIG},
        {"prefix alone", {0x66}, 1, INSN_64, -E2BIG},
        {"no ModRM", {0x8b}, 1, INSN_64, -E2BIG},
        {"no SIB", {0x8b, 0x04}, 2, INSN_64, -E2BIG},
        {"half a displacement", {0x8b, 0x80, 1, 2}, 4, INSN_64, -E2BIG},
        {"no immediate", {0xc6, 0x00}, 2, INSN_64, -E2BIG},
        {"register form", {0x8b, 0xc0}, 2, INSN_64, -EOPNOTSUPP},
        {"movups", {0x0f, 0x10, 0x00}, 3, INSN_64, -EOPNOTSUPP},
        {"inc eax is no REX", {0x40, 0x8b, 0x00}, 3, INSN_32, -EOPNOTSUPP},
        {"arpl", {0x63, 0x00}, 2, INSN_32, -EOPNOTSUPP},
        {"82 in 64-bit mode", {0x82, 0x00, 0x00}, 3, INSN_64, -EOPNOTSUPP},
        {"call [rax]", {0xff, 0x10}, 2, INSN_64, -EOPNOTSUPP},
        {"xop, not pop", {0x8f, 0x08}, 2, INSN_64, -EOPNOTSUPP},
        {"xbegin, not mov", {0xc7, 0x38, 0, 0, 0, 0}, 6, INSN_64, -EOPNOTSUPP},
        {"lock mov", {0xf0, 0x89, 0x00}, 3, INSN_64, -EINVAL},
        {"lock add reg, mem", {0xf0, 0x03, 0x00}, 3, INSN_64, -EINVAL},
        {"lock cmp", {0xf0, 0x39, 0x00}, 3, INSN_64, -EINVAL},
        {"lock movsb", {0xf0, 0xa4}, 2, INSN_64, -EINVAL},
        {"lock bt", {0xf0, 0x0f, 0xa3, 0x00}, 4, INSN_64, -EINVAL},
        {"16 bytes",
                {0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
                        0x8b, 0x00},
                16, INSN_64, -ERANGE},
        {"prefixes only",
                {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                        0x66},
                15, INSN_64, -ERANGE},
};

START_TEST(refusal)
{
	struct insn insn;
	int err = insn_decode(&insn, refusals[_i].bytes, refusals[_i].len, refusals[_i].mode);

	ck_assert_msg(err == refusals[_i].err, "%s: %d", refusals[_i].name, err);
}
END_TEST

START_TEST(fifteen_bytes_are_fine)
{
	uint8_t bytes[INSN_MAX_LEN];
	struct insn insn;

	memset(bytes, 0x2e, sizeof(bytes));
	bytes[13] = 0x8b;
	bytes[14] = 0x00;
	ck_assert_int_eq(insn_decode(&insn, bytes, sizeof(bytes), INSN_64), 0);
	ck_assert_uint_eq(insn.len, 15);
}
END_TEST

START_TEST(prefixes)
{
	static const uint8_t bytes[] = {0xf2, 0xf3, 0x67, 0xa5, 0, 0, 0, 0};
	struct insn insn;

	ck_assert_int_eq(insn_decode(&insn, bytes, sizeof(bytes), INSN_64), 0);
	ck_assert(insn.rep && !insn.repne && !insn.lock);
	ck_assert_uint_eq(insn.addr_width, 4);
	ck_assert_int_eq(insn_decode(&insn, bytes, sizeof(bytes), INSN_32), 0);
	ck_assert_uint_eq(insn.addr_width, 2);
	ck_assert_int_eq(insn_decode(&insn, bytes, sizeof(bytes), INSN_16), 0);
	ck_assert_uint_eq(insn.addr_width, 4);
	ck_assert_uint_eq(insn.op_width, 2);
}
END_TEST

UNIT_MAIN("insn", tcase_add_loop_test(tc, form, 0, ARRAY_SIZE(forms));
          tcase_add_loop_test(tc, refusal, 0, ARRAY_SIZE(refusals));
          tcase_add_test(tc, fifteen_bytes_are_fine); tcase_add_test(tc, prefixes);)
