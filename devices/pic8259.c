// SPDX-License-Identifier: BSD-2-Clause
// The 8259A pair: initialisation, priorities, acknowledge, end of interrupt.
// Specs: [8259A] "Initialization Command Words", "Operation Command Words", "Interrupt Sequence";
// [PIIX4] "ELCR1", "ELCR2".
#include "devices/pic8259.h"
#include "devices/port8.h"
#include "vmm/lib/string.h"

#define STATE_VERSION 1U
#define CASCADE 2U /* the master's input that is the slave's output */
#define NO_IRQ (-1)
#define SPURIOUS 7U

#define MASTER 0U
#define SLAVE 1U

#define PORT_COMMAND 0U /* A0 = 0 */
#define PORT_DATA 1U

/* "Initialization Command Words" */
#define ICW1_IC4 BIT(0)
#define ICW1_SNGL BIT(1)
#define ICW1_SELECT BIT(4)
#define ICW2_BASE 0xf8U
#define ICW4_AEOI BIT(1)
#define ICW4_SFNM BIT(4)
/* "Operation Command Words" */
#define OCW3_SELECT BIT(3)
#define OCW3_RIS BIT(0)
#define OCW3_RR BIT(1)
#define OCW3_POLL BIT(2)
#define OCW3_SMM BIT(5)
#define OCW3_ESMM BIT(6)
#define POLL_PENDING 0x80U

/* OCW2 bits 7-5: R, SL, EOI */
enum ocw2_command {
	OCW2_ROTATE_AEOI_CLEAR = 0,
	OCW2_EOI = 1,
	OCW2_NOP = 2,
	OCW2_EOI_SPECIFIC = 3,
	OCW2_ROTATE_AEOI_SET = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_EOI_SPECIFIC = 7,
};

/* [PIIX4] "ELCR": the timer, keyboard, cascade, clock and coprocessor inputs are always edge. */
static const uint8_t elcr_writable[2] = {0xf8, 0xde};

/* Position of the highest-priority bit of set, 0 = highest priority; 8 = empty. */
static unsigned first_priority(const struct pic8259_chip *c, uint8_t set)
{
	unsigned twice = set | (unsigned)set << 8;

	return bit_first((twice >> ((c->lowest + 1U) & 7U) & 0xffU) | BIT(8));
}

static unsigned input_at(const struct pic8259_chip *c, unsigned priority)
{
	return (c->lowest + 1 + priority) & 7;
}

/* The input the chip asks the processor to serve now, or NO_IRQ. */
static int requested(const struct pic8259_chip *c, bool master)
{
	unsigned want = first_priority(c, (uint8_t)(c->irr & ~c->imr));
	uint8_t isr = c->isr;

	if (!c->initialised || c->step != PIC_READY || want == 8) {
		return NO_IRQ;
	}
	/* "Special Mask Mode": a masked input in service holds nobody back. */
	if (c->special_mask) {
		isr &= (uint8_t)~c->imr;
	}
	/* "Special Fully Nested Mode": the slave in service is not locked out from the master. */
	if (master && (c->icw4 & ICW4_SFNM) && input_at(c, want) == CASCADE) {
		isr &= (uint8_t)~BIT(CASCADE);
	}
	return want < first_priority(c, isr) ? (int)input_at(c, want) : NO_IRQ;
}

static void publish(struct pic8259 *pic, unsigned which)
{
	const struct pic8259_chip *c = &pic->s.chips[which];
	uint16_t command = c->read_isr ? c->isr : c->irr;
	uint16_t poll = c->poll ? PIC_READ_POLL : 0;

	__atomic_store_n(&pic->visible[which][PORT_COMMAND], command | poll, __ATOMIC_RELAXED);
	__atomic_store_n(&pic->visible[which][PORT_DATA], c->imr | poll, __ATOMIC_RELAXED);
}

/* After every change: slave's output to the master's input, master's to the router. */
static void update_locked(struct pic8259 *pic)
{
	struct pic8259_chip *master = &pic->s.chips[MASTER];
	bool out;

	/*
	 * The chip takes the slave's output as an edge that comes again after each acknowledge of
	 * the slave; following its level does the same and cannot lose one.
	 */
	if (requested(&pic->s.chips[SLAVE], false) != NO_IRQ) {
		master->irr |= (uint8_t)BIT(CASCADE);
	} else {
		master->irr &= (uint8_t)~BIT(CASCADE);
	}
	out = requested(master, true) != NO_IRQ;
	if (out != irq_extint_pending(&pic->vm->irq)) {
		irq_set_extint(&pic->vm->irq, out);
	}
	publish(pic, MASTER);
	publish(pic, SLAVE);
}

static void pic_set_line(void *chip, unsigned pin, bool level)
{
	struct pic8259 *pic = chip;
	struct pic8259_chip *c = &pic->s.chips[pin >> 3 & 1];
	uint8_t bit = (uint8_t)BIT(pin & 7);

	if (pin > 15 || pin == CASCADE) {
		return;
	}
	/*
	 * An edge stays latched until it is acknowledged. The chip withdraws it when the line
	 * falls before, and answers with IR7; sources here may pulse, as those of other virtual
	 * machines do.
	 */
	if (level && (!(c->lines & bit) || (c->elcr & bit))) {
		c->irr |= bit;
	}
	if (!level && (c->elcr & bit)) {
		c->irr &= (uint8_t)~bit;
	}
	c->lines = (uint8_t)(level ? c->lines | bit : c->lines & ~bit);
	update_locked(pic);
}

/* INTA: the input moves from request to in-service. NO_IRQ when the request is gone. */
static int acknowledge(struct pic8259_chip *c, bool master)
{
	int irq = requested(c, master);
	uint8_t bit;

	if (irq == NO_IRQ) {
		return NO_IRQ;
	}
	bit = (uint8_t)BIT((unsigned)irq);
	if (!(c->elcr & bit)) {
		c->irr &= (uint8_t)~bit;
	}
	if (!(c->icw4 & ICW4_AEOI)) {
		c->isr |= bit;
	} else if (c->rotate_aeoi) {
		c->lowest = (uint8_t)irq;
	}
	return irq;
}

/* "Interrupt Sequence". A request that went away gives IR7 without an in-service bit. */
static uint8_t pic_ack(void *chip)
{
	struct pic8259 *pic = chip;
	struct pic8259_chip *c = &pic->s.chips[MASTER];
	int irq;

	spin_lock(&pic->vm->irq.lock);
	irq = acknowledge(c, true);
	if (irq == (int)CASCADE) {
		c = &pic->s.chips[SLAVE];
		irq = acknowledge(c, false);
	}
	update_locked(pic);
	irq = c->base + (irq == NO_IRQ ? (int)SPURIOUS : irq);
	spin_unlock(&pic->vm->irq.lock);
	return (uint8_t)irq;
}

static const struct irq_chip_ops chip_ops = {
        .name = "8259",
        .set_line = pic_set_line,
        .ack = pic_ack,
};

/* Latched edges are forgotten; a level still there is not. */
static void forget_edges(struct pic8259_chip *c)
{
	c->irr = (uint8_t)(c->lines & c->elcr);
}

/* "ICW1": what happens automatically. */
static void write_icw1(struct pic8259_chip *c, uint8_t value)
{
	c->icw1 = value;
	c->step = PIC_WANT_ICW2;
	forget_edges(c);
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->rotate_aeoi = false;
	if (!(value & ICW1_IC4)) {
		c->icw4 = 0;
	}
}

static void end_of_interrupt(struct pic8259_chip *c, bool specific, unsigned level, bool rotate)
{
	uint8_t isr = c->isr;

	if (!specific) {
		/* "An IS bit that is masked by an IMR bit will not be cleared by a non-specific
		 * EOI if the 8259A is in the Special Mask Mode." */
		if (c->special_mask) {
			isr &= (uint8_t)~c->imr;
		}
		if (isr == 0) {
			return;
		}
		level = input_at(c, first_priority(c, isr));
	}
	c->isr &= (uint8_t)~BIT(level);
	if (rotate) {
		c->lowest = (uint8_t)level;
	}
}

static void write_ocw2(struct pic8259_chip *c, uint8_t value)
{
	unsigned level = value & 7U;

	switch ((enum ocw2_command)(value >> 5)) {
	case OCW2_EOI:
		end_of_interrupt(c, false, 0, false);
		break;
	case OCW2_ROTATE_EOI:
		end_of_interrupt(c, false, 0, true);
		break;
	case OCW2_EOI_SPECIFIC:
		end_of_interrupt(c, true, level, false);
		break;
	case OCW2_ROTATE_EOI_SPECIFIC:
		end_of_interrupt(c, true, level, true);
		break;
	case OCW2_SET_PRIORITY:
		c->lowest = (uint8_t)level;
		break;
	case OCW2_ROTATE_AEOI_SET:
		c->rotate_aeoi = true;
		break;
	case OCW2_ROTATE_AEOI_CLEAR:
		c->rotate_aeoi = false;
		break;
	case OCW2_NOP:
		break;
	}
}

static void write_ocw3(struct pic8259_chip *c, uint8_t value)
{
	c->poll = value & OCW3_POLL;
	if (value & OCW3_RR) {
		c->read_isr = value & OCW3_RIS;
	}
	if (value & OCW3_ESMM) {
		c->special_mask = value & OCW3_SMM;
	}
}

static void write_data(struct pic8259_chip *c, uint8_t value)
{
	switch ((enum pic_init_step)c->step) {
	case PIC_READY: /* OCW1 */
		c->imr = value;
		return;
	case PIC_WANT_ICW2:
		c->base = value & ICW2_BASE;
		c->step = PIC_WANT_ICW3;
		if (!(c->icw1 & ICW1_SNGL)) {
			return;
		}
		break;
	case PIC_WANT_ICW3:
		c->icw3 = value;
		break;
	case PIC_WANT_ICW4:
		c->icw4 = value;
		c->step = PIC_READY;
		c->initialised = true;
		return;
	}
	/* ICW3 is in, or left out. */
	c->step = c->icw1 & ICW1_IC4 ? PIC_WANT_ICW4 : PIC_READY;
	c->initialised |= c->step == PIC_READY;
}

/* "Poll Command": the read is an acknowledge. */
static uint8_t read_poll(struct pic8259_chip *c, bool master)
{
	int irq = acknowledge(c, master);

	c->poll = false;
	return irq == NO_IRQ ? 0 : (uint8_t)(POLL_PENDING | (unsigned)irq);
}

/* Another vCPU may have taken the poll meanwhile. */
static __attribute__((noinline)) uint8_t read_polled(
        struct pic8259 *pic, unsigned which, unsigned reg)
{
	struct pic8259_chip *c = &pic->s.chips[which];
	uint8_t value;

	spin_lock(&pic->vm->irq.lock);
	value = (uint8_t)pic->visible[which][reg];
	if (c->poll) {
		value = read_poll(c, which == MASTER);
		update_locked(pic);
	}
	spin_unlock(&pic->vm->irq.lock);
	return value;
}

static uint8_t read8(struct pic8259 *pic, unsigned which, unsigned reg)
{
	uint16_t value = __atomic_load_n(&pic->visible[which][reg], __ATOMIC_RELAXED);

	return value & PIC_READ_POLL ? read_polled(pic, which, reg) : (uint8_t)value;
}

static void write8(struct pic8259 *pic, unsigned which, unsigned reg, uint8_t value)
{
	struct pic8259_chip *c = &pic->s.chips[which];

	spin_lock(&pic->vm->irq.lock);
	if (reg != PORT_COMMAND) {
		write_data(c, value);
	} else if (value & ICW1_SELECT) {
		write_icw1(c, value);
	} else if (value & OCW3_SELECT) {
		write_ocw3(c, value);
	} else {
		write_ocw2(c, value);
	}
	update_locked(pic);
	spin_unlock(&pic->vm->irq.lock);
}

static uint8_t master_read8(void *dev, unsigned reg)
{
	return read8(dev, MASTER, reg);
}

static void master_write8(void *dev, unsigned reg, uint8_t value)
{
	write8(dev, MASTER, reg, value);
}

static uint8_t slave_read8(void *dev, unsigned reg)
{
	return read8(dev, SLAVE, reg);
}

static void slave_write8(void *dev, unsigned reg, uint8_t value)
{
	write8(dev, SLAVE, reg, value);
}

static uint8_t elcr_read8(void *dev, unsigned reg)
{
	struct pic8259 *pic = dev;

	return __atomic_load_n(&pic->s.chips[reg & 1].elcr, __ATOMIC_RELAXED);
}

static void elcr_write8(void *dev, unsigned reg, uint8_t value)
{
	struct pic8259 *pic = dev;
	struct pic8259_chip *c = &pic->s.chips[reg & 1];
	uint8_t changed;

	spin_lock(&pic->vm->irq.lock);
	value &= elcr_writable[reg & 1];
	changed = value ^ c->elcr;
	__atomic_store_n(&c->elcr, value, __ATOMIC_RELAXED);
	/* What became level follows its line, what became edge waits for one. */
	c->irr = (uint8_t)((c->irr & ~changed) | (c->lines & value & changed));
	update_locked(pic);
	spin_unlock(&pic->vm->irq.lock);
}

#define PORT8_OPS(prefix, text) \
	static uint64_t prefix##_read(void *dev, uint64_t offset, unsigned width) \
	{ \
		return port8_read(prefix##_read8, dev, offset, width); \
	} \
	static void prefix##_write(void *dev, uint64_t offset, unsigned width, uint64_t value) \
	{ \
		port8_write(prefix##_write8, dev, offset, width, value); \
	} \
	static const struct io_ops prefix##_ops = { \
	        .name = text, .read = prefix##_read, .write = prefix##_write}

PORT8_OPS(master, "8259 master");
PORT8_OPS(slave, "8259 slave");
PORT8_OPS(elcr, "8259 ELCR");

static void power_on(struct pic8259_state *s)
{
	memset(s, 0, sizeof(*s));
	s->version = STATE_VERSION;
	for (unsigned i = 0; i < 2; i++) {
		s->chips[i].lowest = 7;
	}
}

void pic8259_init(struct pic8259 *pic)
{
	memset(pic, 0, sizeof(*pic));
	power_on(&pic->s);
}

int pic8259_attach(
        struct pic8259 *pic, struct vm *vm, uint16_t master, uint16_t slave, uint16_t elcr)
{
	const struct io_range ranges[3] = {
	        {.base = master, .len = 2, .ops = &master_ops, .dev = pic, .kind = IO_FIXED},
	        {.base = slave, .len = 2, .ops = &slave_ops, .dev = pic, .kind = IO_FIXED},
	        {.base = elcr, .len = 2, .ops = &elcr_ops, .dev = pic, .kind = IO_FIXED},
	};

	pic->vm = vm;
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
		int err;

		pic->ports[i] = ranges[i];
		err = io_bus_add(&vm->pio, &pic->ports[i]);
		if (err) {
			while (i-- > 0) {
				io_bus_remove(&vm->pio, &pic->ports[i]);
			}
			return err;
		}
	}
	irq_router_set_pic(&vm->irq, &chip_ops, pic);
	return 0;
}

void pic8259_reset(struct pic8259 *pic)
{
	spin_lock(&pic->vm->irq.lock);
	power_on(&pic->s);
	update_locked(pic);
	spin_unlock(&pic->vm->irq.lock);
}

void pic8259_dump(const struct pic8259 *pic, struct out *out)
{
	const struct pic8259_chip *m = &pic->s.chips[MASTER], *s = &pic->s.chips[SLAVE];

	out_print(out,
	        "master IRR %02x ISR %02x IMR %02x, slave IRR %02x ISR %02x IMR %02x, output %u\n",
	        m->irr, m->isr, m->imr, s->irr, s->isr, s->imr,
	        irq_extint_pending(&pic->vm->irq) ? 1U : 0U);
	for (unsigned i = 0; i < 2; i++) {
		const struct pic8259_chip *c = &pic->s.chips[i];

		out_print(out,
		        "  %-6s: lines %02x ELCR %02x vectors %02x-%02x lowest IR%u ICW1 %02x "
		        "ICW3 %02x ICW4 %02x%s%s%s%s\n",
		        i == MASTER ? "master" : "slave", c->lines, c->elcr, c->base, c->base + 7U,
		        c->lowest, c->icw1, c->icw3, c->icw4,
		        c->special_mask ? " special-mask" : "", c->read_isr ? " reads-ISR" : "",
		        c->poll ? " poll" : "", c->initialised ? "" : " not initialised");
	}
}
