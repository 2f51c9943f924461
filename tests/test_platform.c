// SPDX-License-Identifier: BSD-2-Clause
// The whole machine on a fake VM: everything is where docs/hardware.md says, and resets.
#include "devices/platform.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include "vmm/vm_guest.h"
#include <string.h>

static struct vm *vm;
static struct platform p;

static void setup(void)
{
	fake_clock_set(0);
	fake_vm_requests = 0;
	vm = fake_vm(64 << 20, 2);
	platform_init(&p);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 1767323045), 0);
	vm->platform_ops->reset(vm);
}

static uint32_t in(unsigned port, unsigned width)
{
	return (uint32_t)io_bus_read(&vm->pio, port, width);
}

static void out(unsigned port, unsigned width, uint32_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

/* The port map. */
static const struct {
	uint16_t first, last;
} claimed[] = {
        {0x20, 0x21},
        {0x40, 0x43},
        {0x60, 0x61},
        {0x64, 0x64},
        {0x70, 0x71},
        {0x80, 0x8f},
        {0x92, 0x92},
        {0xa0, 0xa1},
        {0xb2, 0xb3},
        {0xe9, 0xe9},
        {0xed, 0xed},
        {0x170, 0x177},
        {0x1f0, 0x1f7},
        {0x2f8, 0x2ff},
        {0x376, 0x376},
        {0x3f6, 0x3f6},
        {0x3f8, 0x3ff},
        {0x400, 0x43f},
        {0x4d0, 0x4d1},
        {0x510, 0x511},
        {0x514, 0x51b},
        {0xcf8, 0xcff},
        {0xffa0, 0xffaf},
};

/* And with testdev = on. */
static const struct {
	uint16_t first, last;
} claimed_too[] = {
        {0xe0, 0xeb},
        {0xf4, 0xf7},
        {0x2000, 0x2017},
};

static bool is_claimed(unsigned port, bool testdev)
{
	for (unsigned i = 0; i < ARRAY_SIZE(claimed); i++) {
		if (port >= claimed[i].first && port <= claimed[i].last) {
			return true;
		}
	}
	for (unsigned i = 0; testdev && i < ARRAY_SIZE(claimed_too); i++) {
		if (port >= claimed_too[i].first && port <= claimed_too[i].last) {
			return true;
		}
	}
	return false;
}

static void check_port_map(bool testdev)
{
	for (unsigned port = 0; port <= 0xffff; port++) {
		ck_assert_msg(io_bus_claims(&vm->pio, port, 1) == is_claimed(port, testdev),
		        "port %x", port);
	}
	ck_assert(io_bus_claims(&vm->mmio, 0xff000000, 8) == testdev);
	ck_assert(io_bus_claims(&vm->mmio, 0xff00fff8, 8) == testdev);
}

START_TEST(port_map)
{
	check_port_map(false);
	ck_assert(io_bus_claims(&vm->mmio, 0xfec00000, 4));
	ck_assert(io_bus_claims(&vm->mmio, 0xfec00010, 4));
	ck_assert(!io_bus_claims(&vm->mmio, 0xfee00000, 4));
	ck_assert(!io_bus_claims(&vm->mmio, 0xa0000, 4));
}
END_TEST

/* What the machine says of itself after reset. */
static const struct {
	uint16_t port;
	uint8_t width;
	uint32_t value;
} reads[] = {
        {0x80, 1, 0xff},
        {0x87, 1, 0xff}, /* no DMA controller: Linux looks here */
        {0xed, 1, 0xff},
        {0xe9, 1, 0xe9},
        {0x64, 1, 0x14},
        {0x92, 1, 0x02},
        {0xcf8, 4, 0},
        {0xcf9, 1, 0},
        {0x400, 2, 0},
        {0x404, 2, 0},
        {0x1f7, 1, 0x7f}, /* no drives */
        {0x376, 1, 0x7f},
        {0xffa2, 1, 0},
        {0x3fd, 1, 0x60},
        {0x2fd, 1, 0x60},
};

START_TEST(power_on_values)
{
	ck_assert_uint_eq(in(reads[_i].port, reads[_i].width), reads[_i].value);
}
END_TEST

START_TEST(pci_functions)
{
	static const struct {
		uint8_t slot, fn;
		uint32_t id;
	} functions[] = {
	        {0, 0, 0x71928086}, {7, 0, 0x71108086}, {7, 1, 0x71118086}, {7, 3, 0x71138086}};
	unsigned n = 0;

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		out(0xcf8, 4, 0x80000000U | devfn << 8);
		uint32_t id = in(0xcfc, 4);

		if (id == 0xffffffff) {
			continue;
		}
		ck_assert_uint_lt(n, ARRAY_SIZE(functions));
		ck_assert_uint_eq(devfn, (unsigned)PCI_DEVFN(functions[n].slot, functions[n].fn));
		ck_assert_uint_eq(id, functions[n].id);
		n++;
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(functions));
}
END_TEST

START_TEST(ways_to_reset_and_stop)
{
	switch (_i) {
	case 0:
		out(0xcf9, 1, 6); /* the FADT's */
		break;
	case 1:
		out(0x92, 1, 1);
		break;
	case 2:
		out(0x64, 1, 0xfe);
		break;
	case 3:
		out(0x404, 2, 0x2000);
		break;
	}
	ck_assert_uint_eq(fake_vm_requests, BIT(_i == 3 ? VM_REQ_POWEROFF : VM_REQ_RESET));
}
END_TEST

/* Plain comparison: state without pointers that differ, the wiring stays anyway. */
START_TEST(reset_is_idempotent)
{
	static struct platform first;
	unsigned seed = 0x9c;

	memcpy(&first, &p, sizeof(p));
	vm->platform_ops->quiesce(vm);
	vm->platform_ops->reset(vm);
	ck_assert_mem_eq(&first.pm.state, &p.pm.state, sizeof(p.pm.state));
	ck_assert_mem_eq(&first.kbc.s, &p.kbc.s, sizeof(p.kbc.s));
	/* Random accesses to every port that is there, then a reset: as new. */
	for (unsigned i = 0; i < 100000; i++) {
		unsigned r = (unsigned)rand_r(&seed);
		unsigned row = r % ARRAY_SIZE(claimed);
		unsigned span = claimed[row].last - claimed[row].first + 1U;
		unsigned width = 1U << (r >> 8) % 3;

		if (r & 0x800) {
			out(claimed[row].first + (r >> 12) % span, width, (uint32_t)rand_r(&seed));
		} else {
			(void)in(claimed[row].first + (r >> 12) % span, width);
		}
		if (i % 64 == 0) {
			fake_clock_advance(r & 0xfffff);
		}
	}
	vm->platform_ops->quiesce(vm);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	vm->platform_ops->reset(vm);
	ck_assert_mem_eq(&first.kbc.s, &p.kbc.s, sizeof(p.kbc.s));
	ck_assert_mem_eq(
	        &first.reset_ports.state, &p.reset_ports.state, sizeof(p.reset_ports.state));
	ck_assert_mem_eq(first.host.func.config, p.host.func.config, PCI_CONFIG_LEN);
	ck_assert_mem_eq(first.isa.func.config, p.isa.func.config, PCI_CONFIG_LEN);
	ck_assert_mem_eq(first.ide.func.config, p.ide.func.config, PCI_CONFIG_LEN);
	ck_assert_mem_eq(first.pm.func.config, p.pm.func.config, PCI_CONFIG_LEN);
	for (unsigned i = 0; i < ARRAY_SIZE(reads); i++) {
		ck_assert_msg(in(reads[i].port, reads[i].width) == reads[i].value, "port %x",
		        reads[i].port);
	}
	/* The PIT's output may be up; everybody else is silent. */
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		ck_assert_msg(gsi == IRQ_GSI_PIT || vm->irq.lines[gsi].levels == 0, "gsi %u", gsi);
	}
	for (unsigned port = 0x400; port < 0x440; port++) {
		ck_assert(io_bus_claims(&vm->pio, port, 1));
	}
}
END_TEST

/* The keyboard controller's two lines. */
START_TEST(keyboard_and_mouse_lines)
{
	out(0x64, 1, 0x60);
	out(0x60, 1, 0x47);
	out(0x60, 1, 0xee);
	ck_assert_uint_ne(vm->irq.lines[1].levels, 0);
	ck_assert_uint_eq(vm->irq.lines[12].levels, 0);
	ck_assert_uint_eq(in(0x60, 1), 0xee);
	out(0x64, 1, 0xd4);
	out(0x60, 1, 0xf4);
	ck_assert_uint_eq(vm->irq.lines[1].levels, 0);
	ck_assert_uint_ne(vm->irq.lines[12].levels, 0);
	ck_assert_uint_eq(in(0x60, 1), 0xfa);
	ck_assert_uint_eq(vm->irq.lines[12].levels, 0);
}
END_TEST

/* The debug port gives way, a reset reaches the rest. */
START_TEST(test_devices)
{
	static struct testdev testdev;

	vm = fake_vm(64 << 20, 2);
	platform_init(&p);
	platform_add_testdev(&p, &testdev);
	ck_assert_int_eq(platform_attach(&p, vm, NULL, 0), 0);
	vm->platform_ops->reset(vm);
	check_port_map(true);
	ck_assert_uint_eq(in(0xe9, 1), 0);
	out(0xe0, 4, 0x12345678);
	ck_assert_uint_eq(in(0xe9, 1), 0x56);
	out(0x2004, 1, 1);
	ck_assert_uint_ne(vm->irq.lines[4].levels, 0);
	vm->platform_ops->quiesce(vm);
	vm->platform_ops->reset(vm);
	ck_assert_uint_eq(in(0xe0, 4), 0);
	ck_assert_uint_eq(vm->irq.lines[4].levels, 0);
	out(0xf4, 1, 42);
	ck_assert_uint_eq(fake_vm_debug_exit, 42);
}
END_TEST

static uint8_t cmos(unsigned index)
{
	out(0x70, 1, index);
	return (uint8_t)in(0x71, 1);
}

START_TEST(tables_and_cmos)
{
	uint8_t sig[8];
	uint16_t sum = 0;

	ck_assert_int_eq(vm->platform_ops->write_tables(vm), 0);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(GUEST_TABLES_BASE), sig, 8), 0);
	ck_assert_mem_eq(sig, "RSD PTR ", 8);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(0xf0000), sig, 4), 0);
	ck_assert_mem_eq(sig, "_SM_", 4);
	ck_assert_uint_eq(cmos(0x15) | cmos(0x16) << 8, 640);
	ck_assert_uint_eq(cmos(0x17) | cmos(0x18) << 8, 63 * 1024);
	ck_assert_uint_eq(cmos(0x30) | cmos(0x31) << 8, 63 * 1024);
	ck_assert_uint_eq(cmos(0x34) | cmos(0x35) << 8, 48 * 16);
	ck_assert_uint_eq(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 0);
	ck_assert_uint_eq(cmos(0x5f), 1);
	ck_assert_uint_eq(cmos(0x14), 2);
	for (unsigned i = 0x10; i <= 0x2d; i++) {
		sum = (uint16_t)(sum + cmos(i));
	}
	ck_assert_uint_eq(cmos(0x2e) << 8 | cmos(0x2f), sum);
}
END_TEST

START_TEST(attach_undoes)
{
	static struct platform other;
	static const struct io_ops nothing = {.name = "squatter"};
	static struct io_range squatter = {.base = 0xcf8, .len = 1, .ops = &nothing};

	vm = fake_vm(64 << 20, 1);
	ck_assert_int_eq(io_bus_add(&vm->pio, &squatter), 0);
	platform_init(&other);
	ck_assert_int_eq(platform_attach(&other, vm, NULL, 0), -EEXIST);
	ck_assert_uint_eq(vm->pio.n_ranges, 0);
	ck_assert_uint_eq(vm->mmio.n_ranges, 0);
	ck_assert_ptr_null(vm->platform);
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		ck_assert_uint_eq(vm->irq.lines[gsi].n_sources, 0);
	}
	platform_init(&other);
	ck_assert_int_eq(platform_attach(&other, vm, NULL, 0), 0);
}
END_TEST

START_TEST(a_key)
{
	const struct vm_key key = {.code = 0x53, .extended = true};

	while (vm->platform_ops->key(vm, &key) == 0) {
	}
	ck_assert_int_eq(vm->platform_ops->key(vm, &key), -EAGAIN);
	ck_assert_uint_eq(in(0x60, 1), 0xe0);
	ck_assert_uint_eq(in(0x60, 1), 0xd3);
	ck_assert_int_eq(vm->platform_ops->key(vm, &key), 0);
}
END_TEST

UNIT_MAIN("platform", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, port_map);
          tcase_add_loop_test(tc, power_on_values, 0, ARRAY_SIZE(reads));
          tcase_add_test(tc, pci_functions); tcase_add_loop_test(tc, ways_to_reset_and_stop, 0, 4);
          tcase_add_test(tc, reset_is_idempotent); tcase_add_test(tc, tables_and_cmos);
          tcase_add_test(tc, keyboard_and_mouse_lines); tcase_add_test(tc, attach_undoes);
          tcase_add_test(tc, test_devices); tcase_add_test(tc, a_key);)
