/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU whose exits are a script, and a VM that only notes what is asked of it: what
 * test_vcpu_run.c and test_vcpu_requests.c have in common.
 */
#ifndef TESTS_VCPU_RUN_WORLD_H
#define TESTS_VCPU_RUN_WORLD_H

#include "tests/fake/host_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/pv.h"
#include "vmm/x86.h"
#include <string.h>

#define SLICE 10000000ULL

static struct vm *vm;
static struct vcpu *vcpu;
static uint32_t asked; /* bits of enum vm_request */
static const char *asked_why;

/* As vmm/vm_life.c does it: remember, and ask all vCPUs to stop. */
void vm_request(struct vm *who, enum vm_request req, const char *reason)
{
	asked |= BIT(req);
	asked_why = reason;
	for (unsigned i = 0; i < who->n_vcpus; i++) {
		vcpu_request(who->vcpus[i], VCPU_REQ_STOP);
	}
}

static inline void make(uint32_t off)
{
	vm = fake_vmx_vm(SIZE_2M, 2, off);
	vcpu = vm->vcpus[0];
	fake_vmx_long_mode(vcpu);
}

/* Interrupts by injection: what is delivered is seen at the entry. */
static inline void setup(void)
{
	make(BIT(VMX_OPT_VID));
}

static inline void run(const struct fake_exit *exits, unsigned n)
{
	fake_vmx_script(exits, n);
	vcpu_run(vcpu, clock_now() + SLICE);
	ck_assert_uint_eq(vcpu->running, 0);
}

static inline uint64_t rip(void)
{
	return fake_vmcs[VMCS_GUEST_RIP];
}

static inline void apic_on(void)
{
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
}

#endif
