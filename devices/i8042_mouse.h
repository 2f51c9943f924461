/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PS/2 mouse on the second port of the 8042: three buttons, and a wheel for who knocks.
 *
 * Specs: [PS2MOUSE] commands, data report; [INTELLIMOUSE].
 */
#ifndef DEVICES_I8042_MOUSE_H
#define DEVICES_I8042_MOUSE_H

#include "vmm/lib/types.h"

#define I8042_MOUSE_EVENTS 16U
#define I8042_MOUSE_PACKET 4U

/* Buttons, as in a packet's first byte. */
#define I8042_MOUSE_LEFT 0x01U
#define I8042_MOUSE_RIGHT 0x02U
#define I8042_MOUSE_MIDDLE 0x04U
#define I8042_MOUSE_BUTTONS 0x07U

/* Each becomes one packet. */
struct i8042_mouse_event {
	int16_t dx, dy, dz;
	uint8_t buttons;
	uint8_t overflow; /* bits of a packet's first byte */
};

struct i8042_mouse {
	struct i8042_mouse_event events[I8042_MOUSE_EVENTS];
	uint8_t head, n_events;
	uint8_t out[1 + I8042_MOUSE_PACKET]; /* an acknowledge and a packet at most */
	uint8_t out_at, out_len;
	uint8_t last[I8042_MOUSE_PACKET]; /* the last packet or answer, for RESEND */
	uint8_t last_len;
	uint8_t command; /* waits for its parameter; 0 = none */
	uint8_t rate;    /* samples a second */
	uint8_t resolution;
	uint8_t id;
	uint8_t knock[2]; /* the two sample rates before this one, the older first */
	uint8_t buttons;  /* as they are */
	uint8_t reported; /* as the system last heard */
	bool reporting, remote, wrap, scaling, erred;
};

/* Power on: defaults, no button down. */
void i8042_mouse_reset(struct i8042_mouse *m);
/* A byte from the controller. */
void i8042_mouse_command(struct i8042_mouse *m, uint8_t byte);
/* The next byte for the controller; false = none. */
bool i8042_mouse_next(struct i8042_mouse *m, uint8_t *byte);
/*
 * It moved (right, up and, for the wheel, towards the user are positive; any value will do) or its
 * buttons are now these. What does not fit into the queue is lost, but never the buttons' last
 * state.
 */
void i8042_mouse_add(struct i8042_mouse *m, int dx, int dy, int dz, unsigned buttons);

#endif
