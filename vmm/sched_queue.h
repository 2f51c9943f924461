/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of one physical CPU: vCPUs that wait for it, ordered by the virtual time they have
 * used, and the arithmetic of their shares. docs/decisions/0015 says why it is so.
 *
 * A vCPU's virtual time goes by the slower the larger its weight; whoever has used least runs
 * next, so over time each gets its weight's share. 'vtime' is the CPU's own virtual clock: the
 * least of those that run or wait there, never going back by itself. Comparisons are by
 * difference: the clocks may wrap.
 *
 * No function here locks or looks at the clock; all but the initialisation need the queue's lock.
 */
#ifndef VMM_SCHED_QUEUE_H
#define VMM_SCHED_QUEUE_H

#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

#define SCHED_SLICE_NS 10000000ULL    /* longest turn; also the pace of balancing */
#define SCHED_SLICE_MIN_NS 2000000ULL /* shortest turn, when many wait */
#define SCHED_ROUND_NS 20000000ULL    /* in which everybody gets a turn, while slices allow */
/* A wake-up takes the CPU away from one that is further ahead than this. */
#define SCHED_PREEMPT_NS 50000ULL
/* How far behind its CPU's clock one that slept is put at most: it gets served at once, but sleep
 * is not saved up. */
#define SCHED_CREDIT_NS 5000000ULL
/* How far behind one that waits must be for another CPU to take it over ... */
#define SCHED_PULL_NS 30000000ULL
/* ... and how much of that, or of being ahead, goes with it. Also how far CPUs may drift apart when
 * there is nothing to share. */
#define SCHED_CARRY_NS 60000000ULL

#define SCHED_WEIGHT_DEFAULT 100U

/* What an operator wants to know. */
struct sched_stats {
	uint64_t run_ns;     /* on a CPU */
	uint64_t wait_ns;    /* ready, but another ran: "steal time" */
	uint64_t switches;   /* times it was loaded into a CPU */
	uint64_t migrations; /* times that was another CPU than before */
};

/* The scheduler's part of a vCPU. [q]: lock of the queue of vcpu->cpu. */
struct sched_node {
	uint64_t vruntime;              /* [q] virtual time used */
	uint64_t scale;                 /* (c) virtual for real time, times 2^20 */
	uint64_t cpus;                  /* (c) CPUs it may run on */
	uint64_t since_ns;              /* [q] queued: since when */
	struct sched_node *next, *prev; /* [q] */
	uint32_t held;                  /* [a] CPU that may hold its state, + 1; 0 = none */
	bool queued;                    /* [q] waits, or is on its way from one queue to another */
	uint32_t last_cpu;              /* (v) where it was loaded last */
	struct sched_stats stats;       /* [q], read anywhere */
};

/* May more than one CPU run it? */
static inline bool sched_shared(const struct sched_node *n)
{
	return (n->cpus & (n->cpus - 1)) != 0;
}

struct sched_queue {
	struct spinlock lock;
	struct sched_node *head, *tail; /* [lock] by vruntime; the oldest of equals first */
	struct sched_node *current;     /* [lock] runs; not in the list */
	struct sched_node *favoured;    /* [lock] woken, runs next; NULL = the first */
	uint64_t started_ns;            /* [lock] since when current has not been charged */
	uint64_t vtime;                 /* [lock], read anywhere */
	uint32_t waiting;               /* [lock], read anywhere: nodes in the list */
	uint32_t busy;                  /* [lock], read anywhere: 1 = somebody runs or waits */
};

/* weight 0 = the default. */
void sched_node_init(struct sched_node *n, uint32_t weight, uint64_t cpus);

/* Virtual time of 'ns' real time at this node's weight. */
uint64_t sched_scaled(const struct sched_node *n, uint64_t ns);

/* In order; *n keeps its vruntime. */
void sched_insert_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns);
/* Out of the list; what it waited is counted. n->queued stays set: the caller says what it is now.
 */
void sched_remove_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns);

/* The running one has used the time since the last call; the queue's clock moves on. */
void sched_charge_locked(struct sched_queue *q, uint64_t now_ns);

/* One that comes from sleep or from another queue: bring its vruntime within reach of this CPU's
 * clock, at most credit_ns behind. Before sched_insert_locked(). */
void sched_place_locked(const struct sched_queue *q, struct sched_node *n, uint64_t credit_ns);

/*
 * n woke up and was just inserted: is it far enough behind the running one, or the CPU's clock, to
 * take its place? Then it is the next. The clock counts, because one that another CPU left behind
 * is made up for here at the expense of all, but not of those that sleep most of the time.
 */
bool sched_preempts_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns);

/* Whose turn is next; NULL = nobody waits. */
struct sched_node *sched_first_locked(const struct sched_queue *q);

/* 'n' would like another to run: the next one waiting after it, or NULL. It loses the credit it
 * would otherwise pile up. prefer(x, n): x should come first if the order nearly allows it. */
struct sched_node *sched_yield_to_locked(struct sched_queue *q, struct sched_node *n,
        bool (*prefer)(const struct sched_node *x, const struct sched_node *n));

/* Take the node out and let it run. */
void sched_start_locked(struct sched_queue *q, struct sched_node *n, uint64_t now_ns);

/* How long the running one may go on. */
uint64_t sched_slice_locked(const struct sched_queue *q);

/* Move this CPU's clock, and everybody on it, by the same amount: changes nothing among them. */
void sched_shift_locked(struct sched_queue *q, int64_t by);

/* Signed distance a - b of two virtual times. */
static inline int64_t sched_ahead(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

#endif
