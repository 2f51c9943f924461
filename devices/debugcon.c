// SPDX-License-Identifier: BSD-2-Clause
// The debug port of emulators (0xE9), a line at a time into the log.
// Specs: [Bochs] "port_e9_hack".
#include "devices/debugcon.h"
#include "vmm/lib/string.h"

#define DEBUGCON_MAGIC 0xe9U

static void flush_locked(struct debugcon *d)
{
	if (d->used == 0) {
		return;
	}
	d->line[d->used] = '\0';
	d->used = 0;
	/* Rate-limited by vm_log(); a guest cannot flood the host. */
	vm_log(d->vm, LOG_INFO, "debug port: %s", d->line);
}

static uint64_t debugcon_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)offset;
	(void)width;
	return DEBUGCON_MAGIC;
}

static void debugcon_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct debugcon *d = dev;
	char c = (char)(value & 0x7f);

	(void)offset;
	(void)width;
	spin_lock(&d->lock);
	if (c == '\n') {
		flush_locked(d);
	} else if (c != '\r') {
		/* Nothing that could steer a terminal. */
		d->line[d->used++] = c < ' ' || c == 0x7f || (value & 0x80) ? '.' : c;
		if (d->used == DEBUGCON_LINE) {
			flush_locked(d);
		}
	}
	spin_unlock(&d->lock);
}

static const struct io_ops debugcon_ops = {
        .name = "debug port",
        .read = debugcon_read,
        .write = debugcon_write,
};

void debugcon_init(struct debugcon *d)
{
	memset(d, 0, sizeof(*d));
}

int debugcon_attach(struct debugcon *d, struct vm *vm, uint16_t port)
{
	d->vm = vm;
	d->range = (struct io_range){
	        .base = port, .len = 1, .ops = &debugcon_ops, .dev = d, .kind = IO_FIXED};
	return io_bus_add(&vm->pio, &d->range);
}

void debugcon_reset(struct debugcon *d)
{
	spin_lock(&d->lock);
	flush_locked(d);
	spin_unlock(&d->lock);
}

void debugcon_dump(const struct debugcon *d, struct out *out)
{
	out_print(out, "%u bytes of an unfinished line\n", d->used);
}
