// SPDX-License-Identifier: BSD-2-Clause
// The clock: time moves, updates are announced, and its three interrupts.
// Specs: [MC146818] "Update Cycle", "Interrupts".
#include "guest-test/lib/test.h"

#define VECTOR 0x48
#define REG_A 0x0a
#define REG_B 0x0b
#define REG_C 0x0c

/* IRQ 8 is pin 8 of the IOAPIC. */
static void route(void)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	cmos_write(REG_B, 0x02);
	(void)cmos_read(REG_C);
	ioapic_write(0x21, 0);
	ioapic_write(0x20, VECTOR);
}

static void unroute(void)
{
	cmos_write(REG_B, 0x02);
	(void)cmos_read(REG_C);
	ioapic_write(0x20, 0x10000);
}

static unsigned from_bcd(uint8_t v)
{
	return (v >> 4) * 10U + (v & 15);
}

static unsigned second(void)
{
	while (cmos_read(REG_A) & 0x80) {
	}
	return from_bcd(cmos_read(0));
}

TEST(rtc_reads)
{
	CHECK_EQ(cmos_read(REG_A) & 0x7f, 0x26);
	CHECK_EQ(cmos_read(REG_B), 0x02);
	CHECK_EQ(cmos_read(0x0d), 0x80);
	CHECK(from_bcd(cmos_read(4)) < 24);
	CHECK(from_bcd(cmos_read(2)) < 60);
	CHECK(from_bcd(cmos_read(7)) >= 1 && from_bcd(cmos_read(7)) <= 31);
	CHECK(from_bcd(cmos_read(8)) >= 1 && from_bcd(cmos_read(8)) <= 12);
	CHECK_EQ(cmos_read(0x32), 0x20);
	CHECK(from_bcd(cmos_read(9)) >= 24);
	/* Memory is memory; what the machine put there adds up. */
	cmos_write(0x50, 0xa5);
	CHECK_EQ(cmos_read(0x50), 0xa5);
	CHECK_EQ(cmos_read(0x15) | cmos_read(0x16) << 8, 640);
}

/* A second between two updates, by the update interrupt; UIP goes up before it. */
TEST(rtc_update_interrupt)
{
	unsigned s0;
	uint64_t t0, t;
	bool uip = false;

	route();
	cmos_write(REG_B, 0x12);
	while (irq_count[VECTOR] < 1) {
		sti_hlt();
	}
	CHECK_EQ(cmos_read(REG_C) & 0x90, 0x90);
	t0 = rdtsc();
	s0 = second();
	/* Idle until shortly before the next. */
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	irq_setup(0x49, EOI_LAPIC, NULL);
	mmio_w32(LAPIC_BASE + 0x320, 0x49);
	mmio_w32(LAPIC_BASE + 0x380, (uint32_t)(tsc_hz() / 1000 * 998));
	while (irq_count[0x49] < 1) {
		sti_hlt();
	}
	CHECK_EQ(irq_count[VECTOR], 1);
	sti();
	while (irq_count[VECTOR] < 2) {
		uip |= (cmos_read(REG_A) & 0x80) != 0;
	}
	cli();
	t = rdtsc() - t0;
	CHECK(uip);
	CHECK_EQ(second(), (s0 + 1) % 60);
	info("between two updates", t * 1000000 / tsc_hz(), "us");
	CHECK(t > tsc_hz() / 1000 * 995 && t < tsc_hz() / 1000 * 1005);
	unroute();
}

#define PERIODS 100U

TEST(rtc_periodic)
{
	uint64_t t0, t;

	route();
	cmos_write(REG_A, 0x26); /* 1024 Hz */
	cmos_write(REG_B, 0x42);
	t0 = 0;
	for (unsigned n = 1; n <= PERIODS + 1; n++) {
		while (irq_count[VECTOR] < n) {
			sti_hlt();
		}
		if (n == 1) {
			t0 = rdtsc();
		}
		CHECK_EQ(cmos_read(REG_C) & 0xc0, 0xc0);
	}
	t = (rdtsc() - t0) * 1000000 / tsc_hz();
	info("a hundred periods of 1024 Hz", t, "us");
	/* 97,656 us; a sleeping machine may notice the first or the last a little late. */
	CHECK(t > 97500 && t < 97800);
	/* Without a read of register C there is no next one. */
	while (irq_count[VECTOR] < PERIODS + 2) {
		sti_hlt();
	}
	sti();
	delay_us(5000);
	cli();
	CHECK_EQ(irq_count[VECTOR], PERIODS + 2);
	unroute();
	cmos_write(REG_A, 0x26);
}

TEST(rtc_alarm)
{
	unsigned s;

	route();
	s = (second() + 2) % 60;
	cmos_write(1, (uint8_t)(s / 10 << 4 | s % 10));
	cmos_write(3, 0xff);
	cmos_write(5, 0xff);
	cmos_write(REG_B, 0x22);
	while (irq_count[VECTOR] < 1) {
		sti_hlt();
	}
	CHECK_EQ(cmos_read(REG_C) & 0xa0, 0xa0);
	CHECK_EQ(second(), s);
	unroute();
}

TEST(rtc_set_stops)
{
	unsigned minute = cmos_read(2);

	cmos_write(REG_B, 0x82);
	cmos_write(0, 0x30);
	cmos_write(2, 0x17);
	CHECK_EQ(cmos_read(REG_A) & 0x80, 0);
	delay_us(2000);
	cmos_write(REG_B, 0x02);
	CHECK_EQ(cmos_read(0), 0x30);
	CHECK_EQ(cmos_read(2), 0x17);
	cmos_write(REG_B, 0x82);
	cmos_write(2, (uint8_t)minute);
	cmos_write(REG_B, 0x02);
	CHECK_EQ(cmos_read(2), minute);
}
