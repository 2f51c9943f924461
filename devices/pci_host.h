/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 440BX host bridge: configuration mechanism 1 and function 00:00.0.
 * Specs: [440BX] "PCI Configuration Space Access", "Register Description".
 */
#ifndef DEVICES_PCI_HOST_H
#define DEVICES_PCI_HOST_H

#include "devices/pci_bus.h"

struct pci_host_state {
	uint32_t version;
	uint32_t config_address; /* [lock] CONFADD */
};
#define PCI_HOST_STATE_VERSION 1U

struct pci_host {
	struct pci_host_state state;
	struct spinlock lock;
	struct pci_bus *bus;      /* (c) */
	const struct io_ops *rst; /* (c) byte accesses at base + 1: the reset register */
	void *rst_dev;            /* (c) */
	struct io_range range;
	struct pci_func func;
};

void pci_host_init(struct pci_host *h);
/* port: CONFADD (8 ports are taken); rst answers byte accesses to port + 1, offset 0. */
__must_check int pci_host_attach(struct pci_host *h, struct vm *vm, struct pci_bus *bus,
        uint16_t port, const struct io_ops *rst, void *rst_dev);
/* CONFADD only: pci_bus_reset() has the function. */
void pci_host_reset(struct pci_host *h);
void pci_host_dump(const struct pci_host *h, struct out *out);

#endif
