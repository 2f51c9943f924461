// SPDX-License-Identifier: BSD-2-Clause
// PCI bus 0: configuration space of its functions and the decoding of their base addresses.
// Specs: [PCI] "Configuration Space Decoding", "Device Control", "Device Status", "Base Addresses".
#include "devices/pci_bus.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define BAR_IO_FLAG 0x1U
#define BAR_IO_MASK 0xfffffffcU
#define BAR_MEM_MASK 0xfffffff0U
/* Error bits of the status register that a guest clears with ones. */
#define STATUS_W1C 0xf9U /* high byte: parity, signalled errors, aborts, master parity */

static uint32_t get_le(const uint8_t *p, unsigned width)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < width; i++) {
		v |= (uint32_t)p[i] << (8 * i);
	}
	return v;
}

static void put_le(uint8_t *p, unsigned width, uint32_t v)
{
	for (unsigned i = 0; i < width; i++) {
		p[i] = (uint8_t)(v >> (8 * i));
	}
}

uint32_t pci_func_get(const struct pci_func *f, unsigned offset, unsigned width)
{
	BUG_ON(offset + width > PCI_CONFIG_LEN);
	return get_le(f->config + offset, width);
}

void pci_bus_init(struct pci_bus *bus, struct vm *vm)
{
	memset(bus, 0, sizeof(*bus));
	bus->vm = vm;
}

void pci_func_reg(
        struct pci_func *f, unsigned offset, unsigned width, uint32_t power_on, uint32_t wmask)
{
	BUG_ON(f->bus || offset + width > PCI_CONFIG_LEN);
	put_le(f->power_on + offset, width, power_on);
	put_le(f->config + offset, width, power_on);
	put_le(f->wmask + offset, width, wmask);
}

void pci_func_init(struct pci_func *f, const struct pci_ids *ids)
{
	memset(f, 0, sizeof(*f));
	pci_func_reg(f, PCI_VENDOR, 2, ids->vendor, 0);
	pci_func_reg(f, PCI_DEVICE, 2, ids->device, 0);
	pci_func_reg(f, PCI_COMMAND, 2, ids->command, ids->command_mask);
	pci_func_reg(f, PCI_STATUS, 2, ids->status, 0);
	f->w1c[PCI_STATUS + 1] = STATUS_W1C;
	pci_func_reg(f, PCI_REVISION, 1, ids->revision, 0);
	pci_func_reg(f, PCI_CLASS_PROG, 1, ids->class_prog, 0);
	pci_func_reg(f, PCI_CLASS_SUB, 1, ids->class_sub, 0);
	pci_func_reg(f, PCI_CLASS_BASE, 1, ids->class_base, 0);
	pci_func_reg(f, PCI_LATENCY, 1, 0, ids->command_mask & PCI_COMMAND_MASTER ? 0xf8 : 0);
	pci_func_reg(f, PCI_HEADER_TYPE, 1, ids->header_type, 0);
	pci_func_reg(f, PCI_SUBSYS_VENDOR, 2, ids->subsys_vendor, 0);
	pci_func_reg(f, PCI_SUBSYS, 2, ids->subsys, 0);
	pci_func_reg(f, PCI_INT_LINE, 1, 0, ids->int_pin ? 0xff : 0);
	pci_func_reg(f, PCI_INT_PIN, 1, ids->int_pin, 0);
}

void pci_func_bar(struct pci_func *f, unsigned index, enum pci_bar_kind kind, uint32_t len,
        const struct io_ops *ops, void *dev)
{
	struct pci_bar *bar;
	uint32_t flag = kind == PCI_BAR_IO ? BAR_IO_FLAG : 0;
	uint32_t bits = kind == PCI_BAR_IO ? BAR_IO_MASK : BAR_MEM_MASK;

	BUG_ON(index >= PCI_MAX_BARS || !is_pow2(len) || (len - 1) & bits & 0xc0000000U);
	BUG_ON(kind == PCI_BAR_IO ? len < 4 || len > 256 : len < 16);
	bar = &f->bars[index];
	bar->kind = kind;
	bar->len = len;
	bar->range = (struct io_range){.len = len, .ops = ops, .dev = dev, .kind = IO_MOVABLE};
	pci_func_reg(f, PCI_BAR0 + 4 * index, 4, flag, bits & ~(len - 1));
}

static struct io_bus *bar_bus(const struct pci_func *f, const struct pci_bar *bar)
{
	return bar->kind == PCI_BAR_IO ? &f->bus->vm->pio : &f->bus->vm->mmio;
}

/* Make the buses see what the base addresses and the command register say. */
static void bars_update(struct pci_func *f)
{
	uint32_t command = pci_func_get(f, PCI_COMMAND, 2);

	for (unsigned i = 0; i < PCI_MAX_BARS; i++) {
		struct pci_bar *bar = &f->bars[i];
		uint32_t value = pci_func_get(f, PCI_BAR0 + 4 * i, 4);
		uint32_t base;
		bool on;

		if (!bar->len) {
			continue;
		}
		if (bar->kind == PCI_BAR_IO) {
			base = value & BAR_IO_MASK;
			on = command & PCI_COMMAND_IO;
		} else {
			base = value & BAR_MEM_MASK;
			on = command & PCI_COMMAND_MEMORY;
		}
		/* Base 0 is "not assigned": nothing decodes there. */
		on = on && base != 0;
		if (bar->range.base != base || bar->range.enabled != on) {
			io_bus_move(bar_bus(f, bar), &bar->range, base, on);
		}
	}
}

static void bars_remove(struct pci_func *f, unsigned n)
{
	while (n-- > 0) {
		if (f->bars[n].len) {
			io_bus_remove(bar_bus(f, &f->bars[n]), &f->bars[n].range);
		}
	}
}

int pci_func_attach(struct pci_func *f, struct pci_bus *bus, unsigned slot, unsigned fn)
{
	int err;

	BUG_ON(f->bus || slot > 31 || fn > 7);
	if (bus->funcs[PCI_DEVFN(slot, fn)]) {
		return -EEXIST;
	}
	f->bus = bus;
	f->devfn = PCI_DEVFN(slot, fn);
	for (unsigned i = 0; i < PCI_MAX_BARS; i++) {
		if (!f->bars[i].len) {
			continue;
		}
		err = io_bus_add(bar_bus(f, &f->bars[i]), &f->bars[i].range);
		if (err) {
			bars_remove(f, i);
			f->bus = NULL;
			return err;
		}
	}
	spin_lock(&bus->lock);
	bus->funcs[f->devfn] = f;
	bars_update(f);
	spin_unlock(&bus->lock);
	return 0;
}

void pci_func_detach(struct pci_func *f)
{
	struct pci_bus *bus = f->bus;

	if (!bus) {
		return;
	}
	spin_lock(&bus->lock);
	bus->funcs[f->devfn] = NULL;
	spin_unlock(&bus->lock);
	bars_remove(f, PCI_MAX_BARS);
	f->bus = NULL;
}

void pci_bus_reset(struct pci_bus *bus)
{
	spin_lock(&bus->lock);
	for (unsigned i = 0; i < PCI_MAX_DEVFN; i++) {
		struct pci_func *f = bus->funcs[i];

		if (!f) {
			continue;
		}
		memcpy(f->config, f->power_on, sizeof(f->config));
		bars_update(f);
		if (f->written) {
			f->written(f->dev, f, 0, PCI_CONFIG_LEN);
		}
	}
	spin_unlock(&bus->lock);
}

static bool access_ok(unsigned offset, unsigned width)
{
	return (width == 1 || width == 2 || width == 4) && offset < PCI_CONFIG_LEN &&
	       (offset & 3) + width <= 4;
}

uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, unsigned offset, unsigned width)
{
	uint32_t value = (uint32_t)width_mask(width);

	if (!access_ok(offset, width)) {
		return value;
	}
	spin_lock(&bus->lock);
	if (bus->funcs[devfn]) {
		value = get_le(bus->funcs[devfn]->config + offset, width);
	}
	spin_unlock(&bus->lock);
	return value;
}

void pci_config_write(
        struct pci_bus *bus, uint8_t devfn, unsigned offset, unsigned width, uint32_t value)
{
	struct pci_func *f;

	if (!access_ok(offset, width)) {
		return;
	}
	spin_lock(&bus->lock);
	f = bus->funcs[devfn];
	if (f) {
		for (unsigned i = 0; i < width; i++) {
			unsigned at = offset + i;
			uint8_t in = (uint8_t)(value >> (8 * i));
			uint8_t old = f->config[at];

			old = (uint8_t)((old & ~f->wmask[at]) | (in & f->wmask[at]));
			f->config[at] = (uint8_t)(old & ~(in & f->w1c[at]));
		}
		bars_update(f);
		if (f->written) {
			f->written(f->dev, f, offset, width);
		}
	}
	spin_unlock(&bus->lock);
}

void pci_bus_dump(const struct pci_bus *bus, struct out *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PCI_MAX_DEVFN; i++) {
		n += bus->funcs[i] ? 1 : 0;
	}
	out_print(out, "%u functions\n", n);
	for (unsigned i = 0; i < PCI_MAX_DEVFN; i++) {
		const struct pci_func *f = bus->funcs[i];

		if (!f) {
			continue;
		}
		out_print(out,
		        "  00:%02x.%u %04x:%04x class %02x%02x%02x command %04x status %04x irq "
		        "line %u\n",
		        i >> 3, i & 7, pci_func_get(f, PCI_VENDOR, 2),
		        pci_func_get(f, PCI_DEVICE, 2), pci_func_get(f, PCI_CLASS_BASE, 1),
		        pci_func_get(f, PCI_CLASS_SUB, 1), pci_func_get(f, PCI_CLASS_PROG, 1),
		        pci_func_get(f, PCI_COMMAND, 2), pci_func_get(f, PCI_STATUS, 2),
		        f->config[PCI_INT_LINE]);
		for (unsigned b = 0; b < PCI_MAX_BARS; b++) {
			if (f->bars[b].len) {
				out_print(out, "    bar %u: %08x, %u bytes%s\n", b,
				        pci_func_get(f, PCI_BAR0 + 4 * b, 4), f->bars[b].len,
				        f->bars[b].range.enabled ? "" : ", off");
			}
		}
	}
}
