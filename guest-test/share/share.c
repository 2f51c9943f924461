// SPDX-License-Identifier: BSD-2-Clause
// A guest that uses as much of a processor as it gets, in one of several ways, for a stretch of its
// own time, and says how much that was: its debug exit value (testdev = on) ends up in the host's
// log. Command line: MODE FROM TO, in milliseconds since the VM's start. tests/e2e/test_sched.py
// reads it.
#include "guest-test/lib/test.h"

void main(void);
extern uint32_t multiboot_info;

#define MBI_CMDLINE (1U << 2)
#define DEBUG_EXIT 0xf4
#define VECTOR 0x40
#define LVT_TIMER (LAPIC_BASE + 0x320)
#define INITIAL (LAPIC_BASE + 0x380)
#define DIVIDE (LAPIC_BASE + 0x3e0)
#define PERIODIC (1U << 17)
#define BY_1 0xbU

static uint64_t from_tsc, to_tsc, per_ms;

static uint64_t number(const char **s)
{
	uint64_t n = 0;

	while (**s == ' ') {
		(*s)++;
	}
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		n = n * 10 + (uint64_t)(**s - '0');
	}
	return n;
}

/* The file's name comes first, as multiboot wants it. */
static const char *arguments(const char *s)
{
	while (*s && *s != ' ') {
		s++;
	}
	return *s ? s + 1 : s;
}

static bool word(const char **s, const char *want)
{
	const char *p = *s;

	while (*want && *p == *want) {
		p++;
		want++;
	}
	if (*want || *p != ' ') {
		return false;
	}
	*s = p;
	return true;
}

/* Rounds of a loop that reads the clock. */
static uint64_t spin(bool with_pause)
{
	uint64_t n = 0;

	while (rdtsc() < from_tsc) {
	}
	while (rdtsc() < to_tsc) {
		if (with_pause) {
			__asm__ volatile("pause");
		}
		n++;
	}
	return n;
}

/* Asleep but for a tick a millisecond: how many came, and how late the latest. */
static uint64_t ticks(void)
{
	uint64_t before = 0, worst = 0, start, now;

	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	mmio_w32(DIVIDE, BY_1);
	mmio_w32(LVT_TIMER, VECTOR | PERIODIC);
	start = rdtsc();
	mmio_w32(INITIAL, (uint32_t)per_ms);
	for (;;) {
		sti_hlt();
		now = rdtsc();
		if (now >= to_tsc) {
			break;
		}
		if (now < from_tsc) {
			before = irq_count[VECTOR];
		} else if ((now - start) % per_ms > worst) {
			/* One that is late by a whole period is missing in the count. */
			worst = (now - start) % per_ms;
		}
	}
	return irq_count[VECTOR] - before + 0x10000 * (worst * 1000 / per_ms);
}

void main(void)
{
	const uint32_t *mbi = (const uint32_t *)(uintptr_t)multiboot_info;
	const char *s = mbi[0] & MBI_CMDLINE ? arguments((const char *)(uintptr_t)mbi[4]) : "";
	bool spins = word(&s, "spin"), pauses = word(&s, "pause"), sleeps = word(&s, "ticks");
	uint64_t value = 0;

	per_ms = tsc_hz() / 1000;
	from_tsc = number(&s) * per_ms;
	to_tsc = number(&s) * per_ms;
	if (spins || pauses) {
		value = spin(pauses);
	} else if (sleeps) {
		value = ticks();
	}
	outl(DEBUG_EXIT, (uint32_t)value);
	power_off();
}
