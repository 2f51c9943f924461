; SPDX-License-Identifier: BSD-2-Clause
;
; One walk through the processor's modes and back. In each the same probe runs: ports, strings,
; device memory, CPUID, control registers, INT and an interrupt that ends HLT; modes.c looks at
; what it found.
; Specs: [SDM3] "Switching Out of Protected Mode", "Switching to Protected Mode", "Initializing
; IA-32e Mode", "Entering Virtual-8086 Mode".

%include "guest-test/lib/modes.inc"

LOW equ 0x10000				; image.ld
%define L(x) ((x) - LOW)

; A slot of results: struct probe in modes.c.
SLOT_SIZE equ 40
%define SLOT(n) (results + (n) * SLOT_SIZE)
COMPAT equ 0
PROT32 equ 1
PROT16 equ 2
REAL equ 3
V86 equ 4
PSE equ 5
PAE equ 6
MISC equ 7

PCI_ADDRESS equ 0xcf8
PCI_DATA equ 0xcfc
IOAPIC equ 0xfec00000
HOLE equ 0xd0000000

extern gdt_pointer
extern idt_pointer
extern pml4
extern pae_pdpt
extern bad_pdpt
extern pse_pd

; The parts that a probe needs no memory for. %1 = where its slot is, in this mode's addresses.
%macro probe_ports 1
	mov	dx, PCI_ADDRESS
	mov	eax, 0x80000000
	out	dx, eax
	mov	dx, PCI_DATA
	in	eax, dx
	mov	[%1 + 4], eax
	mov	eax, 0x40000000
	cpuid
	mov	[%1 + 16], ebx
	mov	eax, cr0
	mov	[%1 + 20], eax
%endmacro

; The timer's interrupt, 8259 base 20H, ends a HLT.
%macro probe_halt 0
	mov	al, 0x30
	out	0x43, al
	mov	al, 0
	out	0x40, al
	mov	al, 2
	out	0x40, al
	sti
	hlt
	cli
%endmacro

; 32-bit code, flat segments.
%macro probe32 1
	mov	dword [int_count], 0
	mov	dword [irq_count32], 0
	probe_ports SLOT(%1)
	mov	dword [IOAPIC], 1
	mov	eax, [IOAPIC + 0x10]
	mov	[SLOT(%1) + 8], eax
	mov	eax, [HOLE]
	mov	[SLOT(%1) + 12], eax
	mov	dword [HOLE], 0
	mov	edi, SLOT(%1) + 32
	mov	ecx, 2
	mov	dx, PCI_DATA
	cld
	rep insw
%endmacro

%macro probe32_events 1
	int	0x60
	probe_halt
	mov	eax, [int_count]
	mov	[SLOT(%1) + 24], eax
	mov	eax, [irq_count32]
	mov	[SLOT(%1) + 28], eax
	mov	dword [SLOT(%1)], 1
%endmacro

section .text
bits 64
global modes_run
modes_run:
	push_callee_saved
	mov	[saved_rsp], rsp
	mov	rax, cr3
	mov	[saved_cr3], eax
	mov	rax, cr4
	mov	[saved_cr4], eax
	push	qword 0x28
	mov	rax, compat
	push	rax
	retfq

section .low
bits 32
global low_start
low_start:
; --- compatibility mode ---
compat:
	probe32 COMPAT
	mov	dword [SLOT(COMPAT)], 1

; --- paging off: 32-bit protected mode ---
	paging_off
	mov	ecx, EFER
	rdmsr
	mov	[SLOT(MISC) + 4], eax		; LMA went with PG
	change_efer 0, EFER_LME
	change_cr4 0, CR4_PAE
	lgdt	[gdt_low_pointer]
	lidt	[idt32_pointer]
	jmp	0x08:.flat
.flat:	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	fs, ax
	mov	gs, ax
	mov	esp, stack32_top
	probe32 PROT32
	probe32_events PROT32

; --- virtual-8086 mode, in a segment below 1 MiB ---
	mov	eax, tss32
	mov	[gdt_low.tss + 2], ax
	shr	eax, 16
	mov	[gdt_low.tss + 4], al
	mov	[gdt_low.tss + 7], ah
	mov	dword [tss32 + 4], ring0_stack_top
	mov	word [tss32 + 8], 0x10
	mov	word [tss32 + 102], 104		; I/O bitmap: all open
	mov	byte [gdt_low.tss + 5], 0x89
	mov	ax, 0x28
	ltr	ax
	mov	[v86_esp], esp
	push	dword 0				; GS, FS
	push	dword 0
	push	dword 0xa000			; DS
	push	dword LOW >> 4			; ES
	push	dword LOW >> 4			; SS
	push	dword L(stack16_top)
	push	dword 0x23002			; VM, IOPL 3
	push	dword LOW >> 4
	push	dword L(v86)
	iretd
v86_back:				; from INT 61H, at CPL 0
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	fs, ax
	mov	gs, ax
	mov	esp, [v86_esp]

; --- 16-bit protected mode ---
	jmp	0x18:L(prot16)

bits 16
v86:
	mov	dx, PCI_ADDRESS
	mov	eax, 0x80000000
	out	dx, eax
	mov	dx, PCI_DATA
	in	eax, dx
	mov	[es:L(SLOT(V86)) + 4], eax
	mov	eax, 0x40000000
	cpuid
	mov	[es:L(SLOT(V86)) + 16], ebx
	mov	eax, [0]			; the hole at A0000H
	mov	[es:L(SLOT(V86)) + 12], eax
	mov	word [2], 0
	mov	di, L(SLOT(V86)) + 32
	mov	cx, 2
	mov	dx, PCI_DATA
	cld
	rep insw
	smsw	ax
	mov	[es:L(SLOT(V86)) + 20], ax
	mov	dword [es:L(SLOT(V86))], 1
	int	0x61
	jmp	$

; DS, ES: where 'low' begins; ES stays usable for strings.
%macro probe16 1
	mov	dword [L(int_count)], 0
	mov	dword [L(irq_count32)], 0
	probe_ports L(SLOT(%1))
	mov	di, L(SLOT(%1)) + 32
	mov	cx, 2
	mov	dx, PCI_DATA
	cld
	rep insw
%endmacro

%macro probe16_events 1
	int	0x60
	probe_halt
	mov	eax, [L(int_count)]
	mov	[L(SLOT(%1)) + 24], eax
	mov	eax, [L(irq_count32)]
	mov	[L(SLOT(%1)) + 28], eax
	mov	dword [L(SLOT(%1))], 1
%endmacro

prot16:
	mov	ax, 0x20
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, L(stack16_top)
	mov	ax, 0x30			; the IOAPIC's page
	mov	gs, ax
	mov	ax, 0x10			; flat: its limit stays in real mode
	mov	fs, ax
	probe16 PROT16
	mov	dword [gs:0], 1
	mov	eax, [gs:0x10]
	mov	[L(SLOT(PROT16)) + 8], eax
	mov	eax, [fs:dword HOLE]
	mov	[L(SLOT(PROT16)) + 12], eax
	probe16_events PROT16

; --- real mode ---
	mov	eax, cr0
	and	al, 0xfe
	mov	cr0, eax
	jmp	(LOW >> 4):L(real)
real:
	mov	ax, LOW >> 4
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, L(stack16_top)
	lidt	[L(ivt_pointer)]
	xor	ax, ax
	mov	gs, ax
	mov	word [gs:0x60 * 4], L(real_int)
	mov	word [gs:0x60 * 4 + 2], LOW >> 4
	mov	word [gs:0x20 * 4], L(real_irq)
	mov	word [gs:0x20 * 4 + 2], LOW >> 4
	mov	word [gs:0 * 4], L(real_divide)
	mov	word [gs:0 * 4 + 2], LOW >> 4
	mov	word [gs:13 * 4], L(real_gp)
	mov	word [gs:13 * 4 + 2], LOW >> 4
	probe16 REAL
	; Device memory beyond 1 MiB through the limit that stayed, and the VGA hole.
	mov	dword [fs:dword IOAPIC], 1
	mov	eax, [fs:dword IOAPIC + 0x10]
	mov	[L(SLOT(REAL)) + 8], eax
	mov	ax, 0xa000
	mov	gs, ax
	mov	eax, [gs:0]
	mov	[L(SLOT(REAL)) + 12], eax
	add	word [gs:4], 1
	probe16_events REAL
	; #DE and a segment's end: no error code is pushed.
	mov	[L(SLOT(MISC)) + 20], sp
	xor	cx, cx
	xor	dx, dx
	mov	ax, 1
	div	cx
	mov	bx, 0xffff
	mov	ax, [bx]
	mov	[L(SLOT(MISC)) + 22], sp
	; LMSW sets PE, and a prefetch later there is no way back by it.
	smsw	ax
	mov	[L(SLOT(MISC)) + 24], ax

; --- protected mode again, then 32-bit paging with 4 MiB pages ---
	lidt	[L(idt32_pointer)]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	dword 0x08:back32
bits 32
back32:
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	fs, ax
	mov	gs, ax
	mov	esp, stack32_top
	change_cr4 CR4_PSE, 0
	paging_on pse_pd
	probe32 PSE
	probe32_events PSE
	; 40000000H: a 4 KiB page; 50000000H: none.
	mov	eax, [0x40000010]
	mov	[SLOT(MISC) + 8], eax
	mov	dword [resume32], .faulted
	mov	eax, [0x50000123]
.faulted:
	mov	eax, [fault_vector]
	mov	[SLOT(MISC) + 12], eax
	mov	eax, cr2
	mov	[SLOT(MISC) + 16], eax

; --- PAE paging ---
	paging_off
	change_cr4 CR4_PAE, 0
	paging_on pae_pdpt
	probe32 PAE
	probe32_events PAE
	; A reserved bit in an entry: refused when CR3 is loaded.
	mov	dword [fault_vector], 0
	mov	dword [resume32], .refused
	mov	eax, bad_pdpt
	mov	cr3, eax
.refused:
	mov	eax, [fault_vector]
	mov	[SLOT(MISC) + 28], eax
	mov	eax, cr3
	mov	[SLOT(MISC) + 32], eax

; --- and long mode ---
	paging_off
	mov	eax, [saved_cr4]
	mov	cr4, eax
	change_efer EFER_LME, 0
	paging_on [saved_cr3]
	lgdt	[gdt_pointer]
	jmp	0x08:.long
bits 64
.long:	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	xor	eax, eax
	mov	fs, ax
	mov	gs, ax
	lidt	[idt_pointer]
	mov	rsp, [saved_rsp]
	mov	rax, gdt_pointer
	mov	rax, [rax + 2]
	mov	byte [rax + 0x18 + 5], 0x89	; the TSS is not busy: TR is loaded again
	mov	ax, 0x18
	ltr	ax
	pop_callee_saved
	ret

; --- handlers ---
bits 32
int60:	push	eax
	push	ds
	mov	ax, 0x10
	mov	ds, ax
	inc	dword [int_count]
	pop	ds
	pop	eax
	iretd
irq20:	push	eax
	push	ds
	mov	ax, 0x10
	mov	ds, ax
	inc	dword [irq_count32]
	mov	al, 0x20
	out	0x20, al
	pop	ds
	pop	eax
	iretd
gp32:	mov	dword [fault_vector], 13
	jmp	fault32
pf32:	mov	dword [fault_vector], 14
fault32:
	add	esp, 4				; the error code
	push	eax
	mov	eax, [resume32]
	mov	[esp + 4], eax
	pop	eax
	iretd
lost32:	hlt
	jmp	lost32
bits 16
real_int:
	inc	dword [cs:L(int_count)]
	iret
real_irq:
	push	ax
	inc	dword [cs:L(irq_count32)]
	mov	al, 0x20
	out	0x20, al
	pop	ax
	iret
real_divide:				; a fault: past the two bytes of DIV
	push	bp
	mov	bp, sp
	add	word [bp + 2], 2
	inc	word [cs:L(SLOT(MISC)) + 0]
	pop	bp
	iret
real_gp:				; past MOV AX, [BX]
	push	bp
	mov	bp, sp
	add	word [bp + 2], 2
	add	word [cs:L(SLOT(MISC)) + 0], 0x100
	pop	bp
	iret

align 16
gdt_low:
	dq 0
	dq 0x00cf9b000000ffff		; 08 32-bit code
	dq 0x00cf93000000ffff		; 10 data
	dq 0x00009b010000ffff		; 18 16-bit code at LOW
	dq 0x000093010000ffff		; 20 16-bit data at LOW
.tss:	dq 0x0000890000000400		; 28 TSS
	dq 0xfe0093c000000fff		; 30 the IOAPIC's page
gdt_low_end:
gdt_low_pointer:
	dw gdt_low_end - gdt_low - 1
	dd gdt_low
idt32_pointer:
	dw 256 * 8 - 1
	dd idt32
ivt_pointer:
	dw 0x3ff
	dd 0

; Gates, set up by modes_prepare(): two words in the middle need no linker.
global idt32_handlers
idt32_handlers:
	dd lost32, int60, irq20, gp32, pf32, v86_back

align 8
global results
results: times 10 * SLOT_SIZE db 0
int_count: dd 0
irq_count32: dd 0
fault_vector: dd 0
resume32: dd 0
v86_esp: dd 0
saved_rsp: dq 0
saved_cr3: dd 0
saved_cr4: dd 0
align 16
times 1024 db 0
stack16_top:
times 1024 db 0
stack32_top:
times 1024 db 0
ring0_stack_top:
tss32: times 0x401 db 0

section .bss
alignb 8
global idt32
idt32: resb 256 * 8
