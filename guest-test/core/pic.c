// SPDX-License-Identifier: BSD-2-Clause
// The 8259 pair and the 8254: programming, delivery by ExtINT, masks, ends, modes, calibration.
// Specs: [8259A] "Initialization Command Words", "Operation Command Words"; [8254] "Mode
// Definitions", "Read-Back Command".
#include "guest-test/lib/test.h"

#define PIC_BASE 0x20
#define PM_TIMER_HZ 3579545ULL
#define PIT_HZ 1193182ULL

static void pic_setup(uint8_t mask_master, uint8_t mask_slave)
{
	for (unsigned irq = 0; irq < 16; irq++) {
		irq_setup((uint8_t)(PIC_BASE + irq), EOI_PIC, NULL);
	}
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, PIC_BASE);
	outb(0xa1, PIC_BASE + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, mask_master);
	outb(0xa1, mask_slave);
}

/* LINT0 as ExtINT: what firmware leaves and what the reset state is here. */
static void virtual_wire(void)
{
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
}

static void pit_one_shot(uint16_t count)
{
	outb(0x43, 0x30);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
}

static void pit_stop(void)
{
	outb(0x43, 0x30); /* mode 0 without a count: output low */
}

static uint8_t pic_isr(void)
{
	uint8_t v;

	outb(0x20, 0x0b);
	v = inb(0x20);
	outb(0x20, 0x0a);
	return v;
}

TEST(pic_registers)
{
	pic_setup(0xa5, 0x5a);
	CHECK_EQ(inb(0x21), 0xa5);
	CHECK_EQ(inb(0xa1), 0x5a);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	CHECK_EQ(inb(0x21), 0xff);
	CHECK_EQ(pic_isr(), 0);
	/* Edge or level: not for the timer, keyboard, cascade, clock, coprocessor. */
	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	CHECK_EQ(inb(0x4d0), 0xf8);
	CHECK_EQ(inb(0x4d1), 0xde);
	outb(0x4d0, 0);
	outb(0x4d1, 0);
	CHECK_EQ(inw(0x4d0), 0);
}

TEST(pic_timer_interrupt)
{
	virtual_wire();
	pit_stop();
	pic_setup(0xfe, 0xff);
	pit_one_shot(1000);
	CHECK(wait_for(&irq_count[PIC_BASE], 1, 10000));
	delay_us(3000);
	sti();
	delay_us(100);
	cli();
	CHECK_EQ(irq_count[PIC_BASE], 1); /* mode 0 fires once */
	pic_mask_all();
}

TEST(pic_mask_holds_back)
{
	virtual_wire();
	pit_stop();
	pic_setup(0xff, 0xff);
	pit_one_shot(500);
	delay_open_us(2000);
	outb(0x20, 0x0a);
	CHECK_EQ(inb(0x20) & 1, 1); /* requested all the same */
	sti();
	delay_us(100);
	cli();
	CHECK_EQ(irq_count[PIC_BASE], 0);
	outb(0x21, 0xfe);
	CHECK(wait_for(&irq_count[PIC_BASE], 1, 1000));
	CHECK_EQ(inb(0x20) & 1, 0);
	pic_mask_all();
	/* LINT0 masked: nothing reaches the processor. */
	pit_stop();
	pic_setup(0xfe, 0xff);
	mmio_w32(LAPIC_BASE + 0x350, 0x10700);
	pit_one_shot(500);
	CHECK(!wait_for(&irq_count[PIC_BASE], 1, 3000));
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
	CHECK(wait_for(&irq_count[PIC_BASE], 1, 1000));
	pic_mask_all();
}

static volatile uint8_t isr_inside;
static volatile uint32_t nested;

static void look_inside(struct frame *f)
{
	(void)f;
	isr_inside = pic_isr();
	/* No EOI yet: the next edge must wait. */
	pit_one_shot(200);
	sti();
	delay_us(1000);
	cli();
	nested = irq_count[PIC_BASE];
	irq_handler[PIC_BASE] = NULL;
}

TEST(pic_in_service)
{
	virtual_wire();
	pit_stop();
	pic_setup(0xfe, 0xff);
	irq_setup(PIC_BASE, EOI_PIC, look_inside);
	pit_one_shot(200);
	CHECK(wait_for(&irq_count[PIC_BASE], 2, 10000));
	CHECK_EQ(isr_inside, 1);
	CHECK_EQ(nested, 1);
	CHECK_EQ(pic_isr(), 0);
	pic_mask_all();
}

TEST(pic_withdrawn_request)
{
	/* Masked between the request and STI: nothing, or spurious IRQ 7, but never IRQ 0. */
	virtual_wire();
	pit_stop();
	pic_setup(0x7e, 0xff);
	pit_one_shot(200);
	delay_us(1000);
	outb(0x21, 0x7f);
	sti();
	delay_us(200);
	cli();
	CHECK_EQ(irq_count[PIC_BASE], 0);
	CHECK(irq_count[PIC_BASE + 7] <= 1);
	CHECK_EQ(pic_isr() & 1, 0);
	pic_mask_all();
}

TEST(pic_slave)
{
	/* The clock's periodic interrupt is IRQ 8, through the cascade. */
	virtual_wire();
	pic_setup(0xfb, 0xfe);
	cmos_write(0x0a, 0x26);
	cmos_write(0x0b, 0x42);
	(void)cmos_read(0x0c);
	CHECK(wait_for(&irq_count[PIC_BASE + 8], 1, 5000));
	cmos_write(0x0b, 0x02);
	CHECK_EQ(cmos_read(0x0c) & 0x80, 0);
	CHECK_EQ(pic_isr(), 0);
	pic_mask_all();
}

TEST(pic_poll_and_rotate)
{
	virtual_wire();
	pit_stop();
	pic_setup(0xfe, 0xff);
	mmio_w32(LAPIC_BASE + 0x350, 0x10700); /* nobody acknowledges but the poll */
	pit_one_shot(200);
	delay_open_us(1000);
	outb(0x20, 0x0c); /* poll */
	CHECK_EQ(inb(0x20), 0x80);
	CHECK_EQ(pic_isr(), 1);
	outb(0x20, 0x60); /* specific end of 0 */
	CHECK_EQ(pic_isr(), 0);
	outb(0x20, 0x0c);
	CHECK_EQ(inb(0x20) & 0x80, 0);
	pic_mask_all();
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
}

TEST(pic_auto_eoi)
{
	virtual_wire();
	pit_stop();
	pic_setup(0xff, 0xff);
	outb(0x20, 0x11);
	outb(0x21, PIC_BASE);
	outb(0x21, 4);
	outb(0x21, 3);
	outb(0x21, 0xfe);
	irq_setup(PIC_BASE, EOI_NONE, NULL);
	for (uint32_t n = 1; n <= 3; n++) {
		pit_one_shot(200);
		CHECK(wait_for(&irq_count[PIC_BASE], n, 5000));
		CHECK_EQ(pic_isr(), 0);
	}
	pic_mask_all();
	pic_setup(0xff, 0xff);
}

/* Ticks of the counter, latched. */
static uint16_t pit_read(unsigned counter)
{
	uint8_t lo;

	outb(0x43, (uint8_t)(counter << 6));
	lo = inb((uint16_t)(0x40 + counter));
	return (uint16_t)(inb((uint16_t)(0x40 + counter)) << 8 | lo);
}

TEST(pit_counts_down)
{
	uint16_t a, b;

	pic_mask_all();
	outb(0x43, 0x34);
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	delay_us(100);
	a = pit_read(0);
	delay_us(1000);
	b = pit_read(0);
	CHECK((uint16_t)(a - b) >= 1193 && (uint16_t)(a - b) < 1193 + 100);
	/* A latched count stands until it is read. */
	outb(0x43, 0);
	delay_us(1000);
	CHECK((uint16_t)(b - (inb(0x40) | inb(0x40) << 8)) < 100);
	/* Status by read-back: mode 2, both bytes, count taken. */
	outb(0x43, 0xe2);
	CHECK_EQ(inb(0x40) & 0x7f, 0x34);
	pit_stop();
}

static uint64_t ten_periods(uint8_t control, uint16_t count)
{
	uint64_t t0;

	virtual_wire();
	pit_stop();
	pic_setup(0xfe, 0xff);
	outb(0x43, control);
	outb(0x40, (uint8_t)count);
	outb(0x40, (uint8_t)(count >> 8));
	if (!wait_for(&irq_count[PIC_BASE], 1, 100000)) {
		return 0;
	}
	t0 = rdtsc();
	if (!wait_for(&irq_count[PIC_BASE], 11, 1000000)) {
		return 0;
	}
	t0 = rdtsc() - t0;
	pit_stop();
	pic_mask_all();
	return t0;
}

TEST(pit_rate_and_square)
{
	uint64_t want = tsc_hz() * 2386 * 10 / PIT_HZ, got;

	got = ten_periods(0x34, 2386);
	info("mode 2, ten periods of 2 ms", got * 1000000 / tsc_hz(), "us");
	CHECK(got > want - want / 50 && got < want + want / 50);
	got = ten_periods(0x36, 2386);
	info("mode 3, ten periods of 2 ms", got * 1000000 / tsc_hz(), "us");
	CHECK(got > want - want / 50 && got < want + want / 50);
}

TEST(pit_never_early)
{
	uint64_t worst = 0, ticks = tsc_hz() * 5966 / PIT_HZ; /* 5 ms */

	virtual_wire();
	pit_stop();
	pic_setup(0xfe, 0xff);
	for (uint32_t n = 1; n <= 5; n++) {
		uint64_t t0 = rdtsc(), t;

		pit_one_shot(5966);
		while (irq_count[PIC_BASE] < n) {
			sti_hlt();
		}
		t = rdtsc() - t0;
		CHECK(t + tsc_hz() / PIT_HZ + 1 >= ticks);
		worst = t > ticks + worst ? t - ticks : worst;
	}
	info("late at most", worst * 1000000 / tsc_hz(), "us");
	CHECK(worst < tsc_hz() / 1000);
	pit_stop();
	pic_mask_all();
}

/* Counter 2 behind port 0x61, as kernels calibrate. */
TEST(pit_channel_two)
{
	uint8_t before = inb(0x61);
	uint32_t start, ticks, want = (uint32_t)(PM_TIMER_HZ * 11932 / PIT_HZ); /* 10 ms */
	uint8_t refresh = 0;

	outb(0x61, (before & 0xfc) | 1);
	outb(0x43, 0xb0);
	outb(0x42, 11932 & 0xff);
	start = inl(PM_TIMER);
	outb(0x42, 11932 >> 8);
	CHECK_EQ(inb(0x61) & 0x20, 0);
	while (!(inb(0x61) & 0x20)) {
		refresh |= (inb(0x61) ^ before) & 0x10;
	}
	ticks = (inl(PM_TIMER) - start) & 0xffffff;
	info("10 ms of counter 2 by the PM timer", ticks * 1000000ULL / PM_TIMER_HZ, "us");
	CHECK(ticks >= want - 8 && ticks < want + want / 100);
	CHECK(refresh); /* bit 4 toggles */
	/* Without its gate the counter stands. */
	outb(0x43, 0xb0);
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	outb(0x61, before & 0xfc);
	start = pit_read(2);
	delay_us(500);
	CHECK_EQ(pit_read(2), start);
	outb(0x61, before & 0xf);
}
