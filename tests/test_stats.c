// SPDX-License-Identifier: BSD-2-Clause
// The table a VM prints at its end: sums, shares, nothing for what did not happen.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include <string.h>

static struct vm *vm;
static struct vcpu_stats *s;

static void setup(void)
{
	vm = fake_vm(SIZE_2M, 2);
	s = &vm->vcpus[0]->stats;
	fake_log_clear();
}

START_TEST(table)
{
	s->exit_count[EXIT_CPUID] = 3;
	s->exit_ticks[EXIT_CPUID] = 3000;
	s->exit_count[EXIT_IO] = 1;
	s->exit_ticks[EXIT_IO] = 1001;
	s->exit_count[EXIT_FAILED] = 4; /* the last kind */
	s->loop_ticks = 12003 + 4001;
	s->halted_ticks = 77;
	s->injected_interrupts = 5;
	s->injected_exceptions = 6;
	vm->vcpus[0]->sched.stats = (struct sched_stats){
	        .run_ns = 7999999, .wait_ns = 1000000, .switches = 12, .migrations = 4};
	stats_log(vm);
	ck_assert_uint_eq(
	        fake_log_count("ran 7 ms, waited for a CPU 1 ms; loaded 12 times, moved 4 "
	                       "times"),
	        1);
	ck_assert_uint_eq(fake_log_count("vm fake vCPU 0: 8 exits; ticks: guest 12003, host 4001 "
	                                 "(25.0 %)"),
	        1);
	ck_assert_uint_eq(fake_log_count("asleep in HLT: 77 ticks"), 1);
	ck_assert_uint_eq(fake_log_count("injection: 5, exceptions: 6"), 1);
	ck_assert_uint_eq(
	        fake_log_count("  cpuid                     3    37.5%           3000       1000"),
	        1);
	ck_assert_uint_eq(fake_log_count("  io                        1    12.5%"), 1);
	ck_assert_uint_eq(fake_log_count("  failed                    4    50.0%"), 1);
	ck_assert_uint_eq(fake_log_count("  rdmsr "), 0);
	/* Every vCPU has its own; this one did nothing at all. */
	ck_assert_uint_eq(fake_log_count("vCPU 1: 0 exits; ticks: guest 0, host 0 (0.0 %)"), 1);
}
END_TEST

/* A VM that ran for years: shares stay right where a thousandfold would not fit 64 bits. */
START_TEST(large_numbers)
{
	s->exit_count[EXIT_HLT] = 1ULL << 60;
	s->exit_ticks[EXIT_HLT] = 1ULL << 62;
	s->exit_count[EXIT_IO] = 1ULL << 60;
	s->loop_ticks = 2ULL << 62;
	stats_log(vm);
	ck_assert_uint_eq(fake_log_count("(50.0 %)"), 1);
	ck_assert_uint_eq(fake_log_count("50.0%"), 2);
}
END_TEST

START_TEST(sum_of_exits)
{
	ck_assert_uint_eq(stats_exits(vm), 0);
	s->exit_count[0] = 1;
	s->exit_count[EXIT_KIND_COUNT - 1] = 1ULL << 40;
	vm->vcpus[1]->stats.exit_count[EXIT_IO] = 16;
	ck_assert_uint_eq(stats_exits(vm), (1ULL << 40) + 17);
}
END_TEST

/* In the loop, the time until the last exit counts, and not what that one has taken so far. */
START_TEST(guest_ticks)
{
	struct vcpu *vcpu = vm->vcpus[0];

	s->loop_ticks = 5000;
	s->exit_ticks[EXIT_IO] = 1000;
	ck_assert_uint_eq(stats_guest_ticks(vcpu), 4000);
	s->loop_since = 100000;
	vcpu->exit_tsc = 100300;
	ck_assert_uint_eq(stats_guest_ticks(vcpu), 4300);
	s->loop_ticks = 0;
	ck_assert_uint_eq(stats_guest_ticks(vcpu), 0);
}
END_TEST

UNIT_MAIN("stats", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, table);
          tcase_add_test(tc, large_numbers); tcase_add_test(tc, sum_of_exits);
          tcase_add_test(tc, guest_ticks);)
