// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMX instructions.
 * Specs: [SDM3] "VMX Instruction Reference", "Conventions" (VMsucceed, VMfail).
 */
#include "vmx/vmx_insn_hw.h"

#include "vmm/lib/bug.h"

uint64_t vmcs_read(enum vmcs_field field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

void vmcs_write(enum vmcs_field field, uint64_t value)
{
	__asm__ goto("vmwrite %1, %0\n\tjbe %l[failed]"
	             :
	             : "r"((uint64_t)field), "r"(value)
	             : "cc", "memory"
	             : failed);
	return;
failed:
	/* BUG() without a call: this is on the exit path, its caller's name is enough. */
	__builtin_trap();
}

bool vmcs_try_read(enum vmcs_field field, uint64_t *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"((uint64_t)field));
	return !failed;
}

bool vmx_on(hpa_t region)
{
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region.v) : "memory");
	return !failed;
}

void vmx_off(void)
{
	__asm__ volatile("vmxoff" ::: "cc", "memory");
}

bool vmcs_clear(hpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs.v) : "memory");
	return !failed;
}

bool vmcs_load(hpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs.v) : "memory");
	return !failed;
}

void vmx_invept(enum invalidate_type type, uint64_t eptp)
{
	struct {
		uint64_t eptp, reserved;
	} desc = {eptp, 0};
	bool failed;

	__asm__ volatile("invept %1, %2"
	                 : "=@ccbe"(failed)
	                 : "m"(desc), "r"((uint64_t)type)
	                 : "memory");
	BUG_ON(failed);
}

void vmx_invvpid(enum invalidate_type type, uint16_t vpid)
{
	struct {
		uint64_t vpid, linear;
	} desc = {vpid, 0};
	bool failed;

	__asm__ volatile("invvpid %1, %2"
	                 : "=@ccbe"(failed)
	                 : "m"(desc), "r"((uint64_t)type)
	                 : "memory");
	BUG_ON(failed);
}

/*
 * Afterwards RBX is the vCPU again, and no other register is what it was: the compiler keeps what
 * it needs on the stack, and only that. RBP it does not give away; vmx_enter_guest keeps it.
 */
void vmx_enter(struct vcpu *vcpu)
{
	__asm__ volatile("call vmx_enter_guest"
	                 :
	                 : "b"(vcpu)
	                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
	                 "r13", "r14", "r15", "cc", "memory");
}
