// SPDX-License-Identifier: BSD-2-Clause
// What an adapter says when its guest asks for an object (OID).
// Specs: [MS-RNDIS] "Control Messages"; [NDIS] "NDIS OIDs", "NDIS_OFFLOAD",
// "NDIS_RECEIVE_SCALE_CAPABILITIES", "NDIS_STATISTICS_INFO".
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/string.h"

/* What may be asked for, or set. */
static const uint32_t supported[] = {
        OID_GEN_SUPPORTED_LIST,
        OID_GEN_HARDWARE_STATUS,
        OID_GEN_MEDIA_SUPPORTED,
        OID_GEN_MEDIA_IN_USE,
        OID_GEN_MAXIMUM_LOOKAHEAD,
        OID_GEN_MAXIMUM_FRAME_SIZE,
        OID_GEN_LINK_SPEED,
        OID_GEN_TRANSMIT_BLOCK_SIZE,
        OID_GEN_RECEIVE_BLOCK_SIZE,
        OID_GEN_VENDOR_ID,
        OID_GEN_VENDOR_DESCRIPTION,
        OID_GEN_CURRENT_PACKET_FILTER,
        OID_GEN_CURRENT_LOOKAHEAD,
        OID_GEN_MAXIMUM_TOTAL_SIZE,
        OID_GEN_MEDIA_CONNECT_STATUS,
        OID_GEN_VENDOR_DRIVER_VERSION,
        OID_GEN_PHYSICAL_MEDIUM,
        OID_GEN_LINK_PARAMETERS,
        OID_GEN_RNDIS_CONFIG_PARAMETER,
        OID_GEN_XMIT_OK,
        OID_GEN_RCV_OK,
        OID_GEN_XMIT_ERROR,
        OID_GEN_RCV_ERROR,
        OID_GEN_RCV_NO_BUFFER,
        OID_GEN_STATISTICS,
        OID_GEN_DIRECTED_BYTES_XMIT,
        OID_GEN_DIRECTED_BYTES_XMIT + 1,
        OID_GEN_DIRECTED_BYTES_XMIT + 2,
        OID_GEN_DIRECTED_BYTES_XMIT + 3,
        OID_GEN_DIRECTED_BYTES_XMIT + 4,
        OID_GEN_DIRECTED_BYTES_XMIT + 5,
        OID_GEN_DIRECTED_BYTES_XMIT + 6,
        OID_GEN_DIRECTED_BYTES_XMIT + 7,
        OID_GEN_DIRECTED_BYTES_XMIT + 8,
        OID_GEN_DIRECTED_BYTES_XMIT + 9,
        OID_GEN_DIRECTED_BYTES_XMIT + 10,
        OID_GEN_BROADCAST_FRAMES_RCV,
        OID_802_3_PERMANENT_ADDRESS,
        OID_802_3_CURRENT_ADDRESS,
        OID_802_3_MULTICAST_LIST,
        OID_802_3_MAXIMUM_LIST_SIZE,
        OID_OFFLOAD_ENCAPSULATION,
        OID_802_3_RCV_ERROR_ALIGNMENT,
        OID_802_3_XMIT_ONE_COLLISION,
        OID_802_3_XMIT_MORE_COLLISIONS,
        OID_TCP_OFFLOAD_PARAMETERS,
        OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
        /* With channels to scale to. */
        OID_GEN_RECEIVE_SCALE_CAPABILITIES,
        OID_GEN_RECEIVE_SCALE_PARAMETERS,
};
#define N_RSS 2U
_Static_assert(sizeof(supported) <= RNDIS_ANSWER_MAX, "fits");

static uint32_t put_u32(uint8_t *out, uint32_t v)
{
	put_le32(out, v);
	return 4;
}

static uint32_t query_list(const struct rndis *r, uint8_t *out)
{
	uint32_t n = ARRAY_SIZE(supported) - (r->queues > 1 ? 0 : N_RSS);

	for (uint32_t i = 0; i < n; i++) {
		put_le32(out + 4 * i, supported[i]);
	}
	return 4 * n;
}

/* [NDIS] "NDIS_OFFLOAD": as much of it as the guest's revision knows. */
static uint32_t query_offload(const struct rndis *r, struct rndis_info in, uint8_t *out)
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
_Static_assert(NDIS_OFFLOAD_SIZE_3 <= RNDIS_ANSWER_MAX, "fits");

static uint32_t query_multicast(const struct rndis *r, uint8_t *out)
{
	for (uint32_t i = 0; i < r->n_multicast; i++) {
		net_mac_bytes(r->multicast[i], out + i * NET_MAC_LEN);
	}
	return r->n_multicast * NET_MAC_LEN;
}
_Static_assert(RNDIS_MULTICAST_MAX *NET_MAC_LEN <= RNDIS_ANSWER_MAX, "fits");

static uint32_t query_rss(const struct rndis *r, uint8_t *out)
{
	memset(out, 0, RSS_CAPS_SIZE);
	out[0] = NDIS_OBJECT_RSS_CAPS;
	out[1] = RSS_CAPS_REVISION;
	put_le16(out + 2, RSS_CAPS_SIZE);
	put_le32(out + 4, RSS_CAPS_FLAGS);
	put_le32(out + 8, r->queues);
	put_le32(out + 12, r->queues);
	put_le16(out + 16, RSS_TABLE_MAX);
	return RSS_CAPS_SIZE;
}

/* --- counters --- */

static uint64_t all(const uint64_t by_kind[NET_KINDS])
{
	return by_kind[NET_UNICAST] + by_kind[NET_MULTICAST] + by_kind[NET_TO_ALL];
}

/* In the order of OID_GEN_DIRECTED_BYTES_XMIT and those that follow it. */
static uint64_t traffic(const struct rndis_counters *c, uint32_t oid)
{
	uint32_t i = oid - OID_GEN_DIRECTED_BYTES_XMIT;
	const struct net_traffic *t = i < 2 * NET_KINDS ? &c->out : &c->in;

	return i % 2 ? t->frames[i / 2 % NET_KINDS] : t->bytes[i / 2 % NET_KINDS];
}

static uint32_t query_statistics(const struct rndis_counters *c, uint8_t *out)
{
	const struct net_traffic *in = &c->in, *sent = &c->out;
	const uint64_t numbers[] = {
	        c->in_no_buffer,
	        c->in_errors,
	        all(in->bytes),
	        in->frames[NET_UNICAST],
	        in->frames[NET_MULTICAST],
	        in->frames[NET_TO_ALL],
	        all(sent->bytes),
	        sent->frames[NET_UNICAST],
	        sent->frames[NET_MULTICAST],
	        sent->frames[NET_TO_ALL],
	        c->out_errors,
	        0, /* sent, and discarded */
	        in->bytes[NET_UNICAST],
	        in->bytes[NET_MULTICAST],
	        in->bytes[NET_TO_ALL],
	        sent->bytes[NET_UNICAST],
	        sent->bytes[NET_MULTICAST],
	        sent->bytes[NET_TO_ALL],
	};

	_Static_assert(sizeof(numbers) + NDIS_STATISTICS_NUMBERS == NDIS_STATISTICS_SIZE, "NDIS");
	_Static_assert(NDIS_STATISTICS_SIZE <= RNDIS_ANSWER_MAX, "fits");
	out[0] = NDIS_OBJECT_DEFAULT;
	out[1] = 1;
	put_le16(out + 2, NDIS_STATISTICS_SIZE);
	put_le32(out + 4, NDIS_STATISTICS_ALL);
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		put_le32(out + NDIS_STATISTICS_NUMBERS + 8 * i, (uint32_t)numbers[i]);
		put_le32(out + NDIS_STATISTICS_NUMBERS + 8 * i + 4, (uint32_t)(numbers[i] >> 32));
	}
	return NDIS_STATISTICS_SIZE;
}

/* A counter has 32 bits here, and wraps. */
static bool query_counter(const struct rndis_counters *c, uint32_t oid, uint8_t *out, uint32_t *len)
{
	uint64_t v;

	if (oid >= OID_GEN_DIRECTED_BYTES_XMIT && oid <= OID_GEN_BROADCAST_FRAMES_RCV) {
		*len = put_u32(out, (uint32_t)traffic(c, oid));
		return true;
	}
	switch (oid) {
	case OID_GEN_XMIT_OK:
		v = all(c->out.frames);
		break;
	case OID_GEN_RCV_OK:
		v = all(c->in.frames);
		break;
	case OID_GEN_XMIT_ERROR:
		v = c->out_errors;
		break;
	case OID_GEN_RCV_ERROR:
		v = c->in_errors;
		break;
	case OID_GEN_RCV_NO_BUFFER:
		v = c->in_no_buffer;
		break;
	case OID_802_3_RCV_ERROR_ALIGNMENT: /* there is no wire */
	case OID_802_3_XMIT_ONE_COLLISION:
	case OID_802_3_XMIT_MORE_COLLISIONS:
		v = 0;
		break;
	default:
		return false;
	}
	*len = put_u32(out, (uint32_t)v);
	return true;
}

/* --- all of them --- */

bool rndis_query(const struct rndis *r, uint32_t oid, struct rndis_info in,
        uint8_t out[RNDIS_ANSWER_MAX], uint32_t *len)
{
	static const char vendor[] = "Candela";

	switch (oid) {
	case OID_GEN_SUPPORTED_LIST:
		*len = query_list(r, out);
		return true;
	case OID_GEN_HARDWARE_STATUS: /* 0 = ready */
	case OID_GEN_MEDIA_SUPPORTED: /* 0 = 802.3 */
	case OID_GEN_MEDIA_IN_USE:
	case OID_GEN_PHYSICAL_MEDIUM: /* 0 = nothing in particular */
		*len = put_u32(out, 0);
		return true;
	case OID_GEN_MAXIMUM_FRAME_SIZE:
	case OID_GEN_MAXIMUM_LOOKAHEAD:
	case OID_GEN_CURRENT_LOOKAHEAD:
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
	case OID_GEN_VENDOR_DRIVER_VERSION:
		*len = put_u32(out, VENDOR_VERSION);
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
	case OID_GEN_RECEIVE_SCALE_CAPABILITIES:
		*len = r->queues > 1 ? query_rss(r, out) : 0;
		return r->queues > 1;
	case OID_GEN_STATISTICS:
		*len = query_statistics(&r->counters, out);
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
		return query_counter(&r->counters, oid, out, len);
	}
}
