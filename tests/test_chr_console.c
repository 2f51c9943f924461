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
	chr_console_set_monitor(NULL, 0);
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

/* --- the monitor, and coming back --- */

static char to_monitor[64];
static unsigned monitor_room, monitor_tx_calls;

static bool monitor_rx_byte(uint8_t byte)
{
	if (monitor_room == 0) {
		return false;
	}
	monitor_room--;
	to_monitor[strlen(to_monitor)] = (char)byte;
	return true;
}

static void monitor_tx_space(void)
{
	monitor_tx_calls++;
}

static const struct chr_console_monitor monitor = {monitor_rx_byte, monitor_tx_space};

static void setup_monitor(uint8_t key)
{
	memset(to_monitor, 0, sizeof(to_monitor));
	monitor_room = 60;
	monitor_tx_calls = 0;
	chr_console_set_monitor(&monitor, key);
}

START_TEST(the_key_goes_to_the_monitor_and_all_after_it)
{
	setup_monitor(0x1d);
	fake_console_type("ab\x1d"
	                  "cd");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "ab");
	ck_assert_str_eq(to_monitor, "\x1d"
	                             "cd");
	ck_assert_ptr_null(chr_console_front());
	/* The key again: the monitor decides what it means. */
	fake_console_type("\x1d");
	chr_console_notify_rx();
	ck_assert_str_eq(to_monitor, "\x1d"
	                             "cd\x1d");
	chr_console_show(&a, false);
	fake_console_type("ef");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "abef");
}
END_TEST

START_TEST(the_monitor_can_be_full)
{
	setup_monitor(0x1d);
	monitor_room = 1;
	fake_console_type("\x1d"
	                  "xyz");
	chr_console_notify_rx();
	ck_assert_str_eq(to_monitor, "\x1d");
	/* It gives the line away before it took them: they are the guest's. */
	chr_console_show(&b, false);
	ck_assert_str_eq(gb.got, "xyz");
	/* Full before the key was taken: it is still the one that leads in. */
	monitor_room = 0;
	fake_console_type("1\x1d"
	                  "2");
	chr_console_notify_rx();
	ck_assert_str_eq(gb.got, "xyz1");
	ck_assert_ptr_null(chr_console_front());
	monitor_room = 2;
	chr_console_notify_rx();
	ck_assert_str_eq(to_monitor, "\x1d\x1d"
	                             "2");
}
END_TEST

START_TEST(no_key_is_set_aside)
{
	setup_monitor(0);
	fake_console_type("\x1d");
	chr_console_notify_rx();
	ck_assert_str_eq(ga.got, "\x1d");
	ck_assert_str_eq(to_monitor, "");
}
END_TEST

START_TEST(room_is_told_to_who_has_the_line)
{
	setup_monitor(0x1d);
	chr_console_notify_tx();
	ck_assert_uint_eq(monitor_tx_calls, 0);
	chr_console_set_front(NULL);
	monitor_tx_calls = 0;
	ga.to_send = "away";
	chr_console_notify_tx();
	ck_assert_uint_eq(monitor_tx_calls, 1);
	ck_assert_str_eq(ga.to_send, "away");
	send(&ga);
	ck_assert_str_eq(fake_console_text(), "");
	ck_assert_str_eq(history(&a), "away");
}
END_TEST

START_TEST(what_was_missed_is_shown)
{
	ga.to_send = "seen\n/ # ";
	send(&ga);
	chr_console_set_front(NULL);
	ga.to_send = "while away\n";
	send(&ga);
	fake_console_reset(100);
	/* From the line where it was left. */
	chr_console_show(&a, false);
	ck_assert_str_eq(fake_console_text(), "/ # while away\n");
	fake_console_reset(100);
	chr_console_set_front(NULL);
	chr_console_show(&a, false);
	ck_assert_str_eq(fake_console_text(), "");
	chr_console_show(&a, true);
	ck_assert_str_eq(fake_console_text(), "seen\n/ # while away\n");
	/* And what follows, once. */
	ga.to_send = "live";
	send(&ga);
	ck_assert_str_eq(fake_console_text(), "seen\n/ # while away\nlive");
	/* set_front: from here on. */
	fake_console_reset(100);
	chr_console_set_front(NULL);
	chr_console_set_front(&a);
	ck_assert_str_eq(fake_console_text(), "");
}
END_TEST

START_TEST(order_when_the_line_is_slow)
{
	gb.to_send = "one\ntwo\n";
	send(&gb);
	fake_console_room(3);
	chr_console_show(&b, true);
	ck_assert_str_eq(fake_console_text(), "one");
	/* New output waits for the old. */
	gb.to_send = "three\n";
	send(&gb);
	ck_assert_str_eq(fake_console_text(), "one");
	ck_assert_str_eq(gb.to_send, "three\n");
	fake_console_room(7);
	chr_console_notify_tx();
	ck_assert_str_eq(fake_console_text(), "one\ntwo\nth");
	/* Left in the middle: the rest is there when it comes back. */
	chr_console_set_front(NULL);
	fake_console_reset(100);
	chr_console_show(&b, false);
	ck_assert_str_eq(fake_console_text(), "three\n");
	ck_assert_str_eq(history(&b), "one\ntwo\nthree\n");
}
END_TEST

START_TEST(typed_by_the_monitor)
{
	chr_console_set_front(NULL);
	ck_assert(chr_console_type(&b, 'x'));
	ck_assert_str_eq(gb.got, "x");
	gb.room = 0;
	ck_assert(!chr_console_type(&b, 'y'));
	b.chr.rx_byte = NULL;
	ck_assert(chr_console_type(&b, 'z'));
}
END_TEST

UNIT_MAIN("chr_console", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, only_the_front_is_seen);
          tcase_add_test(tc, full_console_refuses_and_tells);
          tcase_add_test(tc, switching_frees_who_was_stuck);
          tcase_add_test(tc, input_goes_to_the_front); tcase_add_test(tc, input_waits_for_room);
          tcase_add_test(tc, room_that_comes_meanwhile_is_not_missed);
          tcase_add_test(tc, nobody_in_front);
          tcase_add_test(tc, the_key_goes_to_the_monitor_and_all_after_it);
          tcase_add_test(tc, the_monitor_can_be_full); tcase_add_test(tc, no_key_is_set_aside);
          tcase_add_test(tc, room_is_told_to_who_has_the_line);
          tcase_add_test(tc, what_was_missed_is_shown);
          tcase_add_test(tc, order_when_the_line_is_slow);
          tcase_add_test(tc, typed_by_the_monitor);)
