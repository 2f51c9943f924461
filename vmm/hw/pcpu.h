/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A physical processor: its identity, stacks, and what runs on it now.
 * pcpu_this() finds the executing one through GS.
 */
#ifndef VMM_HW_PCPU_H
#define VMM_HW_PCPU_H

#include "boot/boot_info.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/types.h"

struct vcpu;

struct pcpu {
	struct pcpu *self;   /* (c) first member: read through GS:0 */
	uint32_t index;      /* (c) 0 = boot processor */
	uint32_t apic_id;    /* (c) physical */
	uint64_t stack_top;  /* (c) */
	uint64_t tss_base;   /* (c) linear address of this CPU's TSS: VMCS host state */
	uint64_t gdt_base;   /* (c) */
	uint64_t idt_base;   /* (c) */
	uint64_t vmxon_hpa;  /* (c) back end's per-CPU page */
	struct vcpu *loaded; /* own CPU only: whose registers (FPU, MSRs, VMCS) are in this CPU */
	uint32_t online;     /* [a] */
	uint64_t timer_tsc; /* own CPU only: what the APIC timer is set to; 0 = has fired, not known
	                     */
	uint32_t nmi_seen;  /* [a] host NMIs taken, for the log */
};

extern struct pcpu pcpus[MAX_CPUS];

struct pcpu *pcpu_this(void);
unsigned pcpu_count(void);
void pcpu_set_count(unsigned n); /* start-up only */

/* Selectors of every CPU's GDT: VMCS host state. Data is for SS only; DS to GS hold null. */
#define HOST_CS 0x08
#define HOST_SS 0x10
#define HOST_TR 0x18

/* --- start-up, in this order, from vmm/main.c --- */

/* GDT, TSS with stacks for #DF, NMI and #MC, IDT, GS for the calling CPU. */
void trap_init_cpu(struct pcpu *cpu);

/*
 * Start the other processors of boot_info (INIT-SIPI-SIPI); each gets its tables and calls
 * entry(cpu), which does not return. Returns how many came up; one that does not answer
 * within 100 ms is logged and left out.
 */
unsigned smp_start(const struct boot_info *bi, void (*entry)(struct pcpu *cpu));

/* Interrupt vectors the core uses; everything else is spurious. */
#define HOST_VECTOR_TIMER 0xf0
#define HOST_VECTOR_KICK 0xf1
#define HOST_VECTOR_SERIAL 0xf2
#define HOST_VECTOR_SPURIOUS 0xff

/*
 * Handle host interrupt 'vector' and end it at the local APIC. Called with IF=0 from the
 * IDT stub (idle CPU) and from the VM-exit path (interrupt acknowledged on exit).
 */
void host_interrupt(uint8_t vector);

/* For the VM-exit path after an NMI took the guest out: run the NMI handler, whose IRET also
 * ends the blocking of further ones. */
void host_nmi(void);

#endif
