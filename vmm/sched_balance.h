/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fairness between CPUs: who takes a waiting vCPU over from whom, and how the CPUs' virtual clocks
 * stay comparable. docs/decisions/0015.
 *
 * The CPUs are an array of queues; each function locks them one at a time.
 */
#ifndef VMM_SCHED_BALANCE_H
#define VMM_SCHED_BALANCE_H

#include "vmm/sched_queue.h"

struct sched_cpus {
	struct sched_queue *queues;
	unsigned n;
	/* May 'cpu' have this waiting node, and it is the caller's from now on? The lock of the
	 * queue it waits in is held; if true, what says where it belongs has been changed. */
	bool (*claim)(struct sched_node *n, uint32_t cpu);
};

/*
 * One that waits at another CPU, for 'cpu' to run: any, if that is idle, otherwise one that is
 * SCHED_PULL_NS of its own time behind everybody here. It comes out of its list, claimed and still
 * marked as queued: sched_place_locked() and sched_insert_locked() follow. NULL = leave all as it
 * is.
 */
struct sched_node *sched_pull(
        const struct sched_cpus *cpus, uint32_t cpu, bool idle, uint64_t now_ns);

/*
 * The clock that a CPU should go on with after a time of idling: that of the slowest busy one;
 * its own when there is none.
 */
uint64_t sched_common_vtime(const struct sched_cpus *cpus, uint32_t cpu);

#endif
