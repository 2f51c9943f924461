// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exceptions whose delivery raises them again, and task switches to nowhere.
 * Specs: [SDM3] "Alignment Check Exception (#AC)", "Debug Exceptions", "Task-State Segment
 * (TSS)".
 */
#include "guest-test/attack/attack.h"

void legacy_ac(void);
void legacy_task(uint32_t selector);
extern uint64_t gdt32[], idt32[];
extern uint8_t tss[];

#define DR7_WRITE_8 0x90403ULL /* DR0: global and local, writes, 8 bytes */

static volatile uint32_t debug_traps;

static void debug_trap(struct frame *f)
{
	/* It came through: nothing watches the stack for a moment. */
	f->rflags &= ~0x100ULL;
	debug_traps++;
}

/*
 * A breakpoint on the slot of the stack that the delivery of #DB writes. With a stack of its own
 * (IST) the next one hits the same slot, for ever.
 */
ATTACK(db_storm)
{
	extern uint8_t idt[];
	uint64_t ist;

	memcpy(&ist, tss + 36, sizeof(ist));
	idt[16 + 4] = 1;
	irq_setup(X_DB, EOI_NONE, debug_trap);
	while (more()) {
		write_dr0(ist - 8 * (1 + rnd_below(5)));
		write_dr7(DR7_WRITE_8);
		__asm__ volatile(".byte 0xf1" : : : "memory"); /* INT1 */
		__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
		write_dr7(0x400);
	}
	idt[16 + 4] = 0;
	say("#DB handled", debug_traps, true);
}

static void set_tss_base(uint64_t *descriptor, uint64_t base)
{
	*descriptor |= (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

ATTACK(ac_storm)
{
	set_tss_base(&gdt32[5], (uint64_t)tss);
	legacy_ac();
}

static void watchdog(unsigned index)
{
	(void)index;
	for (uint64_t end = rdtsc() + tsc_hz() / 50; rdtsc() < end;) {
		__asm__ volatile("pause");
	}
	outb(0xcf9, 6);
}

/*
 * One switch a life: whatever comes of it, the other vCPU resets the machine and the next life
 * has the next seed. Descriptors, tables and the task are as wrong as the seed wants them.
 */
ATTACK(task)
{
	uint32_t *task = (uint32_t *)(scratch + 4096);

	if (attack_lives % 16 == 0) {
		say("life", attack_lives, true);
	}
	(void)ap_start(watchdog);
	set_tss_base(&gdt32[5], (uint64_t)tss);
	for (unsigned i = 0; i < 26; i++) {
		task[i] = rnd_below(2) ? (uint32_t)rnd_odd() : 0x10;
	}
	if (rnd_below(2)) {
		/* One that could nearly run. */
		task[7] = rnd_below(3) ? 0 : (uint32_t)rnd_odd(); /* CR3 */
		task[8] = 0x100000 + (uint32_t)rnd_below(0x4000); /* EIP */
		task[9] = (uint32_t)rnd_odd();                    /* EFLAGS */
		task[19] = 0x08;                                  /* CS */
	}
	for (unsigned i = 6; i < 16; i++) {
		/* One outside RAM ends the VM. */
		uint64_t base = rnd_below(32) ? (uint64_t)task : rnd_hole() & 0xffffffff;
		uint64_t type = rnd_below(2) ? 0x89 : rnd() & 0xff;

		gdt32[i] =
		        type << 40 | (rnd_below(4) ? 0x67 : rnd_below(0x70)) | (rnd() & 0xf) << 48;
		set_tss_base(&gdt32[i], base);
	}
	for (unsigned i = 0; i < 32; i++) {
		/* Task gates. */
		idt32[i] = 0x850000000000ULL | (6 + rnd_below(10)) << 19;
	}
	legacy_task((uint32_t)(6 + rnd_below(10)) << 3);
}
