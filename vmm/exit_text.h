/* SPDX-License-Identifier: BSD-2-Clause */
/* An exit in words: for the last exits of a vCPU, and for traces. */
#ifndef VMM_EXIT_TEXT_H
#define VMM_EXIT_TEXT_H

#include "vmm/vcpu.h"

/*
 * An exit and the registers that belong to it. A record of the last exits knows the low halves of
 * one or two; a trace knows more.
 */
struct exit_facts {
	struct vcpu_exit exit;
	uint32_t number; /* CPUID leaf, MSR, XCR */
	bool has_in, has_out, low_half;
	uint64_t in;  /* has_in: what the guest gave: value written, CPUID subleaf. low_half: only
	                 its low 32 bits are known */
	uint64_t out; /* has_out: what it got: value read */
};

#define EXIT_TEXT_LEN 96U

/* "out 0x3f8/1 0x41". Any content of facts; the buffer is terminated. */
void exit_text(char text[EXIT_TEXT_LEN], const struct exit_facts *facts);

void exit_facts_of_record(struct exit_facts *facts, const struct exit_record *record);

/* The newest of vcpu->last_exits, kind first, with its age; false = there is none. */
bool exit_last_text(const struct vcpu *vcpu, char line[OUT_LINE_MAX]);
/* vcpu->last_exits, the oldest first, each with its age. The vCPU is loaded, or does not run. */
void exit_dump_last(const struct vcpu *vcpu, struct out *out);

/* Ticks of the TSC in microseconds. */
uint64_t exit_ticks_us(uint64_t ticks);

#endif
