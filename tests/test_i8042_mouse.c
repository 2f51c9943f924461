// SPDX-License-Identifier: BSD-2-Clause
// The PS/2 mouse alone: commands, modes, packets, the wheel's knock, a queue that fills.
#include "devices/i8042_mouse.h"
#include "tests/unit.h"
#include <limits.h>
#include <stdlib.h>

static struct i8042_mouse m;

static void setup(void)
{
	i8042_mouse_reset(&m);
}

static unsigned drain(uint8_t *to, unsigned max)
{
	uint8_t b;
	unsigned n = 0;

	while (i8042_mouse_next(&m, &b)) {
		ck_assert_uint_lt(n, max);
		to[n++] = b;
	}
	return n;
}

static void silence(void)
{
	uint8_t b;

	ck_assert(!i8042_mouse_next(&m, &b));
}

static void say(uint8_t byte)
{
	i8042_mouse_command(&m, byte);
}

/* A command or parameter, acknowledged and nothing more. */
static void tell(uint8_t byte)
{
	uint8_t b[8];

	say(byte);
	ck_assert_uint_eq(drain(b, sizeof(b)), 1);
	ck_assert_uint_eq(b[0], 0xfa);
}

static void expect(const char *what, const uint8_t *want, unsigned n)
{
	uint8_t b[128];
	unsigned got = drain(b, sizeof(b));

	ck_assert_msg(got == n, "%s: %u bytes instead of %u", what, got, n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_msg(b[i] == want[i], "%s: byte %u is %02x", what, i, b[i]);
	}
}
#define EXPECT(what, ...) \
	expect(what, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Bytes written, then what the last one is answered with. */
static const struct {
	const char *what;
	uint8_t in[8], n_in;
	uint8_t out[4], n_out;
} dialogs[] = {
        {"reset", {0xff}, 1, {0xfa, 0xaa, 0x00}, 3},
        {"identify", {0xf2}, 1, {0xfa, 0x00}, 2},
        {"status at power-on", {0xe9}, 1, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"read data, nothing happened", {0xeb}, 1, {0xfa, 0x08, 0x00, 0x00}, 4},
        {"enable", {0xf4}, 1, {0xfa}, 1},
        {"enabled", {0xf4, 0xe9}, 2, {0xfa, 0x20, 0x02, 0x64}, 4},
        {"disabled", {0xf4, 0xf5, 0xe9}, 3, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"scaling 2:1", {0xe7, 0xe9}, 2, {0xfa, 0x10, 0x02, 0x64}, 4},
        {"scaling 1:1", {0xe7, 0xe6, 0xe9}, 3, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"resolution", {0xe8, 0x03, 0xe9}, 3, {0xfa, 0x00, 0x03, 0x64}, 4},
        {"resolution, bad", {0xe8, 0x04}, 2, {0xfe}, 1},
        {"resolution, bad twice", {0xe8, 0x04, 0x04}, 3, {0xfc}, 1},
        {"resolution, bad, then good", {0xe8, 0x04, 0x01, 0xe9}, 4, {0xfa, 0x00, 0x01, 0x64}, 4},
        {"rate 10", {0xf3, 10, 0xe9}, 3, {0xfa, 0x00, 0x02, 10}, 4},
        {"rate 200", {0xf3, 200, 0xe9}, 3, {0xfa, 0x00, 0x02, 200}, 4},
        {"rate, bad", {0xf3, 0}, 2, {0xfe}, 1},
        {"rate, bad, kept", {0xf3, 50, 0xe9}, 3, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"command instead of parameter", {0xf3, 0xf2}, 2, {0xfa, 0x00}, 2},
        {"remote", {0xf0, 0xe9}, 2, {0xfa, 0x40, 0x02, 0x64}, 4},
        {"remote and back", {0xf0, 0xea, 0xe9}, 3, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"all settings, then defaults", {0xf4, 0xe7, 0xf0, 0xe8, 0x00, 0xf6, 0xe9}, 7,
                {0xfa, 0x00, 0x02, 0x64}, 4},
        {"wrap", {0xee, 0x12}, 2, {0x12}, 1},
        {"wrap: commands, too", {0xee, 0xf4}, 2, {0xf4}, 1},
        {"wrap: resend, too", {0xee, 0xfe}, 2, {0xfe}, 1},
        {"wrap ends", {0xee, 0xec}, 2, {0xfa}, 1},
        {"wrap ended", {0xee, 0xf4, 0xec, 0xe9}, 4, {0xfa, 0x00, 0x02, 0x64}, 4},
        {"wrap: reset", {0xee, 0xff}, 2, {0xfa, 0xaa, 0x00}, 3},
        {"remote is still there after wrap", {0xf0, 0xee, 0xec, 0xe9}, 4, {0xfa, 0x40, 0x02, 0x64},
                4},
        {"no wrap to end", {0xec}, 1, {0xfa}, 1},
        {"unknown", {0x00}, 1, {0xfe}, 1},
        {"unknown twice", {0xed, 0xef}, 2, {0xfc}, 1},
        {"unknown, known, unknown", {0xed, 0xf2, 0xed}, 3, {0xfe}, 1},
        {"resend of an acknowledge", {0xf4, 0xfe}, 2, {0xfa}, 1},
        {"resend of an answer", {0xe9, 0xfe}, 2, {0x00, 0x02, 0x64}, 3},
        {"resend of a reset", {0xff, 0xfe, 0xfe}, 3, {0xaa, 0x00}, 2},
        {"resend before anything", {0xfe}, 1, {0}, 0},
        {"resend keeps the parameter's place", {0xf3, 0xfe, 40, 0xe9}, 4, {0xfa, 0x00, 0x02, 40},
                4},
};

START_TEST(dialog)
{
	uint8_t b[8];

	for (unsigned i = 0; i < dialogs[_i].n_in; i++) {
		drain(b, sizeof(b));
		say(dialogs[_i].in[i]);
	}
	expect(dialogs[_i].what, dialogs[_i].out, dialogs[_i].n_out);
}
END_TEST

/* Movements in stream mode and their packets; scaling 2:1 where said. */
static const struct {
	int dx, dy;
	uint8_t buttons;
	bool scaling;
	uint8_t out[6];
	uint8_t n;
} moves[] = {
        {1, 0, 0, false, {0x08, 1, 0}, 3},
        {-1, 0, 0, false, {0x18, 0xff, 0}, 3},
        {0, 1, 0, false, {0x08, 0, 1}, 3},
        {0, -1, 0, false, {0x28, 0, 0xff}, 3},
        {255, -255, 0, false, {0x28, 0xff, 0x01}, 3},
        {256, 0, 0, false, {0x08, 0xff, 0, 0x08, 1, 0}, 6},
        {-300, 300, 0, false, {0x18, 0x01, 0xff, 0x18, 0xd3, 45}, 6},
        {0, 0, 1, false, {0x09, 0, 0}, 3},
        {0, 0, 2, false, {0x0a, 0, 0}, 3},
        {0, 0, 4, false, {0x0c, 0, 0}, 3},
        {0, 0, 0xff, false, {0x0f, 0, 0}, 3},
        {0, 0, 0xf8, false, {0}, 0},
        {2, -2, 0, true, {0x28, 1, 0xff}, 3},
        {3, 4, 0, true, {0x08, 3, 6}, 3},
        {5, -6, 0, true, {0x28, 9, 0xf4}, 3},
        {127, 0, 0, true, {0x08, 254, 0}, 3},
        {128, 0, 0, true, {0x08, 254, 0, 0x08, 1, 0}, 6},
};

START_TEST(packets)
{
	tell(moves[_i].scaling ? 0xe7 : 0xe6);
	tell(0xf4);
	i8042_mouse_add(&m, moves[_i].dx, moves[_i].dy, 9, moves[_i].buttons);
	expect("packets", moves[_i].out, moves[_i].n);
}
END_TEST

START_TEST(joins_what_waits)
{
	tell(0xf4);
	for (unsigned i = 0; i < 5; i++) {
		i8042_mouse_add(&m, 2, -1, 0, 0);
	}
	EXPECT("joined", 0x28, 10, 0xfb);
	/* A click is not swallowed, and movements before, with and after it stay apart. */
	i8042_mouse_add(&m, 1, 0, 0, 0);
	i8042_mouse_add(&m, 0, 0, 0, 1);
	i8042_mouse_add(&m, 1, 0, 0, 1);
	i8042_mouse_add(&m, 0, 0, 0, 0);
	i8042_mouse_add(&m, 0, 0, 0, 0);
	EXPECT("click", 0x08, 1, 0, 0x09, 1, 0, 0x08, 0, 0);
	/* A packet that has begun is not changed. */
	uint8_t b;
	i8042_mouse_add(&m, 1, 0, 0, 0);
	ck_assert(i8042_mouse_next(&m, &b));
	i8042_mouse_add(&m, 7, 0, 0, 0);
	EXPECT("begun", 1, 0, 0x08, 7, 0);
}
END_TEST

START_TEST(queue_is_bounded)
{
	uint8_t b[128];
	unsigned n, x = 0;

	tell(0xf4);
	i8042_mouse_add(&m, INT_MAX, INT_MIN, INT_MIN, 0);
	i8042_mouse_add(&m, 1000, 0, 0, 0);
	n = drain(b, sizeof(b));
	ck_assert_uint_eq(n, 3 * I8042_MOUSE_EVENTS);
	for (unsigned i = 0; i < n; i += 3) {
		/* What was lost is told, in the last packet. */
		ck_assert_uint_eq(b[i], i + 3 < n ? 0x28 : 0x68);
		ck_assert_uint_eq(b[i + 2], 1);
		x += b[i + 1];
	}
	ck_assert_uint_eq(x, 255 * I8042_MOUSE_EVENTS);
	/* More clicks than places: the last state arrives. */
	for (unsigned i = 0; i < 101; i++) {
		i8042_mouse_add(&m, 0, 0, 0, i % 2 ? 0 : I8042_MOUSE_RIGHT);
	}
	n = drain(b, sizeof(b));
	ck_assert_uint_eq(n, 3 * I8042_MOUSE_EVENTS);
	ck_assert_uint_eq(b[n - 3], 0x0a);
	silence();
}
END_TEST

START_TEST(silent_unless_streaming)
{
	i8042_mouse_add(&m, 5, 5, 0, 1);
	silence();
	/* Read data takes the counters, whatever the mode. */
	say(0xeb);
	EXPECT("disabled", 0xfa, 0x09, 5, 5);
	tell(0xf0);
	tell(0xf4);
	i8042_mouse_add(&m, 200, 0, 0, 0);
	i8042_mouse_add(&m, 100, -300, 0, 0);
	silence();
	say(0xeb);
	EXPECT("remote, overflow", 0xfa, 0xe8, 0xff, 0x01);
	say(0xeb);
	EXPECT("remote, nothing new", 0xfa, 0x08, 0, 0);
	/* Scaling is not for read data. */
	tell(0xe7);
	i8042_mouse_add(&m, 200, 0, 0, 0);
	say(0xeb);
	EXPECT("remote, scaled", 0xfa, 0x08, 200, 0);
	tell(0xe6);
	tell(0xea);
	i8042_mouse_add(&m, 1, 0, 0, 0);
	EXPECT("stream again", 0x08, 1, 0);
	tell(0xee);
	i8042_mouse_add(&m, 1, 0, 0, 0);
	silence();
	tell(0xec);
	i8042_mouse_add(&m, 2, 0, 0, 0);
	EXPECT("after wrap", 0x08, 2, 0);
}
END_TEST

START_TEST(commands_clear_movement_not_buttons)
{
	uint8_t b;

	i8042_mouse_add(&m, 50, 0, 0, I8042_MOUSE_LEFT);
	/* Movement before enabling is old; a button that is held is news. */
	say(0xf4);
	EXPECT("enable", 0xfa, 0x09, 0, 0);
	i8042_mouse_add(&m, 4, 0, 0, I8042_MOUSE_LEFT | I8042_MOUSE_MIDDLE);
	say(0xe9);
	EXPECT("status", 0xfa, 0x26, 0x02, 0x64, 0x0d, 0, 0);
	/* A command ends a packet in its middle; resend brings all of it. */
	i8042_mouse_add(&m, 4, 0, 0, I8042_MOUSE_RIGHT);
	ck_assert(i8042_mouse_next(&m, &b));
	ck_assert_uint_eq(b, 0x0a);
	say(0xfe);
	EXPECT("resend", 0x0a, 4, 0);
	say(0xff);
	EXPECT("reset", 0xfa, 0xaa, 0x00);
	say(0xe9);
	EXPECT("held all the time", 0xfa, 0x01, 0x02, 0x64);
	i8042_mouse_reset(&m);
	say(0xe9);
	EXPECT("power on", 0xfa, 0x00, 0x02, 0x64);
}
END_TEST

static void knock(uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t rates[] = {a, b, c};

	for (unsigned i = 0; i < 3; i++) {
		tell(0xf3);
		tell(rates[i]);
	}
	say(0xf2);
}

START_TEST(wheel)
{
	knock(200, 100, 60);
	EXPECT("no knock", 0xfa, 0x00);
	knock(100, 200, 80);
	EXPECT("wrong order", 0xfa, 0x00);
	knock(200, 100, 80);
	EXPECT("knock", 0xfa, 0x03);
	/* No five buttons: the other knock changes nothing. */
	knock(200, 200, 80);
	EXPECT("explorer", 0xfa, 0x03);
	tell(0xf4);
	i8042_mouse_add(&m, 1, 0, -1, 0);
	EXPECT("wheel up", 0x08, 1, 0, 0xff);
	i8042_mouse_add(&m, 0, 0, 10, 0);
	EXPECT("two packets", 0x08, 0, 0, 7, 0x08, 0, 0, 3);
	say(0xeb);
	EXPECT("read data", 0xfa, 0x08, 0, 0, 0);
	tell(0xf6);
	say(0xf2);
	EXPECT("defaults keep it", 0xfa, 0x03);
	say(0xff);
	EXPECT("reset", 0xfa, 0xaa, 0x00);
	say(0xf2);
	EXPECT("gone", 0xfa, 0x00);
	/* The knock does not reach over a reset. */
	tell(0xf3);
	tell(80);
	say(0xf2);
	EXPECT("still gone", 0xfa, 0x00);
	tell(0xf4);
	i8042_mouse_add(&m, 0, 0, 3, 0);
	silence();
}
END_TEST

START_TEST(random_programs)
{
	unsigned seed = 0x3b + (unsigned)_i;
	uint8_t b;

	for (unsigned i = 0; i < 100000; i++) {
		unsigned r = (unsigned)rand_r(&seed), r2 = (unsigned)rand_r(&seed);

		switch (r & 3) {
		case 0:
			say(r & 4 ? (uint8_t)(0xe6 + (r >> 8) % 26) : (uint8_t)(r >> 8));
			break;
		case 1:
			i8042_mouse_add(&m, (int)(r2 << 4) >> (r >> 8 & 31), (int)r2 - INT_MAX / 2,
			        (int)(r2 & 31) - 16, r2 >> 8);
			break;
		default:
			(void)i8042_mouse_next(&m, &b);
			break;
		}
		ck_assert_uint_le(m.n_events, I8042_MOUSE_EVENTS);
		ck_assert_uint_lt(m.head, I8042_MOUSE_EVENTS);
		ck_assert_uint_le(m.out_at, m.out_len);
		ck_assert_uint_le(m.out_len, sizeof(m.out));
	}
	say(0xff);
	EXPECT("brought back", 0xfa, 0xaa, 0x00);
	silence();
}
END_TEST

UNIT_MAIN("i8042_mouse", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, dialog, 0, ARRAY_SIZE(dialogs));
          tcase_add_loop_test(tc, packets, 0, ARRAY_SIZE(moves));
          tcase_add_test(tc, joins_what_waits); tcase_add_test(tc, queue_is_bounded);
          tcase_add_test(tc, silent_unless_streaming);
          tcase_add_test(tc, commands_clear_movement_not_buttons); tcase_add_test(tc, wheel);
          tcase_add_loop_test(tc, random_programs, 0, 4);)
