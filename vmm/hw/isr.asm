; SPDX-License-Identifier: BSD-2-Clause
; One stub for each of the 256 vectors; all save a struct trap_frame and call trap_dispatch().
; Specs: [SDM3] "64-Bit Mode Stack Frame", "Error Code".
	bits 64
	default rel

	global isr_stubs
	global isr_common:function (isr_common.end - isr_common)
	extern trap_dispatch

	section .text

isr_common:
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
	; A frame record, so that a backtrace goes on at the interrupted code. The processor
	; aligned the stack to 16 bytes before its five words; 17 of ours and these two
	; make 24, so the call finds it aligned.
	push qword [rsp + 17 * 8]	; RIP
	push rbp
	mov rbp, rsp
	call trap_dispatch
	add rsp, 16
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16		; vector, error
	iretq
.end:

; Vectors for which the processor pushes an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX.
%define HAS_ERROR(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

%assign v 0
%rep 256
isr_ %+ v:
	%if !HAS_ERROR(v)
	push qword 0
	%endif
	push qword v
	jmp isr_common
	%assign v v + 1
%endrep

	section .rodata
	align 8
isr_stubs:
%assign v 0
%rep 256
	dq isr_ %+ v
	%assign v v + 1
%endrep

	section .note.GNU-stack noalloc noexec nowrite progbits
