// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loop of one physical CPU: timers, VM requests, the next vCPU in turn, or sleep.
 *
 * A vCPU belongs to one CPU for good; its queue holds those that have something to do. One
 * is 'current' while it runs, so that a wake-up for it is not lost: it is queued again if
 * requests arrived by the time it comes back.
 */
#include "vmm/sched.h"

#include "vmm/hw/apic_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/spinlock.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

struct run_queue {
	struct spinlock lock;
	struct vcpu *head, *tail; /* [lock] */
	struct vcpu *current;     /* [lock] */
};

static struct run_queue queues[MAX_CPUS];
static unsigned cpus_used; /* (c) after boot */
static unsigned next_cpu;  /* boot only */

void sched_init(unsigned n_cpus)
{
	cpus_used = n_cpus;
}

void sched_assign(struct vcpu *vcpu)
{
	vcpu->cpu = next_cpu;
	next_cpu = (next_cpu + 1) % cpus_used;
}

static void push_locked(struct run_queue *q, struct vcpu *vcpu)
{
	vcpu->queued = true;
	vcpu->next_ready = NULL;
	if (q->tail) {
		q->tail->next_ready = vcpu;
	} else {
		q->head = vcpu;
	}
	q->tail = vcpu;
}

void sched_wake(struct vcpu *vcpu)
{
	struct run_queue *q = &queues[vcpu->cpu];

	spin_lock(&q->lock);
	if (!vcpu->queued && q->current != vcpu) {
		push_locked(q, vcpu);
	}
	spin_unlock(&q->lock);
	pcpu_kick(vcpu->cpu);
}

static struct vcpu *take_next(struct run_queue *q)
{
	struct vcpu *vcpu;

	spin_lock(&q->lock);
	vcpu = q->head;
	if (vcpu) {
		q->head = vcpu->next_ready;
		if (!q->head) {
			q->tail = NULL;
		}
		vcpu->queued = false;
		q->current = vcpu;
	}
	spin_unlock(&q->lock);
	return vcpu;
}

static void put_back(struct run_queue *q, struct vcpu *vcpu)
{
	spin_lock(&q->lock);
	q->current = NULL;
	/* Requests that came after its last look are a reason to run again, whatever its state. */
	if (vcpu->state == VCPU_RUNNABLE || __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST)) {
		push_locked(q, vcpu);
	}
	spin_unlock(&q->lock);
}

static void switch_to(struct pcpu *cpu, struct vcpu *vcpu)
{
	if (cpu->loaded == vcpu) {
		return;
	}
	if (cpu->loaded) {
		cpu_virt->vcpu_put(cpu->loaded);
	}
	cpu_virt->vcpu_load(vcpu);
}

/* Nothing to run: sleep until an interrupt, at the latest until the next timer. */
static void idle(struct pcpu *cpu)
{
	apic_timer_set(clock_ns_to_tsc(timer_next_deadline(cpu->index)));
	__atomic_store_n(&cpu->idle, 1, __ATOMIC_SEQ_CST);
	/* Interrupts are off: a kick that came after the queue was empty is pending and wakes us.
	 */
	cpu_idle();
	__atomic_store_n(&cpu->idle, 0, __ATOMIC_SEQ_CST);
}

__noreturn void sched_loop(struct pcpu *cpu)
{
	struct run_queue *q = &queues[cpu->index];

	for (;;) {
		struct vcpu *vcpu;
		bool again;

		timer_run_due(cpu->index, clock_now());
		again = vm_serve_requests(cpu->index);
		vcpu = take_next(q);
		if (!vcpu) {
			if (!again) {
				idle(cpu);
			}
			continue;
		}
		switch_to(cpu, vcpu);
		vcpu_run(vcpu, clock_now() + SCHED_SLICE_NS);
		put_back(q, vcpu);
	}
}
