; SPDX-License-Identifier: BSD-2-Clause
; The jump into the core: its tables, its stack, its argument; nothing of the firmware's stays.
; Specs: boot/boot_info.h (machine state at the core's entry).
bits 64
default rel

section .text

; void handoff(rdi = cr3, rsi = stack top, rdx = struct boot_info, rcx = entry)
global handoff
handoff:
	cli
	cld
	mov cr3, rdi
	mov rsp, rsi
	mov rdi, rdx
	xor ebp, ebp
	push rbp		; no return address; the stack as after a call
	jmp rcx

section .note.GNU-stack noalloc noexec nowrite progbits
