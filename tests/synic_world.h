/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU with a message page, an open source and an APIC that takes its vector: what
 * test_synic*.c have in common.
 */
#ifndef TESTS_SYNIC_WORLD_H
#define TESTS_SYNIC_WORLD_H

#include "hypercall/synic.h"
#include "tests/hv_world.h"
#include "vmm/lib/err.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define SIMP 0x300000ULL
#define SIEFP 0x301000ULL
#define SINT 2U
#define VECTOR 0xf3U
#define TYPE 1U

static struct vm *vm;
static struct vcpu *vcpu;

static inline void wr(uint32_t msr, uint64_t value)
{
	ck_assert_msg(hv_msr_write(vcpu, msr, value), "WRMSR %#x is refused", msr);
}

static inline void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	vm = hv_world(2, ALL);
	vcpu = vm->vcpus[0];
	wr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	wr(HV_MSR_SIMP, SIMP | 1);
	wr(HV_MSR_SIEFP, SIEFP | 1);
	wr(HV_MSR_SINT0 + SINT, VECTOR);
}

static inline struct hv_message slot(uint32_t sint)
{
	struct hv_message m;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &m, sizeof(m)), 0);
	return m;
}

/* The guest frees its slot; true = it saw that more waits. */
static inline bool free_slot(uint32_t sint)
{
	uint32_t none = HV_MESSAGE_NONE;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &none, 4), 0);
	return slot(sint).flags & HV_MESSAGE_FLAG_PENDING;
}

static inline int post(uint32_t sint, uint64_t sender)
{
	uint8_t payload[3] = {1, 2, (uint8_t)sender};

	return synic_post_message(vm, 0, sint, TYPE, sender, payload, sizeof(payload));
}

/* The vector the guest would now be interrupted by, in service from then on; -1 = none. */
static inline int interrupt(void)
{
	int vector = lapic_pending(&vcpu->lapic);

	if (vector >= 0) {
		lapic_ack(&vcpu->lapic, (uint8_t)vector);
	}
	return vector;
}

static inline void eoi(void)
{
	lapic_write(&vcpu->lapic, LAPIC_EOI, 0);
}

static inline bool flag_set(uint32_t sint, uint32_t flag)
{
	uint8_t b;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIEFP + sint * 256 + flag / 8), &b, 1), 0);
	return b >> flag % 8 & 1;
}

#endif
