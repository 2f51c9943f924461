/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PIIX4 function 0: the PCI-to-ISA bridge.
 * Specs: [PIIX4] "PCI to ISA/EIO Bridge Register Descriptions (PCI Function 0)".
 */
#ifndef DEVICES_PIIX4_ISA_H
#define DEVICES_PIIX4_ISA_H

#include "devices/pci_bus.h"

struct piix4_isa {
	struct pci_func func;
};

void piix4_isa_init(struct piix4_isa *isa);
__must_check int piix4_isa_attach(struct piix4_isa *isa, struct pci_bus *bus, unsigned slot);

#endif
