/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of a running vCPU: deliver events, enter, decide, act. Every exit pays for every
 * instruction here, so a back end compiles it with its own functions in it (cpu_virt_ops.loop), and
 * no call but the exit's handler is indirect. What is not common is in vmm/vcpu_run.c.
 */
#ifndef VMM_VCPU_LOOP_H
#define VMM_VCPU_LOOP_H

#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/vcpu.h"

/* cpu_virt_ops.run and skip_exit. */
typedef void vcpu_run_fn(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc);
typedef void vcpu_skip_fn(struct vcpu *vcpu);

/* --- vcpu_run.c --- */
enum vcpu_loop_end {
	LOOP_GO_ON,
	LOOP_SERVE, /* leave the loop: serve_requests() has something to do */
	LOOP_DONE,  /* leave it: not runnable any more, or it is another's turn */
};
/* There are requests, or events may wait. */
enum vcpu_loop_end vcpu_prepare_entry(
        struct vcpu *vcpu, uint64_t slice_end_ns, uint64_t deadline_tsc);
/* Run the timers that are due. false = the slice is over. */
bool vcpu_deadline_passed(struct vcpu *vcpu, uint64_t slice_end_ns);
/* What a handler wants, other than ACT_SKIP and ACT_RESUME. false = leave the loop. */
bool vcpu_act(struct vcpu *vcpu, enum exit_action action);

/* Signed, as no clock comes that far: unsigned, the compiler would sort the sum that this goes
 * into, for one instruction more. */
static inline uint64_t vcpu_ticks(uint64_t from_tsc, uint64_t to_tsc)
{
	return (uint64_t)((int64_t)to_tsc - (int64_t)from_tsc);
}

/* true = requests came and the caller serves them; false = LOOP_DONE. */
static inline __attribute__((always_inline)) bool vcpu_loop(
        struct vcpu *vcpu, uint64_t slice_end_ns, vcpu_run_fn *run, vcpu_skip_fn *skip)
{
	const uint64_t *deadline_tsc = timer_watch(vcpu->cpu, slice_end_ns);
	enum exit_kind kind = EXIT_NONE;
	enum vcpu_loop_end end = LOOP_GO_ON;
	uint64_t now;

	vcpu->exit_tsc = vcpu->stats.loop_since = clock_tsc();
	vcpu->exit.kind = EXIT_NONE;
	do {
		if ((__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) | vcpu->attention) != 0) {
			end = vcpu_prepare_entry(vcpu, slice_end_ns,
			        __atomic_load_n(deadline_tsc, __ATOMIC_RELAXED));
			if (end != LOOP_GO_ON) {
				break;
			}
		}
		now = clock_tsc();
		vcpu->stats.exit_ticks[kind] += vcpu_ticks(vcpu->exit_tsc, now);
		run(vcpu, now, __atomic_load_n(deadline_tsc, __ATOMIC_RELAXED));
		now = clock_tsc();
		vcpu->exit_tsc = now;
		kind = vcpu->exit.kind;
		vcpu->stats.exit_count[kind]++;
		if (kind != EXIT_NONE) {
			enum exit_action action;

			vcpu_record_exit(vcpu, now);
			action = vcpu_exit_handlers[kind](vcpu, &vcpu->exit);
			if (__builtin_expect(action == ACT_SKIP, 1)) {
				skip(vcpu);
			} else if (action != ACT_RESUME && !vcpu_act(vcpu, action)) {
				end = LOOP_DONE;
			}
		} else if (now >= __atomic_load_n(deadline_tsc, __ATOMIC_RELAXED) &&
		           !vcpu_deadline_passed(vcpu, slice_end_ns)) {
			end = LOOP_DONE;
		}
	} while (end == LOOP_GO_ON);
	now = clock_tsc();
	vcpu->stats.exit_ticks[kind] += vcpu_ticks(vcpu->exit_tsc, now);
	vcpu->stats.loop_ticks += now - vcpu->stats.loop_since;
	vcpu->stats.loop_since = 0;
	return end == LOOP_SERVE;
}

#endif
