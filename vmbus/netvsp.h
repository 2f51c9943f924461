/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic network adapter ("netvsc" in guests), its host side: NVSP versions 1 to 6.1 over a
 * VMBus channel, with RNDIS inside.
 *
 * Sending: a packet of the guest names bytes in its send buffer and in its memory, RNDIS messages
 * one after the other. The headers are copied once and checked; the rest is copied straight to
 * its receivers while the packet is worked on, and then the packet is completed. Receiving: the
 * guest's receive buffer is cut into slots; a frame is put into one (a large frame into several)
 * by whoever sends it, and work() tells the guest of all that wait, many slots in a packet.
 * A slot is free again when the guest completes that packet, and not before.
 *
 * One queue: sub-channels are refused.
 *
 * Context: work, open, close, gpadl_gone under the channel's lock; receive() from any CPU under
 * other adapters' channel locks. What both sides touch is under the adapter's own lock, a leaf but
 * for the holding of GPADLs.
 * Specs: Linux drivers/net/hyperv/{hyperv_net.h,netvsc.c}: there is no other public one.
 */
#ifndef VMBUS_NETVSP_H
#define VMBUS_NETVSP_H

#include "devices/backend/net.h"
#include "vmbus/channel.h"
#include "vmbus/rndis.h"

#define NETVSP_SLOTS_MAX 4096U
#define NETVSP_SLOT_MIN 2048U /* keeps large frames within a packet's ranges */
#define NETVSP_BATCH 64U      /* slots in one packet */
#define NETVSP_RESERVE 16U    /* slots that only answers may take */
#define NETVSP_SECTION 6144U  /* of the send buffer */
#define NETVSP_SEGS 64U       /* runs of guest memory in one packet */
#define NETVSP_PACKET_MAX 2048U
#define NETVSP_TURN 32U /* frames given to others that cost as much as a packet */
#define NETVSP_NONE 0xffffU

struct net_switch;
struct vm;

enum netvsp_slot_state {
	SLOT_FREE,
	SLOT_QUEUED, /* filled, the guest does not know of it */
	SLOT_FIRST, /* with the guest, the first of its packet: the packet's id is its number + 1 */
	SLOT_MORE,  /* with the guest, after the first */
};

struct netvsp_slot {
	uint32_t len;  /* bytes of its RNDIS message */
	uint16_t next; /* free, queued, or of the same packet; NETVSP_NONE = the last */
	uint8_t state; /* enum netvsp_slot_state */
	bool control : 1;
	bool unfinished : 1; /* the frame goes on in the next one */
};

/* The receive buffer. */
struct netvsp_rx {
	struct gpadl *gpadl; /* NULL = there is none */
	uint16_t id;         /* the guest's, for both sides' messages */
	uint32_t slot_size;
	uint32_t n_slots, n_free;
	uint16_t free;       /* first of a list */
	uint16_t head, tail; /* queued */
	bool kicked;         /* work() will come and look at the queue */
	struct netvsp_slot slots[NETVSP_SLOTS_MAX];
};

struct netvsp_stats {
	/* [ch.lock] */
	uint64_t packets;     /* of the guest with frames */
	uint64_t control;     /* RNDIS requests of the guest */
	uint64_t bad_packets; /* of either kind that made no sense */
	/* [lock] */
	uint64_t bad_completions; /* of packets that the guest does not have */
	uint64_t unanswered;      /* requests, for want of a slot */
	uint64_t batches;         /* packets to the guest */
	uint64_t no_slot;         /* frames dropped: the guest has all slots */
	uint64_t too_long;        /* frames dropped: longer than its MTU */
	uint64_t filtered;        /* frames it does not want */
	uint64_t large;           /* frames given to it whole that are longer than its MTU */
};

/* A packet of the guest as one run of bytes. Its contents are the guest's, and change. */
struct netvsp_bytes {
	struct io_seg segs[NETVSP_SEGS];
	unsigned n;
	uint32_t len;
};

struct netvsp {
	struct vmbus_channel ch;
	struct net_port port;
	struct vm *vm; /* (c) */

	uint32_t version;          /* [ch.lock] agreed upon; 0 = none yet */
	struct gpadl *send_buffer; /* [ch.lock] NULL = there is none */
	uint32_t handed;           /* [ch.lock] frames given to others for the present packet */
	struct netvsp_bytes bytes; /* [ch.lock] of the present packet */
	uint8_t request[RNDIS_REQUEST_MAX];    /* [ch.lock] the same, copied */
	uint8_t packet_buf[NETVSP_PACKET_MAX]; /* [ch.lock] the channel's */

	struct spinlock lock;
	struct rndis rndis;  /* [lock] */
	struct netvsp_rx rx; /* [lock] */
	struct netvsp_stats stats;
};

/*
 * The number-th adapter (from 0) of vm, whose name owner is; no cable, so its link is down. Then
 * netvsp_connect(), if at all, and vmbus_channel_add() of ch.
 */
void netvsp_init(struct netvsp *n, struct vm *vm, const char *owner, uint32_t number, uint64_t mac);
/* Before the guest runs. Errors are net_switch_attach()'s. */
__must_check int netvsp_connect(struct netvsp *n, struct net_switch *sw);
/* The cable is pulled or put back; nothing for an adapter without one. Any CPU. */
void netvsp_set_link(struct netvsp *n, bool up);

/* --- between netvsp.c, netvsp_tx.c and netvsp_rx.c --- */

/* Under ch.lock. An NVSP packet with RNDIS messages: true = all of it made sense. */
bool netvsp_transmit(struct netvsp *n, const struct vmbus_packet *packet);

/* Under lock. */
bool netvsp_rx_begin(struct netvsp *n, struct gpadl *gpadl, uint16_t id);
void netvsp_rx_end(struct netvsp *n);
/* An RNDIS message that is no frame. */
void netvsp_rx_control(struct netvsp *n, const uint8_t *message, uint32_t len);
/* The guest is done with the packet of that id. */
void netvsp_rx_complete(struct netvsp *n, uint64_t trans_id);

/* Under ch.lock: tell the guest of what is queued, at most 'budget' packets; true = there is more,
 * and room. */
bool netvsp_rx_send(struct netvsp *n, unsigned budget);
extern const struct net_port_ops netvsp_port_ops;

#endif
