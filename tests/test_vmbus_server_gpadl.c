// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server's GPADLs: in one message and in many, wrong ones, and memory that is taken back.
#include "tests/vmbus_world.h"

struct vmbus_world world;

static void setup(void)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	forget();
}

/* A header or a body with n words of the list. */
static void say_header(uint32_t relid, uint32_t id, uint16_t ranges, uint16_t list_bytes,
        const uint64_t *words, uint32_t n)
{
	union {
		struct vmbus_msg_gpadl_header h;
		uint8_t bytes[VMBUS_MESSAGE_MAX];
	} m = {.h = {.header.type = VMBUS_GPADL_HEADER,
	               .relid = relid,
	               .gpadl = id,
	               .list_bytes = list_bytes,
	               .range_count = ranges}};

	memcpy(m.bytes + sizeof(m.h), words, 8 * n);
	say(&m, sizeof(m.h) + 8 * n);
}

static void say_body(uint32_t id, const uint64_t *words, uint32_t n)
{
	union {
		struct vmbus_msg_gpadl_body b;
		uint8_t bytes[VMBUS_MESSAGE_MAX];
	} m = {.b = {.header.type = VMBUS_GPADL_BODY, .gpadl = id}};

	memcpy(m.bytes + sizeof(m.b), words, 8 * n);
	say(&m, sizeof(m.b) + 8 * n);
}

static const uint64_t three_pages[] = {3 * PAGE_SIZE, 0x11, 0x22, 0x33};

/* 16 MiB, netvsc's receive buffer: a header with 26 pages and 146 bodies. */
START_TEST(a_large_one)
{
	const struct gpadl *g;

	setup();
	say_gpadl(1, 0xe1e11, 0x1000, 4096);
	ck_did("vp0 created 1/e1e11: 0\n");
	ck_assert_uint_eq(world.remarks, 0);
	g = gpadl_find(&world.s.gpadls, 1, 0xe1e11);
	for (unsigned i = 0; i < 4096; i++) {
		ck_assert_ptr_eq(g->pages[i], world.ram + (0x1000 + i) * PAGE_SIZE);
	}
	/* The largest there can be. */
	say_gpadl(2, 0xe1e12, 0, 8190);
	ck_did("vp0 created 2/e1e12: 0\n");
}
END_TEST

/* Two at a time; their bodies mixed, and some for nobody. */
START_TEST(interleaved)
{
	setup();
	say_header(1, 5, 1, 32, three_pages, 0);
	say_header(2, 6, 1, 32, three_pages, 2);
	say_body(5, three_pages, 1);
	say_body(6, three_pages + 2, 1);
	ck_assert_uint_eq(world.remarks, 0);
	say_body(7, three_pages, 4);
	ck_assert_uint_eq(world.remarks, 1);
	ck_did("");
	say_body(6, three_pages + 3, 1);
	ck_did("vp0 created 2/6: 0\n");
	/* Empty ones do no harm; those of a complete one are for nobody. */
	say_body(5, three_pages, 0);
	say_body(5, three_pages + 1, 3);
	ck_did("vp0 created 1/5: 0\n");
	say_body(5, three_pages, 4);
	ck_did("");
	ck_assert_uint_eq(world.remarks, 2);
}
END_TEST

/* Answered as soon as it is known; the rest of the list is for nobody. */
START_TEST(wrong_in_a_body)
{
	static const uint64_t no_page[] = {0x11, 0xffffff};

	setup();
	say_header(1, 5, 1, 48, (const uint64_t[]){5 * PAGE_SIZE, 0x10}, 2);
	say_body(5, no_page, 2);
	ck_did("vp0 created 1/5: c0000001\n");
	say_body(5, three_pages + 1, 2);
	ck_did("");
	ck_assert_uint_eq(world.remarks, 2);
	/* Its number may be used again. */
	say_gpadl(1, 5, 0x100, 8);
	ck_did("vp0 created 1/5: 0\n");
}
END_TEST

static const struct {
	uint32_t relid, id;
	uint16_t ranges, bytes;
	uint64_t words[5];
	uint32_t n;
	bool good;
} headers[] = {
        {1, 5, 1, 32, {3 * PAGE_SIZE, 1, 2, 3}, 4, true},
        {1, 5, 1, 32, {3 * PAGE_SIZE, 1, 2, 3, 4}, 5, true}, /* more than it says */
        {1, 5, 2, 40, {PAGE_SIZE, 1, 2ULL << 32 | PAGE_SIZE, 2, 3}, 5, true},
        {1, 5, 1, 24, {0x5f0ULL << 32 | 4096, 1, 2}, 3, true},
        {1, 0, 1, 32, {3 * PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 0, 32, {3 * PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 9, 32, {3 * PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 2, 32, {3 * PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 1, 31, {3 * PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 1, 0, {0}, 0, false},
        {1, 5, 1, 8, {0}, 1, false},
        {1, 5, 1, 32, {0, 1, 2, 3}, 4, false},
        {1, 5, 1, 32, {PAGE_SIZE, 1, 2, 3}, 4, false},
        {1, 5, 1, 16, {1ULL << 44 | 1, 1}, 2, false},
        {1, 5, 1, 16, {PAGE_SIZE, ~0ULL}, 2, false},
        {1, 5, 1, 16, {PAGE_SIZE, WORLD_PAGES}, 2, false},
        {1, 5, 1, 16, {PAGE_SIZE, WORLD_PAGES - 1}, 2, true},
};

START_TEST(header)
{
	setup();
	say_header(headers[_i].relid, headers[_i].id, headers[_i].ranges, headers[_i].bytes,
	        headers[_i].words, headers[_i].n);
	ck_assert_int_eq(world.remark == NULL, headers[_i].good);
	if (headers[_i].good) {
		ck_did("vp0 created 1/5: 0\n");
	} else {
		ck_assert_ptr_nonnull(strstr(world.text, "c0000001"));
		ck_assert_ptr_null(gpadl_any(&world.s.gpadls, 0));
	}
}
END_TEST

START_TEST(numbers)
{
	setup();
	say_gpadl(1, 5, 0x100, 8);
	say_gpadl(2, 5, 0x200, 8);
	ck_did("vp0 created 1/5: 0\nvp0 created 2/5: 0\n");
	say_gpadl(1, 5, 0x300, 8);
	ck_did("vp0 created 1/5: c0000001\n");
	ck_assert_ptr_eq(
	        gpadl_find(&world.s.gpadls, 1, 5)->pages[0], world.ram + 0x100 * PAGE_SIZE);
	say_teardown(2, 5);
	ck_did("vp0 torn down 5\n");
	ck_assert_ptr_nonnull(gpadl_find(&world.s.gpadls, 1, 5));
	/* While one is built its number is nobody else's. */
	say_header(1, 9, 1, 32, three_pages, 2);
	say_header(2, 9, 1, 32, three_pages, 4);
	ck_did("vp0 created 2/9: c0000001\n");
	say_body(9, three_pages + 2, 2);
	ck_did("vp0 created 1/9: 0\n");
}
END_TEST

START_TEST(too_many)
{
	setup();
	for (uint32_t i = 1; i <= GPADL_MAX; i++) {
		say_gpadl(1, i, i, 1);
		ck_assert_ptr_null(world.remark);
	}
	forget();
	say_gpadl(2, 1000, 1, 1);
	ck_did("vp0 created 2/3e8: c0000001\n");
	say_teardown(1, 64);
	say_gpadl(2, 1000, 1, 1);
	ck_did("vp0 torn down 40\nvp0 created 2/3e8: 0\n");
}
END_TEST

/* 128 MiB together, and not a page more. */
START_TEST(too_large_together)
{
	setup();
	for (uint32_t i = 1; i <= 4; i++) {
		say_gpadl(1, i, 0, 8190);
	}
	ck_did("vp0 created 1/1: 0\nvp0 created 1/2: 0\nvp0 created 1/3: 0\n"
	       "vp0 created 1/4: 0\n");
	say_gpadl(1, 5, 0, 4);
	say_gpadl(1, 5, 0, 3);
	ck_did("vp0 created 1/5: c0000001\nvp0 created 1/5: 0\n");
}
END_TEST

/* --- taken back --- */

START_TEST(while_it_is_built)
{
	setup();
	say_header(1, 5, 1, 32, three_pages, 2);
	say_teardown(1, 5);
	ck_did("vp0 torn down 5\n");
	say_body(5, three_pages + 2, 2);
	ck_did("");
	ck_assert_ptr_null(gpadl_any(&world.s.gpadls, 0));
}
END_TEST

START_TEST(a_device_lets_go)
{
	setup();
	say_gpadl(1, 4, 0x100, 8);
	say_open(1, 4, 0);
	say_gpadl(1, 5, 0x200, 8);
	forget();
	ck_assert_ptr_nonnull(world_hold(1, 5));
	say_teardown(1, 5);
	ck_did("gone 1/5\nvp0 torn down 5\n");
	ck_assert(world.ch[0].is_open);
	ck_assert_ptr_null(world_hold(1, 5));
}
END_TEST

/* Later than it should: nobody is told before, and each is told once. */
START_TEST(a_device_lets_go_late)
{
	struct gpadl *g;

	setup();
	say_gpadl(1, 4, 0x100, 8);
	say_open(1, 4, 0);
	say_gpadl(1, 5, 0x200, 8);
	forget();
	world.keeps = true;
	g = world_hold(1, 5);
	say_teardown(1, 5);
	ck_did("gone 1/5\n");
	say_teardown(1, 5);
	ck_did("");
	ck_assert_str_eq(world.remark, "is being torn down");
	say_gpadl(1, 5, 0x200, 8);
	ck_did("vp0 created 1/5: c0000001\n");
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did("end 1\n");
	ck_assert_ptr_eq(g->pages[0], world.ram + 0x200 * PAGE_SIZE);
	world_let_go(g, 0);
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("vp0 torn down 5\n");
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("");
}
END_TEST

/* Many at once, and room for a few answers. */
START_TEST(late_answers_wait_for_room)
{
	struct gpadl *held[40];
	char want[1024];
	size_t n = 0;

	setup();
	world.keeps = true;
	for (uint32_t i = 0; i < 40; i++) {
		say_gpadl(1, 0x100 + i, i, 1);
		held[i] = gpadl_hold(&world.s.gpadls, 1, 0x100 + i);
		say_teardown(1, 0x100 + i);
	}
	forget();
	for (uint32_t i = 0; i < 40; i++) {
		gpadl_release(&world.s.gpadls, held[i]);
		n += (size_t)snprintf(want + n, sizeof(want) - n, "vp0 torn down %x\n", 0x100 + i);
	}
	world.room = 0;
	ck_assert(vmbus_server_pump(&world.s));
	ck_assert_uint_eq(world.s.n_answers, VMBUS_OUTBOX);
	ck_assert(vmbus_server_pump(&world.s));
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did(want);
}
END_TEST

/* Closing gives the guest nothing back: netvsc tears its buffers down afterwards. */
START_TEST(after_the_close)
{
	setup();
	say_gpadl(1, 4, 0x100, 8);
	say_open(1, 4, 0);
	say_gpadl(1, 5, 0x200, 8);
	ck_assert_ptr_nonnull(world_hold(1, 5));
	forget();
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did("end 1\n");
	say_teardown(1, 5);
	say_teardown(1, 4);
	ck_did("vp0 torn down 5\nvp0 torn down 4\n");
	ck_assert_uint_eq(world.remarks, 0);
}
END_TEST

START_TEST(of_a_rescinded_channel)
{
	setup();
	say_gpadl(1, 4, 0x100, 8);
	say_open(1, 4, 0);
	say_gpadl(1, 5, 0x200, 8);
	say_header(1, 6, 1, 32, three_pages, 2);
	say_gpadl(2, 7, 0x300, 8);
	ck_assert_ptr_nonnull(world_hold(1, 5));
	vmbus_server_rescind(&world.s, &world.ch[0]);
	forget();
	/* One that was begun before may still end well, but nobody can use it. */
	say_body(6, three_pages + 2, 2);
	ck_did("vp0 created 1/6: 0\n");
	say_teardown(1, 5);
	ck_did("vp0 torn down 5\n");
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_did("");
	ck_assert_ptr_null(gpadl_any(&world.s.gpadls, 1));
	ck_assert_ptr_nonnull(gpadl_any(&world.s.gpadls, 2));
}
END_TEST

UNIT_MAIN("vmbus_server_gpadl", tcase_add_test(tc, a_large_one); tcase_add_test(tc, interleaved);
          tcase_add_test(tc, wrong_in_a_body);
          tcase_add_loop_test(tc, header, 0, ARRAY_SIZE(headers)); tcase_add_test(tc, numbers);
          tcase_add_test(tc, too_many); tcase_add_test(tc, too_large_together);
          tcase_add_test(tc, while_it_is_built); tcase_add_test(tc, a_device_lets_go);
          tcase_add_test(tc, a_device_lets_go_late); tcase_add_test(tc, late_answers_wait_for_room);
          tcase_add_test(tc, after_the_close); tcase_add_test(tc, of_a_rescinded_channel);)
