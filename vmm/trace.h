/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces: the exits of a VM, each with its registers and its times, in a ring per vCPU.
 *
 * Off, a trace costs nothing: the exit path has no test for it. The first VM that is traced
 * puts trace_run() in front of the back end's run() (cpu_virt), the last one takes it away.
 * The ring's memory is taken when a VM is first traced and kept for the next time.
 *
 * A vCPU's own CPU writes; anybody reads meanwhile. An entry that is being written, or has been
 * written over, is not given out.
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include "vmm/exit_text.h"
#include "vmm/lib/types.h"

struct vm;

#define TRACE_ENTRIES 4096U /* a vCPU; a power of two */
#define TRACE_ALL (BIT(EXIT_KIND_COUNT) - 1)

struct trace_entry {
	uint64_t number; /* [a] of the exit, from 1; 0 = being written, or never was */
	uint64_t tsc;    /* the host's, at the exit */
	uint64_t rip;    /* of the guest, at the exit */
	struct vcpu_exit exit;
	uint32_t index; /* CPUID leaf, MSR, XCR */
	bool has_in, has_out;
	uint64_t in, out;     /* as in struct exit_facts */
	uint64_t guest_ticks; /* in the guest before the exit */
	uint64_t host_ticks;  /* from the exit to the next entry, less away_ticks; 0 = not yet known
	                       */
	uint64_t away_ticks;  /* of that: asleep, or another's turn */
};

struct trace {
	uint32_t kinds;    /* [a] bits of enum exit_kind; 0 = off */
	uint64_t count;    /* [a] exits traced, ever: the number of the newest */
	uint64_t first;    /* [a] the first one since the trace was switched on */
	uint64_t left_tsc; /* (v) when the loop got the last one */
	bool open;         /* (v) the newest waits for what its exit led to */
	struct trace_entry ring[TRACE_ENTRIES];
};

/* Trace these kinds from now on; a trace that is on goes on with them. -ENOMEM. Boot CPU. */
__must_check int trace_on(struct vm *vm, uint32_t kinds);
void trace_off(struct vm *vm);
/* 0 = off. */
uint32_t trace_kinds(const struct vm *vm);
/* How many since it was switched on, and of them how many were written over. All vCPUs. */
void trace_counts(const struct vm *vm, uint64_t *traced, uint64_t *lost);

/* One exit of a vCPU by number; false = it is not there, or not now. Any CPU. */
__must_check bool trace_read(const struct vcpu *vcpu, uint64_t number, struct trace_entry *entry);

/*
 * The exits of all vCPUs in the order of time: at most n, the newest. trace_walk_start() finds the
 * first of them, trace_walk_next() gives them out one by one; false = there are no more.
 */
struct trace_walk {
	const struct vm *vm;
	struct {
		uint64_t next, end; /* numbers: from next to before end */
		bool loaded;        /* entry is the one before next */
		struct trace_entry entry;
	} vcpus[MAX_VCPUS];
	uint64_t skipped; /* changed while it was read, or written over since */
};
void trace_walk_start(struct trace_walk *w, const struct vm *vm, uint64_t n);
__must_check bool trace_walk_next(
        struct trace_walk *w, struct trace_entry *entry, unsigned *vcpu_index);

#define TRACE_LINE 192U
/* One line without its end. */
void trace_text(char line[TRACE_LINE], const struct trace_entry *entry, unsigned vcpu_index);

#endif
