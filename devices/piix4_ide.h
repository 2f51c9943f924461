/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PIIX4 function 1: the IDE controller, two channels in compatibility mode with a bus master each.
 * Specs: [PIIX4] "IDE Controller Register Descriptions (PCI Function 1)"; [BMIDE].
 */
#ifndef DEVICES_PIIX4_IDE_H
#define DEVICES_PIIX4_IDE_H

#include "devices/ide.h"
#include "devices/pci_bus.h"

#define PIIX4_IDE_CHANNELS 2U
#define PIIX4_IDE_MAX_DRIVES (PIIX4_IDE_CHANNELS * IDE_DRIVES)

struct piix4_ide {
	struct pci_func func;
	struct ide_channel channels[PIIX4_IDE_CHANNELS];
	uint32_t n_drives; /* (c) once attached */
};

/* Where the channels are: command and control block, line. */
struct piix4_ide_map {
	struct {
		uint16_t command, control;
		uint8_t gsi;
	} channels[PIIX4_IDE_CHANNELS];
	uint16_t bm; /* at power-on, as firmware would leave it; a multiple of 16 */
};

void piix4_ide_init(struct piix4_ide *ide);
/* Where *ide lies in host memory, for backends that do not move data by the processor. */
void piix4_ide_place(struct piix4_ide *ide, hpa_t self);
/*
 * The next drive: master and slave of the primary, then of the secondary channel. Before the VM
 * starts; *blk lives as long. -ENOSPC for a fifth, -EINVAL for blocks that IDE has not (512 bytes,
 * of a CD-ROM 2048).
 */
__must_check int piix4_ide_add(struct piix4_ide *ide, struct blk *blk);
__must_check int piix4_ide_attach(struct piix4_ide *ide, struct vm *vm, struct pci_bus *bus,
        unsigned slot, const struct piix4_ide_map *map);
/* After pci_bus_reset(). */
void piix4_ide_reset(struct piix4_ide *ide);
void piix4_ide_quiesce(struct piix4_ide *ide);
void piix4_ide_dump(const struct piix4_ide *ide, struct out *out);

#endif
