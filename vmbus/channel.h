/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMBus channel as the device behind it sees it: a pair of rings to a driver in the guest, from
 * its opening to its closing. The server (vmbus/server.h) opens and closes it; vmbus/vmbus.c says
 * who works it and when.
 *
 * Context: open, work, close and gpadl_gone of one channel never run at the same time: the
 * channel's lock is held. Order of locks: server, channel (primary before sub-channel), device,
 * back end, SynIC. Functions "of the channel" below are called with that lock held, that is, from
 * these four; those that say "any context" from anywhere.
 */
#ifndef VMBUS_CHANNEL_H
#define VMBUS_CHANNEL_H

#include "devices/backend/io_seg.h"
#include "vmbus/gpadl.h"
#include "vmbus/proto.h"
#include "vmbus/ring.h"
#include "vmm/lib/guid.h"
#include "vmm/lib/out.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

#define VMBUS_MAX_CHANNELS 64U /* of one VM, sub-channels included; relid = place + 1 */

struct vmbus;
struct vmbus_channel;

struct vmbus_channel_ops {
	/* The driver opened it; rings are ready and may hold packets. user: what it passed along.
	 * An error refuses the opening. */
	int (*open)(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA]);
	/*
	 * Packets may have come, or there may be room again to send. Take at most 'budget' packets;
	 * true = there may be more to do. Called again at the latest when the driver signals.
	 */
	bool (*work)(struct vmbus_channel *ch, unsigned budget);
	/* Closed by the guest, by a rescind or a reset. Afterwards nothing of it is in flight: what
	 * the back end has is cancelled and drained. */
	void (*close)(struct vmbus_channel *ch);
	/* The guest takes a GPADL back that the device holds (gpadl_hold): let go of it now. */
	void (*gpadl_gone)(struct vmbus_channel *ch, struct gpadl *g);
	/* Registers and counters: first line in short, the others indented. Any CPU, no lock. */
	void (*dump)(const struct vmbus_channel *ch, struct out *out);
};

#define VMBUS_OFFER_USER 24U

/* What the guest is told of a channel; constants of its device. */
struct vmbus_offer {
	const char *name; /* as lsvmbus says it: "Synthetic SCSI Controller" */
	struct guid type;
	struct guid instance; /* stable for a device of a VM */
	uint16_t flags;       /* VMBUS_OFFER_* of vmbus/proto.h */
	uint16_t mmio_megabytes;
	uint16_t sub_index;             /* 0 = primary */
	bool pipe_message_mode;         /* user data says: a pipe in message mode */
	uint16_t min_version_major;     /* the client's version must be at least this; 0 = any */
	uint8_t user[VMBUS_OFFER_USER]; /* beginning of the user data, unless it is a pipe's */
};

struct vmbus_channel_stats {
	uint64_t signals_in;  /* the guest told us */
	uint64_t signals_out; /* we interrupted the guest */
	uint64_t packets_in, packets_out;
	uint64_t bytes_in, bytes_out;
	uint64_t rounds; /* calls of work() */
	uint64_t drains; /* looks at a masked ring: by a vCPU that halts, or by the timer */
	uint64_t full;   /* sends that found no room */
};

struct vmbus_channel {
	/* Set by the device, before vmbus_channel_add(). */
	const struct vmbus_channel_ops *ops; /* (c) */
	struct vmbus_offer offer;            /* (c) */
	void *device;                        /* (c) the device's own */
	uint8_t *packet_buf;                 /* (c) one packet of the guest, copied once */
	uint32_t packet_buf_len;             /* (c) a longer packet breaks the channel */

	/* The bus's. */
	struct vmbus *bus;         /* (c) after adding */
	uint32_t relid;            /* (c) after adding; 0 = not on the bus */
	struct spinlock lock;      /* see the top of this file */
	bool is_open;              /* [lock] */
	bool broken;               /* [lock] the guest's ring made no sense; closed to both sides */
	uint32_t target_vp;        /* [lock] or VMBUS_NO_VP: no interrupts */
	struct gpadl *ring_gpadl;  /* [lock] while open */
	struct ring in;            /* [lock] guest to host */
	struct ring out;           /* [lock] host to guest */
	uint32_t tries, try_after; /* [lock] channel_run.c */
	bool trying, halted;       /* [lock] as above */
	uint32_t patience;         /* [lock] as above */
	uint64_t last_ns, gap_ns;  /* [lock] when packets came last, and how often they come */
	uint32_t again;            /* [a] somebody wants another round */
	struct vmbus_channel *primary;    /* [subs_lock] it waits to be added; NULL = it does not */
	struct vmbus_channel *next_sub;   /* [subs_lock] in the list of those */
	struct vmbus_channel_stats stats; /* [lock], read anywhere */
};

/* --- of the channel --- */

/* A packet of the guest, checked; it lies in packet_buf until the next one is received. */
struct vmbus_packet {
	enum ring_packet_type type; /* in-band, GPA direct, transfer pages, completion */
	bool wants_completion;
	uint64_t trans_id; /* opaque: given back, never looked up unchecked */
	const uint8_t *payload;
	uint32_t payload_len;
	uint32_t n_ranges;     /* GPA direct: at least 1 */
	uint32_t ranges_len;   /* bytes in all of them together */
	const uint8_t *ranges; /* for channel_segs() */
};

/* 1 = a packet; 0 = none; -EPROTO: the ring is broken (logged once) and stays so. */
__must_check int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet);
/*
 * The RAM behind a GPA direct packet's ranges, in order, at most max_segs; neighbours are joined.
 * Returns how many, -EFAULT when a page is not RAM, -ENOSPC when there are more.
 */
__must_check int channel_segs(struct vmbus_channel *ch, const struct vmbus_packet *packet,
        struct io_seg *segs, unsigned max_segs);
/*
 * To the guest. 0, or -EAGAIN when the ring has no room: work() is called when there is some (a
 * device keeps what it could not send, and takes no more requests meanwhile); -ENOTCONN when not
 * open or broken. The interrupt, if one is due, follows at the end of the round.
 */
__must_check int channel_send(struct vmbus_channel *ch, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len);
__must_check int channel_complete(
        struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len);
struct vmbus_xfer_range { /* as on the wire */
	uint32_t len;
	uint32_t offset;
};
__must_check int channel_send_xfer(struct vmbus_channel *ch, uint64_t trans_id, uint16_t pageset,
        const struct vmbus_xfer_range *ranges, unsigned n_ranges, const void *payload,
        uint32_t len);
/* Is there room for a packet of so many payload bytes (and ranges)? Asks for a wake-up if not. */
bool channel_has_room(struct vmbus_channel *ch, uint32_t len, unsigned n_ranges);
/* A complete GPADL of this channel, held until gpadl_release() or ops->gpadl_gone(); NULL. */
struct gpadl *channel_gpadl_hold(struct vmbus_channel *ch, uint32_t id);
void channel_gpadl_release(struct vmbus_channel *ch, struct gpadl *g);

/*
 * Put a sub-channel on the bus, as the guest has asked for one: soon, when this channel's lock is
 * free. It goes by itself when this channel is closed, and may be added again then. One that is on
 * the bus already, or waits to be, stays as it is. false = the bus has no place for it: the guest
 * must not be told that it comes.
 */
__must_check bool channel_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub);

/* Wait until nobody works this sub-channel; the lock of its primary channel is held. */
void channel_wait(struct vmbus_channel *sub);

/* --- any context --- */

/* Have work() called soon, on a CPU where one of the VM's vCPUs lives. No lock of the channel
 * needed; a device's own may be held. */
void channel_kick(struct vmbus_channel *ch);

/* --- vmbus/vmbus.c: for devices when they are made, plugged and unplugged --- */

/* Put it on the bus: offered with the others, or at once when the guest is there already. -ENOSPC,
 * -EEXIST (same type, instance and index). Server's lock taken: not from within a channel. */
__must_check int vmbus_channel_add(struct vmbus *bus, struct vmbus_channel *ch);
/* Take it off: rescinded; close() has been called when this returns, and it may be added again
 * when the guest has let go (vmbus_channel_gone()). Server's lock taken: not from within a channel.
 */
void vmbus_channel_rescind(struct vmbus_channel *ch);
bool vmbus_channel_gone(const struct vmbus_channel *ch);

#endif
