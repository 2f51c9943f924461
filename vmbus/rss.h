/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive-side scaling: which of an adapter's channels a frame for the guest goes by. The guest
 * gives a key and a table; the Toeplitz hash of a frame's addresses and ports picks a place in the
 * table, so that a connection stays with one channel. Pure.
 *
 * The hash is linear, so what each half byte of the input adds to it is computed when the key is
 * set, and a frame costs one look-up for each half byte.
 *
 * Context: the adapter's lock.
 * Specs: [NDIS] "RSS Hashing Functions", "NDIS_RECEIVE_SCALE_PARAMETERS".
 */
#ifndef VMBUS_RSS_H
#define VMBUS_RSS_H

#include "devices/backend/net.h"
#include "vmm/lib/types.h"

#define RSS_KEY_LEN 40U
#define RSS_INPUT_MAX 36U  /* two IPv6 addresses, two ports */
#define RSS_TABLE_MAX 128U /* entries; a power of two */

/* What is hashed, and how: as the guest says it. */
#define RSS_TOEPLITZ 0x00000001U
#define RSS_FUNCTIONS 0x000000ffU
#define RSS_IPV4 0x00000100U
#define RSS_TCP_IPV4 0x00000200U
#define RSS_IPV6 0x00000400U
#define RSS_TCP_IPV6 0x00001000U
#define RSS_UDP_IPV4 0x00004000U
#define RSS_UDP_IPV6 0x00008000U

struct rss {
	bool on;
	uint32_t types;   /* RSS_IPV4 and so on */
	uint32_t n_table; /* 0 = none yet; a power of two */
	bool has_key;
	uint8_t table[RSS_TABLE_MAX];
	uint32_t parts[2 * RSS_INPUT_MAX][16];
};

/* Everything to its beginning: off. */
void rss_reset(struct rss *r);
/* The guest's NDIS_RECEIVE_SCALE_PARAMETERS, copied; its table names channels below 'queues'.
 * -EINVAL: it makes no sense, and nothing has changed. */
__must_check int rss_set(struct rss *r, const uint8_t *p, uint32_t len, uint32_t queues);
/* The frame's hash; false = there is nothing in it that is hashed. */
bool rss_hash(const struct rss *r, const struct net_frame *f, uint32_t *hash);
/* The channel for a hash, while it is on. */
static inline uint32_t rss_queue(const struct rss *r, uint32_t hash)
{
	return r->table[hash & (r->n_table - 1)];
}

#endif
