; SPDX-License-Identifier: BSD-2-Clause
;
; Code for CPL 3: position-independent, argument in RDI, ends with INT 80H.

bits 64
section .text

%macro user 1
global user_%1
user_%1:
%endmacro

user rdtsc
	rdtsc
	int	0x80
user xsetbv
	xor	ecx, ecx
	mov	eax, 3
	xor	edx, edx
	xsetbv
	int	0x80
user read			; [rdi]
	mov	eax, [rdi]
	int	0x80
user write
	mov	[rdi], eax
	int	0x80
user jump
	jmp	rdi
user unaligned			; with EFLAGS.AC
	pushfq
	or	qword [rsp], 0x40000
	popfq
	mov	rdi, rsp
	sub	rdi, 64
	mov	eax, [rdi + 1]
	int	0x80
user out
	out	0x80, al
	int	0x80
user cpuid
	xor	eax, eax
	cpuid
	int	0x80
user hlt
	hlt
	int	0x80
user rdmsr
	mov	ecx, 0x10
	rdmsr
	int	0x80
user int91
	int	0x91
	int	0x80
user vmcall
	vmcall
	int	0x80
user int3
	int3
	int	0x80
user mov_cr
	mov	rax, cr0
	int	0x80
