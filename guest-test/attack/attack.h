/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that attacks its host: ATTACK(name) { ... while (more()) { ... } }. The command line
 * chooses one: attack=NAME seed=N count=M start=S until=T vector=V (S and T are seconds of the VM's
 * time-stamp counter, so they hold across resets). It says on the debug port and on COM1
 *
 *   attack NAME: begins, seed N
 *   attack NAME: survived, N rounds
 *
 * and powers off. What never ends, or ends the VM, says the first line only.
 */
#ifndef GUEST_TEST_ATTACK_ATTACK_H
#define GUEST_TEST_ATTACK_ATTACK_H

#include "guest-test/lib/test.h"

#define ATTACK(name) TEST(name)

struct params {
	const char *name; /* ends at the first blank */
	uint64_t seed, count, start, until, which;
};
extern struct params params;

/* One round more? By the number of rounds, or by time when there is none. */
bool more(void);
/* The time of more() is the PM timer's: for those who play with the TSC. */
void use_pm_timer(void);

/* A line to both places. COM1 is waited for, but not for ever. */
void say(const char *what, uint64_t value, bool with_value);

/* Numbers that depend on the seed alone. */
void rnd_seed(uint64_t seed);
uint64_t rnd(void);
uint64_t rnd_below(uint64_t n);
/* A number as bugs like them: small, all ones, one bit, an edge, or anything. */
uint64_t rnd_odd(void);

/*
 * Run fn(arg) with an interrupt table of its own; whatever fault or interrupt comes first ends
 * it: its vector, or CALM when fn returned. Interrupts are off afterwards, an EOI is given.
 */
#define CALM 256U
uint32_t chaos(void (*fn)(void *arg), void *arg);
/* The same at CPL 3: position-independent code at its physical address below 1 GiB. */
uint32_t chaos_user(void *code, uint64_t arg);

/* Start the other vCPUs; each runs fn(index) on a stack of its own. Returns how many there are. */
#define MAX_CPUS 16U
unsigned ap_start(void (*fn)(unsigned index));
/* INIT and SIPI alone, for those who do it often. */
void ap_init_sipi(uint32_t dest, bool to_all_others);
extern volatile uint32_t ap_running; /* how often one came up */
extern volatile bool ap_stop;        /* fn should halt */
void icr_write(uint32_t low, uint32_t dest);

/* Pages that nobody else uses: targets of strings, tables, code. */
#define SCRATCH_PAGES 16U
extern uint8_t scratch[SCRATCH_PAGES * 4096];

/* Physical addresses where there is nothing, or a device. */
uint64_t rnd_hole(void);
uint64_t rnd_device(void);

#endif
