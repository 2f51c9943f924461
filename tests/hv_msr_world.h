/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU that reads and writes synthetic MSRs: what test_hv_msr.c, test_hv_page.c and
 * test_hv_crash.c have in common.
 */
#ifndef TESTS_HV_MSR_WORLD_H
#define TESTS_HV_MSR_WORLD_H

#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x300000ULL
#define OTHER_PAGE 0x301000ULL
#define TEXT_AT 0x200000ULL
#define OS_ID (0x8100ULL << 48 | 6ULL << 32)

static struct vm *vm;
static struct vcpu *vcpu;

static inline void world(uint32_t features)
{
	*fake_caps() = (struct virt_caps){0};
	fake_log_clear();
	fake_vm_requests = 0;
	vm = hv_world(2, features);
	vcpu = vm->vcpus[0];
}

static inline void setup(void)
{
	world(ALL);
}

static inline void wr(uint32_t msr, uint64_t value)
{
	ck_assert_msg(hv_msr_write(vcpu, msr, value), "WRMSR %#x is refused", msr);
}

static inline uint8_t byte_at(uint64_t at)
{
	uint8_t b = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), 0);
	return b;
}

#endif
