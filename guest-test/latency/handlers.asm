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

section .bss
global irq_seen
alignb 4
irq_seen: resd 1
