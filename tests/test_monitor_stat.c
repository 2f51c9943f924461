// SPDX-License-Identifier: BSD-2-Clause
// The monitor's `stat`: one VM, all, followed; rates, and samples that grow old.
#include "tests/monitor_cmds_world.h"

static void work(unsigned times)
{
	for (unsigned i = 0; i < 2; i++) {
		struct vcpu_stats *s = &vm->vcpus[i]->stats;

		s->exit_count[EXIT_HLT] += 100 * times;
		s->exit_ticks[EXIT_HLT] += 10000 * times;
		s->exit_count[EXIT_IO] += 300 * times;
		s->exit_ticks[EXIT_IO] += 6 * MS * times;
		s->loop_ticks += (31 * MS + 10000) * times;
		s->halted_ticks += 50 * MS * times;
	}
	wait_ns += 10 * MS * times;
}

START_TEST(stat_of_one)
{
	work(7);
	sample_start();
	work(1);
	idle_ns = 350 * MS;
	fake_clock_advance(500 * MS);
	ask("stat debian");
	ck_assert_str_eq(text,
	        "vm: debian\n"
	        "time now: guest 5.0%, host 1.2%, halted 10.0%, waiting 2.0%\n"
	        "ticks: guest 400000000, host 96160000, halted 800000000\n"
	        "machine: 10500000000 ticks, CPUs idle 350000000\n"
	        "exit                  count      per s share%          ticks       each\n"
	        "io                     4800       1200   75.0       96000000      20000\n"
	        "hlt                    1600        400   25.0         160000        100\n"
	        "all                    6400       1600  100.0       96160000      15025\n");
	SAYS("stat debian other", "error: usage: stat [-f] [VM]\n");
	HAS("stat nobody", "error: there is no VM 'nobody'");
}
END_TEST

START_TEST(stat_of_all)
{
	work(1);
	fake_clock_advance(500 * MS);
	/* Asleep since a while: counted although it has not ended. */
	vm->vcpus[1]->state = VCPU_HALTED;
	vm->vcpus[1]->halted_tsc = clock_tsc() - 100 * MS;
	ask("stat");
	ck_assert_str_eq(text, "name                    exits      per s  guest%   host% halted%  "
	                       "waits% ticks/exit\n"
	                       "debian                    800       1600     5.0     1.2    20.0   "
	                       "  2.0      15025\n"
	                       "other                       0          0       -       -       -   "
	                       "    -          0\n");
}
END_TEST

START_TEST(stat_follows)
{
	work(3);
	SAYS("stat debian -f", "");
	ck_assert_uint_eq(interval, NS_PER_SEC);
	ck_assert(until_key);
	work(1);
	fake_clock_advance(1000 * MS);
	ck_assert(!repeated(&out));
	ck_assert_ptr_nonnull(strstr(
	        text, "vm: debian\ntime: guest 2.5%, host 0.6%, halted 5.0%, waiting 1.0%\n"));
	ck_assert_ptr_nonnull(strstr(text,
	        "\nall                     800        800  100.0       12020000      15025\n"));
	n_text = 0;
	fake_clock_advance(1000 * MS);
	ck_assert(!repeated(&out));
	ck_assert_str_eq(text,
	        "vm: debian\ntime: guest 0.0%, host 0.0%, halted 0.0%, waiting 0.0%\n"
	        "exit                  count      per s share%          ticks       each\n"
	        "all                       0          0      -              0          0\n");
}
END_TEST

START_TEST(rates)
{
	ck_assert_uint_eq(sample_per_second(100, NS_PER_SEC), 100);
	ck_assert_uint_eq(sample_per_second(100, 0), 0);
	ck_assert_uint_eq(sample_per_second(996, 10 * NS_PER_SEC), 100);
	ck_assert_uint_eq(sample_per_second(1ULL << 60, 1ULL << 50) >> 39, 1);
	ck_assert_str_eq(sample_percent(1, 3).text, "33.3");
	ck_assert_str_eq(sample_percent(1, 0).text, "-");
	ck_assert_str_eq(sample_percent(1ULL << 62, 1ULL << 63).text, "50.0");
	ck_assert_str_eq(
	        sample_percent(UINT64_MAX, 1).text, "0.0"); /* no division by what is lost */
}
END_TEST

START_TEST(samples_grow_old)
{
	sample_start();
	ck_assert_ptr_null(sample_base());
	fake_clock_advance(249 * MS);
	ck_assert_ptr_null(sample_base());
	fake_clock_advance(1 * MS);
	ck_assert_ptr_nonnull(sample_base());
	for (unsigned i = 0; i < 40; i++) {
		uint64_t age;

		fake_clock_advance(333 * MS);
		age = clock_now() - sample_base()->ns;
		ck_assert_uint_ge(age, 250 * MS);
		ck_assert_uint_le(age, 1250 * MS);
	}
	sample_stop();
	ck_assert_ptr_null(sample_base());
	fake_clock_advance(5000 * MS);
	ck_assert_ptr_null(sample_base());
}
END_TEST

UNIT_MAIN("monitor_stat", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, stat_of_one); tcase_add_test(tc, stat_of_all);
          tcase_add_test(tc, stat_follows); tcase_add_test(tc, rates);
          tcase_add_test(tc, samples_grow_old);)
