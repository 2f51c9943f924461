; SPDX-License-Identifier: BSD-2-Clause
;
; Enter the guest and come back. No policy here.
; Specs: [SDM3] "VM Entries", "VM Exits", "Loading Host State".
;
;   vmx_enter_guest
;     in:   RBX = vcpu (VCPU_* offsets from build/offsets.inc)
;     out:  by a jump to vmx_exited(vcpu) after a VM exit, guest registers stored, or to
;           vmx_entry_failed(vcpu): both return to vmx_enter_guest's caller. RBX is vcpu again, RBP
;           is kept, and no other register.
;
; At the exit, RSP is what HOST_RSP says: the end of vcpu->gpr. So pushing the registers stores
; them. Nothing else may use that stack: interrupts are off, NMI and #MC have their own.

%include "offsets.inc"

bits 64
default rel
section .text

extern vmx_exited
extern vmx_entry_failed
global vmx_enter_guest
global vmx_exit_entry

%macro LOAD_GUEST 0
	mov	rax, [rbx + VCPU_GPR_RAX]
	mov	rcx, [rbx + VCPU_GPR_RCX]
	mov	rdx, [rbx + VCPU_GPR_RDX]
	mov	rbp, [rbx + VCPU_GPR_RBP]
	mov	rsi, [rbx + VCPU_GPR_RSI]
	mov	rdi, [rbx + VCPU_GPR_RDI]
	mov	r8, [rbx + VCPU_GPR_R8]
	mov	r9, [rbx + VCPU_GPR_R9]
	mov	r10, [rbx + VCPU_GPR_R10]
	mov	r11, [rbx + VCPU_GPR_R11]
	mov	r12, [rbx + VCPU_GPR_R12]
	mov	r13, [rbx + VCPU_GPR_R13]
	mov	r14, [rbx + VCPU_GPR_R14]
	mov	r15, [rbx + VCPU_GPR_R15]
	mov	rbx, [rbx + VCPU_GPR_RBX]
%endmacro

vmx_enter_guest:
	push	rbp
	mov	[rbx + VCPU_HOST_SP], rsp
	LOAD_GUEST
	vmresume
	; Refused, which is right for a VMCS that was not launched yet.
	mov	rbx, [gs:PCPU_LOADED]
	mov	rsi, [rbx + VCPU_VIRT]
	cmp	byte [rsi + VMX_LAUNCHED], 0
	jne	.failed
	mov	byte [rsi + VMX_LAUNCHED], 1
	LOAD_GUEST
	vmlaunch
	mov	rbx, [gs:PCPU_LOADED]
.failed:
	mov	rdi, rbx
	pop	rbp
	jmp	vmx_entry_failed

vmx_exit_entry:
	push	r15
	push	r14
	push	r13
	push	r12
	push	r11
	push	r10
	push	r9
	push	r8
	push	rdi
	push	rsi
	push	rbp
	sub	rsp, 8			; RSP is in the VMCS
	push	rbx
	push	rdx
	push	rcx
	push	rax
	mov	rbx, rsp
	mov	rsp, [rbx + VCPU_HOST_SP]
	mov	rdi, rbx
	pop	rbp
	jmp	vmx_exited
