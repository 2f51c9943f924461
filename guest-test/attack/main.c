// SPDX-License-Identifier: BSD-2-Clause
// The command line, the clock, the numbers, and what is said.
#include "guest-test/attack/attack.h"

#define COM1 0x3f8
#define DEBUG_PORT 0xe9
#define MBI_CMDLINE (1U << 2)
#define PM_HZ 3579545ULL
/* In the clock's memory. */
#define LIVES 0x40
#define LIVES_MAGIC 0xa7

void main(void);
extern const struct test tests_start[], tests_end[];
extern uint32_t multiboot_info;

struct params params = {.names = "", .seed = 1, .secs = 5};
uint8_t scratch[SCRATCH_PAGES * 4096] __attribute__((aligned(4096)));

static const struct test *current_attack;
static uint64_t rounds, hz, state, end_tsc;
static bool by_pm;
static uint32_t pm_last;
static uint64_t pm_ticks, pm_budget;

/* --- saying --- */

static void say_char(char c)
{
	outb(DEBUG_PORT, (uint8_t)c);
	for (unsigned i = 0; i < 100 && !(inb(COM1 + 5) & 0x20); i++) {
	}
	outb(COM1, (uint8_t)c);
}

static void say_words(const char *s)
{
	for (; *s; s++) {
		say_char(*s);
	}
}

void say(const char *what, uint64_t value, bool with_value)
{
	char buf[21];
	unsigned i = sizeof(buf) - 1;

	/* Whatever an attack did to the line: 8 bits, no loop-back. */
	outb(COM1 + 3, 3);
	outb(COM1 + 4, 3);
	say_words("attack ");
	say_words(current_attack ? current_attack->name : "image");
	say_words(": ");
	say_words(what);
	if (with_value) {
		buf[i] = '\0';
		do {
			buf[--i] = (char)('0' + value % 10);
			value /= 10;
		} while (value);
		say_char(' ');
		say_words(buf + i);
	}
	say_words("\r\n");
}

/* --- numbers --- */

void rnd_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 0x1234567;
	for (unsigned i = 0; i < 4; i++) {
		(void)rnd();
	}
}

/* xorshift64* */
uint64_t rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

uint64_t rnd_below(uint64_t n)
{
	return (rnd() >> 11) % n;
}

uint64_t rnd_odd(void)
{
	uint64_t v = rnd();

	switch (rnd_below(8)) {
	case 0:
		return v & 0xf;
	case 1:
		return ~0ULL;
	case 2:
		return 1ULL << (v & 63);
	case 3:
		return ~(1ULL << (v & 63));
	case 4:
		return (1ULL << (v & 63)) - 1 + ((v >> 8) & 1);
	case 5:
		return v & 0xff;
	case 6:
		return 0 - (v & 0xff);
	default:
		return v;
	}
}

static const uint64_t devices[] = {0xfec00000, 0xfec00010, 0xfee00000, 0xfee00080, 0xfee000b0,
        0xfee00300, 0xfee01000, 0xa0000};

uint64_t rnd_device(void)
{
	return devices[rnd_below(sizeof(devices) / sizeof(devices[0]))];
}

uint64_t rnd_hole(void)
{
	switch (rnd_below(5)) {
	case 0:
		return 0xe0000000 + (rnd() & 0xffff000); /* the PCI window */
	case 1:
		return 0xa0000 + (rnd() & 0x1f000);
	case 2:
		return ram_size() + (rnd() & 0x3fffff);
	case 3:
		return 0xffc00000 + (rnd() & 0x3ff000); /* where a PC's firmware would be */
	default:
		return (1ULL << 32) + ram_size() + (rnd() & 0xffffff000ULL);
	}
}

/* --- the clock --- */

/* A hundredth of the lib's measurement: a guest that is reset for ever does it for ever. */
static uint64_t quick_hz(void)
{
	uint32_t start = inl(PM_TIMER) & 0xffffffU, ticks;
	uint64_t t0;

	if (cpuid(0, 0).a >= 0x15) {
		return tsc_hz();
	}
	t0 = rdtsc();
	do {
		ticks = (inl(PM_TIMER) - start) & 0xffffffU;
	} while (ticks < PM_HZ / 2000);
	return (rdtsc() - t0) * PM_HZ / ticks;
}

void use_pm_timer(void)
{
	by_pm = true;
	pm_last = inl(PM_TIMER) & 0xffffffU;
	pm_ticks = 0;
	pm_budget = params.secs * PM_HZ;
}

bool time_over(void)
{
	return rdtsc() >= end_tsc;
}

bool more(void)
{
	rounds++;
	if (params.count) {
		return rounds <= params.count;
	}
	if (by_pm) {
		uint32_t now = inl(PM_TIMER) & 0xffffffU;

		pm_ticks += (now - pm_last) & 0xffffffU;
		pm_last = now;
		return pm_ticks < pm_budget;
	}
	return !time_over();
}

/* --- the command line --- */

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
	}
	return n;
}

static bool starts(const char *s, const char *with)
{
	while (*with && *s == *with) {
		s++;
		with++;
	}
	return *with == '\0';
}

/* A list of names with commas between them, up to a blank. */
static bool first_is(const char *list, const char *name)
{
	char end;

	if (!starts(list, name)) {
		return false;
	}
	end = list[length(name)];
	return end == ',' || end == ' ' || end == '\0';
}

static void parse(const char *s)
{
	static const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
	        {"seed=", &params.seed},
	        {"count=", &params.count},
	        {"secs=", &params.secs},
	};

	while (*s) {
		if (starts(s, "attack=")) {
			params.names = s + 7;
		}
		for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (starts(s, keys[i].key)) {
				const char *d = s + length(keys[i].key);

				*keys[i].value = 0;
				for (; *d >= '0' && *d <= '9'; d++) {
					*keys[i].value = *keys[i].value * 10 + (uint64_t)(*d - '0');
				}
			}
		}
		while (*s && *s != ' ') {
			s++;
		}
		while (*s == ' ') {
			s++;
		}
	}
}

static void run(void *arg)
{
	const struct test *test = arg;

	test->fn();
}

uint32_t attack_lives;

/* How often this image began since the machine was made: the clock's memory survives resets. */
static void count_life(void)
{
	attack_lives = cmos_read(LIVES) | (uint32_t)cmos_read(LIVES + 1) << 8;
	if (cmos_read(LIVES + 2) != LIVES_MAGIC) {
		attack_lives = 0;
	}
	cmos_write(LIVES, (uint8_t)(attack_lives + 1));
	cmos_write(LIVES + 1, (uint8_t)((attack_lives + 1) >> 8));
	cmos_write(LIVES + 2, LIVES_MAGIC);
	(void)cmos_read(0); /* an attack that writes to the data port shall not hit the count */
}

/* What one attack leaves behind is not the next one's affair. */
static void clean_up(void)
{
	cli();
	write_dr7(0x400);
	write_cr8(0);
	pic_mask_all();
	for (uint32_t pin = 0; pin < 24; pin++) {
		ioapic_write(0x10 + 2 * pin, 0x10000);
	}
	mmio_w32(LAPIC_BASE + 0xf0, 0xff);
	for (unsigned v = 0; v < 256; v++) {
		irq_setup((uint8_t)v, EOI_NONE, NULL);
	}
}

/* Others send them when they like: while they start, while a word is said. */
static void stray_nmi(struct frame *f)
{
	(void)f;
}

static void run_one(const char *list)
{
	const struct test *test = tests_start;

	while (test < tests_end && !first_is(list, test->name)) {
		test++;
	}
	current_attack = test < tests_end ? test : NULL;
	if (!current_attack) {
		say("there is no such attack", 0, false);
		return;
	}
	rounds = 0;
	by_pm = false;
	end_tsc = rdtsc() + params.secs * hz;
	/* After a reset the same numbers would only lead there again. */
	rnd_seed(params.seed + ((uint64_t)attack_lives << 32));
	say("begins, seed", params.seed, true);
	irq_setup(2, EOI_NONE, stray_nmi);
	run_caught(run, (void *)test);
	clean_up();
	say("survived, rounds", rounds, true);
}

/* What ends the VM, one a life: an operator starts it again. */
ATTACK(die)
{
	static const char *const ways[] = {"fetch_hole", "mmio_kill", "cr3_mmio", "cr3_hole",
	        "pt_mmio", "gdt_hole", "idt_hole", "idt_lapic", "stack_mmio", "tss_hole"};

	run_one(ways[attack_lives % (sizeof(ways) / sizeof(ways[0]))]);
}

void main(void)
{
	const uint32_t *mbi = (const uint32_t *)(uint64_t)multiboot_info;
	const char *list;

	if (mbi[0] & MBI_CMDLINE) {
		parse((const char *)(uint64_t)mbi[4]);
	}
	pic_mask_all();
	hz = quick_hz();
	count_life();
	list = params.names;
	while (*list && *list != ' ') {
		run_one(list);
		while (*list && *list != ' ' && *list != ',') {
			list++;
		}
		list += *list == ',';
	}
	power_off();
}
