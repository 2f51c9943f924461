// SPDX-License-Identifier: BSD-2-Clause
// Results and flags against the processor this runs on.
#include "tests/unit.h"
#include "vmm/emul_alu.h"
#include "vmm/lib/bits.h"
#include "vmm/x86.h"

#define STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static const uint64_t values[] = {0, 1, 2, 0xf, 0x10, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000,
        0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000ULL,
        0x7fffffffffffffffULL, 0x8000000000000000ULL, 0xfffffffffffffffeULL, ~0ULL,
        0x123456789abcdef0ULL, 0x0f0f0f0f5aa5a55aULL};

#define BELOW_RED_ZONE "leaq -128(%%rsp), %%rsp; "
#define ABOVE_RED_ZONE "leaq 128(%%rsp), %%rsp"

/* POPF, the instruction, PUSHF. */
#define HW2(insn, type) \
	do { \
		type d_ = (type)*dst; \
		__asm__ volatile(BELOW_RED_ZONE "pushq %1; popfq; " insn \
		                                " %2, %0; pushfq; popq %1; " ABOVE_RED_ZONE \
		                 : "+r"(d_), "+r"(f) \
		                 : "r"((type)src) \
		                 : "cc"); \
		*dst = d_; \
	} while (0)
#define HW1(insn, type) \
	do { \
		type d_ = (type)*dst; \
		__asm__ volatile(BELOW_RED_ZONE "pushq %1; popfq; " insn \
		                                " %0; pushfq; popq %1; " ABOVE_RED_ZONE \
		                 : "+r"(d_), "+r"(f) \
		                 : \
		                 : "cc"); \
		*dst = d_; \
	} while (0)
#define HW(kind, insn) \
	do { \
		if (width == 1) { \
			kind(insn "b", uint8_t); \
		} else if (width == 2) { \
			kind(insn "w", uint16_t); \
		} else if (width == 4) { \
			kind(insn "l", uint32_t); \
		} else { \
			kind(insn "q", uint64_t); \
		} \
	} while (0)

/* The same on the processor; returns the flags. */
static uint64_t hardware(
        enum insn_op op, unsigned width, uint64_t *dst, uint64_t src, uint64_t flags)
{
	uint64_t f = flags;

	if (op == INSN_ADD) {
		HW(HW2, "add");
	} else if (op == INSN_OR) {
		HW(HW2, "or");
	} else if (op == INSN_ADC) {
		HW(HW2, "adc");
	} else if (op == INSN_SBB) {
		HW(HW2, "sbb");
	} else if (op == INSN_AND) {
		HW(HW2, "and");
	} else if (op == INSN_SUB) {
		HW(HW2, "sub");
	} else if (op == INSN_XOR) {
		HW(HW2, "xor");
	} else if (op == INSN_NOT) {
		HW(HW1, "not");
	} else if (op == INSN_NEG) {
		HW(HW1, "neg");
	} else if (op == INSN_INC) {
		HW(HW1, "inc");
	} else {
		HW(HW1, "dec");
	}
	return f;
}

static const enum insn_op ops[] = {INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB,
        INSN_XOR, INSN_NOT, INSN_NEG, INSN_INC, INSN_DEC};

START_TEST(like_the_processor)
{
	enum insn_op op = ops[_i];
	bool logic = op == INSN_OR || op == INSN_AND || op == INSN_XOR;
	uint64_t mask = logic ? STATUS & ~RFLAGS_AF : STATUS;

	for (unsigned w = 0; w < 4; w++) {
		for (unsigned i = 0; i < ARRAY_SIZE(values) * ARRAY_SIZE(values) * 4; i++) {
			uint64_t d = values[i % ARRAY_SIZE(values)];
			uint64_t s = values[i / ARRAY_SIZE(values) % ARRAY_SIZE(values)];
			unsigned preset = i / (unsigned)(ARRAY_SIZE(values) * ARRAY_SIZE(values));
			uint64_t before = RFLAGS_FIXED1 | RFLAGS_IF |
			                  ((preset & 1) ? STATUS & ~RFLAGS_CF : 0) |
			                  ((preset & 2) ? RFLAGS_CF : 0);
			uint64_t ours = before, want_r = d, want_f, r;

			want_f = hardware(op, 1U << w, &want_r, s, before);
			r = emul_alu(op, 1U << w, d, s, &ours);
			ck_assert_msg(r == (want_r & width_mask(1U << w)) &&
			                      ((ours ^ want_f) & mask) == 0 &&
			                      (ours & ~STATUS) == (before & ~STATUS),
			        "op %d width %u %#lx, %#lx flags %#lx: %#lx %#lx, not %#lx %#lx",
			        op, 1U << w, d, s, before, r, ours, want_r, want_f);
		}
	}
}
END_TEST

START_TEST(aliases)
{
	uint64_t a = RFLAGS_FIXED1, b = RFLAGS_FIXED1;

	ck_assert_uint_eq(emul_alu(INSN_CMP, 4, 1, 2, &a), emul_alu(INSN_SUB, 4, 1, 2, &b));
	ck_assert_uint_eq(a, b);
	ck_assert_uint_eq(emul_alu(INSN_TEST, 4, 6, 3, &a), emul_alu(INSN_AND, 4, 6, 3, &b));
	ck_assert_uint_eq(a, b);
	ck_assert_uint_eq(emul_alu(INSN_XADD, 4, 6, 3, &a), 9);
	ck_assert_uint_eq(emul_alu(INSN_XCHG, 4, 6, 3, &a), 6);
}
END_TEST

START_TEST(bits)
{
	uint64_t f = RFLAGS_FIXED1 | RFLAGS_ZF;

	ck_assert_uint_eq(emul_bit(INSN_BTS, 0, 63, &f), BIT64(63));
	ck_assert_uint_eq(f, RFLAGS_FIXED1 | RFLAGS_ZF);
	ck_assert_uint_eq(emul_bit(INSN_BTR, ~0ULL, 0, &f), ~1ULL);
	ck_assert_uint_eq(f, RFLAGS_FIXED1 | RFLAGS_ZF | RFLAGS_CF);
	ck_assert_uint_eq(emul_bit(INSN_BTC, 2, 1, &f), 0);
	ck_assert_uint_eq(emul_bit(INSN_BTC, 0, 1, &f), 2);
	ck_assert_uint_eq(f & RFLAGS_CF, 0);
	ck_assert_uint_eq(emul_bit(INSN_BT, 2, 1, &f), 2);
	ck_assert_uint_eq(f & RFLAGS_CF, RFLAGS_CF);
}
END_TEST

UNIT_MAIN("emul_alu", tcase_add_loop_test(tc, like_the_processor, 0, ARRAY_SIZE(ops));
          tcase_add_test(tc, aliases); tcase_add_test(tc, bits);)
