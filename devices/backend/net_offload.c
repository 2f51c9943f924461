// SPDX-License-Identifier: BSD-2-Clause
// Checksums and TCP segmentation in software, for receivers that cannot take them undone.
// Specs: [RFC791] "Internet Header Format"; [RFC8200] "IPv6 Header Format", "Extension Header
// Order"; [RFC9293] "Header Format"; [RFC768]; [RFC1071].
#include "devices/backend/net_offload.h"
#include "vmm/lib/be.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define ETH_TYPE 12U
#define TYPE_IPV4 0x0800U
#define TYPE_IPV6 0x86ddU
#define TYPE_VLAN 0x8100U
#define TYPE_QINQ 0x88a8U
#define VLAN_TAGS_MAX 2U

/* [RFC791] "Internet Header Format" */
#define IP4_LEN 2U
#define IP4_ID 4U
#define IP4_FRAGMENT 6U /* flags and offset; 0x3fff: more fragments, or not the first */
#define IP4_PROTOCOL 9U
#define IP4_CSUM 10U
#define IP4_ADDRS 12U /* source, destination */
#define IP4_MIN 20U

/* [RFC8200] "IPv6 Header Format" */
#define IP6_LEN 4U
#define IP6_NEXT 6U
#define IP6_ADDRS 8U
#define IP6_HEADER 40U
#define IP6_HOP_BY_HOP 0U
#define IP6_DESTINATION 60U
#define IP6_EXTENSIONS_MAX 8U

/* [RFC9293] "Header Format" */
#define TCP_SEQ 4U
#define TCP_DATA_OFFSET 12U
#define TCP_FLAGS 13U
#define TCP_FIN 0x01U
#define TCP_PSH 0x08U
#define TCP_CWR 0x80U
#define TCP_CSUM 16U
#define TCP_MIN 20U

#define UDP_CSUM 6U
#define UDP_HEADER 8U

/* --- the sum --- */

/* In the machine's byte order, which the sum does not mind; swapped at the end. */
struct csum {
	uint64_t sum;
	bool odd; /* an odd number of bytes so far */
};

static uint32_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffffU) + (sum >> 32);
	sum = (sum & 0xffffU) + (sum >> 16 & 0xffffU) + (sum >> 32);
	sum = (sum & 0xffffU) + (sum >> 16);
	return (uint32_t)((sum & 0xffffU) + (sum >> 16));
}

static uint32_t swap16(uint32_t v)
{
	return (v >> 8 | v << 8) & 0xffffU;
}

/* The sum so far, and how often it overflowed: which adds as much again. */
struct long_sum {
	uint64_t sum, carries;
};

static inline void add_word(struct long_sum *s, const uint8_t *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, sizeof(word)); /* one load */
	s->sum += word;
	s->carries += s->sum < word;
}

static void csum_add(struct csum *c, const uint8_t *p, uint32_t len)
{
	struct long_sum s = {0};
	uint8_t last[8] = {0};
	uint32_t n = len;

	for (; n >= 32; n -= 32, p += 32) {
		add_word(&s, p);
		add_word(&s, p + 8);
		add_word(&s, p + 16);
		add_word(&s, p + 24);
	}
	for (; n >= 8; n -= 8, p += 8) {
		add_word(&s, p);
	}
	memcpy(last, p, n);
	add_word(&s, last);
	s.sum = (uint64_t)fold(s.sum) + fold(s.carries);
	c->sum += c->odd ? swap16(fold(s.sum)) : fold(s.sum);
	c->odd ^= len & 1;
}

static void csum_add16(struct csum *c, uint32_t v)
{
	c->sum += swap16(v & 0xffffU);
}

static uint16_t csum_end(const struct csum *c)
{
	return (uint16_t)(~swap16(fold(c->sum)) & 0xffffU);
}

static void csum_frame(struct csum *c, const struct net_frame *f, uint32_t at, uint32_t end)
{
	while (at < end) {
		uint32_t len = end - at;
		const uint8_t *run = net_frame_run(f, at, &len);

		if (len == 0) {
			return;
		}
		csum_add(c, run, len);
		at += len;
	}
}

/* --- headers --- */

/* The tags, if any, and the type: where the next header begins; 0 = not IP. */
static uint32_t find_l3(struct net_headers *h, const uint8_t *head, uint32_t head_len)
{
	uint32_t at = ETH_TYPE;

	for (unsigned tags = 0; tags <= VLAN_TAGS_MAX && at + 2 <= head_len; tags++) {
		uint32_t type = get_be16(head + at);

		if (type == TYPE_IPV4 || type == TYPE_IPV6) {
			h->ip_version = type == TYPE_IPV4 ? 4 : 6;
			return at + 2;
		}
		if (type != TYPE_VLAN && type != TYPE_QINQ) {
			return 0;
		}
		at += 4;
	}
	return 0;
}

/* Where the packet in the packet begins; 0 = it makes no sense. */
static uint32_t find_l4_ipv4(struct net_headers *h, const uint8_t *head, uint32_t head_len)
{
	const uint8_t *ip = head + h->l3;
	uint32_t ihl;

	if (head_len - h->l3 < IP4_MIN || ip[0] >> 4 != 4) {
		return 0;
	}
	ihl = (ip[0] & 0xfU) * 4;
	if (ihl < IP4_MIN || ihl > head_len - h->l3) {
		return 0;
	}
	if ((get_be16(ip + IP4_FRAGMENT) & 0x3fffU) == 0) {
		h->protocol = ip[IP4_PROTOCOL];
	}
	return h->l3 + ihl;
}

/* A routing header changes what address the checksum is about, so it ends the search. */
static uint32_t find_l4_ipv6(struct net_headers *h, const uint8_t *head, uint32_t head_len)
{
	uint32_t at = h->l3 + IP6_HEADER;

	if (at > head_len || head[h->l3] >> 4 != 6) {
		return 0;
	}
	h->protocol = head[h->l3 + IP6_NEXT];
	for (unsigned i = 0; i < IP6_EXTENSIONS_MAX; i++) {
		if (h->protocol != IP6_HOP_BY_HOP && h->protocol != IP6_DESTINATION) {
			return at;
		}
		if (at + 8 > head_len) {
			return 0;
		}
		h->protocol = head[at];
		at += (head[at + 1] + 1U) * 8;
	}
	return 0;
}

/* The bytes that IP says there are from l4 on; 0 = more than the frame has. */
static uint32_t l4_len(const struct net_headers *h, const uint8_t *head, uint32_t len)
{
	const uint8_t *ip = head + h->l3;
	uint32_t end = h->ip_version == 4 ? h->l3 + (uint32_t)get_be16(ip + IP4_LEN)
	                                  : h->l3 + IP6_HEADER + get_be16(ip + IP6_LEN);

	return end > len || end < h->payload ? 0 : end - h->l4;
}

void net_headers_find(struct net_headers *h, const uint8_t *head, uint32_t head_len, uint32_t len)
{
	uint32_t at;

	memset(h, 0, sizeof(*h));
	at = find_l3(h, head, head_len);
	if (at == 0) {
		return;
	}
	h->l3 = (uint16_t)at;
	at = h->ip_version == 4 ? find_l4_ipv4(h, head, head_len) : find_l4_ipv6(h, head, head_len);
	if (at == 0 || at > head_len) {
		return;
	}
	h->l4 = (uint16_t)at;
	if (h->protocol == NET_TCP && head_len - at >= TCP_MIN) {
		uint32_t tcp = (head[at + TCP_DATA_OFFSET] >> 4) * 4U;

		h->whole_l4 = tcp >= TCP_MIN && tcp <= head_len - at && at + tcp <= len;
		h->payload = (uint16_t)(at + tcp);
	} else if (h->protocol == NET_UDP && head_len - at >= UDP_HEADER) {
		h->whole_l4 = at + UDP_HEADER <= len;
		h->payload = (uint16_t)(at + UDP_HEADER);
	}
}

/* --- checksums --- */

static void ip4_checksum(const struct net_headers *h, uint8_t *head)
{
	uint8_t *ip = head + h->l3;
	struct csum c = {0};

	put_be16(ip + IP4_CSUM, 0);
	csum_add(&c, ip, (ip[0] & 0xfU) * 4);
	put_be16(ip + IP4_CSUM, csum_end(&c));
}

/* head is f's, to be written; 'len' bytes from the TCP or UDP header on. */
static void l4_checksum(const struct net_frame *f, uint8_t *head, uint32_t len)
{
	const struct net_headers *h = &f->headers;
	uint8_t *field = head + h->l4 + (h->protocol == NET_TCP ? TCP_CSUM : UDP_CSUM);
	struct csum c = {0};
	uint16_t sum;

	put_be16(field, 0);
	if (h->ip_version == 4) {
		csum_add(&c, head + h->l3 + IP4_ADDRS, 8);
	} else {
		csum_add(&c, head + h->l3 + IP6_ADDRS, 32);
	}
	csum_add16(&c, h->protocol);
	csum_add16(&c, len >> 16);
	csum_add16(&c, len);
	csum_add(&c, head + h->l4, f->head_len - h->l4);
	csum_frame(&c, f, f->head_len, h->l4 + len);
	sum = csum_end(&c);
	/* [RFC768]: 0 means that there is none. */
	put_be16(field, h->protocol == NET_UDP && sum == 0 ? 0xffffU : sum);
}

void net_offload_checksum(
        const struct net_frame *f, struct net_frame *done, uint8_t head[NET_HEAD_MAX])
{
	memcpy(head, f->head, f->head_len);
	*done = *f;
	done->head = head;
	done->csum_open = false;
	l4_checksum(done, head, l4_len(&f->headers, head, f->len));
}

/* --- what the sender asks for --- */

/* Lengths that a sender of large frames leaves out. */
static int set_ip_len(const struct net_headers *h, uint8_t *head, uint32_t len)
{
	uint32_t ip_len = h->ip_version == 4 ? len - h->l3 : len - h->l3 - IP6_HEADER;

	if (ip_len > 0xffffU) {
		return -EINVAL;
	}
	put_be16(head + h->l3 + (h->ip_version == 4 ? IP4_LEN : IP6_LEN), ip_len);
	return 0;
}

static int prepare_large(struct net_frame *f, uint8_t *head, uint32_t mss)
{
	const struct net_headers *h = &f->headers;
	uint32_t payload = f->len - h->payload;

	if (!h->whole_l4 || h->protocol != NET_TCP || set_ip_len(h, head, f->len)) {
		return -EINVAL;
	}
	if (mss > 0xffffU || (payload + mss - 1) / mss > NET_CUT_MAX) {
		return -EINVAL;
	}
	f->mss = payload > mss ? (uint16_t)mss : 0;
	return 0;
}

int net_offload_prepare(struct net_frame *f, uint8_t *head, const struct net_request *request)
{
	const struct net_headers *h = &f->headers;

	net_headers_find(&f->headers, head, f->head_len, f->len);
	if (request->mss != 0 && prepare_large(f, head, request->mss)) {
		return -EINVAL;
	}
	if (request->mss != 0 || request->ip_csum) {
		if (h->ip_version == 4 && h->l4 != 0) {
			ip4_checksum(h, head);
		} else if (h->ip_version != 6) {
			return -EINVAL;
		}
	}
	if (request->mss == 0 && !request->tcp_csum && !request->udp_csum) {
		return 0;
	}
	if (!h->whole_l4 || l4_len(h, head, f->len) == 0 ||
	        (request->tcp_csum && h->protocol != NET_TCP) ||
	        (request->udp_csum && h->protocol != NET_UDP)) {
		return -EINVAL;
	}
	/* What follows the headers counts as body from here on. */
	f->body_at -= f->head_len - h->payload;
	f->head_len = h->payload;
	f->csum_ok = true;
	if (h->protocol == NET_UDP) {
		l4_checksum(f, head, l4_len(h, head, f->len));
	} else {
		f->csum_open = true;
	}
	return 0;
}

/* --- cutting --- */

void net_cut_begin(struct net_cut *cut, const struct net_frame *whole)
{
	cut->whole = whole;
	cut->done = 0;
	cut->pieces = 0;
}

bool net_cut_next(struct net_cut *cut, struct net_frame *piece)
{
	const struct net_frame *whole = cut->whole;
	const struct net_headers *h = &whole->headers;
	uint32_t left = whole->len - whole->head_len - cut->done;
	uint32_t n = left < whole->mss ? left : whole->mss;
	uint8_t *head = cut->head;
	uint8_t *tcp = head + h->l4;

	if (left == 0) {
		return false;
	}
	memcpy(head, whole->head, whole->head_len);
	*piece = *whole;
	piece->head = head;
	piece->len = whole->head_len + n;
	piece->body_at = whole->body_at + cut->done;
	piece->mss = 0;
	piece->csum_open = false;
	/* It is shorter than the whole, whose length fits. */
	(void)set_ip_len(h, head, piece->len);
	if (h->ip_version == 4) {
		uint8_t *id = head + h->l3 + IP4_ID;

		put_be16(id, get_be16(id) + cut->pieces);
		ip4_checksum(h, head);
	}
	put_be32(tcp + TCP_SEQ, get_be32(tcp + TCP_SEQ) + cut->done);
	if (n < left) {
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	}
	if (cut->pieces > 0) {
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	}
	l4_checksum(piece, head, piece->len - h->l4);
	cut->done += n;
	cut->pieces++;
	return true;
}
