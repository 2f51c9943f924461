// SPDX-License-Identifier: BSD-2-Clause
// One time for all vCPUs: the TSC, and every local APIC's timer at once.
// Specs: [SDM3] "Time-Stamp Counter", "APIC Timer".
#include "guest-test/smp/smp.h"

#define V 0x63
#define V_TIMER 0x64
#define MSR_TSC_ADJUST 0x3b
#define MSR_TSC_DEADLINE 0x6e0
#define ROUNDS 40U

static volatile uint64_t stamp[CPUS];
static volatile uint64_t adjust[CPUS];

static void take_stamp(struct frame *f)
{
	(void)f;
	stamp[me()] = rdtsc();
}

/* What a vCPU reads when an IPI arrives lies between the sender's reading before and after. */
TEST(time_tsc_same)
{
	uint64_t behind = 0, ahead = 0;

	cpus_start();
	on_vector[V] = take_stamp;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			uint64_t before, after;

			stamp[cpu] = 0;
			before = rdtsc();
			ipi(ICR_ASSERT | V, cpu);
			CHECK(WAIT(stamp[cpu] != 0, 500));
			after = rdtsc();
			if (stamp[cpu] < before && before - stamp[cpu] > behind) {
				behind = before - stamp[cpu];
			}
			if (stamp[cpu] > after && stamp[cpu] - after > ahead) {
				ahead = stamp[cpu] - after;
			}
		}
	}
	on_vector[V] = NULL;
	CHECK_EQ(behind, 0);
	CHECK_EQ(ahead, 0);
}

static void say_adjust(uint64_t arg)
{
	(void)arg;
	adjust[me()] = rdmsr(MSR_TSC_ADJUST);
}

TEST(time_tsc_adjust_zero)
{
	cpus_start();
	all_run(say_adjust, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(adjust[cpu], 0);
	}
}

/* A lock handed round: whoever has it never sees an earlier time than the one before it did. */
static volatile uint32_t turn;
static volatile uint64_t last_seen;
static volatile uint32_t backwards;

static void pass_on(uint64_t rounds)
{
	unsigned cpu = me(), n = cpu_count();

	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t now;

		if (!WAIT(turn % n == cpu, 1000)) {
			backwards++; /* the others have given up */
			return;
		}
		now = rdtsc();
		if (now < last_seen) {
			backwards++;
		}
		last_seen = now;
		turn++;
		ipi(ICR_ASSERT | V, (cpu + 1) % n);
	}
}

TEST(time_tsc_monotonic)
{
	cpus_start();
	turn = 0;
	last_seen = 0;
	backwards = 0;
	all_run(pass_on, ROUNDS);
	CHECK_EQ(backwards, 0);
	CHECK_EQ(turn, ROUNDS * cpu_count());
}

#define TICKS 10U
#define PERIOD_US 2000U

static volatile uint64_t first_tick[CPUS], last_tick[CPUS];

static void note_tick(struct frame *f)
{
	(void)f;
	if (got[me()][V_TIMER] == 1) {
		first_tick[me()] = rdtsc();
	}
	last_tick[me()] = rdtsc();
}

static void deadline_again(struct frame *f)
{
	note_tick(f);
	if (got[me()][V_TIMER] < TICKS) {
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + PERIOD_US * (tsc_hz() / 1000000));
	}
}

static void one_shot_again(struct frame *f)
{
	note_tick(f);
	if (got[me()][V_TIMER] < TICKS) {
		apic_write(APIC_INITIAL, (uint32_t)(PERIOD_US * (tsc_hz() / 1000000)));
	}
}

enum timer_kind { ONE_SHOT, PERIODIC, DEADLINE };

static void run_timer(uint64_t mode)
{
	unsigned cpu = me();
	uint64_t end = rdtsc() + tsc_hz();

	apic_write(APIC_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, (uint32_t)(mode << 17 | V_TIMER));
	if (mode == DEADLINE) {
		__asm__ volatile("mfence" : : : "memory");
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + PERIOD_US * (tsc_hz() / 1000000));
	} else {
		apic_write(APIC_INITIAL, (uint32_t)(PERIOD_US * (tsc_hz() / 1000000)));
	}
	while (got[cpu][V_TIMER] < TICKS && rdtsc() < end) {
		sti_hlt();
	}
	apic_write(APIC_LVT_TIMER, 0x10000);
	apic_write(APIC_INITIAL, 0);
}

/* All at once; each has its ticks, none early. */
static void timers(enum timer_kind mode, void (*handler)(struct frame *f))
{
	const uint64_t period = PERIOD_US * (tsc_hz() / 1000000);

	cpus_start();
	counts_clear();
	on_vector[V_TIMER] = handler;
	all_run(run_timer, mode);
	on_vector[V_TIMER] = NULL;
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		/* A periodic one may tick once more before it is stopped. */
		CHECK(got[cpu][V_TIMER] >= TICKS && got[cpu][V_TIMER] <= TICKS + 1);
		/* A periodic one that came late has the next one sooner. */
		CHECK(last_tick[cpu] - first_tick[cpu] >= (TICKS - 2) * period);
	}
}

TEST(time_timers_one_shot)
{
	timers(ONE_SHOT, one_shot_again);
}

TEST(time_timers_periodic)
{
	timers(PERIODIC, note_tick);
}

TEST(time_timers_deadline)
{
	if (!(cpuid(1, 0).c & 1U << 24)) {
		skip("no TSC deadline");
		return;
	}
	timers(DEADLINE, deadline_again);
}
