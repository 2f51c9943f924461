/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside vmm/hw: stacks for the traps that must not use the interrupted one, and parking. */
#ifndef VMM_HW_TRAP_HW_H
#define VMM_HW_TRAP_HW_H

#include "vmm/hw/pcpu.h"
#include "vmm/lib/types.h"

/* Interrupt-stack-table slots. */
enum trap_stack { TRAP_STACK_DF, TRAP_STACK_NMI, TRAP_STACK_MC, TRAP_STACK_COUNT };
#define TRAP_STACK_PAGES 4U

/* Tops for a CPU other than the boot processor, before its trap_init_cpu(). */
void trap_set_stacks(const struct pcpu *cpu, void *const tops[TRAP_STACK_COUNT]);

/* From now on a CPU that takes an NMI never comes back; sends no NMI. */
void trap_park_on_nmi(void);

#endif
