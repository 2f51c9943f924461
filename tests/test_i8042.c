// SPDX-License-Identifier: BSD-2-Clause
// Keyboard controller, driven as system software drives it: both ports, one output buffer.
#include "devices/i8042.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"

static struct vm *vm;
static struct i8042 k;

static void setup(void)
{
	fake_vm_requests = 0;
	vm = fake_vm(4 << 20, 1);
	i8042_init(&k);
	ck_assert_int_eq(i8042_attach(&k, vm, 0x60, 0x64, 1, 12), 0);
}

static uint8_t status(void)
{
	return (uint8_t)io_bus_read(&vm->pio, 0x64, 1);
}

static uint8_t data(void)
{
	return (uint8_t)io_bus_read(&vm->pio, 0x60, 1);
}

static void cmd(uint8_t value)
{
	io_bus_write(&vm->pio, 0x64, 1, value);
}

static void put(uint8_t value)
{
	io_bus_write(&vm->pio, 0x60, 1, value);
}

static bool irq(void)
{
	return vm->irq.lines[1].levels != 0;
}

static bool aux_irq(void)
{
	return vm->irq.lines[12].levels != 0;
}

static uint8_t ctr(void)
{
	cmd(0x20);
	return data();
}

static void set_ctr(uint8_t value)
{
	cmd(0x60);
	put(value);
}

/* Bytes written, bytes read back, then an empty buffer. 0x1xx = to the command port. */
#define C(x) (0x100 | (x))
static const struct {
	const char *what;
	uint16_t in[6];
	uint8_t n_in;
	uint8_t out[6];
	uint8_t n_out;
} dialogs[] = {
        {"self test", {C(0xaa)}, 1, {0x55}, 1},
        {"keyboard interface test", {C(0xab)}, 1, {0x00}, 1},
        {"mouse interface test", {C(0xa9)}, 1, {0x00}, 1},
        {"mouse loop", {C(0xd3), 0x5a}, 2, {0x5a}, 1},
        {"mouse loop: no multiplexer", {C(0xd3), 0xa4}, 2, {0xa4}, 1},
        {"mouse: identify", {C(0xd4), 0xf2}, 2, {0xfa, 0x00}, 2},
        {"mouse: reset, not translated", {C(0xd4), 0xff}, 2, {0xfa, 0xaa, 0x00}, 3},
        {"mouse: a byte turns it on", {C(0xd4), 0xf4, C(0x20)}, 3, {0x45}, 1},
        {"test inputs", {C(0xe0)}, 1, {0x01}, 1},
        {"test inputs, keyboard off and mouse on", {C(0xad), C(0xa8), C(0xe0)}, 3, {0x02}, 1},
        {"keyboard loop", {C(0xd2), 0x5a}, 2, {0x5a}, 1},
        {"command byte", {C(0x20)}, 1, {0x65}, 1},
        {"write command byte", {C(0x60), 0x47, C(0x20)}, 3, {0x47}, 1},
        {"disable second", {C(0x60), 0x47, C(0xa7), C(0x20)}, 4, {0x67}, 1},
        {"enable second", {C(0xa8), C(0x20)}, 2, {0x45}, 1},
        {"disable first", {C(0xad), C(0x20)}, 2, {0x75}, 1},
        {"enable first", {C(0xad), C(0xae), C(0x20)}, 3, {0x65}, 1},
        {"RAM", {C(0x7f), 0xa5, C(0x3f)}, 3, {0xa5}, 1},
        {"input port", {C(0xc0)}, 1, {0x80}, 1},
        {"output port", {C(0xd0)}, 1, {0x03}, 1},
        {"A20 stays", {C(0xd1), 0x01, C(0xd0)}, 3, {0x03}, 1},
        {"pulse nothing", {C(0xff)}, 1, {0}, 0},
        {"pulse A20", {C(0xfd)}, 1, {0}, 0},
        {"unknown command", {C(0x00)}, 1, {0}, 0},
        {"command byte wins over parameter", {C(0x60), C(0xaa)}, 2, {0x55}, 1},
};

START_TEST(dialog)
{
	unsigned i, at = 0;

	for (i = 0; i < dialogs[_i].n_in; i++) {
		uint16_t b = dialogs[_i].in[i];

		if (b & 0x100) {
			cmd((uint8_t)b);
		} else {
			put((uint8_t)b);
		}
		/* Read each acknowledge as software does, but the last answer. */
		if (i + 1 < dialogs[_i].n_in && (status() & I8042_STS_OBF)) {
			uint8_t ack = data();
			ck_assert_msg(ack == 0xfa || ack == dialogs[_i].out[0], "%s: ack %02x",
			        dialogs[_i].what, ack);
			at = ack == 0xfa ? 0 : 1;
		}
	}
	for (i = at; i < dialogs[_i].n_out; i++) {
		ck_assert_msg(status() & I8042_STS_OBF, "%s: no byte %u", dialogs[_i].what, i);
		uint8_t b = data();
		ck_assert_msg(
		        b == dialogs[_i].out[i], "%s: byte %u is %02x", dialogs[_i].what, i, b);
	}
	ck_assert_msg(!(status() & I8042_STS_OBF), "%s: more bytes", dialogs[_i].what);
	ck_assert_uint_eq(fake_vm_requests, 0);
}
END_TEST

START_TEST(status_bits)
{
	ck_assert_uint_eq(status(), I8042_STS_SYS | I8042_STS_UNLOCKED);
	cmd(0x60);
	ck_assert(status() & I8042_STS_CMD);
	put(0x61);
	ck_assert_uint_eq(status(), I8042_STS_UNLOCKED);
	cmd(0xd4);
	put(0xf4);
	ck_assert_uint_eq(status(), I8042_STS_UNLOCKED | I8042_STS_OBF | I8042_STS_AUX);
	/* Not the keyboard's byte, and the mouse may not interrupt. */
	ck_assert(!irq());
	ck_assert(!aux_irq());
	ck_assert_uint_eq(data(), 0xfa);
	ck_assert_uint_eq(status(), I8042_STS_UNLOCKED);
	cmd(0xaa);
	ck_assert(status() & I8042_STS_SYS);
}
END_TEST

START_TEST(linux_probe)
{
	/* Flush, read the command byte, keyboard off, then the ports, then atkbd. */
	ck_assert(!(status() & I8042_STS_OBF));
	uint8_t initial = ctr();
	ck_assert_uint_eq(ctr(), initial);
	ck_assert(initial & I8042_CTR_XLATE);
	set_ctr((uint8_t)((initial | I8042_CTR_KBDDIS) & ~I8042_CTR_KBDINT));
	i8042_key(&k, 0x1c, false, true);
	ck_assert(!(status() & I8042_STS_OBF));
	cmd(0xd3);
	put(0x5a);
	ck_assert(status() & I8042_STS_AUX);
	ck_assert_uint_eq(data(), 0x5a);
	cmd(0xa7);
	ck_assert(ctr() & I8042_CTR_AUXDIS);
	cmd(0xa8);
	ck_assert(!(ctr() & I8042_CTR_AUXDIS));
	/* Does a byte of the mouse interrupt? */
	set_ctr((uint8_t)((ctr() | I8042_CTR_AUXINT) & ~I8042_CTR_KBDINT));
	ck_assert(!aux_irq());
	cmd(0xd3);
	put(0xa5);
	ck_assert(aux_irq());
	ck_assert(!irq());
	ck_assert_uint_eq(data(), 0xa5);
	ck_assert(!aux_irq());
	set_ctr((uint8_t)((initial & ~I8042_CTR_KBDDIS) | I8042_CTR_KBDINT));
	ck_assert(irq());
	ck_assert_uint_eq(data(), 0x1e);
	ck_assert(!irq());
	put(0xf2);
	ck_assert(irq());
	ck_assert_uint_eq(data(), 0xfa);
	ck_assert(irq());
	ck_assert_uint_eq(data(), 0xab);
	ck_assert_uint_eq(data(), 0x41);
	ck_assert(!irq());
	put(0xed);
	ck_assert_uint_eq(data(), 0xfa);
	put(0x02);
	ck_assert_uint_eq(data(), 0xfa);
	ck_assert_uint_eq(k.s.kbd.leds, 2);
}
END_TEST

/* The mouse's bytes until something else is in the buffer. */
static unsigned mouse_bytes(uint8_t *to, unsigned max)
{
	unsigned n = 0;

	while (n < max && (status() & I8042_STS_OBF) && (status() & I8042_STS_AUX)) {
		ck_assert(aux_irq());
		ck_assert(!irq());
		to[n++] = data();
	}
	return n;
}

START_TEST(mouse_port)
{
	uint8_t b[16];

	set_ctr(0x47);
	i8042_mouse_move(&k, 3, 0, 0, 0);
	ck_assert(!(status() & I8042_STS_OBF));
	cmd(0xd4);
	put(0xf4);
	ck_assert_uint_eq(mouse_bytes(b, 16), 1);
	ck_assert_uint_eq(b[0], 0xfa);
	/* 0x1c would be translated if it were the keyboard's. */
	i8042_mouse_move(&k, 0x1c, -2, 5, I8042_MOUSE_LEFT);
	ck_assert_uint_eq(mouse_bytes(b, 16), 3);
	ck_assert_uint_eq(b[0], 0x29);
	ck_assert_uint_eq(b[1], 0x1c);
	ck_assert_uint_eq(b[2], 0xfe);
	ck_assert(!aux_irq());
	/* The next parameter goes to the keyboard again. */
	put(0xee);
	ck_assert(irq());
	ck_assert_uint_eq(data(), 0xee);
	/* Off: it waits. The output port knows whose byte it is. */
	cmd(0xa7);
	i8042_mouse_move(&k, 1, 0, 0, 0);
	ck_assert(!(status() & I8042_STS_OBF));
	cmd(0xa8);
	ck_assert(aux_irq());
	cmd(0xd0);
	ck_assert_uint_eq(data(), 0x08);
	ck_assert_uint_eq(data(), 0x23);
	ck_assert_uint_eq(mouse_bytes(b, 16), 2);
	/* A machine reset forgets everything. */
	i8042_mouse_move(&k, 1, 0, 0, 0);
	ck_assert(aux_irq());
	i8042_reset(&k);
	ck_assert(!aux_irq());
	ck_assert(!(status() & I8042_STS_OBF));
	ck_assert(!k.s.mouse.reporting);
}
END_TEST

START_TEST(one_buffer_for_two)
{
	uint8_t b[16];

	set_ctr(0x47);
	cmd(0xd4);
	put(0xf4);
	ck_assert_uint_eq(data(), 0xfa);
	i8042_mouse_move(&k, 1, 2, 0, 0);
	/* Half of a packet, half of a key: each byte says whose it is, and nothing is lost. */
	i8042_key(&k, 0x75, true, false);
	ck_assert_uint_eq(mouse_bytes(b, 16), 1);
	ck_assert_uint_eq(b[0], 0x08);
	ck_assert(irq());
	ck_assert(!aux_irq());
	ck_assert_uint_eq(status() & (I8042_STS_OBF | I8042_STS_AUX), I8042_STS_OBF);
	/* The controller's answer is next, though the keyboard has more. */
	cmd(0xaa);
	ck_assert_uint_eq(data(), 0xe0);
	ck_assert_uint_eq(data(), 0x55);
	cmd(0xad);
	ck_assert_uint_eq(data(), 0xc8);
	ck_assert_uint_eq(mouse_bytes(b, 16), 2);
	ck_assert_uint_eq(b[0], 1);
	ck_assert_uint_eq(b[1], 2);
	/* An inhibited keyboard does not hold the mouse up. */
	i8042_key(&k, 0x1c, false, true);
	i8042_mouse_move(&k, 1, 0, 0, 0);
	ck_assert_uint_eq(mouse_bytes(b, 16), 3);
	ck_assert(!(status() & I8042_STS_OBF));
	cmd(0xae);
	ck_assert(irq());
	ck_assert_uint_eq(data(), 0x1e);
}
END_TEST

START_TEST(reset_lines)
{
	switch (_i) {
	case 0:
		cmd(0xfe);
		break;
	case 1:
		cmd(0xf0);
		break;
	case 2:
		cmd(0xd1);
		put(0x02);
		break;
	}
	ck_assert_uint_eq(fake_vm_requests, BIT(VM_REQ_RESET));
	ck_assert_str_eq(fake_vm_reason, "keyboard controller");
	i8042_key(&k, 0x1c, false, true);
	i8042_reset(&k);
	ck_assert(!irq());
	ck_assert_uint_eq(ctr(), 0x65);
	ck_assert_uint_eq(status(), I8042_STS_SYS | I8042_STS_UNLOCKED | I8042_STS_CMD);
}
END_TEST

START_TEST(attach_undoes)
{
	static struct i8042 other;
	uint32_t n = vm->pio.n_ranges;

	i8042_init(&other);
	ck_assert_int_eq(i8042_attach(&other, vm, 0x62, 0x64, 1, 12), -EEXIST);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
	ck_assert_int_eq(i8042_attach(&other, vm, 0x62, 0x66, 24, 12), -EINVAL);
	ck_assert_int_eq(i8042_attach(&other, vm, 0x62, 0x66, 1, 24), -EINVAL);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
}
END_TEST

START_TEST(random_programs)
{
	unsigned seed = 0x8042 + (unsigned)_i;

	for (unsigned i = 0; i < 50000; i++) {
		unsigned r = (unsigned)rand_r(&seed);
		uint8_t b = (uint8_t)(r >> 8);

		switch (r & 7) {
		case 0:
		case 1:
			cmd(b);
			break;
		case 2:
		case 3:
			put(b);
			break;
		case 4:
			i8042_key(&k, b, r >> 16 & 1, r >> 17 & 1);
			i8042_mouse_move(&k, (int8_t)b, (int8_t)(r >> 16), 1, r >> 20);
			break;
		default:
			(void)data();
			break;
		}
		bool full = status() & I8042_STS_OBF, aux = status() & I8042_STS_AUX;
		ck_assert_int_eq(irq(), full && !aux && (k.s.ram[0] & I8042_CTR_KBDINT));
		ck_assert_int_eq(aux_irq(), full && aux && (k.s.ram[0] & I8042_CTR_AUXINT));
		ck_assert_uint_le(k.s.kbd.count, KBD_QUEUE);
		ck_assert(status() & I8042_STS_UNLOCKED);
	}
	/* Whatever happened, it can be brought back. */
	cmd(0xaa);
	unsigned n = 0;
	while (status() & I8042_STS_OBF &&
	        n++ <= KBD_QUEUE + 2 + I8042_MOUSE_PACKET * (I8042_MOUSE_EVENTS + 1)) {
		(void)data();
	}
	ck_assert(!(status() & I8042_STS_OBF));
	cmd(0xaa);
	ck_assert_uint_eq(data(), 0x55);
	i8042_dump(&k, &out_log);
}
END_TEST

UNIT_MAIN("i8042", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, dialog, 0, ARRAY_SIZE(dialogs)); tcase_add_test(tc, status_bits);
          tcase_add_test(tc, linux_probe); tcase_add_test(tc, mouse_port);
          tcase_add_test(tc, one_buffer_for_two); tcase_add_loop_test(tc, reset_lines, 0, 3);
          tcase_add_test(tc, attach_undoes); tcase_add_loop_test(tc, random_programs, 0, 4);)
