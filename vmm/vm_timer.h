/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time as a VM's devices see it: a clock that stands still while the VM is paused, and timers on
 * it. Devices use this and nothing else; none executes RDTSC.
 */
#ifndef VMM_VM_TIMER_H
#define VMM_VM_TIMER_H

#include "vmm/hw/timer.h"
#include "vmm/lib/types.h"

struct vm;

struct vm_timer {
	struct timer timer;
	struct vm *vm;         /* (c) */
	uint64_t deadline_ns;  /* VM clock; TIMER_NEVER = not armed */
	void (*fn)(void *arg); /* (c) */
	void *arg;             /* (c) */
};

/* Nanoseconds since the VM was created, without pauses. */
uint64_t vm_clock_now(const struct vm *vm);

/* fn runs on the VM's home CPU, no lock held; see vmm/hw/timer.h for cancelling. */
void vm_timer_init(struct vm_timer *t, struct vm *vm, void (*fn)(void *arg), void *arg);
void vm_timer_arm(struct vm_timer *t, uint64_t deadline_ns);
void vm_timer_cancel(struct vm_timer *t);

#endif
