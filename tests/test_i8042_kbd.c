// SPDX-License-Identifier: BSD-2-Clause
// The keyboard behind its controller: commands, scan codes with and without translation, overrun.
#include "devices/i8042.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"

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
        {"identify, translated", {0xf2}, 1, {0xfa, 0xab, 0x41}, 3},
        {"identify, raw", {C(0x60), 0x05, 0xf2}, 3, {0xfa, 0xab, 0x83}, 3},
        {"echo", {0xee}, 1, {0xee}, 1},
        {"reset", {0xff}, 1, {0xfa, 0xaa}, 2},
        {"LEDs", {0xed, 0x07}, 2, {0xfa}, 1},
        {"typematic", {0xf3, 0x00}, 2, {0xfa}, 1},
        {"scan set asked, raw", {C(0x60), 0x05, 0xf0, 0x00}, 4, {0xfa, 0x02}, 2},
        {"scan set asked, translated", {0xf0, 0x00}, 2, {0xfa, 0x41}, 2},
        {"scan set 2", {0xf0, 0x02}, 2, {0xfa}, 1},
        {"scan set 3", {0xf0, 0x03}, 2, {0xfe}, 1},
        {"enable", {0xf4}, 1, {0xfa}, 1},
        {"disable", {0xf5}, 1, {0xfa}, 1},
        {"defaults", {0xf6}, 1, {0xfa}, 1},
        {"all keys", {0xf8}, 1, {0xfa}, 1},
        {"one key", {0xfc, 0x15}, 2, {0xfa}, 1},
        {"resend", {0xee, 0xfe}, 2, {0xee, 0xee}, 2},
        {"unknown", {0x12}, 1, {0xfe}, 1},
        {"unknown high", {0xef}, 1, {0xfe}, 1},
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

static const struct {
	uint8_t code;
	bool extended, down, xlate;
	uint8_t out[3];
	uint8_t n;
} keys[] = {
        {0x1c, false, true, true, {0x1e}, 1},
        {0x1c, false, false, true, {0x9e}, 1},
        {0x1c, false, true, false, {0x1c}, 1},
        {0x1c, false, false, false, {0xf0, 0x1c}, 2},
        {0x75, true, true, true, {0xe0, 0x48}, 2},
        {0x75, true, false, true, {0xe0, 0xc8}, 2},
        {0x75, true, false, false, {0xe0, 0xf0, 0x75}, 3},
        {0x83, false, true, true, {0x41}, 1},
        {0x83, false, false, true, {0xc1}, 1},
        {0x84, false, true, true, {0x54}, 1},
        {0x76, false, true, true, {0x01}, 1},
        {0x5a, false, true, true, {0x1c}, 1},
        {0x66, false, true, true, {0x0e}, 1},
        {0x29, false, true, true, {0x39}, 1},
        {0x78, false, true, true, {0x57}, 1},
        {0x07, false, true, true, {0x58}, 1},
};

START_TEST(scan_codes)
{
	set_ctr(keys[_i].xlate ? 0x45 : 0x05);
	i8042_key(&k, keys[_i].code, keys[_i].extended, keys[_i].down);
	for (unsigned i = 0; i < keys[_i].n; i++) {
		ck_assert(status() & I8042_STS_OBF);
		ck_assert(irq());
		ck_assert_uint_eq(data(), keys[_i].out[i]);
	}
	ck_assert(!(status() & I8042_STS_OBF));
	ck_assert(!irq());
}
END_TEST

START_TEST(overrun)
{
	set_ctr(0x05);
	for (unsigned i = 0; i < 40; i++) {
		i8042_key(&k, 0x1c, true, false);
	}
	/* Whole keys only, then one overrun code, which is 0 in set 2. */
	unsigned n = 0;
	while (status() & I8042_STS_OBF) {
		static const uint8_t key[] = {0xe0, 0xf0, 0x1c};
		uint8_t b = data();
		if (b == 0) {
			break;
		}
		ck_assert_uint_eq(b, key[n % 3]);
		n++;
	}
	ck_assert_uint_ge(n, 12);
	ck_assert_uint_eq(n % 3, 0);
	ck_assert(!(status() & I8042_STS_OBF));
	i8042_key(&k, 0x1c, false, true);
	ck_assert_uint_eq(data(), 0x1c);
	/* Scanning off: silence; a reset turns it on. */
	put(0xf5);
	ck_assert_uint_eq(data(), 0xfa);
	i8042_key(&k, 0x1c, false, true);
	ck_assert(!(status() & I8042_STS_OBF));
	put(0xff);
	ck_assert_uint_eq(data(), 0xfa);
	ck_assert_uint_eq(data(), 0xaa);
	i8042_key(&k, 0x1c, false, true);
	ck_assert_uint_eq(data(), 0x1c);
}
END_TEST

START_TEST(typed_by_set_1)
{
	/* Every key of a PC, as the guest sees it with translation on. */
	for (unsigned code = 1; code <= 0x58; code++) {
		if (code == 0x55) {
			continue; /* no key, but in the table */
		}
		for (unsigned down = 0; down < 2; down++) {
			ck_assert(i8042_type(&k, (uint8_t)code, code & 1, down));
			if (code & 1) {
				ck_assert_uint_eq(data(), 0xe0);
			}
			ck_assert_uint_eq(data(), code | (down ? 0 : 0x80));
		}
	}
	/* No such key: as if it was typed. */
	ck_assert(i8042_type(&k, 0, false, true));
	ck_assert(!(status() & I8042_STS_OBF));
	/* As many as there is room for, and no overrun. */
	unsigned n = 0;
	while (i8042_type(&k, 0x1e, false, false)) {
		ck_assert_uint_lt(++n, 100);
	}
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(data(), 0x9e);
		ck_assert(i8042_type(&k, 0x1e, false, false));
	}
	while (status() & I8042_STS_OBF) {
		ck_assert_uint_eq(data(), 0x9e);
	}
}
END_TEST

UNIT_MAIN("i8042_kbd", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, dialog, 0, ARRAY_SIZE(dialogs));
          tcase_add_loop_test(tc, scan_codes, 0, ARRAY_SIZE(keys)); tcase_add_test(tc, overrun);
          tcase_add_test(tc, typed_by_set_1);)
