; SPDX-License-Identifier: BSD-2-Clause
;
; An interrupt table whose every entry throws its frame away and goes back to who called: no vector
; needs to be known, no frame to be whole. One return stack pointer a vCPU.
; Specs: [SDM3] "Interrupt and Exception Handling".

bits 64
section .text

; uint32_t chaos_run(void (*fn)(void *), void *arg): the vector, or 256.
global chaos_run
chaos_run:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	mov	r12, rdi
	mov	r13, rsi
	call	whoami
	mov	[chaos_rsp + rbx * 8], rsp
	mov	qword [chaos_land + rbx * 8], chaos_out
	mov	rdi, r13
	sub	rsp, 8
	call	r12
	add	rsp, 8
	mov	eax, 256
	cli
	cld
chaos_out:
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret

; void chaos_repeat(bool (*fn)(void *), void *arg): fn again and again, whatever comes between,
; until it returns false. NMIs may come at any instruction of this.
extern chaos_ended
global chaos_repeat
chaos_repeat:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	mov	r12, rdi
	mov	r13, rsi
	call	whoami
	push	r13
	push	r12
	mov	[chaos_rsp + rbx * 8], rsp
	mov	qword [chaos_land + rbx * 8], .landed
	lidt	[chaos_pointer]
	sub	rsp, 8
.again:	mov	rdi, [rsp + 16]
	call	[rsp + 8]
	test	al, al
	jnz	.again
	cli
	add	rsp, 24
	jmp	chaos_out
.landed:
	sub	rsp, 8
	mov	edi, eax
	call	chaos_ended
	jmp	.again

; RBX = number of this vCPU
whoami:
	mov	eax, 1
	cpuid
	shr	ebx, 24
	and	ebx, 15
	ret

align 16
global chaos_stubs
chaos_stubs:
%assign v 0
%rep 256
	align 16
	push	qword v
	jmp	chaos_common
%assign v v+1
%endrep

chaos_common:
	pop	r15
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	eax, 1
	cpuid
	shr	ebx, 24
	and	ebx, 15
	mov	rsp, [chaos_rsp + rbx * 8]
	; by IRET: it ends the blocking of NMIs
	mov	rax, rsp
	push	qword 0x10
	push	rax
	push	qword 2
	push	qword 0x08
	mov	rax, .back
	push	rax
	iretq
.back:	mov	eax, r15d
	jmp	[chaos_land + rbx * 8]

; void chaos_user_enter(void *args): args[0] = where, at CPL 3; args[1] = RDI there.
USER equ 0x10000000000
extern chaos_pointer
extern scratch
global chaos_user_enter
chaos_user_enter:
	mov	rax, [rdi]
	mov	rcx, USER
	add	rax, rcx
	mov	rsi, scratch + 4096
	add	rsi, rcx
	mov	rdi, [rdi + 8]
	push	qword 0x43
	push	rsi
	push	qword 0x2
	push	qword 0x3b
	push	rax
	iretq

section .bss
alignb 8
chaos_rsp: resq 16
chaos_land: resq 16
