// SPDX-License-Identifier: BSD-2-Clause
// IOAPIC: registers, edges, levels with remote IRR, masks. Devices: timer, COM2, SCI.
// Specs: [IOAPIC] "I/O Redirection Table Registers".
#include "guest-test/lib/test.h"

#define VECTOR 0x51
#define PIN_LOW(pin) (0x10U + 2 * (pin))
#define PIN_HIGH(pin) (0x11U + 2 * (pin))
#define MASKED 0x10000U
#define LEVEL 0x8000U
#define REMOTE_IRR 0x4000U

static void pit_one_shot(uint16_t count)
{
	outb(0x43, 0x30);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
}

TEST(ioapic_registers)
{
	CHECK_EQ(ioapic_read(0), 0);
	CHECK_EQ(ioapic_read(1), 0x170011);
	for (unsigned pin = 0; pin < 24; pin++) {
		CHECK_EQ(ioapic_read(PIN_LOW(pin)) & MASKED, MASKED);
	}
	/* Bits that can be written; status and remote IRR cannot. */
	ioapic_write(PIN_HIGH(23), 0xff000000);
	CHECK_EQ(ioapic_read(PIN_HIGH(23)), 0xff000000);
	ioapic_write(PIN_LOW(23), 0xffffffff);
	CHECK_EQ(ioapic_read(PIN_LOW(23)), 0x1afff);
	ioapic_write(PIN_LOW(23), MASKED);
	ioapic_write(PIN_HIGH(23), 0);
	ioapic_write(0, 0x0f000000);
	CHECK_EQ(ioapic_read(0), 0x0f000000);
	ioapic_write(0, 0);
	CHECK_EQ(ioapic_read(0x40), 0);
	CHECK_EQ(mmio_r32(IOAPIC_BASE), 0x40);
}

TEST(ioapic_edge)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	outb(0x43, 0x30);
	ioapic_write(PIN_HIGH(2), 0);
	ioapic_write(PIN_LOW(2), VECTOR);
	pit_one_shot(300);
	CHECK(wait_for(&irq_count[VECTOR], 1, 10000));
	CHECK_EQ(ioapic_read(PIN_LOW(2)), VECTOR);
	/* An edge on a masked pin is lost. */
	ioapic_write(PIN_LOW(2), MASKED | VECTOR);
	pit_one_shot(300);
	delay_open_us(2000);
	ioapic_write(PIN_LOW(2), VECTOR);
	CHECK(!wait_for(&irq_count[VECTOR], 2, 2000));
	/* Logical destinations: ours, then nobody's. */
	mmio_w32(LAPIC_BASE + 0xe0, 0xffffffff);
	mmio_w32(LAPIC_BASE + 0xd0, 0x04000000);
	ioapic_write(PIN_HIGH(2), 0x06000000);
	ioapic_write(PIN_LOW(2), 0x800 | VECTOR);
	pit_one_shot(300);
	CHECK(wait_for(&irq_count[VECTOR], 2, 10000));
	ioapic_write(PIN_HIGH(2), 0x02000000);
	pit_one_shot(300);
	CHECK(!wait_for(&irq_count[VECTOR], 3, 3000));
	/* Lowest priority, to all. */
	ioapic_write(PIN_HIGH(2), 0xff000000);
	ioapic_write(PIN_LOW(2), 0x900 | VECTOR);
	pit_one_shot(300);
	CHECK(wait_for(&irq_count[VECTOR], 3, 10000));
	ioapic_write(PIN_LOW(2), MASKED);
	ioapic_write(PIN_HIGH(2), 0);
	mmio_w32(LAPIC_BASE + 0xd0, 0);
}

static volatile uint32_t irr_inside, tmr_inside;

static void inside(struct frame *f)
{
	(void)f;
	irr_inside = ioapic_read(PIN_LOW(3));
	tmr_inside = mmio_r32(LAPIC_BASE + 0x180 + VECTOR / 32 * 16) >> (VECTOR % 32) & 1;
	if (irq_count[VECTOR] == 3) {
		outb(0x2f9, 0); /* the device lets go */
	}
}

/* COM2's line stays high while its interrupt is not served: a level, if the pin says so. */
TEST(ioapic_level)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, inside);
	outb(0x2f9, 0);
	(void)inb(0x2fa);
	outb(0x2fc, 8);
	ioapic_write(PIN_HIGH(3), 0);
	ioapic_write(PIN_LOW(3), LEVEL | VECTOR);
	CHECK_EQ(ioapic_read(PIN_LOW(3)), LEVEL | VECTOR);
	outb(0x2f9, 2);                                /* THRE */
	CHECK(wait_for(&irq_count[VECTOR], 3, 10000)); /* again after each EOI */
	CHECK(!wait_for(&irq_count[VECTOR], 4, 2000));
	CHECK_EQ(irr_inside & REMOTE_IRR, REMOTE_IRR);
	CHECK_EQ(tmr_inside, 1);
	CHECK_EQ(ioapic_read(PIN_LOW(3)), LEVEL | VECTOR);
	/* A level is not lost behind a mask. */
	ioapic_write(PIN_LOW(3), MASKED | LEVEL | VECTOR);
	irq_setup(VECTOR, EOI_LAPIC, inside);
	irq_count[VECTOR] = 2;
	outb(0x2f9, 2);
	CHECK(!wait_for(&irq_count[VECTOR], 3, 2000));
	ioapic_write(PIN_LOW(3), LEVEL | VECTOR);
	CHECK(wait_for(&irq_count[VECTOR], 3, 2000));
	CHECK_EQ(ioapic_read(PIN_LOW(3)) & REMOTE_IRR, 0);
	ioapic_write(PIN_LOW(3), MASKED);
	outb(0x2f9, 0);
	outb(0x2fc, 0);
}

/* The same vector as an edge afterwards: TMR follows, and EOI goes nowhere. */
TEST(ioapic_level_then_edge)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	outb(0x43, 0x30);
	ioapic_write(PIN_HIGH(2), 0);
	ioapic_write(PIN_LOW(2), VECTOR);
	pit_one_shot(300);
	CHECK(wait_for(&irq_count[VECTOR], 1, 10000));
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x180 + VECTOR / 32 * 16) >> (VECTOR % 32) & 1, 0);
	ioapic_write(PIN_LOW(2), MASKED);
}

/* Remote IRR of a level goes away when the pin becomes an edge: how kernels free a stuck one. */
static void stuck(struct frame *f)
{
	(void)f;
	irr_inside = ioapic_read(PIN_LOW(3));
	ioapic_write(PIN_LOW(3), MASKED | VECTOR);
	tmr_inside = ioapic_read(PIN_LOW(3));
	outb(0x2f9, 0);
}

TEST(ioapic_remote_irr_cleared_by_edge)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, stuck);
	outb(0x2f9, 0);
	outb(0x2fc, 8);
	ioapic_write(PIN_LOW(3), LEVEL | VECTOR);
	outb(0x2f9, 2);
	CHECK(wait_for(&irq_count[VECTOR], 1, 2000));
	CHECK_EQ(irr_inside & REMOTE_IRR, REMOTE_IRR);
	CHECK_EQ(tmr_inside, MASKED | VECTOR);
	ioapic_write(PIN_LOW(3), MASKED);
	outb(0x2fc, 0);
}

static volatile uint32_t sci_status, sci_timer;

static void sci(struct frame *f)
{
	(void)f;
	sci_status = inw(PM_BASE);
	sci_timer = inl(PM_TIMER);
	outw(PM_BASE, 1); /* or it comes again and again */
}

TEST(ioapic_sci)
{
	uint64_t t0 = rdtsc();

	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, sci);
	outw(PM_BASE, 0xffff);
	outb(0xb2, 0xf1);
	CHECK_EQ(inw(PM_BASE + 4) & 1, 1);
	outw(PM_BASE + 2, 1);
	ioapic_write(PIN_HIGH(9), 0);
	ioapic_write(PIN_LOW(9), LEVEL | VECTOR);
	/* The 24-bit timer's top bit changes every 2.34 s; idle time is free here. */
	while (irq_count[VECTOR] == 0) {
		sti_hlt();
	}
	ioapic_write(PIN_LOW(9), MASKED | LEVEL | VECTOR);
	CHECK(rdtsc() - t0 < tsc_hz() * 24 / 10);
	CHECK_EQ(irq_count[VECTOR], 1);
	CHECK_EQ(sci_status & 1, 1);
	CHECK_EQ(sci_timer & 0x7f0000, 0); /* just now */
	CHECK_EQ(inw(PM_BASE) & 1, 0);
	outw(PM_BASE + 2, 0);
	outb(0xb2, 0xf0);
	CHECK_EQ(inw(PM_BASE + 4) & 1, 0);
	ioapic_write(PIN_LOW(9), MASKED);
}
