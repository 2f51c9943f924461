// SPDX-License-Identifier: BSD-2-Clause
// The tree of devices: every range and line of the machine is some device's; each device's
// registers.
#include "devices/platform.h"
#include "devices/platform_map.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include <stdio.h>
#include <string.h>

static struct platform p;
static struct vm *vm;

static const char *const names[] = {"ioapic", "pci", "host", "isa", "pic", "pit", "rtc", "com1",
        "com2", "i8042", "reset", "debugcon", "post", "iodelay", "fwcfg", "ide", "pm"};

static void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(64 << 20, 1);
	platform_init(&p);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 0), 0);
	vm->platform_ops->reset(vm);
	fake_log_clear();
}

static const char *dump(const char *name)
{
	fake_log_clear();
	ck_assert(vm->platform_ops->dump(vm, name, &out_log));
	return fake_log_text();
}

START_TEST(tree)
{
	const char *text = dump(NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		char word[32];

		snprintf(word, sizeof(word), " %s ", names[i]);
		ck_assert_msg(strstr(text, word) != NULL, "%s in %s", word, text);
	}
	ck_assert_uint_eq(fake_log_count("com1       16550 serial port; ports 3f8-3ff; line 4"), 1);
	ck_assert_uint_eq(fake_log_count("; ports 60 64; line 1 12"), 1);
	ck_assert_uint_eq(fake_log_count("I/O APIC; memory fec00000-fec00fff"), 1);
	/* A second line each at most: the device in short. */
	ck_assert_uint_eq(fake_log_count("IER 00 IIR 01"), 2);
	ck_assert_uint_eq(fake_log_count("FCR"), 0);
}
END_TEST

/* Whatever answers on a bus is told of, where it is. */
START_TEST(no_range_is_missing)
{
	struct io_bus *buses[] = {&vm->pio, &vm->mmio};

	dump(NULL);
	for (unsigned b = 0; b < 2; b++) {
		for (unsigned i = 0; i < buses[b]->n_ranges; i++) {
			const struct io_range *r = buses[b]->ranges[i];
			char word[64];

			snprintf(word, sizeof(word), r->len > 1 ? " %llx-%llx" : " %llx",
			        (unsigned long long)r->base,
			        (unsigned long long)(r->base + r->len - 1));
			ck_assert_msg(fake_log_count(word) >= 1, "%s of %s", word, r->ops->name);
		}
	}
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		char one[16], two[16];

		snprintf(one, sizeof(one), "; line %u", gsi);
		snprintf(two, sizeof(two), "; line %u %u", gsi == 15 ? 14 : 1, gsi);
		ck_assert_msg(vm->irq.lines[gsi].n_sources == 0 || fake_log_count(one) >= 1 ||
		                      fake_log_count(two) >= 1,
		        "line %u", gsi);
	}
}
END_TEST

START_TEST(ranges_that_move)
{
	io_bus_write(&vm->pio, 0xcf8, 4, 0x80003b40);
	io_bus_write(&vm->pio, 0xcfc, 4, 0x601);
	dump("pm");
	ck_assert_uint_eq(fake_log_count("ports 600-63f b2-b3; line 9"), 1);
	ck_assert_uint_eq(fake_log_count("base 0600, PMSTS"), 1);
	io_bus_write(&vm->pio, 0xcf8, 4, 0x80003b80);
	io_bus_write(&vm->pio, 0xcfc, 1, 0);
	dump("pm");
	ck_assert_uint_eq(fake_log_count("600-63f (off) b2-b3"), 1);
}
END_TEST

static const struct {
	const char *name, *line;
} registers[] = {
        {"ioapic", "ID 0, IOREGSEL 00, 0 of 24 entries open"},
        {"pci", "  00:07.3 8086:7113 class 068000 command"},
        {"host", "CONFADD 00000000"},
        {"pic", "  slave : lines 00 ELCR"},
        {"pit", "  counter 2: mode"},
        {"rtc", "  70: "},
        {"com1", "  FCR 00 SCR"},
        {"com2", "  FCR 00 SCR"},
        {"i8042", "  mouse: 0 queued"},
        {"reset", "port 92 02, reset control 00"},
        {"debugcon", "0 bytes of an unfinished line"},
        {"pm", "  GPEN 0000, timer 000000"},
};

START_TEST(one_device)
{
	dump(registers[_i].name);
	ck_assert_msg(fake_log_count(registers[_i].line) == 1, "%s", fake_log_text());
}
END_TEST

START_TEST(what_is_open_is_told)
{
	io_bus_write(&vm->mmio, 0xfec00000, 4, 0x10 + 2 * 4);
	io_bus_write(&vm->mmio, 0xfec00010, 4, 0xa931);
	io_bus_write(&vm->mmio, 0xfec00000, 4, 0x11 + 2 * 4);
	io_bus_write(&vm->mmio, 0xfec00010, 4, 0x03000000);
	dump("ioapic");
	ck_assert_uint_eq(fake_log_count("1 of 24 entries open"), 1);
	ck_assert_uint_eq(
	        fake_log_count("pin  4: open   vector 31 lowest to logical 03, level active low"),
	        1);
}
END_TEST

START_TEST(no_such_device)
{
	ck_assert(!vm->platform_ops->dump(vm, "com3", &out_log));
	ck_assert(!vm->platform_ops->dump(vm, "", &out_log));
	ck_assert(!vm->platform_ops->dump(vm, "testdev", &out_log));
	ck_assert_str_eq(fake_log_text(), "");
}
END_TEST

/* Not in every machine, and in place of the debug port. */
START_TEST(test_devices)
{
	static struct testdev testdev;

	vm = fake_vm(64 << 20, 1);
	platform_init(&p);
	platform_add_testdev(&p, &testdev);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 0), 0);
	dump(NULL);
	ck_assert_uint_eq(
	        fake_log_count("devices for test kernels; ports e0-e3 e4-e7 e8-eb 2000-2017 "
	                       "f4-f7; memory ff000000-ff00ffff"),
	        1);
	ck_assert_uint_eq(fake_log_count("debugcon"), 0);
	ck_assert(!vm->platform_ops->dump(vm, "debugcon", &out_log));
	io_bus_write(&vm->pio, 0xe0, 4, 0x12345678);
	io_bus_write(&vm->pio, 0x2004, 1, 1);
	dump("testdev");
	ck_assert_uint_eq(fake_log_count("register 12345678, lines 000010"), 1);
}
END_TEST

UNIT_MAIN("platform_dump", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, tree);
          tcase_add_test(tc, no_range_is_missing); tcase_add_test(tc, ranges_that_move);
          tcase_add_loop_test(tc, one_device, 0, ARRAY_SIZE(registers));
          tcase_add_test(tc, what_is_open_is_told); tcase_add_test(tc, no_such_device);
          tcase_add_test(tc, test_devices);)
