// SPDX-License-Identifier: BSD-2-Clause
// RNDIS control requests: what an adapter is told, and how it answers.
// Specs: [MS-RNDIS] "Control Messages"; [NDIS] "NDIS OIDs", "NDIS_OFFLOAD_PARAMETERS"; Linux
// drivers/net/hyperv/rndis_filter.c for what waits for what.
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

void rndis_init(struct rndis *r, uint64_t mac)
{
	memset(r, 0, sizeof(*r));
	r->permanent_mac = mac;
	r->mac = mac;
	rndis_reset(r);
}

void rndis_reset(struct rndis *r)
{
	r->mtu = NET_MTU_DEFAULT;
	r->rsc_offered = false;
	r->queues = 1;
	r->initialized = false;
	r->filter = 0;
	r->n_multicast = 0;
	r->wanted_mac = 0;
	rss_reset(&r->rss);
	for (unsigned v = 0; v < 2; v++) {
		r->rx_csum_tcp[v] = true;
		r->rx_csum_udp[v] = true;
		r->rsc[v] = false;
	}
}

bool rndis_accepts(const struct rndis *r, uint64_t dst)
{
	if (!r->initialized || r->filter == 0) {
		return false;
	}
	if (r->filter & NDIS_PROMISCUOUS) {
		return true;
	}
	if (dst == NET_BROADCAST) {
		return (r->filter & NDIS_BROADCAST) != 0;
	}
	if (!net_mac_is_group(dst)) {
		/* The permanent one as well: a guest that starts anew goes back to it. */
		return (r->filter & NDIS_DIRECTED) && (dst == r->mac || dst == r->permanent_mac);
	}
	if (r->filter & NDIS_ALL_MULTICAST) {
		return true;
	}
	for (uint32_t i = 0; (r->filter & NDIS_MULTICAST) && i < r->n_multicast; i++) {
		if (r->multicast[i] == dst) {
			return true;
		}
	}
	return false;
}

bool rndis_takes_large(const struct rndis *r)
{
	return r->initialized && r->rsc_offered && r->rsc[0] && r->rsc[1];
}

/* --- settings --- */

static uint32_t set_multicast(struct rndis *r, struct rndis_info in)
{
	uint32_t n = in.len / NET_MAC_LEN;

	if (in.len % NET_MAC_LEN != 0) {
		return STATUS_INVALID_LENGTH;
	}
	if (n > RNDIS_MULTICAST_MAX) {
		return STATUS_MULTICAST_FULL;
	}
	for (uint32_t i = 0; i < n; i++) {
		r->multicast[i] = net_mac(in.p + i * NET_MAC_LEN);
	}
	r->n_multicast = n;
	return STATUS_SUCCESS;
}

/* Byte 'at' of the parameters says whether the receiving side is on; 0 = as before. */
static void set_rx(struct rndis_info in, uint32_t at, bool *on)
{
	if (at < in.len && in.p[at] != 0) {
		*on = in.p[at] == OFFLOAD_RX || in.p[at] == OFFLOAD_TX_RX;
	}
}

/* [NDIS] "NDIS_OFFLOAD_PARAMETERS". What is sent is taken in any form, so that is not kept. */
static uint32_t set_offload(struct rndis *r, struct rndis_info in)
{
	if (in.len < OFFLOAD_PARAMS_MIN) {
		return STATUS_INVALID_LENGTH;
	}
	set_rx(in, OFFLOAD_PARAMS_TCP4, &r->rx_csum_tcp[0]);
	set_rx(in, OFFLOAD_PARAMS_UDP4, &r->rx_csum_udp[0]);
	set_rx(in, OFFLOAD_PARAMS_TCP6, &r->rx_csum_tcp[1]);
	set_rx(in, OFFLOAD_PARAMS_UDP6, &r->rx_csum_udp[1]);
	for (unsigned v = 0; v < 2 && OFFLOAD_PARAMS_RSC + v < in.len; v++) {
		if (in.p[OFFLOAD_PARAMS_RSC + v] != 0) {
			r->rsc[v] =
			        r->rsc_offered && in.p[OFFLOAD_PARAMS_RSC + v] == OFFLOAD_RSC_ON;
		}
	}
	return STATUS_SUCCESS;
}

static int hex_digit(uint32_t c)
{
	if (c >= '0' && c <= '9') {
		return (int)(c - '0');
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10) : -1;
}

/* A string of 16-bit characters at an offset and length that the request gives. */
static bool param_string(struct rndis_info in, uint32_t at, struct rndis_info *s)
{
	uint32_t offset = get_le32(in.p + at), len = get_le32(in.p + at + 4);

	if ((uint64_t)offset + len > in.len || len % 2 != 0) {
		return false;
	}
	*s = (struct rndis_info){in.p + offset, len};
	return true;
}

/* The only parameter there is: NetworkAddress, twelve hexadecimal digits. */
static uint32_t set_config(struct rndis *r, struct rndis_info in)
{
	static const char name[] = "NetworkAddress";
	struct rndis_info key, value;
	uint64_t mac = 0;

	if (in.len < CONFIG_PARAM_SIZE || !param_string(in, CONFIG_PARAM_NAME, &key) ||
	        !param_string(in, CONFIG_PARAM_VALUE, &value)) {
		return STATUS_INVALID_DATA;
	}
	if (key.len != 2 * (sizeof(name) - 1) || value.len != 4 * NET_MAC_LEN ||
	        get_le32(in.p + CONFIG_PARAM_TYPE) != CONFIG_PARAM_STRING) {
		return STATUS_INVALID_DATA;
	}
	for (uint32_t i = 0; i < key.len; i += 2) {
		if (get_le16(key.p + i) != (uint8_t)name[i / 2]) {
			return STATUS_INVALID_DATA;
		}
	}
	for (uint32_t i = 0; i < value.len; i += 2) {
		int digit = hex_digit(get_le16(value.p + i));

		if (digit < 0) {
			return STATUS_INVALID_DATA;
		}
		mac = mac << 4 | (unsigned)digit;
	}
	if (mac == 0 || net_mac_is_group(mac)) {
		return STATUS_INVALID_DATA;
	}
	r->wanted_mac = mac;
	return STATUS_SUCCESS;
}

static uint32_t set(struct rndis *r, uint32_t oid, struct rndis_info in)
{
	switch (oid) {
	case OID_GEN_CURRENT_PACKET_FILTER:
		if (in.len < 4) {
			return STATUS_INVALID_LENGTH;
		}
		r->filter = get_le32(in.p) & NDIS_FILTERS;
		return STATUS_SUCCESS;
	case OID_802_3_MULTICAST_LIST:
		return set_multicast(r, in);
	case OID_TCP_OFFLOAD_PARAMETERS:
		return set_offload(r, in);
	case OID_GEN_RNDIS_CONFIG_PARAMETER:
		return set_config(r, in);
	case OID_GEN_RECEIVE_SCALE_PARAMETERS:
		return rss_set(&r->rss, in.p, in.len, r->queues) ? STATUS_INVALID_DATA
		                                                 : STATUS_SUCCESS;
	case OID_GEN_CURRENT_LOOKAHEAD:
	case OID_GEN_LINK_PARAMETERS:
	case OID_OFFLOAD_ENCAPSULATION:
		return STATUS_SUCCESS; /* they change nothing here */
	default:
		return STATUS_NOT_SUPPORTED;
	}
}

/* --- requests --- */

/* The bytes a QUERY or SET brings along; false = they are not all there. */
static bool request_info(const uint8_t *request, uint32_t len, struct rndis_info *in)
{
	uint32_t n, offset;

	if (len < QUERY_SIZE) {
		return false;
	}
	n = get_le32(request + QUERY_INFO_LEN);
	offset = get_le32(request + QUERY_INFO_OFFSET);
	if (n == 0) {
		*in = (struct rndis_info){request, 0};
		return true;
	}
	if ((uint64_t)BODY + offset + n > len) {
		return false;
	}
	*in = (struct rndis_info){request + BODY + offset, n};
	return true;
}

/* type, length, request id, status: how every answer but one begins. */
static uint32_t begin_reply(
        uint8_t *reply, uint32_t type, uint32_t len, uint32_t id, uint32_t status)
{
	memset(reply, 0, len);
	put_le32(reply, type | RNDIS_COMPLETION);
	put_le32(reply + 4, len);
	put_le32(reply + REPLY_ID, id);
	put_le32(reply + REPLY_STATUS, status);
	return len;
}

static uint32_t initialize(struct rndis *r, uint32_t id, uint8_t *reply)
{
	r->initialized = true;
	(void)begin_reply(reply, RNDIS_INITIALIZE, INITIALIZE_COMPLETE_SIZE, id, STATUS_SUCCESS);
	put_le32(reply + 16, 1); /* version 1.0 */
	put_le32(reply + 24, 1); /* connectionless */
	put_le32(reply + 32, RNDIS_MESSAGES_MAX);
	put_le32(reply + 36, NET_LARGE_MAX + RNDIS_HEAD_MAX);
	put_le32(reply + 40, RNDIS_ALIGN_SHIFT);
	return INITIALIZE_COMPLETE_SIZE;
}

_Static_assert(RNDIS_ANSWER_MAX + QUERY_COMPLETE_SIZE == RNDIS_REPLY_MAX, "rndis.h");

static uint32_t answer_query(
        struct rndis *r, const uint8_t *request, uint32_t len, uint32_t id, uint8_t *reply)
{
	uint32_t status = STATUS_SUCCESS, n = 0;
	struct rndis_info in;
	uint8_t data[RNDIS_ANSWER_MAX];

	if (!request_info(request, len, &in)) {
		status = STATUS_INVALID_DATA;
	} else if (!rndis_query(r, get_le32(request + QUERY_OID), in, data, &n)) {
		status = STATUS_NOT_SUPPORTED;
	}
	(void)begin_reply(reply, RNDIS_QUERY, QUERY_COMPLETE_SIZE + n, id, status);
	put_le32(reply + 16, n);
	put_le32(reply + 20, QUERY_COMPLETE_SIZE - BODY);
	memcpy(reply + QUERY_COMPLETE_SIZE, data, n);
	return QUERY_COMPLETE_SIZE + n;
}

static uint32_t answer_set(
        struct rndis *r, const uint8_t *request, uint32_t len, uint32_t id, uint8_t *reply)
{
	uint32_t status = STATUS_INVALID_DATA;
	struct rndis_info in;

	if (request_info(request, len, &in)) {
		status = set(r, get_le32(request + QUERY_OID), in);
	}
	return begin_reply(reply, RNDIS_SET, SET_COMPLETE_SIZE, id, status);
}

void rndis_mac_answer(struct rndis *r, bool ok, uint8_t *reply)
{
	if (ok) {
		r->mac = r->wanted_mac;
	} else {
		put_le32(reply + REPLY_STATUS, STATUS_FAILURE);
	}
	r->wanted_mac = 0;
}

uint32_t rndis_request(
        struct rndis *r, const uint8_t *request, uint32_t len, uint8_t reply[RNDIS_REPLY_MAX])
{
	uint32_t type, n, id;

	if (!rndis_message(request, len, len, &type, &n)) {
		return 0;
	}
	if (type == RNDIS_HALT || type == RNDIS_RESET) {
		uint32_t mtu = r->mtu, queues = r->queues;
		bool rsc_offered = r->rsc_offered, initialized = r->initialized;

		rndis_reset(r);
		r->mtu = mtu;
		r->rsc_offered = rsc_offered;
		r->queues = queues;
		if (type == RNDIS_HALT) {
			return 0;
		}
		/* The one answer without an id: type, length, status, addressing reset. */
		r->initialized = initialized;
		(void)begin_reply(reply, RNDIS_RESET, RESET_COMPLETE_SIZE, STATUS_SUCCESS, 1);
		return RESET_COMPLETE_SIZE;
	}
	if (n < REQUEST_MIN) {
		return 0; /* there is no id to answer */
	}
	id = get_le32(request + BODY);
	switch (type) {
	case RNDIS_INITIALIZE:
		return initialize(r, id, reply);
	case RNDIS_QUERY:
		return answer_query(r, request, n, id, reply);
	case RNDIS_SET:
		return answer_set(r, request, n, id, reply);
	case RNDIS_KEEPALIVE:
		return begin_reply(reply, RNDIS_KEEPALIVE, SET_COMPLETE_SIZE, id, STATUS_SUCCESS);
	default:
		return 0;
	}
}

uint32_t rndis_indicate_link(struct rndis *r, bool up, uint8_t reply[RNDIS_REPLY_MAX])
{
	r->link_up = up;
	if (!r->initialized) {
		return 0;
	}
	memset(reply, 0, INDICATE_SIZE);
	put_le32(reply, RNDIS_INDICATE);
	put_le32(reply + 4, INDICATE_SIZE);
	put_le32(reply + 8, up ? STATUS_MEDIA_CONNECT : STATUS_MEDIA_DISCONNECT);
	return INDICATE_SIZE;
}
