// SPDX-License-Identifier: BSD-2-Clause
// Instructions that a hypervisor carries out: CPUID, MSRs, control registers, faults.
// Specs: [SDM3] "Instructions That Cause VM Exits Unconditionally", "...Conditionally".
#include "guest-test/latency/bench.h"

#define MSR_TSC_ADJUST 0x3bU
#define MSR_MISC_ENABLE 0x1a0U
#define MSR_NONE 0x12345678U
#define CR0_WP (1ULL << 16)
#define CR4_PGE (1ULL << 7)
#define CR4_OSXSAVE (1ULL << 18)
#define DR7_NONE 0x400U

static uint64_t saved;

SAMPLE(cpuid, cpuid(0, 0))
SAMPLE(cpuid1, cpuid(1, 0))
SAMPLE(cpuid11, cpuid(0xb, 0))
SAMPLE(rdmsr, rdmsr(MSR_MISC_ENABLE))
SAMPLE(wrmsr_tsc_adjust, wrmsr(MSR_TSC_ADJUST, saved))
SAMPLE(rdmsr_unknown, rdmsr(MSR_NONE))
SAMPLE(cr0_wp, write_cr0(saved ^ CR0_WP); write_cr0(saved))
SAMPLE(cr3, write_cr3(saved))
SAMPLE(cr4_pge, write_cr4(saved ^ CR4_PGE); write_cr4(saved))
SAMPLE(cr8, write_cr8(read_cr8()))
SAMPLE(dr7_read, read_dr7())
SAMPLE(dr7_write, write_dr7(DR7_NONE))
SAMPLE(xsetbv, xsetbv(0, saved))

static uint32_t sample_vmcall(void)
{
	uint32_t start = ticks();
	/* KVM answers in RAX (unknown number), Candela with #UD. */
	uint64_t rax = 0x7fffffff;

	__asm__ volatile("vmcall" : "+a"(rax) : : "memory");
	return ticks() - start;
}

static const char *setup_rdmsr(void)
{
	return rdmsr_fault(MSR_MISC_ENABLE) == NO_FAULT ? NULL : "no IA32_MISC_ENABLE";
}

static const char *setup_tsc_adjust(void)
{
	if (rdmsr_fault(MSR_TSC_ADJUST) != NO_FAULT) {
		return "no IA32_TSC_ADJUST";
	}
	saved = rdmsr(MSR_TSC_ADJUST);
	return NULL;
}

static const char *setup_gp(void)
{
	set_gate(X_GP, fault_skip2);
	return NULL;
}

static void teardown_gp(void)
{
	restore_gate(X_GP);
}

static const char *setup_ud(void)
{
	set_gate(X_UD, fault_skip3);
	return NULL;
}

static void teardown_ud(void)
{
	restore_gate(X_UD);
}

static const char *setup_cr0(void)
{
	saved = read_cr0();
	return NULL;
}

static const char *setup_cr3(void)
{
	saved = read_cr3();
	return NULL;
}

static const char *setup_cr4(void)
{
	saved = read_cr4();
	return NULL;
}

static const char *setup_cpuid11(void)
{
	return cpuid(0, 0).a >= 0xb ? NULL : "no CPUID leaf 0xB";
}

static const char *setup_xsetbv(void)
{
	if (!(cpuid(1, 0).c & 1U << 26)) {
		return "no XSAVE";
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	saved = xgetbv(0);
	return NULL;
}

static void teardown_xsetbv(void)
{
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

static const struct bench rows[] = {
        {"cpuid", NULL, sample_cpuid, NULL},
        {"cpuid-leaf-1", NULL, sample_cpuid1, NULL},
        {"cpuid-leaf-11", setup_cpuid11, sample_cpuid11, NULL},
        {"rdmsr-misc-enable", setup_rdmsr, sample_rdmsr, NULL},
        {"wrmsr-tsc-adjust", setup_tsc_adjust, sample_wrmsr_tsc_adjust, NULL},
        {"rdmsr-unknown-gp", setup_gp, sample_rdmsr_unknown, teardown_gp},
        {"vmcall", setup_ud, sample_vmcall, teardown_ud},
        {"cr0-wp-toggle", setup_cr0, sample_cr0_wp, NULL},
        {"cr3-write", setup_cr3, sample_cr3, NULL},
        {"cr4-pge-toggle", setup_cr4, sample_cr4_pge, NULL},
        {"cr8-read-write", NULL, sample_cr8, NULL},
        {"dr7-read", NULL, sample_dr7_read, NULL},
        {"dr7-write", NULL, sample_dr7_write, NULL},
        {"xsetbv", setup_xsetbv, sample_xsetbv, teardown_xsetbv},
};
const struct bench_table exits_table = BENCH_TABLE(rows);
