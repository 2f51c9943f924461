/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmx_fake.c: VT-x without a processor. VMCS fields are an array by encoding, the instructions
 * count, and an entry plays the next exit of a script.
 */
#ifndef TESTS_FAKE_VMX_FAKE_H
#define TESTS_FAKE_VMX_FAKE_H

#include "tests/fake/fake.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define FAKE_ARENA_BASE 0x1000000ULL
#define FAKE_ARENA_SIZE 0x400000ULL
extern uint64_t fake_arena_size; /* FAKE_ARENA_SIZE, unless a test wants more */

/* One VMCS for everybody: the fields, and how often each was written since fake_vmcs_forget(). */
extern uint64_t fake_vmcs[0x8000];
unsigned fake_vmcs_writes(enum vmcs_field field);
unsigned fake_vmcs_all_writes(void);
unsigned fake_vmcs_reads(enum vmcs_field field);
void fake_vmcs_forget(void); /* the counts, not the fields */
/* The processor has no such field: only vmcs_try_read() survives. */
void fake_vmcs_absent(enum vmcs_field field);

struct fake_vmx {
	unsigned ons, offs, clears, loads, invepts, invvpids, entries, resumes;
	bool fail_on, fail_clear;
	enum invalidate_type last_type;
	uint64_t last_eptp, loaded_vmcs;
	uint16_t last_vpid;
	uint32_t last_inject; /* ENTRY_INTR_INFO at the last entry */
};
extern struct fake_vmx fake_vmx;

/* What happens at an entry. */
struct fake_exit {
	uint32_t reason;
	int fail; /* what vmx_enter() returns */
	uint64_t qual, gpa, linear;
	uint32_t len, info, intr_info, intr_error, vectoring, vectoring_error;
	uint64_t guest_ns;                /* host time that passes in the guest */
	void (*guest)(struct vcpu *vcpu); /* what the guest does meanwhile */
};
/* Entries beyond the script run until the preemption timer ends. */
void fake_vmx_script(const struct fake_exit *exits, unsigned n);

/* Capability MSRs of a processor that has everything, with true controls. */
void fake_vmx_msrs(void);
/* The host less 'off' (BIT(enum vmx_option)): MSRs, page allocator over the arena,
 * vmx_ops.host_init. */
void fake_vmx_host(uint32_t off);
/* fake_vm() on VT-x: fake_vmx_host(off), then the back end's part of VM and vCPUs; vCPU 0 loaded
 * and reset. cpu_virt is vmx_ops from here on. */
struct vm *fake_vmx_vm(uint64_t mem_size, unsigned n_vcpus, uint32_t off);
/* GUEST fields that pass every entry check: 64-bit code, flat segments. */
void fake_vmx_long_mode(struct vcpu *vcpu);

#endif
