/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames, and the ports they go in and out by. net_switch.c joins ports; an emulated or synthetic
 * adapter is one, a driver of real hardware fits the same interface.
 *
 * A frame is handed over with what its sender left undone (checksum, segmentation), because a
 * receiver may take it so. What the receiver cannot take is done by net_offload.c on the way.
 * Its headers are a private copy that was checked; the rest lies where the sender has it, may be
 * changed there by a guest at any time, and is good until the call returns.
 *
 * Context: send from any CPU, the sender's locks may be held. receive() of one adapter runs within
 * the sending of another: it takes one lock of its own adapter that nobody holds while sending.
 */
#ifndef DEVICES_BACKEND_NET_H
#define DEVICES_BACKEND_NET_H

#include "devices/backend/io_seg.h"
#include "vmm/lib/types.h"

#define NET_MAC_LEN 6U
#define NET_ETH_LEN 14U       /* addresses and type */
#define NET_HEAD_MAX 256U     /* more than all headers of a TCP segment have */
#define NET_MTU_DEFAULT 1500U /* bytes behind the Ethernet header */
#define NET_MTU_MAX 9000U     /* jumbo frames */
#define NET_TAGS_LEN 4U       /* one 802.1Q tag in the frame itself */
#define NET_LARGE_MAX 0xf000U /* bytes of a frame that is to be cut */

/* Where the headers of an IP packet lie: bytes from the start of the frame. */
struct net_headers {
	uint16_t l3, l4, payload;
	uint8_t ip_version; /* 4 or 6; 0 = no IP, and nothing else is valid */
	uint8_t protocol;   /* NET_TCP, NET_UDP, or anything; 0 of a fragment */
	bool whole_l4;      /* l4 and payload are valid: TCP or UDP, and not a fragment */
};
#define NET_TCP 6U
#define NET_UDP 17U

struct net_frame {
	const uint8_t *head; /* the first head_len bytes: private, at least NET_ETH_LEN */
	uint32_t head_len;
	uint32_t len;              /* all bytes; those after head are in segs ... */
	const struct io_seg *segs; /* ... from byte body_at of them on */
	unsigned n_segs;
	uint32_t body_at;
	bool has_vlan;
	uint16_t vlan_tci; /* 802.1Q tag that is not in the frame itself */
	/* The sender's and net_offload.c's; with the first two headers.whole_l4 holds, and head
	 * ends with the TCP header. */
	bool csum_open; /* TCP checksum: not computed */
	uint16_t mss;   /* not 0: TCP to be cut into pieces of so much payload; csum_open, too */
	bool csum_ok;   /* IP and TCP or UDP checksums are right, or csum_open */
	struct net_headers headers; /* valid with any of these three */
};

struct net_port;

struct net_port_ops {
	/* A frame for this port, with all checksums in place; its bytes are taken before it
	 * returns. false = not wanted, or no room: it is lost. */
	bool (*receive)(struct net_port *port, const struct net_frame *frame);
};

struct net_port_stats {
	uint64_t in_frames, in_bytes;   /* from the adapter */
	uint64_t out_frames, out_bytes; /* to the adapter */
	uint64_t cut;                   /* large frames from the adapter that were cut for others */
	uint64_t flooded;               /* from the adapter, to all */
	uint64_t forged;                /* from the adapter, with another's address: dropped */
	uint64_t lost;                  /* to the adapter, which had no room or did not want them */
};

struct net_port {
	const struct net_port_ops *ops; /* (c) the adapter's */
	const char *owner;              /* (c) its VM's name, for lists */
	uint32_t number;                /* (c) of that VM's adapters */
	struct net_switch *sw;          /* (c) NULL = no cable */
	uint64_t mac;                   /* [a] as net_mac() has it */
	bool takes_large;               /* [a] frames with mss */
	bool captured;                  /* [a] its frames are kept: net_capture.h */
	struct net_port_stats stats;    /* [a] */
};

/* A MAC address as a number: the first byte on the wire is the highest. */
static inline uint64_t net_mac(const uint8_t *b)
{
	return (uint64_t)b[0] << 40 | (uint64_t)b[1] << 32 | (uint64_t)b[2] << 24 |
	       (uint64_t)b[3] << 16 | (uint64_t)b[4] << 8 | b[5];
}

static inline void net_mac_bytes(uint64_t mac, uint8_t b[NET_MAC_LEN])
{
	for (unsigned i = 0; i < NET_MAC_LEN; i++) {
		b[i] = (uint8_t)(mac >> (40 - 8 * i));
	}
}

#define NET_BROADCAST 0xffffffffffffULL

static inline bool net_mac_is_group(uint64_t mac)
{
	return (mac >> 40) & 1;
}

/* What went one way, by the kind of its receivers. */
enum net_kind { NET_UNICAST, NET_MULTICAST, NET_TO_ALL, NET_KINDS };

struct net_traffic {
	uint64_t frames[NET_KINDS], bytes[NET_KINDS];
};

static inline void net_traffic_count(struct net_traffic *t, const struct net_frame *f)
{
	uint64_t dst = net_mac(f->head);
	enum net_kind kind = dst == NET_BROADCAST    ? NET_TO_ALL
	                     : net_mac_is_group(dst) ? NET_MULTICAST
	                                             : NET_UNICAST;

	t->frames[kind]++;
	t->bytes[kind] += f->len;
}

/* The run of bytes at 'at' of a frame, at most *len of them; *len becomes how many. 'at' and
 * at + *len are inside the frame. */
static inline const uint8_t *net_frame_run(const struct net_frame *f, uint32_t at, uint32_t *len)
{
	uint32_t skip;

	if (at < f->head_len) {
		uint32_t here = f->head_len - at;

		*len = *len < here ? *len : here;
		return f->head + at;
	}
	skip = f->body_at + (at - f->head_len);
	for (unsigned i = 0; i < f->n_segs; i++) {
		if (skip < f->segs[i].len) {
			uint32_t here = f->segs[i].len - skip;

			*len = *len < here ? *len : here;
			return f->segs[i].hva + skip;
		}
		skip -= f->segs[i].len;
	}
	*len = 0; /* the frame is longer than its segments: a mistake of ours */
	return NULL;
}

#endif
