// SPDX-License-Identifier: BSD-2-Clause
// Timers that follow their vCPU from CPU to CPU.
// Specs: vmm/vcpu_timer.h.
#include "vmm/vcpu_timer.h"

#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/sched.h"
#include "vmm/vcpu.h"

static void fire(struct timer *timer)
{
	struct vcpu_timer *t = container_of(timer, struct vcpu_timer, timer);

	if (__atomic_load_n(&t->vcpu->state, __ATOMIC_RELAXED) == VCPU_STOPPED) {
		return; /* vcpu_timers_resume() makes up for it */
	}
	if (pcpu_this()->loaded == t->vcpu) {
		t->fn(t);
	} else {
		/*
		 * Another CPU may take it over, or run it already. And a periodic timer that waits
		 * for its vCPU's turn costs those whose turn it is one call, not one a period.
		 */
		__atomic_store_n(&t->due, 1, __ATOMIC_RELEASE);
		vcpu_request(t->vcpu, VCPU_REQ_TIMER);
	}
}

void vcpu_timers_serve(struct vcpu *vcpu)
{
	for (struct vcpu_timer *t = vcpu->timers; t; t = t->next) {
		if (__atomic_exchange_n(&t->due, 0, __ATOMIC_ACQUIRE)) {
			t->fn(t);
		}
	}
}

void vcpu_timer_init(struct vcpu_timer *t, struct vcpu *vcpu, void (*fn)(struct vcpu_timer *t))
{
	timer_init(&t->timer, fire);
	t->vcpu = vcpu;
	t->fn = fn;
	t->due = 0;
	/* One that is made anew is in the list already. */
	for (const struct vcpu_timer *i = vcpu->timers; i; i = i->next) {
		if (i == t) {
			return;
		}
	}
	t->next = vcpu->timers;
	vcpu->timers = t;
}

void vcpu_timer_arm(struct vcpu_timer *t, uint64_t deadline_ns)
{
	if (deadline_ns == TIMER_NEVER) {
		vcpu_timer_cancel(t);
		return;
	}
	timer_arm(&t->timer, t->vcpu->cpu, deadline_ns);
}

void vcpu_timer_cancel(struct vcpu_timer *t)
{
	timer_cancel(&t->timer);
}

void vcpu_timers_resume(struct vcpu *vcpu)
{
	for (struct vcpu_timer *t = vcpu->timers; t; t = t->next) {
		vcpu_timer_arm(t, clock_now());
	}
}

void vcpu_timers_move(struct vcpu *vcpu)
{
	for (struct vcpu_timer *t = vcpu->timers; t; t = t->next) {
		uint64_t deadline_ns = __atomic_load_n(&t->timer.deadline_ns, __ATOMIC_RELAXED);

		/* The CPU it comes from may fire it just now: then once more is once too often,
		 * which fn bears with. */
		if (deadline_ns != TIMER_NEVER) {
			timer_arm(&t->timer, vcpu->cpu, deadline_ns);
		}
	}
}
