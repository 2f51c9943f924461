/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU with synthetic timers and a message page: what test_stimer*.c have in common.
 */
#ifndef TESTS_STIMER_WORLD_H
#define TESTS_STIMER_WORLD_H

#include "hypercall/stimer.h"
#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define SIMP 0x300000ULL
#define SINT 4U
#define SINT_VECTOR 0x70U
#define VECTOR 0xedU
#define DIRECT_CONFIG (HV_STIMER_DIRECT | (uint64_t)VECTOR << HV_STIMER_VECTOR_SHIFT)
#define MESSAGE_CONFIG ((uint64_t)SINT << HV_STIMER_SINT_SHIFT)
#define CONFIG(n) (HV_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_MSR_STIMER0_CONFIG + 2 * (n) + 1)
#define TICK 100ULL /* ns in a unit of reference time */

static struct vm *vm;
static struct vcpu *vcpu;

static inline void wr(uint32_t msr, uint64_t value)
{
	ck_assert_msg(hv_msr_write(vcpu, msr, value), "WRMSR %#x is refused", msr);
}

static inline void world(uint32_t features)
{
	*fake_caps() = (struct virt_caps){0};
	vm = hv_world(2, features);
	vcpu = vm->vcpus[0];
	wr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	wr(HV_MSR_SIMP, SIMP | 1);
	wr(HV_MSR_SINT0 + SINT, SINT_VECTOR);
}

static inline void setup(void)
{
	world(ALL);
}

static inline int interrupt(void)
{
	int vector = lapic_pending(&vcpu->lapic);

	if (vector >= 0) {
		lapic_ack(&vcpu->lapic, (uint8_t)vector);
		lapic_write(&vcpu->lapic, LAPIC_EOI, 0);
	}
	return vector;
}

static inline uint64_t now(void)
{
	return hv_reference_time(vm);
}

static inline bool enabled(unsigned n)
{
	return rd(vcpu, CONFIG(n)) & HV_STIMER_ENABLE;
}

static inline struct hv_message slot(uint32_t sint)
{
	struct hv_message m;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &m, sizeof(m)), 0);
	return m;
}

static inline void free_slot(uint32_t sint)
{
	uint32_t none = HV_MESSAGE_NONE;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &none, 4), 0);
}

/* The timer message in the slot, which is freed. */
static inline struct hv_timer_message message(void)
{
	struct hv_message m = slot(SINT);
	struct hv_timer_message t;

	ck_assert_uint_eq(m.type, HV_MESSAGE_TIMER_EXPIRED);
	ck_assert_uint_eq(m.payload_size, sizeof(t));
	ck_assert_uint_eq(m.sender, 0);
	memcpy(&t, m.payload, sizeof(t));
	ck_assert_uint_eq(t.reserved, 0);
	ck_assert_uint_ge(t.delivery_time, t.expiration_time);
	free_slot(SINT);
	return t;
}

/* Reference time at which the next interrupt comes, by steps of less than its unit. */
static inline uint64_t interrupt_time(uint64_t at_most)
{
	while (now() < at_most) {
		if (interrupt() >= 0) {
			return now();
		}
		fake_clock_advance(37);
	}
	return interrupt() >= 0 ? now() : ~0ULL;
}

/* On time: not before, and no later than the clocks' units and our steps make it. */
static inline void check_interrupt_at(uint64_t due)
{
	uint64_t at = interrupt_time(due + 10);

	ck_assert_uint_ge(at, due);
	ck_assert_uint_le(at, due + 2);
}

#endif
