; SPDX-License-Identifier: BSD-2-Clause
;
; From the multiboot entry (32-bit, no paging) to main() in long mode: a flat GDT, a TSS, an IDT of
; 256 stubs, and page tables (test.h names the places): 4 GiB one to one by 2 MiB pages for the
; supervisor; 512 pages of 4 KiB for whoever wants to set them; the first GiB again for CPL 3.
; Specs: [MB1] "Machine state"; [SDM3] "Switching to IA-32e Mode".

%include "guest-test/lib/modes.inc"

MB_MAGIC equ 0x1badb002
MB_FLAGS equ 3				; page-aligned modules, memory information
LOW_CODE equ 0x10000			; as in image.ld

section .multiboot
align 4
	dd MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

section .text
bits 32
global start
extern main
extern low_copy
extern low_size
start:
	cli
	cld
	mov	esp, stack_top
	mov	[multiboot_magic], eax
	mov	[multiboot_info], ebx
	mov	eax, cr0
	mov	[entry_cr0], eax
	mov	eax, cr4
	mov	[entry_cr4], eax
	mov	ecx, EFER
	rdmsr
	mov	[entry_efer], eax
	mov	esi, low_copy
	mov	edi, LOW_CODE
	mov	ecx, low_size
	rep movsb
	; PML4[0] -> PDPT; PDPT[0..3] -> 4 PDs; PDs: 2048 pages of 2 MiB
	mov	dword [pml4], pdpt + 7
	mov	dword [pml4 + 8], window_pdpt + 7
	mov	dword [window_pdpt], window_pd + 7
	mov	dword [window_pd], window_pt + 7
	mov	dword [pml4 + 16], user_pdpt + 7
	mov	dword [user_pdpt], user_pd + 7
	mov	edi, pdpt
	mov	eax, pds + 7
	mov	ecx, 4
.pdpt:	mov	[edi], eax
	add	edi, 8
	add	eax, 4096
	loop	.pdpt
	mov	edi, user_pd
	mov	eax, 0x87
	mov	ecx, 512
.user:	mov	[edi], eax
	add	edi, 8
	add	eax, 0x200000
	loop	.user
	mov	edi, pds
	mov	eax, 0x83
	mov	ecx, 2048
.pd:	mov	[edi], eax
	add	edi, 8
	add	eax, 0x200000
	loop	.pd
	start_long_mode
	lgdt	[gdt_pointer]
	jmp	0x08:long_mode

bits 64
long_mode:
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	xor	eax, eax
	mov	fs, ax
	mov	gs, ax
	mov	rsp, stack_top
	; the TSS descriptor's base
	mov	rax, tss
	mov	[gdt_tss + 2], ax
	shr	rax, 16
	mov	[gdt_tss + 4], al
	mov	[gdt_tss + 7], ah
	mov	rax, ring0_top
	mov	[tss + 4], rax			; RSP0
	mov	rax, ist_top
	mov	[tss + 36], rax			; IST1
	mov	word [tss + 102], 104		; no I/O bitmap
	mov	ax, 0x18
	ltr	ax
	; IDT: 256 gates to stubs of 16 bytes each
	mov	rdi, idt
	mov	rax, stubs
	mov	ecx, 256
.gate:	mov	[rdi], ax
	mov	word [rdi + 2], 0x08
	mov	word [rdi + 4], 0x8e00
	mov	rdx, rax
	shr	rdx, 16
	mov	[rdi + 6], dx
	shr	rdx, 16
	mov	[rdi + 8], edx
	mov	dword [rdi + 12], 0
	add	rdi, 16
	add	rax, 16
	loop	.gate
	mov	byte [idt + 8 * 16 + 4], 1	; #DF on its own stack
	mov	byte [idt + 0x80 * 16 + 5], 0xee	; INT 80H from CPL 3
	lidt	[idt_pointer]
	call	main
.halt:	cli
	hlt
	jmp	.halt

; One stub a vector: the error code, or 0 in its place, and the vector.
align 16
stubs:
%assign v 0
%rep 256
	align 16
%if v = 8 || (v >= 10 && v <= 14) || v = 17 || v = 21
	push	qword v
	jmp	trap_common
%else
	push	qword 0
	push	qword v
	jmp	trap_common
%endif
%assign v v+1
%endrep

extern trap
trap_common:
	push	rax
	push	rcx
	push	rdx
	push	rbx
	push	rbp
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	push	r12
	push	r13
	push	r14
	push	r15
	mov	rdi, rsp
	cld
	call	trap
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rbp
	pop	rbx
	pop	rdx
	pop	rcx
	pop	rax
	add	rsp, 16
	iretq

; int fault_catch(void (*fn)(void *), void *arg): 0 = fn returned, else 1 after fault_throw.
; Calls nest: each keeps the stack pointer of the one around it.
global fault_catch
global fault_throw
fault_catch:
	push_callee_saved
	push	qword [catch_rsp]
	mov	[catch_rsp], rsp
	sub	rsp, 8
	mov	rax, rdi
	mov	rdi, rsi
	call	rax
	add	rsp, 8
	xor	eax, eax
	jmp	fault_throw.out
fault_throw:
	mov	rsp, [catch_rsp]
	mov	eax, 1
.out:	pop	qword [catch_rsp]
	pop_callee_saved
	ret

; void user_enter(void *args): to CPL 3 at args[0] with RDI = args[1]; never returns by itself.
USER equ 0x10000000000
global user_enter
user_enter:
	mov	rax, [rdi]
	mov	rcx, USER
	add	rax, rcx
	mov	rsi, user_stack_top
	add	rsi, rcx
	mov	rdi, [rdi + 8]
	push	qword 0x43
	push	rsi
	push	qword 0x2
	push	qword 0x3b
	push	rax
	iretq

section .data
align 16
global gdt
gdt:	dq 0
	dq 0x00af9b000000ffff		; 0x08 64-bit code
	dq 0x00cf93000000ffff		; 0x10 data
gdt_tss:
	dq 0x0000890000000067		; 0x18 TSS, 16 bytes
	dq 0
	dq 0x00cf9b000000ffff		; 0x28 32-bit code
	dq 0x00cf13000000ffff		; 0x30 data, not present
	dq 0x00affb000000ffff		; 0x38 64-bit code, CPL 3
	dq 0x00cff3000000ffff		; 0x40 data, CPL 3
	dq 0x00009b000000ffff		; 0x48 16-bit code
	dq 0x000093000000ffff		; 0x50 16-bit data
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dq gdt
global idt_pointer
idt_pointer:
	dw 4095
	dq idt
global multiboot_magic
global multiboot_info
global gdt_pointer
; Control registers as the loader left them.
global entry_cr0
global entry_cr4
global entry_efer
entry_cr0: dd 0
entry_cr4: dd 0
entry_efer: dd 0
multiboot_magic: dd 0
multiboot_info: dd 0

section .bss
alignb 4096
global pml4
global pds
global window_pt
pml4:	resb 4096
pdpt:	resb 4096
pds:	resb 4 * 4096
window_pdpt: resb 4096
window_pd: resb 4096
window_pt: resb 4096
user_pdpt: resb 4096
user_pd: resb 4096
global idt
idt:	resb 4096
global tss
tss:	resb 104
alignb 16
catch_rsp: resq 1
alignb 16
	resb 4096
ist_top:
	resb 4096
ring0_top:
	resb 4096
user_stack_top:
	resb 32768
stack_top:
