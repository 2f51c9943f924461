/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMBus on the wire: versions, control messages, connection ids. Layouts of rings are
 * vmbus/ring.h's, those of devices with the devices.
 * Specs: Linux include/linux/hyperv.h; for what Linux does not send (reserved channels, messages
 * from 25 on), OpenVMM vm/devices/vmbus/vmbus_core/src/protocol.rs.
 */
#ifndef VMBUS_PROTO_H
#define VMBUS_PROTO_H

#include "vmm/lib/guid.h"
#include "vmm/lib/types.h"

/* --- versions --- */

#define VMBUS_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))

#define VMBUS_VERSION_WS2008 VMBUS_VERSION(0, 13)
#define VMBUS_VERSION_WIN7 VMBUS_VERSION(1, 1)
#define VMBUS_VERSION_WIN8 VMBUS_VERSION(2, 4)       /* event flags for each channel */
#define VMBUS_VERSION_WIN10_V4_1 VMBUS_VERSION(4, 1) /* ModifyChannel */
#define VMBUS_VERSION_WIN10_V5 VMBUS_VERSION(5, 0)   /* message connection id, SINT chosen */
#define VMBUS_VERSION_WIN10_V5_3 VMBUS_VERSION(5, 3) /* ModifyChannel is answered */
#define VMBUS_VERSION_MAX VMBUS_VERSION_WIN10_V5_3

/* --- connection ids, VPs and interrupts --- */

#define VMBUS_MESSAGE_CONNECTION 1U   /* where a guest posts its messages */
#define VMBUS_EVENT_CONNECTION 2U     /* "look at the interrupt page"; 0.13 only */
#define VMBUS_MESSAGE_CONNECTION_4 4U /* Linux, from version 5.0 on */
#define VMBUS_SIGNAL_CONNECTION(relid) (0x2000U + (relid))

#define VMBUS_MESSAGE_TYPE 1U /* of the SynIC messages that carry those below */
#define VMBUS_SINT 2U
#define VMBUS_NO_VP 0xffffffffU /* a channel without interrupts */

/* --- messages --- */

enum vmbus_message_type {
	VMBUS_OFFER_CHANNEL = 1,
	VMBUS_RESCIND_OFFER = 2,
	VMBUS_REQUEST_OFFERS = 3,
	VMBUS_ALL_OFFERS_DELIVERED = 4,
	VMBUS_OPEN_CHANNEL = 5,
	VMBUS_OPEN_RESULT = 6,
	VMBUS_CLOSE_CHANNEL = 7,
	VMBUS_GPADL_HEADER = 8,
	VMBUS_GPADL_BODY = 9,
	VMBUS_GPADL_CREATED = 10,
	VMBUS_GPADL_TEARDOWN = 11,
	VMBUS_GPADL_TORNDOWN = 12,
	VMBUS_RELID_RELEASED = 13,
	VMBUS_INITIATE_CONTACT = 14,
	VMBUS_VERSION_RESPONSE = 15,
	VMBUS_UNLOAD = 16,
	VMBUS_UNLOAD_RESPONSE = 17,
	VMBUS_OPEN_RESERVED = 18,
	VMBUS_CLOSE_RESERVED = 19,
	VMBUS_CLOSE_RESERVED_RESPONSE = 20,
	VMBUS_TL_CONNECT = 21,
	VMBUS_MODIFY_CHANNEL = 22,
	VMBUS_TL_CONNECT_RESULT = 23,
	VMBUS_MODIFY_CHANNEL_RESPONSE = 24,
	VMBUS_MODIFY_CONNECTION = 25, /* these are version 6.0's */
	VMBUS_MODIFY_CONNECTION_RESPONSE = 26,
	VMBUS_PAUSE = 27,
	VMBUS_PAUSE_RESPONSE = 28,
	VMBUS_RESUME = 29,
	VMBUS_MESSAGE_TYPES,
};

#define VMBUS_MESSAGE_MAX 240U /* bytes, as [TLFS] HvCallPostMessage has them */
#define VMBUS_USER_DATA 120U   /* bytes, in an offer and in an opening */

/* Statuses: 0 is success everywhere; the rest is Windows's, guests look for 0 only. */
#define VMBUS_STATUS_SUCCESS 0U
#define VMBUS_STATUS_UNSUCCESSFUL 0xc0000001U
#define VMBUS_STATUS_CONNECTION_REFUSED 0xc0000236U
/* Of a connection, in VersionResponse. */
#define VMBUS_CONNECTION_SUCCESSFUL 0U
#define VMBUS_CONNECTION_FAILED 2U

/* Flags of an offer. */
#define VMBUS_OFFER_ENUMERATE 0x0001U
#define VMBUS_OFFER_NAMED_PIPE 0x0010U

#define VMBUS_PIPE_MESSAGE_MODE 4U /* first word of the user data of a named pipe's offer */

struct vmbus_msg_header {
	uint32_t type; /* enum vmbus_message_type */
	uint32_t reserved;
};
_Static_assert(sizeof(struct vmbus_msg_header) == 8, "every message begins with it");

/* RequestOffers, AllOffersDelivered, Unload, UnloadResponse, Pause, Resume: the header alone. */

struct vmbus_msg_offer {
	struct vmbus_msg_header header;
	struct guid type;
	struct guid instance;
	uint8_t reserved[16];
	uint16_t flags;
	uint16_t mmio_megabytes;
	uint8_t user[VMBUS_USER_DATA];
	uint16_t sub_index;
	uint16_t mmio_megabytes_optional;
	uint32_t relid;
	uint8_t monitor_id;
	uint8_t monitor_allocated; /* bit 0 */
	uint16_t is_dedicated;     /* bit 0: signal on connection_id; from 1.1 on */
	uint32_t connection_id;    /* from 1.1 on */
};
_Static_assert(sizeof(struct vmbus_msg_offer) == 196, "Linux vmbus_channel_offer_channel");
_Static_assert(offsetof(struct vmbus_msg_offer, flags) == 56, "as above");
_Static_assert(offsetof(struct vmbus_msg_offer, user) == 60, "as above");
_Static_assert(offsetof(struct vmbus_msg_offer, sub_index) == 180, "as above");
_Static_assert(offsetof(struct vmbus_msg_offer, relid) == 184, "as above");
_Static_assert(offsetof(struct vmbus_msg_offer, connection_id) == 192, "as above");

/* RescindChannelOffer, CloseChannel, RelIdReleased, CloseReservedChannelResponse. */
struct vmbus_msg_relid {
	struct vmbus_msg_header header;
	uint32_t relid;
};
_Static_assert(sizeof(struct vmbus_msg_relid) == 12, "Linux vmbus_channel_relid_released");

struct vmbus_msg_open {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t open_id; /* the guest's, given back */
	uint32_t ring_gpadl;
	uint32_t target_vp;
	uint32_t out_offset_pages; /* where the ring from host to guest begins */
	uint8_t user[VMBUS_USER_DATA];
};
_Static_assert(sizeof(struct vmbus_msg_open) == 148, "Linux vmbus_channel_open_channel");
_Static_assert(offsetof(struct vmbus_msg_open, user) == 28, "as above");

struct vmbus_msg_open_result {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t open_id;
	uint32_t status;
};
_Static_assert(sizeof(struct vmbus_msg_open_result) == 20, "Linux vmbus_channel_open_result");

/* A range: its length, where it begins in its first page, then the numbers of its pages. */
struct vmbus_gpa_range {
	uint32_t byte_count;
	uint32_t byte_offset;
};
_Static_assert(sizeof(struct vmbus_gpa_range) == 8, "Linux gpa_range, before pfn_array");

struct vmbus_msg_gpadl_header {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t gpadl;
	uint16_t list_bytes; /* of all ranges, in this message and in the bodies that follow */
	uint16_t range_count;
	uint8_t list[]; /* only 4-aligned */
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_header) == 20, "Linux vmbus_channel_gpadl_header");

struct vmbus_msg_gpadl_body {
	struct vmbus_msg_header header;
	uint32_t number; /* nobody looks at it */
	uint32_t gpadl;
	uint8_t list[];
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_body) == 16, "Linux vmbus_channel_gpadl_body");

struct vmbus_msg_gpadl_created {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t gpadl;
	uint32_t status;
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_created) == 20, "Linux vmbus_channel_gpadl_created");

struct vmbus_msg_gpadl_teardown {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t gpadl;
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_teardown) == 16, "Linux vmbus_channel_gpadl_teardown");

struct vmbus_msg_gpadl_torndown {
	struct vmbus_msg_header header;
	uint32_t gpadl;
};
_Static_assert(sizeof(struct vmbus_msg_gpadl_torndown) == 12, "Linux vmbus_channel_gpadl_torndown");

struct vmbus_msg_contact {
	struct vmbus_msg_header header;
	uint32_t version;
	uint32_t target_vp; /* for messages, and before 2.4 for interrupts */
	union {
		uint64_t interrupt_page; /* before 5.0 */
		struct {                 /* from 5.0 on */
			uint8_t sint;
			uint8_t vtl;
			uint8_t reserved[2];
			uint32_t feature_flags; /* 6.0 */
		};
	};
	uint64_t monitor_pages[2]; /* never used: no offer asks for monitoring */
};
_Static_assert(sizeof(struct vmbus_msg_contact) == 40, "Linux vmbus_channel_initiate_contact");
_Static_assert(offsetof(struct vmbus_msg_contact, vtl) == 17, "as above");

/* Linux wants all 16 bytes and drops what is shorter, for a wait without end. */
struct vmbus_msg_version_response {
	struct vmbus_msg_header header;
	uint8_t supported;
	uint8_t connection_state;
	uint16_t reserved;
	uint32_t message_connection; /* from 5.0 on; before, the version */
};
_Static_assert(sizeof(struct vmbus_msg_version_response) == 16, "Linux vmbus_channel_version_"
                                                                "response");
_Static_assert(offsetof(struct vmbus_msg_version_response, message_connection) == 12, "as above");

struct vmbus_msg_open_reserved {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t target_vp;
	uint32_t target_sint;
	uint32_t ring_gpadl;
	uint32_t out_offset_pages;
};
_Static_assert(sizeof(struct vmbus_msg_open_reserved) == 28, "OpenVMM OpenReservedChannel");

struct vmbus_msg_close_reserved {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t target_vp;
	uint32_t target_sint;
};
_Static_assert(sizeof(struct vmbus_msg_close_reserved) == 20, "OpenVMM CloseReservedChannel");

struct vmbus_msg_tl_connect {
	struct vmbus_msg_header header;
	struct guid endpoint;
	struct guid service;
};
_Static_assert(sizeof(struct vmbus_msg_tl_connect) == 40, "Linux vmbus_channel_tl_connect_request");

struct vmbus_msg_tl_connect_result {
	struct vmbus_msg_header header;
	struct guid endpoint;
	struct guid service;
	uint32_t status;
};
_Static_assert(sizeof(struct vmbus_msg_tl_connect_result) == 44, "OpenVMM TlConnectResult");

struct vmbus_msg_modify {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t target_vp;
};
_Static_assert(sizeof(struct vmbus_msg_modify) == 16, "Linux vmbus_channel_modifychannel");

struct vmbus_msg_modify_response {
	struct vmbus_msg_header header;
	uint32_t relid;
	uint32_t status;
};
_Static_assert(sizeof(struct vmbus_msg_modify_response) == 16, "Linux vmbus_channel_modifychannel_"
                                                               "response");

struct vmbus_msg_modify_connection {
	struct vmbus_msg_header header;
	uint64_t monitor_pages[2];
};
_Static_assert(sizeof(struct vmbus_msg_modify_connection) == 24, "OpenVMM ModifyConnection");

struct vmbus_msg_modify_connection_response {
	struct vmbus_msg_header header;
	uint8_t connection_state;
	uint8_t reserved[3];
};
_Static_assert(offsetof(struct vmbus_msg_modify_connection_response, connection_state) == 8,
        "OpenVMM ModifyConnectionResponse");

/* A message of the guest, copied; bytes it did not send are 0. */
union vmbus_guest_message {
	struct vmbus_msg_header header;
	struct vmbus_msg_open open;
	struct vmbus_msg_relid relid;
	struct vmbus_msg_gpadl_header gpadl_header;
	struct vmbus_msg_gpadl_body gpadl_body;
	struct vmbus_msg_gpadl_teardown gpadl_teardown;
	struct vmbus_msg_contact contact;
	struct vmbus_msg_open_reserved open_reserved;
	struct vmbus_msg_close_reserved close_reserved;
	struct vmbus_msg_tl_connect tl_connect;
	struct vmbus_msg_modify modify;
	uint8_t bytes[VMBUS_MESSAGE_MAX];
};
_Static_assert(sizeof(union vmbus_guest_message) == VMBUS_MESSAGE_MAX, "none is longer");

#endif
