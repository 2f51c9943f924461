/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vCPU runs where: one queue a physical CPU, taken in turns; a CPU with nothing to run
 * runs its timers and halts.
 */
#ifndef VMM_SCHED_H
#define VMM_SCHED_H

#include "vmm/lib/types.h"

struct pcpu;
struct vcpu;

#define SCHED_SLICE_NS 10000000ULL

void sched_init(unsigned n_cpus);
/* Give a vCPU its CPU: round robin over the online ones. Boot time. */
void sched_assign(struct vcpu *vcpu);
/* Runnable: put it in its CPU's queue and kick that CPU if it idles. Any CPU. */
void sched_wake(struct vcpu *vcpu);
/* The loop of one physical CPU. */
__noreturn void sched_loop(struct pcpu *cpu);

#endif
