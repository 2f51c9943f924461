// SPDX-License-Identifier: BSD-2-Clause
// The 8042 keyboard controller: command and data port, translation, reset line, IRQ 1.
// Specs: [8042] "Keyboard and Auxiliary Device Controller": "Command and Status Bytes", "Controller
// Commands".
#include "devices/i8042.h"
#include "vmm/lib/string.h"

enum i8042_cmd {
	CMD_READ_RAM = 0x20,  /* to 0x3f */
	CMD_WRITE_RAM = 0x60, /* to 0x7f */
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_DISABLE = 0xad,
	CMD_KBD_ENABLE = 0xae,
	CMD_READ_INPORT = 0xc0,
	CMD_READ_OUTPORT = 0xd0,
	CMD_WRITE_OUTPORT = 0xd1,
	CMD_WRITE_KBD_OBF = 0xd2,
	CMD_WRITE_AUX_OBF = 0xd3,
	CMD_WRITE_AUX = 0xd4,
	CMD_READ_TEST = 0xe0,
	CMD_PULSE = 0xf0, /* to 0xff: bits that are 0 go low */
};

#define SELF_TEST_OK 0x55U
#define KBD_TEST_OK 0x00U
/* No device holds the second port's clock line up: how software learns that there is none. */
#define AUX_TEST_CLOCK_LOW 0x01U
#define AUX_LOOP_NONE 0x00U
#define AUX_NO_ANSWER 0xfeU
#define INPORT 0x80U /* not inhibited */
#define OUTPORT_RESET 0x01U
#define OUTPORT_A20 0x02U
#define OUTPORT_OBF 0x10U
#define RAM_INDEX 0x1fU

/*
 * Scan code set 2 to set 1, as the controller does it. Codes from 0x80 on pass, but two.
 */
static const uint8_t xlate_table[128] = {
        0xff,
        0x43,
        0x41,
        0x3f,
        0x3d,
        0x3b,
        0x3c,
        0x58,
        0x64,
        0x44,
        0x42,
        0x40,
        0x3e,
        0x0f,
        0x29,
        0x59,
        0x65,
        0x38,
        0x2a,
        0x70,
        0x1d,
        0x10,
        0x02,
        0x5a,
        0x66,
        0x71,
        0x2c,
        0x1f,
        0x1e,
        0x11,
        0x03,
        0x5b,
        0x67,
        0x2e,
        0x2d,
        0x20,
        0x12,
        0x05,
        0x04,
        0x5c,
        0x68,
        0x39,
        0x2f,
        0x21,
        0x14,
        0x13,
        0x06,
        0x5d,
        0x69,
        0x31,
        0x30,
        0x23,
        0x22,
        0x15,
        0x07,
        0x5e,
        0x6a,
        0x72,
        0x32,
        0x24,
        0x16,
        0x08,
        0x09,
        0x5f,
        0x6b,
        0x33,
        0x25,
        0x17,
        0x18,
        0x0b,
        0x0a,
        0x60,
        0x6c,
        0x34,
        0x35,
        0x26,
        0x27,
        0x19,
        0x0c,
        0x61,
        0x6d,
        0x73,
        0x28,
        0x74,
        0x1a,
        0x0d,
        0x62,
        0x6e,
        0x3a,
        0x36,
        0x1c,
        0x1b,
        0x75,
        0x2b,
        0x63,
        0x76,
        0x55,
        0x56,
        0x77,
        0x78,
        0x79,
        0x7a,
        0x0e,
        0x7b,
        0x7c,
        0x4f,
        0x7d,
        0x4b,
        0x47,
        0x7e,
        0x7f,
        0x6f,
        0x52,
        0x53,
        0x50,
        0x4c,
        0x4d,
        0x48,
        0x01,
        0x45,
        0x57,
        0x4e,
        0x51,
        0x4a,
        0x37,
        0x49,
        0x46,
        0x54,
};

#define SET2_BREAK 0xf0U
#define SET1_BREAK 0x80U

/* One byte of the keyboard through translation; false = it was a prefix and gives no byte. */
static bool translate(struct i8042_state *s, uint8_t *byte)
{
	if (!(s->ram[0] & I8042_CTR_XLATE)) {
		return true;
	}
	if (*byte == SET2_BREAK) {
		s->xlate_break = true;
		return false;
	}
	if (*byte < ARRAY_SIZE(xlate_table)) {
		*byte = xlate_table[*byte];
	} else if (*byte == 0x83) {
		*byte = 0x41;
	} else if (*byte == 0x84) {
		*byte = 0x54;
	}
	if (s->xlate_break) {
		*byte |= SET1_BREAK;
		s->xlate_break = false;
	}
	return true;
}

/* IRQ 1 is the output buffer's fullness: it falls when the data port is read. */
static void update_irq(struct i8042 *k)
{
	irq_source_set(&k->irq, (k->s.status & I8042_STS_OBF) && !(k->s.status & I8042_STS_AUX) &&
	                                (k->s.ram[0] & I8042_CTR_KBDINT));
}

/* Fill the output buffer if it is empty: the controller's answer first. */
static void refill_locked(struct i8042 *k)
{
	struct i8042_state *s = &k->s;

	while (!(s->status & I8042_STS_OBF)) {
		uint8_t byte;

		if (s->reply_full) {
			s->reply_full = false;
			s->obf = s->reply;
			s->status |= (uint8_t)(I8042_STS_OBF | s->reply_flags);
			break;
		}
		if ((s->ram[0] & I8042_CTR_KBDDIS) || !kbd_next(&s->kbd, &byte)) {
			break;
		}
		if (translate(s, &byte)) {
			s->obf = byte;
			s->status |= I8042_STS_OBF;
		}
	}
	update_irq(k);
}

static void reply(struct i8042_state *s, uint8_t byte, uint8_t flags)
{
	s->reply = byte;
	s->reply_flags = flags;
	s->reply_full = true;
}

/* Returns true when the reset line was pulled. */
static bool write_outport(struct i8042_state *s, uint8_t value)
{
	/* A20 cannot be masked here: its bit stays. */
	s->outport = (uint8_t)(value | OUTPORT_A20);
	return !(value & OUTPORT_RESET);
}

/* A byte at the command port. */
static bool command_locked(struct i8042_state *s, uint8_t value)
{
	s->command = 0;
	s->status |= I8042_STS_CMD;
	switch (value) {
	case CMD_READ_RAM ... CMD_READ_RAM + RAM_INDEX:
		reply(s, s->ram[value & RAM_INDEX], 0);
		break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM + RAM_INDEX:
	case CMD_WRITE_OUTPORT:
	case CMD_WRITE_KBD_OBF:
	case CMD_WRITE_AUX_OBF:
	case CMD_WRITE_AUX:
		s->command = value;
		break;
	case CMD_AUX_DISABLE:
		s->ram[0] |= I8042_CTR_AUXDIS;
		break;
	case CMD_AUX_ENABLE:
		s->ram[0] &= (uint8_t)~I8042_CTR_AUXDIS;
		break;
	case CMD_AUX_TEST:
		reply(s, AUX_TEST_CLOCK_LOW, 0);
		break;
	case CMD_SELF_TEST:
		s->status |= I8042_STS_SYS;
		reply(s, SELF_TEST_OK, 0);
		break;
	case CMD_KBD_TEST:
		reply(s, KBD_TEST_OK, 0);
		break;
	case CMD_KBD_DISABLE:
		s->ram[0] |= I8042_CTR_KBDDIS;
		break;
	case CMD_KBD_ENABLE:
		s->ram[0] &= (uint8_t)~I8042_CTR_KBDDIS;
		break;
	case CMD_READ_INPORT:
		reply(s, INPORT, 0);
		break;
	case CMD_READ_OUTPORT:
		reply(s, (uint8_t)(s->outport | (s->status & I8042_STS_OBF ? OUTPORT_OBF : 0)), 0);
		break;
	case CMD_READ_TEST:
		reply(s, s->ram[0] & I8042_CTR_KBDDIS ? 0 : 1, 0);
		break;
	case CMD_PULSE ... CMD_PULSE + 0xf:
		return !(value & OUTPORT_RESET);
	default:
		break; /* not a command: nothing happens */
	}
	return false;
}

/* A byte at the data port: a command's parameter, or for the keyboard. */
static bool data_locked(struct i8042_state *s, uint8_t value)
{
	uint8_t command = s->command;

	s->command = 0;
	s->status &= (uint8_t)~I8042_STS_CMD;
	switch (command) {
	case 0:
		/* The controller raises the keyboard's clock to send. */
		s->ram[0] &= (uint8_t)~I8042_CTR_KBDDIS;
		s->xlate_break = false;
		kbd_command(&s->kbd, value);
		break;
	case CMD_WRITE_RAM:
		s->ram[0] = value;
		s->status = (uint8_t)((s->status & ~I8042_STS_SYS) | (value & I8042_CTR_SYS));
		break;
	case CMD_WRITE_RAM + 1 ... CMD_WRITE_RAM + RAM_INDEX:
		s->ram[command & RAM_INDEX] = value;
		break;
	case CMD_WRITE_OUTPORT:
		return write_outport(s, value);
	case CMD_WRITE_KBD_OBF:
		reply(s, value, 0);
		break;
	case CMD_WRITE_AUX_OBF:
		reply(s, AUX_LOOP_NONE, 0);
		break;
	case CMD_WRITE_AUX:
		reply(s, AUX_NO_ANSWER, I8042_STS_AUX | I8042_STS_TIMEOUT);
		break;
	default:
		break; /* command_locked() keeps no other */
	}
	return false;
}

static void write_port(struct i8042 *k, bool is_command, uint8_t value)
{
	bool reset;

	spin_lock(&k->lock);
	reset = is_command ? command_locked(&k->s, value) : data_locked(&k->s, value);
	refill_locked(k);
	spin_unlock(&k->lock);
	if (reset) {
		vm_request(k->vm, VM_REQ_RESET, "keyboard controller");
	}
}

static void data_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)offset;
	(void)width;
	write_port(dev, false, (uint8_t)value);
}

static void cmd_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)offset;
	(void)width;
	write_port(dev, true, (uint8_t)value);
}

static uint64_t data_read(void *dev, uint64_t offset, unsigned width)
{
	struct i8042 *k = dev;
	uint64_t value;

	(void)offset;
	(void)width;
	spin_lock(&k->lock);
	value = k->s.obf; /* an empty buffer gives the last byte again */
	k->s.status &= (uint8_t) ~(I8042_STS_OBF | I8042_STS_AUX | I8042_STS_TIMEOUT);
	/* The line falls before the next byte raises it: an edge a byte. */
	update_irq(k);
	refill_locked(k);
	spin_unlock(&k->lock);
	return value;
}

static uint64_t cmd_read(void *dev, uint64_t offset, unsigned width)
{
	struct i8042 *k = dev;
	uint64_t value;

	(void)offset;
	(void)width;
	spin_lock(&k->lock);
	value = k->s.status;
	spin_unlock(&k->lock);
	return value;
}

static const struct io_ops data_ops = {
        .name = "i8042 data",
        .read = data_read,
        .write = data_write,
};

static const struct io_ops cmd_ops = {
        .name = "i8042 command",
        .read = cmd_read,
        .write = cmd_write,
};

/* As firmware leaves it: self test passed, translation and the keyboard's interrupt on. */
static void power_on(struct i8042_state *s)
{
	memset(s, 0, sizeof(*s));
	s->version = I8042_STATE_VERSION;
	s->ram[0] = I8042_CTR_KBDINT | I8042_CTR_SYS | I8042_CTR_AUXDIS | I8042_CTR_XLATE;
	s->status = I8042_STS_SYS | I8042_STS_UNLOCKED;
	s->outport = OUTPORT_RESET | OUTPORT_A20;
	kbd_reset(&s->kbd);
}

void i8042_init(struct i8042 *k)
{
	memset(k, 0, sizeof(*k));
	power_on(&k->s);
}

int i8042_attach(struct i8042 *k, struct vm *vm, uint16_t data, uint16_t cmd, unsigned gsi)
{
	int err;

	k->vm = vm;
	k->data = (struct io_range){
	        .base = data, .len = 1, .ops = &data_ops, .dev = k, .kind = IO_FIXED};
	k->cmd = (struct io_range){
	        .base = cmd, .len = 1, .ops = &cmd_ops, .dev = k, .kind = IO_FIXED};
	err = irq_source_init(&k->irq, &vm->irq, gsi, NULL, NULL);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &k->data);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &k->cmd);
	if (err) {
		io_bus_remove(&vm->pio, &k->data);
	}
	return err;
}

void i8042_reset(struct i8042 *k)
{
	spin_lock(&k->lock);
	power_on(&k->s);
	update_irq(k);
	spin_unlock(&k->lock);
}

void i8042_key(struct i8042 *k, uint8_t code, bool extended, bool down)
{
	spin_lock(&k->lock);
	kbd_key(&k->s.kbd, code, extended, down);
	refill_locked(k);
	spin_unlock(&k->lock);
}

void i8042_dump(const struct i8042 *k)
{
	log_info("i8042: command byte %02x status %02x output %02x port %02x; keyboard: %u queued, "
	         "leds %x, scanning %s",
	        k->s.ram[0], k->s.status, k->s.obf, k->s.outport, k->s.kbd.count, k->s.kbd.leds,
	        k->s.kbd.scanning ? "on" : "off");
}
