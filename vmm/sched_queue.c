// SPDX-License-Identifier: BSD-2-Clause
// Order and arithmetic of one CPU's queue of vCPUs.
// Specs: none (contract in sched_queue.h).
#include "vmm/sched_queue.h"

#define SCALE_SHIFT 20
/* More real time than this at once is not counted: the product must fit, at weight 1 too. */
#define CHARGE_MAX_NS (1ULL << 36)

_Static_assert(CHARGE_MAX_NS <= UINT64_MAX / ((uint64_t)SCHED_WEIGHT_DEFAULT << SCALE_SHIFT),
        "sched_scaled() must not overflow");

void sched_node_init(struct sched_node *n, uint32_t weight, uint64_t cpus)
{
	*n = (struct sched_node){
	        .scale = ((uint64_t)SCHED_WEIGHT_DEFAULT << SCALE_SHIFT) /
	                 (weight ? weight : SCHED_WEIGHT_DEFAULT),
	        .cpus = cpus,
	};
}

uint64_t sched_scaled(const struct sched_node *n, uint64_t ns)
{
	return ((ns < CHARGE_MAX_NS ? ns : CHARGE_MAX_NS) * n->scale) >> SCALE_SHIFT;
}

static void count_locked(struct sched_queue *q, int by)
{
	/* Sequentially consistent: whoever queues looks for idle CPUs afterwards, and an idle CPU
	 * looks here after it has said so. */
	__atomic_store_n(&q->waiting, (uint32_t)((int)q->waiting + by), __ATOMIC_SEQ_CST);
	__atomic_store_n(&q->busy, q->waiting || q->current, __ATOMIC_RELAXED);
}

void sched_insert_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns)
{
	struct sched_node *after = q->tail;

	while (after && sched_ahead(after->vruntime, n->vruntime) > 0) {
		after = after->prev;
	}
	n->prev = after;
	n->next = after ? after->next : q->head;
	if (n->prev) {
		n->prev->next = n;
	} else {
		q->head = n;
	}
	if (n->next) {
		n->next->prev = n;
	} else {
		q->tail = n;
	}
	n->queued = true;
	n->since_ns = now_ns;
	count_locked(q, 1);
}

void sched_remove_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns)
{
	if (n->prev) {
		n->prev->next = n->next;
	} else {
		q->head = n->next;
	}
	if (n->next) {
		n->next->prev = n->prev;
	} else {
		q->tail = n->prev;
	}
	n->next = n->prev = NULL;
	if (q->favoured == n) {
		q->favoured = NULL;
	}
	/* Another CPU may have read its clock a little earlier. */
	if (now_ns > n->since_ns) {
		n->stats.wait_ns += now_ns - n->since_ns;
	}
	count_locked(q, -1);
}

/* The clock: the least of those here, but never back. */
static void advance_locked(struct sched_queue *q)
{
	const struct sched_node *least = q->current;

	if (!least || (q->head && sched_ahead(least->vruntime, q->head->vruntime) > 0)) {
		least = q->head;
	}
	if (least && sched_ahead(least->vruntime, q->vtime) > 0) {
		__atomic_store_n(&q->vtime, least->vruntime, __ATOMIC_RELAXED);
	}
}

void sched_charge_locked(struct sched_queue *q, uint64_t now_ns)
{
	struct sched_node *n = q->current;

	if (n && now_ns > q->started_ns) {
		uint64_t ns = now_ns - q->started_ns;

		n->stats.run_ns += ns;
		n->vruntime += sched_scaled(n, ns);
		q->started_ns = now_ns;
		advance_locked(q);
	}
}

void sched_place_locked(const struct sched_queue *q, struct sched_node *n, uint64_t credit_ns)
{
	uint64_t least = q->vtime - sched_scaled(n, credit_ns);
	uint64_t most = q->vtime + sched_scaled(n, SCHED_CARRY_NS);

	if (sched_ahead(n->vruntime, least) < 0) {
		n->vruntime = least;
	} else if (sched_ahead(n->vruntime, most) > 0) {
		n->vruntime = most;
	}
}

bool sched_preempts_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns)
{
	const struct sched_node *c = q->current;
	uint64_t at;

	if (!c) {
		return false;
	}
	at = c->vruntime;
	at += now_ns > q->started_ns ? sched_scaled(c, now_ns - q->started_ns) : 0;
	if (sched_ahead(q->vtime, at) > 0) {
		at = q->vtime;
	}
	if (sched_ahead(at, n->vruntime) <= (int64_t)sched_scaled(n, SCHED_PREEMPT_NS)) {
		return false;
	}
	if (!q->favoured || sched_ahead(q->favoured->vruntime, n->vruntime) > 0) {
		q->favoured = n;
	}
	return true;
}

struct sched_node *sched_first_locked(const struct sched_queue *q)
{
	return q->favoured ? q->favoured : q->head;
}

struct sched_node *sched_yield_to_locked(struct sched_queue *q, struct sched_node *n,
        bool (*prefer)(const struct sched_node *x, const struct sched_node *n))
{
	struct sched_node *first = q->head == n ? n->next : q->head;
	struct sched_node *x = first;

	if (!first) {
		return NULL;
	}
	/* One that gives up turn after turn must not get them all back in one piece. */
	if (sched_ahead(first->vruntime, n->vruntime) > (int64_t)sched_scaled(n, SCHED_SLICE_NS)) {
		n->vruntime = first->vruntime - sched_scaled(n, SCHED_SLICE_NS);
	}
	for (; x; x = x->next) {
		if (sched_ahead(x->vruntime, first->vruntime) >
		        (int64_t)sched_scaled(first, SCHED_SLICE_NS)) {
			break;
		}
		if (x != n && prefer(x, n)) {
			return x;
		}
	}
	return first;
}

void sched_start_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns)
{
	sched_remove_locked(q, n, now_ns);
	n->queued = false;
	q->current = n;
	q->busy = 1;
	q->started_ns = now_ns;
	advance_locked(q);
}

uint64_t sched_slice_locked(const struct sched_queue *q)
{
	uint64_t slice;

	if (q->waiting < 2) {
		return SCHED_SLICE_NS;
	}
	slice = SCHED_ROUND_NS / (q->waiting + 1);
	return slice > SCHED_SLICE_MIN_NS ? slice : SCHED_SLICE_MIN_NS;
}

void sched_shift_locked(struct sched_queue *q, int64_t by)
{
	__atomic_store_n(&q->vtime, q->vtime + (uint64_t)by, __ATOMIC_RELAXED);
	if (q->current) {
		q->current->vruntime += (uint64_t)by;
	}
	for (struct sched_node *n = q->head; n; n = n->next) {
		n->vruntime += (uint64_t)by;
	}
}
