/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A learning switch: joins the adapters of VMs that name it in the configuration.
 *
 * An adapter's own address belongs to its port: a frame that carries it as its source from another
 * port is dropped, so no guest draws a neighbour's traffic to itself. Other addresses (of what a
 * guest bridges) are learned, a bounded number, and forgotten after a while. A frame for an unknown
 * address, or for a group, goes to all other ports; what a guest does not want is its adapter's to
 * drop. VLAN tags pass; the addresses of all VLANs are one table.
 *
 * Context: net_switch_make() and net_switch_attach() before the first frame; net_switch_send() and
 * net_switch_set_mac() from any CPU, the adapter's locks for sending may be held.
 */
#ifndef DEVICES_BACKEND_NET_SWITCH_H
#define DEVICES_BACKEND_NET_SWITCH_H

#include "devices/backend/net.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/out.h"
#include "vmm/lib/spinlock.h"

#define NET_SWITCH_PORTS (MAX_VMS * MAX_NICS)
#define NET_SWITCH_SETS 64U /* of the table of learned addresses; a power of two */
#define NET_SWITCH_WAYS 4U
#define NET_SWITCH_AGE_NS 300000000000ULL /* [802.1D] "Filtering Database": the usual 300 s */

struct net_switch {
	char name[MAX_NAME_LEN];                  /* (c) "" = not made */
	uint64_t (*now_ns)(void);                 /* (c) */
	uint32_t n_ports;                         /* (c) */
	struct net_port *ports[NET_SWITCH_PORTS]; /* (c) */

	struct spinlock lock;
	struct net_learned {
		uint64_t mac;          /* [lock] */
		struct net_port *port; /* [lock] NULL = free */
		uint64_t seen_ns;      /* [lock] */
	} table[NET_SWITCH_SETS][NET_SWITCH_WAYS];
};

/* The switch of that name, made if there is none yet; NULL: there are too many. */
struct net_switch *net_switch_make(const char *name, uint64_t (*now_ns)(void));
/* port->ops, owner, number and mac are set. -ENOSPC, -EEXIST: its address is another port's. */
__must_check int net_switch_attach(struct net_switch *sw, struct net_port *port);
/* A frame comes in by a port. Nothing of it is kept. Returns how many frames others were given. */
unsigned net_switch_send(struct net_port *from, const struct net_frame *frame);
/* The guest gives its adapter another address. -EEXIST, or -EINVAL for a group or 0. */
__must_check int net_switch_set_mac(struct net_port *port, uint64_t mac);
/* All switches, their ports and counters; any CPU. */
void net_switch_dump(struct out *out);
/* Forget all switches: for tests. */
void net_switch_reset(void);

#endif
