/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks as a paravirtual interface needs them: the VM's time-stamp counter and the host's time.
 */
#ifndef VMM_VM_CLOCK_H
#define VMM_VM_CLOCK_H

#include "vmm/hw/clock.h"
#include "vmm/vm.h"

/* The counter all vCPUs of the VM share, as one reads it that was not written to. */
static inline uint64_t vm_tsc(const struct vm *vm)
{
	return clock_tsc() + vm->tsc_offset;
}

static inline uint64_t vm_tsc_hz(void)
{
	return clock_tsc_hz();
}

/* Nanoseconds of the host's clock, for timers. */
static inline uint64_t vm_host_now(void)
{
	return clock_now();
}

/* Since 1970-01-01 UTC; 0 = not known. */
static inline uint64_t vm_wall_ns(void)
{
	return clock_wall_ns();
}

/* A length of time; clock_tsc_to_ns() is for moments. */
static inline uint64_t vm_ticks_to_ns(uint64_t ticks)
{
	uint64_t hz = clock_tsc_hz();

	return ticks / hz * NS_PER_SEC + ticks % hz * NS_PER_SEC / hz;
}

#endif
