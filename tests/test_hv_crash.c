// SPDX-License-Identifier: BSD-2-Clause
// Crash reports: parameters, and a text wherever the guest says it is.
#include "tests/hv_msr_world.h"

static void crash(uint64_t at, uint64_t len)
{
	wr(HV_MSR_CRASH_P0 + 3, at);
	wr(HV_MSR_CRASH_P0 + 4, len);
	wr(HV_MSR_CRASH_CTL, HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE);
}

static void put(const void *text, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(TEXT_AT), text, len), 0);
}

START_TEST(crash_parameters)
{
	ck_assert_uint_eq(rd(vcpu, HV_MSR_CRASH_CTL), 3ULL << 62);
	for (unsigned i = 0; i < 5; i++) {
		wr(HV_MSR_CRASH_P0 + i, 0x1000 + i);
		ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_CRASH_P0 + i), 0x1000 + i);
	}
	wr(HV_MSR_CRASH_CTL, 0);
	ck_assert_uint_eq(fake_log_count("panic"), 0);
	wr(HV_MSR_CRASH_CTL, HV_CRASH_CTL_NOTIFY);
	ck_assert_uint_eq(fake_log_count("the guest reports a panic on vCPU 0: 0x1000 0x1001 "
	                                 "0x1002 0x1003 0x1004"),
	        1);
	vm->pv->vm_reset(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_CRASH_P0), 0);
}
END_TEST

START_TEST(crash_message)
{
	static const char text[] = "Kernel panic\n\n<0>\x1b[2Jtwo\rthree\x80\n\0 behind the end";

	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	ck_assert_uint_eq(fake_log_count("fake: | Kernel panic"), 1);
	/* Nothing that a terminal would act on. */
	ck_assert_uint_eq(fake_log_count("fake: | <0>.[2Jtwo.three."), 1);
	ck_assert_ptr_null(strchr(fake_log_text(), '\x1b'));
	ck_assert_uint_eq(fake_log_count("behind the end"), 0);
	ck_assert_uint_eq(fake_log_count("| "), 2);
}
END_TEST

START_TEST(crash_message_of_one_long_line)
{
	static char text[8192];

	memset(text, 'x', sizeof(text));
	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	/* A page at most, in lines that the log takes. */
	ck_assert_uint_eq(fake_log_count("| xxx"), (4096 + 159) / 160);
	ck_assert_uint_eq(fake_log_count("xxx..."), 0);
}
END_TEST

START_TEST(crash_message_of_many_lines)
{
	static char text[4096];

	memset(text, '\n', sizeof(text));
	for (unsigned i = 0; i < sizeof(text); i += 2) {
		text[i] = 'y';
	}
	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	ck_assert_uint_ge(fake_log_count("| y"), 100);
	ck_assert_uint_le(fake_log_count("| y"), 128);
}
END_TEST

static const struct {
	uint64_t at, len;
} nowhere[] = {{WORLD_MEM - 8, 16}, {WORLD_MEM, 1}, {~0ULL - 4, 100}, {~0ULL, ~0ULL}, {0xa0000, 1}};

START_TEST(crash_message_that_is_not_there)
{
	crash(nowhere[_i].at, nowhere[_i].len);
	ck_assert_uint_eq(fake_log_count("its message is not in memory"), 1);
	ck_assert_uint_eq(fake_log_count("| "), 0);
}
END_TEST

START_TEST(crash_message_of_nothing)
{
	crash(0, 0);
	ck_assert_uint_eq(fake_log_count("reports a panic"), 1);
	ck_assert_uint_eq(fake_log_count("| "), 0);
	ck_assert_uint_eq(fake_log_count("not in memory"), 0);
}
END_TEST

/* A guest that panics for ever, and resets itself in between, cannot fill the log. */
START_TEST(crashes_without_end)
{
	unsigned lines;

	put("one line\n", 10);
	for (unsigned i = 0; i < 10000; i++) {
		crash(TEXT_AT, 10);
		if (i % 3 == 0) {
			vm->pv->vm_reset(vm);
		}
	}
	ck_assert_uint_le(fake_log_count("one line"), 4);
	lines = fake_log_count("fake: ");
	ck_assert_uint_le(lines, 40);
	/* An hour later one is news again. */
	fake_clock_advance(3600 * NS_PER_SEC);
	fake_log_clear();
	crash(TEXT_AT, 10);
	ck_assert_uint_eq(fake_log_count("one line"), 1);
}
END_TEST

UNIT_MAIN("hv_crash", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, crash_parameters); tcase_add_test(tc, crash_message);
          tcase_add_test(tc, crash_message_of_one_long_line);
          tcase_add_test(tc, crash_message_of_many_lines);
          tcase_add_loop_test(tc, crash_message_that_is_not_there, 0, ARRAY_SIZE(nowhere));
          tcase_add_test(tc, crash_message_of_nothing); tcase_add_test(tc, crashes_without_end);)
