// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loop: serve requests, deliver events, enter, decide, act. Handlers return what they
 * want; only this file does it.
 */
#include "vmm/event.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/pv.h"
#include "vmm/sched.h"
#include "vmm/vcpu.h"
#include "vmm/vcpu_dump.h"
#include "vmm/vm.h"

/* Requests that arrived since the last entry. false = leave the loop. */
static bool serve_requests(struct vcpu *vcpu)
{
	uint64_t req = __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);

	if (req & BIT64(VCPU_REQ_FLUSH_NESTED)) {
		cpu_virt->flush_nested_local(vcpu);
	}
	if (req & BIT64(VCPU_REQ_CALL)) {
		struct vcpu_call *call = __atomic_exchange_n(&vcpu->call, NULL, __ATOMIC_SEQ_CST);

		call->fn(vcpu, call->arg);
	}
	if (req & BIT64(VCPU_REQ_RESET)) {
		vcpu_reset(vcpu);
		vcpu->held = 0;
	}
	if (req & BIT64(VCPU_REQ_RESUME)) {
		req |= vcpu_resume(vcpu);
	}
	/* After the two above: a new stop may follow before they were served. */
	if (req & BIT64(VCPU_REQ_STOP)) {
		vcpu_stop(vcpu);
	}
	/* A VM that stops waits for all: what the others still send starts nobody again. */
	if (vcpu->state == VCPU_STOPPED) {
		if (req & BIT64(VCPU_REQ_INIT)) {
			vcpu->held &= ~BIT64(VCPU_REQ_SIPI); /* came too early */
		}
		vcpu->held |= req & VCPU_HELD_REQUESTS;
		return false;
	}
	if (req & BIT64(VCPU_REQ_INIT)) {
		vcpu_init_signal(vcpu);
	}
	if (req & BIT64(VCPU_REQ_SIPI)) {
		vcpu_sipi(vcpu, (uint8_t)__atomic_load_n(&vcpu->sipi_vector, __ATOMIC_RELAXED));
	}
	if (req & BIT64(VCPU_REQ_TIMER)) {
		vcpu_timers_serve(vcpu);
	}
	if (req & BIT64(VCPU_REQ_FLUSH_GUEST)) {
		cpu_virt->flush_guest_tlb(vcpu);
	}
	if (req & VCPU_EVENT_REQUESTS) {
		/* What is posted after this asks again, and wakes a vCPU that stays halted. */
		lapic_fold(&vcpu->lapic);
		vcpu->attention = 1;
	}
	if (vcpu->state == VCPU_HALTED && event_wakes(vcpu)) {
		vcpu->state = VCPU_RUNNABLE;
		vcpu->stats.halted_ticks += clock_tsc() - vcpu->halted_tsc;
	}
	/* Now that it is known whether it sleeps. */
	if (req & (BIT64(VCPU_REQ_PV) | BIT64(VCPU_REQ_PV_IDLE))) {
		vcpu->vm->pv->serve(vcpu);
	}
	return vcpu->state == VCPU_RUNNABLE && !(req & BIT64(VCPU_REQ_YIELD));
}

/* Carry out what the handler wants. false = leave the loop. */
static bool act(struct vcpu *vcpu, enum exit_action action)
{
	if (__builtin_expect(action == ACT_SKIP, 1)) {
		cpu_virt->skip_insn(vcpu, vcpu->exit.insn_len);
		return true;
	}
	switch (action) {
	case ACT_SKIP:
	case ACT_RESUME:
	case ACT_FAULT:
		return true;
	case ACT_HALT:
		cpu_virt->skip_insn(vcpu, vcpu->exit.insn_len);
		if (!event_wakes(vcpu)) {
			vcpu->state = VCPU_HALTED;
			vcpu->halted_tsc = clock_tsc();
		}
		return vcpu->state == VCPU_RUNNABLE;
	case ACT_YIELD:
		cpu_virt->skip_insn(vcpu, vcpu->exit.insn_len);
		vcpu->yielding = sched_contended(vcpu);
		return !vcpu->yielding;
	case ACT_SHUTDOWN:
		vm_request(vcpu->vm, VM_REQ_RESET, "triple fault");
		return true;
	case ACT_KILL:
		vm_log(vcpu->vm, LOG_ERROR, "vCPU %u: %s", vcpu->index, vcpu->kill_reason);
		vcpu_dump_killed(vcpu);
		vm_request(vcpu->vm, VM_REQ_KILL, vcpu->kill_reason);
		return true;
	}
	return true;
}

/* Something is to be done before the next entry. false = serve_requests() has to do it. */
static __attribute__((noinline)) bool prepare(struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) &
	        ~(VCPU_EVENT_REQUESTS | VCPU_IDLE_REQUESTS)) {
		return false;
	}
	event_prepare_entry(vcpu);
	return true;
}

/* What the loop enters the guest for at most: until a timer of this CPU or the end of the slice. */
struct deadline {
	uint64_t ns;
	uint64_t tsc;
};

static void deadline_set(struct deadline *d, uint64_t ns)
{
	d->ns = ns;
	d->tsc = clock_ns_to_tsc(ns);
}

/* It has passed: run what is due. false = the slice is over. */
static bool deadline_passed(struct vcpu *vcpu, struct deadline *d, uint64_t slice_end_ns)
{
	uint64_t now = clock_now();

	timer_run_due(vcpu->cpu, now);
	deadline_set(d, slice_end_ns);
	return now < slice_end_ns;
}

/*
 * The exit path: every instruction here is paid by every exit. true = requests came and the
 * caller serves them; false = the vCPU stopped being runnable, or it is another's turn. Apart from
 * its caller, so that the compiler keeps the loop's registers to itself.
 */
static __attribute__((noinline)) bool run_until_request(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	struct deadline deadline;
	bool go_on = true;

	deadline_set(&deadline, slice_end_ns);
	vcpu->exit_tsc = clock_tsc();
	vcpu->exit.kind = EXIT_NONE;
	while (go_on) {
		uint64_t entry_tsc;

		if ((__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) | vcpu->attention) != 0) {
			/*
			 * An event whose delivery exits each time, #AC or #DB on a stack made for
			 * it, never lets the timer have its turn.
			 */
			if (vcpu->exit_tsc >= deadline.tsc &&
			        !deadline_passed(vcpu, &deadline, slice_end_ns)) {
				go_on = false;
				break;
			}
			if (!prepare(vcpu)) {
				break;
			}
		}
		if (timer_next_deadline(vcpu->cpu) < deadline.ns) {
			deadline_set(&deadline, timer_next_deadline(vcpu->cpu));
		}

		entry_tsc = clock_tsc();
		vcpu->stats.exits[vcpu->exit.kind].ticks += entry_tsc - vcpu->exit_tsc;
		cpu_virt->run(vcpu, entry_tsc, deadline.tsc);
		vcpu->exit_tsc = clock_tsc();
		vcpu->stats.guest_ticks += vcpu->exit_tsc - entry_tsc;
		vcpu->stats.exits[vcpu->exit.kind].count++;
		if (vcpu->exit.kind != EXIT_NONE) {
			vcpu_record_exit(vcpu, vcpu->exit_tsc);
			go_on = act(vcpu, vcpu_exit_dispatch(vcpu, &vcpu->exit));
		} else if (vcpu->exit_tsc >= deadline.tsc) {
			go_on = deadline_passed(vcpu, &deadline, slice_end_ns);
		}
	}
	vcpu->stats.exits[vcpu->exit.kind].ticks += clock_tsc() - vcpu->exit_tsc;
	return go_on;
}

void vcpu_run(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	__atomic_store_n(&vcpu->running, 1, __ATOMIC_SEQ_CST);
	while (serve_requests(vcpu) && run_until_request(vcpu, slice_end_ns)) {
	}
	__atomic_store_n(&vcpu->running, 0, __ATOMIC_SEQ_CST);
}
