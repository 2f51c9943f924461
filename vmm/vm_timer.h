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
	struct vm *vm;               /* (c) */
	uint64_t deadline_ns;        /* VM clock; TIMER_NEVER = not armed */
	void (*fn)(void *arg);       /* (c) */
	void *arg;                   /* (c) */
	struct vm_timer *next_of_vm; /* (c) list of all in vm->timers */
};

/* Nanoseconds since the VM was created, without pauses. */
uint64_t vm_clock_now(const struct vm *vm);

/*
 * The clock stands still from host time host_ns on; it goes on at host_ns. While it stands, timers
 * can be armed and none fires. Home CPU; stop and go in turns.
 */
void vm_clock_stop(struct vm *vm, uint64_t host_ns);
void vm_clock_go(struct vm *vm, uint64_t host_ns);

/* Boot: before the VM runs. fn runs on the VM's home CPU, no lock held; see vmm/hw/timer.h for
 * cancelling. */
void vm_timer_init(struct vm_timer *t, struct vm *vm, void (*fn)(void *arg), void *arg);
void vm_timer_arm(struct vm_timer *t, uint64_t deadline_ns);
void vm_timer_cancel(struct vm_timer *t);

#endif
