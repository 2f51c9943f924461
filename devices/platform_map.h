/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports, addresses and interrupts of the machine: for platform.c and dsdt.asl, nobody else.
 * Plain numbers only, for both the C compiler and iasl read this. docs/hardware.md explains it.
 */
#ifndef DEVICES_PLATFORM_MAP_H
#define DEVICES_PLATFORM_MAP_H

#define PLAT_PIC_MASTER 0x20
#define PLAT_PIC_SLAVE 0xa0
#define PLAT_PIC_ELCR 0x4d0
#define PLAT_PIT 0x40
#define PLAT_I8042_DATA 0x60
#define PLAT_PORT61 0x61
#define PLAT_I8042_CMD 0x64
#define PLAT_RTC 0x70
#define PLAT_POST 0x80 /* 16 ports: POST code and DMA pages; nothing behind them */
#define PLAT_PORT92 0x92
#define PLAT_SMI_CMD 0xb2
#define PLAT_TESTDEV_REG 0xe0 /* these with testdev = on, in place of the debug port */
#define PLAT_TESTDEV_FLUSH 0xe4
#define PLAT_TESTDEV_REG_BYTES 0xe8
#define PLAT_TESTDEV_EXIT 0xf4
#define PLAT_TESTDEV_LINES 0x2000
#define PLAT_TESTDEV_MEM 0xff000000
#define PLAT_DEBUGCON 0xe9
#define PLAT_IODELAY 0xed
#define PLAT_FPU 0xf0
#define PLAT_IDE1 0x1f0 /* the primary channel's command and control block */
#define PLAT_IDE1_CTL 0x3f6
#define PLAT_IDE2 0x170
#define PLAT_IDE2_CTL 0x376
#define PLAT_IDE_BM 0xffa0 /* bus master, 16 ports; movable */
#define PLAT_COM1 0x3f8
#define PLAT_COM2 0x2f8
#define PLAT_PM_BASE 0x400
#define PLAT_FW_CFG 0x510
#define PLAT_FW_CFG_LEN 12 /* selector, data; the command address from 0x514 on */
#define PLAT_PCI_CONFIG 0xcf8
#define PLAT_RESET_CONTROL 0xcf9

#define PLAT_IOAPIC_BASE 0xfec00000
#define PLAT_LAPIC_BASE 0xfee00000
#define PLAT_VGA_BASE 0x000a0000
#define PLAT_VGA_LAST 0x000bffff
#define PLAT_VGA_LEN 0x00020000
#define PLAT_VMBUS_WINDOW 0xd0000000 /* for devices on the VMBus; none answers yet */
#define PLAT_VMBUS_WINDOW_LAST 0xdfffffff
#define PLAT_VMBUS_WINDOW_LEN 0x10000000
#define PLAT_PCI_WINDOW 0xe0000000
#define PLAT_PCI_WINDOW_LAST 0xfebfffff
#define PLAT_PCI_WINDOW_LEN 0x1ec00000

/* ISA numbers where they differ from the GSI. */
#define PLAT_ISA_IRQ_PIT 0
#define PLAT_GSI_PIT 2
#define PLAT_GSI_KBD 1
#define PLAT_GSI_COM1 4
#define PLAT_GSI_COM2 3
#define PLAT_GSI_RTC 8
#define PLAT_GSI_SCI 9
#define PLAT_GSI_MOUSE 12
#define PLAT_GSI_FPU 13
#define PLAT_GSI_IDE1 14
#define PLAT_GSI_IDE2 15
/* INTA of an even slot, INTB of an odd one, and so on; the others. Wired, not routed. */
#define PLAT_GSI_PCI_EVEN 11
#define PLAT_GSI_PCI_ODD 10

#define PLAT_SLOT_SOUTH 7 /* PIIX4: .0 ISA bridge, .1 IDE, .3 ACPI */
#define PLAT_SLOT_VGA 8
#define PLAT_SLOT_NIC 10

#define PLAT_CENTURY 0x32
#define PLAT_SLP_TYP_S5 0

#endif
