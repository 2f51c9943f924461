// SPDX-License-Identifier: BSD-2-Clause
/*
 * Offsets for the assembler files: compiled to assembly, the '->' lines become
 * build/offsets.inc (vmm/core.mk). Nobody writes an offset by hand.
 */
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/vcpu.h"

#define OFFSET(name, type, member) \
	__asm__ volatile("->" #name " %0" : : "i"(offsetof(type, member)))
#define VALUE(name, value) __asm__ volatile("->" #name " %0" : : "i"(value))

void asm_offsets(void);

void asm_offsets(void)
{
	OFFSET(VCPU_GPR_RAX, struct vcpu, gpr[REG_RAX]);
	OFFSET(VCPU_GPR_RCX, struct vcpu, gpr[REG_RCX]);
	OFFSET(VCPU_GPR_RDX, struct vcpu, gpr[REG_RDX]);
	OFFSET(VCPU_GPR_RBX, struct vcpu, gpr[REG_RBX]);
	OFFSET(VCPU_GPR_RBP, struct vcpu, gpr[REG_RBP]);
	OFFSET(VCPU_GPR_RSI, struct vcpu, gpr[REG_RSI]);
	OFFSET(VCPU_GPR_RDI, struct vcpu, gpr[REG_RDI]);
	OFFSET(VCPU_GPR_R8, struct vcpu, gpr[REG_R8]);
	OFFSET(VCPU_GPR_R9, struct vcpu, gpr[REG_R9]);
	OFFSET(VCPU_GPR_R10, struct vcpu, gpr[REG_R10]);
	OFFSET(VCPU_GPR_R11, struct vcpu, gpr[REG_R11]);
	OFFSET(VCPU_GPR_R12, struct vcpu, gpr[REG_R12]);
	OFFSET(VCPU_GPR_R13, struct vcpu, gpr[REG_R13]);
	OFFSET(VCPU_GPR_R14, struct vcpu, gpr[REG_R14]);
	OFFSET(VCPU_GPR_R15, struct vcpu, gpr[REG_R15]);
	OFFSET(TRAP_FRAME_VECTOR, struct trap_frame, vector);
	OFFSET(PCPU_STACK_TOP, struct pcpu, stack_top);
	VALUE(TRAP_FRAME_SIZE, sizeof(struct trap_frame));
}
