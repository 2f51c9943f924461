/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that attacks its host: ATTACK(name) { ... while (more()) { ... } }. The command line
 * chooses: attack=NAME,NAME,... seed=N secs=S, or count=M for rounds instead of seconds. For each
 * it says on the debug port and on COM1
 *
 *   attack NAME: begins, seed N
 *   attack NAME: survived, rounds N
 *
 * and powers off in the end. What never ends, or ends the VM, says the first line only.
 */
#ifndef GUEST_TEST_ATTACK_ATTACK_H
#define GUEST_TEST_ATTACK_ATTACK_H

#include "guest-test/lib/test.h"

#define ATTACK(name) TEST(name)

struct params {
	const char *names; /* ends at the first blank */
	uint64_t seed, count, secs;
};
extern struct params params;
/* How often the machine was reset, or started again, since it was made. */
extern uint32_t attack_lives;

/* One round more? By the number of rounds, or by time when there is none. */
bool more(void);
/* For interrupt handlers: are the seconds over? */
bool time_over(void);
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
/* fn again and again, on this vCPU, whatever interrupts it at whatever moment, until it says false.
 */
void chaos_repeat(bool (*fn)(void *arg), void *arg);
/* The same at CPL 3: position-independent code at its physical address below 1 GiB. */
uint32_t chaos_user(void *code, uint64_t arg);

/* Start the other vCPUs; each runs fn(index) on a stack of its own. Returns how many there are. */
#define MAX_CPUS 16U
unsigned ap_start(void (*fn)(unsigned index));
/* INIT and SIPI alone, for those who do it often. */
void ap_init_sipi(uint32_t dest, bool to_all_others);
extern volatile uint32_t ap_running; /* how often one came up */
extern volatile bool ap_stop;        /* fn should return */
void ap_park(void);                  /* make them */
void icr_write(uint32_t low, uint32_t dest);

/* Pages that nobody else uses: targets of strings, tables, code. */
#define SCRATCH_PAGES 16U
extern uint8_t scratch[SCRATCH_PAGES * 4096];

/* Physical addresses where there is nothing, or a device. */
uint64_t rnd_hole(void);
uint64_t rnd_device(void);

#endif
