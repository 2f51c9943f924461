; SPDX-License-Identifier: BSD-2-Clause
;
; 32-bit protected mode and back, and the tasks that run there.
; Specs: [SDM3] "Switching Out of IA-32e Mode Operation", "Task Management".

%include "guest-test/lib/modes.inc"

TSS_EIP equ 0x20
TSS_TRAP equ 0x64
SEL_MAIN equ 0x58
SEL_B equ 0x60
SEL_16 equ 0x68
SEL_V86 equ 0x78
SEL_GATE equ 0x80
LAPIC_ICR equ 0xfee00300
LAPIC_EOI equ 0xfee000b0

section .text

; void run32(void (*fn)(void), uint32_t cr3): fn in 32-bit code of task SEL_MAIN, with PAE paging
; unless cr3 is 0.
bits 64
global run32
extern gdt32, idt32, gdt
run32:
	push_callee_saved
	mov	[saved_rsp], rsp
	sgdt	[saved_gdt]
	sidt	[saved_idt]
	mov	rax, cr3
	mov	[saved_cr3], rax
	mov	[fn32], edi
	mov	[cr3_32], esi
	lgdt	[gdt32_pointer]
	lidt	[idt32_pointer]
	push	qword 0x28
	push	qword .compat
	o64 retf
bits 32
.compat:
	mov	eax, 0x10
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	fs, eax
	mov	gs, eax
	paging_off
	change_efer 0, EFER_LME
	cmp	dword [cr3_32], 0
	je	.flat
	paging_on [cr3_32]
.flat:	mov	esp, stack_main
	mov	ax, SEL_MAIN
	ltr	ax
	call	[fn32]
exit32:	cli
	mov	eax, 0x10
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	paging_off
	clts					; tests look at TS
	change_efer EFER_LME, 0
	paging_on [saved_cr3]
	jmp	0x08:.long
bits 64
.long:	mov	rsp, [saved_rsp]
	lgdt	[saved_gdt]
	lidt	[saved_idt]
	and	byte [gdt + 0x18 + 5], ~2	; not busy: to be loaded again
	mov	ax, 0x18
	ltr	ax
	xor	eax, eax
	mov	fs, ax
	mov	gs, ax
	pop_callee_saved
	ret

bits 32
; Whatever has no business to happen ends the test.
global unexpected32
unexpected32:
	inc	dword [unexpected]
	mov	eax, [esp]
	mov	[unexpected + 4], eax
	mov	eax, [esp + 4]
	mov	[unexpected + 8], eax
	jmp	exit32

; --- what the main task does ---
global main_jmp, main_call, main_call_gate, main_int, main_ud, main_gp, main_nmi, main_irq
global main_jmp16, main_call_v86, main_jmp_busy, main_call_twice
main_jmp:
	mov	ebx, 0x11111111
	jmp	SEL_B:0
	jmp	look
main_call:
	mov	ebx, 0x11111111
	call	SEL_B:0
	jmp	look
main_call_twice:
	call	SEL_B:0
	call	SEL_B:0
	jmp	look
main_call_gate:
	call	SEL_GATE:0
	jmp	look
main_int:
	int	0x41
	jmp	look
main_ud:
	ud2
	jmp	look
global main_gp_insn
main_gp:
	mov	eax, 0xfff8
main_gp_insn:
	mov	fs, eax				; 2 bytes
	jmp	look
main_jmp_busy:
	jmp	SEL_MAIN:0			; 7 bytes
	jmp	look
main_jmp16:
	jmp	SEL_16:0
	jmp	look
main_call_v86:
	call	SEL_V86:0
	jmp	look
send_nmi:
	mov	eax, [0xfee00020]
	mov	[LAPIC_ICR + 0x10], eax
	mov	dword [LAPIC_ICR], 0x4400
	ret
main_nmi:
	call	send_nmi
	mov	ecx, 100000
.wait:	pause
	cmp	dword [h_count], 2
	loopne	.wait
	jmp	look
main_irq:
	mov	dword [LAPIC_ICR], 0x44051	; to itself
	sti
	mov	ecx, 100000
.wait:	pause
	cmp	dword [h_count], 0
	loope	.wait
	jmp	look
; What the main task finds afterwards.
look:	pushfd
	pop	dword [m_flags]
	mov	[m_ebx], ebx
	mov	[m_esp], esp
	mov	eax, cr0
	mov	[m_cr0], eax
	mov	eax, cr3
	mov	[m_cr3], eax
	str	[m_tr]
	sldt	[m_ldt]
	ret

; --- task B: note everything, then back as the test wants ---
%macro note 0
	mov	[b_regs], eax
	mov	[b_regs + 4], ecx
	mov	[b_regs + 8], edx
	mov	[b_regs + 12], ebx
	mov	[b_regs + 16], esp
	mov	[b_regs + 20], ebp
	mov	[b_regs + 24], esi
	mov	[b_regs + 28], edi
	pushfd
	pop	dword [b_flags]
	inc	dword [b_count]
	mov	eax, cr0
	mov	[b_cr0], eax
	mov	eax, cr3
	mov	[b_cr3], eax
	mov	eax, dr7
	mov	[b_dr7], eax
	str	[b_tr]
	sldt	[b_ldt]
	mov	[b_seg], es
	mov	[b_seg + 2], cs
	mov	[b_seg + 4], ss
	mov	[b_seg + 6], ds
	mov	[b_seg + 8], fs
	mov	[b_seg + 10], gs
%endmacro
global b_jmp, b_iret, b_16
b_jmp:	note
	jmp	SEL_MAIN:0
b_iret:	note
	iretd
	jmp	b_iret
; At offset 0 of a segment of its own.
align 16
b_16:	note
	jmp	SEL_MAIN:0

; In virtual-8086 mode, at 0x7000:0: leave a mark and fault.
global v86_code, v86_end
bits 16
v86_code:
	mov	ax, cs
	mov	[cs:0x100], ax
	mov	ax, ss
	mov	[cs:0x102], ax
	hlt
v86_end:
bits 32

; --- the task behind gates of the IDT ---
global h_with_error, h_plain
h_with_error:
	pop	dword [h_error]
	call	handle
	iretd
	jmp	h_with_error
h_plain:
	call	handle
	iretd
	jmp	h_plain
extern tss_h, tss_b
handle:	inc	dword [h_count]
	mov	[h_esp], esp
	pushfd
	pop	dword [h_flags]
	str	[h_tr]
	mov	ax, [tss_h]
	mov	[h_link], ax
	mov	eax, dr6
	mov	[h_dr6], eax
	mov	eax, [h_fix_tss]
	test	eax, eax
	jz	.no_fix
	mov	ecx, [eax + TSS_EIP]
	mov	[h_eip], ecx
	mov	ecx, [h_fix_len]
	add	[eax + TSS_EIP], ecx
.no_fix:
	mov	ax, [h_return]
	test	ax, ax
	jz	.no_return
	mov	[tss_h], ax
.no_return:
	mov	word [tss_b + TSS_TRAP], 0	; or returning to it traps again
	cmp	dword [h_eoi], 0
	je	.no_eoi
	mov	dword [LAPIC_EOI], 0
.no_eoi:
	cmp	dword [h_nmi], 0
	je	.out
	dec	dword [h_nmi]
	call	send_nmi
	mov	ecx, 1000
.wait:	pause
	loop	.wait
	mov	eax, [h_count]
	mov	[h_nested], eax			; it must wait for IRET
.out:	ret

section .data
gdt32_pointer:
	dw 255
	dq gdt32
idt32_pointer:
	dw 2047
	dq idt32

section .bss
alignb 8
saved_rsp: resq 1
saved_cr3: resq 1
saved_gdt: resb 16
saved_idt: resb 16
fn32:	resd 1
cr3_32:	resd 1
global unexpected
unexpected: resd 3
; Cleared before each test.
global record_start, record_end
global m_flags, m_ebx, m_esp, m_cr0, m_cr3, m_tr, m_ldt
global b_regs, b_count, b_flags, b_cr0, b_cr3, b_dr7, b_tr, b_ldt, b_seg
global h_count, h_error, h_flags, h_tr, h_link, h_dr6, h_fix_tss, h_fix_len, h_eip, h_return
global h_eoi, h_nmi, h_nested, h_esp
record_start:
m_flags: resd 1
m_ebx:	resd 1
m_esp:	resd 1
m_cr0:	resd 1
m_cr3:	resd 1
m_tr:	resd 1
m_ldt:	resd 1
b_regs:	resd 8
b_count: resd 1
b_flags: resd 1
b_cr0:	resd 1
b_cr3:	resd 1
b_dr7:	resd 1
b_tr:	resd 1
b_ldt:	resd 1
b_seg:	resw 6
h_count: resd 1
h_error: resd 1
h_flags: resd 1
h_tr:	resd 1
h_link:	resd 1
h_dr6:	resd 1
h_fix_tss: resd 1
h_fix_len: resd 1
h_eip:	resd 1
h_return: resd 1
h_eoi:	resd 1
h_nmi:	resd 1
h_nested: resd 1
h_esp:	resd 1
record_end:
global stack_main, stack_b, stack_h
alignb 16
	resb 4096
stack_main:
	resb 4096
stack_b:
	resb 4096
stack_h:
