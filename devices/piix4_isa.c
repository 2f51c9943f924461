// SPDX-License-Identifier: BSD-2-Clause
// PIIX4 function 0: configuration space of the PCI-to-ISA bridge.
// Specs: [PIIX4] "PCI to ISA/EIO Bridge Register Descriptions (PCI Function 0)".
#include "devices/piix4_isa.h"

/* Registers that software reads back; none of them changes what the machine does. */
static const struct {
	uint8_t offset, width;
	uint32_t power_on, wmask;
} isa_regs[] = {
        {0x4c, 1, 0x4d, 0xff},             /* IORT */
        {0x4e, 2, 0x0003, 0x07ff},         /* XBCS */
        {0x60, 1, 0x80, 0x8f},             /* PIRQRCA: interrupts are routed by ACPI's _PRT */
        {0x61, 1, 0x80, 0x8f},             /* PIRQRCB */
        {0x62, 1, 0x80, 0x8f},             /* PIRQRCC */
        {0x63, 1, 0x80, 0x8f},             /* PIRQRCD */
        {0x64, 1, 0x10, 0xd0},             /* SERIRQC */
        {0x69, 1, 0x02, 0xfa},             /* TOM */
        {0x82, 1, 0x00, 0x0f},             /* DLC */
        {0xb0, 4, 0x00000000, 0xf3f7fff5}, /* GENCFG */
        {0xcb, 1, 0x21, 0x3d},             /* RTCCFG */
};

static const struct pci_ids isa_ids = {
        .vendor = 0x8086,
        .device = 0x7110,
        .class_base = 0x06,
        .class_sub = 0x01,
        .revision = 0x01,
        .header_type = PCI_HEADER_MULTI,
        .command = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
        .command_mask = 0x0108, /* SERR#, special cycles; the rest is wired to 1 */
        .status = PCI_STATUS_DEVSEL_MEDIUM | PCI_STATUS_FAST_B2B,
};

void piix4_isa_init(struct piix4_isa *isa)
{
	pci_func_init(&isa->func, &isa_ids);
	for (unsigned i = 0; i < ARRAY_SIZE(isa_regs); i++) {
		pci_func_reg(&isa->func, isa_regs[i].offset, isa_regs[i].width,
		        isa_regs[i].power_on, isa_regs[i].wmask);
	}
}

int piix4_isa_attach(struct piix4_isa *isa, struct pci_bus *bus, unsigned slot)
{
	return pci_func_attach(&isa->func, bus, slot, 0);
}
