/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that notes what it is given and answers it, on a channel of a whole bus: what tests of
 * channels have in common.
 */
#ifndef TESTS_CHANNEL_DEV_H
#define TESTS_CHANNEL_DEV_H

#include "tests/vmbus_vm.h"
#include "vmbus/channel.h"
#include "vmbus/channel_run.h"
#include "vmm/lib/err.h"

#define RELID 1U
#define MAX 1024U

/* A device that completes each packet with its first byte, as long as it is let. */
static struct device {
	struct vmbus_channel ch, subs[2];
	uint8_t buf[MAX];
	struct vmbus_packet packet; /* the last one */
	uint8_t first;
	struct io_seg segs[8];
	int n_segs;
	int open_error;
	unsigned opens, closes, works, gone;
	uint8_t user;
	bool stalled; /* takes nothing */
	bool endless; /* always says that there is more */
	bool silent;  /* completes nothing */
	int received; /* what channel_receive() said at last */
	struct gpadl *held;
	bool wants_subs, granted[2];
	unsigned waits; /* completions that found no room */
	uint64_t waiting[64];
} dev;

static struct bus_rings r;

static inline int dev_open(struct vmbus_channel *ch, const uint8_t *user)
{
	struct device *d = ch->device;

	ck_assert(ch->is_open);
	d->opens++;
	d->user = user[0];
	return d->open_error;
}

static inline void answer(struct device *d, uint64_t trans_id)
{
	if (d->waits || channel_complete(&d->ch, trans_id, &d->first, 1) == -EAGAIN) {
		ck_assert_uint_lt(d->waits, ARRAY_SIZE(d->waiting));
		d->waiting[d->waits++] = trans_id;
	}
}

static inline bool dev_work(struct vmbus_channel *ch, unsigned budget)
{
	struct device *d = ch->device;

	d->works++;
	while (d->waits && !channel_complete(ch, d->waiting[0], "w", 1)) {
		memmove(d->waiting, d->waiting + 1, --d->waits * sizeof(d->waiting[0]));
	}
	for (unsigned i = 0; i < budget && !d->stalled && !d->waits; i++) {
		d->received = channel_receive(ch, &d->packet);
		if (d->received <= 0) {
			return d->endless;
		}
		d->first = d->packet.payload_len ? d->packet.payload[0] : 0;
		d->n_segs = channel_segs(ch, &d->packet, d->segs, ARRAY_SIZE(d->segs));
		if (d->wants_subs) {
			d->granted[0] = channel_add_sub(ch, &d->subs[0]);
			d->granted[1] = channel_add_sub(ch, &d->subs[1]);
			ck_assert_int_eq(channel_add_sub(ch, &d->subs[0]), d->granted[0]);
		}
		if (d->packet.wants_completion && !d->silent) {
			answer(d, d->packet.trans_id);
		}
	}
	return !d->stalled && !d->waits;
}

static inline void dev_close(struct vmbus_channel *ch)
{
	struct device *d = ch->device;

	ck_assert(!ch->is_open);
	ck_assert_int_eq(channel_complete(ch, 1, "x", 1), -ENOTCONN);
	ck_assert(!channel_has_room(ch, 1, 0));
	d->closes++;
}

static inline void dev_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	struct device *d = ch->device;

	ck_assert_ptr_eq(g, d->held);
	d->gone++;
	d->held = NULL;
	channel_gpadl_release(ch, g);
}

static inline void dev_dump(const struct vmbus_channel *ch, struct out *out)
{
	(void)ch;
	out_print(out, "a device\n  on two lines\n");
}

static const struct vmbus_channel_ops dev_ops = {
        .open = dev_open,
        .work = dev_work,
        .close = dev_close,
        .gpadl_gone = dev_gone,
        .dump = dev_dump,
};

static inline void make(struct vmbus_channel *ch, uint16_t sub)
{
	ch->ops = &dev_ops;
	ch->offer = (struct vmbus_offer){.name = "Test device", .type = {{1}}, .sub_index = sub};
	ch->device = &dev;
	ch->packet_buf = dev.buf;
	ch->packet_buf_len = MAX;
}

static inline void setup(void)
{
	memset(&dev, 0, sizeof(dev));
	fake_log_clear();
	bus_setup(2);
	make(&dev.ch, 0);
	make(&dev.subs[0], 1);
	make(&dev.subs[1], 2);
	ck_assert_int_eq(vmbus_channel_add(bus, &dev.ch), 0);
	ck_assert_uint_eq(dev.ch.relid, RELID);
}

static inline void open_it(void)
{
	ck_assert_uint_eq(bus_connect(), 1);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	dev.works = 0;
	(void)bus_interrupted(RELID);
}

static inline bool write_one(uint64_t trans_id)
{
	uint8_t payload[24] = {(uint8_t)trans_id};

	return bus_write(&r, trans_id, payload, sizeof(payload));
}

/* Trans id of the next completion; 0 = none. */
static inline uint64_t completion(void)
{
	uint8_t packet[MAX];
	struct ring_desc d;

	if (!bus_read(&r, packet, sizeof(packet))) {
		return 0;
	}
	memcpy(&d, packet, sizeof(d));
	ck_assert_uint_eq(d.type, RING_PACKET_COMPLETION);
	return d.trans_id;
}

#endif
