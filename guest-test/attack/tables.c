// SPDX-License-Identifier: BSD-2-Clause
// Page tables, descriptor tables and stacks where they must not be.
#include "guest-test/attack/attack.h"

extern uint64_t pml4[512], gdt[];

struct __attribute__((packed)) pointer {
	uint16_t limit;
	uint64_t base;
};

/* The page tables' root is a device. */
ATTACK(cr3_mmio)
{
	write_cr3(IOAPIC_BASE);
	(void)*(volatile uint8_t *)scratch;
}

ATTACK(cr3_hole)
{
	write_cr3(0xe0000000);
	(void)*(volatile uint8_t *)scratch;
}

static void read_it(void *arg)
{
	(void)*(volatile uint32_t *)arg;
}

static void write_it(void *arg)
{
	*(volatile uint32_t *)arg = 0x1ff007;
}

static void add_it(void *arg)
{
	__asm__ volatile("addl $1, (%0)" : : "r"(arg) : "memory", "cc");
}

/*
 * Tables that are their own next level, at each level, and tables that lie in devices, while
 * instructions on device memory make the host walk them.
 */
ATTACK(cr3_loop)
{
	uint64_t *own = (uint64_t *)scratch;

	while (more()) {
		uint64_t flags = 7 | (rnd_below(4) ? 0 : 0x80) |
		                 (rnd_below(8) ? 0 : rnd() & 0xfff0000000000ULL);
		uint64_t at;

		for (unsigned i = 0; i < 512; i++) {
			own[i] = (uint64_t)own | flags;
		}
		/* Somewhere in RAM; a table elsewhere ends the VM, which is pt_mmio's part. */
		own[rnd_below(512)] =
		        ((uint64_t)scratch + rnd_below(SCRATCH_PAGES) * 4096) | (rnd() & 0xfff);
		/* Slot 3 of the top level is the attack's. */
		pml4[3] = (uint64_t)own | 7;
		write_cr3((uint64_t)pml4);
		at = 3ULL << 39 | (rnd() & 0x7ffffffff8ULL);
		(void)chaos(read_it, (void *)at);
		(void)chaos(add_it, (void *)at);
		(void)chaos(read_it, (void *)(at ^ 4096));
	}
	pml4[3] = 0;
	write_cr3((uint64_t)pml4);
}

/* A table in a device, for one address: the walk ends the VM. */
ATTACK(pt_mmio)
{
	pml4[3] = IOAPIC_BASE | 7;
	write_cr3((uint64_t)pml4);
	read_it((void *)(3ULL << 39));
}

/* The window's own table is rewritten between the processor's walk and the host's. */
ATTACK(pt_rewrite)
{
	while (more()) {
		void *p = window_map(0, rnd_device() & ~0xfffULL, PTE_P | PTE_W);

		/* The new entry is not flushed: the TLB has the old one, memory the new. */
		(void)chaos(read_it, p);
		window_pt[0] = rnd_below(2) ? rnd_odd() : (rnd_hole() & ~0xfffULL) | 3;
		(void)chaos(read_it, p);
		(void)chaos(add_it, p);
		(void)chaos(write_it, (uint8_t *)p + 0x10);
	}
}

ATTACK(gdt_hole)
{
	const struct pointer p = {0xffff, 0xe0000000};

	__asm__ volatile("lgdt %0; mov %1, %%ds" : : "m"(p), "r"(0x10));
}

ATTACK(idt_hole)
{
	const struct pointer p = {0xffff, 0xe0000000};

	__asm__ volatile("lidt %0; int3" : : "m"(p));
}

ATTACK(idt_lapic)
{
	const struct pointer p = {0xffff, LAPIC_BASE};

	__asm__ volatile("lidt %0; int3" : : "m"(p));
}

/* A stack in device memory, and an interrupt to go there. */
ATTACK(stack_mmio)
{
	uint8_t *p = window_map(0, IOAPIC_BASE, PTE_P | PTE_W);

	__asm__ volatile("mov %0, %%rsp; int3" : : "r"(p + 0x800) : "memory");
}

ATTACK(tss_hole)
{
	/* The TSS's base: bits 16-39 and 56-63 of its descriptor. */
	volatile uint64_t *d = gdt + 3;

	d[0] = 0xe00089000000ffffULL;
	d[1] = 0;
	__asm__ volatile("ltr %w0" : : "r"(0x18));
	scratch[0] = 0xcd; /* int 0x80, whose stack the TSS names */
	scratch[1] = 0x80;
	(void)user_call((void (*)(void))scratch, 0);
}
