// SPDX-License-Identifier: BSD-2-Clause
// The 440BX host bridge without AGP: how a guest reaches configuration space, and 00:00.0.
// Specs: [440BX] "CONFADD - Configuration Address Register", "CONFDATA - Configuration Data
// Register", "PAM[6:0] - Programmable Attribute Map Registers"; [PCI] "Configuration Mechanism #1".
#include "devices/pci_host.h"
#include "vmm/lib/string.h"

#define CONFADD_ENABLE 0x80000000U
#define CONFADD_MASK 0x80fffffcU /* the rest is reserved and reads 0 */
#define HOST_PORTS 8U

enum host_reg {
	HOST_NBXCFG = 0x50,
	HOST_PAM0 = 0x59, /* seven bytes */
	HOST_SMRAM = 0x72,
};

static const struct pci_ids host_ids = {
        .vendor = 0x8086,
        .device = 0x7192, /* 82443BX, AGP disabled */
        .class_base = 0x06,
        .class_sub = 0x00,
        .revision = 0x03,
        .command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
        .command_mask = 0x0100, /* SERR# enable; memory and master are wired to 1 */
        .status = PCI_STATUS_DEVSEL_MEDIUM,
};

/*
 * Offset 0: CONFADD for dwords only; a byte at offset 1 is the reset register of the south
 * bridge; other narrow accesses to CONFADD's ports are plain I/O cycles that nobody answers.
 * Offsets 4-7: the data window, whose low two address bits select bytes of the dword.
 */
static uint64_t host_read(void *dev, uint64_t offset, unsigned width)
{
	struct pci_host *h = dev;
	uint32_t address;

	if (offset == 1 && width == 1) {
		return h->rst->read(h->rst_dev, 0, 1);
	}
	spin_lock(&h->lock);
	address = h->state.config_address;
	spin_unlock(&h->lock);
	if (offset == 0 && width == 4) {
		return address;
	}
	if (offset < 4 || !(address & CONFADD_ENABLE) || ((address >> 16) & 0xff) != 0) {
		return ~0ULL;
	}
	return pci_config_read(
	        h->bus, (uint8_t)(address >> 8), (address & 0xfc) + ((unsigned)offset & 3), width);
}

static void host_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct pci_host *h = dev;
	uint32_t address;

	if (offset == 1 && width == 1) {
		h->rst->write(h->rst_dev, 0, 1, value);
		return;
	}
	spin_lock(&h->lock);
	if (offset == 0 && width == 4) {
		h->state.config_address = (uint32_t)value & CONFADD_MASK;
	}
	address = h->state.config_address;
	spin_unlock(&h->lock);
	if (offset < 4 || !(address & CONFADD_ENABLE) || ((address >> 16) & 0xff) != 0) {
		return;
	}
	pci_config_write(h->bus, (uint8_t)(address >> 8), (address & 0xfc) + ((unsigned)offset & 3),
	        width, (uint32_t)value);
}

static const struct io_ops host_ops = {
        .name = "pci config",
        .read = host_read,
        .write = host_write,
};

void pci_host_init(struct pci_host *h)
{
	memset(h, 0, sizeof(*h));
	h->state.version = PCI_HOST_STATE_VERSION;
	pci_func_init(&h->func, &host_ids);
	pci_func_reg(&h->func, HOST_NBXCFG, 4, 0, 0xff00f0f8);
	/* Storage: memory from 0xc0000 to 1 MiB is RAM whatever these say. */
	for (unsigned i = 0; i < 7; i++) {
		pci_func_reg(&h->func, HOST_PAM0 + i, 1, 0, i == 0 ? 0x30 : 0x33);
	}
	pci_func_reg(&h->func, HOST_SMRAM, 1, 0x02, 0x78);
}

int pci_host_attach(struct pci_host *h, struct vm *vm, struct pci_bus *bus, uint16_t port,
        const struct io_ops *rst, void *rst_dev)
{
	int err;

	h->bus = bus;
	h->rst = rst;
	h->rst_dev = rst_dev;
	h->range = (struct io_range){
	        .base = port, .len = HOST_PORTS, .ops = &host_ops, .dev = h, .kind = IO_FIXED};
	err = pci_func_attach(&h->func, bus, 0, 0);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &h->range);
	if (err) {
		pci_func_detach(&h->func);
	}
	return err;
}

void pci_host_reset(struct pci_host *h)
{
	spin_lock(&h->lock);
	h->state.config_address = 0;
	spin_unlock(&h->lock);
}

void pci_host_dump(const struct pci_host *h, struct out *out)
{
	out_print(out, "CONFADD %08x\n", h->state.config_address);
}
