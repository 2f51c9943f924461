// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: every version, a connection's end at any moment, messages that are
// none.
#include "vmbus/server.h"

#include "tests/vmbus_world.h"

struct vmbus_world world;

/* --- versions --- */

static const struct {
	uint32_t version;
	const char *contact, *rest;
} versions[] = {
#define OLD_PAGE "interrupt page 1000\n"
#define OPEN(vp) "begin 1 vp " vp " user 5a: 0\nvp1 open result 1 id 101: 0\n"
        {VMBUS_VERSION(0, 13), OLD_PAGE "vp1 version yes, state 0, d\n",
                OPEN("1") "end 1\ninterrupt page 0\nvp1 unloaded\n"},
        {VMBUS_VERSION(1, 1), OLD_PAGE "vp1 version yes, state 0, 10001\n",
                OPEN("1") "end 1\ninterrupt page 0\nvp1 unloaded\n"},
        {VMBUS_VERSION(2, 4), "vp1 version yes, state 0, 20004\n",
                OPEN("2") "end 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(3, 0), "vp1 version yes, state 0, 30000\n",
                OPEN("2") "end 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(4, 0), "vp1 version yes, state 0, 40000\n",
                OPEN("2") "end 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(4, 1), "vp1 version yes, state 0, 40001\n",
                OPEN("2") "retarget 1 vp 3\nend 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(5, 0), "vp1 version yes, state 0, 4\n",
                OPEN("2") "retarget 1 vp 3\nend 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(5, 1), "vp1 version yes, state 0, 4\n",
                OPEN("2") "retarget 1 vp 3\nend 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(5, 2), "vp1 version yes, state 0, 4\n",
                OPEN("2") "retarget 1 vp 3\nend 1\nvp1 unloaded\n"},
        {VMBUS_VERSION(5, 3), "vp1 version yes, state 0, 4\n",
                OPEN("2") "retarget 1 vp 3\nvp1 modified 1: 0\nend 1\nvp1 unloaded\n"},
};

START_TEST(each_version)
{
	uint32_t version = versions[_i].version;

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	say_contact(version, 1);
	ck_did(versions[_i].contact);
	ck_assert_uint_eq(vmbus_server_version(&world.s), version);
	say_plain(VMBUS_REQUEST_OFFERS);
	say_gpadl(1, 9, 0x100, 8);
	ck_did("vp1 offer 1 type a0.0\nvp1 all offers\nvp1 created 1/9: 0\n");
	say_open(1, 9, 2);
	say_modify(1, 3);
	ck_assert_int_eq(world.remark != NULL, version < VMBUS_VERSION(4, 1));
	say_plain(VMBUS_UNLOAD);
	ck_did(versions[_i].rest);
	ck_assert_uint_eq(vmbus_server_version(&world.s), 0);
}
END_TEST

/* The configuration says which is the highest. */
START_TEST(each_cap)
{
	for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
		world_setup(versions[_i].version);
		say_contact(versions[i].version, 1);
		ck_assert_uint_eq(vmbus_server_version(&world.s),
		        versions[i].version <= versions[_i].version ? versions[i].version : 0);
		ck_assert_int_eq(world.remark != NULL, (int)i > _i);
	}
}
END_TEST

static const uint32_t unknown[] = {0, 1, VMBUS_VERSION(0, 12), VMBUS_VERSION(1, 0),
        VMBUS_VERSION(2, 3), VMBUS_VERSION(2, 5), VMBUS_VERSION(3, 1), VMBUS_VERSION(4, 2),
        VMBUS_VERSION(5, 4), VMBUS_VERSION(6, 0), ~0U};

START_TEST(unknown_version)
{
	world_setup(~0U);
	say_contact(VMBUS_VERSION(5, 3), 1);
	ck_did("vp1 version yes, state 0, 4\n");
	say_contact(unknown[_i], 2);
	ck_assert_ptr_nonnull(strstr(world.text, "vp2 version no, state 0, "));
	/* The old connection has ended with the attempt. */
	ck_assert_uint_eq(vmbus_server_version(&world.s), 0);
}
END_TEST

static const struct {
	uint32_t connection, version, vp;
	uint64_t target;
	const char *want;
} contacts[] = {
        /* Old connection ids stay, new ones are named. */
        {1, VMBUS_VERSION(5, 3), 0, 2, "vp0 version yes, state 0, 1\n"},
        {4, VMBUS_VERSION(5, 3), 0, 2, "vp0 version yes, state 0, 4\n"},
        {77, VMBUS_VERSION(5, 3), 0, 2, "vp0 version yes, state 0, 1\n"},
        {4, VMBUS_VERSION(3, 0), 0, 2, "vp0 version yes, state 0, 30000\n"},
        {4, VMBUS_VERSION(5, 0), 3, 0xffffffff00000002ULL, "vp3 version yes, state 0, 4\n"},
        {4, VMBUS_VERSION(5, 0), 0, 1, "vp0 version no, state 2, 4\n"},     /* SINT 1 */
        {4, VMBUS_VERSION(5, 0), 0, 0x12, "vp0 version no, state 2, 4\n"},  /* 18 */
        {4, VMBUS_VERSION(5, 0), 0, 0x102, "vp0 version no, state 2, 4\n"}, /* VTL 1 */
        /* VPs that there are not hear it on VP 0. */
        {4, VMBUS_VERSION(5, 3), 4, 2, "vp0 version no, state 2, 4\n"},
        {4, VMBUS_VERSION(5, 3), ~0U, 2, "vp0 version no, state 2, 4\n"},
        {1, VMBUS_VERSION(0, 13), 4, 0x1000, "vp0 version no, state 2, d\n"},
        /* Interrupt pages. */
        {1, VMBUS_VERSION(0, 13), 0, 0, "vp0 version yes, state 0, d\n"},
        {1, VMBUS_VERSION(0, 13), 0, 0x1008, "vp0 version no, state 2, d\n"},
        {1, VMBUS_VERSION(1, 1), 0, BAD_PAGE,
                "interrupt page 3000\nvp0 version no, state 2, 10001\n"},
        {1, VMBUS_VERSION(2, 4), 0, BAD_PAGE, "vp0 version yes, state 0, 20004\n"},
};

START_TEST(contact)
{
	world_setup(VMBUS_VERSION_MAX);
	say_contact_as(contacts[_i].connection, contacts[_i].version, contacts[_i].vp,
	        contacts[_i].target);
	ck_did(contacts[_i].want);
}
END_TEST

/* --- the end of a connection at any moment --- */

static void nothing(void)
{
}

static void connected(void)
{
	say_contact(VMBUS_VERSION(1, 1), 1);
}

static void offered(void)
{
	connected();
	say_plain(VMBUS_REQUEST_OFFERS);
}

static void offers_wait(void)
{
	connected();
	world.room = 2;
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_assert(vmbus_server_pump(&world.s));
}

static void building(void)
{
	struct vmbus_msg_gpadl_header h = {.header.type = VMBUS_GPADL_HEADER,
	        .relid = 1,
	        .gpadl = 5,
	        .list_bytes = 800,
	        .range_count = 1};

	offered();
	say(&h, sizeof(h));
}

static void ready(void)
{
	offered();
	say_gpadl(1, 5, 0x100, 8);
}

static void open_channels(void)
{
	ready();
	say_open(1, 5, 0);
	say_gpadl(2, 6, 0x200, 8);
	say_open(2, 6, 1);
	say_gpadl(1, 7, 0x300, 100);
	ck_assert_ptr_nonnull(world_hold(1, 7));
}

static void open_with_subs(void)
{
	open_channels();
	world_add(3, 0xa0, 1);
	world_add(4, 0xa0, 2);
	say_gpadl(4, 8, 0x400, 8);
	say_open(4, 8, 0);
}

static void closed(void)
{
	open_channels();
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	say_relid(VMBUS_CLOSE_CHANNEL, 2);
}

static void rescinded(void)
{
	open_with_subs();
	vmbus_server_rescind(&world.s, &world.ch[0]);
}

static void rescind_waits(void)
{
	open_with_subs();
	world.room = 0;
	vmbus_server_rescind(&world.s, &world.ch[0]);
}

static void answers_wait(void)
{
	open_channels();
	world.room = 0;
	for (unsigned i = 0; i < VMBUS_OUTBOX; i++) {
		say_teardown(1, 1000 + i);
	}
}

/* The device does not let go: a GPADL that is being torn down. */
static void still_held(void)
{
	open_channels();
	world.keeps = true;
	say_teardown(1, 7);
}

static const struct {
	void (*reach)(void);
	const char *ends; /* what ends, as seen by devices */
} moments[] = {
        {nothing, ""},
        {connected, "interrupt page 0\n"},
        {offered, "interrupt page 0\n"},
        {offers_wait, "interrupt page 0\n"},
        {building, "interrupt page 0\n"},
        {ready, "interrupt page 0\n"},
        {open_channels, "end 1\nend 2\ninterrupt page 0\n"},
        {open_with_subs, "end 4\nend 1\nend 2\ninterrupt page 0\n"},
        {closed, "interrupt page 0\n"},
        {rescinded, "end 2\ninterrupt page 0\n"},
        {rescind_waits, "end 2\ninterrupt page 0\n"},
        {answers_wait, "end 1\nend 2\ninterrupt page 0\n"},
        {still_held, "end 1\nend 2\ninterrupt page 0\n"},
};

enum { BY_CONTACT, BY_REFUSED_CONTACT, BY_UNLOAD, BY_RESET, WAYS };

static const char *end_connection(int way)
{
	switch (way) {
	case BY_CONTACT:
		say_contact(VMBUS_VERSION(5, 3), 2);
		return "vp2 version yes, state 0, 4\n";
	case BY_REFUSED_CONTACT:
		say_contact(VMBUS_VERSION(6, 0), 2);
		return "vp2 version no, state 0, 4\n";
	case BY_UNLOAD:
		say_plain(VMBUS_UNLOAD);
		return world.s.vp == 1 ? "vp1 unloaded\n" : "vp0 unloaded\n";
	default:
		vmbus_server_reset(&world.s);
		return "";
	}
}

START_TEST(ends_at_any_moment)
{
	char want[256];
	const char *answer;
	int moment = _i / WAYS, way = _i % WAYS;

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	world_add(2, 0xa2, 0);
	moments[moment].reach();
	forget();
	/* A guest that has not read yet: the answer waits, and it alone. */
	world.room = 0;
	answer = end_connection(way);
	ck_did(moments[moment].ends);
	ck_assert_int_eq(vmbus_server_pump(&world.s), *answer != '\0');
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	snprintf(want, sizeof(want), "%s", answer);
	ck_did(want);
	/* Nothing is left of it, but for what a device does not let go. */
	world.keeps = false;
	world_let_go(NULL, 1);
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("");
	ck_assert_ptr_null(gpadl_any(&world.s.gpadls, 0));
	ck_assert_uint_eq(world.s.gpadls.n_retired, 0);
	for (unsigned i = 0; i < WORLD_CHANNELS; i++) {
		bool back = i < 3 && !(i == 0 && strstr(moments[moment].ends, "end 1") == NULL &&
		                             (moments[moment].reach == rescinded ||
		                                     moments[moment].reach == rescind_waits));

		ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[i]),
		        back ? CHANNEL_HIDDEN : CHANNEL_ABSENT);
		ck_assert(!world.ch[i].is_open);
		ck_assert_ptr_null(world.ch[i].ring_gpadl);
	}
	/* And the next connection is like the first one. */
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	say_gpadl(2, 5, 0x100, 8);
	say_open(2, 5, 0);
	snprintf(want, sizeof(want),
	        "vp0 version yes, state 0, 4\n%svp0 offer 2 type a1.0\nvp0 offer 3 type a2.0\n"
	        "vp0 all offers\nvp0 created 2/5: 0\nbegin 2 vp 0 user 5a: 0\n"
	        "vp0 open result 2 id 102: 0\n",
	        world.ch[0].relid ? "vp0 offer 1 type a0.0\n" : "");
	ck_did(want);
}
END_TEST

/* --- messages --- */

START_TEST(not_connected)
{
	static const uint8_t zeros[VMBUS_MESSAGE_MAX];
	union vmbus_guest_message m;

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	for (uint32_t type = 0; type < 40; type++) {
		if (type == VMBUS_INITIATE_CONTACT || type == VMBUS_UNLOAD ||
		        type == VMBUS_RELID_RELEASED) {
			continue;
		}
		memset(&m, 0, sizeof(m));
		m.header.type = type;
		m.relid.relid = 1;
		world.remark = NULL;
		say(&m, sizeof(m));
		ck_assert_ptr_nonnull(world.remark);
	}
	say(zeros, sizeof(zeros));
	ck_did("");
	/* Linux lets go of each channel when it has unloaded: nothing to talk about. */
	world.remark = NULL;
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_assert_ptr_null(world.remark);
	ck_did("");
	say_plain(VMBUS_UNLOAD);
	ck_did("vp0 unloaded\n");
}
END_TEST

static const struct {
	uint32_t type, size;
} sizes[] = {
        {VMBUS_REQUEST_OFFERS, 8},
        {VMBUS_OPEN_CHANNEL, 148},
        {VMBUS_CLOSE_CHANNEL, 12},
        {VMBUS_GPADL_HEADER, 20},
        {VMBUS_GPADL_BODY, 16},
        {VMBUS_GPADL_TEARDOWN, 16},
        {VMBUS_RELID_RELEASED, 12},
        {VMBUS_INITIATE_CONTACT, 40},
        {VMBUS_UNLOAD, 8},
        {VMBUS_OPEN_RESERVED, 28},
        {VMBUS_CLOSE_RESERVED, 20},
        {VMBUS_TL_CONNECT, 40},
        {VMBUS_MODIFY_CHANNEL, 16},
};

/* One byte less is no message; a few more do not hurt. */
START_TEST(short_and_long)
{
	uint8_t bytes[300] = {0};

	world_setup(VMBUS_VERSION_MAX);
	say_contact(VMBUS_VERSION(5, 3), 0);
	ck_did("vp0 version yes, state 0, 4\n");
	memcpy(bytes, &sizes[_i].type, 4);
	for (uint32_t size = 0; size < sizes[_i].size; size++) {
		uint8_t *copy = malloc(size + 1); /* ASan watches its end */

		memcpy(copy, bytes, size);
		world.remark = NULL;
		say(copy, size);
		free(copy);
		ck_assert_ptr_nonnull(world.remark);
		ck_did("");
	}
	say(bytes, sizes[_i].size);
	ck_assert_str_ne(world.remark ? world.remark : "", "too short");
	say(bytes, sizeof(bytes));
	ck_assert_str_ne(world.remark ? world.remark : "", "too short");
}
END_TEST

START_TEST(not_offered)
{
	struct vmbus_msg_open_reserved open = {.header.type = VMBUS_OPEN_RESERVED, .relid = 9};
	struct vmbus_msg_close_reserved close = {.header.type = VMBUS_CLOSE_RESERVED, .relid = 9};
	struct vmbus_msg_tl_connect tl = {
	        .header.type = VMBUS_TL_CONNECT, .endpoint.b[0] = 0xe1, .service.b[0] = 0x5e};

	world_setup(VMBUS_VERSION_MAX);
	say_contact(VMBUS_VERSION(5, 3), 0);
	forget();
	say(&open, sizeof(open));
	ck_did("vp0 open result 9 id 0: c0000001\n");
	say(&close, sizeof(close));
	ck_did("vp0 reserved 9 closed\n");
	say(&tl, sizeof(tl));
	ck_did("vp0 socket e1.5e: c0000236\n");
	/* What only hosts say, what 6.0 has, and what nobody knows. */
	for (uint32_t type = 0; type < 64; type++) {
		bool known = false;

		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			known |= sizes[i].type == type;
		}
		if (!known) {
			world.remark = NULL;
			say_plain(type);
			ck_assert_ptr_nonnull(world.remark);
			ck_did("");
		}
	}
	say_plain(~0U);
	ck_did("");
}
END_TEST

UNIT_MAIN("vmbus_server", tcase_add_loop_test(tc, each_version, 0, ARRAY_SIZE(versions));
          tcase_add_loop_test(tc, each_cap, 0, ARRAY_SIZE(versions));
          tcase_add_loop_test(tc, unknown_version, 0, ARRAY_SIZE(unknown));
          tcase_add_loop_test(tc, contact, 0, ARRAY_SIZE(contacts));
          tcase_add_loop_test(tc, ends_at_any_moment, 0, ARRAY_SIZE(moments) * WAYS);
          tcase_add_test(tc, not_connected);
          tcase_add_loop_test(tc, short_and_long, 0, ARRAY_SIZE(sizes));
          tcase_add_test(tc, not_offered);)
