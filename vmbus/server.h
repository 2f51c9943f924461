/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMBus server of a VM: control messages in, control messages out, and what a channel's state
 * becomes. A pure state machine: its outside is struct vmbus_server_ops, so a whole conversation
 * is a unit test.
 *
 * Every message of docs/vmbus.md's table has a defined answer in every state. Where a guest waits
 * for ever for an answer, one is sent, also of a failure. Answers that do not fit the guest's slot
 * wait here, in order; offers, rescinds and what else has no request wait as the state of a channel
 * and are sent when no answer waits. While the outbox is full the guest's messages are refused (it
 * tries again), so memory is bounded.
 *
 * Context: one caller at a time (the bus's lock, vmbus/vmbus.c), and none of the functions from
 * within the ops below. Reading ops' channels: see vmbus/channel.h.
 * Specs: Linux include/linux/hyperv.h and drivers/hv/channel_mgmt.c for the messages.
 */
#ifndef VMBUS_SERVER_H
#define VMBUS_SERVER_H

#include "vmbus/channel.h"
#include "vmbus/gpadl.h"
#include "vmbus/proto.h"
#include "vmm/lib/types.h"

#define VMBUS_OUTBOX 32U /* answers to the guest that wait for its slot */

/* The life of a channel; docs/vmbus.md draws it. */
enum vmbus_channel_state {
	CHANNEL_ABSENT,    /* nothing at this relid */
	CHANNEL_HIDDEN,    /* there, not offered in this connection yet */
	CHANNEL_OFFERED,   /* the guest knows it */
	CHANNEL_OPEN,      /* rings in use */
	CHANNEL_RESCINDED, /* taken away; the guest has not released the relid yet */
};

/* The outside. */
struct vmbus_server_ops {
	/* A control message for VP vp, source sint: 0; -EAGAIN (no room: vmbus_server_pump() when
	 * there is); another error = it can never be delivered. */
	int (*post)(void *owner, uint32_t vp, uint32_t sint, const void *message, uint32_t size);
	/*
	 * A channel's rings begin (an error refuses the opening), end, and move to another VP.
	 * Begin and end call the device. user: VMBUS_USER_DATA bytes. From 'begin' to the end of
	 * 'end' the channel's ring_gpadl is held and target_vp is set, by the server;
	 * out_offset_pages is where the second ring begins, and each ring has two pages at least.
	 */
	int (*begin)(void *owner, struct vmbus_channel *ch, uint32_t out_offset_pages,
	        const uint8_t *user);
	void (*end)(void *owner, struct vmbus_channel *ch);
	void (*retarget)(void *owner, struct vmbus_channel *ch, uint32_t vp);
	/* The guest takes this GPADL back and a device still holds it. */
	void (*gpadl_gone)(void *owner, struct vmbus_channel *ch, struct gpadl *g);
	/* The page of the host's and the guest's interrupt bits, for versions before 2.4,
	 * page-aligned; gpa 0 = none any more. false = not RAM. */
	bool (*interrupt_page)(void *owner, uint64_t gpa);
	/* For the trace and the log: a message that was sent, or one that came in, with what is
	 * wrong with it (NULL = nothing). An incoming one before its answer. */
	void (*trace)(void *owner, bool from_guest, const void *message, uint32_t size,
	        const char *remark);
};

struct vmbus_place {
	struct vmbus_channel *ch;       /* NULL when absent, or a sub-channel was rescinded */
	enum vmbus_channel_state state; /* of the relid */
	bool rescind_due;               /* the guest has not been told yet */
};

struct vmbus_answer {
	uint32_t vp;
	uint32_t size;
	uint8_t bytes[sizeof(struct vmbus_msg_tl_connect_result)]; /* the longest one */
};

struct vmbus_server {
	const struct vmbus_server_ops *ops; /* (c) */
	void *owner;                        /* (c) */
	uint32_t vcpus;                     /* (c) */
	uint32_t max_version;               /* (c) */
	uint32_t version;                   /* agreed upon; 0 = not connected */
	uint32_t vp;                        /* the guest wants its messages there */
	bool has_interrupt_page;
	bool offers_wanted;               /* RequestOffers came: whatever is hidden is offered */
	bool all_offers_due;              /* AllOffersDelivered follows the last of them */
	uint32_t first_answer, n_answers; /* in answers[], a ring */
	struct vmbus_place places[VMBUS_MAX_CHANNELS]; /* relid - 1 */
	uint32_t spare; /* [a] places that are neither taken nor promised */
	struct vmbus_answer answers[VMBUS_OUTBOX];
	struct gpadl_table gpadls;
};

/* --- the outside calls --- */

/* vcpus: VPs there are; max_version: what the configuration caps to, VMBUS_VERSION_*;
 * gpadl_pool: GPADL_POOL_PAGES words. */
void vmbus_server_init(struct vmbus_server *s, const struct vmbus_server_ops *ops, void *owner,
        const struct guest_mem *mem, uint32_t vcpus, uint32_t max_version, uint8_t **gpadl_pool);
/* A message of the guest, already copied. false = no room for its answers now: try again. */
__must_check bool vmbus_server_message(
        struct vmbus_server *s, uint32_t connection_id, const void *message, uint32_t size);
/* Send what waits, as far as there is room. true = some still waits. */
bool vmbus_server_pump(struct vmbus_server *s);
/* Reset: everything ends without a word to the guest. */
void vmbus_server_reset(struct vmbus_server *s);

/*
 * Put a channel on the bus: ch->relid is set; offered now, when the guest has asked for offers.
 * -ENOSPC, -EEXIST (same type, instance and index).
 */
__must_check int vmbus_server_add(struct vmbus_server *s, struct vmbus_channel *ch);
/*
 * A place for later: promised, then taken by vmbus_server_add_promised() or given back. A device
 * says to its guest how many sub-channels will come, and it waits for each. false = there is none
 * left. Both in any context.
 */
__must_check bool vmbus_server_promise(struct vmbus_server *s);
void vmbus_server_unpromise(struct vmbus_server *s);
/* As vmbus_server_add(), with a promise, which is given back in an error: -EEXIST. */
__must_check int vmbus_server_add_promised(struct vmbus_server *s, struct vmbus_channel *ch);
/*
 * Take one off, its sub-channels first. Ended when this returns. A primary channel stays
 * CHANNEL_RESCINDED until the guest lets go of it: Linux 6.1 drops the offer of a device that it
 * still knows. A sub-channel is CHANNEL_ABSENT at once and may be added again, at another relid.
 *
 * Sub-channels go in the same way when their primary is closed, and without a word when the
 * connection ends: devices add them again when they are asked for.
 */
void vmbus_server_rescind(struct vmbus_server *s, struct vmbus_channel *ch);
enum vmbus_channel_state vmbus_server_state(
        const struct vmbus_server *s, const struct vmbus_channel *ch);

/* Version the guest has agreed upon; 0 = not connected. */
uint32_t vmbus_server_version(const struct vmbus_server *s);

#endif
