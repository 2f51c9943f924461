/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0: functions with a type 0 configuration space and base address registers.
 *
 * A function's registers are bytes with a write mask each: what the mask does not name is
 * read-only. Base addresses, while the command register lets them decode, are movable ranges of
 * the VM's buses.
 *
 * Specs: [PCI] "Configuration Space", "Base Addresses", "Device Control".
 */
#ifndef DEVICES_PCI_BUS_H
#define DEVICES_PCI_BUS_H

#include "devices/device.h"

#define PCI_CONFIG_LEN 256U
#define PCI_MAX_BARS 6U
#define PCI_MAX_DEVFN 256U
#define PCI_DEVFN(slot, fn) ((uint8_t)(((slot) << 3) | (fn)))

/* Offsets in configuration space. */
enum pci_reg {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS_PROG = 0x09,
	PCI_CLASS_SUB = 0x0a,
	PCI_CLASS_BASE = 0x0b,
	PCI_CACHE_LINE = 0x0c,
	PCI_LATENCY = 0x0d,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYS_VENDOR = 0x2c,
	PCI_SUBSYS = 0x2e,
	PCI_INT_LINE = 0x3c,
	PCI_INT_PIN = 0x3d,
};

#define PCI_COMMAND_IO 0x0001U
#define PCI_COMMAND_MEMORY 0x0002U
#define PCI_COMMAND_MASTER 0x0004U
#define PCI_COMMAND_INTX_OFF 0x0400U
#define PCI_STATUS_FAST_B2B 0x0080U
#define PCI_STATUS_DEVSEL_MEDIUM 0x0200U
#define PCI_HEADER_MULTI 0x80U

struct pci_ids {
	uint16_t vendor, device;
	uint16_t subsys_vendor, subsys;
	uint8_t class_base, class_sub, class_prog, revision;
	uint8_t header_type;
	uint8_t int_pin;  /* 0 = none, 1 = INTA */
	uint16_t command; /* at power-on */
	uint16_t command_mask;
	uint16_t status;
};

enum pci_bar_kind { PCI_BAR_IO, PCI_BAR_MEM };

struct pci_bar {
	enum pci_bar_kind kind; /* (c) */
	uint32_t len;           /* (c) bytes, a power of two; 0 = absent */
	struct io_range range;
};

struct pci_func {
	uint8_t config[PCI_CONFIG_LEN];   /* [bus lock] */
	uint8_t power_on[PCI_CONFIG_LEN]; /* (c) contents after reset */
	uint8_t wmask[PCI_CONFIG_LEN];    /* (c) bits a guest changes */
	uint8_t w1c[PCI_CONFIG_LEN];      /* (c) bits a guest clears by writing 1 */
	struct pci_bar bars[PCI_MAX_BARS];
	/*
	 * (c) may be NULL: a guest wrote len bytes at offset, or (offset 0, len 256) the function
	 * was reset. Called with the bus lock held: read f->config, take the device's lock, call
	 * nothing of pci_bus.
	 */
	void (*written)(void *dev, const struct pci_func *f, unsigned offset, unsigned len);
	void *dev;           /* (c) of written */
	struct pci_bus *bus; /* (c) NULL = not attached */
	uint8_t devfn;       /* (c) */
};

struct pci_bus {
	struct vm *vm;                         /* (c) */
	struct spinlock lock;                  /* configuration space of all functions */
	struct pci_func *funcs[PCI_MAX_DEVFN]; /* (c) after attach */
};

void pci_bus_init(struct pci_bus *bus, struct vm *vm);
/* Every function to its power-on contents. */
void pci_bus_reset(struct pci_bus *bus);

/* Identity, command and status, latency, interrupt line; everything else 0 and read-only. */
void pci_func_init(struct pci_func *f, const struct pci_ids *ids);
/* Before attach: power-on contents and writable bits of a 1, 2 or 4 byte register. */
void pci_func_reg(
        struct pci_func *f, unsigned offset, unsigned width, uint32_t power_on, uint32_t wmask);
/* Before attach: a base address register; len is a power of two, 4..2^31 (I/O: up to 256). */
void pci_func_bar(struct pci_func *f, unsigned index, enum pci_bar_kind kind, uint32_t len,
        const struct io_ops *ops, void *dev);
/* -EEXIST when the slot is taken, -ENOSPC when a bus has no room for a BAR. */
__must_check int pci_func_attach(
        struct pci_func *f, struct pci_bus *bus, unsigned slot, unsigned fn);
void pci_func_detach(struct pci_func *f);

/*
 * One configuration access on bus 0, width 1, 2 or 4, not crossing a dword: absent functions
 * read all ones.
 */
uint32_t pci_config_read(struct pci_bus *bus, uint8_t devfn, unsigned offset, unsigned width);
void pci_config_write(
        struct pci_bus *bus, uint8_t devfn, unsigned offset, unsigned width, uint32_t value);
void pci_bus_dump(const struct pci_bus *bus, struct out *out);

/* For 'written' and tests: a little-endian register of f->config. */
uint32_t pci_func_get(const struct pci_func *f, unsigned offset, unsigned width);

#endif
