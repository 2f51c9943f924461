// SPDX-License-Identifier: BSD-2-Clause
// The AT keyboard behind the 8042: commands, identity, a queue of scan codes of set 2.
// Specs: [8042] "Keyboards (101- and 102-Key)": "Commands from the System", "Scan Codes".
#include "devices/i8042.h"
#include "vmm/lib/string.h"

enum kbd_cmd {
	KBD_SET_LEDS = 0xed,
	KBD_ECHO = 0xee,
	KBD_SCAN_SET = 0xf0,
	KBD_IDENTIFY = 0xf2,
	KBD_TYPEMATIC = 0xf3,
	KBD_ENABLE = 0xf4,
	KBD_DEFAULTS_OFF = 0xf5,
	KBD_DEFAULTS = 0xf6,
	KBD_ALL_TYPEMATIC = 0xf7, /* set 3 only, as the rest up to 0xfd: accepted */
	KBD_ALL_BOTH = 0xfa,
	KBD_KEY_TYPEMATIC = 0xfb,
	KBD_KEY_MAKE = 0xfd,
	KBD_RESEND_LAST = 0xfe,
	KBD_RESET = 0xff,
};

enum kbd_reply {
	KBD_OVERRUN = 0x00, /* in set 2 */
	KBD_BAT_OK = 0xaa,
	KBD_ID0 = 0xab,
	KBD_ID1 = 0x83,
	KBD_BREAK = 0xf0,
	KBD_ACK = 0xfa,
	KBD_RESEND = 0xfe,
};

#define KBD_EXTENDED 0xe0U
#define KBD_RATE_DEFAULT 0x2bU /* 10.9 characters a second after 500 ms */
#define KBD_SET 2U

static void push(struct kbd_state *kbd, uint8_t byte)
{
	if (kbd->count < KBD_QUEUE) {
		kbd->queue[(kbd->head + kbd->count) % KBD_QUEUE] = byte;
		kbd->count++;
	}
}

static void flush(struct kbd_state *kbd)
{
	kbd->head = 0;
	kbd->count = 0;
	kbd->overrun = false;
}

static void defaults(struct kbd_state *kbd)
{
	kbd->rate = KBD_RATE_DEFAULT;
	kbd->command = 0;
	flush(kbd);
}

void kbd_reset(struct kbd_state *kbd)
{
	memset(kbd, 0, sizeof(*kbd));
	defaults(kbd);
	kbd->scanning = true;
}

static void parameter(struct kbd_state *kbd, uint8_t command, uint8_t byte)
{
	switch (command) {
	case KBD_SET_LEDS:
		kbd->leds = byte & 7;
		push(kbd, KBD_ACK);
		break;
	case KBD_TYPEMATIC:
		kbd->rate = byte & 0x7f;
		push(kbd, KBD_ACK);
		break;
	case KBD_SCAN_SET:
		/* 0 asks; the one set there is may be chosen. */
		push(kbd, byte == 0 || byte == KBD_SET ? KBD_ACK : KBD_RESEND);
		if (byte == 0) {
			push(kbd, KBD_SET);
		}
		break;
	default: /* types of single keys, set 3 */
		push(kbd, KBD_ACK);
		break;
	}
}

void kbd_command(struct kbd_state *kbd, uint8_t byte)
{
	uint8_t command = kbd->command;

	/* A new command ends the keyboard's output and any wait for a parameter. */
	kbd->command = 0;
	if (byte != KBD_RESEND_LAST) {
		flush(kbd);
	}
	if (command && byte < KBD_SET_LEDS) {
		parameter(kbd, command, byte);
		return;
	}
	switch (byte) {
	case KBD_ECHO:
		push(kbd, KBD_ECHO);
		break;
	case KBD_IDENTIFY:
		push(kbd, KBD_ACK);
		push(kbd, KBD_ID0);
		push(kbd, KBD_ID1);
		break;
	case KBD_ENABLE:
		kbd->scanning = true;
		push(kbd, KBD_ACK);
		break;
	case KBD_DEFAULTS_OFF:
	case KBD_DEFAULTS:
		defaults(kbd);
		kbd->scanning = byte == KBD_DEFAULTS;
		push(kbd, KBD_ACK);
		break;
	case KBD_ALL_TYPEMATIC ... KBD_ALL_BOTH:
		push(kbd, KBD_ACK);
		break;
	case KBD_SET_LEDS:
	case KBD_TYPEMATIC:
	case KBD_SCAN_SET:
	case KBD_KEY_TYPEMATIC ... KBD_KEY_MAKE:
		kbd->command = byte;
		push(kbd, KBD_ACK);
		break;
	case KBD_RESEND_LAST:
		push(kbd, kbd->last);
		break;
	case KBD_RESET:
		kbd_reset(kbd);
		push(kbd, KBD_ACK);
		push(kbd, KBD_BAT_OK);
		break;
	default:
		push(kbd, KBD_RESEND);
		break;
	}
}

bool kbd_next(struct kbd_state *kbd, uint8_t *byte)
{
	if (kbd->count == 0) {
		return false;
	}
	*byte = kbd->queue[kbd->head];
	kbd->head = (uint8_t)((kbd->head + 1) % KBD_QUEUE);
	kbd->count--;
	kbd->overrun = false;
	if (*byte != KBD_RESEND) {
		kbd->last = *byte;
	}
	return true;
}

/* All of a key or none; the last place is for the overrun code. */
bool kbd_has_room(const struct kbd_state *kbd, bool extended, bool down)
{
	return kbd->count + 1U + extended + !down <= KBD_QUEUE - 1;
}

void kbd_key(struct kbd_state *kbd, uint8_t code, bool extended, bool down)
{
	if (!kbd->scanning || kbd->overrun) {
		return;
	}
	if (!kbd_has_room(kbd, extended, down)) {
		push(kbd, KBD_OVERRUN);
		kbd->overrun = true;
		return;
	}
	if (extended) {
		push(kbd, KBD_EXTENDED);
	}
	if (!down) {
		push(kbd, KBD_BREAK);
	}
	push(kbd, code);
}
