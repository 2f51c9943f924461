// SPDX-License-Identifier: BSD-2-Clause
// Port 0x92 and the reset control register: which writes reset the VM.
#include "devices/reset_ports.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"

static struct vm *vm;
static struct reset_ports r;

static void setup(void)
{
	fake_vm_requests = 0;
	vm = fake_vm(4 << 20, 1);
	reset_ports_init(&r);
	ck_assert_int_eq(reset_ports_attach(&r, vm, 0x92), 0);
}

/* A program of byte writes; whether the VM is reset by the last one, and not before. */
static const struct {
	bool p92;
	uint8_t writes[4];
	uint8_t n;
	bool resets;
	uint8_t reads;
} rows[] = {
        {true, {0x00}, 1, false, 0x02},
        {true, {0x02}, 1, false, 0x02},
        {true, {0xfe}, 1, false, 0xfe},
        {true, {0x01}, 1, true, 0x03},
        {true, {0x00, 0x03}, 2, true, 0x03},
        {false, {0x00}, 1, false, 0x00},
        {false, {0x02}, 1, false, 0x02},
        {false, {0x04}, 1, true, 0x04},
        {false, {0x06}, 1, true, 0x06},
        {false, {0x02, 0x06}, 2, true, 0x06},
        {false, {0x02, 0x0e}, 2, true, 0x06},
        {false, {0xf9, 0xfb}, 2, false, 0x02},
};

static void write_one(bool p92, uint8_t value)
{
	if (p92) {
		io_bus_write(&vm->pio, 0x92, 1, value);
	} else {
		reset_control_ops.write(&r, 0, 1, value);
	}
}

START_TEST(edges)
{
	for (unsigned i = 0; i < rows[_i].n; i++) {
		ck_assert_uint_eq(fake_vm_requests, 0);
		write_one(rows[_i].p92, rows[_i].writes[i]);
	}
	ck_assert_uint_eq(fake_vm_requests, rows[_i].resets ? BIT(VM_REQ_RESET) : 0);
	if (rows[_i].resets) {
		ck_assert_str_eq(fake_vm_reason, rows[_i].p92 ? "port 0x92" : "port 0xcf9");
	}
	ck_assert_uint_eq(
	        rows[_i].p92 ? io_bus_read(&vm->pio, 0x92, 1) : reset_control_ops.read(&r, 0, 1),
	        rows[_i].reads);
}
END_TEST

START_TEST(level_is_no_edge)
{
	write_one(true, 1);
	write_one(false, 6);
	fake_vm_requests = 0;
	write_one(true, 1);
	write_one(false, 6);
	ck_assert_uint_eq(fake_vm_requests, 0);
	reset_ports_reset(&r);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x92, 1), 2);
	ck_assert_uint_eq(reset_control_ops.read(&r, 0, 1), 0);
	write_one(false, 6);
	ck_assert_uint_eq(fake_vm_requests, BIT(VM_REQ_RESET));
	reset_ports_dump(&r, &out_log);
}
END_TEST

START_TEST(port_is_taken_once)
{
	static struct reset_ports other;

	reset_ports_init(&other);
	ck_assert_int_eq(reset_ports_attach(&other, vm, 0x92), -EEXIST);
	/* One port, one byte. */
	ck_assert(!io_bus_claims(&vm->pio, 0x92, 2));
	ck_assert(!io_bus_claims(&vm->pio, 0x91, 1));
}
END_TEST

UNIT_MAIN("reset_ports", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, edges, 0, ARRAY_SIZE(rows)); tcase_add_test(tc, level_is_no_edge);
          tcase_add_test(tc, port_is_taken_once);)
