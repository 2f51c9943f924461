; SPDX-License-Identifier: BSD-2-Clause
;
; Enter the guest and come back. No policy here.
; Specs: [SDM3] "VM Entries", "VM Exits", "Loading Host State".
;
; void vmx_enter(struct vcpu *vcpu, struct vmx_vcpu *v)
;   in:   RDI = vcpu (VCPU_GPR_* offsets from build/offsets.inc), RSI = v
;   out:  by a jump to vmx_exited(vcpu) after a VM exit, guest registers stored, or to
;         vmx_entry_failed(vcpu): both return to vmx_enter's caller.
;   v->host_rsp: what HOST_RSP in the VMCS holds; 0 = VMLAUNCH has to be done first. The stack at
;   the entry is the stack at the exit, and hardly ever moves.

%include "offsets.inc"

bits 64
default rel
section .text

extern vmx_exited
extern vmx_entry_failed
global vmx_enter
global vmx_exit_entry

%macro LOAD_GUEST 0
	mov	rax, [rdi + VCPU_GPR_RAX]
	mov	rcx, [rdi + VCPU_GPR_RCX]
	mov	rdx, [rdi + VCPU_GPR_RDX]
	mov	rbx, [rdi + VCPU_GPR_RBX]
	mov	rbp, [rdi + VCPU_GPR_RBP]
	mov	rsi, [rdi + VCPU_GPR_RSI]
	mov	r8, [rdi + VCPU_GPR_R8]
	mov	r9, [rdi + VCPU_GPR_R9]
	mov	r10, [rdi + VCPU_GPR_R10]
	mov	r11, [rdi + VCPU_GPR_R11]
	mov	r12, [rdi + VCPU_GPR_R12]
	mov	r13, [rdi + VCPU_GPR_R13]
	mov	r14, [rdi + VCPU_GPR_R14]
	mov	r15, [rdi + VCPU_GPR_R15]
	mov	rdi, [rdi + VCPU_GPR_RDI]
%endmacro

%macro RETURN_TO 1
	add	rsp, 8
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	pop	rbp
	jmp	%1
%endmacro

vmx_enter:
	push	rbp
	push	rbx
	push	r12
	push	r13
	push	r14
	push	r15
	push	rdi			; the exit finds the vCPU here
	cmp	rsp, [rsi + VMX_HOST_RSP]
	jne	.elsewhere
.resume:
	LOAD_GUEST
	vmresume
.failed:
	pop	rdi
	push	rdi
	RETURN_TO vmx_entry_failed
.elsewhere:
	mov	rax, rsp
	xchg	rax, [rsi + VMX_HOST_RSP]
	mov	ecx, HOST_RSP_FIELD
	vmwrite	rcx, rsp
	test	rax, rax
	jnz	.resume
	LOAD_GUEST
	vmlaunch
	jmp	.failed

vmx_exit_entry:
	push	rdi			; guest's RDI
	mov	rdi, [rsp + 8]		; the vCPU, pushed at the entry
	mov	[rdi + VCPU_GPR_RAX], rax
	mov	[rdi + VCPU_GPR_RCX], rcx
	mov	[rdi + VCPU_GPR_RDX], rdx
	mov	[rdi + VCPU_GPR_RBX], rbx
	mov	[rdi + VCPU_GPR_RBP], rbp
	mov	[rdi + VCPU_GPR_RSI], rsi
	mov	[rdi + VCPU_GPR_R8], r8
	mov	[rdi + VCPU_GPR_R9], r9
	mov	[rdi + VCPU_GPR_R10], r10
	mov	[rdi + VCPU_GPR_R11], r11
	mov	[rdi + VCPU_GPR_R12], r12
	mov	[rdi + VCPU_GPR_R13], r13
	mov	[rdi + VCPU_GPR_R14], r14
	mov	[rdi + VCPU_GPR_R15], r15
	pop	qword [rdi + VCPU_GPR_RDI]
	RETURN_TO vmx_exited
