// SPDX-License-Identifier: BSD-2-Clause
// CPUID and MSRs of the hosted tests: what a test planted, else zero.
#include "tests/fake/fake.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include <string.h>

static struct {
	uint32_t leaf, subleaf;
	struct cpuid_regs regs;
} cpuids[256];
static unsigned n_cpuids;

static struct {
	uint32_t msr;
	uint64_t value;
} msrs[256];
static unsigned n_msrs;

void fake_cpuid_clear(void)
{
	n_cpuids = 0;
}

void fake_cpuid_set(
        uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	unsigned i;

	for (i = 0; i < n_cpuids; i++) {
		if (cpuids[i].leaf == leaf && cpuids[i].subleaf == subleaf) {
			break;
		}
	}
	if (i == n_cpuids) {
		n_cpuids++;
	}
	cpuids[i].leaf = leaf;
	cpuids[i].subleaf = subleaf;
	cpuids[i].regs = (struct cpuid_regs){eax, ebx, ecx, edx};
}

struct cpuid_regs cpu_cpuid(uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < n_cpuids; i++) {
		if (cpuids[i].leaf == leaf && cpuids[i].subleaf == subleaf) {
			return cpuids[i].regs;
		}
	}
	return (struct cpuid_regs){0, 0, 0, 0};
}

void fake_msr_set(uint32_t msr, uint64_t value)
{
	unsigned i;

	for (i = 0; i < n_msrs && msrs[i].msr != msr; i++) {
	}
	if (i == n_msrs) {
		n_msrs++;
	}
	msrs[i].msr = msr;
	msrs[i].value = value;
}

void fake_msr_clear(void)
{
	n_msrs = 0;
}

bool cpu_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	for (unsigned i = 0; i < n_msrs; i++) {
		if (msrs[i].msr == msr) {
			*value = msrs[i].value;
			return true;
		}
	}
	return false;
}

uint64_t cpu_rdmsr(uint32_t msr)
{
	uint64_t v = 0;

	return cpu_rdmsr_safe(msr, &v) ? v : 0;
}

void cpu_wrmsr(uint32_t msr, uint64_t value)
{
	fake_msr_set(msr, value);
}

uint64_t cpu_rdtsc(void)
{
	return clock_tsc();
}

void cpu_pause(void)
{
}

uint64_t fake_dr[8];
uint64_t fake_cr2, fake_xcr0;

uint64_t cpu_read_dr(unsigned n)
{
	return fake_dr[n];
}

void cpu_write_dr(unsigned n, uint64_t v)
{
	fake_dr[n] = v;
}

uint64_t cpu_read_cr2(void)
{
	return fake_cr2;
}

void cpu_write_cr2(uint64_t v)
{
	fake_cr2 = v;
}

void cpu_xsetbv(uint32_t index, uint64_t v)
{
	if (index == 0) {
		fake_xcr0 = v;
	}
}
