// SPDX-License-Identifier: BSD-2-Clause
// The conversation of a guest with the server, decoded, a line a message, into the log.
// Specs: vmbus/proto.h.
#include "vmbus/vmbus.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

#define LINE 160U

/* Messages by their type: name, and what is told of their words. */
enum field {
	F_NONE,
	F_RELID,
	F_NAME, /* of the channel with this relid */
	F_GPADL,
	F_LIST, /* bytes of page numbers, all messages together */
	F_STATUS,
	F_VP,
	F_VERSION,
	F_SUPPORTED,
	F_NUMBER,
};

struct shown {
	enum field field;
	uint8_t at; /* byte of a 32-bit word */
};

#define FIELDS 4U
static const struct {
	const char *name;
	struct shown fields[FIELDS];
} messages[] = {
        [VMBUS_OFFER_CHANNEL] = {"OfferChannel", {{F_RELID, 184}, {F_NAME, 184}}},
        [VMBUS_RESCIND_OFFER] = {"RescindChannelOffer", {{F_RELID, 8}}},
        [VMBUS_REQUEST_OFFERS] = {"RequestOffers", {{F_NONE, 0}}},
        [VMBUS_ALL_OFFERS_DELIVERED] = {"AllOffersDelivered", {{F_NONE, 0}}},
        [VMBUS_OPEN_CHANNEL] = {"OpenChannel", {{F_RELID, 8}, {F_GPADL, 16}, {F_VP, 20}}},
        [VMBUS_OPEN_RESULT] = {"OpenChannelResult", {{F_RELID, 8}, {F_STATUS, 16}}},
        [VMBUS_CLOSE_CHANNEL] = {"CloseChannel", {{F_RELID, 8}}},
        [VMBUS_GPADL_HEADER] = {"GpadlHeader", {{F_RELID, 8}, {F_GPADL, 12}, {F_LIST, 16}}},
        [VMBUS_GPADL_BODY] = {"GpadlBody", {{F_GPADL, 12}, {F_NUMBER, 8}}},
        [VMBUS_GPADL_CREATED] = {"GpadlCreated", {{F_RELID, 8}, {F_GPADL, 12}, {F_STATUS, 16}}},
        [VMBUS_GPADL_TEARDOWN] = {"GpadlTeardown", {{F_RELID, 8}, {F_GPADL, 12}}},
        [VMBUS_GPADL_TORNDOWN] = {"GpadlTorndown", {{F_GPADL, 8}}},
        [VMBUS_RELID_RELEASED] = {"RelIdReleased", {{F_RELID, 8}}},
        [VMBUS_INITIATE_CONTACT] = {"InitiateContact", {{F_VERSION, 8}, {F_VP, 12}}},
        [VMBUS_VERSION_RESPONSE] = {"VersionResponse", {{F_SUPPORTED, 8}, {F_NUMBER, 12}}},
        [VMBUS_UNLOAD] = {"Unload", {{F_NONE, 0}}},
        [VMBUS_UNLOAD_RESPONSE] = {"UnloadResponse", {{F_NONE, 0}}},
        [VMBUS_OPEN_RESERVED] = {"OpenReservedChannel", {{F_RELID, 8}}},
        [VMBUS_CLOSE_RESERVED] = {"CloseReservedChannel", {{F_RELID, 8}}},
        [VMBUS_CLOSE_RESERVED_RESPONSE] = {"CloseReservedChannelResponse", {{F_RELID, 8}}},
        [VMBUS_TL_CONNECT] = {"TlConnectRequest", {{F_NONE, 0}}},
        [VMBUS_MODIFY_CHANNEL] = {"ModifyChannel", {{F_RELID, 8}, {F_VP, 12}}},
        [VMBUS_TL_CONNECT_RESULT] = {"TlConnectResult", {{F_STATUS, 40}}},
        [VMBUS_MODIFY_CHANNEL_RESPONSE] = {"ModifyChannelResponse", {{F_RELID, 8}, {F_STATUS, 12}}},
        [VMBUS_MODIFY_CONNECTION] = {"ModifyConnection", {{F_NONE, 0}}},
        [VMBUS_MODIFY_CONNECTION_RESPONSE] = {"ModifyConnectionResponse", {{F_NONE, 0}}},
        [VMBUS_PAUSE] = {"Pause", {{F_NONE, 0}}},
        [VMBUS_PAUSE_RESPONSE] = {"PauseResponse", {{F_NONE, 0}}},
        [VMBUS_RESUME] = {"Resume", {{F_NONE, 0}}},
};
_Static_assert(ARRAY_SIZE(messages) == VMBUS_MESSAGE_TYPES, "one for each type");

static const char *name_of(const struct vmbus *bus, uint32_t relid)
{
	const struct vmbus_channel *ch =
	        relid == 0 || relid > VMBUS_MAX_CHANNELS ? NULL : bus->server.places[relid - 1].ch;

	return ch ? ch->offer.name : "?";
}

static size_t print_field(
        const struct vmbus *bus, char *at, size_t room, enum field field, uint32_t value)
{
	switch (field) {
	case F_NONE:
		return 0;
	case F_RELID:
		return fmt_print(at, room, " channel %u", value);
	case F_NAME:
		return fmt_print(at, room, " %s", name_of(bus, value));
	case F_GPADL:
		return fmt_print(at, room, " GPADL %#x", value);
	case F_LIST:
		return fmt_print(at, room, " list of %u bytes", value & 0xffff);
	case F_STATUS:
		return value ? fmt_print(at, room, " status %#x", value)
		             : fmt_print(at, room, " ok");
	case F_VP:
		return fmt_print(at, room, " VP %u", value);
	case F_VERSION:
		return fmt_print(at, room, " version %u.%u", value >> 16, value & 0xffff);
	case F_SUPPORTED: /* the first byte of the word */
		return fmt_print(at, room, value & 0xff ? " yes" : " no");
	case F_NUMBER:
		return fmt_print(at, room, " %#x", value);
	}
	return 0;
}

static void describe(
        const struct vmbus *bus, char line[LINE], const uint8_t *message, uint32_t size)
{
	uint32_t type = 0;
	size_t used;

	if (size >= sizeof(type)) {
		memcpy(&type, message, sizeof(type));
	}
	if (type >= ARRAY_SIZE(messages) || !messages[type].name) {
		fmt_print(line, LINE, "message type %u, %u bytes", type, size);
		return;
	}
	used = fmt_print(line, LINE, "%s", messages[type].name);
	for (unsigned i = 0; i < FIELDS && used < LINE; i++) {
		const struct shown *s = &messages[type].fields[i];
		uint32_t value;

		if (size >= s->at + sizeof(value)) {
			memcpy(&value, message + s->at, sizeof(value));
			used += print_field(bus, line + used, LINE - used, s->field, value);
		}
	}
}

void vmbus_trace_message(struct vmbus *bus, enum log_level level, bool from_guest,
        const void *message, uint32_t size, const char *remark)
{
	char line[LINE];

	describe(bus, line, message, size);
	vm_log(bus->vm, level, "vmbus %s %s%s%s", from_guest ? "<-" : "->", line,
	        remark ? ": " : "", remark ? remark : "");
}
