/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8042 keyboard controller with an AT keyboard on its first port and a PS/2 mouse on its
 * second; system software can reset the machine through it.
 *
 * Specs: [8042] IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller", "Keyboards (101- and 102-Key)".
 */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include "devices/device.h"
#include "devices/i8042_mouse.h"

#define I8042_RAM 32U
#define KBD_QUEUE 16U

/* The status port. */
#define I8042_STS_OBF 0x01U
#define I8042_STS_SYS 0x04U
#define I8042_STS_CMD 0x08U
#define I8042_STS_UNLOCKED 0x10U
#define I8042_STS_AUX 0x20U /* the output buffer's byte is the mouse's */

/* The command byte, RAM cell 0. */
#define I8042_CTR_KBDINT 0x01U
#define I8042_CTR_AUXINT 0x02U
#define I8042_CTR_SYS 0x04U
#define I8042_CTR_KBDDIS 0x10U
#define I8042_CTR_AUXDIS 0x20U
#define I8042_CTR_XLATE 0x40U

/* The keyboard itself: it speaks scan code set 2; the controller translates. */
struct kbd_state {
	uint8_t queue[KBD_QUEUE];
	uint8_t head, count;
	uint8_t command; /* waits for its parameter; 0 = none */
	uint8_t leds;    /* scroll, num, caps */
	uint8_t rate;    /* typematic */
	uint8_t last;    /* the last byte sent, for RESEND */
	bool scanning;   /* sends keys */
	bool overrun;    /* the queue was full: an overrun code is its last entry */
};

struct i8042_state {
	uint32_t version;
	uint8_t ram[I8042_RAM]; /* [0] = command byte */
	uint8_t status;
	uint8_t obf;         /* output buffer, valid with OBF */
	uint8_t outport;     /* bit 0 reset (low active), bit 1 A20 */
	uint8_t command;     /* the last one that wants a byte at the data port; 0 = none */
	uint8_t reply;       /* the controller's answer, before the devices' bytes */
	uint8_t reply_flags; /* status bits that go with it */
	bool reply_full;
	bool xlate_break; /* translation has seen the 0xf0 prefix */
	struct kbd_state kbd;
	struct i8042_mouse mouse;
};
#define I8042_STATE_VERSION 2U

struct i8042 {
	struct spinlock lock;
	struct i8042_state s; /* [lock] */
	struct vm *vm;        /* (c) */
	struct irq_source irq, aux_irq;
	struct io_range data, cmd;
};

void i8042_init(struct i8042 *k);
/* data and cmd: one port each. */
__must_check int i8042_attach(struct i8042 *k, struct vm *vm, uint16_t data, uint16_t cmd,
        unsigned kbd_gsi, unsigned aux_gsi);
void i8042_reset(struct i8042 *k);
void i8042_dump(const struct i8042 *k, struct out *out);

/*
 * A key of the set 2 table goes down or up; extended: with the 0xe0 prefix. Dropped while the
 * guest has scanning off; an overrun is reported to it as the keyboard does. Any CPU.
 */
void i8042_key(struct i8042 *k, uint8_t code, bool extended, bool down);

/*
 * The same by the code that a guest sees with translation on, of set 1. false = no room for all of
 * it now; nothing is lost or overrun. Any CPU.
 */
__must_check bool i8042_type(struct i8042 *k, uint8_t set1, bool extended, bool down);

/*
 * The mouse moved, or its buttons (I8042_MOUSE_*) are now these; i8042_mouse_add() says which way
 * is positive. Any CPU.
 */
void i8042_mouse_move(struct i8042 *k, int dx, int dy, int dz, unsigned buttons);

/* --- i8042_xlate.c --- */
/* One byte of the keyboard through translation; false = it was a prefix and gives no byte. */
bool i8042_xlate(struct i8042_state *s, uint8_t *byte);
/* The key's code in set 2; 0 = there is no such key. */
uint8_t i8042_set2(uint8_t set1);

/* --- i8042_kbd.c: the keyboard alone; no lock of its own --- */
void kbd_reset(struct kbd_state *kbd);
/* A byte from the controller. */
void kbd_command(struct kbd_state *kbd, uint8_t byte);
/* The next byte for the controller; false = none. */
bool kbd_next(struct kbd_state *kbd, uint8_t *byte);
void kbd_key(struct kbd_state *kbd, uint8_t code, bool extended, bool down);
bool kbd_has_room(const struct kbd_state *kbd, bool extended, bool down);

#endif
