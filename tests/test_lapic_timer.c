// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's timer in its modes. The fake TSC runs at 1 GHz: one tick a nanosecond.
// Specs: [SDM3] "APIC Timer", "TSC-Deadline Mode".
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"

#define VECTOR 0x40
#define ONE_SHOT VECTOR
#define PERIODIC (1U << 17 | VECTOR)
#define DEADLINE (2U << 17 | VECTOR)
#define BY_1 0xb
#define NOW 5000000ULL

static struct vm *vm;
static struct lapic *apic;

static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	fake_clock_set(NOW);
	vm = fake_vm(1 << 20, 1);
	pcpu_this()->loaded = vm->vcpus[0];
	apic = &vm->vcpus[0]->lapic;
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_write(apic, LAPIC_TIMER_DIVIDE, BY_1);
}

static uint32_t current(void)
{
	return lapic_read(apic, LAPIC_TIMER_CURRENT);
}

/* Did it fire since the last look? */
static bool fired(void)
{
	if (lapic_pending(apic) != VECTOR) {
		return false;
	}
	lapic_ack(apic, VECTOR);
	lapic_write(apic, LAPIC_EOI, 0);
	return true;
}

START_TEST(one_shot)
{
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	ck_assert_uint_eq(current(), 0);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	ck_assert_uint_eq(current(), 100000);
	fake_clock_advance(40000);
	ck_assert_uint_eq(current(), 60000);
	fake_clock_advance(59999);
	ck_assert_uint_eq(current(), 1);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
	ck_assert_uint_eq(current(), 0);
	ck_assert_uint_eq(lapic_read(apic, LAPIC_TIMER_INITIAL), 100000);
	fake_clock_advance(1000000);
	ck_assert(!fired());
}
END_TEST

START_TEST(periodic)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	for (unsigned i = 0; i < 5; i++) {
		fake_clock_advance(99999);
		ck_assert_uint_eq(current(), 1);
		ck_assert(!fired());
		fake_clock_advance(1);
		ck_assert_uint_eq(current(), 100000);
		ck_assert(fired());
	}
	lapic_write(apic, LAPIC_TIMER_INITIAL, 0);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(1000000);
	ck_assert(!fired());
}
END_TEST

/* Nobody stops the timers of a VM that was killed: they end by themselves. */
START_TEST(a_dead_vm_ticks_no_more)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	fake_clock_advance(250000);
	ck_assert(fired());
	vm->vcpus[0]->state = VCPU_STOPPED;
	fake_clock_advance(100000);
	ck_assert(!fired());
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

/* A period that the host cannot follow: fewer interrupts, right counts, bounded work. */
START_TEST(short_period)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 7);
	fake_clock_advance(7);
	ck_assert(fired());
	fake_clock_advance(10);
	ck_assert(!fired());
	ck_assert_uint_eq(current(), 7 - 3);
	fake_clock_advance(20000);
	ck_assert(fired());
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1);
	fake_clock_advance(1000000);
	ck_assert(fired());
	ck_assert_uint_eq(current(), 1);
}
END_TEST

/* --- the VM stops and goes on --- */

/* Stopped for 'ticks', of which all but 'late' do not count. */
static void stop_for(uint64_t ticks, uint64_t late)
{
	struct vcpu *vcpu = vm->vcpus[0];

	vcpu_stop(vcpu);
	fake_clock_advance(ticks);
	ck_assert(!fired());
	vm->paused_ticks = ticks - late;
	ck_assert_uint_eq(vcpu_resume(vcpu), 0);
	fake_clock_advance(0);
}

START_TEST(paused_one_shot)
{
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	fake_clock_advance(40000);
	stop_for(5000000, 0);
	ck_assert_uint_eq(current(), 60000);
	fake_clock_advance(59999);
	ck_assert(!fired());
	stop_for(10, 0); /* at the last moment, and it does not come due by it */
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
	stop_for(1000000, 0);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(1000000);
	ck_assert(!fired());
}
END_TEST

START_TEST(paused_periodic)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	fake_clock_advance(130000);
	ck_assert(fired());
	stop_for(5000000, 0);
	ck_assert_uint_eq(current(), 70000);
	fake_clock_advance(69999);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
	fake_clock_advance(100000);
	ck_assert(fired());
}
END_TEST

START_TEST(paused_deadline)
{
	struct vcpu *vcpu = vm->vcpus[0];
	uint64_t guest_tsc;

	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	vcpu->tsc_offset = 777;
	guest_tsc = clock_tsc() + vcpu->tsc_offset;
	lapic_set_tsc_deadline(apic, guest_tsc + 100000);
	fake_clock_advance(40000);
	stop_for(5000000, 0);
	ck_assert_uint_eq(clock_tsc() + vcpu->tsc_offset, guest_tsc + 40000);
	ck_assert_uint_eq(fake_vcpu(vcpu)->tsc_offset, vcpu->tsc_offset);
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), guest_tsc + 100000);
	fake_clock_advance(59999);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), 0);
}
END_TEST

/* What comes due while the others are still running is late, but not lost; also when there is no
 * pause at all. */
START_TEST(due_while_stopped)
{
	static const uint32_t modes[] = {ONE_SHOT, PERIODIC, DEADLINE};

	lapic_write(apic, LAPIC_LVT_TIMER, modes[_i % 3]);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	lapic_set_tsc_deadline(apic, clock_tsc() + vm->vcpus[0]->tsc_offset + 100000);
	if (_i < 3) {
		stop_for(120000, 120000);
	} else {
		stop_for(5000000, 100000);
	}
	ck_assert(fired());
	ck_assert(!fired());
}
END_TEST

static const struct {
	uint32_t code;
	unsigned by;
} divides[] = {
        {0x0, 2},
        {0x1, 4},
        {0x2, 8},
        {0x3, 16},
        {0x8, 32},
        {0x9, 64},
        {0xa, 128},
        {0xb, 1},
};

START_TEST(divide)
{
	lapic_write(apic, LAPIC_TIMER_DIVIDE, divides[_i].code);
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000);
	fake_clock_advance(100 * divides[_i].by);
	ck_assert_uint_eq(current(), 900);
	fake_clock_advance(900 * divides[_i].by - 1);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
}
END_TEST

START_TEST(divide_while_counting)
{
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000);
	fake_clock_advance(400);
	lapic_write(apic, LAPIC_TIMER_DIVIDE, 0x1);
	ck_assert_uint_eq(current(), 600);
	fake_clock_advance(4 * 600 - 1);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
}
END_TEST

START_TEST(largest_count)
{
	lapic_write(apic, LAPIC_TIMER_DIVIDE, 0xa);
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 0xffffffff);
	fake_clock_advance(0xffffffffULL * 128 - 1);
	ck_assert_uint_eq(current(), 1);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
}
END_TEST

START_TEST(masked_counts_silently)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC | LVT_MASKED);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	fake_clock_advance(150000);
	ck_assert_uint_eq(current(), 50000);
	ck_assert(!fired());
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	fake_clock_advance(50000);
	ck_assert(fired());
}
END_TEST

START_TEST(illegal_vector)
{
	lapic_write(apic, LAPIC_LVT_TIMER, 15);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 10);
	fake_clock_advance(10);
	ck_assert_int_eq(lapic_pending(apic), -1);
	ck_assert_uint_eq(apic->esr_pending, ESR_RECEIVE_ILLEGAL);
}
END_TEST

START_TEST(periodic_to_one_shot_runs_on)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100000);
	fake_clock_advance(150000);
	ck_assert(fired());
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	ck_assert_uint_eq(current(), 50000);
	fake_clock_advance(50000);
	ck_assert(fired());
	fake_clock_advance(1000000);
	ck_assert(!fired());
	/* And one that has run out does not start again by itself. */
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(1000000);
	ck_assert(!fired());
}
END_TEST

START_TEST(deadline)
{
	vm->vcpus[0]->tsc_offset = 1000;
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	lapic_set_tsc_deadline(apic, NOW + 1000 + 500);
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), NOW + 1500);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(499);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), 0);
	fake_clock_advance(100000);
	ck_assert(!fired());
}
END_TEST

START_TEST(deadline_in_the_past)
{
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	lapic_set_tsc_deadline(apic, NOW);
	ck_assert(fired());
	lapic_set_tsc_deadline(apic, 1);
	ck_assert(fired());
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), 0);
	lapic_set_tsc_deadline(apic, NOW + 100);
	lapic_set_tsc_deadline(apic, 0);
	fake_clock_advance(1000);
	ck_assert(!fired());
	lapic_set_tsc_deadline(apic, ~0ULL);
	fake_clock_advance(1000000000ULL);
	ck_assert(!fired());
}
END_TEST

/* A guest whose clock began late must not make the host's sum wrap into the past. */
START_TEST(deadline_beyond_the_end_of_time)
{
	vm->vcpus[0]->tsc_offset = 0 - NOW;
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	lapic_set_tsc_deadline(apic, ~0ULL);
	ck_assert_uint_gt(timer_next_deadline(0), NOW + NS_PER_SEC);
	fake_clock_advance(1000000);
	ck_assert(!fired());
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), ~0ULL);
	lapic_set_tsc_deadline(apic, 1000500);
	fake_clock_advance(500);
	ck_assert(fired());
}
END_TEST

START_TEST(deadline_with_a_negative_offset)
{
	vm->vcpus[0]->tsc_offset = 0 - NOW;
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	lapic_set_tsc_deadline(apic, 300);
	fake_clock_advance(299);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
}
END_TEST

START_TEST(modes_ignore_each_others_registers)
{
	lapic_set_tsc_deadline(apic, NOW + 100);
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), 0);
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 100);
	ck_assert_uint_eq(lapic_read(apic, LAPIC_TIMER_INITIAL), 0);
	fake_clock_advance(1000);
	ck_assert(!fired());
}
END_TEST

START_TEST(mode_change_disarms)
{
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000);
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	fake_clock_advance(2000);
	ck_assert(!fired());
	lapic_set_tsc_deadline(apic, NOW + 5000);
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(5000);
	ck_assert(!fired());
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	ck_assert_uint_eq(lapic_get_tsc_deadline(apic), 0);
	lapic_write(apic, LAPIC_LVT_TIMER, 3U << 17 | VECTOR); /* reserved: nothing runs */
	lapic_set_tsc_deadline(apic, 1);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 10);
	fake_clock_advance(5000);
	ck_assert(!fired());
}
END_TEST

START_TEST(reset_stops)
{
	lapic_write(apic, LAPIC_LVT_TIMER, PERIODIC);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000);
	lapic_reset(apic, false);
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	ck_assert_uint_eq(current(), 0);
	fake_clock_advance(100000);
	ck_assert(!fired());
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000); /* divide by 2 after reset */
	fake_clock_advance(1999);
	ck_assert(!fired());
	fake_clock_advance(1);
	ck_assert(fired());
}
END_TEST

/* Calls that were due when the timer was set anew or stopped. */
START_TEST(stale_calls)
{
	lapic_write(apic, LAPIC_LVT_TIMER, ONE_SHOT);
	lapic_write(apic, LAPIC_TIMER_INITIAL, 1000);
	apic->timer.fn(&apic->timer);
	ck_assert(!fired());
	fake_clock_advance(1000);
	ck_assert(fired());
	apic->timer.fn(&apic->timer);
	ck_assert(!fired());
	lapic_write(apic, LAPIC_LVT_TIMER, DEADLINE);
	apic->timer.fn(&apic->timer);
	ck_assert(!fired());
	lapic_set_tsc_deadline(apic, NOW + 5000);
	apic->timer.fn(&apic->timer);
	ck_assert(!fired());
	fake_clock_advance(5000);
	ck_assert(fired());
}
END_TEST

START_TEST(input_clock)
{
	ck_assert_uint_eq(lapic_timer_hz(), clock_tsc_hz());
}
END_TEST

UNIT_MAIN("lapic_timer", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, one_shot);
          tcase_add_test(tc, paused_one_shot); tcase_add_test(tc, paused_periodic);
          tcase_add_test(tc, paused_deadline); tcase_add_loop_test(tc, due_while_stopped, 0, 6);
          tcase_add_test(tc, periodic); tcase_add_test(tc, a_dead_vm_ticks_no_more);
          tcase_add_test(tc, short_period); tcase_add_loop_test(tc, divide, 0, ARRAY_SIZE(divides));
          tcase_add_test(tc, divide_while_counting); tcase_add_test(tc, largest_count);
          tcase_add_test(tc, masked_counts_silently); tcase_add_test(tc, illegal_vector);
          tcase_add_test(tc, periodic_to_one_shot_runs_on); tcase_add_test(tc, deadline);
          tcase_add_test(tc, deadline_in_the_past);
          tcase_add_test(tc, deadline_beyond_the_end_of_time);
          tcase_add_test(tc, deadline_with_a_negative_offset);
          tcase_add_test(tc, modes_ignore_each_others_registers);
          tcase_add_test(tc, mode_change_disarms); tcase_add_test(tc, reset_stops);
          tcase_add_test(tc, stale_calls); tcase_add_test(tc, input_clock);)
