; SPDX-License-Identifier: BSD-2-Clause
;
; Handlers as short as they can be: what is measured is the way to them.

bits 64
section .text

global fault_skip2
fault_skip2:
	add	rsp, 8
	add	qword [rsp], 2
	iretq

global fault_skip3
fault_skip3:
	add	qword [rsp], 3
	iretq

global irq_xapic
irq_xapic:
	push	rdi
	inc	dword [irq_seen]
	mov	edi, 0xfee000b0
	mov	dword [rdi], 0
	pop	rdi
	iretq

global irq_x2apic
irq_x2apic:
	push	rax
	push	rcx
	push	rdx
	inc	dword [irq_seen]
	mov	ecx, 0x80b
	xor	eax, eax
	xor	edx, edx
	wrmsr
	pop	rdx
	pop	rcx
	pop	rax
	iretq

MESSAGE_PAGE equ 0x404000		; as in guest-test/hyperv/hyperv.h
EVENT_PAGE equ 0x405000
HANDLED_SINT equ 4			; as in hv.c
SLOT equ MESSAGE_PAGE + HANDLED_SINT * 256
FLAGS equ EVENT_PAGE + HANDLED_SINT * 256
PENDING equ 1
MSR_EOM equ 0x40000084

; What a driver does: the event flags, then the message, then what waits behind it.
global irq_synic
irq_synic:
	push	rax
	push	rcx
	push	rdx
	inc	dword [irq_seen]
	xor	eax, eax
	xor	edx, edx
	cmp	[FLAGS], rax
	je	.message
	lock and [FLAGS], rax
.message:
	cmp	[SLOT], eax
	je	.end
	xchg	[SLOT], eax
	xor	eax, eax
	test	byte [SLOT + 5], PENDING
	jz	.end
	mov	ecx, MSR_EOM
	wrmsr
.end:	mov	ecx, 0x80b
	wrmsr
	pop	rdx
	pop	rcx
	pop	rax
	iretq

section .bss
global irq_seen
alignb 4
irq_seen: resd 1
