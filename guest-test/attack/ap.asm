; SPDX-License-Identifier: BSD-2-Clause
;
; Other vCPUs: from SIPI to long mode, on the boot vCPU's tables. Each takes a number by its local
; APIC id and calls what ap.c says.
; Specs: [SDM3] "Switching to IA-32e Mode", "MP Initialization".

%include "guest-test/lib/modes.inc"

extern gdt
extern pml4
extern idt_pointer
extern ap_entry

section .low
bits 16
align 4096
global ap_trampoline
ap_trampoline:
	cli
	o32 lgdt [cs:.gdt - ap_trampoline]
	mov	eax, cr0
	and	eax, 0x9fffffff
	or	al, 1
	mov	cr0, eax
	jmp	dword 0x28:.prot
.gdt:	dw 0x57
	dd gdt
bits 32
.prot:	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	start_long_mode
	jmp	0x08:.long
bits 64
.long:	xor	eax, eax
	mov	fs, ax
	mov	gs, ax
	mov	eax, 1
	cpuid
	shr	ebx, 24
	and	ebx, 15
	mov	eax, ebx
	inc	eax
	shl	eax, 13
	mov	rsp, ap_stacks
	add	rsp, rax
	lidt	[idt_pointer]
	mov	edi, ebx
	mov	rax, ap_entry
	call	rax
.halt:	cli
	hlt
	jmp	.halt

section .bss
alignb 16
ap_stacks: resb 16 * 8192
