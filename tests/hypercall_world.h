/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel in 64-bit code that has put its hypercall page in place and calls: what the tests of
 * hypercalls have in common.
 */
#ifndef TESTS_HYPERCALL_WORLD_H
#define TESTS_HYPERCALL_WORLD_H

#include "hypercall/hypercall.h"
#include "tests/hv_world.h"
#include "vmm/lib/err.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x100000ULL /* the hypercall page */
#define INPUT 0x200000ULL
#define OUTPUT 0x201000ULL
#define REPS(start, count) ((uint64_t)(count) << 32 | (uint64_t)(start) << 48)
#define VAR(n) ((uint64_t)(n) << 17)

static struct vm *vm;
static struct vcpu *vcpu;

static inline void world(unsigned n, uint32_t features)
{
	vm = hv_world(n, features);
	vcpu = vm->vcpus[0];
	ck_assert(hv_msr_write(vcpu, HV_MSR_GUEST_OS_ID, 0x8100ULL << 48));
	ck_assert(hv_msr_write(vcpu, HV_MSR_HYPERCALL, PAGE_AT | 1));
}

static inline void setup(void)
{
	world(2, ALL);
}

static inline enum exit_action go(uint64_t control, uint64_t rdx, uint64_t r8)
{
	vcpu->gpr[REG_RCX] = control;
	vcpu->gpr[REG_RDX] = rdx;
	vcpu->gpr[REG_R8] = r8;
	vcpu->gpr[REG_RAX] = 0xdead;
	vcpu->exit.call.kernel64 = vcpu_in_64bit_mode(vcpu) && vcpu_in_kernel(vcpu);
	return hv_hypercall(vcpu);
}

static inline uint64_t call(uint64_t control, uint64_t rdx, uint64_t r8)
{
	enum exit_action action = go(control, rdx, r8);

	ck_assert(action == ACT_SKIP || action == ACT_YIELD);
	return vcpu->gpr[REG_RAX];
}

static inline void put(uint64_t at, const void *data, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), data, len), 0);
}

/* What a VP's CPU does before it enters the guest. */
static inline void serve_call(struct vcpu *other)
{
	struct vcpu_call *c = other->call;

	ck_assert_ptr_nonnull(c);
	other->call = NULL;
	c->fn(other, c->arg);
}

#endif
