; SPDX-License-Identifier: BSD-2-Clause
;
; One-way trips out of long mode: 32-bit protected mode without paging, and from there to an
; exception whose delivery raises the same exception.
; Specs: [SDM3] "Interrupt 17 - Alignment Check Exception (#AC)", "Task Switching".

%include "guest-test/lib/modes.inc"

section .text
bits 64

; void legacy_ac(void)
global legacy_ac
legacy_ac:
	mov	rax, ac32
	jmp	to_32
; void legacy_task(uint32_t selector): a far jump to a selector of the table, with the task
; register loaded.
global legacy_task
legacy_task:
	mov	[task_jump + 4], di
	mov	rax, task32
to_32:
	lgdt	[gdt32_pointer]
	push	qword 0x08
	push	rax
	o64 retf

bits 32
%macro leave_long 0
	paging_off
	mov	eax, cr0
	or	eax, 1 << 18			; AM
	mov	cr0, eax
	change_efer 0, EFER_LME
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	esp, stack32_top
	lidt	[idt32_pointer]
	mov	ax, 0x28
	ltr	ax
%endmacro

ac32:
	leave_long
	; #AC: a gate to CPL 3, so that the frame goes to the stack in use
	mov	eax, ac_handler
	mov	[idt32 + 17 * 8], ax
	mov	word [idt32 + 17 * 8 + 2], 0x1b
	mov	word [idt32 + 17 * 8 + 4], 0xee00
	shr	eax, 16
	mov	[idt32 + 17 * 8 + 6], ax
	push	dword 0x23
	push	dword stack3_top - 1		; odd
	push	dword 0x40002			; AC
	push	dword 0x1b
	push	dword .user
	iretd
.user:	mov	ax, 0x23
	mov	ds, ax
	mov	eax, [esp - 64]			; unaligned: the first of all too many
	jmp	.user
ac_handler:
	jmp	ac_handler

task32:
	leave_long
	jmp	far [task_jump]
	; a task that comes back, or a switch that did nothing
.end:	hlt
	jmp	.end

section .data
align 16
global gdt32
gdt32:	dq 0
	dq 0x00cf9b000000ffff		; 0x08 code
	dq 0x00cf93000000ffff		; 0x10 data
	dq 0x00cffb000000ffff		; 0x18 code, CPL 3
	dq 0x00cff3000000ffff		; 0x20 data, CPL 3
	dw 0x67, 0, 0x8900, 0		; 0x28 TSS: its base is filled in
	times 10 dq 0			; 0x30 the attack's
gdt32_end:
gdt32_pointer:
	dw gdt32_end - gdt32 - 1
	dq gdt32
idt32_pointer:
	dw 2047
	dd idt32
task_jump:
	dd 0
	dw 0

section .bss
alignb 16
global idt32
idt32:	resb 2048
	resb 4096
stack3_top:
	resb 4096
stack32_top:
