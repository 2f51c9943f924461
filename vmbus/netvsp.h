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
 * A guest that asks for sub-channels has a queue for each: it sends by any of them, each completes
 * what came by it, and frames for the guest are spread over them as vmbus/rss.h says. Slots are
 * common to all. Everything but frames is the business of the primary channel.
 *
 * Context: work, open, close, gpadl_gone under the channel's lock; receive() from any CPU under
 * other adapters' channel locks. What several sides touch is under the adapter's own lock, a leaf
 * but for the holding of GPADLs. "primary" below is the lock of the primary channel.
 * Specs: Linux drivers/net/hyperv/{hyperv_net.h,netvsc.c}: there is no other public one.
 */
#ifndef VMBUS_NETVSP_H
#define VMBUS_NETVSP_H

#include "devices/backend/net.h"
#include "vmbus/channel.h"
#include "vmbus/nvsp_wire.h"
#include "vmbus/rndis.h"
#include "vmm/lib/limits.h"

#define NETVSP_SLOTS_MAX 4096U
#define NETVSP_SLOT_MIN 2048U /* keeps large frames within a packet's ranges */
#define NETVSP_BATCH 64U      /* slots in one packet */
#define NETVSP_RESERVE 16U    /* slots that only answers may take */
#define NETVSP_SECTION 6144U  /* of the send buffer */
#define NETVSP_SEGS 64U       /* runs of guest memory in one packet */
#define NETVSP_PACKET_MAX 2048U
#define NETVSP_TURN 32U /* frames given to others that cost as much as a packet */
#define NETVSP_NONE 0xffffU
#define NETVSP_QUEUES ((uint32_t)MAX_NIC_QUEUES) /* what Linux 6.1 asks for by itself */

struct net_switch;
struct vm;

enum netvsp_slot_state {
	SLOT_FREE,
	SLOT_QUEUED, /* filled, the guest does not know of it */
	SLOT_FIRST, /* with the guest, the first of its packet: the packet's id is its number + 1 */
	SLOT_MORE,  /* with the guest, after the first */
};

struct netvsp_slot {
	uint16_t len;  /* bytes of its RNDIS message */
	uint16_t next; /* free, queued, or of the same packet; NETVSP_NONE = the last */
	uint8_t state; /* enum netvsp_slot_state */
	uint8_t queue; /* not free: by which channel it goes to the guest */
	bool control;
	bool unfinished; /* the frame goes on in the next one */
};

/* The receive buffer. */
struct netvsp_rx {
	struct gpadl *gpadl; /* NULL = there is none */
	uint16_t id;         /* the guest's, for both sides' messages */
	uint32_t slot_size;
	uint32_t n_slots, n_free;
	uint16_t free; /* first of a list */
	struct netvsp_slot slots[NETVSP_SLOTS_MAX];
};

struct netvsp_stats {             /* [lock] */
	uint64_t bad_completions; /* of packets that the guest does not have */
	uint64_t unanswered;      /* requests, for want of a slot */
	uint64_t no_slot;         /* frames dropped: the guest has all slots */
	uint64_t too_long;        /* frames dropped: longer than its MTU */
	uint64_t filtered;        /* frames it does not want */
	uint64_t large;           /* frames given to it whole that are longer than its MTU */
	struct net_traffic in;    /* to the guest */
};

/* A packet of the guest as one run of bytes. Its contents are the guest's, and change. */
struct netvsp_bytes {
	struct io_seg segs[NETVSP_SEGS];
	unsigned n;
	uint32_t len;
};

struct netvsp;

/* A channel, and what goes by it. */
struct netvsp_queue {
	struct vmbus_channel ch;
	struct netvsp *n; /* (c) */
	uint32_t index;   /* (c) 0 = the primary channel */

	bool is_open;        /* [lock] */
	bool kicked;         /* [lock] work() will come and look at the slots */
	uint16_t head, tail; /* [lock] queued slots */

	uint32_t handed;           /* [ch.lock] frames given to others for the present packet */
	struct netvsp_bytes bytes; /* [ch.lock] of the present packet */
	struct {
		uint64_t packets;       /* [ch.lock] of the guest with frames */
		uint64_t bad_packets;   /* [ch.lock] that made no sense */
		struct net_traffic out; /* [ch.lock] from the guest */
		uint64_t batches;       /* [lock] packets to the guest */
		uint64_t frames;        /* [lock] for the guest */
	} stats;
	uint8_t packet_buf[NETVSP_PACKET_MAX]; /* [ch.lock] the channel's */
};

struct netvsp {
	struct netvsp_queue queues[NETVSP_QUEUES];
	uint32_t n_queues; /* (c) */
	struct net_port port;
	struct vm *vm; /* (c) */

	uint32_t version; /* [primary] agreed upon; 0 = none yet */
	uint32_t granted; /* [primary] sub-channels that the guest has asked for and got */
	uint64_t control; /* [primary] RNDIS requests of the guest */
	/* [a] NULL = there is none. Changed by the primary channel, which waits for all others
	 * before it lets go of one. */
	struct gpadl *send_buffer;
	uint8_t request[RNDIS_REQUEST_MAX]; /* [primary] the present one, copied */

	struct spinlock lock;
	bool send_table_due; /* [lock] the guest is to be told which channels it may send by */
	struct rndis rndis;  /* [lock] */
	struct netvsp_rx rx; /* [lock] */
	struct netvsp_stats stats;
};

/*
 * The number-th adapter (from 0) of vm, whose name owner is, with up to n_queues channels (1 to
 * NETVSP_QUEUES); no cable, so its link is down. Then netvsp_connect(), if at all, and
 * netvsp_attach().
 */
void netvsp_init(struct netvsp *n, struct vm *vm, const char *owner, uint32_t number, uint64_t mac,
        uint32_t n_queues);
/* Before the guest runs. Errors are net_switch_attach()'s. */
__must_check int netvsp_connect(struct netvsp *n, struct net_switch *sw);
/* Put it on the bus. */
__must_check int netvsp_attach(struct netvsp *n, struct vmbus *bus);
/* The cable is pulled or put back; nothing for an adapter without one. Any CPU. */
void netvsp_set_link(struct netvsp *n, bool up);

/* --- between netvsp.c, netvsp_setup.c, netvsp_tx.c and netvsp_rx.c --- */

static inline bool netvsp_is_primary(const struct netvsp_queue *q)
{
	return q->index == 0;
}

/* Under the primary channel's lock. An NVSP message of the guest but NVSP_SEND_RNDIS, zeroes
 * behind what it left out; the length of the answer. */
uint32_t netvsp_set_up(struct netvsp *n, const uint8_t message[NVSP_MESSAGE_SIZE],
        uint8_t reply[NVSP_MESSAGE_SIZE]);
/* The guest's buffers, unless they are back with it. No sub-channel uses them afterwards. */
void netvsp_drop_receive_buffer(struct netvsp *n);
void netvsp_drop_send_buffer(struct netvsp *n);
/* Tell the guest which channels it may send by, when that is due and there is room. */
void netvsp_send_table(struct netvsp *n);
/* An RNDIS request, copied to n->request; its answer goes through the receive buffer. */
void netvsp_control(struct netvsp *n, uint32_t len);

/* Under ch.lock. An NVSP packet with RNDIS messages: true = all of it made sense. */
bool netvsp_transmit(struct netvsp_queue *q, const struct vmbus_packet *packet);

/* Under lock. */
bool netvsp_rx_begin(struct netvsp *n, struct gpadl *gpadl, uint16_t id);
void netvsp_rx_end(struct netvsp *n);
/* The guest neither sees nor gives back any more what went by this channel. */
void netvsp_rx_close(struct netvsp_queue *q);
/* An RNDIS message that is no frame. */
void netvsp_rx_control(struct netvsp *n, const uint8_t *message, uint32_t len);
/* The guest is done with the packet of that id. */
void netvsp_rx_complete(struct netvsp_queue *q, uint64_t trans_id);

/* Under ch.lock: tell the guest of what is queued, at most 'budget' packets; true = there is more,
 * and room. */
bool netvsp_rx_send(struct netvsp_queue *q, unsigned budget);
extern const struct net_port_ops netvsp_port_ops;

#endif
