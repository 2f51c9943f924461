/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What counters said a moment ago, so that the monitor can say how much a second. While it has the
 * line it takes a sample each second; whoever shows rates compares with one of them.
 */
#ifndef VMM_MONITOR_SAMPLE_H
#define VMM_MONITOR_SAMPLE_H

#include "vmm/lib/limits.h"
#include "vmm/lib/out.h"
#include "vmm/stats.h"

/* A comparison over less says nothing. */
#define SAMPLE_MIN_NS 250000000ULL

/* One VM, all its vCPUs together. */
struct sample_vm {
	uint64_t counts[STATS_KINDS], ticks[STATS_KINDS]; /* exits */
	uint64_t exits;                                   /* sum of counts */
	uint64_t guest, host, halted;                     /* ticks */
	uint64_t wait_ns;                                 /* for a CPU */
};

struct sample {
	uint64_t ns, tsc; /* when */
	struct sample_vm vms[MAX_VMS];
	uint64_t idle_ns[MAX_CPUS];
};

/* The monitor gets the line, and gives it away. */
void sample_start(void);
void sample_stop(void);
/* A sample at least SAMPLE_MIN_NS old, in general a second; NULL = not yet. */
const struct sample *sample_base(void);
void sample_take(struct sample *s);
/* The sum over all vCPUs, up to now. */
void sample_vm(const struct vm *vm, struct sample_vm *s);
/* now less before, field by field. */
void sample_vm_less(
        const struct sample_vm *now, const struct sample_vm *before, struct sample_vm *difference);

/* n in a time of so many ns, per second. */
uint64_t sample_per_second(uint64_t n, uint64_t ns);
/* "12.3" for a of b in percent; "-" when b is 0. */
struct percent {
	char text[16];
};
struct percent sample_percent(uint64_t a, uint64_t b);

#endif
