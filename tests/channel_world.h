/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device on a VMBus channel whose other end the test holds: packets instead of rings. The
 * functions that a device calls are defined here, so a test includes this once.
 */
#ifndef TESTS_CHANNEL_WORLD_H
#define TESTS_CHANNEL_WORLD_H

#include "tests/fake/fake.h"
#include "vmbus/channel.h"
#include "vmm/lib/err.h"
#include <string.h>

#define WIRE_PACKETS 128U
#define WIRE_BYTES 4096U

struct wire_packet {
	enum ring_packet_type type;
	uint64_t trans_id;
	bool wants_completion;
	uint32_t len;
	uint8_t bytes[WIRE_BYTES];
};

static struct {
	struct wire_packet sent[WIRE_PACKETS]; /* by the device */
	unsigned n_sent;
	unsigned room; /* packets that the guest's ring still takes */
	struct wire_packet to_device[WIRE_PACKETS];
	unsigned n_to_device, next_to_device;
	unsigned kicks;
	bool broken;
	struct vmbus_channel *added[16];
	unsigned n_added, add_fails_at;
} wire;

static int wire_out(enum ring_packet_type type, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	struct wire_packet *p = &wire.sent[wire.n_sent];

	if (wire.room == 0 || wire.n_sent == WIRE_PACKETS || len > WIRE_BYTES) {
		return -EAGAIN;
	}
	wire.room--;
	wire.n_sent++;
	memset(p, 0, sizeof(*p));
	p->type = type;
	p->trans_id = trans_id;
	p->wants_completion = wants_completion;
	p->len = len;
	if (len) {
		memcpy(p->bytes, payload, len);
	}
	return 0;
}

int channel_send(struct vmbus_channel *ch, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	(void)ch;
	return wire_out(RING_PACKET_INBAND, trans_id, wants_completion, payload, len);
}

int channel_complete(struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	(void)ch;
	return wire_out(RING_PACKET_COMPLETION, trans_id, false, payload, len);
}

int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet)
{
	const struct wire_packet *p = &wire.to_device[wire.next_to_device];

	if (wire.broken) {
		return -EPROTO;
	}
	if (wire.next_to_device == wire.n_to_device) {
		return 0;
	}
	wire.next_to_device++;
	/* As in the real one: nothing behind the packet's end is its. */
	memset(ch->packet_buf, 0xa5, ch->packet_buf_len);
	memcpy(ch->packet_buf, p->bytes, p->len);
	*packet = (struct vmbus_packet){
	        .type = p->type,
	        .wants_completion = p->wants_completion,
	        .trans_id = p->trans_id,
	        .payload = ch->packet_buf,
	        .payload_len = p->len,
	};
	return 1;
}

void channel_kick(struct vmbus_channel *ch)
{
	(void)ch;
	wire.kicks++;
}

int vmbus_channel_add(struct vmbus *bus, struct vmbus_channel *ch)
{
	(void)bus;
	if (wire.add_fails_at && wire.n_added + 1 == wire.add_fails_at) {
		return -ENOSPC;
	}
	wire.added[wire.n_added++] = ch;
	return 0;
}

/* --- the test's end --- */

static inline void wire_reset(void)
{
	memset(&wire, 0, sizeof(wire));
	wire.room = WIRE_PACKETS;
}

/* The device works as long as it is asked to. */
static inline void wire_work(struct vmbus_channel *ch)
{
	do {
		wire.kicks = 0;
		while (ch->ops->work(ch, 4)) {
		}
	} while (wire.kicks);
}

static inline int wire_open(struct vmbus_channel *ch)
{
	static const uint8_t user[VMBUS_USER_DATA];
	int err = ch->ops->open(ch, user);

	if (!err && wire.kicks) {
		wire_work(ch);
	}
	return err;
}

/* A packet of the guest's. */
static inline void wire_in(enum ring_packet_type type, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	struct wire_packet *p = &wire.to_device[wire.n_to_device++];

	p->type = type;
	p->trans_id = trans_id;
	p->wants_completion = wants_completion;
	p->len = len;
	memcpy(p->bytes, payload, len);
}

#endif
