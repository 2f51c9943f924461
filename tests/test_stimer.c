// SPDX-License-Identifier: BSD-2-Clause
// Synthetic timers: when they expire - never early - and what an expiry is.
#include "hypercall/stimer.h"

#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define SIMP 0x300000ULL
#define SINT 4U
#define SINT_VECTOR 0x70U
#define VECTOR 0xedU
#define DIRECT_CONFIG (HV_STIMER_DIRECT | (uint64_t)VECTOR << HV_STIMER_VECTOR_SHIFT)
#define MESSAGE_CONFIG ((uint64_t)SINT << HV_STIMER_SINT_SHIFT)
#define CONFIG(n) (HV_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n) (HV_MSR_STIMER0_CONFIG + 2 * (n) + 1)
#define TICK 100ULL /* ns in a unit of reference time */

static struct vm *vm;
static struct vcpu *vcpu;

static void wr(uint32_t msr, uint64_t value)
{
	ck_assert_msg(hv_msr_write(vcpu, msr, value), "WRMSR %#x is refused", msr);
}

static void world(uint32_t features)
{
	*fake_caps() = (struct virt_caps){0};
	vm = hv_world(2, features);
	vcpu = vm->vcpus[0];
	wr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	wr(HV_MSR_SIMP, SIMP | 1);
	wr(HV_MSR_SINT0 + SINT, SINT_VECTOR);
}

static void setup(void)
{
	world(ALL);
}

static int interrupt(void)
{
	int vector = lapic_pending(&vcpu->lapic);

	if (vector >= 0) {
		lapic_ack(&vcpu->lapic, (uint8_t)vector);
		lapic_write(&vcpu->lapic, LAPIC_EOI, 0);
	}
	return vector;
}

static uint64_t now(void)
{
	return hv_reference_time(vm);
}

static bool enabled(unsigned n)
{
	return rd(vcpu, CONFIG(n)) & HV_STIMER_ENABLE;
}

static struct hv_message slot(uint32_t sint)
{
	struct hv_message m;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &m, sizeof(m)), 0);
	return m;
}

static void free_slot(uint32_t sint)
{
	uint32_t none = HV_MESSAGE_NONE;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(SIMP + sint * HV_MESSAGE_SIZE), &none, 4), 0);
}

/* The timer message in the slot, which is freed. */
static struct hv_timer_message message(void)
{
	struct hv_message m = slot(SINT);
	struct hv_timer_message t;

	ck_assert_uint_eq(m.type, HV_MESSAGE_TIMER_EXPIRED);
	ck_assert_uint_eq(m.payload_size, sizeof(t));
	ck_assert_uint_eq(m.sender, 0);
	memcpy(&t, m.payload, sizeof(t));
	ck_assert_uint_eq(t.reserved, 0);
	ck_assert_uint_ge(t.delivery_time, t.expiration_time);
	free_slot(SINT);
	return t;
}

/* Reference time at which the next interrupt comes, by steps of less than its unit. */
static uint64_t interrupt_time(uint64_t at_most)
{
	while (now() < at_most) {
		if (interrupt() >= 0) {
			return now();
		}
		fake_clock_advance(37);
	}
	return interrupt() >= 0 ? now() : ~0ULL;
}

/* On time: not before, and no later than the clocks' units and our steps make it. */
static void check_interrupt_at(uint64_t due)
{
	uint64_t at = interrupt_time(due + 10);

	ck_assert_uint_ge(at, due);
	ck_assert_uint_le(at, due + 2);
}

/* --- one-shot --- */

START_TEST(a_shot_in_direct_mode)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	wr(COUNT(0), 1000);
	ck_assert(enabled(0));
	check_interrupt_at(1000);
	ck_assert(!enabled(0));
	ck_assert_uint_eq(rd(vcpu, COUNT(0)), 1000);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* The host's clock and the guest's TSC never agree to the nanosecond; early is wrong always. */
START_TEST(never_early)
{
	uint64_t due;

	fake_clock_advance(_i * 12345);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	for (unsigned i = 1; i < 40; i++) {
		due = now() + i * i;
		wr(COUNT(0), due);
		ck_assert(enabled(0));
		check_interrupt_at(due);
		ck_assert(!enabled(0));
	}
}
END_TEST

START_TEST(in_the_past)
{
	fake_clock_advance(1000 * TICK);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(!enabled(0));
	wr(COUNT(0), now());
	ck_assert_int_eq(interrupt(), VECTOR);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

static const uint64_t far[] = {1ULL << 40, 1ULL << 57, 1ULL << 60, 1ULL << 63, ~0ULL - 1, ~0ULL};

START_TEST(in_the_far_future)
{
	for (unsigned periodic = 0; periodic < 2; periodic++) {
		wr(CONFIG(0),
		        DIRECT_CONFIG | HV_STIMER_ENABLE | (periodic ? HV_STIMER_PERIODIC : 0));
		wr(COUNT(0), far[_i]);
		ck_assert_int_eq(interrupt(), -1);
		fake_clock_advance(3600 * NS_PER_SEC);
		ck_assert_int_eq(interrupt(), -1);
		ck_assert(enabled(0));
	}
}
END_TEST

START_TEST(enabled_after_the_count)
{
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(COUNT(0), 500);
	fake_clock_advance(600 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(count_zero_stops)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	wr(COUNT(0), 0);
	ck_assert(!enabled(0));
	fake_clock_advance(2000 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	/* Enabled with no count it only waits for one. */
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	fake_clock_advance(2000 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(without_auto_enable_a_count_waits)
{
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(COUNT(0), 10);
	ck_assert(!enabled(0));
	fake_clock_advance(100 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(disabled_in_time)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(999 * TICK);
	wr(CONFIG(0), DIRECT_CONFIG);
	fake_clock_advance(999 * TICK);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* --- periodic --- */

START_TEST(periods)
{
	uint64_t start;

	fake_clock_advance(12345678);
	start = now();
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
	wr(COUNT(0), 300);
	for (unsigned i = 1; i < 10; i++) {
		check_interrupt_at(start + i * 300);
	}
	ck_assert(enabled(0));
	ck_assert_uint_eq(rd(vcpu, COUNT(0)), 300);
	wr(COUNT(0), 0);
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* What a guest may ask for at most: a period of 100 ns would leave no time for it. */
START_TEST(a_period_too_short)
{
	unsigned n = 0;

	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
	wr(COUNT(0), 1);
	for (unsigned i = 0; i < 1000; i++) {
		fake_clock_advance(TICK);
		n += interrupt() >= 0;
	}
	ck_assert_uint_ge(n, 4);
	ck_assert_uint_le(n, 6);
}
END_TEST

/* Periods that nobody could use are one expiry, and the phase is kept. */
START_TEST(periods_that_were_missed)
{
	uint64_t start = now();
	uint64_t lazy = _i ? HV_STIMER_LAZY : 0;

	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC | lazy);
	wr(COUNT(0), 1000);
	vcpu->state = VCPU_STOPPED;
	fake_clock_advance(5500 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	vcpu->state = VCPU_RUNNABLE;
	vm->pv->serve(vcpu);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert_int_eq(interrupt(), -1);
	check_interrupt_at(start + 6000);
}
END_TEST

/* --- message mode --- */

START_TEST(a_shot_in_message_mode)
{
	struct hv_timer_message m;

	wr(CONFIG(3), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(3), 1000);
	check_interrupt_at(1000);
	m = message();
	ck_assert_uint_eq(m.timer_index, 3);
	ck_assert_uint_eq(m.expiration_time, 1000);
	ck_assert_uint_le(m.delivery_time, 1001);
	ck_assert(!enabled(3));
}
END_TEST

START_TEST(a_busy_slot)
{
	uint8_t payload = 7;
	struct hv_timer_message m;

	ck_assert_int_eq(synic_post_message(vm, 0, SINT, 1, 5, &payload, 1), 0);
	ck_assert_int_eq(interrupt(), SINT_VECTOR);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(1100 * TICK);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert_uint_eq(slot(SINT).type, 1);
	ck_assert_uint_eq(slot(SINT).flags, HV_MESSAGE_FLAG_PENDING);
	ck_assert(!enabled(0));
	fake_clock_advance(900 * TICK);
	free_slot(SINT);
	wr(HV_MSR_EOM, 0);
	ck_assert_int_eq(interrupt(), SINT_VECTOR);
	m = message();
	ck_assert_uint_eq(m.expiration_time, 1000);
	ck_assert_uint_eq(m.delivery_time, now());
	ck_assert_uint_ge(m.delivery_time, 1999);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
}
END_TEST

/* All four want one slot; periodic ones wait once, not once for each period. */
START_TEST(four_timers_of_one_source)
{
	unsigned seen[HV_STIMER_COUNT] = {0};

	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		wr(CONFIG(i), MESSAGE_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
		wr(COUNT(i), 1000);
	}
	fake_clock_advance(5500 * TICK);
	while (slot(SINT).type != HV_MESSAGE_NONE) {
		seen[message().timer_index]++;
		wr(HV_MSR_EOM, 0);
	}
	/* The first was in the slot since its first period, and has waited for a second time. */
	ck_assert_uint_eq(seen[0], 2);
	for (unsigned i = 1; i < HV_STIMER_COUNT; i++) {
		ck_assert_uint_eq(seen[i], 1);
	}
}
END_TEST

/* An expiry that waits belongs to the timer as it was: set anew, it would come early. */
START_TEST(set_anew_while_an_expiry_waits)
{
	uint8_t payload = 7;

	ck_assert_int_eq(synic_post_message(vm, 0, SINT, 1, 5, &payload, 1), 0);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	wr(COUNT(0), 1000);
	free_slot(SINT);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	fake_clock_advance(1000 * TICK);
	ck_assert_uint_eq(message().expiration_time, 1000);
}
END_TEST

START_TEST(switched_off_while_an_expiry_waits)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED);
	wr(HV_MSR_SINT0, 0x60);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	wr(CONFIG(0), 0);
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(0).type, HV_MESSAGE_NONE);
	wr(HV_MSR_SINT0 + SINT, SINT_VECTOR);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	wr(CONFIG(0), DIRECT_CONFIG);
	wr(HV_MSR_EOM, 0);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(a_message_without_a_source)
{
	wr(CONFIG(0), HV_STIMER_ENABLE);
	ck_assert(!enabled(0)); /* SINT 0: nowhere to send it */
	wr(CONFIG(0), HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 10);
	ck_assert(!enabled(0));
	fake_clock_advance(100 * TICK);
	ck_assert_uint_eq(slot(0).type, HV_MESSAGE_NONE);
}
END_TEST

/* [XSA-472]: an expiry with no message page, or one that goes away, waits for one. */
START_TEST(no_message_page)
{
	static const uint64_t pages[] = {0, 0xfffff000ULL | 1, 1ULL << 40 | 1};

	wr(HV_MSR_SIMP, pages[_i]);
	wr(CONFIG(0), MESSAGE_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	fake_clock_advance(200 * TICK);
	ck_assert(!enabled(0));
	wr(HV_MSR_SIMP, 0);
	wr(HV_MSR_EOM, 0);
	wr(HV_MSR_SIMP, SIMP | 1);
	if (_i == 0) {
		ck_assert_uint_eq(message().expiration_time, 100);
	} else {
		/* It was delivered where nobody looks, over no memory. */
		ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	}
}
END_TEST

/* --- registers, and what else moves --- */

START_TEST(refused_configurations)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t config = DIRECT_CONFIG | BIT64(bit);
		bool known = bit <= 12 || (bit >= 16 && bit <= 19);

		ck_assert_int_eq(hv_msr_write(vcpu, CONFIG(1), config), known);
	}
	wr(CONFIG(1), 0);
	ck_assert(!hv_msr_write(vcpu, CONFIG(1), HV_STIMER_DIRECT | 0x0f << 4));
	ck_assert(!hv_msr_write(vcpu, CONFIG(1), HV_STIMER_DIRECT));
	ck_assert_uint_eq(rd(vcpu, CONFIG(1)), 0);
	wr(CONFIG(1), HV_STIMER_DIRECT | 0x10 << 4);
	/* In message mode the vector means nothing. */
	wr(CONFIG(1), MESSAGE_CONFIG | 0x0f << 4);
	world(ALL & ~(1U << HV_STIMER_DIRECT_MODE));
	ck_assert(!hv_msr_write(vcpu, CONFIG(0), DIRECT_CONFIG));
	wr(CONFIG(0), MESSAGE_CONFIG);
}
END_TEST

START_TEST(an_apic_that_is_off_takes_nothing)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0xff);
	fake_clock_advance(200 * TICK);
	ck_assert(!enabled(0));
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

/* The VM's clock stood still for a second: the host's deadline says nothing any more. */
START_TEST(a_pause)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 1000);
	fake_clock_advance(500 * TICK);
	vcpu->state = VCPU_STOPPED;
	fake_clock_advance(NS_PER_SEC);
	vm->tsc_offset -= NS_PER_SEC;
	vcpu->requests = 0;
	vm->pv->vm_resume(vm);
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_PV));
	vcpu->state = VCPU_RUNNABLE;
	vm->pv->serve(vcpu);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert(enabled(0));
	check_interrupt_at(1000);
}
END_TEST

START_TEST(reset)
{
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		wr(CONFIG(i), DIRECT_CONFIG | HV_STIMER_ENABLE | HV_STIMER_PERIODIC);
		wr(COUNT(i), 1000);
	}
	vm->pv->vcpu_reset(vcpu, false); /* INIT changes nothing */
	ck_assert(enabled(0));
	vm->pv->vcpu_reset(vcpu, true);
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		ck_assert_uint_eq(rd(vcpu, CONFIG(i)), 0);
		ck_assert_uint_eq(rd(vcpu, COUNT(i)), 0);
	}
	fake_clock_advance(NS_PER_SEC);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(each_vcpu_has_its_own)
{
	wr(CONFIG(0), DIRECT_CONFIG | HV_STIMER_AUTO_ENABLE);
	wr(COUNT(0), 100);
	ck_assert_uint_eq(rd(vm->vcpus[1], CONFIG(0)), 0);
	fake_clock_advance(200 * TICK);
	ck_assert_uint_eq(vm->vcpus[1]->lapic.pir_notify, 0);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

UNIT_MAIN(
        "stimer", tcase_add_checked_fixture(tc, setup, NULL);
        tcase_add_test(tc, a_shot_in_direct_mode); tcase_add_loop_test(tc, never_early, 0, 10);
        tcase_add_test(tc, in_the_past);
        tcase_add_loop_test(tc, in_the_far_future, 0, ARRAY_SIZE(far));
        tcase_add_test(tc, enabled_after_the_count); tcase_add_test(tc, count_zero_stops);
        tcase_add_test(tc, without_auto_enable_a_count_waits); tcase_add_test(tc, disabled_in_time);
        tcase_add_test(tc, periods); tcase_add_test(tc, a_period_too_short);
        tcase_add_loop_test(tc, periods_that_were_missed, 0, 2);
        tcase_add_test(tc, a_shot_in_message_mode); tcase_add_test(tc, a_busy_slot);
        tcase_add_test(tc, four_timers_of_one_source);
        tcase_add_test(tc, set_anew_while_an_expiry_waits);
        tcase_add_test(tc, switched_off_while_an_expiry_waits);
        tcase_add_test(tc, a_message_without_a_source);
        tcase_add_loop_test(tc, no_message_page, 0, 3); tcase_add_test(tc, refused_configurations);
        tcase_add_test(tc, an_apic_that_is_off_takes_nothing); tcase_add_test(tc, a_pause);
        tcase_add_test(tc, reset); tcase_add_test(tc, each_vcpu_has_its_own);)
