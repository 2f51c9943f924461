// SPDX-License-Identifier: BSD-2-Clause
// Receive-side scaling: the Toeplitz hash and the guest's table.
// Specs: [NDIS] "RSS Hashing Functions", "RSS Hashing Types", "NDIS_RECEIVE_SCALE_PARAMETERS".
#include "vmbus/rss.h"
#include "devices/backend/net_offload.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* "NDIS_RECEIVE_SCALE_PARAMETERS", revision 1 and what is common to later ones */
#define PARAMS_FLAGS 4U
#define PARAMS_HASH 8U
#define PARAMS_TABLE_LEN 12U /* bytes, 16 bits */
#define PARAMS_TABLE 16U     /* offset */
#define PARAMS_KEY_LEN 20U
#define PARAMS_KEY 24U
#define PARAMS_MIN 28U

#define FLAG_HASH_UNCHANGED 0x0002U
#define FLAG_TABLE_UNCHANGED 0x0004U
#define FLAG_KEY_UNCHANGED 0x0008U
#define FLAG_DISABLE 0x0010U

#define IP4_ADDRS 12U /* source and destination, in the header */
#define IP4_ADDRS_LEN 8U
#define IP6_ADDRS 8U
#define IP6_ADDRS_LEN 32U
#define PORTS_LEN 4U

void rss_reset(struct rss *r)
{
	memset(r, 0, sizeof(*r));
}

/* --- the guest's wishes --- */

/* What each half byte of the input adds: for each of its bits that is set, the 32 bits of the key
 * that begin there. */
static void set_key(struct rss *r, const uint8_t *key)
{
	for (unsigned half = 0; half < 2 * RSS_INPUT_MAX; half++) {
		const uint8_t *k = key + half / 2;
		uint64_t window = (uint64_t)k[0] << 32 | (uint64_t)k[1] << 24 |
		                  (uint64_t)k[2] << 16 | (uint64_t)k[3] << 8 | k[4];
		unsigned shift = half % 2 ? 4 : 8;

		for (unsigned value = 0; value < 16; value++) {
			uint32_t sum = 0;

			for (unsigned bit = 0; bit < 4; bit++) {
				if (value & 8U >> bit) {
					sum ^= (uint32_t)(window >> (shift - bit));
				}
			}
			r->parts[half][value] = sum;
		}
	}
	r->has_key = true;
}
_Static_assert(RSS_INPUT_MAX - 1 + 5 <= RSS_KEY_LEN, "the last window lies in the key");

/* 'len' bytes at an offset of the parameters; NULL = they are not all there. */
static const uint8_t *part(const uint8_t *p, uint32_t p_len, uint32_t offset, uint32_t len)
{
	return (uint64_t)offset + len <= p_len ? p + offset : NULL;
}

static bool table_valid(const uint8_t *table, uint32_t n, uint32_t queues)
{
	if (!table || n == 0 || n > RSS_TABLE_MAX || (n & (n - 1)) != 0) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (get_le32(table + 4 * i) >= queues) {
			return false;
		}
	}
	return true;
}

int rss_set(struct rss *r, const uint8_t *p, uint32_t len, uint32_t queues)
{
	const uint8_t *table = NULL, *key = NULL;
	uint32_t flags, n = 0, types;

	if (len < PARAMS_MIN) {
		return -EINVAL;
	}
	flags = get_le16(p + PARAMS_FLAGS);
	types = flags & FLAG_HASH_UNCHANGED ? r->types : get_le32(p + PARAMS_HASH);
	if ((flags & FLAG_DISABLE) || types == 0) {
		r->on = false;
		return 0;
	}
	if ((types & RSS_FUNCTIONS) != RSS_TOEPLITZ) {
		return -EINVAL;
	}
	if (!(flags & FLAG_TABLE_UNCHANGED)) {
		n = get_le16(p + PARAMS_TABLE_LEN) / 4;
		table = part(p, len, get_le32(p + PARAMS_TABLE), 4 * n);
		if (!table_valid(table, n, queues)) {
			return -EINVAL;
		}
	}
	if (!(flags & FLAG_KEY_UNCHANGED)) {
		key = part(p, len, get_le32(p + PARAMS_KEY), RSS_KEY_LEN);
		if (!key || get_le16(p + PARAMS_KEY_LEN) != RSS_KEY_LEN) {
			return -EINVAL;
		}
	}
	if ((!table && r->n_table == 0) || (!key && !r->has_key)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < n; i++) {
		r->table[i] = (uint8_t)get_le32(table + 4 * i);
	}
	r->n_table = table ? n : r->n_table;
	if (key) {
		set_key(r, key);
	}
	r->types = types;
	r->on = true;
	return 0;
}

/* --- the hash --- */

static uint32_t add(const struct rss *r, uint32_t at, const uint8_t *input, uint32_t len)
{
	uint32_t hash = 0;

	for (uint32_t i = 0; i < len; i++) {
		hash ^= r->parts[2 * (at + i)][input[i] >> 4];
		hash ^= r->parts[2 * (at + i) + 1][input[i] & 0xfU];
	}
	return hash;
}

static bool has_ports(const struct rss *r, const struct net_headers *h)
{
	bool v6 = h->ip_version == 6;

	if (!h->whole_l4) {
		return false;
	}
	return h->protocol == NET_TCP ? (r->types & (v6 ? RSS_TCP_IPV6 : RSS_TCP_IPV4)) != 0
	                              : (r->types & (v6 ? RSS_UDP_IPV6 : RSS_UDP_IPV4)) != 0;
}

bool rss_hash(const struct rss *r, const struct net_frame *f, uint32_t *hash)
{
	struct net_headers h = f->headers;
	uint32_t len;
	bool v6;

	if (!f->csum_open && !f->csum_ok) {
		net_headers_find(&h, f->head, f->head_len, f->len);
	}
	if (h.l4 == 0) {
		return false; /* no IP, or cut short */
	}
	v6 = h.ip_version == 6;
	if (!has_ports(r, &h) && !(r->types & (v6 ? RSS_IPV6 : RSS_IPV4))) {
		return false;
	}
	len = v6 ? IP6_ADDRS_LEN : IP4_ADDRS_LEN;
	*hash = add(r, 0, f->head + h.l3 + (v6 ? IP6_ADDRS : IP4_ADDRS), len);
	if (has_ports(r, &h)) {
		*hash ^= add(r, len, f->head + h.l4, PORTS_LEN);
	}
	return true;
}
