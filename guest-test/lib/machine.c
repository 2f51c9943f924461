// SPDX-License-Identifier: BSD-2-Clause
// The virtual machine's chips as far as several tests need them (docs/hardware.md).
#include "guest-test/lib/test.h"

#define PM_TIMER_HZ 3579545ULL

static uint64_t measure_tsc(void)
{
	uint32_t start = inl(PM_TIMER) & 0xffffffU;
	uint64_t t0 = rdtsc();
	uint32_t ticks;

	do {
		ticks = (inl(PM_TIMER) - start) & 0xffffffU;
	} while (ticks < PM_TIMER_HZ / 100);
	return (rdtsc() - t0) * PM_TIMER_HZ / ticks;
}

uint64_t tsc_hz(void)
{
	static uint64_t hz;

	if (!hz && cpuid(0, 0).a >= 0x15) {
		struct cpuid r = cpuid(0x15, 0);

		if (r.a && r.b && r.c) {
			hz = (uint64_t)r.c * r.b / r.a;
		}
	}
	if (!hz) {
		hz = measure_tsc();
	}
	return hz;
}

void delay_us(uint64_t us)
{
	uint64_t end = rdtsc() + us * tsc_hz() / 1000000;

	while (rdtsc() < end) {
		__asm__ volatile("pause");
	}
}

void delay_open_us(uint64_t us)
{
	sti();
	delay_us(us);
	cli();
}

bool wait_for(volatile uint32_t *counter, uint32_t want, uint64_t us)
{
	uint64_t end = rdtsc() + us * tsc_hz() / 1000000;

	sti();
	while (*counter < want && rdtsc() < end) {
		__asm__ volatile("pause");
	}
	cli();
	return *counter >= want;
}

uint64_t ram_size(void)
{
	extern uint32_t multiboot_info;
	const uint32_t *mbi = (const uint32_t *)(uint64_t)multiboot_info;

	/* [MB1] "Boot information format": mem_upper, in KiB from 1 MiB on. */
	return (1ULL << 20) + mbi[2] * 1024ULL;
}

void *window_map(unsigned page, uint64_t phys, uint64_t flags)
{
	uint64_t va = WINDOW_BASE + page * 4096ULL;

	window_pt[page] = phys | flags;
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
	return (void *)va;
}

void lapic_enable(void)
{
	mmio_w32(LAPIC_BASE + 0xf0, 0x1ff);
	mmio_w32(LAPIC_BASE + 0x80, 0);
}

void pic_mask_all(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void ioapic_write(uint32_t reg, uint32_t v)
{
	mmio_w32(IOAPIC_BASE, reg);
	mmio_w32(IOAPIC_BASE + 0x10, v);
}

uint32_t ioapic_read(uint32_t reg)
{
	mmio_w32(IOAPIC_BASE, reg);
	return mmio_r32(IOAPIC_BASE + 0x10);
}

uint8_t cmos_read(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

void cmos_write(uint8_t reg, uint8_t v)
{
	outb(0x70, reg);
	outb(0x71, v);
}

void power_off(void)
{
	cli();
	outw(PM_BASE + 4, 0x2000); /* SLP_TYP 0 (the \_S5 package of the DSDT), SLP_EN */
	for (;;) {
		__asm__ volatile("hlt");
	}
}
