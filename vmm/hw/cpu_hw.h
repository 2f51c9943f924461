/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor's instructions as plain functions. cpu_hw.c has the real ones; link-time
 * optimization inlines them. tests/fake/cpu_fake.c has the hosted ones.
 */
#ifndef VMM_HW_CPU_HW_H
#define VMM_HW_CPU_HW_H

#include "vmm/lib/types.h"

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

struct cpuid_regs cpu_cpuid(uint32_t leaf, uint32_t subleaf);

/* No fault handling: only for MSRs known to exist. */
uint64_t cpu_rdmsr(uint32_t msr);
void cpu_wrmsr(uint32_t msr, uint64_t value);
/* Survive #GP: false when the MSR does not exist. */
__must_check bool cpu_rdmsr_safe(uint32_t msr, uint64_t *value);

uint64_t cpu_rdtsc(void);
void cpu_pause(void);
void cpu_cli(void);
/* STI; HLT; CLI: waits for an interrupt, which is handled before this returns. */
void cpu_idle(void);
/* Interrupts on for a moment: those that wait are handled. */
void cpu_take_interrupts(void);
/* For ever, with interrupts off. */
__noreturn void cpu_halt_forever(void);

uint64_t cpu_read_cr0(void);
uint64_t cpu_read_cr2(void);
uint64_t cpu_read_cr3(void);
uint64_t cpu_read_cr4(void);
void cpu_write_cr0(uint64_t v);
void cpu_write_cr2(uint64_t v);
void cpu_write_cr3(uint64_t v);
void cpu_write_cr4(uint64_t v);
uint64_t cpu_read_dr(unsigned n); /* n: 0-3, 6, 7 */
void cpu_write_dr(unsigned n, uint64_t v);

void cpu_xsetbv(uint32_t index, uint64_t v);
/* area: 64-byte aligned; mask: state components. */
void cpu_xsave(void *area, uint64_t mask);
void cpu_xrstor(const void *area, uint64_t mask);
void cpu_fxsave(void *area);
void cpu_fxrstor(const void *area);

uint8_t cpu_in8(uint16_t port);
uint16_t cpu_in16(uint16_t port);
uint32_t cpu_in32(uint16_t port);
void cpu_out8(uint16_t port, uint8_t v);
void cpu_out16(uint16_t port, uint16_t v);

/* Device memory: one access of exactly that width. */
uint32_t mmio_read32(const void *reg);
void mmio_write32(void *reg, uint32_t v);

#endif
