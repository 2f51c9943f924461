; SPDX-License-Identifier: BSD-2-Clause
; What a started processor runs first: from real mode to 64-bit code of the core.
; Specs: [SDM3] "Multiple-Processor (MP) Initialization", "Initializing IA-32e Mode".
;
; smp_hw.c copies ap_start..ap_end to a page below 640 KiB and fills in the words after
; ap_code_end there. Everything is addressed relative to the page: CS:0 is its start.
	bits 16

	global ap_start
	global ap_end
	global ap_gdt_base
	global ap_far_offset
	global ap_cr3
	global ap_stack
	global ap_cpu
	global ap_entry

%define AT(label) ((label) - ap_start)

	section .rodata
	align 16
ap_start:
	cli
	cld
	mov ax, cs
	mov ds, ax
	o32 lgdt [AT(ap_gdtr)]
	mov eax, 0x20			; CR4.PAE
	mov cr4, eax
	mov eax, [AT(ap_cr3)]
	mov cr3, eax
	mov ecx, 0xc0000080		; IA32_EFER
	rdmsr
	or eax, 0x900			; LME, NXE
	wrmsr
	mov eax, 0x80010011		; CR0: PG, WP, ET, PE; caches on
	mov cr0, eax
	jmp dword far [AT(ap_far)]

	bits 64
ap_long:
	xor eax, eax
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov rsp, [rel ap_stack]
	mov rdi, [rel ap_cpu]
	xor ebp, ebp
	push rbp
	push rbp
	mov rax, [rel ap_entry]
	call rax
	ud2				; it does not return

	align 8
ap_gdt:
	dq 0
	dq 0x00af9b000000ffff		; 64-bit code
ap_gdt_end:
ap_gdtr:
	dw ap_gdt_end - ap_gdt - 1
ap_gdt_base:
	dd AT(ap_gdt)			; the page's address is added
ap_far:
ap_far_offset:
	dd AT(ap_long)			; the page's address is added
	dw 8
	align 8
ap_cr3:
	dq 0
ap_stack:
	dq 0
ap_cpu:
	dq 0
ap_entry:
	dq 0
ap_end:

	section .note.GNU-stack noalloc noexec nowrite progbits
