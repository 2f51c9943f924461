// SPDX-License-Identifier: BSD-2-Clause
// The PS/2 mouse behind the 8042: commands, modes, a queue of movements, packets of 3 or 4 bytes.
// Specs: [PS2MOUSE] commands, modes of operation, data report; [INTELLIMOUSE].
#include "devices/i8042_mouse.h"
#include "vmm/lib/string.h"

enum mouse_cmd {
	MOUSE_SCALING_1 = 0xe6, /* the first of the commands */
	MOUSE_SCALING_2 = 0xe7,
	MOUSE_RESOLUTION = 0xe8,
	MOUSE_STATUS = 0xe9,
	MOUSE_STREAM = 0xea,
	MOUSE_READ = 0xeb,
	MOUSE_UNWRAP = 0xec,
	MOUSE_WRAP = 0xee,
	MOUSE_REMOTE = 0xf0,
	MOUSE_IDENTIFY = 0xf2,
	MOUSE_RATE = 0xf3,
	MOUSE_ENABLE = 0xf4,
	MOUSE_DISABLE = 0xf5,
	MOUSE_DEFAULTS = 0xf6,
	MOUSE_RESEND_LAST = 0xfe,
	MOUSE_RESET = 0xff,
};

enum mouse_reply {
	MOUSE_BAT_OK = 0xaa,
	MOUSE_ACK = 0xfa,
	MOUSE_ERROR = 0xfc,
	MOUSE_RESEND = 0xfe,
};

#define ID_STANDARD 0U
#define ID_WHEEL 3U
#define RATE_DEFAULT 100U
#define RESOLUTION_DEFAULT 2U /* 4 counts a millimetre */
#define RESOLUTION_MAX 3U

/* A packet's first byte, above the buttons. */
#define PACKET_ONE 0x08U
#define PACKET_X_SIGN 0x10U
#define PACKET_Y_SIGN 0x20U
#define PACKET_X_OVER 0x40U
#define PACKET_Y_OVER 0x80U
#define COUNT_MAX 255
/* What scaling doubles must still fit. */
#define COUNT_MAX_SCALED 127
#define WHEEL_MAX 7

/* The status answer's first byte; its buttons are in the other order. */
#define STATUS_RIGHT 0x01U
#define STATUS_MIDDLE 0x02U
#define STATUS_LEFT 0x04U
#define STATUS_SCALING 0x10U
#define STATUS_REPORTING 0x20U
#define STATUS_REMOTE 0x40U

_Static_assert(I8042_MOUSE_EVENTS *COUNT_MAX <= INT16_MAX, "a clamped movement");

static bool streaming(const struct i8042_mouse *m)
{
	return m->reporting && !m->remote && !m->wrap;
}

/* Queue an answer: maybe an acknowledge, maybe a packet. */
static void send(struct i8042_mouse *m, bool ack, const uint8_t *packet, uint8_t len)
{
	m->out_at = 0;
	m->out_len = 0;
	if (ack) {
		m->out[m->out_len++] = MOUSE_ACK;
	}
	memcpy(m->out + m->out_len, packet, len);
	m->out_len = (uint8_t)(m->out_len + len);
}

static void send_new(struct i8042_mouse *m, bool ack, const uint8_t *packet, uint8_t len)
{
	send(m, ack, packet, len);
	memcpy(m->last, packet, len);
	m->last_len = len;
}

static void send_byte(struct i8042_mouse *m, uint8_t byte)
{
	send_new(m, false, &byte, 1);
}

/* Commands clear the movement counters; that a button changed is not forgotten. */
static void clear_counters(struct i8042_mouse *m)
{
	m->head = 0;
	m->n_events = 0;
	if (m->buttons != m->reported) {
		m->events[0] = (struct i8042_mouse_event){.buttons = m->buttons};
		m->n_events = 1;
	}
}

static void defaults(struct i8042_mouse *m)
{
	m->rate = RATE_DEFAULT;
	m->resolution = RESOLUTION_DEFAULT;
	m->scaling = false;
	m->reporting = false;
	m->remote = false;
}

void i8042_mouse_reset(struct i8042_mouse *m)
{
	memset(m, 0, sizeof(*m));
	defaults(m);
}

/* [PS2MOUSE], scaling 2:1: small movements shrink, others double. */
static int scaled(int count)
{
	static const uint8_t small[] = {0, 1, 1, 3, 6, 9};
	unsigned size = (unsigned)(count < 0 ? -count : count);
	int to = size < ARRAY_SIZE(small) ? small[size] : (int)(2 * size);

	return count < 0 ? -to : to;
}

/* The oldest event, or that nothing happened, becomes a packet. Scaling is for stream mode. */
static void report(struct i8042_mouse *m, bool asked)
{
	struct i8042_mouse_event e = {.buttons = m->buttons};
	uint8_t packet[I8042_MOUSE_PACKET];
	int dx, dy;

	if (m->n_events) {
		e = m->events[m->head];
		m->head = (uint8_t)((m->head + 1) % I8042_MOUSE_EVENTS);
		m->n_events--;
	}
	dx = m->scaling && !asked ? scaled(e.dx) : e.dx;
	dy = m->scaling && !asked ? scaled(e.dy) : e.dy;
	packet[0] = (uint8_t)(PACKET_ONE | e.buttons | e.overflow | (dx < 0 ? PACKET_X_SIGN : 0) |
	                      (dy < 0 ? PACKET_Y_SIGN : 0));
	packet[1] = (uint8_t)dx;
	packet[2] = (uint8_t)dy;
	packet[3] = (uint8_t)e.dz;
	m->reported = e.buttons;
	send_new(m, asked, packet, m->id == ID_WHEEL ? 4 : 3);
}

static void report_status(struct i8042_mouse *m)
{
	uint8_t packet[3] = {
	        (uint8_t)((m->buttons & I8042_MOUSE_RIGHT ? STATUS_RIGHT : 0) |
	                  (m->buttons & I8042_MOUSE_MIDDLE ? STATUS_MIDDLE : 0) |
	                  (m->buttons & I8042_MOUSE_LEFT ? STATUS_LEFT : 0) |
	                  (m->scaling ? STATUS_SCALING : 0) |
	                  (m->reporting ? STATUS_REPORTING : 0) | (m->remote ? STATUS_REMOTE : 0)),
	        m->resolution,
	        m->rate,
	};

	send_new(m, true, packet, sizeof(packet));
}

/* A first error asks for the byte again and keeps waiting for a parameter; a second gives up. */
static void refuse(struct i8042_mouse *m)
{
	if (m->erred) {
		m->command = 0;
	}
	send_byte(m, m->erred ? MOUSE_ERROR : MOUSE_RESEND);
	m->erred = !m->erred;
}

static bool set_rate(struct i8042_mouse *m, uint8_t rate)
{
	static const uint8_t rates[] = {10, 20, 40, 60, 80, 100, 200};
	unsigned i = 0;

	while (rates[i] != rate) {
		if (++i == ARRAY_SIZE(rates)) {
			return false;
		}
	}
	/* [INTELLIMOUSE]: three rates in this order turn the wheel on. */
	if (m->knock[0] == 200 && m->knock[1] == 100 && rate == 80) {
		m->id = ID_WHEEL;
	}
	m->knock[0] = m->knock[1];
	m->knock[1] = rate;
	m->rate = rate;
	return true;
}

static void parameter(struct i8042_mouse *m, uint8_t byte)
{
	bool ok;

	if (m->command == MOUSE_RATE) {
		ok = set_rate(m, byte);
	} else {
		ok = byte <= RESOLUTION_MAX;
		m->resolution = ok ? byte : m->resolution;
	}
	if (!ok) {
		refuse(m);
		return;
	}
	m->command = 0;
	m->erred = false;
	send_byte(m, MOUSE_ACK);
}

static void reset_by_command(struct i8042_mouse *m)
{
	static const uint8_t hello[] = {MOUSE_BAT_OK, ID_STANDARD};
	uint8_t buttons = m->buttons;

	i8042_mouse_reset(m);
	/* They are held as before. */
	m->buttons = buttons;
	clear_counters(m);
	send_new(m, true, hello, sizeof(hello));
}

/* Commands that change a setting and are acknowledged, nothing more; false = it is none. */
static bool set(struct i8042_mouse *m, uint8_t byte)
{
	switch (byte) {
	case MOUSE_SCALING_1:
	case MOUSE_SCALING_2:
		m->scaling = byte == MOUSE_SCALING_2;
		break;
	case MOUSE_STREAM:
	case MOUSE_REMOTE:
		m->remote = byte == MOUSE_REMOTE;
		break;
	case MOUSE_UNWRAP: /* wrap mode has ended before this is reached */
		break;
	case MOUSE_WRAP:
		m->wrap = true;
		break;
	case MOUSE_ENABLE:
	case MOUSE_DISABLE:
		m->reporting = byte == MOUSE_ENABLE;
		break;
	case MOUSE_DEFAULTS:
		defaults(m);
		break;
	case MOUSE_RESOLUTION:
	case MOUSE_RATE:
		m->command = byte;
		break;
	default:
		return false;
	}
	send_byte(m, MOUSE_ACK);
	return true;
}

static void command(struct i8042_mouse *m, uint8_t byte)
{
	bool erred = m->erred;

	m->command = 0;
	m->erred = false;
	if (set(m, byte)) {
		return;
	}
	switch (byte) {
	case MOUSE_STATUS:
		report_status(m);
		break;
	case MOUSE_READ:
		report(m, true);
		break;
	case MOUSE_IDENTIFY:
		send_new(m, true, &m->id, 1);
		break;
	case MOUSE_RESET:
		reset_by_command(m);
		break;
	default:
		m->erred = erred;
		refuse(m);
		break;
	}
}

void i8042_mouse_command(struct i8042_mouse *m, uint8_t byte)
{
	if (m->wrap) {
		if (byte != MOUSE_UNWRAP && byte != MOUSE_RESET) {
			send_byte(m, byte);
			return;
		}
		m->wrap = false;
	}
	if (byte == MOUSE_RESEND_LAST) {
		send(m, false, m->last, m->last_len);
		return;
	}
	if (byte != MOUSE_READ) {
		clear_counters(m);
	}
	if (m->command && byte < MOUSE_SCALING_1) {
		parameter(m, byte);
	} else {
		command(m, byte);
	}
}

bool i8042_mouse_next(struct i8042_mouse *m, uint8_t *byte)
{
	if (m->out_at == m->out_len) {
		if (!streaming(m) || m->n_events == 0) {
			return false;
		}
		report(m, false);
	}
	*byte = m->out[m->out_at++];
	return true;
}

static int clamp(int value, int max)
{
	return value > max ? max : value < -max ? -max : value;
}

/* Add as much of *rest as one packet can carry; the remainder stays. */
static void count(int16_t *counter, int *rest, int max)
{
	int sum = *counter + *rest;

	*counter = (int16_t)clamp(sum, max);
	*rest = sum - *counter;
}

void i8042_mouse_add(struct i8042_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
	/* Who does not stream has one set of counters, as the data sheet's mouse. */
	unsigned limit = streaming(m) ? I8042_MOUSE_EVENTS : 1;
	int max = streaming(m) && m->scaling ? COUNT_MAX_SCALED : COUNT_MAX;
	int x = clamp(dx, COUNT_MAX * (int)I8042_MOUSE_EVENTS);
	int y = clamp(dy, COUNT_MAX * (int)I8042_MOUSE_EVENTS);
	int z = m->id == ID_WHEEL ? clamp(dz, WHEEL_MAX * (int)I8042_MOUSE_EVENTS) : 0;
	uint8_t held = (uint8_t)(buttons & I8042_MOUSE_BUTTONS);
	bool join = m->n_events != 0 && held == m->buttons;

	if (x == 0 && y == 0 && z == 0 && held == m->buttons) {
		return;
	}
	m->buttons = held;
	for (;; join = false) {
		struct i8042_mouse_event *e;

		if (!join && m->n_events < limit) {
			e = &m->events[(m->head + m->n_events) % I8042_MOUSE_EVENTS];
			*e = (struct i8042_mouse_event){0};
			m->n_events++;
		} else {
			e = &m->events[(m->head + m->n_events - 1U) % I8042_MOUSE_EVENTS];
		}
		e->buttons = held;
		count(&e->dx, &x, max);
		count(&e->dy, &y, max);
		count(&e->dz, &z, WHEEL_MAX);
		if (x == 0 && y == 0 && z == 0) {
			return;
		}
		if (m->n_events >= limit) {
			e->overflow |= (uint8_t)((x ? PACKET_X_OVER : 0) | (y ? PACKET_Y_OVER : 0));
			return;
		}
	}
}
