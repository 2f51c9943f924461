/* SPDX-License-Identifier: BSD-2-Clause */
/* A fake VM with the Hyper-V interface, its clock at a known time. */
#ifndef TESTS_HV_WORLD_H
#define TESTS_HV_WORLD_H

#include "hypercall/hv.h"
#include "tests/fake/fake.h"
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/x86.h"
#include <string.h>

#define WORLD_MEM (4 * SIZE_2M)
#define WORLD_ARENA 0x1000000ULL
#define WORLD_TABLES 0x10000ULL /* page tables of the long-mode guest */

static inline struct vm *hv_world_made(unsigned n_vcpus, uint32_t features, bool testdev)
{
	uint64_t pages = hv_memory_pages(n_vcpus);
	struct vm *vm;
	void *memory;

	fake_cpuid_clear();
	fake_cpuid_set(0, 0, 0x16, 0, 0, 0);
	fake_cpuid_set(1, 0, 0, 0, 0, 1U << 6);                      /* PAE */
	fake_cpuid_set(0x80000001, 0, 0, 0, 1, 1U << 29 | 1U << 20); /* long mode, NX */
	fake_cpuid_set(0x80000000, 0, 0x80000008, 0, 0, 0);
	fake_cpuid_set(0x80000007, 0, 0, 0, 0, 1U << 8);
	fake_cpuid_set(0x80000008, 0, 46, 0, 0, 0);
	fake_clock_set(0);
	vm = fake_vm(WORLD_MEM, n_vcpus);
	cpuid_policy_init(fake_caps(), 1000000000, 1000000000);
	((struct config_vm *)vm->config)->hyperv = true;
	((struct config_vm *)vm->config)->testdev = testdev;
	((struct config_vm *)vm->config)->hv_features = features;
	memory = fake_phys_init(WORLD_ARENA, pages * PAGE_SIZE);
	memset(memory, 0, pages * PAGE_SIZE);
	ck_assert_int_eq(hv_attach(vm, memory), 0);
	for (unsigned i = 0; i < n_vcpus; i++) {
		fake_long_mode(vm->vcpus[i], WORLD_TABLES);
		vm->vcpus[i]->state = VCPU_RUNNABLE;
		lapic_write(&vm->vcpus[i]->lapic, LAPIC_SVR, 0x1ff);
	}
	pcpu_this()->loaded = vm->vcpus[0];
	return vm;
}

/* n vCPUs in 64-bit code at CPL 0, the first of them loaded; the interface with 'features'. */
static inline struct vm *hv_world(unsigned n_vcpus, uint32_t features)
{
	return hv_world_made(n_vcpus, features, false);
}

/* The same with testdev = on. */
static inline struct vm *hv_world_testdev(unsigned n_vcpus, uint32_t features)
{
	return hv_world_made(n_vcpus, features, true);
}

static inline uint64_t rd(struct vcpu *vcpu, uint32_t msr)
{
	uint64_t value = 0xdead;

	ck_assert_msg(hv_msr_read(vcpu, msr, &value), "RDMSR %#x is refused", msr);
	return value;
}

#endif
