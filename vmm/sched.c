// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loop of one physical CPU: timers, VM requests, the vCPU whose turn it is, or sleep; and
 * the wake-up of vCPUs.
 *
 * A vCPU belongs to the CPU in vcpu->cpu: to its queue, and for its registers, which stay in the
 * processor until another vCPU is loaded there. It changes hands only while no CPU holds them
 * (sched.held), under the lock of the queue it leaves. One is 'current' while it runs, so that a
 * wake-up for it is not lost: it is queued again if requests arrived by the time it comes back.
 */
#include "vmm/sched.h"

#include "vmm/hw/apic_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/sched_balance.h"
#include "vmm/vcpu.h"
#include "vmm/vcpu_timer.h"
#include "vmm/vm.h"

static struct sched_queue queues[MAX_CPUS];
static struct sched_cpu_stats cpu_stats[MAX_CPUS]; /* own CPU; read anywhere */
static uint64_t idle_since_ns[MAX_CPUS];           /* [a] asleep since; 0 = awake */
static uint64_t balance_due_ns[MAX_CPUS];          /* own CPU */
static uint64_t idle_cpus; /* [a] bits: asleep, or about to look once more */
static unsigned next_cpu;  /* boot only */

_Static_assert(MAX_CPUS <= 64, "masks of CPUs are one word");

static bool claim(struct sched_node *n, uint32_t cpu);

static struct sched_cpus cpus = {.queues = queues, .claim = claim}; /* (c) after boot */

static struct vcpu *vcpu_of(struct sched_node *n)
{
	return n ? container_of(n, struct vcpu, sched) : NULL;
}

static struct sched_queue *lock_queue_of(struct vcpu *vcpu)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&vcpu->cpu, __ATOMIC_ACQUIRE);

		spin_lock(&queues[cpu].lock);
		if (__atomic_load_n(&vcpu->cpu, __ATOMIC_RELAXED) == cpu) {
			return &queues[cpu];
		}
		spin_unlock(&queues[cpu].lock);
	}
}

/* --- set-up --- */

void sched_init(unsigned n_cpus)
{
	next_cpu = 0;
	__atomic_store_n(&cpus.n, n_cpus, __ATOMIC_RELEASE);
}

uint64_t sched_missing_cpus(uint64_t mask)
{
	return cpus.n < 64 ? mask & ~(BIT64(cpus.n) - 1) : 0;
}

int sched_assign(struct vcpu *vcpu)
{
	const struct config_vm *config = vcpu->vm->config;
	uint64_t mask = config->cpu_mask ? config->cpu_mask : ~0ULL;

	mask &= ~sched_missing_cpus(~0ULL);
	if (mask == 0) {
		return -ENODEV;
	}
	while (!(mask & BIT64(next_cpu % cpus.n))) {
		next_cpu++;
	}
	vcpu->cpu = next_cpu++ % cpus.n;
	sched_node_init(&vcpu->sched, config->weight, mask);
	vcpu->sched.last_cpu = vcpu->cpu;
	return 0;
}

/* --- who waits where --- */

/* Wake an idle CPU that could run what waits. */
static void offer(uint64_t mask)
{
	uint64_t idle = __atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & mask;

	if (idle) {
		pcpu_kick(bit_first(idle));
	}
}

/*
 * Where to wake it: where it is if that CPU is free or still has its registers, or where a sleeping
 * CPU may take it. A stopped one waits at home for its next life.
 */
static uint32_t choose_cpu_locked(const struct sched_queue *q, const struct vcpu *vcpu)
{
	uint64_t idle;

	if (!sched_shared(&vcpu->sched) || !q->busy || vcpu->state == VCPU_STOPPED ||
	        __atomic_load_n(&vcpu->sched.held, __ATOMIC_ACQUIRE)) {
		return vcpu->cpu;
	}
	idle = __atomic_load_n(&idle_cpus, __ATOMIC_RELAXED) & vcpu->sched.cpus;
	while (idle) {
		uint32_t cpu = bit_first(idle);

		/* The next to be woken goes elsewhere. */
		if (__atomic_fetch_and(&idle_cpus, ~BIT64(cpu), __ATOMIC_SEQ_CST) & BIT64(cpu)) {
			return cpu;
		}
		idle &= idle - 1;
	}
	return vcpu->cpu;
}

/* Into the queue of 'cpu', coming from sleep or from another queue. */
static void enter_locked(uint32_t cpu, struct sched_node *n, uint64_t credit_ns, uint64_t now)
{
	struct sched_queue *q = &queues[cpu];

	if (!q->busy) {
		q->vtime = sched_common_vtime(&cpus, cpu);
	}
	sched_place_locked(q, n, credit_ns);
	sched_insert_locked(q, n, now);
}

static bool ready_locked(const struct sched_queue *q, const struct vcpu *vcpu)
{
	return vcpu->sched.queued || q->current == &vcpu->sched;
}

void sched_wake(struct vcpu *vcpu)
{
	struct sched_queue *q = lock_queue_of(vcpu);
	uint64_t now = clock_now();
	bool preempt = false;
	uint32_t cpu;

	if (ready_locked(q, vcpu)) {
		spin_unlock(&q->lock);
		return;
	}
	cpu = choose_cpu_locked(q, vcpu);
	if (cpu != vcpu->cpu) {
		__atomic_store_n(&vcpu->cpu, cpu, __ATOMIC_RELEASE);
		spin_unlock(&q->lock);
		q = &queues[cpu];
		spin_lock(&q->lock);
		if (vcpu->cpu != cpu || ready_locked(q, vcpu)) {
			/* Somebody else woke it meanwhile. */
			spin_unlock(&q->lock);
			return;
		}
	}
	enter_locked(cpu, &vcpu->sched, SCHED_CREDIT_NS, now);
	if (q->current) {
		preempt = sched_preempts_locked(q, &vcpu->sched, now);
		if (preempt) {
			__atomic_fetch_or(&vcpu_of(q->current)->requests, BIT64(VCPU_REQ_YIELD),
			        __ATOMIC_SEQ_CST);
		}
	}
	preempt |= !q->current;
	spin_unlock(&q->lock);
	if (preempt) {
		pcpu_kick(cpu);
	} else {
		/* A CPU that fell asleep since we chose. */
		offer(vcpu->sched.cpus);
	}
}

bool sched_contended(const struct vcpu *vcpu)
{
	return __atomic_load_n(&queues[vcpu->cpu].waiting, __ATOMIC_RELAXED) != 0;
}

/* For sched_pull(). */
static bool claim(struct sched_node *n, uint32_t cpu)
{
	struct vcpu *vcpu = vcpu_of(n);

	/* Its home CPU may start it again at any time. */
	if (__atomic_load_n(&vcpu->state, __ATOMIC_RELAXED) == VCPU_STOPPED) {
		return false;
	}
	__atomic_store_n(&vcpu->cpu, cpu, __ATOMIC_RELEASE);
	return true;
}

/* Take over what waits elsewhere; see sched_pull(). */
static bool pull(uint32_t cpu, bool idle)
{
	uint64_t now = clock_now();
	struct sched_node *n = sched_pull(&cpus, cpu, idle, now);

	if (!n) {
		return false;
	}
	spin_lock(&queues[cpu].lock);
	enter_locked(cpu, n, SCHED_CARRY_NS, now);
	spin_unlock(&queues[cpu].lock);
	cpu_stats[cpu].pulls++;
	return true;
}

/* --- turns --- */

/* Its time is over: back into the queue, if it has something to do. */
static void put_back_locked(struct sched_queue *q, struct vcpu *vcpu, uint64_t now)
{
	const uint64_t yield = BIT64(VCPU_REQ_YIELD);

	sched_charge_locked(q, now);
	q->current = NULL;
	/* Nobody asks it to make room any more. */
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & yield) {
		__atomic_fetch_and(&vcpu->requests, ~yield, __ATOMIC_SEQ_CST);
	}
	/* Requests that came after its last look are a reason to run again, whatever its state. */
	if (vcpu->state == VCPU_RUNNABLE || __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST)) {
		sched_insert_locked(q, &vcpu->sched, now);
	} else {
		q->busy = q->waiting != 0;
	}
}

static bool same_vm(const struct sched_node *x, const struct sched_node *n)
{
	return container_of(x, struct vcpu, sched)->vm == container_of(n, struct vcpu, sched)->vm;
}

static struct sched_node *choose_locked(struct sched_queue *q, struct vcpu *prev)
{
	struct sched_node *other = NULL;

	if (prev && prev->yielding) {
		prev->yielding = false;
		if (prev->sched.queued) {
			other = sched_yield_to_locked(q, &prev->sched, same_vm);
		}
	}
	return other ? other : sched_first_locked(q);
}

/* Who is next, and until when; NULL = nobody. prev: who ran here until now, or NULL. */
static struct vcpu *turn(struct sched_queue *q, struct vcpu *prev, uint64_t *end_ns)
{
	uint64_t now = clock_now();
	struct sched_node *n;

	spin_lock(&q->lock);
	if (prev) {
		put_back_locked(q, prev, now);
	}
	n = choose_locked(q, prev);
	if (n) {
		sched_start_locked(q, n, now);
		*end_ns = now + sched_slice_locked(q);
	}
	spin_unlock(&q->lock);
	return vcpu_of(n);
}

/* Its registers leave this CPU; if another may run it, without a trace. */
static void unload(struct pcpu *cpu, struct vcpu *vcpu)
{
	uint32_t here = cpu->index + 1;

	cpu_virt->vcpu_put(vcpu);
	if (sched_shared(&vcpu->sched)) {
		cpu_virt->vcpu_release(vcpu);
		/* It may be gone with this. An idle CPU that looked too early is called again. */
		__atomic_compare_exchange_n(
		        &vcpu->sched.held, &here, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&vcpu->sched.queued, __ATOMIC_RELAXED)) {
			offer(vcpu->sched.cpus);
		}
	}
}

static void switch_to(struct pcpu *cpu, struct vcpu *vcpu)
{
	struct sched_node *n = &vcpu->sched;

	if (cpu->loaded == vcpu) {
		return;
	}
	if (cpu->loaded) {
		unload(cpu, cpu->loaded);
	}
	__atomic_store_n(&n->held, cpu->index + 1, __ATOMIC_RELAXED);
	cpu_virt->vcpu_load(vcpu);
	n->stats.switches++;
	cpu_stats[cpu->index].switches++;
	if (n->last_cpu != cpu->index) {
		n->last_cpu = cpu->index;
		n->stats.migrations++;
		vcpu_timers_move(vcpu);
	}
}

/*
 * It has stopped: nothing of it stays here, so that its home CPU, and no other, may start it again.
 */
static void retire(struct pcpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *q = &queues[cpu->index];
	uint32_t here = cpu->index + 1;
	bool shared = sched_shared(&vcpu->sched);
	bool more;

	if (shared && cpu->loaded == vcpu) {
		cpu_virt->vcpu_put(vcpu);
		cpu_virt->vcpu_release(vcpu);
	}
	spin_lock(&q->lock);
	sched_charge_locked(q, clock_now());
	q->current = NULL;
	q->busy = q->waiting != 0;
	more = __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) & ~BIT64(VCPU_REQ_YIELD);
	if (shared) {
		if (vcpu->index == 0) {
			__atomic_store_n(&vcpu->cpu, vcpu->vm->home_cpu, __ATOMIC_RELEASE);
		}
		/* The home CPU may have loaded it since the line above: then this is not ours. */
		__atomic_compare_exchange_n(
		        &vcpu->sched.held, &here, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&q->lock);
	if (more) {
		sched_wake(vcpu);
	}
	/* It may be asleep, and waits for the last one to stop. */
	pcpu_kick(vcpu->vm->home_cpu);
}

bool sched_released(const struct vcpu *vcpu, uint32_t cpu)
{
	uint32_t held = __atomic_load_n(&vcpu->sched.held, __ATOMIC_ACQUIRE);

	return held == 0 || held == cpu + 1;
}

void sched_load(struct vcpu *vcpu)
{
	struct pcpu *cpu = pcpu_this();

	BUG_ON(vcpu->cpu != cpu->index);
	switch_to(cpu, vcpu);
}

void sched_charge(struct vcpu *vcpu, uint64_t ns)
{
	struct sched_queue *q = &queues[pcpu_this()->index];
	struct sched_node *n = &vcpu->sched;
	uint64_t now = clock_now();

	spin_lock(&q->lock);
	if (q->current && q->current != n) {
		q->started_ns += ns < now - q->started_ns ? ns : now - q->started_ns;
	}
	spin_unlock(&q->lock);

	q = lock_queue_of(vcpu);
	n->stats.run_ns += ns;
	n->vruntime += sched_scaled(n, ns);
	/* If it waits already it keeps its place this once. */
	spin_unlock(&q->lock);
}

/* --- the loop --- */

/* Nothing to run: sleep until an interrupt, at the latest until the next timer. */
static void idle(struct pcpu *cpu)
{
	uint64_t bit = BIT64(cpu->index), start;

	/* First say so, then look: who queues something later finds us. */
	__atomic_fetch_or(&idle_cpus, bit, __ATOMIC_SEQ_CST);
	if (!pull(cpu->index, true)) {
		start = clock_now();
		__atomic_store_n(&idle_since_ns[cpu->index], start, __ATOMIC_RELAXED);
		apic_timer_set(clock_ns_to_tsc(timer_next_deadline(cpu->index)));
		/* Interrupts are off: a kick that came after we looked is pending and wakes us. */
		cpu_idle();
		__atomic_store_n(&idle_since_ns[cpu->index], 0, __ATOMIC_RELAXED);
		cpu_stats[cpu->index].idle_ns += clock_now() - start;
	}
	__atomic_fetch_and(&idle_cpus, ~bit, __ATOMIC_SEQ_CST);
}

static void balance(uint32_t cpu, uint64_t now)
{
	if (now >= balance_due_ns[cpu]) {
		balance_due_ns[cpu] = now + SCHED_SLICE_NS;
		pull(cpu, false);
	}
}

__noreturn void sched_loop(struct pcpu *cpu)
{
	struct sched_queue *q = &queues[cpu->index];
	struct vcpu *vcpu = NULL; /* runs, or ran until now and still is the queue's current one */

	for (;;) {
		uint64_t now = clock_now(), end_ns = 0;
		bool again;

		/*
		 * They exit a guest whatever it does; but in Bochs not one that keeps interrupts
		 * off, and the console would be dead beside it.
		 */
		cpu_take_interrupts();
		timer_run_due(cpu->index, now);
		again = vm_serve_requests(cpu->index);
		balance(cpu->index, now);
		vcpu = turn(q, vcpu, &end_ns);
		if (!vcpu) {
			if (!again) {
				idle(cpu);
			}
			continue;
		}
		switch_to(cpu, vcpu);
		vcpu_run(vcpu, end_ns);
		if (vcpu->state == VCPU_STOPPED) {
			retire(cpu, vcpu);
			vcpu = NULL;
		}
	}
}

/* --- figures --- */

void sched_get_stats(struct vcpu *vcpu, struct sched_stats *stats)
{
	struct sched_queue *q = lock_queue_of(vcpu);
	const struct sched_node *n = &vcpu->sched;
	uint64_t now = clock_now();

	*stats = n->stats;
	if (q->current == n && now > q->started_ns) {
		stats->run_ns += now - q->started_ns;
	} else if (n->queued && now > n->since_ns) {
		stats->wait_ns += now - n->since_ns;
	}
	spin_unlock(&q->lock);
}

void sched_get_cpu_stats(uint32_t cpu, struct sched_cpu_stats *stats)
{
	uint64_t since = __atomic_load_n(&idle_since_ns[cpu], __ATOMIC_RELAXED);
	uint64_t now = clock_now();

	*stats = cpu_stats[cpu];
	/* A sleep is counted when it ends; one that ends just now is not counted twice. */
	if (since && now > since &&
	        since == __atomic_load_n(&idle_since_ns[cpu], __ATOMIC_RELAXED)) {
		stats->idle_ns += now - since;
	}
}
