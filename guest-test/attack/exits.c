// SPDX-License-Identifier: BSD-2-Clause
// Guests that do nothing but spin, sleep, or leave as often as they can.
#include "guest-test/attack/attack.h"

static const struct __attribute__((packed)) {
	uint16_t limit;
	uint64_t base;
} no_idt;

ATTACK(triple)
{
	__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
}

ATTACK(cli_hlt)
{
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

ATTACK(cli_spin)
{
	__asm__ volatile("cli; 1: jmp 1b");
}

ATTACK(sti_spin)
{
	while (more()) {
		sti();
	}
	cli();
}

ATTACK(pause)
{
	while (more()) {
		for (unsigned i = 0; i < 10000; i++) {
			__asm__ volatile("pause");
		}
	}
}

ATTACK(cpuid)
{
	while (more()) {
		(void)cpuid((uint32_t)rnd_odd() & 0xc00000ffU, (uint32_t)rnd_odd());
		(void)cpuid((uint32_t)rnd(), (uint32_t)rnd());
	}
}

ATTACK(port_flood)
{
	while (more()) {
		outb(0x80, 1);
		(void)inb(0x21);
		(void)inl(0xcfc);
		(void)inw(0x5555);
		(void)inl(0xfffd);
		outw(0xffff, 0);
		outb(0xed, 0);
	}
}

ATTACK(mmio_flood)
{
	while (more()) {
		mmio_w32(IOAPIC_BASE, 1);
		(void)mmio_r32(IOAPIC_BASE + 0x10);
		(void)mmio_r32(LAPIC_BASE + 0x390);
		mmio_w32(LAPIC_BASE + 0x80, 0);
	}
}

ATTACK(msr_flood)
{
	while (more()) {
		wrmsr(0x6e0, 0);
		(void)rdmsr(0x1b);
		(void)rdmsr_fault(0x12345);
		(void)wrmsr_fault(0xdead, 1);
	}
}

static void touch(void *arg)
{
	volatile uint32_t *p = arg;

	*p = *p + 1;
}

/* Where nothing is mapped: reads, writes, exchanges, over page ends. */
ATTACK(ept_miss)
{
	while (more()) {
		uint64_t at = rnd_hole();
		uint8_t *p = window_map(0, at & ~0xfffULL, PTE_P | PTE_W);

		window_map(1, (at & ~0xfffULL) + 4096, PTE_P | PTE_W);
		(void)chaos(touch, p + (rnd() & 0xffc));
		(void)chaos(touch, p + 4094);
	}
}

ATTACK(fetch_hole)
{
	void (*fn)(void) = (void (*)(void))window_map(0, 0xe0000000, PTE_P);

	fn();
}

static void insn_vmcall(void *arg)
{
	__asm__ volatile("vmcall" : : "a"(arg) : "memory");
}

static void insn_vmx(void *arg)
{
	switch ((uint64_t)arg % 9) {
	case 0:
		__asm__ volatile("vmxoff");
		break;
	case 1:
		__asm__ volatile("vmlaunch");
		break;
	case 2:
		__asm__ volatile("vmresume");
		break;
	case 3:
		__asm__ volatile("vmptrld (%0)" : : "r"(scratch));
		break;
	case 4:
		__asm__ volatile("vmwrite %%rax, %%rax" : : : "rax");
		break;
	case 5:
		__asm__ volatile("vmfunc" : : "a"(0), "c"(1));
		break;
	case 6:
		__asm__ volatile("rsm");
		break;
	case 7:
		__asm__ volatile("getsec" : : "a"(0));
		break;
	case 8:
		__asm__ volatile("monitor; mwait" : : "a"(scratch), "c"(0), "d"(0));
		break;
	}
}

static void insn_cache(void *arg)
{
	(void)arg;
	__asm__ volatile("wbinvd; invd; wbinvd" : : : "memory");
}

/* What a guest must not have, and what it must not do to others. */
ATTACK(forbidden)
{
	while (more()) {
		(void)chaos(insn_vmcall, (void *)rnd_odd());
		(void)chaos(insn_vmx, (void *)rnd());
		(void)chaos(insn_cache, NULL);
	}
}

static void ticked(struct frame *f)
{
	(void)f;
	/* The program itself may get no turn any more. */
	if (time_over()) {
		mmio_w32(LAPIC_BASE + 0x380, 0);
	}
}

/* Sleeps as short as can be. */
ATTACK(hlt_wake)
{
	lapic_enable();
	irq_setup(0x41, EOI_LAPIC, ticked);
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	mmio_w32(LAPIC_BASE + 0x320, 0x20041);
	mmio_w32(LAPIC_BASE + 0x380, 1);
	while (more()) {
		sti_hlt();
	}
	mmio_w32(LAPIC_BASE + 0x380, 0);
}
