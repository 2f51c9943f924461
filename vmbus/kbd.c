// SPDX-License-Identifier: BSD-2-Clause
// The synthetic keyboard: agrees on a version, then sends keys as the guest's ring has room.
// Specs: Linux drivers/input/serio/hyperv-keyboard.c.
#include "vmbus/kbd.h"
#include "vmbus/proto.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

enum kbd_message {
	KBD_PROTOCOL_REQUEST = 1,
	KBD_PROTOCOL_RESPONSE = 2,
	KBD_EVENT = 3,
	KBD_LEDS = 4,
};

#define KBD_VERSION 0x00010000U
#define KBD_ACCEPTED 1U

/* Requests and responses: what it is, and the version or the answer to it. */
struct kbd_protocol {
	uint32_t type;
	uint32_t value;
};
_Static_assert(sizeof(struct kbd_protocol) == 8, "synth_kbd_protocol_request");

struct kbd_event {
	uint32_t type;
	uint16_t code;
	uint16_t reserved;
	uint32_t info;
};
_Static_assert(sizeof(struct kbd_event) == 12, "synth_kbd_keystroke");

#define KBD_INFO_BREAK 0x2U
#define KBD_INFO_E0 0x4U

static struct vmbus_kbd *kbd_of(struct vmbus_channel *ch)
{
	return ch->device;
}

static void set_ready(struct vmbus_kbd *kbd, bool ready)
{
	spin_lock(&kbd->lock);
	kbd->ready = ready;
	kbd->tail = kbd->head;
	spin_unlock(&kbd->lock);
}

static int kbd_open(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA])
{
	struct vmbus_kbd *kbd = kbd_of(ch);

	(void)user;
	kbd->answer_due = false;
	kbd->leds = 0;
	set_ready(kbd, false);
	return 0;
}

static void kbd_close(struct vmbus_channel *ch)
{
	set_ready(kbd_of(ch), false);
}

static void receive(struct vmbus_kbd *kbd, const struct vmbus_packet *packet)
{
	struct kbd_protocol p = {0};
	uint32_t len = packet->payload_len < sizeof(p) ? packet->payload_len : sizeof(p);

	memcpy(&p, packet->payload, len);
	if (packet->type == RING_PACKET_INBAND && len == sizeof(p) &&
	        p.type == KBD_PROTOCOL_REQUEST) {
		kbd->answer = p.value == KBD_VERSION ? KBD_ACCEPTED : 0;
		kbd->answer_due = true;
	} else if (packet->type == RING_PACKET_INBAND && len >= 6 && p.type == KBD_LEDS) {
		kbd->leds = (uint16_t)p.value;
	} else {
		kbd->strays++;
	}
}

/* The answer, then the keys, as far as there is room. */
static void transmit(struct vmbus_kbd *kbd)
{
	if (kbd->answer_due) {
		const struct kbd_protocol p = {KBD_PROTOCOL_RESPONSE, kbd->answer};

		if (channel_send(&kbd->ch, 0, false, &p, sizeof(p))) {
			return;
		}
		kbd->answer_due = false;
		set_ready(kbd, kbd->answer == KBD_ACCEPTED);
	}
	spin_lock(&kbd->lock);
	while (kbd->head != kbd->tail) {
		const struct vm_key *key = &kbd->queue[kbd->tail % VMBUS_KBD_QUEUE];
		const struct kbd_event e = {
		        .type = KBD_EVENT,
		        .code = key->code,
		        .info = (key->down ? 0 : KBD_INFO_BREAK) |
		                (key->extended ? KBD_INFO_E0 : 0),
		};

		if (channel_send(&kbd->ch, 0, false, &e, sizeof(e))) {
			break;
		}
		kbd->tail++;
	}
	spin_unlock(&kbd->lock);
}

static bool kbd_work(struct vmbus_channel *ch, unsigned budget)
{
	struct vmbus_kbd *kbd = kbd_of(ch);
	struct vmbus_packet packet;
	unsigned n = 0;

	while (n < budget && channel_receive(ch, &packet) == 1) {
		receive(kbd, &packet);
		/* The guest waits for the answer, not for this; it gets both. */
		if (packet.wants_completion &&
		        channel_complete(ch, packet.trans_id, NULL, 0) == -EAGAIN) {
			kbd->strays++;
		}
		n++;
	}
	transmit(kbd);
	return n == budget;
}

static void kbd_dump(const struct vmbus_channel *ch, struct out *out)
{
	const struct vmbus_kbd *kbd = ch->device;

	out_print(out, "%s, %u keys wait\n", kbd->ready ? "ready" : "not in use",
	        kbd->head - kbd->tail);
	out_print(out, "  leds %x, strays %llu\n", kbd->leds, (unsigned long long)kbd->strays);
}

static const struct vmbus_channel_ops channel_ops = {
        .open = kbd_open,
        .work = kbd_work,
        .close = kbd_close,
        .dump = kbd_dump,
};

static const struct vmbus_offer offer = {
        .name = "Synthetic keyboard",
        .type = GUID(0xf912ad6d, 0x2b17, 0x48ea, 0xbd65, 0xf927a61c7684),
        .instance = GUID(0xd34b2567, 0xb9b6, 0x42b9, 0x8778, 0x0a4ec0b955bf),
};

void vmbus_kbd_init(struct vmbus_kbd *kbd)
{
	memset(kbd, 0, sizeof(*kbd));
	kbd->ch.ops = &channel_ops;
	kbd->ch.offer = offer;
	kbd->ch.device = kbd;
	kbd->ch.packet_buf = kbd->packet;
	kbd->ch.packet_buf_len = sizeof(kbd->packet);
}

int vmbus_kbd_key(struct vmbus_kbd *kbd, const struct vm_key *key)
{
	int err = 0;

	spin_lock(&kbd->lock);
	if (!kbd->ready) {
		err = -ENOTCONN;
	} else if (kbd->head - kbd->tail == VMBUS_KBD_QUEUE) {
		err = -EAGAIN;
	} else {
		kbd->queue[kbd->head++ % VMBUS_KBD_QUEUE] = *key;
	}
	spin_unlock(&kbd->lock);
	if (!err) {
		channel_kick(&kbd->ch);
	}
	return err;
}
