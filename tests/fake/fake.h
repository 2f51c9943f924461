/* SPDX-License-Identifier: BSD-2-Clause */
/* The hosted world: every link-time primitive that pure code calls, under a test's control. */
#ifndef TESTS_FAKE_FAKE_H
#define TESTS_FAKE_FAKE_H

#include "vmm/cpu_virt.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* --- clock_fake.c: stands still until told; TSC runs at 1 GHz, so ticks are nanoseconds. --- */
void fake_clock_set(uint64_t ns);
/* Moves on and runs the timers that come due on every CPU, in order, each at its own time. */
void fake_clock_advance(uint64_t ns);
extern unsigned fake_kicks; /* calls of pcpu_kick() */

/* --- log_fake.c --- */
void fake_log_clear(void);
const char *fake_log_text(void);             /* everything logged since */
unsigned fake_log_count(const char *needle); /* lines that contain needle */

/* --- cpu_fake.c: CPUID answers that a test plants, MSRs as a small map, no ports. --- */
void fake_cpuid_set(
        uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx);
void fake_cpuid_clear(void);
void fake_msr_set(uint32_t msr, uint64_t value);
void fake_msr_clear(void);
extern uint64_t fake_dr[8], fake_cr2, fake_xcr0; /* the loaded vCPU's, as the CPU holds them */

/*
 * --- virt_fake.c: a back end that keeps registers in arrays and records what it was told. ---
 * fake_vm(): a VM with RAM of mem_size bytes (guard pages around it; above GMEM_LOW_MAX it
 * continues at 4 GiB), n_vcpus vCPUs in INIT state with initialised local APICs, empty buses. The
 * whole world is one static object, made new at each call.
 */
struct fake_vcpu {
	uint64_t regs[REG_COUNT];
	struct segment segs[SEG_COUNT];
	struct desc_table tables[2];
	uint64_t pdptes[4];
	bool intr_shadow, nmi_blocked;
	uint64_t pending_debug; /* breakpoint traps, as DR6 bits */
	struct event injected;  /* EVENT_NONE = nothing since the last fake_clear */
	unsigned injections, flushes, skipped_len;
	bool window_intr, window_nmi;
	int irr, isr;
	uint64_t eoi_exits[4];
	unsigned tpr_threshold;
	uint64_t apic_base;
	uint64_t tsc_offset; /* as last told to the back end */
};

struct vm *fake_vm(uint64_t mem_size, unsigned n_vcpus);
struct fake_vcpu *fake_vcpu(struct vcpu *vcpu);
struct virt_caps *fake_caps(void);   /* change before fake_vm(): what the back end grants */
extern unsigned fake_sched_wakes;    /* calls of sched_wake() */
extern bool fake_contended;          /* what sched_contended() says */
extern unsigned fake_nested_flushes; /* calls of flush_nested() */
/* Long mode, flat segments, paging off-limits to nobody: CPL 0 with an identity page table in guest
 * memory at 'tables' (3 pages, first 1 GiB as 2 MiB pages). */
void fake_long_mode(struct vcpu *vcpu, uint64_t tables);

/* What the last map or unmap of that address said; 0 = unmapped, or never mentioned. */
enum map_prot fake_mapping(uint64_t at, uint64_t *to, uint64_t *len);
extern int fake_map_error; /* what map and unmap return instead of doing something */

/* --- vm_fake.c: vm_request() leaves its mark here. --- */
extern uint32_t fake_vm_requests; /* bits of enum vm_request */
extern const char *fake_vm_reason;
extern uint32_t fake_vm_debug_exit; /* value of the last vm_debug_exit() */

#endif
