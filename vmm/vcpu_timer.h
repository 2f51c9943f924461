/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timer that belongs to a vCPU: it fires on the physical CPU that the vCPU lives on, and moves
 * with it. What a device does on a VM's clock is vmm/vm_timer.h's.
 *
 * Context: arm and cancel on the vCPU's own CPU. fn runs there, between guest runs, no lock held;
 * one that was already due may run once after a cancel, so it looks whether it is still wanted.
 * Where a vCPU that other CPUs may take over is not loaded when the time comes, it is woken and fn
 * runs before it enters the guest.
 */
#ifndef VMM_VCPU_TIMER_H
#define VMM_VCPU_TIMER_H

#include "vmm/hw/timer.h"
#include "vmm/lib/types.h"

struct vcpu;

struct vcpu_timer {
	struct timer timer;
	struct vcpu *vcpu;                /* (c) */
	struct vcpu_timer *next;          /* (c) list of vcpu->timers */
	void (*fn)(struct vcpu_timer *t); /* (c) */
	uint32_t due;                     /* [a] 1 = fn is to run, by vcpu_timers_serve() */
};

/* Once for each timer, while the vCPU is made. */
void vcpu_timer_init(struct vcpu_timer *t, struct vcpu *vcpu, void (*fn)(struct vcpu_timer *t));
/* deadline_ns: host clock; TIMER_NEVER cancels. */
void vcpu_timer_arm(struct vcpu_timer *t, uint64_t deadline_ns);
void vcpu_timer_cancel(struct vcpu_timer *t);

/*
 * While the vCPU is stopped (its VM is paused or off) none fires. When it goes on, fn of each is
 * called soon, armed or not: it looks whether it is due, and arms again if it is not yet.
 */
void vcpu_timers_resume(struct vcpu *vcpu);
/* The vCPU now lives on vcpu->cpu: move what is armed. For the scheduler, on that CPU. */
void vcpu_timers_move(struct vcpu *vcpu);
/* Serves VCPU_REQ_TIMER. */
void vcpu_timers_serve(struct vcpu *vcpu);

#endif
