/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ticket lock: fair, so that no CPU starves. Not recursive. Lock order: docs/locking.md.
 * Host interrupts stay off while the core runs, so there is no irqsave form.
 */
#ifndef VMM_LIB_SPINLOCK_H
#define VMM_LIB_SPINLOCK_H

#include "vmm/lib/types.h"

struct spinlock {
	uint16_t next;  /* [a] the next ticket to hand out */
	uint16_t owner; /* [a] the ticket that holds the lock */
};

static inline void spin_lock(struct spinlock *l)
{
	uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket) {
		__builtin_ia32_pause();
	}
}

/* false = somebody holds it, or waits for it. */
static inline bool spin_trylock(struct spinlock *l)
{
	uint16_t owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE), ticket = owner;

	return __atomic_compare_exchange_n(&l->next, &ticket, (uint16_t)(owner + 1), false,
	        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}

#endif
