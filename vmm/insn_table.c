// SPDX-License-Identifier: BSD-2-Clause
// Which opcodes the decoder knows: those that guests use on device memory, in their memory forms.
// Specs: [SDM2] "Opcode Map", tables "One-byte Opcode Map", "Two-byte Opcode Map", "Opcode
// Extensions for One- and Two-byte Opcodes by Group Number".
#include "vmm/insn_table.h"

#define RD ROW_READ
#define RMW (ROW_READ | ROW_WRITE | ROW_DEST)
#define CMP_DEST (ROW_READ | ROW_DEST)
#define STORE (ROW_WRITE | ROW_DEST)
#define B ROW_BYTE

#define ROW(code, insn_op, row_flags) [code] = {(insn_op), ROW_KNOWN | (row_flags)}
#define PREFIX(code) [code] = {0, ROW_PREFIX}
#define REX4(code) \
	[code] = {0, ROW_REX}, [(code) + 1] = {0, ROW_REX}, [(code) + 2] = {0, ROW_REX}, \
	[(code) + 3] = {0, ROW_REX}
/* m8,r8  m,r  r8,m8  r,m */
#define ARITH(code, insn_op, dest) \
	ROW(code, insn_op, (dest) | ROW_REG | B), ROW((code) + 1, insn_op, (dest) | ROW_REG), \
	        ROW((code) + 2, insn_op, RD | ROW_REG | B), ROW((code) + 3, insn_op, RD | ROW_REG)
#define GROUP(code, group, row_flags) ROW(code, group, ROW_GROUP | (row_flags))

const struct insn_row insn_map1[256] = {
        ARITH(0x00, INSN_ADD, RMW),
        ARITH(0x08, INSN_OR, RMW),
        ARITH(0x10, INSN_ADC, RMW),
        ARITH(0x18, INSN_SBB, RMW),
        ARITH(0x20, INSN_AND, RMW),
        ARITH(0x28, INSN_SUB, RMW),
        ARITH(0x30, INSN_XOR, RMW),
        ARITH(0x38, INSN_CMP, CMP_DEST),
        PREFIX(0x26),
        PREFIX(0x2e),
        PREFIX(0x36),
        PREFIX(0x3e),
        REX4(0x40),
        REX4(0x44),
        REX4(0x48),
        REX4(0x4c),
        ROW(0x63, INSN_MOVSX, RD | ROW_REG | ROW_LONG),
        PREFIX(0x64),
        PREFIX(0x65),
        PREFIX(0x66),
        PREFIX(0x67),
        GROUP(0x80, GROUP_1, B | ROW_IMM8),
        GROUP(0x81, GROUP_1, ROW_IMMZ),
        GROUP(0x82, GROUP_1, B | ROW_IMM8 | ROW_NOT_LONG),
        GROUP(0x83, GROUP_1, ROW_IMM8),
        ROW(0x84, INSN_TEST, CMP_DEST | ROW_REG | B),
        ROW(0x85, INSN_TEST, CMP_DEST | ROW_REG),
        ROW(0x86, INSN_XCHG, RMW | ROW_REG | B),
        ROW(0x87, INSN_XCHG, RMW | ROW_REG),
        ROW(0x88, INSN_MOV, STORE | ROW_REG | B),
        ROW(0x89, INSN_MOV, STORE | ROW_REG),
        ROW(0x8a, INSN_MOV, RD | ROW_REG | B),
        ROW(0x8b, INSN_MOV, RD | ROW_REG),
        GROUP(0x8f, GROUP_1A, 0),
        ROW(0xa0, INSN_MOV, RD | ROW_MOFFS | B),
        ROW(0xa1, INSN_MOV, RD | ROW_MOFFS),
        ROW(0xa2, INSN_MOV, STORE | ROW_MOFFS | B),
        ROW(0xa3, INSN_MOV, STORE | ROW_MOFFS),
        ROW(0xa4, INSN_MOVS, RD | ROW_STRING | B),
        ROW(0xa5, INSN_MOVS, RD | ROW_STRING),
        ROW(0xaa, INSN_STOS, STORE | ROW_STRING | B),
        ROW(0xab, INSN_STOS, STORE | ROW_STRING),
        ROW(0xac, INSN_LODS, RD | ROW_STRING | B),
        ROW(0xad, INSN_LODS, RD | ROW_STRING),
        GROUP(0xc6, GROUP_11, B | ROW_IMM8),
        GROUP(0xc7, GROUP_11, ROW_IMMZ),
        PREFIX(0xf0),
        PREFIX(0xf2),
        PREFIX(0xf3),
        GROUP(0xf6, GROUP_3, B),
        GROUP(0xf7, GROUP_3, 0),
        GROUP(0xfe, GROUP_4, B),
        GROUP(0xff, GROUP_5, 0),
};

const struct insn_row insn_map2[256] = {
        ROW(0xa3, INSN_BT, CMP_DEST | ROW_REG), ROW(0xab, INSN_BTS, RMW | ROW_REG),
        ROW(0xb0, INSN_CMPXCHG, RMW | ROW_REG | B), ROW(0xb1, INSN_CMPXCHG, RMW | ROW_REG),
        ROW(0xb3, INSN_BTR, RMW | ROW_REG), ROW(0xb6, INSN_MOVZX, RD | ROW_REG | ROW_MEM16 | B),
        ROW(0xb7, INSN_MOVZX, RD | ROW_REG | ROW_MEM16), GROUP(0xba, GROUP_8, ROW_IMM8),
        ROW(0xbb, INSN_BTC, RMW | ROW_REG), ROW(0xbe, INSN_MOVSX, RD | ROW_REG | ROW_MEM16 | B),
        ROW(0xbf, INSN_MOVSX, RD | ROW_REG | ROW_MEM16), ROW(0xc0, INSN_XADD, RMW | ROW_REG | B),
        ROW(0xc1, INSN_XADD, RMW | ROW_REG),
        ROW(0xc3, INSN_MOV, STORE | ROW_REG | ROW_PLAIN), /* MOVNTI */
};

const struct insn_row insn_groups[GROUP_COUNT][8] = {
        [GROUP_1] = {ROW(0, INSN_ADD, RMW), ROW(1, INSN_OR, RMW), ROW(2, INSN_ADC, RMW),
                ROW(3, INSN_SBB, RMW), ROW(4, INSN_AND, RMW), ROW(5, INSN_SUB, RMW),
                ROW(6, INSN_XOR, RMW), ROW(7, INSN_CMP, CMP_DEST)},
        [GROUP_1A] = {ROW(0, INSN_POP, STORE | ROW_STACK)},
        /* The width of TEST's immediate follows ROW_BYTE: see insn.c. */
        [GROUP_3] = {ROW(0, INSN_TEST, CMP_DEST | ROW_IMMZ), ROW(1, INSN_TEST, CMP_DEST | ROW_IMMZ),
                ROW(2, INSN_NOT, RMW), ROW(3, INSN_NEG, RMW)},
        [GROUP_4] = {ROW(0, INSN_INC, RMW), ROW(1, INSN_DEC, RMW)},
        [GROUP_5] = {ROW(0, INSN_INC, RMW), ROW(1, INSN_DEC, RMW),
                ROW(6, INSN_PUSH, RD | ROW_STACK)},
        [GROUP_8] = {ROW(4, INSN_BT, CMP_DEST), ROW(5, INSN_BTS, RMW), ROW(6, INSN_BTR, RMW),
                ROW(7, INSN_BTC, RMW)},
        [GROUP_11] = {ROW(0, INSN_MOV, STORE)},
};
