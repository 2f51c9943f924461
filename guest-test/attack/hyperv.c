// SPDX-License-Identifier: BSD-2-Clause
// The Hyper-V interface with random words: hypercalls, synthetic MSRs, pages laid over anything.
#include "guest-test/attack/attack.h"

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL 0x40000001
#define MSR_RESET 0x40000003

struct words {
	uint64_t rcx, rdx, r8, value;
	uint32_t msr;
};

static void do_call(void *arg)
{
	const struct words *w = arg;
	register uint64_t r8 __asm__("r8") = w->r8;

	__asm__ volatile("vmcall"
	                 : "+r"(r8)
	                 : "a"(0), "b"(rnd()), "c"(w->rcx), "d"(w->rdx), "S"(0), "D"(0)
	                 : "memory", "r9", "r10", "r11");
}

static void do_write(void *arg)
{
	const struct words *w = arg;

	wrmsr(w->msr, w->value);
}

static void do_read(void *arg)
{
	(void)rdmsr(((const struct words *)arg)->msr);
}

/* Input and output: RAM, the edge of a page, device memory, nowhere. */
static uint64_t rnd_block(void)
{
	switch (rnd_below(5)) {
	case 0:
		return rnd_odd();
	case 1:
		return rnd_hole();
	case 2:
		return (uint64_t)scratch + 4096 - rnd_below(64);
	default:
		return (uint64_t)scratch + (rnd_below(sizeof(scratch) - 4096) & ~7ULL);
	}
}

static void interface_on(void)
{
	struct words w = {.msr = MSR_GUEST_OS_ID, .value = 0x8100000000000000ULL | 1};

	(void)chaos(do_write, &w);
	w.msr = MSR_HYPERCALL;
	w.value = ((uint64_t)scratch & ~0xfffULL) | 1;
	(void)chaos(do_write, &w);
}

ATTACK(hypercalls)
{
	interface_on();
	while (more()) {
		struct words w = {
		        .rcx = rnd_below(0x110) | (rnd_below(2) ? 0x10000 : 0) |
		               rnd_below(4) << 17 | rnd_below(520) << 32 |
		               (rnd_below(4) ? 0 : rnd_below(520) << 48),
		        .rdx = rnd_block(),
		        .r8 = rnd_block(),
		};

		if (rnd_below(8) == 0) {
			w.rcx = rnd_odd();
		}
		/* The page of the code is not among those overwritten: scratch has the input. */
		for (unsigned i = 0; i < 32; i++) {
			((volatile uint64_t *)scratch)[512 + i] = rnd_odd();
		}
		(void)chaos(do_call, &w);
	}
}

/*
 * Pages of the interface over all of memory but the program: its own tables are hit, too, sooner or
 * later, and it starts again.
 */
ATTACK(synthetic_msrs)
{
	interface_on();
	while (more()) {
		struct words w = {
		        .msr = 0x40000000 + (uint32_t)rnd_below(0x120),
		        .value = rnd_below(2) ? rnd_odd() : rnd_block() | rnd_below(4),
		};

		if (w.msr == MSR_RESET) {
			w.value &= ~1ULL;
		}
		/* INIT to oneself is the end. */
		if (w.msr == 0x40000071 && (w.value & 0x700) == 0x500) {
			continue;
		}
		/* What waits for an idle processor waits for ever with interrupts off. */
		if (w.msr != 0x400000f0) {
			(void)chaos(do_read, &w);
		}
		(void)chaos(do_write, &w);
		if (rnd_below(64) == 0) {
			interface_on();
		}
	}
}
