/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Task-state segments and descriptors as they lie in a guest's memory.
 * Specs: [SDM3] "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)", "Segment
 * Descriptors", "System Descriptor Types".
 */
#ifndef VMM_TSS_H
#define VMM_TSS_H

#include "vmm/lib/types.h"

#define TSS_GPRS 8U /* in the order of enum vcpu_reg */
#define TSS_TRAP 1U /* the T flag */

/* One of struct tss32's selectors: the upper half is reserved. */
struct tss32_selector {
	uint16_t value, reserved;
};

struct tss32 {
	uint16_t link, reserved_link;
	uint32_t stacks[6]; /* SS0:ESP0 and so on: not of a task switch's business */
	uint32_t cr3;
	/* What a switch saves starts here... */
	uint32_t eip, eflags, gpr[TSS_GPRS];
	struct tss32_selector seg[6]; /* in the order of enum vcpu_seg */
	/* ... and ends here. */
	struct tss32_selector ldt;
	uint16_t trap, io_map;
};

_Static_assert(offsetof(struct tss32, cr3) == 0x1c, "[SDM3] 32-Bit Task-State Segment");
_Static_assert(offsetof(struct tss32, eip) == 0x20, "[SDM3] 32-Bit Task-State Segment");
_Static_assert(offsetof(struct tss32, seg) == 0x48, "[SDM3] 32-Bit Task-State Segment");
_Static_assert(offsetof(struct tss32, ldt) == 0x60, "[SDM3] 32-Bit Task-State Segment");
_Static_assert(offsetof(struct tss32, trap) == 0x64, "[SDM3] 32-Bit Task-State Segment");
_Static_assert(sizeof(struct tss32) == 0x68, "[SDM3] 32-Bit Task-State Segment");

struct tss16 {
	uint16_t link;
	uint16_t stacks[6];
	uint16_t ip, flags, gpr[TSS_GPRS];
	uint16_t seg[4]; /* ES, CS, SS, DS */
	uint16_t ldt;
};

_Static_assert(offsetof(struct tss16, ip) == 0x0e, "[SDM3] 16-Bit TSS Format");
_Static_assert(offsetof(struct tss16, seg) == 0x22, "[SDM3] 16-Bit TSS Format");
_Static_assert(offsetof(struct tss16, ldt) == 0x2a, "[SDM3] 16-Bit TSS Format");
_Static_assert(sizeof(struct tss16) == 0x2c, "[SDM3] 16-Bit TSS Format");

/* Types of system descriptors (attr less SEG_ATTR_S). */
#define DESC_LDT 0x2U
#define DESC_TSS16 0x1U
#define DESC_TSS32 0x9U
#define DESC_TSS_BUSY 0x2U /* flag in either */

/* Types of code and data descriptors. */
#define DESC_ACCESSED 0x1U
#define DESC_WRITABLE 0x2U /* data */
#define DESC_READABLE 0x2U /* code */
#define DESC_CONFORMING 0x4U
#define DESC_CODE 0x8U

#define DESC_SIZE 8U
#define DESC_ACCESS_BYTE 5U /* type, S, DPL, P */

#define SEL_RPL 3U
#define SEL_TI 4U /* in the LDT */
#define SEL_INDEX 0xfff8U
#define SEL_ERROR 0xfffcU /* what an error code tells: index and table */

#endif
