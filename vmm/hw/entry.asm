; SPDX-License-Identifier: BSD-2-Clause
; Where the loader enters the core, and the boot processor's stacks.
; Specs: boot/boot_info.h (the hand-off); [SYSV] "The Stack Frame".
	bits 64
	default rel

PAGE	equ 4096

	global core_entry:function (core_entry.end - core_entry)
	extern core_main

	section .text.entry progbits alloc exec nowrite align=16

; RDI = struct boot_info, identity mapped. Does not return.
core_entry:
	cli
	cld
	lea rsp, [boot_stack_top]
	xor ebp, ebp		; ends the chain of frames
	push rbp
	push rbp		; call from a 16-byte boundary
	call core_main
.halt:	hlt
	jmp .halt
.end:

; Each stack has a page below it that paging_init() leaves out of the tables.
	section .bss nobits alloc noexec write align=4096

	%macro stack 2
	global %1_guard
	global %1_top
%1_guard:
	resb PAGE
	resb %2 * PAGE
%1_top:
	%endmacro

	stack boot_stack, 8
	stack boot_df_stack, 4
	stack boot_nmi_stack, 4
	stack boot_mc_stack, 4

	section .note.GNU-stack noalloc noexec nowrite progbits
