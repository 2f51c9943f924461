// SPDX-License-Identifier: BSD-2-Clause
// Per-CPU queues of one-shot timers, sorted by deadline.
// Specs: none (contract in timer.h).
#include "vmm/hw/timer.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/spinlock.h"

/* Callbacks in one call of timer_run_due(): one that always re-arms in the past must not hold
 * the CPU for ever. What is left is due at the next call. */
#define TIMER_MAX_RUN 256U

static struct timer_queue {
	struct spinlock lock;
	struct timer *head, *tail; /* [lock] */
	uint64_t not_first;        /* [a] ~deadline of the head, so that a zeroed queue is empty */
	uint64_t limit_ns;         /* [lock] timer_watch() */
	uint64_t watched_ns;       /* [lock] the head's deadline or the limit, what comes first */
	uint64_t watched_tsc;      /* [a] the same by the TSC */
} queues[MAX_CPUS];

static void publish_watched(struct timer_queue *q, uint64_t first)
{
	uint64_t ns = first < q->limit_ns ? first : q->limit_ns;

	if (ns != q->watched_ns) {
		q->watched_ns = ns;
		__atomic_store_n(&q->watched_tsc, clock_ns_to_tsc(ns), __ATOMIC_RELAXED);
	}
}

static void publish_first(struct timer_queue *q)
{
	uint64_t first = q->head ? q->head->deadline_ns : TIMER_NEVER;

	__atomic_store_n(&q->not_first, ~first, __ATOMIC_RELEASE);
	publish_watched(q, first);
}

static void unlink_locked(struct timer_queue *q, struct timer *t)
{
	if (t->prev) {
		t->prev->next = t->next;
	} else {
		q->head = t->next;
	}
	if (t->next) {
		t->next->prev = t->prev;
	} else {
		q->tail = t->prev;
	}
	t->next = t->prev = NULL;
	t->queued = 0;
}

/* From the end: most deadlines are later than those already waiting. Equal ones stay in order. */
static void insert_locked(struct timer_queue *q, struct timer *t)
{
	struct timer *before = q->tail;

	while (before && before->deadline_ns > t->deadline_ns) {
		before = before->prev;
	}
	t->prev = before;
	t->next = before ? before->next : q->head;
	if (t->prev) {
		t->prev->next = t;
	} else {
		q->head = t;
	}
	if (t->next) {
		t->next->prev = t;
	} else {
		q->tail = t;
	}
	t->queued = 1;
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){.deadline_ns = TIMER_NEVER, .fn = fn};
}

void timer_cancel(struct timer *t)
{
	struct timer_queue *q = &queues[t->cpu];

	spin_lock(&q->lock);
	if (t->queued) {
		unlink_locked(q, t);
		publish_first(q);
	}
	t->deadline_ns = TIMER_NEVER;
	spin_unlock(&q->lock);
}

void timer_arm(struct timer *t, uint32_t cpu, uint64_t deadline_ns)
{
	struct timer_queue *q;
	bool first;

	BUG_ON(cpu >= MAX_CPUS);
	if (deadline_ns == TIMER_NEVER || t->cpu != cpu) {
		timer_cancel(t);
	}
	if (deadline_ns == TIMER_NEVER) {
		return;
	}
	q = &queues[cpu];
	spin_lock(&q->lock);
	if (t->queued) {
		unlink_locked(q, t);
	}
	t->cpu = cpu;
	t->deadline_ns = deadline_ns;
	insert_locked(q, t);
	publish_first(q);
	first = q->head == t;
	spin_unlock(&q->lock);
	if (first) {
		pcpu_kick(cpu);
	}
}

uint64_t timer_next_deadline(uint32_t cpu)
{
	return ~__atomic_load_n(&queues[cpu].not_first, __ATOMIC_ACQUIRE);
}

const uint64_t *timer_watch(uint32_t cpu, uint64_t limit_ns)
{
	struct timer_queue *q = &queues[cpu];

	spin_lock(&q->lock);
	q->limit_ns = limit_ns;
	publish_watched(q, ~q->not_first);
	spin_unlock(&q->lock);
	return &q->watched_tsc;
}

void timer_run_due(uint32_t cpu, uint64_t now_ns)
{
	struct timer_queue *q = &queues[cpu];

	for (unsigned n = 0; n < TIMER_MAX_RUN && timer_next_deadline(cpu) <= now_ns; n++) {
		struct timer *t;

		spin_lock(&q->lock);
		t = q->head;
		if (!t || t->deadline_ns > now_ns) {
			spin_unlock(&q->lock);
			return;
		}
		unlink_locked(q, t);
		t->deadline_ns = TIMER_NEVER;
		publish_first(q);
		spin_unlock(&q->lock);
		t->fn(t);
	}
}
