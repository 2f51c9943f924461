// SPDX-License-Identifier: BSD-2-Clause
// RNDIS control requests: what an adapter is asked, and what it answers.
// Specs: [MS-RNDIS] "Control Messages"; [NDIS] "NDIS OIDs", "NDIS_OFFLOAD",
// "NDIS_OFFLOAD_PARAMETERS"; Linux drivers/net/hyperv/rndis_filter.c for what waits for what.
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* Who may be asked; each has a case in query(). */
static const uint32_t supported[] = {
        OID_GEN_SUPPORTED_LIST,
        OID_GEN_HARDWARE_STATUS,
        OID_GEN_MEDIA_SUPPORTED,
        OID_GEN_MEDIA_IN_USE,
        OID_GEN_MAXIMUM_FRAME_SIZE,
        OID_GEN_LINK_SPEED,
        OID_GEN_TRANSMIT_BLOCK_SIZE,
        OID_GEN_RECEIVE_BLOCK_SIZE,
        OID_GEN_VENDOR_ID,
        OID_GEN_VENDOR_DESCRIPTION,
        OID_GEN_CURRENT_PACKET_FILTER,
        OID_GEN_MAXIMUM_TOTAL_SIZE,
        OID_GEN_MEDIA_CONNECT_STATUS,
        OID_802_3_PERMANENT_ADDRESS,
        OID_802_3_CURRENT_ADDRESS,
        OID_802_3_MULTICAST_LIST,
        OID_802_3_MAXIMUM_LIST_SIZE,
        OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
};

/* Bytes that came with a request; bounded, not looked into yet. */
struct info {
	const uint8_t *p;
	uint32_t len;
};

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
	r->initialized = false;
	r->filter = 0;
	r->n_multicast = 0;
	r->wanted_mac = 0;
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

/* --- queries --- */

static uint32_t put_u32(uint8_t *out, uint32_t v)
{
	put_le32(out, v);
	return 4;
}

/* [NDIS] "NDIS_OFFLOAD": as much of it as the guest's revision knows. */
static uint32_t query_offload(const struct rndis *r, struct info in, uint8_t *out)
{
	static const uint16_t sizes[] = {
	        0, NDIS_OFFLOAD_SIZE_1, NDIS_OFFLOAD_SIZE_2, NDIS_OFFLOAD_SIZE_3};
	uint8_t revision = in.len >= 4 && in.p[1] >= 1 ? in.p[1] : 1;

	if (revision > 3) {
		revision = 3;
	}
	memset(out, 0, NDIS_OFFLOAD_SIZE_3);
	out[0] = NDIS_OBJECT_OFFLOAD;
	out[1] = revision;
	put_le16(out + 2, sizes[revision]);
	put_le32(out + NDIS_CSUM + 0, NDIS_ENCAP_8023);
	put_le32(out + NDIS_CSUM + 4, NDIS_CSUM_IPV4);
	put_le32(out + NDIS_CSUM + 8, NDIS_ENCAP_8023);
	put_le32(out + NDIS_CSUM + 12, NDIS_CSUM_IPV4);
	put_le32(out + NDIS_CSUM + 16, NDIS_ENCAP_8023);
	put_le32(out + NDIS_CSUM + 20, NDIS_CSUM_IPV6);
	put_le32(out + NDIS_CSUM + 24, NDIS_ENCAP_8023);
	put_le32(out + NDIS_CSUM + 28, NDIS_CSUM_IPV6);
	put_le32(out + NDIS_LSOV2 + 0, NDIS_ENCAP_8023);
	put_le32(out + NDIS_LSOV2 + 4, NET_LARGE_MAX);
	put_le32(out + NDIS_LSOV2 + 8, NDIS_LSO_MIN_PIECES);
	put_le32(out + NDIS_LSOV2 + 12, NDIS_ENCAP_8023);
	put_le32(out + NDIS_LSOV2 + 16, NET_LARGE_MAX);
	put_le32(out + NDIS_LSOV2 + 20, NDIS_LSO_MIN_PIECES);
	put_le32(out + NDIS_LSOV2 + 24, NDIS_LSO_IPV6);
	if (revision >= 3) {
		out[NDIS_RSC + 0] = r->rsc_offered;
		out[NDIS_RSC + 1] = r->rsc_offered;
	}
	return sizes[revision];
}

static uint32_t query_multicast(const struct rndis *r, uint8_t *out)
{
	for (uint32_t i = 0; i < r->n_multicast; i++) {
		net_mac_bytes(r->multicast[i], out + i * NET_MAC_LEN);
	}
	return r->n_multicast * NET_MAC_LEN;
}

/* false = nobody has heard of it. Writes at most RNDIS_REPLY_MAX - QUERY_COMPLETE_SIZE bytes. */
static bool query(const struct rndis *r, uint32_t oid, struct info in, uint8_t *out, uint32_t *len)
{
	static const char vendor[] = "Candela";

	switch (oid) {
	case OID_GEN_SUPPORTED_LIST:
		for (unsigned i = 0; i < ARRAY_SIZE(supported); i++) {
			put_le32(out + 4 * i, supported[i]);
		}
		*len = sizeof(supported);
		return true;
	case OID_GEN_HARDWARE_STATUS: /* 0 = ready */
	case OID_GEN_MEDIA_SUPPORTED: /* 0 = 802.3 */
	case OID_GEN_MEDIA_IN_USE:
		*len = put_u32(out, 0);
		return true;
	case OID_GEN_MAXIMUM_FRAME_SIZE:
		*len = put_u32(out, r->mtu);
		return true;
	case OID_GEN_MAXIMUM_TOTAL_SIZE:
	case OID_GEN_TRANSMIT_BLOCK_SIZE:
	case OID_GEN_RECEIVE_BLOCK_SIZE:
		*len = put_u32(out, r->mtu + NET_ETH_LEN);
		return true;
	case OID_GEN_LINK_SPEED:
		*len = put_u32(out, LINK_SPEED_100BPS);
		return true;
	case OID_GEN_VENDOR_ID:
		*len = put_u32(out, VENDOR_ID_NONE);
		return true;
	case OID_GEN_VENDOR_DESCRIPTION:
		memcpy(out, vendor, sizeof(vendor));
		*len = sizeof(vendor);
		return true;
	case OID_GEN_CURRENT_PACKET_FILTER:
		*len = put_u32(out, r->filter);
		return true;
	case OID_GEN_MEDIA_CONNECT_STATUS:
		*len = put_u32(out, r->link_up ? MEDIA_CONNECTED : MEDIA_DISCONNECTED);
		return true;
	case OID_802_3_PERMANENT_ADDRESS:
	case OID_802_3_CURRENT_ADDRESS:
		net_mac_bytes(oid == OID_802_3_CURRENT_ADDRESS ? r->mac : r->permanent_mac, out);
		*len = NET_MAC_LEN;
		return true;
	case OID_802_3_MULTICAST_LIST:
		*len = query_multicast(r, out);
		return true;
	case OID_802_3_MAXIMUM_LIST_SIZE:
		*len = put_u32(out, RNDIS_MULTICAST_MAX);
		return true;
	case OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES:
		*len = query_offload(r, in, out);
		return true;
	default:
		return false;
	}
}
_Static_assert(RNDIS_MULTICAST_MAX *NET_MAC_LEN <= RNDIS_REPLY_MAX - QUERY_COMPLETE_SIZE, "fits");
_Static_assert(NDIS_OFFLOAD_SIZE_3 <= RNDIS_REPLY_MAX - QUERY_COMPLETE_SIZE, "fits");
_Static_assert(sizeof(supported) <= RNDIS_REPLY_MAX - QUERY_COMPLETE_SIZE, "fits");

/* --- settings --- */

static uint32_t set_multicast(struct rndis *r, struct info in)
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
static void set_rx(struct info in, uint32_t at, bool *on)
{
	if (at < in.len && in.p[at] != 0) {
		*on = in.p[at] == OFFLOAD_RX || in.p[at] == OFFLOAD_TX_RX;
	}
}

/* [NDIS] "NDIS_OFFLOAD_PARAMETERS". What is sent is taken in any form, so that is not kept. */
static uint32_t set_offload(struct rndis *r, struct info in)
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
static bool param_string(struct info in, uint32_t at, struct info *s)
{
	uint32_t offset = get_le32(in.p + at), len = get_le32(in.p + at + 4);

	if ((uint64_t)offset + len > in.len || len % 2 != 0) {
		return false;
	}
	*s = (struct info){in.p + offset, len};
	return true;
}

/* The only parameter there is: NetworkAddress, twelve hexadecimal digits. */
static uint32_t set_config(struct rndis *r, struct info in)
{
	static const char name[] = "NetworkAddress";
	struct info key, value;
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

static uint32_t set(struct rndis *r, uint32_t oid, struct info in)
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
static bool request_info(const uint8_t *request, uint32_t len, struct info *in)
{
	uint32_t n, offset;

	if (len < QUERY_SIZE) {
		return false;
	}
	n = get_le32(request + QUERY_INFO_LEN);
	offset = get_le32(request + QUERY_INFO_OFFSET);
	if (n == 0) {
		*in = (struct info){request, 0};
		return true;
	}
	if ((uint64_t)BODY + offset + n > len) {
		return false;
	}
	*in = (struct info){request + BODY + offset, n};
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

static uint32_t answer_query(
        struct rndis *r, const uint8_t *request, uint32_t len, uint32_t id, uint8_t *reply)
{
	uint32_t status = STATUS_SUCCESS, n = 0;
	struct info in;
	uint8_t data[RNDIS_REPLY_MAX - QUERY_COMPLETE_SIZE];

	if (!request_info(request, len, &in)) {
		status = STATUS_INVALID_DATA;
	} else if (!query(r, get_le32(request + QUERY_OID), in, data, &n)) {
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
	struct info in;

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
		uint32_t mtu = r->mtu;
		bool rsc_offered = r->rsc_offered, initialized = r->initialized;

		rndis_reset(r);
		r->mtu = mtu;
		r->rsc_offered = rsc_offered;
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
