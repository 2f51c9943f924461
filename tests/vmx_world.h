/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM on VT-x with two vCPUs: what test_vmx.c and the tests of its steps have in common.
 */
#ifndef TESTS_VMX_WORLD_H
#define TESTS_VMX_WORLD_H

#include "tests/fake/host_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmm/x86.h"
#include <string.h>

static struct vm *vm;
static struct vcpu *vcpu;

static inline void make(uint32_t off)
{
	vm = fake_vmx_vm(SIZE_2M, 2, off);
	vcpu = vm->vcpus[0];
}

static inline void setup(void)
{
	make(0);
}

/* The host's MSR; 0 if there is none. */
static inline uint64_t msr(uint32_t index)
{
	uint64_t v = 0;

	return cpu_rdmsr_safe(index, &v) ? v : 0;
}

#endif
