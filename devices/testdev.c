// SPDX-License-Identifier: BSD-2-Clause
// Devices for test kernels: debug exit, a register, page flush, interrupt lines, device memory.
// Specs: [QEMU] "isa-debug-exit", "pc-testdev".
#include "devices/testdev.h"
#include "vmm/cpu_virt.h"
#include "vmm/lib/string.h"
#include "vmm/stats.h"

/* --- the register: bytes that read as they were written, at any width --- */

static uint64_t reg_read(void *dev, uint64_t offset, unsigned width)
{
	struct testdev *t = dev;
	uint64_t value;

	(void)width; /* the bus masks the result, and no access leaves the range */
	spin_lock(&t->lock);
	value = t->s.reg >> (8 * offset);
	spin_unlock(&t->lock);
	return value;
}

static void reg_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct testdev *t = dev;
	uint64_t mask = width_mask(width) << (8 * offset);

	spin_lock(&t->lock);
	t->s.reg = (uint32_t)((t->s.reg & ~mask) | ((value << (8 * offset)) & mask));
	spin_unlock(&t->lock);
}

static const struct io_ops reg_ops = {
        .name = "test register",
        .read = reg_read,
        .write = reg_write,
};

/*
 * What a host process does to its memory and the hypervisor below it notices: the page's mapping
 * goes and comes back. RAM stays mapped here, so what is left of it is the flush.
 */
static void flush_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct testdev *t = dev;

	(void)width;
	if (offset == 0 && gmem_is_ram(&t->vm->mem, gpa(value), 1)) {
		cpu_virt->flush_nested(t->vm);
	}
}

static const struct io_ops flush_ops = {
        .name = "test page flush",
        .write = flush_write,
};

/* --- interrupt lines: each byte is a line, its value the level --- */

static uint64_t lines_read(void *dev, uint64_t offset, unsigned width)
{
	struct testdev *t = dev;
	uint64_t value = 0;

	spin_lock(&t->lock);
	for (unsigned i = 0; i < width; i++) {
		value |= (uint64_t)(t->s.lines >> (offset + i) & 1) << (8 * i);
	}
	spin_unlock(&t->lock);
	return value;
}

static void lines_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct testdev *t = dev;

	spin_lock(&t->lock);
	for (unsigned i = 0; i < width; i++) {
		bool level = (value >> (8 * i) & 0xff) != 0;
		uint32_t line = BIT(offset + i);

		t->s.lines = level ? t->s.lines | line : t->s.lines & ~line;
		irq_source_set(&t->sources[offset + i], level);
	}
	spin_unlock(&t->lock);
}

static const struct io_ops lines_ops = {
        .name = "test interrupt lines",
        .read = lines_read,
        .write = lines_write,
};

/* --- debug exit --- */

/* QEMU reads 0; here a benchmark learns what an operation cost. */
static uint64_t exit_read(void *dev, uint64_t offset, unsigned width)
{
	const struct testdev *t = dev;

	(void)width; /* the bus masks the result */
	return (uint32_t)stats_exits(t->vm) >> (8 * offset);
}

static void exit_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct testdev *t = dev;

	(void)offset;
	vm_debug_exit(t->vm, (uint32_t)(value & width_mask(width)));
}

static const struct io_ops exit_ops = {
        .name = "debug exit",
        .read = exit_read,
        .write = exit_write,
};

/* --- memory of a device: every access exits --- */

static uint64_t mem_read(void *dev, uint64_t offset, unsigned width)
{
	struct testdev *t = dev;
	uint64_t value = 0;

	spin_lock(&t->lock);
	memcpy(&value, &t->s.mem[offset], width);
	spin_unlock(&t->lock);
	return value;
}

static void mem_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct testdev *t = dev;

	spin_lock(&t->lock);
	memcpy(&t->s.mem[offset], &value, width);
	spin_unlock(&t->lock);
}

static const struct io_ops mem_ops = {
        .name = "test memory",
        .read = mem_read,
        .write = mem_write,
};

/* --- the device's life --- */

void testdev_init(struct testdev *t)
{
	memset(t, 0, sizeof(*t));
	t->s.version = TESTDEV_STATE_VERSION;
}

static void place(struct testdev *t, struct io_range *range, uint64_t base, uint64_t len,
        const struct io_ops *ops)
{
	*range =
	        (struct io_range){.base = base, .len = len, .ops = ops, .dev = t, .kind = IO_FIXED};
}

int testdev_attach(struct testdev *t, struct vm *vm, const struct testdev_map *map)
{
	struct io_range *ports[] = {&t->reg, &t->flush, &t->reg_bytes, &t->lines, &t->exit};
	unsigned n;
	int err = 0;

	t->vm = vm;
	place(t, &t->reg, map->reg, TESTDEV_REG_PORTS, &reg_ops);
	place(t, &t->flush, map->flush, TESTDEV_REG_PORTS, &flush_ops);
	place(t, &t->reg_bytes, map->reg_bytes, TESTDEV_REG_PORTS, &reg_ops);
	place(t, &t->lines, map->lines, IRQ_LINES, &lines_ops);
	place(t, &t->exit, map->exit, TESTDEV_EXIT_PORTS, &exit_ops);
	place(t, &t->mem, map->mem, TESTDEV_MEM, &mem_ops);
	for (unsigned gsi = 0; gsi < IRQ_LINES && !err; gsi++) {
		err = irq_source_init(&t->sources[gsi], &vm->irq, gsi, NULL, NULL);
	}
	if (err) {
		return err; /* a source that is never set is no source */
	}
	for (n = 0; n < ARRAY_SIZE(ports); n++) {
		err = io_bus_add(&vm->pio, ports[n]);
		if (err) {
			goto out;
		}
	}
	err = io_bus_add(&vm->mmio, &t->mem);
	if (err) {
		goto out;
	}
	return 0;
out:
	while (n > 0) {
		io_bus_remove(&vm->pio, ports[--n]);
	}
	return err;
}

/* The lines are low already: the interrupt router is reset before the devices. */
void testdev_reset(struct testdev *t)
{
	spin_lock(&t->lock);
	memset(&t->s, 0, sizeof(t->s));
	t->s.version = TESTDEV_STATE_VERSION;
	spin_unlock(&t->lock);
}

void testdev_dump(const struct testdev *t, struct out *out)
{
	out_print(out, "register %08x, lines %06x\n", t->s.reg, t->s.lines);
}
