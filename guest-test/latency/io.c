// SPDX-License-Identifier: BSD-2-Clause
// Ports and MMIO: emulated chips, and addresses where nothing is.
#include "guest-test/latency/bench.h"

#define PIC_DATA 0x21
#define PIT_COUNTER0 0x40
#define PIT_COUNTER2 0x42
#define PIT_CONTROL 0x43
#define PIT_COUNTER2_LOW 0x90 /* one byte, mode 0 */
#define PORT_POST 0x80
#define PORT_NONE 0x700
#define COM1_LSR 0x3fd
#define COM1_SCRATCH 0x3ff
#define MMIO_NONE 0xf0000000ULL /* in the PCI window, below anything a firmware places there */
#define HPET_COUNTER 0xfed000f0ULL
#define IOAPIC_DATA (IOAPIC_BASE + 0x10)

static uint16_t pm_timer;

SAMPLE(in_pic, inb(PIC_DATA))
SAMPLE(in_pit, inb(PIT_COUNTER0))
SAMPLE(in_pm_timer, inl(pm_timer))
SAMPLE(in_uart, inb(COM1_LSR))
SAMPLE(in_none, inb(PORT_NONE))
SAMPLE(out_pic, outb(PIC_DATA, 0xff))
SAMPLE(out_pit, outb(PIT_COUNTER2, 0x5a))
SAMPLE(out_uart, outb(COM1_SCRATCH, 0x5a))
SAMPLE(out_post, outb(PORT_POST, 0))
SAMPLE(out_none, outb(PORT_NONE, 0))
SAMPLE(ioapic, ioapic_read(1))
SAMPLE(ioapic_read, mmio_r32(IOAPIC_DATA))
SAMPLE(hpet, mmio_r32(HPET_COUNTER))
SAMPLE(mmio_none, mmio_r32(MMIO_NONE))

static const char *setup_pm_timer(void)
{
	pm_timer = (uint16_t)(pm_base() + 8);
	return pm_base() ? NULL : "no PIIX4 power-management function";
}

static const char *setup_pit(void)
{
	outb(PIT_CONTROL, PIT_COUNTER2_LOW);
	return NULL;
}

static const struct bench rows[] = {
        {"in-pic", NULL, sample_in_pic, NULL},
        {"in-pit", NULL, sample_in_pit, NULL},
        {"in-pm-timer", setup_pm_timer, sample_in_pm_timer, NULL},
        {"in-uart-lsr", NULL, sample_in_uart, NULL},
        {"in-unclaimed", NULL, sample_in_none, NULL},
        {"out-pic", NULL, sample_out_pic, NULL},
        {"out-pit", setup_pit, sample_out_pit, NULL},
        {"out-uart-scratch", NULL, sample_out_uart, NULL},
        {"out-post", NULL, sample_out_post, NULL},
        {"out-unclaimed", NULL, sample_out_none, NULL},
        {"mmio-ioapic-select-read", NULL, sample_ioapic, NULL},
        {"mmio-ioapic-read", NULL, sample_ioapic_read, NULL},
        {"mmio-hpet", NULL, sample_hpet, NULL},
        {"mmio-unclaimed", NULL, sample_mmio_none, NULL},
};
const struct bench_table io_table = BENCH_TABLE(rows);
