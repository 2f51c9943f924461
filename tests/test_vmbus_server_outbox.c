// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: messages that wait until the guest has read the last one.
#include "tests/vmbus_world.h"

struct vmbus_world world;

START_TEST(answers_wait_in_order)
{
	struct vmbus_msg_gpadl_teardown t = {.header.type = VMBUS_GPADL_TEARDOWN, .relid = 1};
	char want[1024];
	size_t n = 0;

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	say_contact(VMBUS_VERSION(5, 3), 1);
	say_plain(VMBUS_REQUEST_OFFERS);
	forget();
	world.room = 1;
	for (uint32_t i = 0; i < VMBUS_OUTBOX + 1; i++) {
		say_teardown(1, 0x100 + i);
	}
	ck_did("vp1 torn down 100\n");
	/* Full: refused, and nothing happened. */
	t.gpadl = 0x999;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(!say_as(4, &t, sizeof(t)));
	}
	ck_assert(vmbus_server_pump(&world.s));
	/* Also what has no answer: otherwise its order would not be the guest's. */
	ck_assert(!say_as(4, &(struct vmbus_msg_relid){.header.type = VMBUS_CLOSE_CHANNEL},
	        sizeof(struct vmbus_msg_relid)));
	world.room = 1;
	ck_assert(say_as(4, &t, sizeof(t)));
	ck_did("vp1 torn down 101\n");
	ck_assert(!say_as(4, &t, sizeof(t)));
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	for (uint32_t i = 2; i < VMBUS_OUTBOX + 1; i++) {
		n += (size_t)snprintf(want + n, sizeof(want) - n, "vp1 torn down %x\n", 0x100 + i);
	}
	snprintf(want + n, sizeof(want) - n, "vp1 torn down 999\n");
	ck_did(want);
}
END_TEST

/* One at a time, offers and all: each pump sends what fits. */
START_TEST(offers_one_by_one)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	say_contact(VMBUS_VERSION(5, 3), 0);
	forget();
	world.room = 0;
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("");
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[0]), CHANNEL_HIDDEN);
	world.room = 1;
	ck_assert(vmbus_server_pump(&world.s));
	ck_did("vp0 offer 1 type a0.0\n");
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[0]), CHANNEL_OFFERED);
	/* An answer goes before offers. */
	say_gpadl(1, 5, 0x100, 8);
	world.room = 1;
	ck_assert(vmbus_server_pump(&world.s));
	ck_did("vp0 created 1/5: 0\n");
	world.room = 1;
	ck_assert(vmbus_server_pump(&world.s));
	ck_did("vp0 offer 2 type a1.0\n");
	/* One that comes now is among them. */
	world_add(2, 0xa2, 0);
	world.room = 1;
	ck_assert(vmbus_server_pump(&world.s));
	ck_did("vp0 offer 3 type a2.0\n");
	world.room = 1;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("vp0 all offers\n");
	world.room = 1;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("");
}
END_TEST

/* What can never arrive is not kept. */
START_TEST(nobody_there)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world.room = 0;
	world.post_error = -EINVAL;
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_assert(!vmbus_server_pump(&world.s));
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("");
}
END_TEST

UNIT_MAIN("vmbus_server_outbox", tcase_add_test(tc, answers_wait_in_order);
          tcase_add_test(tc, offers_one_by_one); tcase_add_test(tc, nobody_there);)
