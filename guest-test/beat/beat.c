// SPDX-License-Identifier: BSD-2-Clause
// A guest that shows that it lives: 'beat N' ten times a second, asleep in between, and does
// what it is told by a key: what an operator may find a guest doing.
// Specs: [8254] "Mode 2: Rate Generator"; [8259A] "Initialization Command Words"; [16550].
#include "guest-test/lib/test.h"

void main(void);

#define UART 0x3f8
#define TICK_HZ 100U
#define IRQ0_VECTOR 0x20
#define PIT_HZ 1193182U
#define NOTHING 0xf0000000UL /* no memory, no device */

static void start_ticks(void)
{
	/* Edge-triggered, cascaded, vectors from 0x20 and 0x28 on; IRQ 0 alone. */
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, IRQ0_VECTOR);
	outb(0xa1, IRQ0_VECTOR + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
	irq_setup(IRQ0_VECTOR, EOI_PIC, NULL);
	outb(0x43, 0x34);
	outb(0x40, (PIT_HZ / TICK_HZ) & 0xff);
	outb(0x40, (PIT_HZ / TICK_HZ) >> 8);
}

static void triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" ::"m"(none));
}

static void obey(uint8_t key)
{
	switch (key) {
	case 'p':
		put_string("power off\n");
		power_off();
		break;
	case 'h':
		put_string("asleep for good\n");
		cli();
		for (;;) {
			__asm__ volatile("hlt");
		}
		break;
	case 's':
		put_string("spinning\n");
		cli();
		for (;;) {
			__asm__ volatile("" ::: "memory");
		}
		break;
	case 't':
		put_string("triple fault\n");
		triple_fault();
		break;
	case 'k':
		put_string("into nothing\n");
		((void (*)(void))NOTHING)();
		break;
	default:
		put_string("key ");
		put_hex(key);
		put_string("\n");
	}
}

void main(void)
{
	uint32_t ticks = 0, beats = 0;

	put_string(
	        "beat: keys: p power off, h sleep with interrupts off, s spin with interrupts off, "
	        "t triple fault, k jump to where nothing is\n");
	start_ticks();
	for (;;) {
		cli();
		while (inb(UART + 5) & 1) {
			obey(inb(UART));
		}
		if (irq_count[IRQ0_VECTOR] - ticks >= TICK_HZ / 10) {
			ticks += TICK_HZ / 10;
			put_string("beat ");
			put_dec(++beats);
			put_string("\n");
		}
		__asm__ volatile("sti; hlt");
	}
}
