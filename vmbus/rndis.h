/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RNDIS as the synthetic network adapter speaks it: control requests and their answers, and the
 * header around each frame. Pure: bytes in, bytes out; rings and memory are netvsp.c's.
 *
 * Every request that has an answer gets one, also when it makes no sense. Objects (OIDs) that may
 * be asked for or set are a list; what a guest sends along is bytes, copied and bounded.
 *
 * Context: the adapter's lock for the functions that take struct rndis.
 * Specs: [MS-RNDIS] "REMOTE_NDIS_INITIALIZE_MSG" and its neighbours; [NDIS] "NDIS OIDs";
 * Linux include/linux/rndis.h, drivers/net/hyperv/hyperv_net.h.
 */
#ifndef VMBUS_RNDIS_H
#define VMBUS_RNDIS_H

#include "devices/backend/net.h"
#include "devices/backend/net_offload.h"
#include "vmbus/rss.h"
#include "vmm/lib/types.h"

#define RNDIS_REQUEST_MAX 1024U /* longer ones are refused */
#define RNDIS_REPLY_MAX 256U
#define RNDIS_HEAD_MAX 256U    /* of a frame's message, before the frame */
#define RNDIS_RX_HEAD_MAX 124U /* what rndis_build_packet() writes at most */
#define RNDIS_MULTICAST_MAX 32U
#define RNDIS_ALIGN_SHIFT 3U  /* of messages that share a buffer */
#define RNDIS_MESSAGES_MAX 8U /* that may share one */

/* What was counted of frames, for who asks. */
struct rndis_counters {
	struct net_traffic out, in; /* from the guest, to the guest */
	uint64_t out_errors, in_errors, in_no_buffer;
};

struct rndis {
	uint64_t permanent_mac; /* (c) */
	uint64_t mac;           /* what the guest has set, or the permanent one */
	uint32_t mtu;
	bool link_up;
	bool rsc_offered; /* the protocol's version has it */
	uint32_t queues;  /* channels that the guest may have: what the version allows */
	bool initialized;
	uint32_t filter; /* NDIS_PACKET_TYPE_*; 0 = nothing is received */
	uint32_t n_multicast;
	uint64_t multicast[RNDIS_MULTICAST_MAX];
	/* What the guest has switched on. */
	bool rx_csum_tcp[2], rx_csum_udp[2], rsc[2]; /* IPv4, IPv6 */
	/* The guest wants another address: set by rndis_request(), taken by its caller, who knows
	 * whether it is free and calls rndis_mac_answer(). 0 = no. */
	uint64_t wanted_mac;
	struct rss rss;
	struct rndis_counters counters; /* the caller's, before rndis_request() */
};

void rndis_init(struct rndis *r, uint64_t mac);
/* The adapter is opened or closed: everything to its beginning but mac and link. */
void rndis_reset(struct rndis *r);

/*
 * A control message of the guest, copied, of 'len' bytes. Returns the length of the answer in
 * reply, 0 = there is none.
 */
uint32_t rndis_request(
        struct rndis *r, const uint8_t *request, uint32_t len, uint8_t reply[RNDIS_REPLY_MAX]);
/* After rndis_request() has left wanted_mac: the same answer says what came of it. */
void rndis_mac_answer(struct rndis *r, bool ok, uint8_t *reply);
/* The link has gone up or down: a message to the guest; returns its length, 0 = not initialized. */
uint32_t rndis_indicate_link(struct rndis *r, bool up, uint8_t reply[RNDIS_REPLY_MAX]);

/* Does the guest want a frame for this address? */
bool rndis_accepts(const struct rndis *r, uint64_t dst);
/* May a frame be given to it whose TCP checksum is open and which is longer than its MTU? */
bool rndis_takes_large(const struct rndis *r);

/* --- rndis_query.c --- */

/* Bytes that came with a request; bounded, not looked into yet. */
struct rndis_info {
	const uint8_t *p;
	uint32_t len;
};
#define RNDIS_ANSWER_MAX (RNDIS_REPLY_MAX - 24U) /* behind the head of the reply */
/* What an OID says, written to out; false = nobody has heard of it. */
bool rndis_query(const struct rndis *r, uint32_t oid, struct rndis_info in,
        uint8_t out[RNDIS_ANSWER_MAX], uint32_t *len);

/* --- frames --- */

/* A frame's message, as the guest wrote it. */
struct rndis_packet {
	uint32_t len;     /* of the message: where the next one begins */
	uint32_t data_at; /* the frame, from the message's first byte */
	uint32_t data_len;
	bool has_vlan;
	uint16_t vlan_tci;
	struct net_request request;
};

/* A message's type and whole length; false = its length is not within [8, left]. */
__must_check bool rndis_message(
        const uint8_t *head, uint32_t head_len, uint32_t left, uint32_t *type, uint32_t *len);
/* The first head_len bytes of a message of len bytes, all of them or at least RNDIS_HEAD_MAX. */
__must_check int rndis_parse_packet(
        const uint8_t *head, uint32_t head_len, uint32_t len, struct rndis_packet *packet);

/* A piece of a frame for the guest: all of it, or a part of a large one. */
struct rndis_piece {
	uint32_t data_len;
	bool first, last; /* part of the frame; both = the whole frame */
	bool has_hash;
	uint32_t hash; /* of the whole frame */
};
/* Write what stands before the piece's bytes; returns how much, at most RNDIS_RX_HEAD_MAX. */
uint32_t rndis_build_packet(const struct rndis *r, const struct net_frame *f,
        const struct rndis_piece *piece, uint8_t *head);

enum rndis_message_type {
	RNDIS_PACKET = 1,
	RNDIS_INITIALIZE = 2,
	RNDIS_HALT = 3,
	RNDIS_QUERY = 4,
	RNDIS_SET = 5,
	RNDIS_RESET = 6,
	RNDIS_INDICATE = 7,
	RNDIS_KEEPALIVE = 8,
};
#define RNDIS_COMPLETION 0x80000000U /* of a request: type with this bit */

#endif
