// SPDX-License-Identifier: BSD-2-Clause
// The machine as ACPI sees it: what is wired on the board and cannot be probed.
// Specs: [ACPI] "ACPI-Defined Devices and Device-Specific Objects"; [PCIFW] "ACPI Methods".
//
// Compiled by the C preprocessor (for the numbers) and iasl.
#include "devices/platform_map.h"

// The _PRT rows of one slot: pins A to D alternate between two wires.
#define PRT_SLOT(slot_address, a, b) \
	Package () { slot_address, 0, 0, a }, \
	Package () { slot_address, 1, 0, b }, \
	Package () { slot_address, 2, 0, a }, \
	Package () { slot_address, 3, 0, b }

DefinitionBlock ("", "DSDT", 2, "CANDEL", "GEN1", 1)
{
	Name (\_S5, Package () { PLAT_SLP_TYP_S5, PLAT_SLP_TYP_S5, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate () {
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, PLAT_PCI_CONFIG, PLAT_PCI_CONFIG, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0000, 0x0cf7, 0, 0x0cf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0d00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite,
					0, PLAT_VGA_BASE, PLAT_VGA_LAST, 0, PLAT_VGA_LEN)
				// Guest RAM below 4 GiB ends at 0xc0000000 at the latest.
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, PLAT_PCI_WINDOW, PLAT_PCI_WINDOW_LAST, 0,
					PLAT_PCI_WINDOW_LEN)
			})
			// The same wires reach the 8259s and the IOAPIC: one table for both.
			Name (_PRT, Package () {
				PRT_SLOT (0x0007ffff, PLAT_GSI_PCI_ODD, PLAT_GSI_PCI_EVEN),
				PRT_SLOT (0x0008ffff, PLAT_GSI_PCI_EVEN, PLAT_GSI_PCI_ODD),
				PRT_SLOT (0x000affff, PLAT_GSI_PCI_EVEN, PLAT_GSI_PCI_ODD)
			})

			// QEMU's firmware configuration: _STA says that no user need see it.
			Device (FWCF)
			{
				Name (_HID, "QEMU0002")
				Name (_STA, 0x0b)
				Name (_CRS, ResourceTemplate () {
					IO (Decode16, PLAT_FW_CFG, PLAT_FW_CFG, 1, PLAT_FW_CFG_LEN)
				})
			}

			Device (ISA)
			{
				Name (_ADR, 0x00070000)

				Device (PIC)
				{
					Name (_HID, EisaId ("PNP0000"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_PIC_MASTER, PLAT_PIC_MASTER, 1, 2)
						IO (Decode16, PLAT_PIC_SLAVE, PLAT_PIC_SLAVE, 1, 2)
						IO (Decode16, PLAT_PIC_ELCR, PLAT_PIC_ELCR, 1, 2)
						IRQNoFlags () { 2 }
					})
				}

				Device (TMR)
				{
					Name (_HID, EisaId ("PNP0100"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_PIT, PLAT_PIT, 1, 4)
						IRQNoFlags () { PLAT_ISA_IRQ_PIT }
					})
				}

				Device (RTC)
				{
					Name (_HID, EisaId ("PNP0B00"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_RTC, PLAT_RTC, 1, 2)
						IRQNoFlags () { PLAT_GSI_RTC }
					})
				}

				Device (SPKR)
				{
					Name (_HID, EisaId ("PNP0800"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_PORT61, PLAT_PORT61, 1, 1)
					})
				}

				Device (FPU)
				{
					Name (_HID, EisaId ("PNP0C04"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_FPU, PLAT_FPU, 1, 1)
						IRQNoFlags () { PLAT_GSI_FPU }
					})
				}

				Device (PS2K)
				{
					Name (_HID, EisaId ("PNP0303"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_I8042_DATA, PLAT_I8042_DATA, 1, 1)
						IO (Decode16, PLAT_I8042_CMD, PLAT_I8042_CMD, 1, 1)
						IRQNoFlags () { PLAT_GSI_KBD }
					})
				}

				// Its ports are the keyboard's.
				Device (PS2M)
				{
					Name (_HID, EisaId ("PNP0F03"))
					Name (_CID, EisaId ("PNP0F13"))
					Name (_CRS, ResourceTemplate () {
						IRQNoFlags () { PLAT_GSI_MOUSE }
					})
				}

				Device (COM1)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, 1)
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_COM1, PLAT_COM1, 1, 8)
						IRQNoFlags () { PLAT_GSI_COM1 }
					})
				}

				Device (COM2)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, 2)
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_COM2, PLAT_COM2, 1, 8)
						IRQNoFlags () { PLAT_GSI_COM2 }
					})
				}

				// Ports of the board that belong to no device above.
				Device (SYSR)
				{
					Name (_HID, EisaId ("PNP0C02"))
					Name (_CRS, ResourceTemplate () {
						IO (Decode16, PLAT_POST, PLAT_POST, 1, 16)
						IO (Decode16, PLAT_PORT92, PLAT_PORT92, 1, 1)
						IO (Decode16, PLAT_SMI_CMD, PLAT_SMI_CMD, 1, 2)
						IO (Decode16, PLAT_DEBUGCON, PLAT_DEBUGCON, 1, 1)
						IO (Decode16, PLAT_IODELAY, PLAT_IODELAY, 1, 1)
						IO (Decode16, PLAT_PM_BASE, PLAT_PM_BASE, 1, 0x40)
					})
				}
			}
		}
	}
}
