// SPDX-License-Identifier: BSD-2-Clause
// The APIC timer's three modes: never early, how late, and what its registers say meanwhile.
// Specs: [SDM3] "APIC Timer", "TSC-Deadline Mode".
#include "guest-test/lib/test.h"

#define VECTOR 0x70
#define LVT (LAPIC_BASE + 0x320)
#define INITIAL (LAPIC_BASE + 0x380)
#define CURRENT (LAPIC_BASE + 0x390)
#define DIVIDE (LAPIC_BASE + 0x3e0)
#define MASKED 0x10000U
#define PERIODIC 0x20000U
#define DEADLINE 0x40000U
#define MSR_DEADLINE 0x6e0

static volatile uint64_t when;

static void stamp(struct frame *f)
{
	(void)f;
	when = rdtsc();
}

static void prepare(uint32_t lvt)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, stamp);
	mmio_w32(LVT, lvt | VECTOR);
	mmio_w32(DIVIDE, 0xb); /* by 1 */
}

static void finish(void)
{
	mmio_w32(LVT, MASKED | VECTOR);
	mmio_w32(INITIAL, 0);
}

/* Ticks of the timer a second: CPUID leaf 0x15 gives them; here it must be the TSC's rate. */
static uint64_t timer_hz(void)
{
	struct cpuid r = cpuid(0x15, 0);

	return cpuid(0, 0).a >= 0x15 && r.c ? r.c : tsc_hz();
}

TEST(lapic_timer_one_shot)
{
	static const uint32_t us[] = {20, 100, 1000, 20000};
	uint64_t worst = 0;

	prepare(0);
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t hz = timer_hz(), count = hz * us[i] / 1000000;
		uint64_t ticks = count * tsc_hz() / hz, t0 = rdtsc();

		mmio_w32(INITIAL, (uint32_t)count);
		while (irq_count[VECTOR] <= i) {
			sti_hlt();
		}
		CHECK(when - t0 >= ticks);
		worst = when - t0 - ticks > worst ? when - t0 - ticks : worst;
		CHECK_EQ(mmio_r32(CURRENT), 0);
		CHECK_EQ(mmio_r32(INITIAL), (uint32_t)count);
	}
	info("late at most", worst, "ticks");
	CHECK(worst < tsc_hz() / 2000);
	/* Once means once. */
	CHECK(!wait_for(&irq_count[VECTOR], 5, 2000));
	finish();
}

/* The same while the guest is busy: nothing but the timer ends its loop. */
TEST(lapic_timer_busy)
{
	uint64_t worst = 0, ticks = tsc_hz() / 1000;

	prepare(DEADLINE);
	for (uint32_t i = 1; i <= 5; i++) {
		uint64_t deadline = rdtsc() + ticks;

		wrmsr(MSR_DEADLINE, deadline);
		CHECK(wait_for(&irq_count[VECTOR], i, 20000));
		CHECK(when >= deadline);
		worst = when - deadline > worst ? when - deadline : worst;
	}
	info("late at most", worst, "ticks");
	CHECK(worst < tsc_hz() / 2000);
	finish();
}

TEST(lapic_timer_periodic)
{
	uint64_t hz = timer_hz(), period = tsc_hz() / 500, first, last;
	uint32_t count = (uint32_t)(hz / 500);

	prepare(PERIODIC);
	first = rdtsc();
	mmio_w32(INITIAL, count);
	for (uint32_t i = 1; i <= 20; i++) {
		while (irq_count[VECTOR] < i) {
			sti_hlt();
		}
		/* None is early, and lateness does not add up. */
		CHECK(when >= first + i * period);
		CHECK(when < first + i * period + tsc_hz() / 2000);
	}
	last = when;
	info("twenty periods of 2 ms", (last - first) * 1000000 / tsc_hz(), "us");
	CHECK(mmio_r32(CURRENT) > 0);
	mmio_w32(INITIAL, 0);
	CHECK(!wait_for(&irq_count[VECTOR], 22, 5000));
	finish();
}

TEST(lapic_timer_deadline)
{
	uint64_t worst = 0;

	prepare(DEADLINE);
	for (uint32_t i = 1; i <= 10; i++) {
		uint64_t deadline = rdtsc() + i * i * tsc_hz() / 50000;

		wrmsr(MSR_DEADLINE, deadline);
		CHECK_EQ(rdmsr(MSR_DEADLINE), deadline);
		while (irq_count[VECTOR] < i) {
			sti_hlt();
		}
		CHECK(when >= deadline);
		worst = when - deadline > worst ? when - deadline : worst;
		CHECK_EQ(rdmsr(MSR_DEADLINE), 0); /* spent */
	}
	info("late at most", worst, "ticks");
	CHECK(worst < tsc_hz() / 2000);
	/* In the past: at once. Zero: never. */
	wrmsr(MSR_DEADLINE, 1);
	CHECK(wait_for(&irq_count[VECTOR], 11, 100));
	wrmsr(MSR_DEADLINE, rdtsc() + tsc_hz() / 1000);
	wrmsr(MSR_DEADLINE, 0);
	CHECK(!wait_for(&irq_count[VECTOR], 12, 3000));
	/* The count does nothing in this mode. */
	mmio_w32(INITIAL, 1000);
	CHECK_EQ(mmio_r32(CURRENT), 0);
	/* Leaving the mode disarms. */
	wrmsr(MSR_DEADLINE, rdtsc() + tsc_hz() / 1000);
	mmio_w32(LVT, VECTOR);
	CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	CHECK(!wait_for(&irq_count[VECTOR], 12, 3000));
	/* And in another mode the register ignores writes. */
	wrmsr(MSR_DEADLINE, rdtsc() + 1000);
	CHECK_EQ(rdmsr(MSR_DEADLINE), 0);
	finish();
}

/* The TSC moved under an armed deadline: the deadline is a number of the TSC's. */
TEST(lapic_timer_deadline_moves)
{
	uint64_t deadline, adjust = rdmsr(0x3b);

	prepare(DEADLINE);
	deadline = rdtsc() + tsc_hz();
	wrmsr(MSR_DEADLINE, deadline);
	wrmsr(0x3b, adjust + tsc_hz() - tsc_hz() / 500);
	while (irq_count[VECTOR] < 1) {
		sti_hlt();
	}
	CHECK(when >= deadline && when < deadline + tsc_hz() / 1000);
	wrmsr(0x3b, adjust);
	finish();
}

TEST(lapic_timer_current_count)
{
	uint32_t last, n = 0;

	prepare(MASKED);
	mmio_w32(INITIAL, 10000000);
	last = mmio_r32(CURRENT);
	CHECK(last <= 10000000 && last > 9000000);
	for (unsigned i = 0; i < 500; i++) {
		uint32_t now = mmio_r32(CURRENT);

		CHECK(now <= last);
		n += now < last;
		last = now;
	}
	CHECK(n > 100);
	/* Divided by 16: a sixteenth of the speed. */
	mmio_w32(INITIAL, 0);
	mmio_w32(DIVIDE, 3);
	mmio_w32(INITIAL, 0x80000000);
	delay_us(10000);
	last = 0x80000000U - mmio_r32(CURRENT);
	CHECK(last > timer_hz() / 100 / 16 && last < timer_hz() / 100 / 16 * 11 / 10);
	mmio_w32(INITIAL, 0);
	CHECK_EQ(mmio_r32(CURRENT), 0);
	finish();
}

TEST(lapic_timer_masked)
{
	prepare(MASKED);
	mmio_w32(INITIAL, (uint32_t)(timer_hz() / 2000));
	CHECK(!wait_for(&irq_count[VECTOR], 1, 2000));
	CHECK_EQ(mmio_r32(CURRENT), 0);
	mmio_w32(LVT, VECTOR); /* too late for the one that ended */
	CHECK(!wait_for(&irq_count[VECTOR], 1, 2000));
	finish();
}

TEST(lapic_timer_x2apic)
{
	uint64_t base = rdmsr(0x1b), deadline;

	prepare(0);
	wrmsr(0x1b, base | 1U << 10);
	wrmsr(0x838, timer_hz() / 1000);
	CHECK(rdmsr(0x839) > 0);
	while (irq_count[VECTOR] < 1) {
		sti_hlt();
	}
	CHECK_EQ(rdmsr(0x839), 0);
	wrmsr(0x832, DEADLINE | VECTOR);
	deadline = rdtsc() + tsc_hz() / 1000;
	wrmsr(MSR_DEADLINE, deadline);
	while (irq_count[VECTOR] < 2) {
		sti_hlt();
	}
	CHECK(when >= deadline && when < deadline + tsc_hz() / 2000);
	wrmsr(0x832, MASKED | VECTOR);
	wrmsr(0x1b, base & ~0xc00ULL);
	wrmsr(0x1b, base);
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
}
