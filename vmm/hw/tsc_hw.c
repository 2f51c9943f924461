// SPDX-License-Identifier: BSD-2-Clause
// The host's clock: the time-stamp counter, measured at boot.
// Specs: [8254] "Mode 0: Interrupt on Terminal Count"; [ACPI] "Power Management Timer";
// [SDM2] "CPUID" (leaf 15H).
#include "vmm/hw/clock.h"
#include "vmm/hw/clock_calc.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/err.h"
#include "vmm/lib/log.h"

#define PIT_HZ 1193182ULL
#define PIT_CH2 0x42
#define PIT_COMMAND 0x43
#define PORT_61 0x61
#define PORT_61_GATE2 0x01
#define PORT_61_SPEAKER 0x02
#define PORT_61_OUT2 0x20
#define PIT_COUNT 47727U /* 40 ms */

#define PM_HZ 3579545ULL
#define PM_MASK 0xffffffU /* 24 bits wide at least */
#define PM_TICKS 143182U  /* 40 ms */

/* A reference that has not answered by then is not there: ticks, and reads of it. */
#define GIVE_UP_TICKS (1ULL << 31)
#define GIVE_UP_READS 20000000U
/* Runs, and when one of them is good enough to stop: uncertainty in parts per million. */
#define MAX_RUNS 3U
#define GOOD_PPM 20U

static struct clock_scale scale;
static uint64_t base_tsc;
static const char *source_name = "none";
static uint64_t wall_seconds, wall_tsc;

/* One run: ticks of the TSC, of the reference, and how far off the first may be. */
struct run {
	uint64_t ticks, ref_ticks, uncertain;
};

static bool pit_run(struct run *r)
{
	uint8_t gate = (uint8_t)((cpu_in8(PORT_61) & ~PORT_61_SPEAKER) | PORT_61_GATE2);
	uint64_t start0, start, before, now;

	cpu_out8(PORT_61, gate);
	/* Channel 2, low then high byte, mode 0: OUT is low until the count is over. */
	cpu_out8(PIT_COMMAND, 0xb0);
	cpu_out8(PIT_CH2, PIT_COUNT & 0xff);
	start0 = cpu_rdtsc();
	cpu_out8(PIT_CH2, PIT_COUNT >> 8); /* starts it */
	start = now = cpu_rdtsc();
	if (cpu_in8(PORT_61) & PORT_61_OUT2) {
		return false;
	}
	for (unsigned reads = 0; reads < GIVE_UP_READS; reads++) {
		before = now;
		if (cpu_in8(PORT_61) & PORT_61_OUT2) {
			now = cpu_rdtsc();
			/* From the middle of the start to the middle of the last read. */
			r->ticks = before + (now - before) / 2 - (start0 + (start - start0) / 2);
			r->ref_ticks = PIT_COUNT + 1; /* loading takes one */
			r->uncertain = (start - start0) / 2 + (now - before) / 2;
			return true;
		}
		now = cpu_rdtsc();
		if (now - start > GIVE_UP_TICKS) {
			return false;
		}
	}
	return false;
}

static bool pm_run(struct run *r, uint16_t port)
{
	uint64_t start0 = cpu_rdtsc();
	uint32_t first = cpu_in32(port);
	uint64_t start = cpu_rdtsc(), before, now = start;

	for (unsigned reads = 0; reads < GIVE_UP_READS; reads++) {
		uint32_t passed = (cpu_in32(port) - first) & PM_MASK;

		before = now;
		now = cpu_rdtsc();
		if (passed >= PM_TICKS) {
			r->ticks = before + (now - before) / 2 - (start0 + (start - start0) / 2);
			r->ref_ticks = passed;
			r->uncertain = (start - start0) / 2 + (now - before) / 2;
			return passed < 100 * PM_TICKS; /* a port that floats jumps about */
		}
		if (now - start > GIVE_UP_TICKS) {
			return false;
		}
	}
	return false;
}

/* The best of a few runs; port 0 = the PIT. 0 = no answer. */
static uint64_t measure(uint16_t pm_port)
{
	uint64_t hz = 0, best = UINT64_MAX;

	for (unsigned i = 0; i < MAX_RUNS; i++) {
		struct run r;

		if (!(pm_port ? pm_run(&r, pm_port) : pit_run(&r))) {
			break;
		}
		if (r.uncertain < best) {
			best = r.uncertain;
			hz = clock_measured_hz(r.ticks, r.ref_ticks, pm_port ? PM_HZ : PIT_HZ);
		}
		if (r.uncertain <= r.ticks / (1000000 / GOOD_PPM)) {
			break;
		}
	}
	return hz;
}

int clock_init(uint16_t pm_timer_port)
{
	uint64_t cpuid_hz = 0, pit_hz = measure(0), pm_hz = 0, hz;

	if (!pit_hz && pm_timer_port) {
		pm_hz = measure(pm_timer_port);
	}
	if (cpu_cpuid(0, 0).eax >= 0x15) {
		struct cpuid_regs r = cpu_cpuid(0x15, 0);

		cpuid_hz = clock_cpuid_hz(r.eax, r.ebx, r.ecx);
	}
	hz = clock_choose(pit_hz, pm_hz, cpuid_hz, &source_name);
	if (!clock_scale_init(&scale, hz)) {
		return -ENODEV;
	}
	base_tsc = cpu_rdtsc();
	return 0;
}

uint64_t clock_tsc_hz(void)
{
	return scale.hz;
}

const char *clock_source_name(void)
{
	return source_name;
}

uint64_t clock_tsc(void)
{
	return cpu_rdtsc();
}

uint64_t clock_now(void)
{
	return clock_tsc_to_ns(cpu_rdtsc());
}

uint64_t clock_tsc_to_ns(uint64_t tsc)
{
	return tsc > base_tsc ? clock_scale_ns(&scale, tsc - base_tsc) : 0;
}

uint64_t clock_ns_to_tsc(uint64_t ns)
{
	/* "Never" stays never, also where the counter is slower than a nanosecond. */
	uint64_t ticks = ns == UINT64_MAX ? UINT64_MAX : clock_scale_ticks(&scale, ns);

	return ticks > UINT64_MAX - base_tsc ? UINT64_MAX : base_tsc + ticks;
}

void clock_set_wall(uint64_t seconds, uint64_t at_tsc)
{
	wall_seconds = seconds;
	wall_tsc = at_tsc;
}

uint64_t clock_wall_ns(void)
{
	if (wall_seconds == 0) {
		return 0;
	}
	return wall_seconds * NS_PER_SEC + clock_scale_ns(&scale, cpu_rdtsc() - wall_tsc);
}

uint64_t clock_wall_seconds(void)
{
	return clock_wall_ns() / NS_PER_SEC;
}

void clock_delay_us(uint64_t us)
{
	uint64_t start = cpu_rdtsc(), ticks = clock_scale_ticks(&scale, us * 1000);

	while (cpu_rdtsc() - start < ticks) {
		cpu_pause();
	}
}

uint64_t log_clock_ns(void)
{
	return scale.hz ? clock_now() : 0;
}
