// SPDX-License-Identifier: BSD-2-Clause
// The I/O APIC: redirection entries, delivery and end of level interrupts.
// Specs: [IOAPIC] "Memory Mapped Registers for Accessing IOAPIC Registers", "I/O Redirection Table
// Registers".
#include "devices/ioapic.h"
#include "vmm/lib/string.h"

#define STATE_VERSION 1U
#define WINDOW_SIZE 0x1000U

/* "Memory Mapped Registers" */
#define IOREGSEL 0x00U
#define IOWIN 0x10U
/* "IOAPIC Registers" */
#define REG_ID 0x00U
#define REG_VERSION 0x01U
#define REG_ARB 0x02U
#define REG_REDIR 0x10U
#define ID_SHIFT 24
#define ID_MASK 0x0fU
#define VERSION_MAX_ENTRY_SHIFT 16
/* "I/O Redirection Table Registers" */
#define RTE_VECTOR 0xffU
#define RTE_DELIVERY_SHIFT 8
#define RTE_DELIVERY_MASK 7U
#define RTE_LOGICAL BIT64(11)
#define RTE_STATUS BIT64(12)
#define RTE_LOW BIT64(13)
#define RTE_REMOTE_IRR BIT64(14)
#define RTE_LEVEL BIT64(15)
#define RTE_MASK BIT64(16)
#define RTE_DEST_SHIFT 56
#define RTE_READ_ONLY (RTE_STATUS | RTE_REMOTE_IRR)
#define RTE_VALID (0xffULL << RTE_DEST_SHIFT | GENMASK64(16, 0))

_Static_assert(IRQ_LINES <= 32, "lines is a 32-bit mask");

/* Level triggering means something for fixed and lowest-priority delivery only. */
static bool entry_is_level(uint64_t entry)
{
	unsigned mode = entry >> RTE_DELIVERY_SHIFT & RTE_DELIVERY_MASK;

	return (entry & RTE_LEVEL) && (mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST);
}

/* Send the pin's message. Polarity is ignored: virtual lines are high when active. */
static void deliver_locked(struct ioapic *io, unsigned pin)
{
	uint64_t entry = io->s.entries[pin];
	const struct apic_msg msg = {
	        .dest = (uint32_t)(entry >> RTE_DEST_SHIFT),
	        .vector = (uint8_t)(entry & RTE_VECTOR),
	        .delivery = entry >> RTE_DELIVERY_SHIFT & RTE_DELIVERY_MASK,
	        .logical = entry & RTE_LOGICAL,
	        .level = entry_is_level(entry),
	};

	if (msg.delivery == APIC_DM_STARTUP) {
		return; /* reserved in an entry */
	}
	/* A message that nobody accepts has no end: it does not lock the pin. */
	if (apic_deliver(io->vm, &msg) && msg.level) {
		io->s.entries[pin] |= RTE_REMOTE_IRR;
	}
}

/* Level pins: deliver when the line is high and the last one has ended. */
static void serve_level_locked(struct ioapic *io, unsigned pin)
{
	uint64_t entry = io->s.entries[pin];

	if (entry_is_level(entry) && (io->s.lines & BIT(pin)) &&
	        !(entry & (RTE_MASK | RTE_REMOTE_IRR))) {
		deliver_locked(io, pin);
	}
}

static void ioapic_set_line(void *chip, unsigned pin, bool level)
{
	struct ioapic *io = chip;
	bool rising;

	if (pin >= IRQ_LINES) {
		return;
	}
	rising = level && !(io->s.lines & BIT(pin));
	io->s.lines = level ? io->s.lines | BIT(pin) : io->s.lines & ~BIT(pin);
	if (entry_is_level(io->s.entries[pin])) {
		serve_level_locked(io, pin);
	} else if (rising && !(io->s.entries[pin] & RTE_MASK)) {
		/* "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored." */
		deliver_locked(io, pin);
	}
}

static void ioapic_eoi(void *chip, uint8_t vector)
{
	struct ioapic *io = chip;
	struct spinlock *lock = &io->vm->irq.lock;
	uint32_t ended = 0;

	spin_lock(lock);
	for (unsigned pin = 0; pin < IRQ_LINES; pin++) {
		uint64_t *entry = &io->s.entries[pin];

		if ((*entry & RTE_REMOTE_IRR) && (*entry & RTE_VECTOR) == vector) {
			*entry &= ~RTE_REMOTE_IRR;
			ended |= BIT(pin);
		}
	}
	spin_unlock(lock);
	/* Devices may lower their lines now. */
	for (uint32_t left = ended; left; left &= left - 1) {
		irq_line_eoi(&io->vm->irq, bit_first(left));
	}
	spin_lock(lock);
	for (uint32_t left = ended; left; left &= left - 1) {
		serve_level_locked(io, bit_first(left));
	}
	spin_unlock(lock);
}

static const struct irq_chip_ops chip_ops = {
        .name = "IOAPIC",
        .set_line = ioapic_set_line,
        .eoi = ioapic_eoi,
};

static bool redir_pin(uint8_t reg, unsigned *pin)
{
	*pin = (unsigned)(reg - REG_REDIR) / 2;
	return reg >= REG_REDIR && *pin < IRQ_LINES;
}

static uint32_t read_reg_locked(const struct ioapic *io, uint8_t reg)
{
	unsigned pin;

	if (redir_pin(reg, &pin)) {
		return (uint32_t)(io->s.entries[pin] >> (reg & 1 ? 32 : 0));
	}
	switch (reg) {
	case REG_ID:
	case REG_ARB: /* loaded from the ID; there is no bus to arbitrate */
		return (uint32_t)io->s.id << ID_SHIFT;
	case REG_VERSION:
		return IOAPIC_VERSION | (IRQ_LINES - 1) << VERSION_MAX_ENTRY_SHIFT;
	default:
		return 0;
	}
}

static void write_reg_locked(struct ioapic *io, uint8_t reg, uint32_t value)
{
	unsigned pin;
	uint64_t *entry, kept;

	if (reg == REG_ID) {
		io->s.id = value >> ID_SHIFT & ID_MASK;
	}
	if (!redir_pin(reg, &pin)) {
		return;
	}
	entry = &io->s.entries[pin];
	kept = *entry & RTE_READ_ONLY;
	if (reg & 1) {
		*entry = (*entry & 0xffffffffU) | (uint64_t)value << 32;
	} else {
		*entry = (*entry & ~0xffffffffULL) | value;
	}
	*entry = (*entry & RTE_VALID & ~RTE_READ_ONLY) | kept;
	/* Edge interrupts have no end to wait for: this is how Linux clears a stuck pin. */
	if (!entry_is_level(*entry)) {
		*entry &= ~RTE_REMOTE_IRR;
	}
	serve_level_locked(io, pin);
}

/* Only aligned 32-bit accesses mean something. */
static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned width)
{
	struct ioapic *io = dev;
	uint64_t value = ~0ULL;

	if (width != 4) {
		return value;
	}
	spin_lock(&io->vm->irq.lock);
	if (offset == IOREGSEL) {
		value = io->s.select;
	} else if (offset == IOWIN) {
		value = read_reg_locked(io, io->s.select);
	}
	spin_unlock(&io->vm->irq.lock);
	return value;
}

static void ioapic_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct ioapic *io = dev;

	if (width != 4) {
		return;
	}
	spin_lock(&io->vm->irq.lock);
	if (offset == IOREGSEL) {
		io->s.select = (uint8_t)value;
	} else if (offset == IOWIN) {
		write_reg_locked(io, io->s.select, (uint32_t)value);
	}
	spin_unlock(&io->vm->irq.lock);
}

static const struct io_ops mmio_ops = {
        .name = "IOAPIC",
        .read = ioapic_read,
        .write = ioapic_write,
};

static void power_on(struct ioapic_state *s, uint8_t id)
{
	memset(s, 0, sizeof(*s));
	s->version = STATE_VERSION;
	s->id = id;
	for (unsigned pin = 0; pin < IRQ_LINES; pin++) {
		s->entries[pin] = RTE_MASK;
	}
}

void ioapic_init(struct ioapic *io)
{
	memset(io, 0, sizeof(*io));
	power_on(&io->s, 0);
}

int ioapic_attach(struct ioapic *io, struct vm *vm, uint64_t base, uint8_t id)
{
	int err;

	io->vm = vm;
	io->initial_id = io->s.id = id & ID_MASK;
	io->range = (struct io_range){
	        .base = base, .len = WINDOW_SIZE, .ops = &mmio_ops, .dev = io, .kind = IO_FIXED};
	err = io_bus_add(&vm->mmio, &io->range);
	if (!err) {
		irq_router_set_ioapic(&vm->irq, &chip_ops, io);
	}
	return err;
}

void ioapic_reset(struct ioapic *io)
{
	spin_lock(&io->vm->irq.lock);
	power_on(&io->s, io->initial_id);
	spin_unlock(&io->vm->irq.lock);
}

void ioapic_dump(const struct ioapic *io, struct out *out)
{
	static const char *const delivery[8] = {
	        "fixed", "lowest", "SMI", "mode 3", "NMI", "INIT", "mode 6", "ExtINT"};
	unsigned open = 0;

	for (unsigned pin = 0; pin < IRQ_LINES; pin++) {
		open += io->s.entries[pin] & RTE_MASK ? 0 : 1;
	}
	out_print(out, "ID %u, IOREGSEL %02x, %u of %u entries open, lines %06x\n", io->s.id,
	        io->s.select, open, IRQ_LINES, io->s.lines);
	for (unsigned pin = 0; pin < IRQ_LINES; pin++) {
		uint64_t e = io->s.entries[pin];

		if (e == RTE_MASK) {
			continue; /* never touched */
		}
		out_print(out, "  pin %2u: %-6s vector %02x %-6s to %s %02x, %-5s active %s%s%s\n",
		        pin, e & RTE_MASK ? "masked" : "open", (unsigned)(e & RTE_VECTOR),
		        delivery[e >> RTE_DELIVERY_SHIFT & RTE_DELIVERY_MASK],
		        e & RTE_LOGICAL ? "logical" : "physical", (unsigned)(e >> RTE_DEST_SHIFT),
		        e & RTE_LEVEL ? "level" : "edge", e & RTE_LOW ? "low" : "high",
		        e & RTE_REMOTE_IRR ? ", in service (remote IRR)" : "",
		        io->s.lines >> pin & 1 ? ", line up" : "");
	}
}
