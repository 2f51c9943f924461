// SPDX-License-Identifier: BSD-2-Clause
// The console backend: who is in front, back-pressure out and in.
#include "devices/backend/chr_console.h"
#include "tests/fake/console_fake.h"
#include "tests/unit.h"
#include <string.h>

static struct chr_console a, b;

/* A frontend with 'room' for input, and bytes it wants to send. */
struct guest {
	struct chr *chr;
	unsigned room, n;
	char got[64];
	const char *to_send;
	bool space_inside;
};
static struct guest ga, gb;

static void send(struct guest *g)
{
	while (g->to_send && *g->to_send && g->chr->ops->put(g->chr, (uint8_t)*g->to_send)) {
		g->to_send++;
	}
}

static void tx_space(void *frontend)
{
	send(frontend);
}

static bool rx_byte(void *frontend, uint8_t byte)
{
	struct guest *g = frontend;

	if (g->room == 0) {
		if (g->space_inside) {
			/* The guest reads on another CPU while we say no. */
			g->space_inside = false;
			g->room = 1;
			g->chr->rx_space(g->chr);
		}
		return false;
	}
	g->room--;
	g->got[g->n++] = (char)byte;
	g->got[g->n] = '\0';
	return true;
}

static void plug(struct guest *g, struct chr_console *c)
{
	memset(g, 0, sizeof(*g));
	g->chr = &c->chr;
	g->room = 60;
	chr_console_init(c);
	c->chr.frontend = g;
	c->chr.tx_space = tx_space;
	c->chr.rx_byte = rx_byte;
}

static void setup(void)
{
	fake_console_reset(100);
	plug(&ga, &a);
	plug(&gb, &b);
	chr_console_set_front(&a);
}

static const char *history(struct chr_console *c)
{
	static char text[64];
	uint64_t at = 0;

	text[chr_ring_copy(&c->ring, &at, text, sizeof(text) - 1)] = '\0';
	return text;
}

START_TEST(only_the_front_is_seen)
{
	ga.to_send = "hello";
	gb.to_send = "silent";
	send(&ga);
	send(&gb);
	ck_assert_str_eq(fake_console_text(), "hello");
	ck_assert_str_eq(history(&a), "hello");
	ck_assert_str_eq(history(&b), "silent");
}
END_TEST

START_TEST(full_console_refuses_and_tells)
{
	fake_console_room(2);
	ga.to_send = "hello";
	send(&ga);
	ck_assert_str_eq(fake_console_text(), "he");
	ck_assert_str_eq(history(&a), "he"); /* a refused byte is not there twice */
	chr_console_notify_tx();
	ck_assert_str_eq(ga.to_send, "llo");
	fake_console_room(10);
	chr_console_notify_tx();
	ck_assert_str_eq(fake_console_text(), "hello");
	ck_assert_str_eq(history(&a), "hello");
}
END_TEST

START_TEST(switching_frees_who_was_stuck)
{
	fake_console_room(0);
	ga.to_send = "stuck";
	send(&ga);
	ck_assert_str_eq(ga.to_send, "stuck");
	chr_console_set_front(&b);
	ck_assert_str_eq(ga.to_send, "");
	ck_assert_str_eq(history(&a), "stuck");
	ck_assert_str_eq(fake_console_text(), "");
	ck_assert_ptr_eq(chr_console_front(), &b);
}
END_TEST

START_TEST(input_goes_to_the_front)
{
	fake_console_type("ls\r");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "ls\r");
	chr_console_set_front(&b);
	fake_console_type("w");
	chr_console_notify_rx();
	ck_assert_str_eq(gb.got, "w");
	ck_assert_str_eq(ga.got, "ls\r");
}
END_TEST

START_TEST(input_waits_for_room)
{
	ga.room = 2;
	fake_console_type("abcdef");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "ab");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "ab");
	ga.room = 10;
	ga.chr->rx_space(ga.chr);
	ck_assert_str_eq(ga.got, "abcdef");
}
END_TEST

START_TEST(room_that_comes_meanwhile_is_not_missed)
{
	ga.room = 0;
	ga.space_inside = true;
	fake_console_type("x");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "x");
}
END_TEST

START_TEST(nobody_in_front)
{
	chr_console_set_front(NULL);
	fake_console_type("lost");
	chr_console_notify_rx();
	chr_console_notify_tx();
	ga.to_send = "quiet";
	send(&ga);
	ck_assert_str_eq(fake_console_text(), "");
	ck_assert_str_eq(history(&a), "quiet");
	chr_console_set_front(&a);
	ck_assert_str_eq(ga.got, "");
}
END_TEST

UNIT_MAIN("chr_console", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, only_the_front_is_seen);
          tcase_add_test(tc, full_console_refuses_and_tells);
          tcase_add_test(tc, switching_frees_who_was_stuck);
          tcase_add_test(tc, input_goes_to_the_front); tcase_add_test(tc, input_waits_for_room);
          tcase_add_test(tc, room_that_comes_meanwhile_is_not_missed);
          tcase_add_test(tc, nobody_in_front);)
