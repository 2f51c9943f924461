/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of one vCPU: exits by kind, and the host time each kind took (TSC ticks from exit
 * to the next entry). Written by the vCPU's CPU only, without locks; read anywhere.
 */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include "vmm/lib/types.h"

struct vcpu;
struct vm;

#define STATS_KINDS 32 /* >= EXIT_KIND_COUNT */

struct vcpu_stats {
	uint64_t exit_count[STATS_KINDS];
	uint64_t exit_ticks[STATS_KINDS];
	uint64_t injected_interrupts;
	uint64_t injected_exceptions;
	uint64_t loop_ticks;   /* in the loop of exits: the guest's and those of exit_ticks */
	uint64_t loop_since;   /* TSC when it entered the loop it is in; 0 = in none */
	uint64_t halted_ticks; /* waiting in HLT */
};

/* All exits of all vCPUs so far. */
uint64_t stats_exits(const struct vm *vm);
/* TSC ticks in the guest until its last exit. From another CPU: about. */
uint64_t stats_guest_ticks(const struct vcpu *vcpu);

/* The table a VM prints when it stops: reason, count, share, ticks each. */
void stats_log(const struct vm *vm);

#endif
