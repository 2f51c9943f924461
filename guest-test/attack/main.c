// SPDX-License-Identifier: BSD-2-Clause
// The command line, the clock, the numbers, and what is said.
#include "guest-test/attack/attack.h"

#define COM1 0x3f8
#define DEBUG_PORT 0xe9
#define MBI_CMDLINE (1U << 2)
#define PM_HZ 3579545ULL
#define WAKE_VECTOR 0x40

void main(void);
extern const struct test tests_start[], tests_end[];
extern uint32_t multiboot_info;

struct params params = {.name = "", .seed = 1, .until = 5};
uint8_t scratch[SCRATCH_PAGES * 4096] __attribute__((aligned(4096)));

static uint64_t rounds, hz, state;
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

static void say_text(const char *s)
{
	for (; *s && *s != ' '; s++) {
		say_char(*s);
	}
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
	say_text(params.name);
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

static void sleep_until(uint64_t seconds)
{
	uint64_t end = seconds * hz;

	if (rdtsc() >= end) {
		return;
	}
	lapic_enable();
	irq_setup(WAKE_VECTOR, EOI_LAPIC, NULL);
	mmio_w32(LAPIC_BASE + 0x3e0, 3); /* by 16 */
	mmio_w32(LAPIC_BASE + 0x320, 0x20000 | WAKE_VECTOR);
	mmio_w32(LAPIC_BASE + 0x380, (uint32_t)(hz / 16 / 4));
	while (rdtsc() < end) {
		sti_hlt();
	}
	mmio_w32(LAPIC_BASE + 0x380, 0);
	mmio_w32(LAPIC_BASE + 0x320, 0x10000);
	mmio_w32(LAPIC_BASE + 0xf0, 0xff);
}

void use_pm_timer(void)
{
	uint64_t now = rdtsc() / hz;

	by_pm = true;
	pm_last = inl(PM_TIMER) & 0xffffffU;
	pm_budget = (params.until > now ? params.until - now : 1) * PM_HZ;
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
	return rdtsc() < params.until * hz;
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

static bool same_word(const char *word, const char *name)
{
	return starts(word, name) && (word[length(name)] == ' ' || word[length(name)] == '\0');
}

static void parse(const char *s)
{
	static const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
	        {"seed=", &params.seed},
	        {"count=", &params.count},
	        {"start=", &params.start},
	        {"until=", &params.until},
	        {"which=", &params.which},
	};

	while (*s) {
		if (starts(s, "attack=")) {
			params.name = s + 7;
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

void main(void)
{
	const uint32_t *mbi = (const uint32_t *)(uint64_t)multiboot_info;
	const struct test *test = tests_start;

	if (mbi[0] & MBI_CMDLINE) {
		parse((const char *)(uint64_t)mbi[4]);
	}
	while (test < tests_end && !same_word(params.name, test->name)) {
		test++;
	}
	pic_mask_all();
	hz = quick_hz();
	if (test == tests_end) {
		say("there is no such attack", 0, false);
		power_off();
	}
	sleep_until(params.start);
	if (rdtsc() < params.until * hz || params.count) {
		rnd_seed(params.seed);
		say("begins, seed", params.seed, true);
		run_caught(run, (void *)test);
	}
	say("survived, rounds", rounds, true);
	power_off();
}
