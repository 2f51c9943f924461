/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vCPU runs where and for how long. Each physical CPU has a queue, ordered by the time its
 * vCPUs have used against their weights; one with nothing to run takes over what waits
 * elsewhere, runs its timers, and halts.
 */
#ifndef VMM_SCHED_H
#define VMM_SCHED_H

#include "vmm/lib/types.h"
#include "vmm/sched_queue.h"

struct pcpu;
struct vcpu;

/* What one physical CPU did. */
struct sched_cpu_stats {
	uint64_t idle_ns;  /* asleep */
	uint64_t switches; /* vCPUs loaded */
	uint64_t pulls;    /* vCPUs taken over from other CPUs */
};

void sched_init(unsigned n_cpus);
/* Those of 'mask' that do not exist. */
uint64_t sched_missing_cpus(uint64_t mask);
/*
 * Give a vCPU its weight and its CPUs, by its VM's configuration, and the first of them in turn.
 * Boot time. -ENODEV when none of them exists.
 */
__must_check int sched_assign(struct vcpu *vcpu);
/*
 * It has something to do: put it into the queue of a CPU that is free for it, or else of the CPU
 * it was on, where it takes the place of one that has used more. Any CPU.
 */
void sched_wake(struct vcpu *vcpu);
/* Does anybody wait for this vCPU's CPU? It runs there. */
bool sched_contended(const struct vcpu *vcpu);

/*
 * A vCPU that has stopped is no longer in any CPU but, maybe, 'cpu': sched_load() may be called
 * there. The VM's home CPU is kicked when that becomes true.
 */
bool sched_released(const struct vcpu *vcpu, uint32_t cpu);
/* Load a stopped vCPU into the calling CPU, its VM's home. */
void sched_load(struct vcpu *vcpu);

/*
 * Its VM has used the calling CPU for so long, outside of anybody's turn: the time is this vCPU's,
 * and not that of whoever ran there before.
 */
void sched_charge(struct vcpu *vcpu, uint64_t ns);

/* Figures, up to now. Any CPU. */
void sched_get_stats(struct vcpu *vcpu, struct sched_stats *stats);
void sched_get_cpu_stats(uint32_t cpu, struct sched_cpu_stats *stats);

/* The loop of one physical CPU. */
__noreturn void sched_loop(struct pcpu *cpu);

#endif
