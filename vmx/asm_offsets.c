// SPDX-License-Identifier: BSD-2-Clause
/*
 * Offsets for the assembler files: compiled to assembly, the '->' lines become
 * build/offsets.inc (vmm/core.mk). Nobody writes an offset by hand. Compiled once more with
 * ASM_OFFSETS_CHECK, it compares what arrived there (OFFSETS_NAME) with the structures.
 */
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/vcpu.h"
#include "vmx/vmcs_fields.h"
#include "vmx/vmx_vcpu.h"

#ifdef ASM_OFFSETS_CHECK
#define VALUE(name, value) \
	_Static_assert(OFFSETS_##name == (value), "build/offsets.inc is wrong: " #name)
#else
#define VALUE(name, value) __asm__ volatile("->" #name " %0" : : "i"(value))
#endif
#define OFFSET(name, type, member) VALUE(name, offsetof(type, member))

/* vmm/hw/isr.asm pushes fifteen registers below the vector and the error code. */
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "isr.asm: order of the pushes");
_Static_assert(offsetof(struct trap_frame, rip) == 17 * 8, "isr.asm: copy of RIP");

/* vmentry.asm pushes the registers where they belong, the highest first. */
_Static_assert(offsetof(struct vcpu, gpr) == 0, "where the pushes end is the vCPU");
_Static_assert(REG_RAX == 0 && REG_RSP == 4 && REG_R15 == 15, "vmentry.asm: order of the pushes");

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
	OFFSET(VCPU_HOST_SP, struct vcpu, host_sp);
	OFFSET(VCPU_VIRT, struct vcpu, virt);
	OFFSET(VMX_LAUNCHED, struct vmx_vcpu, launched);
	OFFSET(PCPU_LOADED, struct pcpu, loaded);
}
