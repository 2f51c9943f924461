/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generation 1 machine: every emulated device of a VM, by value, and how they are wired.
 * docs/hardware.md is its specification.
 */
#ifndef DEVICES_PLATFORM_H
#define DEVICES_PLATFORM_H

#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i8042.h"
#include "devices/ioapic.h"
#include "devices/pci_host.h"
#include "devices/pic8259.h"
#include "devices/piix4_ide.h"
#include "devices/piix4_isa.h"
#include "devices/piix4_pm.h"
#include "devices/pit8254.h"
#include "devices/reset_ports.h"
#include "devices/rtc_cmos.h"
#include "devices/testdev.h"
#include "devices/uart16550.h"

struct platform {
	struct vm *vm; /* (c) */
	struct pic8259 pic;
	struct ioapic ioapic;
	struct pit8254 pit;
	struct rtc_cmos rtc;
	struct uart16550 com1, com2;
	struct i8042 kbc;
	struct reset_ports reset_ports;
	struct debugcon debugcon;
	struct pci_bus pci;
	struct pci_host host;
	struct piix4_isa isa;
	struct piix4_ide ide; /* piix4_ide_add() before the VM starts: its drives */
	struct piix4_pm pm;
	struct fw_cfg fw_cfg;
	struct testdev *testdev;       /* (c) NULL = absent */
	struct io_range post, iodelay; /* ports that only have to exist */
};

void platform_init(struct platform *p);
/* Before the attach, for testdev = on: *t, which lives as long, joins the machine. */
void platform_add_testdev(struct platform *p, struct testdev *t);
/*
 * Build the machine of an empty VM and become its vm->platform. com1: where COM1's bytes go (NULL
 * = nowhere); wall_seconds: time of day now. On failure the VM is as empty as before.
 */
__must_check int platform_attach(
        struct platform *p, struct vm *vm, struct chr *com1, uint64_t wall_seconds);
/*
 * vm_platform_ops.dump (platform_dump.c). A device that is added here gets a row there.
 */
bool platform_dump(struct vm *vm, const char *name, struct out *out);

#endif
