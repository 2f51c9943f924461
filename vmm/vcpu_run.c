// SPDX-License-Identifier: BSD-2-Clause
/*
 * Running a vCPU: requests are served here, the loop of entries and exits is vmm/vcpu_loop.h.
 * Handlers return what they want; only these two do it.
 */
#include "vmm/event.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/pv.h"
#include "vmm/sched.h"
#include "vmm/vcpu_dump.h"
#include "vmm/vcpu_loop.h"
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

bool vcpu_act(struct vcpu *vcpu, enum exit_action action)
{
	switch (action) {
	case ACT_SKIP:
		cpu_virt->skip_exit(vcpu);
		return true;
	case ACT_RESUME:
	case ACT_FAULT:
		return true;
	case ACT_HALT:
		cpu_virt->skip_exit(vcpu);
		if (!event_wakes(vcpu)) {
			vcpu->state = VCPU_HALTED;
			vcpu->halted_tsc = clock_tsc();
		}
		return vcpu->state == VCPU_RUNNABLE;
	case ACT_YIELD:
		cpu_virt->skip_exit(vcpu);
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

__attribute__((noinline)) bool vcpu_deadline_passed(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	uint64_t now = clock_now();

	timer_run_due(vcpu->cpu, now);
	return now < slice_end_ns;
}

enum vcpu_loop_end vcpu_prepare_entry(
        struct vcpu *vcpu, uint64_t slice_end_ns, uint64_t deadline_tsc)
{
	uint64_t requests;

	/*
	 * An event whose delivery exits each time, #AC or #DB on a stack made for it, never lets
	 * the timer have its turn.
	 */
	if (vcpu->exit_tsc >= deadline_tsc && !vcpu_deadline_passed(vcpu, slice_end_ns)) {
		return LOOP_DONE;
	}
	requests = __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED);
	if (requests & ~(VCPU_EVENT_REQUESTS | VCPU_IDLE_REQUESTS)) {
		return LOOP_SERVE;
	}
	if (vcpu->attention | (requests & VCPU_EVENT_REQUESTS)) {
		event_prepare_entry(vcpu, requests);
	}
	return LOOP_GO_ON;
}

void vcpu_run(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	__atomic_store_n(&vcpu->running, 1, __ATOMIC_SEQ_CST);
	while (serve_requests(vcpu) && cpu_virt->loop(vcpu, slice_end_ns)) {
	}
	__atomic_store_n(&vcpu->running, 0, __ATOMIC_SEQ_CST);
}
