// SPDX-License-Identifier: BSD-2-Clause
// The RNDIS message around a frame: taken apart from a guest, put together for one.
// Specs: [MS-RNDIS] "REMOTE_NDIS_PACKET_MSG"; [NDIS] "NDIS_NET_BUFFER_LIST_INFO".
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

bool rndis_message(
        const uint8_t *head, uint32_t head_len, uint32_t left, uint32_t *type, uint32_t *len)
{
	if (head_len < BODY || left < BODY) {
		return false;
	}
	*type = get_le32(head);
	*len = get_le32(head + 4);
	return *len >= BODY && *len <= left;
}

static void parse_info(struct rndis_packet *packet, uint32_t type, uint32_t value)
{
	switch (type) {
	case PPI_CSUM:
		packet->request.ip_csum = (value & CSUM_TX_IP) != 0;
		packet->request.tcp_csum = (value & CSUM_TX_TCP) != 0;
		packet->request.udp_csum = (value & CSUM_TX_UDP) != 0;
		break;
	case PPI_LSO:
		packet->request.mss = value & LSO_MSS;
		break;
	case PPI_VLAN: /* priority, CFI, VLAN from the lowest bit on */
		packet->has_vlan = true;
		packet->vlan_tci =
		        (uint16_t)((value & 7) << 13 | (value & 8) << 9 | (value >> 4 & 0xfffU));
		break;
	default:
		break;
	}
}

int rndis_parse_packet(
        const uint8_t *head, uint32_t head_len, uint32_t len, struct rndis_packet *packet)
{
	uint32_t at, left;
	uint64_t data;

	memset(packet, 0, sizeof(*packet));
	if (head_len < PACKET_SIZE || len < PACKET_SIZE) {
		return -EINVAL;
	}
	packet->len = len;
	data = (uint64_t)BODY + get_le32(head + PACKET_DATA_OFFSET);
	packet->data_len = get_le32(head + PACKET_DATA_LEN);
	if (data < PACKET_SIZE || data + packet->data_len > len) {
		return -EINVAL;
	}
	packet->data_at = (uint32_t)data;
	left = get_le32(head + PACKET_INFO_LEN);
	if (left == 0) {
		return 0;
	}
	if ((uint64_t)BODY + get_le32(head + PACKET_INFO_OFFSET) + left > head_len) {
		return -EINVAL;
	}
	at = BODY + get_le32(head + PACKET_INFO_OFFSET);
	while (left > 0) {
		uint32_t size, offset;

		if (left < PPI_HEADER) {
			return -EINVAL;
		}
		size = get_le32(head + at);
		offset = get_le32(head + at + 8);
		if (size < PPI_HEADER || size > left || offset > size) {
			return -EINVAL;
		}
		if (size - offset >= 4) {
			parse_info(packet, get_le32(head + at + 4), get_le32(head + at + offset));
		}
		at += size;
		left -= size;
	}
	return 0;
}

static uint8_t *put_info(uint8_t *p, uint32_t type, uint32_t value)
{
	put_le32(p, PPI_HEADER + 4);
	put_le32(p + 4, type);
	put_le32(p + 8, PPI_HEADER);
	put_le32(p + 12, value);
	return p + PPI_HEADER + 4;
}

/* What the guest may believe without looking. */
static uint32_t csum_bits(const struct rndis *r, const struct net_frame *f)
{
	bool v6 = f->headers.ip_version == 6;
	uint32_t ip = v6 ? 0 : CSUM_RX_IP_OK;

	if (!f->csum_ok) {
		return 0;
	}
	if (f->headers.protocol == NET_TCP && r->rx_csum_tcp[v6]) {
		return CSUM_RX_TCP_OK | ip;
	}
	if (f->headers.protocol == NET_UDP && r->rx_csum_udp[v6]) {
		return CSUM_RX_UDP_OK | ip;
	}
	return 0;
}

uint32_t rndis_build_packet(const struct rndis *r, const struct net_frame *f,
        const struct rndis_piece *piece, uint8_t *head)
{
	uint8_t *p = head + PACKET_SIZE;
	uint32_t csum = csum_bits(r, f), len;

	memset(head, 0, PACKET_SIZE);
	if (csum && piece->first) {
		p = put_info(p, PPI_CSUM, csum);
	}
	if (piece->has_hash && piece->first) {
		p = put_info(p, PPI_HASH, piece->hash);
	}
	if (f->has_vlan && piece->first) {
		p = put_info(p, PPI_VLAN,
		        f->vlan_tci >> 13 | (f->vlan_tci >> 9 & 8U) | (f->vlan_tci & 0xfffU) << 4);
	}
	if (!piece->first || !piece->last) {
		uint32_t flags = PACKET_ID_SUBALLOC | (piece->first ? PACKET_ID_FIRST : 0) |
		                 (piece->last ? PACKET_ID_LAST : 0);

		p = put_info(p, PPI_PACKET_ID, PACKET_ID_VERSION | flags << 8);
	}
	len = (uint32_t)(p - head);
	put_le32(head, RNDIS_PACKET);
	put_le32(head + 4, len + piece->data_len);
	put_le32(head + PACKET_DATA_OFFSET, len - BODY);
	put_le32(head + PACKET_DATA_LEN, piece->data_len);
	if (len > PACKET_SIZE) {
		put_le32(head + PACKET_INFO_OFFSET, PACKET_SIZE - BODY);
		put_le32(head + PACKET_INFO_LEN, len - PACKET_SIZE);
	}
	return len;
}
_Static_assert(PACKET_SIZE + 4 * (PPI_HEADER + 4) <= RNDIS_RX_HEAD_MAX, "all that is put there");
