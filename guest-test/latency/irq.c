// SPDX-License-Identifier: BSD-2-Clause
// The local APIC: registers, self-IPIs, its timer, and waking from HLT. xAPIC rows come first: the
// way to x2APIC is one-way.
// Specs: [SDM3] "Local APIC", "Extended XAPIC (x2APIC)", "TSC-Deadline Mode".
#include "guest-test/latency/bench.h"

#define MSR_APIC_BASE 0x1bU
#define MSR_TSC_DEADLINE 0x6e0U
#define MSR_X2APIC 0x800U
#define REG_VERSION 0x30U
#define REG_EOI 0xb0U
#define REG_ICR 0x300U
#define REG_LVT_TIMER 0x320U
#define REG_TIMER_COUNT 0x380U
#define REG_TIMER_DIVIDE 0x3e0U
#define REG_SELF_IPI 0x3f0U
#define ICR_SELF 0x44000U /* shorthand self, assert, fixed */
#define LVT_DEADLINE 0x40000U
#define DIVIDE_BY_1 0xbU
#define VECTOR 0x50U
#define SOON 5000U          /* ticks; a deadline that HLT is reached before */
#define FAR 0x1000000000ULL /* ticks; a deadline that is not reached */

static uint64_t far;

static bool x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) >> 10 & 1;
}

static uint32_t x2apic_msr(uint32_t reg)
{
	return MSR_X2APIC + (reg >> 4);
}

static inline void wait_irq(uint32_t before)
{
	while (irq_seen == before) {
	}
}

SAMPLE(xapic_read, mmio_r32(LAPIC_BASE + REG_VERSION))
SAMPLE(xapic_eoi, mmio_w32(LAPIC_BASE + REG_EOI, 0))
SAMPLE(x2apic_read, rdmsr(x2apic_msr(REG_VERSION)))
SAMPLE(x2apic_eoi, wrmsr(x2apic_msr(REG_EOI), 0))

/* From here on with interrupts on, from setup to teardown, but for the HLT ones. */
SAMPLE(xapic_ipi, uint32_t seen = irq_seen; mmio_w32(LAPIC_BASE + REG_ICR, ICR_SELF | VECTOR);
        wait_irq(seen))
SAMPLE(x2apic_ipi, uint32_t seen = irq_seen; wrmsr(x2apic_msr(REG_ICR), ICR_SELF | VECTOR);
        wait_irq(seen))
SAMPLE(self_ipi, uint32_t seen = irq_seen; wrmsr(x2apic_msr(REG_SELF_IPI), VECTOR); wait_irq(seen))
SAMPLE(timer, uint32_t seen = irq_seen; wrmsr(x2apic_msr(REG_TIMER_COUNT), 1); wait_irq(seen))
SAMPLE(deadline, uint32_t seen = irq_seen; wrmsr(MSR_TSC_DEADLINE, 1); wait_irq(seen))
SAMPLE(deadline_set, wrmsr(MSR_TSC_DEADLINE, far))
/* Interrupts on for the NOP alone: the interrupt waits, and has to be let in. */
SAMPLE(masked_ipi, wrmsr(x2apic_msr(REG_ICR), ICR_SELF | VECTOR); __asm__ volatile("sti; nop; cli"
                                                                                   :
                                                                                   :
                                                                                   : "memory"))
SAMPLE(hlt_ipi, wrmsr(x2apic_msr(REG_ICR), ICR_SELF | VECTOR); sti_hlt())

/* From the deadline itself to the instruction after HLT. */
static uint32_t sample_hlt_deadline(void)
{
	uint64_t deadline = rdtsc() + SOON;

	wrmsr(MSR_TSC_DEADLINE, deadline);
	sti_hlt();
	return ticks() - (uint32_t)deadline;
}

static const char *setup_xapic(void)
{
	if (x2apic()) {
		return "already in x2APIC mode";
	}
	set_gate(VECTOR, irq_xapic);
	return NULL;
}

static const char *setup_xapic_on(void)
{
	const char *why = setup_xapic();

	if (!why) {
		sti();
	}
	return why;
}

static const char *setup_x2apic(void)
{
	if (!(cpuid(1, 0).c & 1U << 21)) {
		return "no x2APIC";
	}
	if (!x2apic()) {
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 3U << 10);
	}
	set_gate(VECTOR, irq_x2apic);
	return NULL;
}

static const char *setup_x2apic_on(void)
{
	const char *why = setup_x2apic();

	if (!why) {
		sti();
	}
	return why;
}

static const char *setup_timer(void)
{
	const char *why = setup_x2apic();

	if (!why) {
		wrmsr(x2apic_msr(REG_LVT_TIMER), VECTOR);
		wrmsr(x2apic_msr(REG_TIMER_DIVIDE), DIVIDE_BY_1);
		sti();
	}
	return why;
}

static const char *setup_deadline(void)
{
	const char *why = setup_x2apic();

	if (!why && !(cpuid(1, 0).c & 1U << 24)) {
		why = "no TSC-deadline timer";
	}
	if (!why) {
		wrmsr(x2apic_msr(REG_LVT_TIMER), LVT_DEADLINE | VECTOR);
		far = rdtsc() + FAR;
	}
	return why;
}

static const char *setup_deadline_on(void)
{
	const char *why = setup_deadline();

	if (!why) {
		sti();
	}
	return why;
}

static void teardown(void)
{
	cli();
}

static const struct bench rows[] = {
        {"xapic-read", setup_xapic, sample_xapic_read, NULL},
        {"xapic-eoi", setup_xapic, sample_xapic_eoi, NULL},
        {"xapic-self-ipi", setup_xapic_on, sample_xapic_ipi, teardown},
        {"x2apic-read", setup_x2apic, sample_x2apic_read, NULL},
        {"x2apic-eoi", setup_x2apic, sample_x2apic_eoi, NULL},
        {"x2apic-self-ipi-icr", setup_x2apic_on, sample_x2apic_ipi, teardown},
        {"x2apic-self-ipi-register", setup_x2apic_on, sample_self_ipi, teardown},
        {"x2apic-self-ipi-masked", setup_x2apic, sample_masked_ipi, NULL},
        {"hlt-self-ipi", setup_x2apic, sample_hlt_ipi, NULL},
        {"lapic-timer-one-tick", setup_timer, sample_timer, teardown},
        {"tsc-deadline-set", setup_deadline, sample_deadline_set, NULL},
        {"tsc-deadline-past", setup_deadline_on, sample_deadline, teardown},
        {"hlt-tsc-deadline", setup_deadline, sample_hlt_deadline, NULL},
};
const struct bench_table irq_table = BENCH_TABLE(rows);
