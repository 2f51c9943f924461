// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's timer: counts the host's TSC, so that it never drifts from it.
// Specs: [SDM3] "APIC Timer", "TSC-Deadline Mode".
#include "vmm/hw/clock.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/vcpu.h"

/* A periodic timer does not fire oftener: what comes due meanwhile is one interrupt. */
#define TIMER_MIN_PERIOD_NS 20000ULL

/* log2 of TSC ticks a tick of the timer's input clock: 0 below 4.29 GHz. */
static unsigned input_shift(void)
{
	uint64_t above = clock_tsc_hz() >> 32;

	return above ? bit_last(above) + 1 : 0;
}

uint64_t lapic_timer_hz(void)
{
	return clock_tsc_hz() >> input_shift();
}

/* The earliest host time at which the TSC has reached 'tsc'. */
static uint64_t due_ns(uint64_t tsc)
{
	uint64_t ns = clock_tsc_to_ns(tsc);

	return ns != TIMER_NEVER && clock_ns_to_tsc(ns) < tsc ? ns + 1 : ns;
}

static void arm(struct lapic *apic, uint64_t tsc)
{
	vcpu_timer_arm(&apic->timer, due_ns(tsc));
}

static void arm_period(struct lapic *apic)
{
	uint64_t ns = due_ns(apic->timer_start_tsc + apic->timer_full_tsc);
	uint64_t soonest = clock_now() + TIMER_MIN_PERIOD_NS;

	vcpu_timer_arm(&apic->timer, ns < soonest ? soonest : ns);
}

static void deadline_due(struct lapic *apic)
{
	uint64_t now = clock_tsc(), guest_now = now + apic->vcpu->tsc_offset;

	if (apic->tsc_deadline == 0) {
		return;
	}
	if (guest_now < apic->tsc_deadline) {
		uint64_t left = apic->tsc_deadline - guest_now;

		/* A sum that wrapped would be due for ever, and starve all else on this CPU. */
		arm(apic, left <= UINT64_MAX - now ? now + left : UINT64_MAX);
		return;
	}
	apic->tsc_deadline = 0;
	lapic_lvt_fire(apic, LAPIC_LVT_TIMER);
}

static void count_due(struct lapic *apic, bool periodic)
{
	uint64_t elapsed = clock_tsc() - apic->timer_start_tsc;

	if (!apic->timer_armed) {
		return;
	}
	if (elapsed < apic->timer_full_tsc) {
		arm(apic, apic->timer_start_tsc + apic->timer_full_tsc);
		return;
	}
	if (periodic) {
		apic->timer_start_tsc += elapsed - elapsed % apic->timer_full_tsc;
		arm_period(apic);
	} else {
		apic->timer_armed = false;
	}
	lapic_lvt_fire(apic, LAPIC_LVT_TIMER);
}

/* Also a call that was due before the timer was stopped or set anew: each looks for itself. */
static void due(struct vcpu_timer *timer)
{
	struct lapic *apic = container_of(timer, struct lapic, timer);

	/* The VM has ended, is paused or will be reset: its ticks would wake this CPU for ever.
	 * lapic_timer_resume() makes up for it. */
	if (__atomic_load_n(&apic->vcpu->state, __ATOMIC_RELAXED) == VCPU_STOPPED) {
		return;
	}
	switch ((enum lapic_timer_mode)apic->timer_mode) {
	case LAPIC_TIMER_ONE_SHOT:
		count_due(apic, false);
		break;
	case LAPIC_TIMER_PERIODIC:
		count_due(apic, true);
		break;
	case LAPIC_TIMER_TSC_DEADLINE:
		deadline_due(apic);
		break;
	case LAPIC_TIMER_RESERVED:
		break;
	}
}

void lapic_timer_init(struct lapic *apic)
{
	vcpu_timer_init(&apic->timer, apic->vcpu, due);
}

void lapic_timer_stop(struct lapic *apic)
{
	vcpu_timer_cancel(&apic->timer);
	apic->timer_armed = false;
	apic->tsc_deadline = 0;
}

void lapic_timer_resume(struct lapic *apic, uint64_t ticks)
{
	if (apic->timer_armed) {
		apic->timer_start_tsc += ticks;
		arm(apic, apic->timer_start_tsc + apic->timer_full_tsc);
	}
	if (apic->tsc_deadline != 0) {
		deadline_due(apic);
	}
}

void lapic_timer_lvt_written(struct lapic *apic)
{
	uint8_t mode = (uint8_t)((lapic_get(apic, LAPIC_LVT_TIMER) & LVT_TIMER_MODE) >>
	                         LVT_TIMER_MODE_SHIFT);
	uint8_t old = apic->timer_mode;

	apic->timer_mode = mode;
	/*
	 * [SDM3] "TSC-Deadline Mode": a change to or from it disarms the timer; between the
	 * other two the count runs on.
	 */
	if (mode != old && (mode >= LAPIC_TIMER_TSC_DEADLINE || old >= LAPIC_TIMER_TSC_DEADLINE)) {
		lapic_timer_stop(apic);
		lapic_set(apic, LAPIC_TIMER_INITIAL, 0);
	}
}

void lapic_timer_count_written(struct lapic *apic, uint32_t count)
{
	if (apic->timer_mode >= LAPIC_TIMER_TSC_DEADLINE) {
		lapic_set(apic, LAPIC_TIMER_INITIAL, 0); /* ignored */
		return;
	}
	lapic_set(apic, LAPIC_TIMER_INITIAL, count);
	if (count == 0) {
		lapic_timer_stop(apic);
		return;
	}
	apic->timer_start_tsc = clock_tsc();
	apic->timer_full_tsc = (uint64_t)count << apic->timer_shift;
	apic->timer_armed = true;
	arm(apic, apic->timer_start_tsc + apic->timer_full_tsc);
}

/* Ticks counted since the count began, at most the whole count in one-shot mode. */
static uint32_t counted(const struct lapic *apic)
{
	uint32_t initial = lapic_get(apic, LAPIC_TIMER_INITIAL);
	uint64_t ticks = (clock_tsc() - apic->timer_start_tsc) >> apic->timer_shift;

	if (apic->timer_mode == LAPIC_TIMER_PERIODIC) {
		ticks %= initial;
	}
	return ticks < initial ? (uint32_t)ticks : initial;
}

uint32_t lapic_timer_current(const struct lapic *apic)
{
	return apic->timer_armed ? lapic_get(apic, LAPIC_TIMER_INITIAL) - counted(apic) : 0;
}

void lapic_timer_divide_written(struct lapic *apic)
{
	uint32_t divide = lapic_get(apic, LAPIC_TIMER_DIVIDE);
	uint32_t code = (divide & 3) | (divide & 8) >> 1; /* 0 = by 2 ... 6 = by 128, 7 = by 1 */
	uint8_t shift = (uint8_t)(input_shift() + ((code + 1) & 7));

	if (apic->timer_armed && shift != apic->timer_shift) {
		/* The count goes on from where it is, at the new speed. */
		uint32_t done = counted(apic);

		apic->timer_start_tsc = clock_tsc() - ((uint64_t)done << shift);
		apic->timer_full_tsc = (uint64_t)lapic_get(apic, LAPIC_TIMER_INITIAL) << shift;
		arm(apic, apic->timer_start_tsc + apic->timer_full_tsc);
	}
	apic->timer_shift = shift;
}

void lapic_set_tsc_deadline(struct lapic *apic, uint64_t value)
{
	if (apic->timer_mode != LAPIC_TIMER_TSC_DEADLINE) {
		return;
	}
	apic->tsc_deadline = value;
	if (value == 0) {
		vcpu_timer_cancel(&apic->timer);
		return;
	}
	/* One that has passed fires now; what may be queued then finds nothing due. */
	deadline_due(apic);
}

uint64_t lapic_get_tsc_deadline(const struct lapic *apic)
{
	return apic->timer_mode == LAPIC_TIMER_TSC_DEADLINE ? apic->tsc_deadline : 0;
}
