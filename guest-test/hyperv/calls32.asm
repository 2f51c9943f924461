; SPDX-License-Identifier: BSD-2-Clause
;
; One hypercall from four kinds of 32-bit code: compatibility mode, protected mode without paging,
; with 32-bit paging, and with PAE paging. Interrupts stay off: the IDT is long mode's.
; Specs: [TLFS] "Hypercall Inputs"; [SDM3] "Switching Out of IA-32e Mode Operation".

PD32 equ 0x407000			; hyperv.h has the pages below
PDPT32 equ 0x408000
EFER equ 0xc0000080
CR0_PG equ 0x80000000

extern pds

; EBP = struct call32 of calls32.c.
%macro make_call 1
	mov	eax, [ebp]
	mov	edx, [ebp + 4]
	mov	ecx, [ebp + 8]
	mov	ebx, [ebp + 12]
	mov	esi, [ebp + 16]
	mov	edi, [ebp + 20]
	call	[ebp + 24]
	mov	[ebp + 32 + 8 * %1], eax
	mov	[ebp + 36 + 8 * %1], edx
%endmacro

%macro paging 1
	mov	eax, cr0
%if %1
	or	eax, CR0_PG
%else
	and	eax, ~CR0_PG
%endif
	mov	cr0, eax
	jmp	%%on
%%on:
%endmacro

section .text
bits 64
global call32_run
call32_run:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	mov	[saved_rsp], rsp
	mov	rax, cr3
	mov	[saved_cr3], eax
	mov	rax, cr4
	mov	[saved_cr4], eax
	mov	ebp, edi
	push	qword 0x28
	mov	rax, compat
	push	rax
	retfq
bits 32
compat:	make_call 0

	paging	0
	mov	ecx, EFER
	rdmsr
	and	eax, ~0x500			; LME, LMA
	wrmsr
	mov	eax, [saved_cr4]
	and	eax, ~0x20			; PAE
	mov	cr4, eax
	make_call 1

	mov	edi, PD32			; 4 GiB one to one by 4 MiB pages
	mov	eax, 0x83
	mov	ecx, 1024
.pd:	mov	[edi], eax
	add	edi, 4
	add	eax, 0x400000
	loop	.pd
	mov	eax, PD32
	mov	cr3, eax
	mov	eax, cr4
	or	eax, 0x10			; PSE
	mov	cr4, eax
	paging	1
	make_call 2

	paging	0
	mov	edi, PDPT32			; long mode's 2 MiB pages
	mov	eax, pds + 1
	mov	ecx, 4
.pdpt:	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 8
	add	eax, 4096
	loop	.pdpt
	mov	eax, PDPT32
	mov	cr3, eax
	mov	eax, [saved_cr4]		; PAE
	mov	cr4, eax
	paging	1
	make_call 3

	paging	0
	mov	eax, [saved_cr3]
	mov	cr3, eax
	mov	ecx, EFER
	rdmsr
	or	eax, 0x100
	wrmsr
	mov	eax, cr0
	or	eax, CR0_PG
	mov	cr0, eax
	jmp	0x08:long_again
bits 64
long_again:
	mov	rsp, [saved_rsp]
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret

section .bss
alignb 8
saved_rsp: resq 1
saved_cr3: resd 1
saved_cr4: resd 1
