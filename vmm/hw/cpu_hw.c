// SPDX-License-Identifier: BSD-2-Clause
// The processor's instructions as plain functions.
// Specs: [SDM2] the instruction of each function.
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/bug.h"

/*
 * A pair of addresses for trap_dispatch(): an instruction that may fault, and where to go
 * on when it did. vmm/core.ld collects them.
 */
#define EXTABLE(insn, fixup) \
	".pushsection .extable, \"a\", @progbits\n\t" \
	".quad " insn ", " fixup "\n\t" \
	".popsection"

struct cpuid_regs cpu_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
	             : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
	             : "a"(leaf), "c"(subleaf));
	return r;
}

uint64_t cpu_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

void cpu_wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
	             :
	             : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
	             : "memory");
}

bool cpu_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t lo, hi;

	asm goto("1: rdmsr\n\t" EXTABLE("1b", "%l[refused]")
	         : "=a"(lo), "=d"(hi)
	         : "c"(msr)
	         : "memory"
	         : refused);
	*value = (uint64_t)hi << 32 | lo;
	return true;
refused:
	return false;
}

uint64_t cpu_rdtsc(void)
{
	uint64_t lo, hi; /* RDTSC clears the upper halves: nothing to extend */

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return hi << 32 | lo;
}

void cpu_pause(void)
{
	asm volatile("pause" ::: "memory");
}

void cpu_cli(void)
{
	asm volatile("cli" ::: "memory");
}

void cpu_idle(void)
{
	/* STI holds interrupts back for one instruction: none slips in before HLT. */
	asm volatile("sti; hlt; cli" ::: "memory");
}

void cpu_take_interrupts(void)
{
	asm volatile("sti; nop; cli" ::: "memory");
}

__noreturn void cpu_halt_forever(void)
{
	for (;;) {
		asm volatile("cli; hlt" ::: "memory");
	}
}

#define READ_REG(name, reg) \
	uint64_t name(void) \
	{ \
		uint64_t v; \
		asm volatile("mov %%" reg ", %0" : "=r"(v)::"memory"); \
		return v; \
	}
#define WRITE_REG(name, reg) \
	void name(uint64_t v) \
	{ \
		asm volatile("mov %0, %%" reg ::"r"(v) : "memory"); \
	}

READ_REG(cpu_read_cr0, "cr0")
READ_REG(cpu_read_cr2, "cr2")
READ_REG(cpu_read_cr3, "cr3")
READ_REG(cpu_read_cr4, "cr4")
WRITE_REG(cpu_write_cr0, "cr0")
WRITE_REG(cpu_write_cr2, "cr2")
WRITE_REG(cpu_write_cr3, "cr3")
WRITE_REG(cpu_write_cr4, "cr4")

#define READ_DR(n) asm volatile("mov %%dr" #n ", %0" : "=r"(v))
#define WRITE_DR(n) asm volatile("mov %0, %%dr" #n ::"r"(v))

uint64_t cpu_read_dr(unsigned n)
{
	uint64_t v = 0;

	switch (n) {
	case 0:
		READ_DR(0);
		break;
	case 1:
		READ_DR(1);
		break;
	case 2:
		READ_DR(2);
		break;
	case 3:
		READ_DR(3);
		break;
	case 6:
		READ_DR(6);
		break;
	case 7:
		READ_DR(7);
		break;
	default:
		BUG("no such debug register");
	}
	return v;
}

void cpu_write_dr(unsigned n, uint64_t v)
{
	switch (n) {
	case 0:
		WRITE_DR(0);
		break;
	case 1:
		WRITE_DR(1);
		break;
	case 2:
		WRITE_DR(2);
		break;
	case 3:
		WRITE_DR(3);
		break;
	case 6:
		WRITE_DR(6);
		break;
	case 7:
		WRITE_DR(7);
		break;
	default:
		BUG("no such debug register");
	}
}

void cpu_xsetbv(uint32_t index, uint64_t v)
{
	asm volatile("xsetbv" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

void cpu_xsave(void *area, uint64_t mask)
{
	asm volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
	             : "memory");
}

void cpu_xrstor(const void *area, uint64_t mask)
{
	asm volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
	             : "memory");
}

void cpu_fxsave(void *area)
{
	asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void cpu_fxrstor(const void *area)
{
	asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

uint8_t cpu_in8(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

uint16_t cpu_in16(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

uint32_t cpu_in32(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

void cpu_out8(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

void cpu_out16(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

uint32_t mmio_read32(const void *reg)
{
	return *(const volatile uint32_t *)reg;
}

void mmio_write32(void *reg, uint32_t v)
{
	*(volatile uint32_t *)reg = v;
}
