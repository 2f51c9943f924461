// SPDX-License-Identifier: BSD-2-Clause
// Many vCPUs against each other and against whoever shares their processors.
#include "guest-test/attack/attack.h"

static bool open_for_hits(void *arg)
{
	(void)arg;
	sti();
	for (unsigned i = 0; i < 50; i++) {
		__asm__ volatile("pause");
	}
	cli();
	return !ap_stop;
}

/* Whoever is hit goes on. */
static void take_hits(unsigned index)
{
	(void)index;
	lapic_enable();
	chaos_repeat(open_for_hits, NULL);
}

static void storm_one(void)
{
	uint32_t low = (uint32_t)rnd() & 0xff;
	uint32_t mode = (uint32_t)rnd_below(8);

	/* INIT and SIPI have a storm of their own. */
	if (mode == 5 || mode == 6) {
		mode = 4;
	}
	low |= mode << 8 | ((uint32_t)rnd() & 0xc800) | (uint32_t)rnd_below(4) << 18;
	icr_write(low, rnd_below(4) ? (uint32_t)rnd_below(17) : (uint32_t)rnd_odd());
}

static void storm(void)
{
	for (unsigned i = 0; i < 64; i++) {
		storm_one();
	}
	sti();
	__asm__ volatile("pause");
	cli();
}

static bool storm_of_others(void *arg)
{
	(void)arg;
	storm();
	return !ap_stop;
}

static void storm_from(unsigned index)
{
	(void)index;
	lapic_enable();
	chaos_repeat(storm_of_others, NULL);
}

/*
 * The end of a storm is the others' first; what they had sent arrives here yet, and must find us
 * where any interrupt may come. false = it is calm.
 */
static bool calms_down(void)
{
	static uint64_t calm_at;

	if (!ap_stop) {
		ap_park();
		calm_at = rdtsc() + tsc_hz() / 20;
	}
	return rdtsc() < calm_at;
}

static bool storm_here(void *arg)
{
	(void)arg;
	if (!more()) {
		return calms_down();
	}
	storm();
	return true;
}

/* All vectors, modes, shorthands and destinations, from all sides at once. */
ATTACK(ipi_storm)
{
	say("vCPUs", ap_start(storm_from) + 1, true);
	chaos_repeat(storm_here, NULL);
}

static void any_msr(void *arg)
{
	uint32_t msr = 0x800 + (uint32_t)rnd_below(256);

	(void)arg;
	wrmsr(msr, rnd_odd() & ~0x700ULL);
}

static bool storm_x2apic(void *arg)
{
	(void)arg;
	if (rnd_below(8) == 0) {
		any_msr(NULL);
	} else if (rnd_below(8) == 0) {
		wrmsr(0x830, rnd() & ~0x700ULL); /* reserved bits: #GP */
	} else {
		storm();
	}
	return more();
}

ATTACK(ipi_storm_x2apic)
{
	wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
	wrmsr(0x80f, 0x1ff);
	chaos_repeat(storm_x2apic, NULL);
	wrmsr(0x1b, rdmsr(0x1b) & ~0xc00ULL);
	wrmsr(0x1b, rdmsr(0x1b) | 0x800);
}

static bool nmis(void *arg)
{
	(void)arg;
	if (!more()) {
		return calms_down();
	}
	for (unsigned i = 0; i < 256; i++) {
		icr_write(0xc4400, 0);
		icr_write(0x4400, (uint32_t)rnd_below(16));
	}
	return true;
}

ATTACK(nmi_storm)
{
	say("vCPUs", ap_start(take_hits) + 1, true);
	chaos_repeat(nmis, NULL);
}

static void count_only(unsigned index)
{
	(void)index;
	while (!ap_stop) {
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
			default:
				ap_init_sipi(dest, rnd_below(2));
				break;
			}
		}
		for (uint64_t i = rnd_below(3000); i; i--) {
			__asm__ volatile("pause");
		}
	}
	ap_park();
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

	while (!ap_stop) {
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
	ap_park();
}

/* Page tables that change under the walk. */
static void remap(unsigned index)
{
	uint64_t n = index;

	while (!ap_stop) {
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
	ap_park();
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

/* A processor that does nothing but take its ticks never comes back to what it did. */
static void ticked(struct frame *f)
{
	(void)f;
	if (time_over()) {
		timer_off();
	}
}

static void tick(unsigned index)
{
	(void)index;
	timer_on();
	while (!ap_stop && !time_over()) {
		sti_hlt();
	}
	timer_off();
}

/* The shortest period there is, on every vCPU, and on the devices. */
ATTACK(timers)
{
	irq_setup(0x50, EOI_LAPIC, ticked);
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
	ap_park();
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
