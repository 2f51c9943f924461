/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several vCPUs in a guest test: start them, have them run functions, count what reaches each.
 *
 * The boot vCPU runs the tests. The others sleep in HLT until it gives them a function. Whoever
 * waits sleeps, too (a tick of its APIC's timer wakes it to look again), so that the
 * tests do not take ten times as long when all vCPUs share one CPU.
 */
#ifndef GUEST_TEST_SMP_SMP_H
#define GUEST_TEST_SMP_SMP_H

#include "guest-test/lib/test.h"

#define CPUS 16U            /* at most; as in ap.asm */
#define STACK_SIZE 16384ULL /* as in ap.asm */

/* Registers of the local APIC. */
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_DFR 0xe0
#define APIC_SVR 0xf0
#define APIC_ISR 0x100
#define APIC_IRR 0x200
#define APIC_ESR 0x280
#define APIC_ICR 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_ERROR 0x370
#define APIC_INITIAL 0x380
#define APIC_CURRENT 0x390
#define APIC_DIVIDE 0x3e0

/* [SDM3] "Interrupt Command Register (ICR)" */
#define ICR_LOWEST 0x100U
#define ICR_NMI 0x400U
#define ICR_INIT 0x500U
#define ICR_STARTUP 0x600U
#define ICR_LOGICAL 0x800U
#define ICR_ASSERT 0x4000U
#define ICR_LEVEL 0x8000U
#define ICR_SELF 0x40000U
#define ICR_ALL 0x80000U
#define ICR_OTHERS 0xc0000U

/* Vectors that the library uses itself. */
#define VECTOR_TICK 0xf0
#define VECTOR_WAKE 0xf1

#define BASE_MSR 0x1b
#define BASE_EN (1ULL << 11)
#define BASE_EXTD (1ULL << 10)

struct entry_state {
	uint32_t edx, cs, cr0, esp, cr2, cr3, cr4, efer;
};

extern volatile uint32_t starts[CPUS]; /* how often each came from its start-up vector */
extern volatile struct entry_state entry_state[CPUS];
extern uint8_t ap_start[], ap_end[], ap_stacks[], ap_stacks_end[];

unsigned cpu_count(void);
/* The one that runs this, by its stack. */
unsigned me(void);

/* How often each vector (2: NMI) arrived at each vCPU. */
extern volatile uint32_t got[CPUS][256];
/* Run on the vCPU that it arrived at, before its EOI; NULL = count only. */
extern void (*on_vector[256])(struct frame *f);
void counts_clear(void);

/* The local APIC of this vCPU, in whichever mode it is. */
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t v);
bool apic_x2(void);
void apic_to_x2(void);
/* To xAPIC mode by way of off; enabled again, with a logical id of one bit a vCPU. */
void apic_to_xapic(void);
/* Enable it in software and give it the logical id of flat mode. */
void apic_setup(void);
void ipi(uint32_t icr, uint32_t dest);

/* Where cpus_start() starts them: at 128 KiB, above what the loader made. */
#define START_PAGE 0x20
/* Copy the start-up code to page 'vector'. */
void start_code(uint8_t vector);
/* INIT, and SIPI with the vector; false = it did not start within 200 ms. */
bool cpu_start(unsigned cpu, uint8_t vector);
/* All vCPUs run and sleep (those that do already are left alone). */
void cpus_start(void);

/* Sleep until the condition holds; false after so many milliseconds. */
#define WAIT(cond, ms) \
	({ \
		uint64_t wait_end_ = rdtsc() + (ms) * (tsc_hz() / 1000); \
		bool wait_ok_ = (cond); \
		while (!wait_ok_ && rdtsc() < wait_end_) { \
			nap(); \
			wait_ok_ = (cond); \
		} \
		wait_ok_; \
	})
/* Sleep, interrupts on, until one comes; at most a millisecond. */
void nap(void);

/* Have a vCPU run fn(arg), interrupts off; cpu_done() waits for its end. */
void cpu_run(unsigned cpu, void (*fn)(uint64_t arg), uint64_t arg);
bool cpu_done(unsigned cpu);
/* All but the boot vCPU, and wait for all. */
void others_run(void (*fn)(uint64_t arg), uint64_t arg);
/* The same, and the boot vCPU as well. */
void all_run(void (*fn)(uint64_t arg), uint64_t arg);

#endif
