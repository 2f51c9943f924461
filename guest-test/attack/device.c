// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random programs for the device registers: a seed is a program, so a failure is run again by
 * its seed. What resets the machine or switches it off is left out here: floods.c has it.
 */
#include "guest-test/attack/attack.h"

#define OPS 256U

static const struct {
	uint16_t base, len, weight;
} ranges[] = {
        {0x20, 2, 4},
        {0xa0, 2, 4},
        {0x4d0, 2, 1},
        {0x40, 4, 6},
        {0x61, 1, 2},
        {0x60, 1, 6},
        {0x64, 1, 6},
        {0x70, 2, 6},
        {0x80, 16, 1},
        {0xb2, 2, 1},
        {0xed, 1, 1},
        {0xf0, 2, 1},
        {0x170, 8, 2},
        {0x1f0, 8, 2},
        {0x376, 1, 1},
        {0x3f6, 1, 1},
        {0xffa0, 16, 2},
        {0x2f8, 8, 6},
        {0x3f8, 8, 6},
        {0x400, 64, 6},
        {0xcf8, 8, 6},
        {0x500, 32, 1},
        {0x0, 16, 1},
        {0xe0, 8, 1},
        {0x2000, 32, 1},
        {0x510, 16, 1},
};

static uint32_t pci_address;

/* Would it end the program? */
static bool forbidden(uint16_t port, unsigned width, uint32_t value)
{
	uint16_t last = (uint16_t)(port + width - 1);

	if (port <= 0x92 && last >= 0x92) {
		return true;
	}
	if ((port <= 0xcf9 && last >= 0xcf9 && width == 1) || port == 0xf4) {
		return true;
	}
	/* SLP_EN */
	if (port <= 0x405 && last >= 0x404) {
		return true;
	}
	/* 8042: pulses and the output port. */
	if (port <= 0x64 && last >= 0x64 && ((value & 0xff) >= 0xf0 || (value & 0xff) == 0xd1)) {
		return true;
	}
	/* The power-management block stays where it is: the clock of more() is in it. */
	if (last >= 0xcfc && port <= 0xcff && (pci_address & 0xff00) == 0x3b00) {
		return true;
	}
	/* The debug port is for what is said. */
	return port <= 0xe9 && last >= 0xe9;
}

static void port_op(void)
{
	unsigned total = 0, n, width = 1U << rnd_below(8) % 3;
	uint32_t value = (uint32_t)rnd_odd();
	uint16_t port;

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		total += ranges[i].weight;
	}
	n = (unsigned)rnd_below(total);
	unsigned r = 0;
	while (n >= ranges[r].weight) {
		n -= ranges[r++].weight;
	}
	port = (uint16_t)(ranges[r].base + rnd_below(ranges[r].len));
	if (rnd_below(16) == 0) {
		port = (uint16_t)rnd();
	}
	if (rnd_below(3) == 0) {
		width = 1;
	}
	if (rnd_below(5) < 2) {
		(void)(width == 1 ? inb(port) : width == 2 ? inw(port) : inl(port));
		return;
	}
	if (port == 0xcf8) {
		static const uint32_t functions[] = {
		        0, 0x3800, 0x3900, 0x3a00, 0x3b00, 0x4000, 0x5000};

		value = 0x80000000U | functions[rnd_below(7)] | ((uint32_t)rnd() & 0xff);
		width = 4;
		pci_address = value;
	}
	if (forbidden(port, width, value)) {
		return;
	}
	if (width == 1) {
		outb(port, (uint8_t)value);
	} else if (width == 2) {
		outw(port, (uint16_t)value);
	} else {
		outl(port, value);
	}
}

/* INIT to the one vCPU would leave it waiting for SIPI. */
static uint32_t no_init(uint32_t v)
{
	return (v & 0x700) == 0x500 ? v ^ 0x100 : v;
}

static void mmio_op(void)
{
	uint64_t at;
	uint32_t value = (uint32_t)rnd_odd();

	switch (rnd_below(4)) {
	case 0:
		at = LAPIC_BASE + (rnd_below(4) ? rnd_below(0x40) * 16 : rnd_below(4092));
		value = no_init(value);
		break;
	case 1:
		ioapic_write((uint32_t)rnd_below(0x48), no_init(value));
		return;
	case 2:
		at = IOAPIC_BASE + rnd_below(0x50);
		value = no_init(value);
		break;
	default:
		/* A message-signalled interrupt is not among what a processor can send itself. */
		at = rnd_below(2) ? LAPIC_BASE + 0x1000 + (rnd() & 0xffffc) : rnd_hole();
		value = no_init(value);
		break;
	}
	volatile uint8_t *p =
	        (uint8_t *)window_map(0, at & ~0xfffULL, PTE_P | PTE_W) + (at & 0xfff);
	window_map(1, (at & ~0xfffULL) + 4096, PTE_P | PTE_W);
	switch (rnd_below(6)) {
	case 0:
		*p = (uint8_t)value;
		break;
	case 1:
		(void)*p;
		break;
	case 2:
		(void)*(volatile uint64_t *)p;
		break;
	case 3:
		(void)*(volatile uint32_t *)p;
		break;
	default:
		*(volatile uint32_t *)p = value;
		break;
	}
}

static void program(void *arg)
{
	bool with_memory = arg != NULL;

	for (unsigned i = 0; i < OPS; i++) {
		if (with_memory && rnd_below(2)) {
			mmio_op();
		} else {
			port_op();
		}
		if (rnd_below(16) == 0) {
			sti();
			__asm__ volatile("nop");
			cli();
		}
	}
}

/* An interrupt ends a program: what is left of it is another. */
static void programs(void *with_memory)
{
	uint64_t seed = params.seed;

	while (more()) {
		rnd_seed(seed++);
		for (unsigned i = 0; i < 4; i++) {
			(void)chaos(program, with_memory);
		}
		if (seed % 256 == 0) {
			say("seed", seed, true);
		}
	}
	say("last seed", seed - 1, true);
}

ATTACK(ports)
{
	programs(NULL);
}

ATTACK(devices)
{
	programs(scratch);
}

/* The registers of the function that switches the machine off. */
static void pm_registers(uint32_t regs[64], bool put_back)
{
	for (uint32_t i = 0; i < 64; i++) {
		outl(0xcf8, 0x80003b00U + 4 * i);
		if (put_back) {
			outl(0xcfc, regs[i]);
		} else {
			regs[i] = inl(0xcfc);
		}
	}
}

/* Base addresses and the power-management block moved over everything. */
ATTACK(pci)
{
	static uint32_t pm[64];

	pm_registers(pm, false);
	while (more()) {
		static const uint32_t functions[] = {0, 0x3800, 0x3b00, 0x3900, 0x4000};

		outl(0xcf8, 0x80000000U | functions[rnd_below(5)] | ((uint32_t)rnd() & 0xfc));
		switch (rnd_below(4)) {
		case 0:
			outb((uint16_t)(0xcfc + rnd_below(4)), (uint8_t)rnd());
			break;
		case 1:
			(void)inl(0xcfc);
			break;
		default:
			outl(0xcfc, (uint32_t)rnd_odd());
			break;
		}
		outw((uint16_t)(rnd() & 0xffc0), 0);
	}
	pm_registers(pm, true);
}
