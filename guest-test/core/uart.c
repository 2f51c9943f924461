// SPDX-License-Identifier: BSD-2-Clause
// COM2: loop mode, FIFO, its interrupts, modem lines.
// Specs: [16550] "Registers", "Loop Mode", "FIFO Interrupt Mode Operation".
#include "guest-test/lib/test.h"

#define COM2 0x2f8
#define DATA COM2
#define IER (COM2 + 1)
#define IIR (COM2 + 2)
#define FCR (COM2 + 2)
#define LCR (COM2 + 3)
#define MCR (COM2 + 4)
#define LSR (COM2 + 5)
#define MSR (COM2 + 6)
#define SCR (COM2 + 7)
#define VECTOR 0x43

static void start(uint8_t mcr)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	outb(IER, 0);
	outb(LCR, 0x83);
	outb(DATA, 1);
	outb(IER, 0);
	outb(LCR, 3);
	outb(FCR, 7);
	outb(MCR, mcr);
	(void)inb(LSR);
	(void)inb(MSR);
	(void)inb(IIR);
	ioapic_write(0x17, 0);
	ioapic_write(0x16, VECTOR);
}

static void stop(void)
{
	outb(IER, 0);
	outb(FCR, 0);
	outb(MCR, 0);
	ioapic_write(0x16, 0x10000);
}

TEST(uart_registers)
{
	start(0);
	outb(SCR, 0x5a);
	CHECK_EQ(inb(SCR), 0x5a);
	outb(LCR, 0x83);
	outb(DATA, 0x34);
	outb(IER, 0x12);
	CHECK_EQ(inb(DATA), 0x34);
	CHECK_EQ(inb(IER), 0x12);
	outb(DATA, 1);
	outb(IER, 0);
	outb(LCR, 3);
	CHECK_EQ(inb(IER), 0);
	CHECK_EQ(inb(IIR) & 0xc0, 0xc0);
	CHECK_EQ(inb(LSR) & 0x60, 0x60);
	stop();
	CHECK_EQ(inb(IIR), 1);
}

TEST(uart_loop)
{
	start(0x10);
	CHECK_EQ(inb(LSR) & 1, 0);
	outb(DATA, 0xa7);
	CHECK_EQ(inb(LSR) & 1, 1);
	CHECK_EQ(inb(DATA), 0xa7);
	CHECK_EQ(inb(LSR) & 1, 0);
	/* Sixteen fit, the seventeenth overruns. */
	for (unsigned i = 0; i < 17; i++) {
		outb(DATA, (uint8_t)i);
	}
	CHECK_EQ(inb(LSR) & 3, 3);
	CHECK_EQ(inb(LSR) & 2, 0);
	for (unsigned i = 0; i < 16; i++) {
		CHECK_EQ(inb(DATA), i);
	}
	CHECK_EQ(inb(LSR) & 1, 0);
	/* FIFOs emptied on command. */
	outb(DATA, 1);
	outb(FCR, 3);
	CHECK_EQ(inb(LSR) & 1, 0);
	stop();
}

TEST(uart_modem_lines)
{
	start(0x10);
	(void)inb(MSR);
	outb(MCR, 0x1f);
	CHECK_EQ(inb(MSR) & 0xf0, 0xf0);
	CHECK_EQ(inb(MSR) & 0x0f, 0);
	outb(MCR, 0x12);
	CHECK_EQ(inb(MSR), 0x1e); /* CTS; DSR, RI's end and DCD changed */
	stop();
	CHECK_EQ(inb(MSR) & 0xb0, 0xb0); /* always connected */
}

TEST(uart_thre_interrupt)
{
	start(0x08);
	outb(IER, 2); /* the holding register is empty: at once */
	CHECK(wait_for(&irq_count[VECTOR], 1, 1000));
	CHECK_EQ(inb(IIR) & 0xf, 2);
	CHECK_EQ(inb(IIR) & 0xf, 1); /* reading took it away */
	outb(DATA, 'x');
	CHECK(wait_for(&irq_count[VECTOR], 2, 1000));
	CHECK_EQ(inb(IIR) & 0xf, 2);
	/* OUT2 gates the line. */
	outb(MCR, 0);
	outb(IER, 0);
	outb(IER, 2);
	CHECK(!wait_for(&irq_count[VECTOR], 3, 1000));
	outb(MCR, 0x08);
	CHECK(wait_for(&irq_count[VECTOR], 3, 1000));
	stop();
}

/* In loop mode the line is off, so IIR is asked; the timeout counts all the same. */
TEST(uart_receive_timeout)
{
	uint64_t end;

	start(0x10);
	outb(FCR, 0x81); /* trigger at 8 */
	outb(IER, 1);
	outb(DATA, 1);
	CHECK_EQ(inb(IIR) & 0xf, 1);
	end = rdtsc() + tsc_hz() / 200;
	sti();
	while ((inb(IIR) & 0xf) != 0xc && rdtsc() < end) {
	}
	cli();
	CHECK_EQ(inb(IIR) & 0xf, 0xc);
	CHECK_EQ(inb(DATA), 1);
	CHECK_EQ(inb(IIR) & 0xf, 1);
	for (unsigned i = 0; i < 8; i++) {
		outb(DATA, (uint8_t)i);
	}
	CHECK_EQ(inb(IIR) & 0xf, 4);
	(void)inb(DATA);
	CHECK_EQ(inb(IIR) & 0xf, 1);
	/* Priorities: an overrun beats data. */
	outb(IER, 7);
	for (unsigned i = 0; i < 17; i++) {
		outb(DATA, (uint8_t)i);
	}
	CHECK_EQ(inb(IIR) & 0xf, 6);
	(void)inb(LSR);
	CHECK_EQ(inb(IIR) & 0xf, 4);
	stop();
}
