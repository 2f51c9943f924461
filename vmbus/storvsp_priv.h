/* SPDX-License-Identifier: BSD-2-Clause */
/* The synthetic SCSI controller inside: storvsp.c has the channel, storvsp_packet.c the protocol.
 */
#ifndef VMBUS_STORVSP_PRIV_H
#define VMBUS_STORVSP_PRIV_H

#include "vmbus/storvsp.h"

/* slot->packet is answered: it waits to be sent. executed: a unit had it. Any CPU, no lock. */
void storvsp_finish(struct storvsp_slot *slot, bool executed);
/* Act on a packet that wants a completion; storvsp_finish() follows, now or later. */
void storvsp_handle(struct storvsp_slot *slot, const struct vmbus_packet *packet);

static inline bool storvsp_is_primary(const struct storvsp_channel *sc)
{
	return sc == &sc->s->channels[0];
}

static inline enum storvsp_state storvsp_state(const struct storvsp *s)
{
	return (enum storvsp_state)__atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

static inline void storvsp_set_state(struct storvsp *s, enum storvsp_state state)
{
	__atomic_store_n(&s->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static inline void storvsp_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#endif
