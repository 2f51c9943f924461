// SPDX-License-Identifier: BSD-2-Clause
// Many vCPUs against each other and against whoever shares their processors.
#include "guest-test/attack/attack.h"

static volatile bool stop;

static void nothing(void *arg)
{
	(void)arg;
	sti();
	for (unsigned i = 0; i < 50; i++) {
		__asm__ volatile("pause");
	}
	cli();
}

/* Whoever is hit goes on. */
static void take_hits(unsigned index)
{
	(void)index;
	lapic_enable();
	while (!stop) {
		(void)chaos(nothing, NULL);
	}
}

static void storm_one(bool any_mode)
{
	uint32_t low = (uint32_t)rnd() & 0xff;
	uint32_t mode = any_mode ? (uint32_t)rnd_below(8) : (uint32_t)rnd_below(2);

	/* INIT and SIPI have a storm of their own. */
	if (mode == 5 || mode == 6) {
		mode = 4;
	}
	low |= mode << 8 | ((uint32_t)rnd() & 0xc800) | (uint32_t)rnd_below(4) << 18;
	icr_write(low, rnd_below(4) ? (uint32_t)rnd_below(17) : (uint32_t)rnd_odd());
}

static void storm(void *arg)
{
	for (unsigned i = 0; i < 64; i++) {
		storm_one(*(bool *)arg);
	}
	sti();
	__asm__ volatile("pause");
	cli();
}

static void storm_from(unsigned index)
{
	bool any = true;

	(void)index;
	lapic_enable();
	while (!stop) {
		(void)chaos(storm, &any);
	}
}

/* All vectors, modes, shorthands and destinations, from all sides at once. */
ATTACK(ipi_storm)
{
	bool any = true;

	say("vCPUs", ap_start(storm_from) + 1, true);
	while (more()) {
		(void)chaos(storm, &any);
	}
	stop = true;
}

ATTACK(ipi_storm_x2apic)
{
	bool any = true;

	wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
	wrmsr(0x80f, 0x1ff);
	while (more()) {
		(void)chaos(storm, &any);
		if (rnd_below(32) == 0) {
			/* Reserved bits: #GP. */
			(void)wrmsr_fault(0x830, rnd());
			(void)wrmsr_fault(0x800 + (uint32_t)rnd_below(256), rnd_odd() & ~0x700ULL);
		}
	}
}

static void nmis(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 256; i++) {
		icr_write(0xc4400, 0);
		icr_write(0x4400, (uint32_t)rnd_below(16));
	}
}

ATTACK(nmi_storm)
{
	say("vCPUs", ap_start(take_hits) + 1, true);
	while (more()) {
		(void)chaos(nmis, NULL);
	}
	stop = true;
}

static void count_only(unsigned index)
{
	(void)index;
	while (!stop) {
		__asm__ volatile("pause");
	}
}

/* Resets and starts at all moments: while they start, run, fault, wait. */
ATTACK(init_storm)
{
	say("vCPUs", ap_start(count_only) + 1, true);
	while (more()) {
		unsigned n = (unsigned)rnd_below(6);
		uint32_t dest = 1 + (uint32_t)rnd_below(15);

		while (n--) {
			switch (rnd_below(6)) {
			case 0:
				icr_write(0xc4500, 0);
				break;
			case 1:
				icr_write(0x4500, dest);
				break;
			case 2:
				icr_write(0x8500, dest); /* de-assert */
				break;
			case 3:
				icr_write(0x4400, dest);
				break;
			default:
				ap_init_sipi(dest, rnd_below(2));
				break;
			}
		}
		for (uint64_t i = rnd_below(3000); i; i--) {
			__asm__ volatile("pause");
		}
	}
	stop = true;
	ap_stop = true;
	say("starts", ap_running, true);
}

/* --- an instruction that changes while it is emulated --- */

#define CODE ((volatile uint64_t *)(scratch + 4096))

/* [rdi] is the device; each begins where an instruction begins, and tears into another. */
static const uint64_t bodies[] = {
        0x909090909090078b,                     /* mov eax, [rdi] */
        0x9090909090900789,                     /* mov [rdi], eax */
        0x9090909007ae0f90,                     /* fxsave [rdi]: the emulator refuses */
        0x909090909090a490,                     /* movsb */
        0x9090909090900787,                     /* xchg [rdi], eax */
        0x9000000001078190,                     /* add [rdi], imm */
        0x9090909007b10ff0,                     /* lock cmpxchg [rdi], eax */
        0x2e2e2e2e2e2e2e2e,                     /* prefixes without end */
        0x9090909090909090, 0x90909090909007ff, /* inc [rdi] */
};

static void rewrite(unsigned index)
{
	uint64_t n = index;

	while (!stop) {
		n = n * 6364136223846793005ULL + 1442695040888963407ULL;
		CODE[(n >> 60) & 1] = bodies[(n >> 33) % (sizeof(bodies) / sizeof(bodies[0]))];
	}
}

/* At CPL 3, so that a form that cannot be emulated does not end it. */
ATTACK(selfmod)
{
	uint64_t target = (uint64_t)window_map(0, IOAPIC_BASE, PTE_P | PTE_W | PTE_U);

	CODE[2] = 0x80cd80cd80cd80cd;
	CODE[3] = 0x80cd80cd80cd80cd;
	CODE[0] = CODE[1] = bodies[0];
	say("vCPUs", ap_start(rewrite) + 1, true);
	while (more()) {
		for (unsigned i = 0; i < 16; i++) {
			(void)chaos_user((void *)CODE, target);
		}
		window_map(0, rnd_device() & ~0xfffULL, PTE_P | PTE_W | PTE_U);
	}
	stop = true;
}

/* Page tables that change under the walk. */
static void remap(unsigned index)
{
	uint64_t n = index;

	while (!stop) {
		n = n * 6364136223846793005ULL + 1442695040888963407ULL;
		window_pt[0] = ((n >> 40 & 1)          ? IOAPIC_BASE
		                       : (n >> 41 & 1) ? 0xe0000000ULL
		                                       : (uint64_t)scratch) |
		               ((n >> 42) & 7);
	}
}

static void touch_all(void *arg)
{
	volatile uint32_t *p = arg;

	for (unsigned i = 0; i < 64; i++) {
		__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
		p[4 * (i & 3)] = i;
		(void)p[i & 3];
		__asm__ volatile("lock addl $1, (%0)" : : "r"(p) : "memory", "cc");
	}
}

ATTACK(remap)
{
	say("vCPUs", ap_start(remap) + 1, true);
	while (more()) {
		(void)chaos(touch_all, (void *)WINDOW_BASE);
	}
	stop = true;
}

/* --- timers --- */

static void timer_on(void)
{
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	mmio_w32(LAPIC_BASE + 0x320, 0x20000 | 0x50);
	mmio_w32(LAPIC_BASE + 0x380, 1);
}

static void timer_off(void)
{
	mmio_w32(LAPIC_BASE + 0x380, 0);
	mmio_w32(LAPIC_BASE + 0x320, 0x10000);
}

static void tick(unsigned index)
{
	(void)index;
	timer_on();
	while (!stop) {
		sti_hlt();
	}
	timer_off();
}

/* The shortest period there is, on every vCPU, and on the devices. */
ATTACK(timers)
{
	irq_setup(0x50, EOI_LAPIC, NULL);
	say("vCPUs", ap_start(tick) + 1, true);
	timer_on();
	outb(0x43, 0x34);
	outb(0x40, 2);
	outb(0x40, 0);
	cmos_write(0xa, 0x23);
	cmos_write(0xb, 0x72);
	while (more()) {
		sti_hlt();
	}
	timer_off();
	stop = true;
}

/* The same with interrupts off: nobody takes the ticks. */
ATTACK(timers_masked)
{
	timer_on();
	outb(0x43, 0x34);
	outb(0x40, 2);
	outb(0x40, 0);
	while (more()) {
		__asm__ volatile("pause");
	}
	timer_off();
}
