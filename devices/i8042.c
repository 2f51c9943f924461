// SPDX-License-Identifier: BSD-2-Clause
// The 8042 keyboard controller: command and data port, who fills the output buffer, IRQ 1 and 12.
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
#define AUX_TEST_OK 0x00U
#define INPORT 0x80U /* not inhibited */
#define OUTPORT_RESET 0x01U
#define OUTPORT_A20 0x02U
#define OUTPORT_OBF 0x10U     /* with the keyboard's byte: IRQ 1 */
#define OUTPORT_AUX_OBF 0x20U /* with the mouse's byte: IRQ 12 */
#define TEST_KBD_CLOCK 0x01U
#define TEST_AUX_CLOCK 0x02U
#define RAM_INDEX 0x1fU

/*
 * The interrupts are the output buffer's fullness, IRQ 12 with a byte of the mouse, IRQ 1 with
 * another: they fall when the data port is read.
 */
static void update_irq(struct i8042 *k)
{
	bool full = k->s.status & I8042_STS_OBF, aux = k->s.status & I8042_STS_AUX;

	irq_source_set(&k->irq, full && !aux && (k->s.ram[0] & I8042_CTR_KBDINT));
	irq_source_set(&k->aux_irq, full && aux && (k->s.ram[0] & I8042_CTR_AUXINT));
}

static void fill(struct i8042_state *s, uint8_t byte, uint8_t flags)
{
	s->obf = byte;
	s->status |= (uint8_t)(I8042_STS_OBF | flags);
}

/*
 * Fill the output buffer if it is empty: the controller's answer first, then the keyboard, whose
 * queue is short, then the mouse.
 */
static void refill_locked(struct i8042 *k)
{
	struct i8042_state *s = &k->s;

	while (!(s->status & I8042_STS_OBF)) {
		uint8_t byte;

		if (s->reply_full) {
			s->reply_full = false;
			fill(s, s->reply, s->reply_flags);
		} else if (!(s->ram[0] & I8042_CTR_KBDDIS) && kbd_next(&s->kbd, &byte)) {
			if (i8042_xlate(s, &byte)) {
				fill(s, byte, 0);
			}
		} else if (!(s->ram[0] & I8042_CTR_AUXDIS) && i8042_mouse_next(&s->mouse, &byte)) {
			fill(s, byte, I8042_STS_AUX);
		} else {
			break;
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

static uint8_t read_outport(const struct i8042_state *s)
{
	uint8_t full = s->status & I8042_STS_AUX ? OUTPORT_AUX_OBF : OUTPORT_OBF;

	return (uint8_t)(s->outport | (s->status & I8042_STS_OBF ? full : 0));
}

/* The clock lines: low while the controller inhibits the device. */
static uint8_t test_inputs(const struct i8042_state *s)
{
	return (uint8_t)((s->ram[0] & I8042_CTR_KBDDIS ? 0 : TEST_KBD_CLOCK) |
	                 (s->ram[0] & I8042_CTR_AUXDIS ? 0 : TEST_AUX_CLOCK));
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
		reply(s, AUX_TEST_OK, 0);
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
		reply(s, read_outport(s), 0);
		break;
	case CMD_READ_TEST:
		reply(s, test_inputs(s), 0);
		break;
	case CMD_PULSE ... CMD_PULSE + 0xf:
		return !(value & OUTPORT_RESET);
	default:
		break; /* not a command: nothing happens */
	}
	return false;
}

/* A byte at the data port: a command's parameter, or for a device. */
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
		reply(s, value, I8042_STS_AUX);
		break;
	case CMD_WRITE_AUX:
		/* As with the keyboard. */
		s->ram[0] &= (uint8_t)~I8042_CTR_AUXDIS;
		i8042_mouse_command(&s->mouse, value);
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
	k->s.status &= (uint8_t) ~(I8042_STS_OBF | I8042_STS_AUX);
	/* The lines fall before the next byte raises one: an edge a byte. */
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

/* As firmware leaves it: self test passed, translation and the keyboard's interrupt on, mouse off.
 */
static void power_on(struct i8042_state *s)
{
	memset(s, 0, sizeof(*s));
	s->version = I8042_STATE_VERSION;
	s->ram[0] = I8042_CTR_KBDINT | I8042_CTR_SYS | I8042_CTR_AUXDIS | I8042_CTR_XLATE;
	s->status = I8042_STS_SYS | I8042_STS_UNLOCKED;
	s->outport = OUTPORT_RESET | OUTPORT_A20;
	kbd_reset(&s->kbd);
	i8042_mouse_reset(&s->mouse);
}

void i8042_init(struct i8042 *k)
{
	memset(k, 0, sizeof(*k));
	power_on(&k->s);
}

int i8042_attach(struct i8042 *k, struct vm *vm, uint16_t data, uint16_t cmd, unsigned kbd_gsi,
        unsigned aux_gsi)
{
	int err;

	k->vm = vm;
	k->data = (struct io_range){
	        .base = data, .len = 1, .ops = &data_ops, .dev = k, .kind = IO_FIXED};
	k->cmd = (struct io_range){
	        .base = cmd, .len = 1, .ops = &cmd_ops, .dev = k, .kind = IO_FIXED};
	err = irq_source_init(&k->irq, &vm->irq, kbd_gsi, NULL, NULL);
	if (err) {
		return err;
	}
	err = irq_source_init(&k->aux_irq, &vm->irq, aux_gsi, NULL, NULL);
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

bool i8042_type(struct i8042 *k, uint8_t set1, bool extended, bool down)
{
	uint8_t code = i8042_set2(set1);
	bool room;

	spin_lock(&k->lock);
	room = kbd_has_room(&k->s.kbd, extended, down);
	if (room && code) {
		kbd_key(&k->s.kbd, code, extended, down);
		refill_locked(k);
	}
	spin_unlock(&k->lock);
	return room;
}

void i8042_mouse_move(struct i8042 *k, int dx, int dy, int dz, unsigned buttons)
{
	spin_lock(&k->lock);
	i8042_mouse_add(&k->s.mouse, dx, dy, dz, buttons);
	refill_locked(k);
	spin_unlock(&k->lock);
}

void i8042_dump(const struct i8042 *k, struct out *out)
{
	const struct kbd_state *kbd = &k->s.kbd;
	const struct i8042_mouse *m = &k->s.mouse;

	out_print(out, "command byte %02x, status %02x, output buffer %02x%s\n", k->s.ram[0],
	        k->s.status, k->s.obf, k->s.status & I8042_STS_OBF ? " (full)" : "");
	out_print(out, "  output port %02x, command waiting for its byte %02x\n", k->s.outport,
	        k->s.command);
	out_print(out, "  keyboard: %u queued%s, leds %x, rate %02x, scanning %s\n", kbd->count,
	        kbd->overrun ? " (overrun)" : "", kbd->leds, kbd->rate,
	        kbd->scanning ? "on" : "off");
	out_print(out, "  mouse: %u queued, id %u, %s mode, reporting %s, rate %u, resolution %u\n",
	        m->n_events, m->id, m->wrap ? "wrap" : (m->remote ? "remote" : "stream"),
	        m->reporting ? "on" : "off", m->rate, m->resolution);
}
