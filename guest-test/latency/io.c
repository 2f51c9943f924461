// SPDX-License-Identifier: BSD-2-Clause
// Ports and MMIO: emulated chips, and addresses where nothing is.
#include "guest-test/latency/bench.h"

#define PIC_DATA 0x21
#define PIT_COUNTER0 0x40
#define PORT_POST 0x80
#define PORT_NONE 0x700
#define COM1_LSR 0x3fd
#define COM1_SCRATCH 0x3ff
#define MMIO_NONE 0xf0000000ULL /* in the PCI window, below anything a firmware places there */

static uint16_t pm_timer;

SAMPLE(in_pic, inb(PIC_DATA))
SAMPLE(in_pit, inb(PIT_COUNTER0))
SAMPLE(in_pm_timer, inl(pm_timer))
SAMPLE(in_uart, inb(COM1_LSR))
SAMPLE(in_none, inb(PORT_NONE))
SAMPLE(out_pic, outb(PIC_DATA, 0xff))
SAMPLE(out_uart, outb(COM1_SCRATCH, 0x5a))
SAMPLE(out_none, outb(PORT_POST, 0))
SAMPLE(ioapic, ioapic_read(1))
SAMPLE(mmio_none, mmio_r32(MMIO_NONE))

static const char *setup_pm_timer(void)
{
	pm_timer = (uint16_t)(pm_base() + 8);
	return pm_base() ? NULL : "no PIIX4 power-management function";
}

static const struct bench rows[] = {
        {"in-pic", NULL, sample_in_pic, NULL},
        {"in-pit", NULL, sample_in_pit, NULL},
        {"in-pm-timer", setup_pm_timer, sample_in_pm_timer, NULL},
        {"in-uart-lsr", NULL, sample_in_uart, NULL},
        {"in-unclaimed", NULL, sample_in_none, NULL},
        {"out-pic", NULL, sample_out_pic, NULL},
        {"out-uart-scratch", NULL, sample_out_uart, NULL},
        {"out-unclaimed", NULL, sample_out_none, NULL},
        {"mmio-ioapic-select-read", NULL, sample_ioapic, NULL},
        {"mmio-unclaimed", NULL, sample_mmio_none, NULL},
};
const struct bench_table io_table = BENCH_TABLE(rows);
