// SPDX-License-Identifier: BSD-2-Clause
// fw_cfg by command: what one can ask, hostile ones too, and transfers that take their time.
#include "tests/fw_cfg_world.h"

static uint8_t big[3 * FW_CFG_DMA_NOW];

START_TEST(read_goes_on_where_it_was)
{
	uint8_t got[8];

	fill(BUF, 0xaa, 16);
	ck_assert_uint_eq(command(SELECT, 0, 0), 0);
	ck_assert_uint_eq(command(READ, 2, BUF), 0);
	peek(BUF, got, 3);
	ck_assert_mem_eq(got, "QE\xaa", 3);
	/* One offset for both interfaces; behind the end are zeros. */
	ck_assert_uint_eq(in(DATA, 1), 'M');
	ck_assert_uint_eq(command(READ, 3, BUF), 0);
	peek(BUF, got, 4);
	ck_assert_mem_eq(got, "U\0\0\xaa", 4);
	ck_assert_uint_eq(command(READ, 3, BUF), 0);
	ck_assert(all(BUF, 0, 3));
}
END_TEST

START_TEST(skip)
{
	ck_assert_uint_eq(command(SELECT | SKIP, 3, ~0ULL), 0);
	ck_assert_uint_eq(next(2), 'U');
	ck_assert_uint_eq(command(SELECT | SKIP, 0xffffffff, 0), 0);
	ck_assert_uint_eq(command(SKIP, 0xffffffff, 0), 0);
	ck_assert_uint_eq(next(2), 0);
	/* Reading wins over writing, writing over skipping. */
	ck_assert_uint_eq(command(SELECT | SKIP | READ | WRITE, 1, BUF), 0);
	ck_assert_uint_eq(next(1), 'E');
	ck_assert_uint_eq(command(SELECT | SKIP | WRITE, 1, BUF), ERROR);
	ck_assert_uint_eq(next(1), 'Q');
	/* Nothing at all is no error. */
	ck_assert_uint_eq(command(0, 100, 0), 0);
	ck_assert_uint_eq(command(0xffe0, 100, 0), 0);
	ck_assert_uint_eq(next(1), 'E');
}
END_TEST

START_TEST(every_item_is_read_only)
{
	fill(BUF, 0x55, 16);
	ck_assert_uint_eq(command(SELECT | WRITE | 0x50000, 2, BUF), ERROR);
	ck_assert_uint_eq(command(SELECT | WRITE | 0x40050000, 2, BUF), ERROR);
	ck_assert_uint_eq(command(SELECT | WRITE | 0xffff0000, 0, BUF), ERROR);
	ck_assert_uint_eq(item(5, 2), 3);
	/* The error bit is an answer, not a question. */
	ck_assert_uint_eq(command(SELECT | READ | ERROR, 4, BUF), 0);
}
END_TEST

START_TEST(address_of_a_command)
{
	uint32_t c[4] = {
	        __builtin_bswap32(SELECT | READ), __builtin_bswap32(4), 0, __builtin_bswap32(BUF)};

	fake_clock_set(0);
	vm = fake_vm(GMEM_LOW_MAX + (4U << 20), 1);
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), 0);
	/* At 4 GiB + 0x1000, which needs both halves, the high one first. */
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x100001000ULL), c, sizeof(c)), 0);
	out(DMA_HIGH, 4, __builtin_bswap32(1));
	out(DMA_LOW, 4, __builtin_bswap32(0x1000));
	ck_assert_uint_eq(control_at(0x100001000ULL), 0);
	/* The register is 0 again: the next command is below 4 GiB. */
	ck_assert_uint_eq(command(SELECT | READ, 4, 0x100002000ULL), 0);
	peek(0x100002000ULL, c, 4);
	ck_assert_mem_eq(c, "QEMU", 4);
	/* Other widths do nothing. */
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(CMD), "\0\0\0\x08", 4), 0);
	out(DMA_LOW, 2, 0x80);
	out(DMA_LOW + 3, 1, 0x80);
	out(DMA_LOW + 2, 2, 0x80);
	out(DMA_HIGH + 2, 4, 0x80);
	ck_assert_uint_eq(control_at(CMD), SELECT);
}
END_TEST

START_TEST(command_outside_memory)
{
	static const uint64_t at[] = {VGA, VGA - 8, MEM, MEM - 15, 0xfffffff0, 0xffffffff};

	fill(VGA - 16, 0xff, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		fake_log_clear();
		out(DMA_LOW, 4, __builtin_bswap32((uint32_t)at[i]));
		ck_assert_uint_eq(fake_log_count("fw_cfg: no memory at"), 1);
	}
	out(DMA_HIGH, 4, 0xffffffff);
	out(DMA_LOW, 4, 0xf8ffffff); /* the structure wraps */
	ck_assert(all(VGA - 16, 0xff, 16));
	/* The last 16 bytes of memory are fine. */
	command_at(MEM - 16, SELECT, 0, 0);
	ck_assert_uint_eq(control_at(MEM - 16), 0);
}
END_TEST

START_TEST(target_outside_memory)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} targets[] = {
	        {VGA, 1},
	        {VGA - 1, 2},
	        {MEM - 3, 4},
	        {MEM, 0xffffffff},
	        {0, 0xffffffff},
	        {VGA + 0x20000, MEM},
	        {~0ULL, 1},
	        {~0ULL - 3, 16},
	        {1ULL << 63, 4},
	};

	fill(VGA - 16, 0xaa, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		ck_assert_msg(command(SELECT | READ, targets[i].len, targets[i].at) == ERROR,
		        "row %u", i);
		/* Not a byte of it was written, and the offset is where it was. */
		ck_assert(all(VGA - 16, 0xaa, 16));
		ck_assert_uint_eq(next(1), 'Q');
		ck_assert(!f.s.busy);
	}
	/* No bytes fit everywhere. */
	ck_assert_uint_eq(command(READ, 0, VGA), 0);
}
END_TEST

/* The command may lie in its own target: the answer comes last. */
START_TEST(command_in_its_target)
{
	uint8_t got[8];

	ck_assert_uint_eq(command(SELECT | READ, 4, CMD), 0);
	ck_assert_uint_eq(command(SELECT | READ, 4, CMD + 4), 0);
	peek(CMD, got, 8);
	ck_assert_mem_eq(got, "\0\0\0\0QEMU", 8);
}
END_TEST

static void add_big(void)
{
	for (unsigned i = 0; i < sizeof(big); i++) {
		big[i] = (uint8_t)(i * 7 + (i >> 8) * 3 + 1);
	}
	ck_assert_int_eq(fw_cfg_add_file(&f, "a", big, sizeof(big)), 0);
}

#define BIG_TO (1U << 20)
#define BIG_EXTRA 1000U

/* More than a vCPU waits for: in steps, in time, and not a byte twice. */
START_TEST(long_transfer)
{
	static uint8_t got[sizeof(big) + BIG_EXTRA];
	unsigned steps = (sizeof(got) - FW_CFG_DMA_NOW + FW_CFG_DMA_STEP - 1) / FW_CFG_DMA_STEP;

	add_big();
	fill(BIG_TO, 0xaa, sizeof(got));
	ck_assert_uint_eq(
	        command(SELECT | READ | 0x200000, sizeof(got), BIG_TO), SELECT | READ | 0x200000);
	/* The first part is there, the next byte is not. */
	peek(BIG_TO, got, FW_CFG_DMA_NOW + 1);
	ck_assert_mem_eq(got, big, FW_CFG_DMA_NOW);
	ck_assert_uint_eq(got[FW_CFG_DMA_NOW], 0xaa);
	/* The offset is where it will be. */
	ck_assert_uint_eq(next(1), 0);
	/* Nobody else gets in. */
	command_at(CMD + 16, SELECT | READ, 4, BUF);
	ck_assert_uint_eq(control_at(CMD + 16), ERROR);
	/* The ports work, and change nothing of it. */
	ck_assert_uint_eq(item(0, 4), 0x554d4551);
	fake_clock_advance((steps - 1) * (uint64_t)FW_CFG_DMA_STEP_NS);
	ck_assert_uint_ne(control_at(CMD), 0);
	/* What the guest does to its command meanwhile is not looked at. */
	fill(CMD, 0xff, 16);
	fake_clock_advance(FW_CFG_DMA_STEP_NS);
	ck_assert_uint_eq(control_at(CMD), 0);
	peek(BIG_TO, got, sizeof(got));
	ck_assert_mem_eq(got, big, sizeof(big));
	ck_assert(all(BIG_TO + sizeof(big), 0, BIG_EXTRA));
	ck_assert(all(BIG_TO + sizeof(got), 0, 1));
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	ck_assert_uint_eq(command(SELECT | READ, 4, BUF), 0);
}
END_TEST

START_TEST(exactly_what_a_vcpu_waits_for)
{
	add_big();
	ck_assert_uint_eq(command(SELECT | READ | 0x200000, FW_CFG_DMA_NOW, BIG_TO), 0);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	ck_assert_uint_eq(next(1), big[FW_CFG_DMA_NOW]);
}
END_TEST

START_TEST(reset_ends_a_transfer)
{
	add_big();
	ck_assert_uint_ne(command(SELECT | READ | 0x200000, sizeof(big), BIG_TO), 0);
	fw_cfg_quiesce(&f);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	fw_cfg_reset(&f);
	fill(CMD, 0x11, 16);
	fill(BIG_TO, 0xaa, sizeof(big));
	fake_clock_advance(1000 * MS);
	ck_assert(all(BIG_TO, 0xaa, sizeof(big)));
	ck_assert_uint_eq(control_at(CMD), 0x11111111);
	ck_assert_uint_eq(next(1), 'Q');
	/* High half written, then a reset: gone, too. */
	out(DMA_HIGH, 4, 0xffffffff);
	fw_cfg_reset(&f);
	ck_assert_uint_eq(command(SELECT, 0, 0), 0);
}
END_TEST

UNIT_MAIN("fw_cfg_dma", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, read_goes_on_where_it_was); tcase_add_test(tc, skip);
          tcase_add_test(tc, every_item_is_read_only); tcase_add_test(tc, address_of_a_command);
          tcase_add_test(tc, command_outside_memory); tcase_add_test(tc, target_outside_memory);
          tcase_add_test(tc, command_in_its_target); tcase_add_test(tc, long_transfer);
          tcase_add_test(tc, exactly_what_a_vcpu_waits_for);
          tcase_add_test(tc, reset_ends_a_transfer);)
