// SPDX-License-Identifier: BSD-2-Clause
// Two vCPUs: an interrupt from one to the other, and handing over a CPU that both share. The last
// table: both are in x2APIC mode, and the second one sleeps whenever it has nothing to do.
#include "guest-test/latency/bench.h"
#include "guest-test/smp/smp.h"

#define STAMP_VECTOR 0x51U /* as in second.asm */
#define REPLY_VECTOR 0x50U
#define MSR_ICR 0x830U
#define TO_SECOND (1ULL << 32 | ICR_ASSERT)

void irq_stamp(void);
void irq_reply(void);
extern volatile uint32_t stamp;

/* From the write to the ICR to the first instruction of the other one's handler, which was asleep.
 */
static uint32_t sample_ipi(void)
{
	uint32_t start;

	stamp = 0;
	start = ticks();
	wrmsr(MSR_ICR, TO_SECOND | STAMP_VECTOR);
	while (!stamp) {
	}
	return stamp - start;
}

/* There and back, each asleep while the other runs. */
SAMPLE(round_trip, wrmsr(MSR_ICR, TO_SECOND | STAMP_VECTOR); sti_hlt())

static void sleep_for_ever(uint64_t arg)
{
	(void)arg;
	apic_to_x2();
	for (;;) {
		sti_hlt();
	}
}

static const char *start_second(void)
{
	static bool started;

	if (cpu_count() < 2) {
		return "one vCPU";
	}
	if (!started) {
		started = true;
		apic_to_x2(); /* the rows before these may have gone there already */
		cpus_start();
		cpu_run(1, sleep_for_ever, 0);
		delay_us(10000);
	}
	return NULL;
}

static const char *setup_ipi(void)
{
	const char *why = start_second();

	if (!why) {
		set_gate(STAMP_VECTOR, irq_stamp);
	}
	return why;
}

static const char *setup_round_trip(void)
{
	const char *why = start_second();

	if (!why) {
		set_gate(STAMP_VECTOR, irq_reply);
		set_gate(REPLY_VECTOR, irq_x2apic);
	}
	return why;
}

static const struct bench rows[] = {
        {"ipi-to-sleeper", setup_ipi, sample_ipi, NULL},
        {"ipi-round-trip", setup_round_trip, sample_round_trip, NULL},
};
const struct bench_table second_table = BENCH_TABLE(rows);
