/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watched memory: every instruction of the code under test that touches it is seen. A page fault
 * comes first, the instruction is decoded (its memory operands, read or written), let through
 * alone by a single step, and then what it has read is changed, as a guest's other vCPU would.
 *
 * Each byte has its rules: may it be written, may it be read, once or again and again? Who
 * breaks one is remembered with its call stack. So "nothing of the guest is read twice" is tested
 * on the machine code, with no hook in it, the C library's memcpy() included.
 */
#ifndef TESTS_FAKE_WATCHED_H
#define TESTS_FAKE_WATCHED_H

#include "vmm/lib/types.h"

#define WATCHED_MAX (8U << 20)

/* Rules of a byte; with none of them it is not the host's affair. */
#define WATCHED_READ_ONCE 1U /* once since watched_fresh() */
#define WATCHED_READ 2U      /* as often as one likes */
#define WATCHED_WRITE 4U
#define WATCHED_NO_CHANGE 8U /* it stays as it is when it was read */

/* Whole pages at 'base', with no rule yet, not watched yet. changes: bytes that were read become
 * others, which others depends on the seed. */
void watched_init(uint8_t *base, uint32_t size, bool changes, uint64_t seed);
void watched_set(const void *p, uint32_t len, unsigned rules);
/* The guest has written it anew. */
void watched_fresh(const void *p, uint32_t len);
void watched_on(void);
void watched_off(void);

/* Instructions seen. */
extern uint64_t watched_reads, watched_writes;
/* How often a rule was broken, and who was the first to do so. */
extern unsigned watched_broken;
extern char watched_first[1024];

#endif
