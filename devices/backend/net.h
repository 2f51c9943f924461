/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a network adapter's frames go and come from. net_switch.c joins the VMs' adapters; a driver
 * of real hardware fits the same interface.
 *
 * A frame is handed over with what is left to do on it (checksums, segmentation), as the peer may
 * take it so: two guests on one switch need neither. What the peer cannot take is done by
 * net_offload.c on the way.
 *
 * Context: send and receive from any CPU. A device's lock may be held in send() only if its
 * receive() does not need it: receive() of one adapter runs within send() of another, so each side
 * has a lock of its own (docs/locking.md).
 */
#ifndef DEVICES_BACKEND_NET_H
#define DEVICES_BACKEND_NET_H

#include "devices/backend/io_seg.h"
#include "vmm/lib/types.h"

#define NET_FRAME_MAX (65536U + 64U) /* of a large send; else MTU + 18 */

/* A frame and what its sender left undone. */
struct net_frame {
	const struct io_seg *segs; /* private copy of the headers first: see header_len */
	unsigned n_segs;
	uint32_t len;        /* all bytes */
	uint32_t header_len; /* of the first segment: copied once, checked, will not change */
	uint16_t vlan_tag;   /* 802.1Q TCI; valid if has_vlan */
	bool has_vlan;
	bool csum_ip, csum_tcp, csum_udp; /* not computed yet */
	bool csum_ok;                     /* computed or checked already: the receiver need not */
	uint16_t mss;                     /* not 0: TCP to be cut into pieces of so much payload */
	uint16_t l4_offset;               /* of the TCP or UDP header, for the above */
};

struct net_port;

/* The adapter's side. */
struct net_port_ops {
	/* A frame for this adapter; taken before it returns. false = no room, dropped. */
	bool (*receive)(struct net_port *port, const struct net_frame *frame);
	void (*link)(struct net_port *port, bool up);
};

#endif
