; SPDX-License-Identifier: BSD-2-Clause
;
; Enter the guest and come back. No policy here.
; Specs: [SDM3] "VM Entries", "VM Exits", "Loading Host State".
;
; int vmx_enter(struct vcpu *vcpu, bool launched)
;   in:   RDI = vcpu (VCPU_GPR_* offsets from build/offsets.inc), SIL = 1: VMRESUME, 0: VMLAUNCH
;   out:  EAX = 0 a VM exit happened, guest registers stored; 1 VMfailInvalid; 2 VMfailValid
;   The stack at the entry is the stack at the exit: HOST_RSP is written each time.

%include "offsets.inc"

bits 64
default rel
section .text

global vmx_enter
global vmx_exit_entry

vmx_enter:
	push	rbp
	push	rbx
	push	r12
	push	r13
	push	r14
	push	r15
	push	rdi			; the exit finds the vCPU here
	mov	eax, HOST_RSP_FIELD
	vmwrite	rax, rsp
	test	sil, sil		; kept in ZF: no instruction below changes it
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
	jz	.launch
	vmresume
	jmp	.failed
.launch:
	vmlaunch
.failed:				; VMfailInvalid: CF; VMfailValid: ZF
	mov	eax, 1
	mov	ecx, 2
	cmovz	eax, ecx
	add	rsp, 8
	jmp	vmx_enter.return

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
	add	rsp, 8
	xor	eax, eax
vmx_enter.return:
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	pop	rbp
	ret
