// SPDX-License-Identifier: BSD-2-Clause
// The IDE disk as firmware and simple drivers use it: polling, by CHS and LBA, PIO, interrupts,
// bus master.
// Specs: [ATA6] "PIO data-in command protocol", "PIO data-out command protocol"; [BMIDE] "Standard
// Programming Sequence".
#include "guest-test/lib/test.h"

#define CMD 0x1f0
#define CTL 0x3f6
#define BM 0xffa0
#define VECTOR 0x4e

#define BSY 0x80
#define NIEN 0x02
#define SRST 0x04

#define SECTORS 2048U /* guest-test/core.cfg: 1 MiB */

#define LEN 2048U
static uint8_t data[LEN] __attribute__((aligned(4096))), back[LEN] __attribute__((aligned(4096)));
static struct {
	uint32_t base, count;
} prds[3] __attribute__((aligned(64)));

static void rep_insw(void *to, uint64_t n)
{
	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(CMD) : "memory");
}

static void rep_outsl(const void *from, uint64_t n)
{
	__asm__ volatile("rep outsl" : "+S"(from), "+c"(n) : "d"(CMD) : "memory");
}

/* Status, once the drive is no longer busy. */
static uint8_t wait_ready(void)
{
	uint8_t status;

	inb(CTL); /* 400 ns */
	for (unsigned i = 0; i < 1000000; i++) {
		status = inb(CMD + 7);
		if (!(status & BSY)) {
			return status;
		}
	}
	return 0xff;
}

static void command(uint8_t what, uint8_t n, uint32_t lba)
{
	outb(CMD + 6, (uint8_t)(0xe0 | lba >> 24));
	outb(CMD + 2, n);
	outb(CMD + 3, (uint8_t)lba);
	outb(CMD + 4, (uint8_t)(lba >> 8));
	outb(CMD + 5, (uint8_t)(lba >> 16));
	outb(CMD + 7, what);
}

static void fill(uint8_t seed)
{
	for (unsigned i = 0; i < LEN; i++) {
		data[i] = (uint8_t)(seed + i * 7 + (i >> 8));
	}
	memset(back, 0, LEN);
}

static unsigned differences(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < LEN; i++) {
		n += data[i] != back[i];
	}
	return n;
}

static void start(void)
{
	outb(CTL, SRST | NIEN);
	delay_us(5);
	outb(CTL, NIEN);
	CHECK_EQ(wait_ready(), 0x50);
}

static void write_sectors(uint32_t lba)
{
	command(0x30, 4, lba);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(wait_ready(), 0x58);
		rep_outsl(data + 512UL * i, 128);
	}
	CHECK_EQ(wait_ready(), 0x50);
}

static void read_blocks(unsigned block)
{
	for (unsigned i = 0; i < 4; i += block) {
		CHECK_EQ(wait_ready(), 0x58);
		rep_insw(back + 512UL * i, 256UL * block);
	}
	CHECK_EQ(wait_ready(), 0x50);
}

TEST(ide_identify)
{
	uint16_t *id = (uint16_t *)back;

	start();
	command(0xec, 0, 0);
	CHECK_EQ(wait_ready(), 0x58);
	rep_insw(id, 256);
	CHECK_EQ(wait_ready(), 0x50);
	CHECK_EQ(id[60] | (uint32_t)id[61] << 16, SECTORS);
	CHECK_EQ(id[100], SECTORS);
	/* The slave is not there. */
	outb(CMD + 6, 0xf0);
	CHECK_EQ(inb(CMD + 7), 0);
	outb(CMD + 6, 0xe0);
	/* Nor is anything on the secondary channel. */
	CHECK_EQ(inb(0x177), 0x7f);
}

TEST(ide_polling)
{
	start();
	fill(1);
	write_sectors(100);
	command(0x20, 4, 100);
	read_blocks(1);
	CHECK_EQ(differences(), 0);
	/* As a BIOS reads: cylinder 0, head 1, sector 38 is the same place. */
	fill(1);
	outb(CMD + 6, 0xa1);
	outb(CMD + 2, 4);
	outb(CMD + 3, 38);
	outw(CMD + 4, 0);
	outb(CMD + 7, 0x20);
	read_blocks(1);
	CHECK_EQ(differences(), 0);
	/* In one block. */
	fill(1);
	command(0xc6, 4, 0);
	CHECK_EQ(wait_ready(), 0x50);
	command(0xc4, 4, 100);
	read_blocks(4);
	CHECK_EQ(differences(), 0);
	command(0xe7, 0, 0);
	CHECK_EQ(wait_ready(), 0x50);
}

TEST(ide_errors)
{
	start();
	command(0x20, 2, SECTORS - 1);
	CHECK_EQ(wait_ready(), 0x51);
	CHECK_EQ(inb(CMD + 1), 0x10);
	CHECK_EQ(inb(CMD + 3) | inb(CMD + 4) << 8, SECTORS);
	command(0xff, 0, 0);
	CHECK_EQ(wait_ready(), 0x51);
	CHECK_EQ(inb(CMD + 1), 0x04);
}

/* Interrupt 14 through the IOAPIC: one a block, taken back by reading status. */
TEST(ide_interrupt)
{
	start();
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	ioapic_write(0x2d, 0);
	ioapic_write(0x2c, VECTOR);
	irq_count[VECTOR] = 0;
	outb(CTL, 0);
	command(0x20, 2, 0);
	CHECK(wait_for(&irq_count[VECTOR], 1, 100000));
	CHECK_EQ(inb(CMD + 7), 0x58);
	rep_insw(back, 256);
	CHECK(wait_for(&irq_count[VECTOR], 2, 100000));
	CHECK_EQ(inb(CMD + 7), 0x58);
	rep_insw(back, 256);
	CHECK_EQ(inb(CMD + 7), 0x50);
	CHECK(!wait_for(&irq_count[VECTOR], 3, 1000));
	ioapic_write(0x2c, 0x10000);
	outb(CTL, NIEN);
}

/* One transfer by the bus master, which has ended when its status says so. */
static void dma(uint8_t what, uint32_t lba, void *buffer, uint8_t direction)
{
	uint32_t at = (uint32_t)(uintptr_t)buffer;
	uint8_t status = 0;

	/* Two regions, the first one ends within a sector. */
	prds[0].base = at;
	prds[0].count = 700;
	prds[1].base = at + 700;
	prds[1].count = 0x80000000U | (2048 - 700);
	outb(BM, 0);
	outb(BM + 2, 0x06);
	outl(BM + 4, (uint32_t)(uintptr_t)prds);
	outb(BM, direction);
	outb(CTL, 0); /* the status is the interrupt's */
	command(what, 4, lba);
	outb(BM, direction | 1);
	for (unsigned i = 0; i < 1000000 && !(status & 0x04); i++) {
		status = inb(BM + 2);
	}
	CHECK_EQ(status & 7, 0x04);
	outb(BM, 0);
	CHECK_EQ(inb(CMD + 7), 0x50);
	outb(CTL, NIEN);
}

TEST(ide_dma)
{
	start();
	fill(77);
	dma(0xca, 300, data, 0);
	dma(0xc8, 300, back, 8);
	CHECK_EQ(differences(), 0);
	memset(back, 0, LEN);
	command(0x20, 4, 300);
	read_blocks(1);
	CHECK_EQ(differences(), 0);
}
