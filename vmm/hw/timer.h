/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-shot timers, one queue a physical CPU. The CPU's loop (vmm/sched.c) asks for the next
 * deadline before it enters a guest or halts, and runs what is due afterwards.
 *
 * Context: fn runs on the timer's CPU, between guest runs, with no lock held. Cancelling
 * does not wait: a callback that was already due may still run once, so it takes its
 * owner's lock and looks whether it is still wanted.
 */
#ifndef VMM_HW_TIMER_H
#define VMM_HW_TIMER_H

#include "vmm/lib/types.h"

#define TIMER_NEVER (~0ULL)

struct timer {
	uint64_t deadline_ns;        /* [q] host clock; TIMER_NEVER = not armed */
	struct timer *next, *prev;   /* [q] queue of the CPU, sorted by deadline */
	void (*fn)(struct timer *t); /* (c) */
	uint32_t cpu;                /* [q] whose queue it is in */
	uint32_t queued;             /* [q] */
};

void timer_init(struct timer *t, void (*fn)(struct timer *t));

/*
 * Run fn on CPU 'cpu' at deadline_ns or soon after; re-arms (and moves) one that is armed.
 * When it becomes the first of another CPU's queue, that CPU is kicked. Calls for one timer
 * are serialized by its owner.
 */
void timer_arm(struct timer *t, uint32_t cpu, uint64_t deadline_ns);
void timer_cancel(struct timer *t);

/* For the CPU's loop: the earliest deadline (TIMER_NEVER = none); and run what is due. */
uint64_t timer_next_deadline(uint32_t cpu);
void timer_run_due(uint32_t cpu, uint64_t now_ns);
/*
 * The same deadline for a loop that looks again and again: where its TSC stands, or that of
 * limit_ns if it comes first. It follows the queue until the next call.
 */
const uint64_t *timer_watch(uint32_t cpu, uint64_t limit_ns);

/* Link-time: make that CPU look at its queue (vmm/hw/apic_hw.c; tests/fake). */
void pcpu_kick(uint32_t cpu);

#endif
