/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_fake.c: the machine under the back end and the loops. One CPU, which runs the test. What
 * never returns on a machine jumps back into the test here:
 *
 *   if (setjmp(fake_end) == 0) { sched_loop(pcpu_this()); }
 */
#ifndef TESTS_FAKE_HOST_FAKE_H
#define TESTS_FAKE_HOST_FAKE_H

#include "vmm/hw/pcpu.h"
#include <setjmp.h>

struct fake_host {
	uint64_t cr0, cr3, cr4;
	uint64_t apic_timer_tsc; /* as last set */
	unsigned apic_timer_sets;
	unsigned interrupts, nmis; /* handed to the host by the exit path */
	uint8_t last_interrupt;
	unsigned xsaves, xrstors, fxsaves, fxrstors;
	uint64_t last_xmask;
	void (*on_idle)(void); /* cpu_idle(); NULL = the end */
	unsigned idles;
	unsigned taken; /* calls of cpu_take_interrupts() */
};

extern struct fake_host fake_host;

/* Why a test came back through fake_end. */
enum fake_end_reason {
	FAKE_END_NONE,
	FAKE_END_IDLE,
	FAKE_END_POWEROFF,
	FAKE_END_RESET,
	FAKE_END_PANIC
};
extern jmp_buf fake_end;
extern enum fake_end_reason fake_end_reason;

#endif
