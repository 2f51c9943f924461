// SPDX-License-Identifier: BSD-2-Clause
// Taking waiting vCPUs over from other CPUs.
// Specs: none (contract in sched_balance.h).
#include "vmm/sched_balance.h"

#include "vmm/lib/bits.h"

/* The least virtual time of those here; unlike the queue's clock it may go back. */
static bool least_locked(const struct sched_queue *q, uint64_t *least)
{
	const struct sched_node *n = q->current;

	if (!n || (q->head && sched_ahead(n->vruntime, q->head->vruntime) > 0)) {
		n = q->head;
	}
	if (n) {
		*least = n->vruntime;
	}
	return n != NULL;
}

struct search {
	uint32_t cpu;
	bool idle;
	uint64_t least;
	uint64_t now_ns;
	bool waits; /* somebody waits elsewhere who could run here */
};

static bool lags(const struct search *s, const struct sched_node *n)
{
	return sched_ahead(s->least, n->vruntime) > (int64_t)sched_scaled(n, SCHED_PULL_NS);
}

static struct sched_node *search_queue(
        const struct sched_cpus *cpus, struct sched_queue *q, struct search *s)
{
	struct sched_node *found = NULL;

	spin_lock(&q->lock);
	for (struct sched_node *n = q->head; n; n = n->next) {
		if (!(n->cpus & BIT64(s->cpu))) {
			continue;
		}
		s->waits = true;
		if (!s->idle && !lags(s, n)) {
			continue;
		}
		/* Its registers may still be in that CPU, which has just turned to another. */
		if (!__atomic_load_n(&n->held, __ATOMIC_SEQ_CST) && cpus->claim(n, s->cpu)) {
			sched_remove_locked(q, n, s->now_ns);
			found = n;
			break;
		}
	}
	spin_unlock(&q->lock);
	return found;
}

/*
 * Nobody waits for this CPU, so that it is ahead of others is nobody's loss: a pinned vCPU of small
 * weight makes a clock run fast, one that is worth more than a CPU makes it slow. Forget it, or it
 * would be made good to those who come later.
 */
static void forget_lead(const struct sched_cpus *cpus, uint32_t cpu)
{
	struct sched_queue *q = &cpus->queues[cpu];
	uint64_t common = sched_common_vtime(cpus, cpu);
	const struct sched_node *n;
	int64_t lead;

	spin_lock(&q->lock);
	n = q->current ? q->current : q->head;
	lead = n ? sched_ahead(q->vtime, common + sched_scaled(n, SCHED_CARRY_NS)) : 0;
	if (lead > 0) {
		sched_shift_locked(q, -lead);
	}
	spin_unlock(&q->lock);
}

struct sched_node *sched_pull(
        const struct sched_cpus *cpus, uint32_t cpu, bool idle, uint64_t now_ns)
{
	struct search s = {.cpu = cpu, .idle = idle, .now_ns = now_ns};
	struct sched_queue *own = &cpus->queues[cpu];

	if (!idle) {
		spin_lock(&own->lock);
		sched_charge_locked(own, now_ns);
		s.idle = !least_locked(own, &s.least);
		spin_unlock(&own->lock);
	}
	for (unsigned i = 1; i < cpus->n; i++) {
		struct sched_queue *q = &cpus->queues[(cpu + i) % cpus->n];

		if (__atomic_load_n(&q->waiting, __ATOMIC_SEQ_CST)) {
			struct sched_node *n = search_queue(cpus, q, &s);

			if (n) {
				return n;
			}
		}
	}
	if (!s.waits && !s.idle) {
		forget_lead(cpus, cpu);
	}
	return NULL;
}

uint64_t sched_common_vtime(const struct sched_cpus *cpus, uint32_t cpu)
{
	uint64_t common = __atomic_load_n(&cpus->queues[cpu].vtime, __ATOMIC_RELAXED);
	bool any = false;

	for (unsigned i = 0; i < cpus->n; i++) {
		const struct sched_queue *q = &cpus->queues[i];
		uint64_t vtime = __atomic_load_n(&q->vtime, __ATOMIC_RELAXED);

		if (i != cpu && __atomic_load_n(&q->busy, __ATOMIC_RELAXED) &&
		        (!any || sched_ahead(common, vtime) > 0)) {
			common = vtime;
			any = true;
		}
	}
	return common;
}
