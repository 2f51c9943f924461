/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The storage protocol of VMBus on the wire: packets of 64 bytes that carry SCSI commands.
 * Specs: Linux drivers/scsi/storvsc_drv.c; MS UEFI's StorvscDxe by what it sends; for the offer,
 * OpenVMM vm/devices/storage/storvsp/src/protocol.rs.
 */
#ifndef VMBUS_VSTOR_H
#define VMBUS_VSTOR_H

#include "vmm/lib/types.h"

enum vstor_operation {
	VSTOR_COMPLETE_IO = 1,
	VSTOR_REMOVE_DEVICE,
	VSTOR_EXECUTE_SRB,
	VSTOR_RESET_LUN,
	VSTOR_RESET_ADAPTER,
	VSTOR_RESET_BUS,
	VSTOR_BEGIN_INITIALIZATION,
	VSTOR_END_INITIALIZATION,
	VSTOR_QUERY_PROTOCOL_VERSION,
	VSTOR_QUERY_PROPERTIES,
	VSTOR_ENUMERATE_BUS,
	VSTOR_FC_HBA_DATA,
	VSTOR_CREATE_SUB_CHANNELS,
	VSTOR_EVENT_NOTIFICATION,
};

/* NTSTATUS of a packet. */
#define VSTOR_SUCCESS 0x00000000U
#define VSTOR_INVALID_PARAMETER 0xc000000dU
#define VSTOR_REVISION_MISMATCH 0xc0000059U
#define VSTOR_NO_RESOURCES 0xc000009aU
#define VSTOR_INVALID_STATE 0xc0000184U

/* Of an SRB. */
#define SRB_SUCCESS 0x01U
#define SRB_ERROR 0x04U
#define SRB_INVALID_REQUEST 0x06U
#define SRB_INVALID_LUN 0x20U
#define SRB_AUTOSENSE 0x80U /* sense data is valid */

#define VSTOR_CDB_LEN 16U
#define VSTOR_SENSE_LEN 20U

struct vstor_srb {
	uint16_t length; /* of this structure */
	uint8_t srb_status;
	uint8_t scsi_status;
	uint8_t port;
	uint8_t path;
	uint8_t target;
	uint8_t lun;
	uint8_t cdb_len;
	uint8_t sense_len;
	uint8_t data_in; /* 0 to the device, 1 from it, 2 no data */
	uint8_t reserved;
	uint32_t data_len;            /* in: of the buffer; out: bytes moved */
	uint8_t cdb[VSTOR_SENSE_LEN]; /* out: sense data in its place */
	uint16_t reserved2;
	uint8_t queue_tag;
	uint8_t queue_action;
	uint32_t flags;
	uint32_t timeout;
	uint32_t sort_key;
};

#define VSTOR_MULTI_CHANNEL 1U

struct vstor_properties {
	uint32_t reserved;
	uint16_t max_sub_channels;
	uint16_t reserved2;
	uint32_t flags; /* VSTOR_MULTI_CHANNEL */
	uint32_t max_transfer;
	uint32_t reserved3[2];
};

struct vstor_packet {
	uint32_t operation; /* enum vstor_operation */
	uint32_t flags;     /* bit 0: wants a completion */
	uint32_t status;
	union {
		struct vstor_srb srb;
		struct vstor_properties properties;
		struct {
			uint16_t version; /* major << 8 | minor */
			uint16_t revision;
		};
		uint16_t sub_channels;
		uint8_t bytes[52];
	};
};

#define VSTOR_IDE_DEVICE 2U

/* User data in the offer of an IDE disk's channel: old drivers of Windows find the disk by it. */
struct vstor_ide_offer {
	uint16_t reserved;
	uint8_t path;   /* channel of the IDE controller */
	uint8_t target; /* drive on it */
	uint32_t reserved2;
	uint32_t flags; /* VSTOR_IDE_DEVICE */
	uint32_t reserved3[3];
};

#define VSTOR_PACKET_MIN 48U /* clients before Windows 8 have no more; the rest counts as 0 */

_Static_assert(sizeof(struct vstor_srb) == 52, "as on the wire");
_Static_assert(sizeof(struct vstor_properties) == 24, "as on the wire");
_Static_assert(sizeof(struct vstor_packet) == 64, "as on the wire");
_Static_assert(sizeof(struct vstor_ide_offer) == 24, "as on the wire");
_Static_assert(offsetof(struct vstor_packet, srb.data_len) == 24, "as on the wire");
_Static_assert(offsetof(struct vstor_packet, srb.cdb) == 28, "as on the wire");
_Static_assert(offsetof(struct vstor_packet, srb.flags) == 52, "as on the wire");
_Static_assert(offsetof(struct vstor_packet, properties.max_transfer) == 24, "as on the wire");

#endif
