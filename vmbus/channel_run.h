/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who works a channel, and when; its opening and its closing. For vmbus.c.
 *
 * A guest signals only when it finds the ring empty and our mask off, so a host that reads all and
 * takes its mask off after each signal gets a signal, and with it an exit, for each packet. What
 * more would have come together shows only to who waits. So now and then it waits with the mask on,
 * and as long as that brings more than one packet it stays on. A masked ring is drained when a vCPU
 * of the VM halts; at the latest after the time that WAIT_PACKETS took lately, as a guest that has
 * other things to do does not halt. A guest that sends one request and waits for its answer has
 * each one done within the signal, but for the few that a try costs, ever fewer while they fail.
 */
#ifndef VMBUS_CHANNEL_RUN_H
#define VMBUS_CHANNEL_RUN_H

#include "vmbus/channel.h"

enum run_why {
	RUN_SIGNAL, /* the guest told us */
	RUN_KICK,   /* the device wants it */
	RUN_HALT,   /* the ring is masked, and a vCPU halts while others may run */
	RUN_DRAIN,  /* the ring is masked, and nobody will look at it soon */
};

/*
 * Work it now, a bounded while. When another CPU is at it already, that one goes round once more
 * and this returns at once. No lock held.
 */
void channel_run(struct vmbus_channel *ch, enum run_why why);
/* For who took the lock himself: somebody may have come meanwhile. */
void channel_unlock(struct vmbus_channel *ch);

/* The server's: an opening with its rings made of ch->ring_gpadl, a closing, another VP, a GPADL
 * that goes. Server's lock held. */
__must_check int channel_begin(
        struct vmbus_channel *ch, uint32_t out_offset_pages, const uint8_t *user);
void channel_end(struct vmbus_channel *ch);
void channel_retarget(struct vmbus_channel *ch, uint32_t vp);
void channel_gpadl_gone(struct vmbus_channel *ch, struct gpadl *g);

#endif
