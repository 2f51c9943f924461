/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SCSI controller whose guest is the test: packets instead of rings, one queue each way for each
 * channel. The functions that it calls of the bus are defined here, so a test includes this once.
 */
#ifndef TESTS_STORVSP_WORLD_H
#define TESTS_STORVSP_WORLD_H

#include "tests/fake/fake.h"
#include "vmbus/storvsp.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <string.h>

#define WORLD_CHANNELS (1 + STORVSP_MAX_SUB)
#ifndef WORLD_PACKETS
#define WORLD_PACKETS 256U
#endif

struct world_in {
	enum ring_packet_type type;
	bool wants_completion;
	uint64_t trans_id;
	uint32_t len;
	uint8_t bytes[80];
	struct io_seg segs[STORVSP_MAX_SEGS];
	int n_segs; /* or an error */
	uint32_t ranges_len;
};

struct world_out {
	bool completion;
	uint64_t trans_id;
	struct vstor_packet packet;
};

static struct storvsp sp;
static struct {
	struct world_in in[WORLD_PACKETS];
	unsigned n_in, taken;
	struct world_out out[WORLD_PACKETS];
	unsigned n_out, room;
	bool added, broken;
	unsigned kicks;
} world[WORLD_CHANNELS];
static struct vmbus_channel *world_added[8]; /* to the bus, in order */
static unsigned world_n_added;
static unsigned world_subs = ~0U; /* the bus has places for so many */

static unsigned world_index(const struct vmbus_channel *ch)
{
	const struct storvsp_channel *sc = ch->device;

	return (unsigned)(sc - sc->s->channels);
}

int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet)
{
	unsigned w = world_index(ch);
	const struct world_in *in = &world[w].in[world[w].taken];

	if (world[w].broken) {
		return -EPROTO;
	}
	if (world[w].taken == world[w].n_in) {
		return 0;
	}
	world[w].taken++;
	/* As in the real one: nothing behind the packet's end is its. */
	memset(ch->packet_buf, 0xa5, ch->packet_buf_len);
	memcpy(ch->packet_buf, in->bytes, in->len);
	*packet = (struct vmbus_packet){
	        .type = in->type,
	        .wants_completion = in->wants_completion,
	        .trans_id = in->trans_id,
	        .payload = ch->packet_buf,
	        .payload_len = in->len,
	        .ranges_len = in->ranges_len,
	        .ranges = (const uint8_t *)in,
	};
	return 1;
}

int channel_segs(struct vmbus_channel *ch, const struct vmbus_packet *packet, struct io_seg *segs,
        unsigned max_segs)
{
	const struct world_in *in = (const struct world_in *)(const void *)packet->ranges;

	(void)ch;
	if (in->n_segs > (int)max_segs) {
		return -ENOSPC;
	}
	if (in->n_segs > 0) {
		memcpy(segs, in->segs, (size_t)in->n_segs * sizeof(segs[0]));
	}
	return in->n_segs;
}

static int world_send(
        struct vmbus_channel *ch, bool completion, uint64_t id, const void *payload, uint32_t len)
{
	unsigned w = world_index(ch);
	struct world_out *out = &world[w].out[world[w].n_out];

	if (world[w].broken) {
		return -ENOTCONN;
	}
	if (world[w].room == 0 || world[w].n_out == WORLD_PACKETS || len != sizeof(out->packet)) {
		return -EAGAIN;
	}
	world[w].room--;
	world[w].n_out++;
	out->completion = completion;
	out->trans_id = id;
	memcpy(&out->packet, payload, len);
	return 0;
}

int channel_send(struct vmbus_channel *ch, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	(void)wants_completion;
	return world_send(ch, false, trans_id, payload, len);
}

int channel_complete(struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	return world_send(ch, true, trans_id, payload, len);
}

bool channel_has_room(struct vmbus_channel *ch, uint32_t len, unsigned n_ranges)
{
	(void)len;
	(void)n_ranges;
	return world[world_index(ch)].room > 0;
}

void channel_kick(struct vmbus_channel *ch)
{
	world[world_index(ch)].kicks++;
}

bool channel_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub)
{
	(void)ch;
	if (world_index(sub) > world_subs) {
		return false;
	}
	world[world_index(sub)].added = true;
	return true;
}

int vmbus_channel_add(struct vmbus *bus, struct vmbus_channel *ch)
{
	(void)bus;
	world[world_index(ch)].added = true;
	world_added[world_n_added++] = ch;
	return 0;
}

/* --- the test's end --- */

static inline void world_reset(struct vm *owner, struct blk *const *blks, uint32_t n)
{
	memset(&sp, 0, sizeof(sp));
	memset(world, 0, sizeof(world));
	world_n_added = 0;
	world_subs = ~0U;
	for (unsigned w = 0; w < WORLD_CHANNELS; w++) {
		world[w].room = WORLD_PACKETS;
	}
	storvsp_init(&sp, owner, blks, n);
}

/* Until it says that there is nothing to do; then what was kicked. */
static inline void world_work(unsigned w)
{
	do {
		world[w].kicks = 0;
		while (sp.channels[w].ch.ops->work(&sp.channels[w].ch, 4)) {
		}
	} while (world[w].kicks > 0);
}

static inline int world_open(unsigned w)
{
	static const uint8_t user[VMBUS_USER_DATA];

	return sp.channels[w].ch.ops->open(&sp.channels[w].ch, user);
}

static inline void world_close(unsigned w)
{
	sp.channels[w].ch.ops->close(&sp.channels[w].ch);
	world[w].taken = world[w].n_in = 0;
}

static inline struct world_in *world_put(unsigned w, uint64_t id, const struct vstor_packet *p)
{
	struct world_in *in = &world[w].in[world[w].n_in++];

	memset(in, 0, sizeof(*in));
	in->type = RING_PACKET_INBAND;
	in->wants_completion = true;
	in->trans_id = id;
	in->len = sizeof(*p);
	memcpy(in->bytes, p, sizeof(*p));
	return in;
}

#endif
