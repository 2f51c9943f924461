; SPDX-License-Identifier: BSD-2-Clause
;
; The way of a vCPU from its start-up vector to C. ap_start..ap_end is copied to a page below
; 1 MiB, whose number is the vector; nothing in the copy depends on where it is.
; Specs: [SDM3] "Typical AP Initialization Sequence", "Switching to IA-32e Mode".
;
; What was found at the start goes to entry_state[id] (smp.h); then ap_main(id) is called. The boot
; vCPU returns from init_wait() instead.

%include "guest-test/lib/modes.inc"

CPUS equ 16				; as in smp.h
STACK_SIZE equ 16384

extern gdt
extern gdt_pointer
extern idt_pointer
extern pml4
extern ap_main

section .text
bits 16
align 16
global ap_start
global ap_end
ap_start:
	cli
	mov	esi, edx			; the signature of the processor
	mov	ebp, cr0
	mov	edi, esp
	mov	ax, cs
	mov	ds, ax
	o32 lgdt [ap_gdt_pointer - ap_start]
	mov	ecx, cr0
	or	ecx, 1
	and	ecx, 0x9fffffff			; caches on
	mov	cr0, ecx
	jmp	dword 0x28:ap_protected
align 4
ap_gdt_pointer:
	dw	0x57
	dd	gdt
ap_end:

bits 32
ap_protected:
	movzx	eax, ax				; CS of the start
	mov	ecx, 0x10
	mov	ds, cx
	mov	es, cx
	mov	ss, cx
	mov	fs, cx
	mov	gs, cx
	mov	esp, eax			; no stack yet: a register like others
	mov	eax, 1
	cpuid
	shr	ebx, 24				; the APIC's id
	mov	eax, ebx
	shl	eax, 5
	add	eax, entry_state
	mov	[eax], esi
	mov	[eax + 4], esp
	mov	[eax + 8], ebp
	mov	[eax + 12], edi
	mov	ecx, cr2
	mov	[eax + 16], ecx
	mov	ecx, cr3
	mov	[eax + 20], ecx
	mov	ecx, cr4
	mov	[eax + 24], ecx
	mov	edi, eax
	mov	ecx, EFER
	rdmsr
	mov	[edi + 28], eax
	mov	edi, ebx
	start_long_mode
	jmp	0x08:ap_long

bits 64
ap_long:
	lgdt	[gdt_pointer]
	lidt	[idt_pointer]
	lock inc dword [starts + rdi * 4]
	test	edi, edi
	jz	.boot
	mov	eax, edi
	inc	eax
	imul	eax, STACK_SIZE
	lea	rsp, [ap_stacks + rax]
	call	ap_main
.halt:	cli
	hlt
	jmp	.halt
.boot:	mov	rsp, [init_wait_rsp]
	pop_callee_saved
	ret

; void init_wait(void (*fn)(void)): run fn with interrupts off; it ends by INIT and SIPI.
global init_wait
init_wait:
	push_callee_saved
	mov	[init_wait_rsp], rsp
	sub	rsp, 8
	call	rdi
.wait:	hlt
	jmp	.wait

section .bss
alignb 16
global starts
global entry_state
global ap_stacks
init_wait_rsp: resq 1
starts:	resd CPUS
alignb 32
entry_state: resb 32 * CPUS
alignb 16
global ap_stacks_end
ap_stacks: resb STACK_SIZE * CPUS
ap_stacks_end:
