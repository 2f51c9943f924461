/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMBus server of a VM: control messages in, control messages out, and what a channel's state
 * becomes. A pure state machine: its outside is struct vmbus_server_ops, so a whole conversation
 * is a unit test.
 *
 * Every message of docs/vmbus.md's table has a defined answer in every state. Where a guest waits
 * for ever for an answer, one is sent, also of a failure. Messages that do not fit the guest's
 * slot wait here, in order; offers are made one by one as there is room; while much waits,
 * the guest's messages are refused (it tries again), so memory is bounded.
 *
 * Context: one caller at a time (the bus's lock, vmbus/vmbus.c).
 * Specs: Linux include/linux/hyperv.h and drivers/hv/channel_mgmt.c for the messages.
 */
#ifndef VMBUS_SERVER_H
#define VMBUS_SERVER_H

#include "vmbus/channel.h"
#include "vmbus/gpadl.h"
#include "vmbus/proto.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

#define VMBUS_OUTBOX 32U /* messages to the guest that wait for its slot */

/* The life of a channel; docs/vmbus.md draws it. */
enum vmbus_channel_state {
	CHANNEL_ABSENT,    /* nothing at this relid */
	CHANNEL_HIDDEN,    /* there, not offered in this connection yet */
	CHANNEL_OFFERED,   /* the guest knows it */
	CHANNEL_OPEN,      /* rings in use */
	CHANNEL_RESCINDED, /* taken away; the guest has not released the relid yet */
};

struct vmbus_server;

/* The outside. */
struct vmbus_server_ops {
	/* A control message for VP vp, source sint: 0 or -EAGAIN (no room: vmbus_server_pump() when
	 * there is). */
	int (*post)(void *owner, uint32_t vp, uint32_t sint, const void *message, uint32_t size);
	/*
	 * A channel's rings begin (an error refuses the opening), end, and move to another VP.
	 * Begin and end call the device. user: VMBUS_USER_DATA bytes. At 'begin' ch's ring_gpadl is
	 * set, and out_offset_pages is where the second ring begins in it.
	 */
	int (*begin)(void *owner, struct vmbus_channel *ch, uint32_t out_offset_pages,
	        const uint8_t *user);
	void (*end)(void *owner, struct vmbus_channel *ch);
	void (*retarget)(void *owner, struct vmbus_channel *ch, uint32_t vp);
	/* The guest takes this GPADL back and a device still holds it. */
	void (*gpadl_gone)(void *owner, struct vmbus_channel *ch, struct gpadl *g);
	/* The page of the host's and the guest's interrupt bits, for versions before 2.4; gpa 0 =
	 * none any more. false = not RAM. */
	bool (*interrupt_page)(void *owner, uint64_t gpa);
	/* For the trace and the log: a message in or out, before it is acted upon. */
	void (*trace)(void *owner, bool from_guest, const void *message, uint32_t size,
	        const char *remark);
};

/* --- the outside calls --- */

/* vcpus: VPs there are; max_version: what the configuration caps to, VMBUS_VERSION_*. */
void vmbus_server_init(struct vmbus_server *s, const struct vmbus_server_ops *ops, void *owner,
        struct guest_mem *mem, uint32_t vcpus, uint32_t max_version, uint8_t **gpadl_pool);
/* A message of the guest, already copied. false = no room for its answers now: try again. */
__must_check bool vmbus_server_message(
        struct vmbus_server *s, uint32_t connection_id, const void *message, uint32_t size);
/* Send what waits, as far as there is room. true = some still waits. */
bool vmbus_server_pump(struct vmbus_server *s);
/* Reset: everything ends without a word to the guest. */
void vmbus_server_reset(struct vmbus_server *s);

__must_check int vmbus_server_add(struct vmbus_server *s, struct vmbus_channel *ch);
void vmbus_server_rescind(struct vmbus_server *s, struct vmbus_channel *ch);
enum vmbus_channel_state vmbus_server_state(
        const struct vmbus_server *s, const struct vmbus_channel *ch);
struct gpadl *vmbus_server_gpadl(
        struct vmbus_server *s, const struct vmbus_channel *ch, uint32_t id);

/* Version the guest has agreed upon; 0 = not connected. */
uint32_t vmbus_server_version(const struct vmbus_server *s);

#endif
