// SPDX-License-Identifier: BSD-2-Clause
// Learning switches between the adapters of VMs.
// Specs: [802.1D] "Learning Process", "Forwarding Process".
#include "devices/backend/net_switch.h"
#include "devices/backend/net_capture.h"
#include "devices/backend/net_offload.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

static struct net_switch switches[MAX_SWITCHES];

struct net_switch *net_switch_make(const char *name, uint64_t (*now_ns)(void))
{
	for (unsigned i = 0; i < ARRAY_SIZE(switches); i++) {
		struct net_switch *sw = &switches[i];

		if (sw->name[0] == '\0') {
			(void)str_copy(sw->name, sizeof(sw->name), name);
			sw->now_ns = now_ns;
			return sw;
		}
		if (strcmp(sw->name, name) == 0) {
			return sw;
		}
	}
	return NULL;
}

void net_switch_reset(void)
{
	memset(switches, 0, sizeof(switches));
}

static uint64_t port_mac(const struct net_port *port)
{
	return __atomic_load_n(&port->mac, __ATOMIC_RELAXED);
}

/* The port whose adapter has this address; NULL. */
static struct net_port *owner_of(const struct net_switch *sw, uint64_t mac)
{
	for (uint32_t i = 0; i < sw->n_ports; i++) {
		if (port_mac(sw->ports[i]) == mac) {
			return sw->ports[i];
		}
	}
	return NULL;
}

int net_switch_attach(struct net_switch *sw, struct net_port *port)
{
	if (sw->n_ports == NET_SWITCH_PORTS) {
		return -ENOSPC;
	}
	if (owner_of(sw, port->mac)) {
		return -EEXIST;
	}
	port->sw = sw;
	sw->ports[sw->n_ports++] = port;
	return 0;
}

/* --- learned addresses --- */

static struct net_learned *set_of(struct net_switch *sw, uint64_t mac)
{
	/* Neighbours differ in the last bytes. */
	return sw->table[(mac ^ mac >> 8 ^ mac >> 16) % NET_SWITCH_SETS];
}

static bool is_old(const struct net_switch *sw, const struct net_learned *e)
{
	return sw->now_ns() - e->seen_ns > NET_SWITCH_AGE_NS;
}

/* In a full set the one that was silent longest makes room. */
static void learn_locked(struct net_switch *sw, uint64_t mac, struct net_port *port)
{
	struct net_learned *set = set_of(sw, mac), *to = &set[0];

	for (unsigned i = 0; i < NET_SWITCH_WAYS; i++) {
		if (set[i].port && set[i].mac == mac) {
			to = &set[i];
			break;
		}
		if (to->port && (!set[i].port || set[i].seen_ns < to->seen_ns)) {
			to = &set[i];
		}
	}
	*to = (struct net_learned){.mac = mac, .port = port, .seen_ns = sw->now_ns()};
}

static struct net_port *find_locked(struct net_switch *sw, uint64_t mac)
{
	struct net_learned *set = set_of(sw, mac);

	for (unsigned i = 0; i < NET_SWITCH_WAYS; i++) {
		if (set[i].port && set[i].mac == mac) {
			return is_old(sw, &set[i]) ? NULL : set[i].port;
		}
	}
	return NULL;
}

static void forget_locked(struct net_switch *sw, uint64_t mac)
{
	struct net_learned *set = set_of(sw, mac);

	for (unsigned i = 0; i < NET_SWITCH_WAYS; i++) {
		if (set[i].mac == mac) {
			set[i].port = NULL;
		}
	}
}

int net_switch_set_mac(struct net_port *port, uint64_t mac)
{
	struct net_switch *sw = port->sw;
	int err = 0;

	if (mac == 0 || net_mac_is_group(mac)) {
		return -EINVAL;
	}
	if (!sw) {
		__atomic_store_n(&port->mac, mac, __ATOMIC_RELAXED);
		return 0;
	}
	spin_lock(&sw->lock);
	if (owner_of(sw, mac) && owner_of(sw, mac) != port) {
		err = -EEXIST;
	} else {
		/* Somebody else may have used it until now. */
		forget_locked(sw, mac);
		__atomic_store_n(&port->mac, mac, __ATOMIC_RELAXED);
	}
	spin_unlock(&sw->lock);
	return err;
}

/* --- frames --- */

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void capture(const struct net_port *port, const struct net_frame *f, bool to_guest)
{
	if (__atomic_load_n(&port->captured, __ATOMIC_RELAXED)) {
		net_capture_frame(f, to_guest, port->sw->now_ns());
	}
}

static void hand_over(struct net_port *to, const struct net_frame *f)
{
	if (to->ops->receive(to, f)) {
		capture(to, f, true);
		count(&to->stats.out_frames, 1);
		count(&to->stats.out_bytes, f->len);
	} else {
		count(&to->stats.lost, 1);
	}
}

/* In the form that this port takes; returns in how many pieces. */
static unsigned deliver(struct net_port *from, struct net_port *to, const struct net_frame *f)
{
	struct net_frame done;
	struct net_cut cut;
	uint8_t head[NET_HEAD_MAX];

	/* Whether a guest looks at checksums is its own business, and it does not say. */
	if (f->mss == 0 || __atomic_load_n(&to->takes_large, __ATOMIC_RELAXED)) {
		if (f->csum_open) {
			net_offload_checksum(f, &done, head);
			f = &done;
		}
		hand_over(to, f);
		return 1;
	}
	count(&from->stats.cut, 1);
	net_cut_begin(&cut, f);
	while (net_cut_next(&cut, &done)) {
		hand_over(to, &done);
	}
	return cut.pieces;
}

/* Where it goes: a port, or NULL for all. *drop: nowhere. */
static struct net_port *forward(
        struct net_switch *sw, struct net_port *from, uint64_t dst, uint64_t src, bool *drop)
{
	struct net_port *to = net_mac_is_group(dst) ? NULL : owner_of(sw, dst);
	struct net_port *src_owner = owner_of(sw, src);

	*drop = false;
	if ((src_owner && src_owner != from) || net_mac_is_group(src) || src == 0) {
		count(&from->stats.forged, 1);
		*drop = true;
		return NULL;
	}
	if (!src_owner || (!to && !net_mac_is_group(dst))) {
		spin_lock(&sw->lock);
		if (!src_owner) {
			learn_locked(sw, src, from);
		}
		if (!to && !net_mac_is_group(dst)) {
			to = find_locked(sw, dst);
		}
		spin_unlock(&sw->lock);
	}
	*drop = to == from;
	return to;
}

unsigned net_switch_send(struct net_port *from, const struct net_frame *f)
{
	struct net_switch *sw = from->sw;
	struct net_port *to;
	unsigned n = 0;
	bool drop;

	count(&from->stats.in_frames, 1);
	count(&from->stats.in_bytes, f->len);
	if (!sw) {
		return 0;
	}
	capture(from, f, false);
	to = forward(sw, from, net_mac(f->head), net_mac(f->head + NET_MAC_LEN), &drop);
	if (drop) {
		return 0;
	}
	if (to) {
		return deliver(from, to, f);
	}
	count(&from->stats.flooded, 1);
	for (uint32_t i = 0; i < sw->n_ports; i++) {
		if (sw->ports[i] != from) {
			n += deliver(from, sw->ports[i], f);
		}
	}
	return n;
}

/* --- for people --- */

static unsigned long long llu(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

static void dump_port(const struct net_port *port, struct out *out)
{
	const struct net_port_stats *s = &port->stats;
	uint8_t mac[NET_MAC_LEN];

	net_mac_bytes(port_mac(port), mac);
	out_print(out, "  %s/%u %02x:%02x:%02x:%02x:%02x:%02x%s\n", port->owner, port->number,
	        mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
	        __atomic_load_n(&port->takes_large, __ATOMIC_RELAXED) ? " takes large frames" : "");
	out_print(out,
	        "    from it: %llu frames, %llu bytes, %llu cut, %llu flooded, %llu forged\n",
	        llu(&s->in_frames), llu(&s->in_bytes), llu(&s->cut), llu(&s->flooded),
	        llu(&s->forged));
	out_print(out, "    to it: %llu frames, %llu bytes, %llu lost\n", llu(&s->out_frames),
	        llu(&s->out_bytes), llu(&s->lost));
}

static void dump_learned(struct net_switch *sw, struct out *out)
{
	for (unsigned i = 0; i < NET_SWITCH_SETS * NET_SWITCH_WAYS; i++) {
		struct net_learned e;
		uint8_t mac[NET_MAC_LEN];

		spin_lock(&sw->lock);
		e = sw->table[i / NET_SWITCH_WAYS][i % NET_SWITCH_WAYS];
		spin_unlock(&sw->lock);
		if (!e.port || is_old(sw, &e)) {
			continue;
		}
		net_mac_bytes(e.mac, mac);
		out_print(out, "  learned %02x:%02x:%02x:%02x:%02x:%02x at %s/%u\n", mac[0], mac[1],
		        mac[2], mac[3], mac[4], mac[5], e.port->owner, e.port->number);
	}
}

void net_switch_dump(struct out *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(switches) && switches[i].name[0] != '\0'; i++) {
		struct net_switch *sw = &switches[i];

		out_print(out, "%s: %u ports\n", sw->name, sw->n_ports);
		for (uint32_t p = 0; p < sw->n_ports; p++) {
			dump_port(sw->ports[p], out);
		}
		dump_learned(sw, out);
	}
	if (switches[0].name[0] == '\0') {
		out_print(out, "there is no switch: no VM has nic = NAME\n");
	}
}
