; SPDX-License-Identifier: BSD-2-Clause
;
; One hypercall from four kinds of 32-bit code: compatibility mode, protected mode without paging,
; with 32-bit paging, and with PAE paging. Interrupts stay off: the IDT is long mode's.
; Specs: [TLFS] "Hypercall Inputs"; [SDM3] "Switching Out of IA-32e Mode Operation".

%include "guest-test/lib/modes.inc"

PD32 equ 0x407000			; hyperv.h has the pages below
PDPT32 equ 0x408000

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

section .text
bits 64
global call32_run
call32_run:
	push_callee_saved
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

	paging_off
	change_efer 0, EFER_LME
	change_cr4 0, CR4_PAE
	make_call 1

	mov	edi, PD32			; 4 GiB one to one by 4 MiB pages
	mov	eax, 0x83
	mov	ecx, 1024
.pd:	mov	[edi], eax
	add	edi, 4
	add	eax, 0x400000
	loop	.pd
	change_cr4 CR4_PSE, 0
	paging_on PD32
	make_call 2

	paging_off
	mov	edi, PDPT32			; long mode's 2 MiB pages
	mov	eax, pds + 1
	mov	ecx, 4
.pdpt:	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 8
	add	eax, 4096
	loop	.pdpt
	change_cr4 CR4_PAE, CR4_PSE
	paging_on PDPT32
	make_call 3

	paging_off
	mov	eax, [saved_cr4]
	mov	cr4, eax
	change_efer EFER_LME, 0
	paging_on [saved_cr3]
	jmp	0x08:long_again
bits 64
long_again:
	mov	rsp, [saved_rsp]
	pop_callee_saved
	ret

section .bss
alignb 8
saved_rsp: resq 1
saved_cr3: resd 1
saved_cr4: resd 1
