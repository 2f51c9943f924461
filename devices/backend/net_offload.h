/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an adapter leaves to the network, done in software: checksums, and TCP segmentation. Pure.
 *
 * net_offload_prepare() looks at what the sender asks for and does what is cheap; afterwards a
 * frame is what struct net_frame promises. What is left then is one pass over the payload
 * (net_offload_checksum), or cutting (net_cut_*) for receivers that want it.
 *
 * Specs: [RFC791], [RFC8200], [RFC9293], [RFC768]; [RFC1071] for the sum.
 */
#ifndef DEVICES_BACKEND_NET_OFFLOAD_H
#define DEVICES_BACKEND_NET_OFFLOAD_H

#include "devices/backend/net.h"

#define NET_CUT_MAX 256U /* pieces of one frame: what one frame may cost is bounded */

/* What a sender asks for. */
struct net_request {
	bool ip_csum, tcp_csum, udp_csum;
	uint32_t mss; /* not 0: cut, with all checksums */
};

/* Find the headers in the first head_len bytes of a frame of len bytes. */
void net_headers_find(struct net_headers *h, const uint8_t *head, uint32_t head_len, uint32_t len);

/*
 * head is the private copy of the frame's first head_len bytes (as f->head) and is changed: IP
 * lengths of what is to be cut, IP and UDP checksums. The segments have the bytes of head, too,
 * just before body_at: both may move back. -EINVAL: it cannot be done on this frame.
 */
__must_check int net_offload_prepare(
        struct net_frame *f, uint8_t *head, const struct net_request *request);

/* The same frame with its checksum computed, over all of it if it is to be cut; head is the new
 * one's. */
void net_offload_checksum(
        const struct net_frame *f, struct net_frame *done, uint8_t head[NET_HEAD_MAX]);

/* Pieces of a frame with mss, one after the other; each is complete and has its checksums. */
struct net_cut {
	const struct net_frame *whole;
	uint32_t done; /* bytes of payload */
	uint32_t pieces;
	uint8_t head[NET_HEAD_MAX]; /* of the present piece */
};
void net_cut_begin(struct net_cut *cut, const struct net_frame *whole);
/* false = there are no more. */
bool net_cut_next(struct net_cut *cut, struct net_frame *piece);

#endif
