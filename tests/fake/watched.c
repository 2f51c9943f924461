// SPDX-License-Identifier: BSD-2-Clause
// Memory that sees who touches it: faults, single steps, and a decoder (tests/fake/watched.h).
#define _GNU_SOURCE
#include "tests/fake/watched.h"

#include <Zydis/Zydis.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_MAX (64U << 10)

static struct {
	uint8_t *base;
	uint32_t size;
	uint8_t rules[WATCHED_MAX];
	uint8_t reads[WATCHED_MAX]; /* since watched_fresh() */
	bool changes;
	uint64_t seed;

	/* Between the fault and the step after it. */
	struct watched_access {
		uint32_t at, len;
		bool read;
	} pending[4];
	unsigned n_pending;
	ZydisDecoder decoder;
} watched;

uint64_t watched_reads, watched_writes;
unsigned watched_broken;
char watched_first[1024];

static void need(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "watched memory: %s\n", what);
		abort();
	}
}

/* --- what an instruction touches --- */

static void registers(const mcontext_t *m, ZydisRegisterContext *c)
{
	static const struct {
		ZydisRegister zydis;
		int reg;
	} map[] = {
	        {ZYDIS_REGISTER_RAX, REG_RAX},
	        {ZYDIS_REGISTER_RBX, REG_RBX},
	        {ZYDIS_REGISTER_RCX, REG_RCX},
	        {ZYDIS_REGISTER_RDX, REG_RDX},
	        {ZYDIS_REGISTER_RSI, REG_RSI},
	        {ZYDIS_REGISTER_RDI, REG_RDI},
	        {ZYDIS_REGISTER_RBP, REG_RBP},
	        {ZYDIS_REGISTER_RSP, REG_RSP},
	        {ZYDIS_REGISTER_R8, REG_R8},
	        {ZYDIS_REGISTER_R9, REG_R9},
	        {ZYDIS_REGISTER_R10, REG_R10},
	        {ZYDIS_REGISTER_R11, REG_R11},
	        {ZYDIS_REGISTER_R12, REG_R12},
	        {ZYDIS_REGISTER_R13, REG_R13},
	        {ZYDIS_REGISTER_R14, REG_R14},
	        {ZYDIS_REGISTER_R15, REG_R15},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		c->values[map[i].zydis] = (ZyanU64)m->gregs[map[i].reg];
	}
}

/* Frames are looked for on a stack that others may have made without frame pointers. */
__attribute__((no_sanitize("address"))) static void broken(
        const char *what, uint32_t at, const mcontext_t *m)
{
	const uint64_t *frame = (const uint64_t *)m->gregs[REG_RBP];
	uint64_t stack = (uint64_t)m->gregs[REG_RSP];
	void *pc = (void *)m->gregs[REG_RIP];
	size_t len;

	if (watched_broken++ > 0) {
		return;
	}
	len = (size_t)snprintf(watched_first, sizeof(watched_first), "byte %#x is %s", at, what);
	for (unsigned i = 0; i < 6 && len < sizeof(watched_first) - 200; i++) {
		char line[160];

		__sanitizer_symbolize_pc(pc, "%f %s:%l", line, sizeof(line));
		len += (size_t)snprintf(
		        watched_first + len, sizeof(watched_first) - len, "\n  %s", line);
		if ((uint64_t)frame - stack >= STACK_MAX || (uint64_t)frame % 8 != 0) {
			break;
		}
		stack = (uint64_t)frame + 16;
		pc = (void *)(frame[1] - 1);
		frame = (const uint64_t *)frame[0];
	}
}

static void read_at(uint32_t at, uint32_t len, const mcontext_t *m)
{
	watched_reads++;
	for (uint32_t i = at; i < at + len; i++) {
		if (!(watched.rules[i] & (WATCHED_READ | WATCHED_READ_ONCE))) {
			broken("not the host's to read", i, m);
		} else if (watched.reads[i]++ && !(watched.rules[i] & WATCHED_READ)) {
			broken("read twice", i, m);
		}
	}
}

static void write_at(uint32_t at, uint32_t len, const mcontext_t *m)
{
	watched_writes++;
	for (uint32_t i = at; i < at + len; i++) {
		if (!(watched.rules[i] & WATCHED_WRITE)) {
			broken("not the host's to write", i, m);
		}
	}
}

/* true = a memory operand lies here. */
static bool operands(const mcontext_t *m)
{
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	static ZydisRegisterContext context;

	registers(m, &context);
	watched.n_pending = 0;
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(
	            &watched.decoder, (const void *)m->gregs[REG_RIP], 15, &insn, ops))) {
		return false;
	}
	for (unsigned i = 0; i < insn.operand_count; i++) {
		uint64_t to;

		if (ops[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
		        ops[i].mem.type == ZYDIS_MEMOP_TYPE_AGEN ||
		        ZYAN_FAILED(ZydisCalcAbsoluteAddressEx(
		                &insn, &ops[i], (ZyanU64)m->gregs[REG_RIP], &context, &to)) ||
		        to - (uint64_t)watched.base >= watched.size) {
			continue;
		}
		watched.pending[watched.n_pending++] = (struct watched_access){
		        .at = (uint32_t)(to - (uint64_t)watched.base),
		        .len = ops[i].size / 8,
		        .read = ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ,
		};
		if (ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
			write_at((uint32_t)(to - (uint64_t)watched.base), ops[i].size / 8, m);
		}
	}
	return watched.n_pending > 0;
}

/* --- the two traps --- */

static void protect_pending(int how)
{
	for (unsigned i = 0; i < watched.n_pending; i++) {
		const struct watched_access *a = &watched.pending[i];
		uint32_t first = a->at & ~(uint32_t)PAGE_MASK;
		uint32_t end = (uint32_t)((a->at + a->len + PAGE_MASK) & ~PAGE_MASK);

		(void)!mprotect(watched.base + first, end - first, how);
	}
}

static void fault(int signal, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	if ((uint64_t)info->si_addr - (uint64_t)watched.base >= watched.size || !operands(m)) {
		__sanitizer_print_stack_trace();
		need(signal != SIGSEGV, "a fault elsewhere");
	}
	for (unsigned i = 0; i < watched.n_pending; i++) {
		if (watched.pending[i].read) {
			read_at(watched.pending[i].at, watched.pending[i].len, m);
		}
	}
	protect_pending(PROT_READ | PROT_WRITE);
	m->gregs[REG_EFL] |= 0x100;
}

static uint8_t other(uint8_t old)
{
	watched.seed = watched.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	switch (watched.seed >> 62) {
	case 0:
		return (uint8_t)~old;
	case 1:
		return (uint8_t)(old ^ 1U << (watched.seed >> 40 & 7));
	case 2:
		return 0xff;
	default:
		return (uint8_t)(watched.seed >> 48);
	}
}

static void step(int signal, siginfo_t *info, void *context)
{
	mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;

	(void)signal;
	(void)info;
	for (unsigned i = 0; i < watched.n_pending && watched.changes; i++) {
		const struct watched_access *a = &watched.pending[i];

		for (uint32_t at = a->at; a->read && at < a->at + a->len; at++) {
			if (!(watched.rules[at] & WATCHED_NO_CHANGE)) {
				watched.base[at] = other(watched.base[at]);
			}
		}
	}
	m->gregs[REG_EFL] &= ~0x100LL;
	protect_pending(PROT_NONE);
	watched.n_pending = 0;
}

/* --- for tests --- */

void watched_init(uint8_t *base, uint32_t size, bool changes, uint64_t seed)
{
	struct sigaction on_fault = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
	struct sigaction on_step = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};

	need(size <= WATCHED_MAX, "too much of it");
	memset(&watched, 0, sizeof(watched));
	watched.base = base;
	watched.size = size;
	watched.changes = changes;
	watched.seed = seed;
	watched_reads = watched_writes = 0;
	watched_broken = 0;
	ZydisDecoderInit(&watched.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	need(!sigaction(SIGSEGV, &on_fault, NULL) && !sigaction(SIGTRAP, &on_step, NULL),
	        "no signals");
}

static uint32_t offset_of(const void *p, uint32_t len)
{
	uint64_t at = (uint64_t)p - (uint64_t)watched.base;

	need(at + len <= watched.size, "rules for something else");
	return (uint32_t)at;
}

void watched_set(const void *p, uint32_t len, unsigned rules)
{
	memset(watched.rules + offset_of(p, len), (int)rules, len);
}

void watched_fresh(const void *p, uint32_t len)
{
	memset(watched.reads + offset_of(p, len), 0, len);
}

void watched_on(void)
{
	need(!mprotect(watched.base, watched.size, PROT_NONE), "mprotect");
}

void watched_off(void)
{
	need(!mprotect(watched.base, watched.size, PROT_READ | PROT_WRITE), "mprotect");
}
