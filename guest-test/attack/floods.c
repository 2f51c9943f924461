// SPDX-License-Identifier: BSD-2-Clause
// As much of everything as goes: console, log, resets.
#include "guest-test/attack/attack.h"

/* Lines that look like others' and like the host's. */
ATTACK(console)
{
	static const char text[] = "\r\n[    0.000000] PANIC: not really \033[2J\033]0;x\007\r\n";

	while (more()) {
		for (unsigned i = 0; text[i]; i++) {
			outb(0x3f8, (uint8_t)text[i]);
			outb(0x2f8, (uint8_t)text[i]);
		}
	}
}

/* Whatever the host could feel obliged to write down. */
ATTACK(log)
{
	for (unsigned i = 0; more(); i++) {
		for (unsigned n = 0; n < 200; n++) {
			outb(0xe9, (uint8_t)(' ' + (i + n) % 250));
		}
		outb(0xe9, '\n');
		(void)rdmsr_fault(0x777);
		(void)wrmsr_fault(0x778, rnd());
	}
}

/* Port 0xcf9 as soon as it runs; after a while it gives up. */
ATTACK(reset_flood)
{
	outb(0xcf9, 6);
	outb(0x92, 1);
	outb(0x64, 0xfe);
	for (;;) {
		__asm__ volatile("hlt");
	}
}

ATTACK(reset_and_off)
{
	outb(0xcf9, 6);
	power_off();
}
