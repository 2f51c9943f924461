/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integration services, what they have in common: a channel each, on which the host asks and a
 * driver in the guest answers. First they agree on versions, then one request is out at a time:
 * Linux's driver takes one packet an interrupt and forgets the next.
 *
 * A service is a table of functions. They are called with the channel's lock held; none waits, and
 * nobody waits for the guest: a request that is never answered is the service's last.
 *
 * Specs: Linux include/linux/hyperv.h "icmsg_hdr", drivers/hv/channel_mgmt.c
 * "vmbus_prep_negotiate_resp", drivers/hv/hv_util.c.
 */
#ifndef VMBUS_IC_H
#define VMBUS_IC_H

#include "vmbus/channel.h"

/* Which service a message is for. */
enum ic_type {
	IC_NEGOTIATE = 0,
	IC_HEARTBEAT = 1,
	IC_KVP = 2,
	IC_SHUTDOWN = 3,
	IC_TIMESYNC = 4,
	IC_VSS = 5,
};

/* --- on the wire --- */

struct ic_version {
	uint16_t major, minor;
};

struct ic_header {
	uint32_t pipe_type; /* IC_PIPE_DATA */
	uint32_t pipe_len;  /* of all that follows */
	struct ic_version frame;
	uint16_t type; /* enum ic_type */
	struct ic_version version;
	uint16_t body_len;
	uint32_t status; /* of a response; 0 = good */
	uint8_t id;      /* a response has its request's */
	uint8_t flags;
	uint16_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct ic_header) == 28, "icmsg_hdr and the pipe's header");

#define IC_PIPE_DATA 1U
#define IC_FLAG_TRANSACTION 0x01U
#define IC_FLAG_REQUEST 0x02U
#define IC_FLAG_RESPONSE 0x04U

/* A list of versions follows: of the framing, then of the service. */
struct ic_negotiate {
	uint16_t n_frames, n_versions; /* in an answer 1 and 1, or 0: nothing in common */
	uint32_t reserved;
};
_Static_assert(sizeof(struct ic_negotiate) == 8, "icmsg_negotiate");

#define IC_STATUS_FAIL 0x80004005U
#define IC_ORDER_BITS 8U

/* --- a service --- */

#define IC_MAX_BODY 2592U
#define IC_MAX_PACKET 4096U /* of the guest: its answers are as long as what they answer */

struct ic;

struct ic_service {
	struct vmbus_offer offer; /* that it is a pipe of messages goes without saying */
	enum ic_type type;
	const struct ic_version *versions;
	unsigned n_versions;
	/* The guest has agreed to ic->version; NULL members are not called. */
	void (*ready)(struct ic *ic);
	/* Nothing is out: write the next request, at most IC_MAX_BODY zeroed bytes. Returns its
	 * length; 0 = there is nothing to ask until ic_kick(). order: of ic_ask(), 0 = none. */
	uint32_t (*next)(struct ic *ic, uint32_t order, uint8_t *body);
	/* Its answer: hostile, and of any length. */
	void (*reply)(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len);
	/* The channel is closed; not after a failed negotiation. */
	void (*closed)(struct ic *ic);
	/* More lines for the channel's dump. */
	void (*dump)(const struct ic *ic, struct out *out);
};

enum ic_state {
	IC_CLOSED,
	IC_OPEN,        /* versions have to be sent */
	IC_NEGOTIATING, /* they are out; Linux's data exchange answers when its daemon has come */
	IC_READY,
	IC_REFUSED, /* nothing in common */
};

struct ic {
	struct vmbus_channel ch;
	const struct ic_service *service; /* (c) */
	struct vm *vm;                    /* (c) */
	uint32_t state;                   /* [a] enum ic_state; written with the channel's lock */
	struct ic_version frame, version; /* [channel] agreed upon */
	/* Orders of the operator, numbered: a number above IC_ORDER_BITS of code. */
	uint32_t asked;           /* the last one; of who asks */
	uint32_t order;           /* [a] the same until it is taken, then 0 */
	uint32_t current;         /* [channel] taken, not finished; 0 = none */
	uint64_t answered;        /* [a] the last that was finished, above its error */
	bool waiting;             /* [channel] a request is out */
	uint8_t id;               /* [channel] of the last request */
	uint32_t unsent;          /* [channel] bytes in message[] that found no room */
	uint64_t replies, strays; /* [channel] answers, and what was none */
	uint8_t message[sizeof(struct ic_header) + IC_MAX_BODY]; /* [channel] */
	uint8_t packet[IC_MAX_PACKET];                           /* [channel] */
};

/* Before the channel is added to a bus. */
void ic_init(struct ic *ic, const struct ic_service *service, struct vm *vm);

/* --- any context --- */

/* There may be something to ask. */
void ic_kick(struct ic *ic);
bool ic_is_ready(const struct ic *ic);
/* An order (1-255) of the operator for the service, whose next request it becomes. It takes the
 * place of one before. One caller at a time. 0, -ENOTCONN. */
__must_check int ic_ask(struct ic *ic, uint32_t order);
/* -EAGAIN until the answer to the last order has come, then 0 or -EIO; -ENOTCONN when none can
 * come.
 */
__must_check int ic_answer(const struct ic *ic);

/* --- for services --- */

/* What came of the order that next() got last, if it got one: 0 or an error. */
void ic_finish(struct ic *ic, int err);

#endif
