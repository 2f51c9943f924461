/* SPDX-License-Identifier: BSD-2-Clause */
/* The few processor instructions the loader needs. */
#ifndef BOOT_LOADER_HW_H
#define BOOT_LOADER_HW_H

#include "vmm/lib/types.h"

struct hw_cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

struct hw_cpuid_regs hw_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t hw_rdmsr(uint32_t msr);
uint64_t hw_rdtsc(void);
uint64_t hw_read_cr4(void);
uint8_t hw_in8(uint16_t port);
void hw_out8(uint16_t port, uint8_t v);

/* handoff.asm: switch tables and stack, RDI = info, jump to the core. Interrupts go off. */
__noreturn void handoff(uint64_t cr3, uint64_t stack_top, uint64_t info, uint64_t entry);

#endif
