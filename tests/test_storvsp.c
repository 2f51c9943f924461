// SPDX-License-Identifier: BSD-2-Clause
// The SCSI controller: requests in flight, resets, back pressure, channels that close, units that
// come and go.
#include "tests/storvsp_guest.h"

START_TEST(out_of_order)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);

	handshake();
	put_order(0, 1, &late);
	put_order(0, 2, &quick);
	world[0].n_out = 0;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 1);
	answer(0, 2);
	slow_complete(BLK_OK);
	ck_assert_uint_eq(world[0].kicks, 1);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 2);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 4096);
}
END_TEST

/* As many as there are slots, of all channels; the next when one of those is done. */
START_TEST(slots)
{
	struct order o = READ_10(1, 8);

	handshake();
	ck_assert_int_eq(world_open(1), 0);
	for (unsigned i = 0; i < STORVSP_SLOTS + 2; i++) {
		put_order(0, i + 1, &o);
	}
	world[0].n_out = 0;
	world_work(0);
	ck_assert_uint_eq(n_queue, STORVSP_SLOTS);
	put_order(1, 77, &o);
	world_work(1);
	ck_assert_uint_eq(n_queue, STORVSP_SLOTS);
	slow_complete(BLK_OK);
	world_work(0);
	/* The slot went to who asked; the other one is told, too, and finds none. */
	ck_assert_uint_eq(world[0].n_out, 1);
	ck_assert_uint_eq(world[1].kicks, 1);
	world_work(1);
	while (n_queue > 0) {
		slow_complete(BLK_OK);
		world_work(0);
		world_work(1);
	}
	ck_assert_uint_eq(world[0].n_out, STORVSP_SLOTS + 2);
	ck_assert_uint_eq(world[1].n_out, 1);
	answer(1, 77);
}
END_TEST

START_TEST(ring_full)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);

	handshake();
	world[0].n_out = 0;
	world[0].room = 0;
	for (unsigned i = 0; i < 6; i++) {
		put_order(0, i + 1, &quick);
	}
	world_work(0);
	/* Nothing is taken that could not be answered. */
	ck_assert_uint_eq(world[0].taken, world[0].n_in - 6);
	world[0].room = 4;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 4);
	ck_assert_uint_eq(world[0].taken, world[0].n_in - 2);
	world[0].room = 3;
	put_order(0, 7, &late);
	put_order(0, 8, &late);
	put_order(0, 9, &quick);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 7);
	ck_assert_uint_eq(n_queue, 2);
	/* Completions that find no room are kept, in order, and nothing is taken meanwhile. */
	slow_complete(BLK_OK);
	slow_complete(BLK_OK);
	ck_assert(!sp.channels[0].ch.ops->work(&sp.channels[0].ch, 4));
	put_order(0, 10, &quick);
	world[0].room = 1;
	world_work(0);
	answer(0, 7);
	ck_assert_uint_eq(world[0].n_out, 8);
	world[0].room = 5;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 10);
	answer(0, 10);
	ck_assert_uint_eq(world[0].out[8].trans_id, 8);
}
END_TEST

START_TEST(budget)
{
	struct order o = READ_10(0, 512);

	handshake();
	world[0].n_out = 0;
	for (unsigned i = 0; i < 20; i++) {
		put_order(0, i + 1, &o);
	}
	ck_assert(sp.channels[0].ch.ops->work(&sp.channels[0].ch, 3));
	ck_assert_uint_eq(world[0].n_out, 3);
	/* 4 MiB are enough, whatever the budget. */
	ck_assert(sp.channels[0].ch.ops->work(&sp.channels[0].ch, 1000));
	ck_assert_uint_eq(world[0].n_out, 3 + 16);
	ck_assert(!sp.channels[0].ch.ops->work(&sp.channels[0].ch, 1000));
	ck_assert_uint_eq(world[0].n_out, 20);
}
END_TEST

/* A reset is answered behind what came before it, and holds up what comes after. */
START_TEST(resets)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);
	struct vstor_packet p = {.operation = VSTOR_RESET_BUS, .flags = 1};

	handshake();
	world[0].n_out = 0;
	put_order(0, 1, &late);
	put_order(0, 2, &late);
	world_put(0, 3, &p);
	put_order(0, 4, &quick);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 0);
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 1);
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(world[0].out[i].trans_id, i + 1);
	}
	ck_assert_uint_eq(world[0].out[2].packet.status, VSTOR_SUCCESS);
}
END_TEST

static unsigned free_slots(void)
{
	unsigned n = 0;

	for (const struct storvsp_slot *slot = sp.free; slot; slot = slot->next) {
		n++;
	}
	return n;
}

/* Closed with requests everywhere: units, behind a reset, finished but not sent. */
START_TEST(closing)
{
	struct order late = READ_10(1, 8);
	struct vstor_packet p = {.operation = VSTOR_RESET_BUS, .flags = 1};

	for (unsigned how = 0; how < 2; how++) {
		cancel_ends = how == 0;
		handshake();
		ck_assert_int_eq(world_open(1), 0);
		world[0].n_out = 0;
		for (unsigned i = 0; i < 3; i++) {
			put_order(0, i + 1, &late);
		}
		world_put(0, 3, &p);
		put_order(1, 9, &late);
		world_work(0);
		world_work(1);
		slow_complete(BLK_OK);
		ck_assert_uint_eq(n_queue, 3);
		world_close(1);
		ck_assert_uint_eq(sp.channels[1].executing, 0);
		world_close(0);
		ck_assert_uint_eq(n_queue, 0);
		ck_assert_uint_gt(cancels, 0);
		ck_assert_uint_eq(world[0].n_out, 0);
		ck_assert_uint_eq(free_slots(), STORVSP_SLOTS);
		ck_assert_ptr_null(sp.channels[0].barrier);
		ck_assert_ptr_null(sp.channels[0].finished);
	}
	/* And opened again. */
	handshake();
}
END_TEST

/* A sub-channel that is closed lets those of the others end as they do. */
START_TEST(siblings)
{
	struct order late = READ_10(1, 8);

	handshake();
	ck_assert_int_eq(world_open(1), 0);
	ck_assert_int_eq(world_open(2), 0);
	put_order(0, 1, &late);
	put_order(1, 2, &late);
	put_order(2, 3, &late);
	for (unsigned w = 0; w < 3; w++) {
		world[w].n_out = 0;
		world_work(w);
	}
	ck_assert_uint_eq(n_queue, 3);
	world_close(1);
	ck_assert_uint_eq(sp.channels[1].executing, 0);
	ck_assert_uint_eq(world[1].n_out, 0);
	while (n_queue > 0) {
		slow_complete(BLK_OK);
	}
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_SUCCESS);
	world_work(2);
	ck_assert_uint_eq(answer(2, 3)->srb.srb_status, SRB_SUCCESS);
}
END_TEST

START_TEST(broken_ring)
{
	struct order late = READ_10(1, 8);

	handshake();
	put_order(0, 1, &late);
	world_work(0);
	world[0].broken = true;
	world[0].n_out = 0;
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 0);
	ck_assert_uint_eq(free_slots(), STORVSP_SLOTS);
}
END_TEST

START_TEST(plugging)
{
	struct order ready = {.cdb_len = 6}, late = READ_10(1, 8);
	unsigned n;

	ck_assert_int_eq(storvsp_plug(&sp, 2, true), -ENOENT);
	ck_assert_int_eq(storvsp_plug(&sp, 2, false), -ENOENT);
	ck_assert_int_eq(storvsp_plug(&sp, 0, true), -EEXIST);
	/* Before there is a driver: it looks by itself when it comes. */
	ck_assert_int_eq(storvsp_plug(&sp, 0, false), 0);
	ck_assert_int_eq(storvsp_plug(&sp, 0, false), -EEXIST);
	handshake();
	world_work(0);
	ck_assert_uint_eq(sp.stats.announced, 0);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	/* Told when there is room. */
	n = world[0].n_out;
	world[0].room = 0;
	ck_assert_int_eq(storvsp_plug(&sp, 0, true), 0);
	ck_assert_uint_eq(world[0].kicks, 1);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, n);
	world[0].room = 100;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, n + 1);
	ck_assert(!world[0].out[n].completion);
	ck_assert_uint_eq(world[0].out[n].trans_id, 0);
	ck_assert_uint_eq(world[0].out[n].packet.operation, VSTOR_ENUMERATE_BUS);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
	/* Pulled under a command. */
	put_order(0, 1, &late);
	world_work(0);
	ck_assert_int_eq(storvsp_plug(&sp, 1, false), 0);
	world_work(0);
	ck_assert_uint_eq(sp.stats.announced, 2);
	ck_assert_uint_eq(n_queue, 0);
	ready.lun = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ck_assert_int_eq(storvsp_plug(&sp, 1, true), 0);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
}
END_TEST

static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dumps)
{
	struct out out = {.write = write_text};
	struct order ready = {.cdb_len = 6};

	text[0] = '\0';
	sp.channels[0].ch.ops->dump(&sp.channels[0].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "closed"));
	handshake();
	execute(0, &ready);
	text[0] = '\0';
	sp.channels[0].ch.ops->dump(&sp.channels[0].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "ready, protocol 6.2, 0 executing\n"));
	ck_assert_ptr_nonnull(strstr(text, "  requests 4, refused 0"));
	sp.channels[1].ch.ops->dump(&sp.channels[1].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "sub-channel"));
}
END_TEST

UNIT_MAIN("storvsp", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, out_of_order); tcase_add_test(tc, slots);
          tcase_add_test(tc, ring_full); tcase_add_test(tc, budget); tcase_add_test(tc, resets);
          tcase_add_test(tc, closing); tcase_add_test(tc, siblings);
          tcase_add_test(tc, broken_ring); tcase_add_test(tc, plugging); tcase_add_test(tc, dumps);)
