; SPDX-License-Identifier: BSD-2-Clause
;
; Interrupt handlers of the second vCPU's rows: note the time, then do the least.
; x2APIC mode on both vCPUs.

STAMP_VECTOR equ 0x51
REPLY_VECTOR equ 0x50			; irq_x2apic of the boot vCPU

bits 64
section .text

%macro eoi 0
	mov	ecx, 0x80b
	xor	eax, eax
	xor	edx, edx
	wrmsr
%endmacro

; Note when it arrived.
global irq_stamp
irq_stamp:
	push	rax
	push	rcx
	push	rdx
	rdtsc
	mov	[stamp], eax
	eoi
	pop	rdx
	pop	rcx
	pop	rax
	iretq

; Answer with an interrupt to vCPU 0.
global irq_reply
irq_reply:
	push	rax
	push	rcx
	push	rdx
	eoi
	mov	ecx, 0x830
	mov	eax, 0x4000 | REPLY_VECTOR
	xor	edx, edx
	wrmsr
	pop	rdx
	pop	rcx
	pop	rax
	iretq

section .bss
alignb 4
global stamp
stamp: resd 1
