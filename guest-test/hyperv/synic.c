// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timers in both modes, and the messages that those of message mode bring.
#include "guest-test/hyperv/hyperv.h"

#define V_DIRECT 0xed
#define V_SINT 0x71
#define SINT 4U
#define CONFIG(n) (HV_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_MSR_STIMER0_CONFIG + 2 * (n) + 1)
#define DIRECT ((uint64_t)V_DIRECT << HV_STIMER_VECTOR_SHIFT | HV_STIMER_DIRECT)
#define MESSAGE ((uint64_t)SINT << HV_STIMER_SINT_SHIFT)
#define MS 10000ULL /* in reference time */
#define SHOTS 50U
/* A host that runs on an emulator, with the guest asleep: it must come back in this time. */
#define LATE_MAX (20 * MS)

static volatile struct hv_message *slot(void)
{
	return (volatile struct hv_message *)MESSAGE_PAGE + SINT;
}

static struct hv_timer_message timer_message(void)
{
	struct hv_timer_message m;

	memcpy(&m, (const void *)slot()->payload, sizeof(m));
	return m;
}

static void synic_on(void)
{
	hv_setup();
	counts_clear();
	wrmsr(HV_MSR_SIMP, MESSAGE_PAGE | 1);
	wrmsr(HV_MSR_SIEFP, EVENT_PAGE | 1);
	wrmsr(HV_MSR_SINT0 + SINT, V_SINT);
	wrmsr(HV_MSR_SCONTROL, 1);
}

static void synic_off(void)
{
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		wrmsr(CONFIG(i), 0);
		wrmsr(COUNT(i), 0);
	}
	wrmsr(HV_MSR_SCONTROL, 0);
	wrmsr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED);
	wrmsr(HV_MSR_SIMP, 0);
	wrmsr(HV_MSR_SIEFP, 0);
}

static volatile uint64_t arrived[CPUS];
static uint64_t late_max[CPUS], late_sum[CPUS];

static void note(struct frame *f)
{
	(void)f;
	arrived[me()] = hv_time();
}

/* One-shot timers of this vCPU, asleep meanwhile: never early. */
static void shots(uint64_t n)
{
	unsigned cpu = me();

	late_max[cpu] = late_sum[cpu] = 0;
	wrmsr(CONFIG(0), DIRECT | HV_STIMER_AUTO_ENABLE);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t due = hv_time() + i * i * 20, late;

		wrmsr(COUNT(0), due);
		CHECK(WAIT(got[cpu][V_DIRECT] == i + 1, 500));
		CHECK(arrived[cpu] >= due);
		CHECK_EQ(rdmsr(CONFIG(0)) & HV_STIMER_ENABLE, 0);
		late = arrived[cpu] - due;
		late_sum[cpu] += late;
		late_max[cpu] = late > late_max[cpu] ? late : late_max[cpu];
	}
}

static void tell_late(uint64_t shots_each)
{
	uint64_t max = 0, sum = 0;
	unsigned n = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		max = late_max[cpu] > max ? late_max[cpu] : max;
		sum += late_sum[cpu];
		n += late_sum[cpu] != 0;
	}
	CHECK(max < LATE_MAX);
	info("late at most", max / 10, "us");
	info("late on average", n ? sum * 100 / (shots_each * n) : 0, "ns");
}

TEST(timer_direct)
{
	hv_setup();
	counts_clear();
	on_vector[V_DIRECT] = note;
	shots(SHOTS);
	tell_late(SHOTS);
	wrmsr(COUNT(0), 1); /* in the past: at once */
	CHECK(WAIT(got[0][V_DIRECT] == SHOTS + 1, 100));
	wrmsr(COUNT(0), hv_time() + 3600 * 1000 * MS);
	CHECK(!WAIT(got[0][V_DIRECT] != SHOTS + 1, 5));
	wrmsr(COUNT(0), 0);
	on_vector[V_DIRECT] = NULL;
}

TEST(timer_direct_everywhere)
{
	hv_setup();
	counts_clear();
	on_vector[V_DIRECT] = note;
	all_run(shots, SHOTS);
	tell_late(SHOTS);
	on_vector[V_DIRECT] = NULL;
}

/* All four of a vCPU, set in another order than that in which they are due. */
TEST(timer_four)
{
	static const unsigned order[HV_STIMER_COUNT] = {2, 0, 3, 1};
	uint64_t start;

	hv_setup();
	counts_clear();
	start = hv_time() + 2 * MS;
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		unsigned n = order[i];

		wrmsr(CONFIG(n), (uint64_t)(V_DIRECT - n) << HV_STIMER_VECTOR_SHIFT |
		                         HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE);
		wrmsr(COUNT(n), start + n * MS);
	}
	for (unsigned n = 0; n < HV_STIMER_COUNT; n++) {
		CHECK(WAIT(got[0][V_DIRECT - n] == 1, 500));
		CHECK(hv_time() >= start + n * MS);
		/* The next one is not: unless the host was late by a whole one. */
		CHECK(n == 3 || hv_time() >= start + (n + 1) * MS || !got[0][V_DIRECT - n - 1]);
	}
	for (unsigned n = 0; n < HV_STIMER_COUNT; n++) {
		wrmsr(CONFIG(n), 0);
	}
}

TEST(timer_periodic)
{
	uint64_t start;

	hv_setup();
	counts_clear();
	wrmsr(CONFIG(0), DIRECT | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
	start = hv_time();
	wrmsr(COUNT(0), 2 * MS);
	CHECK(WAIT(got[0][V_DIRECT] >= 10, 1000));
	CHECK(hv_time() - start >= 10 * 2 * MS);
	wrmsr(COUNT(0), 0);
	counts_clear();
	CHECK(!WAIT(got[0][V_DIRECT] != 0, 6));
}

static void on_other(uint64_t arg)
{
	wrmsr(CONFIG(0), DIRECT | HV_STIMER_AUTO_ENABLE);
	wrmsr(COUNT(0), hv_time() + arg);
}

TEST(timer_of_another_vcpu)
{
	hv_setup();
	counts_clear();
	others_run(on_other, 3 * MS);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(WAIT(got[cpu][V_DIRECT] == 1, 500));
	}
	CHECK_EQ(got[0][V_DIRECT], 0);
}

static uint64_t kept[4];

static void set_msrs(uint64_t arg)
{
	(void)arg;
	wrmsr(HV_MSR_SIMP, MESSAGE_PAGE | 1);
	wrmsr(HV_MSR_SINT0 + SINT, V_SINT);
	wrmsr(HV_MSR_SCONTROL, 1);
	wrmsr(CONFIG(1), MESSAGE | HV_STIMER_AUTO_ENABLE);
}

static void see_msrs(uint64_t arg)
{
	(void)arg;
	kept[0] = rdmsr(HV_MSR_SIMP);
	kept[1] = rdmsr(HV_MSR_SINT0 + SINT);
	kept[2] = rdmsr(HV_MSR_SCONTROL);
	kept[3] = rdmsr(CONFIG(1));
	wrmsr(CONFIG(1), 0);
	wrmsr(HV_MSR_SCONTROL, 0);
	wrmsr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED);
	wrmsr(HV_MSR_SIMP, 0);
}

/* INIT leaves synthetic MSRs alone, as it does others. */
TEST(synic_over_init)
{
	hv_setup();
	if (cpu_count() < 2) {
		skip("one vCPU");
		return;
	}
	cpu_run(1, set_msrs, 0);
	CHECK(cpu_done(1));
	CHECK(cpu_start(1, START_PAGE));
	cpu_run(1, see_msrs, 0);
	CHECK(cpu_done(1));
	CHECK_EQ(kept[0], MESSAGE_PAGE | 1);
	CHECK_EQ(kept[1], V_SINT);
	CHECK_EQ(kept[2], 1);
	CHECK_EQ(kept[3], MESSAGE | HV_STIMER_AUTO_ENABLE);
}

TEST(timer_messages)
{
	uint64_t due;

	synic_on();
	wrmsr(CONFIG(1), MESSAGE | HV_STIMER_AUTO_ENABLE);
	for (uint32_t i = 0; i < 10; i++) {
		struct hv_timer_message m;

		due = hv_time() + i * MS / 4;
		wrmsr(COUNT(1), due);
		CHECK(WAIT(got[0][V_SINT] == i + 1, 500));
		CHECK_EQ(slot()->type, HV_MESSAGE_TIMER_EXPIRED);
		CHECK_EQ(slot()->payload_size, sizeof(m));
		m = timer_message();
		CHECK_EQ(m.timer_index, 1);
		CHECK_EQ(m.expiration_time, due);
		CHECK(m.delivery_time >= due && m.delivery_time <= hv_time());
		slot()->type = HV_MESSAGE_NONE;
		wrmsr(HV_MSR_EOM, 0);
	}
	synic_off();
}

/* Two timers, one slot: the second waits until the first is taken, by EOM or by EOI. */
TEST(timer_busy_slot)
{
	for (unsigned by_eoi = 0; by_eoi < 2; by_eoi++) {
		uint32_t first;

		synic_on();
		wrmsr(CONFIG(0), MESSAGE | HV_STIMER_AUTO_ENABLE);
		wrmsr(CONFIG(1), MESSAGE | HV_STIMER_AUTO_ENABLE);
		wrmsr(COUNT(0), 1);
		wrmsr(COUNT(1), 1);
		/* Interrupts are off: the first interrupt is pending still. */
		CHECK_EQ(slot()->type, HV_MESSAGE_TIMER_EXPIRED);
		CHECK_EQ(slot()->flags & HV_MESSAGE_FLAG_PENDING, HV_MESSAGE_FLAG_PENDING);
		first = timer_message().timer_index;
		slot()->type = HV_MESSAGE_NONE;
		if (!by_eoi) {
			wrmsr(HV_MSR_EOM, 0);
			CHECK_EQ(slot()->type, HV_MESSAGE_TIMER_EXPIRED);
		}
		CHECK(WAIT(got[0][V_SINT] >= 1 && slot()->type == HV_MESSAGE_TIMER_EXPIRED, 500));
		CHECK_EQ(timer_message().timer_index, 1 - first);
		CHECK_EQ(slot()->flags & HV_MESSAGE_FLAG_PENDING, 0);
		slot()->type = HV_MESSAGE_NONE;
		synic_off();
	}
}

TEST(timer_masked_source)
{
	synic_on();
	wrmsr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED | V_SINT);
	wrmsr(CONFIG(0), MESSAGE | HV_STIMER_AUTO_ENABLE);
	wrmsr(COUNT(0), 1);
	CHECK(!WAIT(got[0][V_SINT] != 0, 3));
	CHECK_EQ(slot()->type, HV_MESSAGE_NONE);
	wrmsr(HV_MSR_SINT0 + SINT, V_SINT);
	CHECK(WAIT(got[0][V_SINT] == 1, 100));
	CHECK_EQ(slot()->type, HV_MESSAGE_TIMER_EXPIRED);
	synic_off();
}

/* Last by its name: from here on this vCPU's interrupts end in software. */
TEST(z_auto_eoi)
{
	synic_on();
	wrmsr(HV_MSR_SINT0 + SINT, HV_SINT_AUTO_EOI | V_SINT);
	trap_first = NULL; /* no EOI */
	irq_setup(V_SINT, EOI_NONE, NULL);
	wrmsr(CONFIG(0), MESSAGE | HV_STIMER_AUTO_ENABLE);
	for (uint32_t i = 1; i < 4; i++) {
		wrmsr(COUNT(0), 1);
		CHECK(wait_for(&irq_count[V_SINT], i, 100000));
		CHECK_EQ(apic_read(APIC_ISR + V_SINT / 32 * 16), 0);
		slot()->type = HV_MESSAGE_NONE;
		wrmsr(HV_MSR_EOM, 0);
	}
	synic_off();
}
