/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVSP on the wire: a 32-bit type, then the message. Layouts of what is more than two words.
 * Specs: Linux drivers/net/hyperv/hyperv_net.h "struct nvsp_message".
 */
#ifndef VMBUS_NVSP_WIRE_H
#define VMBUS_NVSP_WIRE_H

#include "vmbus/rndis_wire.h"
#include "vmm/lib/types.h"

enum nvsp_type {
	NVSP_INIT = 1,
	NVSP_INIT_COMPLETE = 2,
	NVSP_SEND_NDIS_VERSION = 100,
	NVSP_SEND_RECV_BUF = 101,
	NVSP_SEND_RECV_BUF_COMPLETE = 102,
	NVSP_REVOKE_RECV_BUF = 103,
	NVSP_SEND_SEND_BUF = 104,
	NVSP_SEND_SEND_BUF_COMPLETE = 105,
	NVSP_REVOKE_SEND_BUF = 106,
	NVSP_SEND_RNDIS = 107,
	NVSP_SEND_RNDIS_COMPLETE = 108,
	NVSP_SEND_NDIS_CONFIG = 125,
	NVSP_SEND_VF_ASSOCIATION = 128,
	NVSP_SWITCH_DATA_PATH = 129,
	NVSP_SUBCHANNEL = 133,
	NVSP_SEND_TABLE = 134,
};

#define NVSP_VERSION_1 0x00002U
#define NVSP_VERSION_2 0x30002U
#define NVSP_VERSION_4 0x40000U
#define NVSP_VERSION_5 0x50000U
#define NVSP_VERSION_6 0x60000U
#define NVSP_VERSION_61 0x60001U /* with large frames to the guest */

#define NVSP_SUCCESS 1U
#define NVSP_FAILURE 2U
#define NVSP_TOO_NEW 3U
#define NVSP_TOO_OLD 4U

#define NVSP_MESSAGE_SIZE 40U /* the longest; answers to set-up are padded to it */
#define NVSP_MDL_CHAIN 34U    /* what every host says */

/* SEND_RNDIS */
#define NVSP_RNDIS_SIZE 16U
#define NVSP_CHANNEL_DATA 0U
#define NVSP_CHANNEL_CONTROL 1U
#define NVSP_NO_SECTION 0xffffffffU

/* SUBCHANNEL */
#define NVSP_ALLOCATE 1U

/* SEND_TABLE: count, offset of the table, table */
#define NVSP_TABLE_LEN 16U
#define NVSP_TABLE_OFFSET 12U
#define NVSP_TABLE_SIZE (NVSP_TABLE_OFFSET + 4 * NVSP_TABLE_LEN)

static inline void nvsp_put_rndis(uint8_t message[NVSP_RNDIS_SIZE], uint32_t channel_type)
{
	put_le32(message, NVSP_SEND_RNDIS);
	put_le32(message + 4, channel_type);
	put_le32(message + 8, NVSP_NO_SECTION);
	put_le32(message + 12, 0);
}

#endif
