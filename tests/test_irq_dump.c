// SPDX-License-Identifier: BSD-2-Clause
// Interrupt lines in words, on the machine as it is built.
#include "devices/platform.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"

static struct platform p;
static struct vm *vm;

static void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(64 << 20, 1);
	platform_init(&p);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 0), 0);
	vm->platform_ops->reset(vm);
	fake_log_clear();
}

START_TEST(lines_and_controllers)
{
	struct irq_source extra;

	ck_assert_int_eq(irq_source_init(&extra, &vm->irq, 4, NULL, NULL), 0);
	irq_dump(vm, &out_log);
	ck_assert_uint_eq(fake_log_count("line  4: level 0, 0 of 2 sources up, raised 0 times"), 1);
	ck_assert_uint_eq(fake_log_count("line  9: level 0, 0 of 1 sources up"), 1);
	ck_assert_uint_eq(fake_log_count("line  5"), 0);
	ck_assert_uint_eq(fake_log_count("master IRR"), 1);
	ck_assert_uint_eq(fake_log_count("IOREGSEL"), 1);
	irq_source_pulse(&extra);
	irq_source_set(&extra, true);
	irq_source_set(&p.com1.irq, true); /* the line is up already */
	fake_log_clear();
	irq_dump(vm, &out_log);
	ck_assert_uint_eq(fake_log_count("line  4: level 1, 2 of 2 sources up, raised 2 times"), 1);
	irq_router_reset(&vm->irq);
	fake_log_clear();
	irq_dump(vm, &out_log);
	ck_assert_uint_eq(fake_log_count("line  4: level 0, 0 of 2 sources up, raised 0 times"), 1);
}
END_TEST

UNIT_MAIN("irq_dump", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, lines_and_controllers);)
