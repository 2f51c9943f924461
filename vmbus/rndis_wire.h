/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RNDIS and NDIS on the wire: numbers and offsets, for rndis.c and rndis_packet.c. All values are
 * little-endian, at any alignment; offsets count from a message's first byte unless said.
 * Specs: [MS-RNDIS]; [NDIS]; Linux include/linux/rndis.h, drivers/net/hyperv/hyperv_net.h.
 */
#ifndef VMBUS_RNDIS_WIRE_H
#define VMBUS_RNDIS_WIRE_H

#include "vmm/lib/types.h"

static inline uint32_t get_le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return get_le16(p) | get_le16(p + 2) << 16;
}

static inline void put_le16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, v);
	put_le16(p + 2, v >> 16);
}

#define BODY 8U         /* behind type and length; offsets within messages count from here */
#define REQUEST_MIN 12U /* with its id */
#define REPLY_ID 8U
#define REPLY_STATUS 12U

#define INITIALIZE_COMPLETE_SIZE 52U
#define QUERY_OID 12U
#define QUERY_INFO_LEN 16U
#define QUERY_INFO_OFFSET 20U
#define QUERY_SIZE 28U
#define QUERY_COMPLETE_SIZE 24U
#define SET_COMPLETE_SIZE 16U
#define RESET_COMPLETE_SIZE 16U
#define INDICATE_SIZE 20U

/* "REMOTE_NDIS_PACKET_MSG" */
#define PACKET_DATA_OFFSET 8U
#define PACKET_DATA_LEN 12U
#define PACKET_INFO_OFFSET 28U
#define PACKET_INFO_LEN 32U
#define PACKET_SIZE 44U

/* Per-packet information: size, type, offset of the value, value. */
#define PPI_HEADER 12U
#define PPI_INTERNAL 0x80000000U
#define PPI_CSUM 0U
#define PPI_LSO 2U
#define PPI_VLAN 6U
#define PPI_HASH 8U /* to the guest */
#define PPI_PACKET_ID (1U | PPI_INTERNAL)

#define CSUM_TX_TCP 0x04U
#define CSUM_TX_UDP 0x08U
#define CSUM_TX_IP 0x10U
#define CSUM_RX_TCP_OK 0x08U
#define CSUM_RX_UDP_OK 0x10U
#define CSUM_RX_IP_OK 0x20U
#define LSO_MSS 0xfffffU
#define PACKET_ID_VERSION 1U /* byte 0; byte 1: */
#define PACKET_ID_SUBALLOC 1U
#define PACKET_ID_FIRST 2U
#define PACKET_ID_LAST 4U

/* Status. */
#define STATUS_SUCCESS 0x00000000U
#define STATUS_MEDIA_CONNECT 0x4001000bU
#define STATUS_MEDIA_DISCONNECT 0x4001000cU
#define STATUS_FAILURE 0xc0000001U
#define STATUS_NOT_SUPPORTED 0xc00000bbU
#define STATUS_MULTICAST_FULL 0xc0010009U
#define STATUS_INVALID_LENGTH 0xc0010014U
#define STATUS_INVALID_DATA 0xc0010015U

/* [NDIS] "NDIS OIDs" */
#define OID_GEN_SUPPORTED_LIST 0x00010101U
#define OID_GEN_HARDWARE_STATUS 0x00010102U
#define OID_GEN_MEDIA_SUPPORTED 0x00010103U
#define OID_GEN_MEDIA_IN_USE 0x00010104U
#define OID_GEN_MAXIMUM_LOOKAHEAD 0x00010105U
#define OID_GEN_MAXIMUM_FRAME_SIZE 0x00010106U
#define OID_GEN_LINK_SPEED 0x00010107U
#define OID_GEN_TRANSMIT_BLOCK_SIZE 0x0001010aU
#define OID_GEN_RECEIVE_BLOCK_SIZE 0x0001010bU
#define OID_GEN_VENDOR_ID 0x0001010cU
#define OID_GEN_VENDOR_DESCRIPTION 0x0001010dU
#define OID_GEN_CURRENT_PACKET_FILTER 0x0001010eU
#define OID_GEN_CURRENT_LOOKAHEAD 0x0001010fU
#define OID_GEN_MAXIMUM_TOTAL_SIZE 0x00010111U
#define OID_GEN_MEDIA_CONNECT_STATUS 0x00010114U
#define OID_GEN_VENDOR_DRIVER_VERSION 0x00010116U
#define OID_GEN_PHYSICAL_MEDIUM 0x00010202U
#define OID_GEN_RECEIVE_SCALE_CAPABILITIES 0x00010203U
#define OID_GEN_RECEIVE_SCALE_PARAMETERS 0x00010204U
#define OID_GEN_LINK_PARAMETERS 0x00010208U
#define OID_GEN_RNDIS_CONFIG_PARAMETER 0x0001021bU
#define OID_GEN_XMIT_OK 0x00020101U
#define OID_GEN_RCV_OK 0x00020102U
#define OID_GEN_XMIT_ERROR 0x00020103U
#define OID_GEN_RCV_ERROR 0x00020104U
#define OID_GEN_RCV_NO_BUFFER 0x00020105U
#define OID_GEN_STATISTICS 0x00020106U
/* Bytes and frames of directed, multicast and broadcast frames: sent, then received. */
#define OID_GEN_DIRECTED_BYTES_XMIT 0x00020201U
#define OID_GEN_BROADCAST_FRAMES_RCV 0x0002020cU
#define OID_802_3_PERMANENT_ADDRESS 0x01010101U
#define OID_802_3_CURRENT_ADDRESS 0x01010102U
#define OID_802_3_MULTICAST_LIST 0x01010103U
#define OID_802_3_MAXIMUM_LIST_SIZE 0x01010104U
#define OID_OFFLOAD_ENCAPSULATION 0x0101010aU
#define OID_802_3_RCV_ERROR_ALIGNMENT 0x01020101U
#define OID_802_3_XMIT_ONE_COLLISION 0x01020102U
#define OID_802_3_XMIT_MORE_COLLISIONS 0x01020103U
#define OID_TCP_OFFLOAD_PARAMETERS 0xfc01020cU
#define OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES 0xfc01020dU

#define LINK_SPEED_100BPS 100000000U /* 10 Gbit/s: what a virtual switch says */
#define VENDOR_ID_NONE 0x00ffffffU   /* no IEEE-registered code */
#define VENDOR_VERSION 0x00010000U   /* 1.0 */
#define MEDIA_CONNECTED 0U
#define MEDIA_DISCONNECTED 1U

/* "OID_GEN_CURRENT_PACKET_FILTER" */
#define NDIS_DIRECTED 0x01U
#define NDIS_MULTICAST 0x02U
#define NDIS_ALL_MULTICAST 0x04U
#define NDIS_BROADCAST 0x08U
#define NDIS_PROMISCUOUS 0x20U
#define NDIS_FILTERS 0x2fU

/* "NDIS_OFFLOAD": offsets of its parts, and its sizes by revision */
#define NDIS_OBJECT_OFFLOAD 0xa7U
#define NDIS_CSUM 4U /* encapsulation and bits: IPv4 send, receive, IPv6 send, receive */
#define NDIS_LSOV2 80U
#define NDIS_RSC 144U
#define NDIS_OFFLOAD_SIZE_1 112U
#define NDIS_OFFLOAD_SIZE_2 144U
#define NDIS_OFFLOAD_SIZE_3 156U
#define NDIS_ENCAP_8023 2U
#define NDIS_CSUM_IPV4 0x155U /* IP, UDP, TCP, with options of both */
#define NDIS_CSUM_IPV6 0x055U /* UDP, TCP, with options and extension headers */
#define NDIS_LSO_IPV6 0x005U  /* with TCP options and extension headers */
#define NDIS_LSO_MIN_PIECES 2U

/* "NDIS_OFFLOAD_PARAMETERS": bytes, 0 = no change */
#define OFFLOAD_PARAMS_TCP4 5U
#define OFFLOAD_PARAMS_UDP4 6U
#define OFFLOAD_PARAMS_TCP6 7U
#define OFFLOAD_PARAMS_UDP6 8U
#define OFFLOAD_PARAMS_RSC 22U
#define OFFLOAD_PARAMS_MIN 16U
#define OFFLOAD_RX 3U
#define OFFLOAD_TX_RX 4U
#define OFFLOAD_RSC_ON 2U

/* "NDIS_RECEIVE_SCALE_CAPABILITIES", as long as Linux has it */
#define NDIS_OBJECT_RSS_CAPS 0x88U
#define RSS_CAPS_REVISION 2U
#define RSS_CAPS_SIZE 18U
#define RSS_CAPS_FLAGS 0x06000301U /* Toeplitz, TCP of IPv4 and IPv6; sorted in ISR or DPC */

/* "NDIS_STATISTICS_INFO": a header, which of the numbers are there, and 64-bit numbers */
#define NDIS_OBJECT_DEFAULT 0x80U
#define NDIS_STATISTICS_NUMBERS 8U
#define NDIS_STATISTICS_SIZE (NDIS_STATISTICS_NUMBERS + 18 * 8)
#define NDIS_STATISTICS_ALL 0x0003ffffU

/* "OID_GEN_RNDIS_CONFIG_PARAMETER": offset and length of the name and of the value */
#define CONFIG_PARAM_NAME 0U
#define CONFIG_PARAM_TYPE 8U
#define CONFIG_PARAM_VALUE 12U
#define CONFIG_PARAM_SIZE 20U
#define CONFIG_PARAM_STRING 2U

#endif
