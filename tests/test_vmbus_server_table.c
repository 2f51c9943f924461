// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: every message in every state of a channel, as docs/vmbus.md has the table.
#include "tests/vmbus_world.h"

struct vmbus_world world;

enum { ABSENT, HIDDEN, OFFERED, OPENED, RESCINDED, COLUMNS };

/* Where the message goes; the channel in that state, when there is one. */
static const struct {
	uint32_t relid;
	enum vmbus_channel_state state;
} columns[COLUMNS] = {
        [ABSENT] = {64, CHANNEL_ABSENT},
        [HIDDEN] = {1, CHANNEL_HIDDEN},
        [OFFERED] = {2, CHANNEL_OFFERED},
        [OPENED] = {3, CHANNEL_OPEN},
        [RESCINDED] = {4, CHANNEL_RESCINDED},
};

#define RING 0x10U  /* a ready GPADL of each channel that can have one */
#define OTHER 0x20U /* another one */
#define NONE 0x30U  /* there is none */

static void open_ring(uint32_t relid)
{
	say_open(relid, RING, 2);
}

static void open_none(uint32_t relid)
{
	say_open(relid, NONE, 2);
}

static void close_channel(uint32_t relid)
{
	say_relid(VMBUS_CLOSE_CHANNEL, relid);
}

static void new_gpadl(uint32_t relid)
{
	say_gpadl(relid, NONE, 0x500, 40);
}

static void same_gpadl(uint32_t relid)
{
	say_gpadl(relid, OTHER, 0x500, 8);
}

static void teardown_ring(uint32_t relid)
{
	say_teardown(relid, RING);
}

static void teardown_other(uint32_t relid)
{
	say_teardown(relid, OTHER);
}

static void teardown_none(uint32_t relid)
{
	say_teardown(relid, NONE);
}

static void modify(uint32_t relid)
{
	say_modify(relid, 3);
}

static void released(uint32_t relid)
{
	say_relid(VMBUS_RELID_RELEASED, relid);
}

#define FAIL_OPEN(n) "vp1 open result " n ": c0000001\n"
#define FAIL_GPADL(n) "vp1 created " n "/30: c0000001\n"
#define FAIL_MODIFY(n) "vp1 modified " n ": c0000001\n"

static const struct {
	uint32_t version;
	void (*say)(uint32_t relid);
	const char *did[COLUMNS];
	bool wrong[COLUMNS];                     /* the trace says why */
	enum vmbus_channel_state after[COLUMNS]; /* 0 = as before */
} rows[] = {
        {VMBUS_VERSION(5, 3), open_ring,
                {FAIL_OPEN("64 id 164"), FAIL_OPEN("1 id 101"),
                        "begin 2 vp 2 user 5a: 0\nvp1 open result 2 id 102: 0\n",
                        FAIL_OPEN("3 id 103"), FAIL_OPEN("4 id 104")},
                {true, true, false, true, true}, {[OFFERED] = CHANNEL_OPEN}},
        {VMBUS_VERSION(5, 3), open_none,
                {FAIL_OPEN("64 id 164"), FAIL_OPEN("1 id 101"), FAIL_OPEN("2 id 102"),
                        FAIL_OPEN("3 id 103"), FAIL_OPEN("4 id 104")},
                {true, true, true, true, true}, {0}},
        {VMBUS_VERSION(5, 3), close_channel, {"", "", "", "end 3\n", ""},
                {true, true, true, false, false}, {[OPENED] = CHANNEL_OFFERED}},
        {VMBUS_VERSION(5, 3), new_gpadl,
                {FAIL_GPADL("64"), FAIL_GPADL("1"), "vp1 created 2/30: 0\n",
                        "vp1 created 3/30: 0\n", FAIL_GPADL("4")},
                {true, true, false, false, true}, {0}},
        {VMBUS_VERSION(5, 3), same_gpadl,
                {"vp1 created 64/20: c0000001\n", "vp1 created 1/20: c0000001\n",
                        "vp1 created 2/20: c0000001\n", "vp1 created 3/20: c0000001\n",
                        "vp1 created 4/20: c0000001\n"},
                {true, true, true, true, true}, {0}},
        {VMBUS_VERSION(5, 3), teardown_ring,
                {"vp1 torn down 10\n", "vp1 torn down 10\n", "vp1 torn down 10\n",
                        "end 3\nvp1 torn down 10\n", "vp1 torn down 10\n"},
                {true, true, false, true, false}, {[OPENED] = CHANNEL_OFFERED}},
        {VMBUS_VERSION(5, 3), teardown_other,
                {"vp1 torn down 20\n", "vp1 torn down 20\n", "vp1 torn down 20\n",
                        "vp1 torn down 20\n", "vp1 torn down 20\n"},
                {true, true, false, false, false}, {0}},
        {VMBUS_VERSION(5, 3), teardown_none,
                {"vp1 torn down 30\n", "vp1 torn down 30\n", "vp1 torn down 30\n",
                        "vp1 torn down 30\n", "vp1 torn down 30\n"},
                {true, true, true, true, true}, {0}},
        {VMBUS_VERSION(5, 3), modify,
                {FAIL_MODIFY("64"), FAIL_MODIFY("1"), FAIL_MODIFY("2"),
                        "retarget 3 vp 3\nvp1 modified 3: 0\n", FAIL_MODIFY("4")},
                {true, true, true, false, true}, {0}},
        {VMBUS_VERSION(5, 2), modify, {"", "", "", "retarget 3 vp 3\n", ""},
                {true, true, true, false, true}, {0}},
        {VMBUS_VERSION(4, 1), modify, {"", "", "", "retarget 3 vp 3\n", ""},
                {true, true, true, false, true}, {0}},
        {VMBUS_VERSION(4, 0), modify, {"", "", "", "", ""}, {true, true, true, true, true}, {0}},
        {VMBUS_VERSION(5, 3), released, {"", "", "", "", ""}, {true, true, true, true, false}, {0}},
};

static void every_state(uint32_t version)
{
	world_setup(VMBUS_VERSION_MAX);
	for (unsigned i = 0; i < 4; i++) {
		world_channel(i, (uint8_t)(0xa0 + i), 0);
		/* Not for any client there is: never offered. */
		world.ch[i].offer.min_version_major = i == 0 ? 9 : 0;
		ck_assert_int_eq(vmbus_server_add(&world.s, &world.ch[i]), 0);
	}
	say_contact(version, 1);
	say_plain(VMBUS_REQUEST_OFFERS);
	for (uint32_t relid = 2; relid <= 4; relid++) {
		say_gpadl(relid, RING, 0x100, 8);
		say_gpadl(relid, OTHER, 0x200, 8);
	}
	say_open(3, RING, 0);
	vmbus_server_rescind(&world.s, &world.ch[3]);
	forget();
	world.remarks = 0;
}

static enum vmbus_channel_state state_of(int column)
{
	return column == ABSENT ? CHANNEL_ABSENT
	                        : vmbus_server_state(&world.s, &world.ch[column - 1]);
}

START_TEST(every_message_in_every_state)
{
	int row = _i / COLUMNS, column = _i % COLUMNS;
	enum vmbus_channel_state after = rows[row].after[column];

	every_state(rows[row].version);
	for (int i = 0; i < COLUMNS; i++) {
		ck_assert_int_eq(state_of(i), columns[i].state);
	}
	rows[row].say(columns[column].relid);
	ck_did(rows[row].did[column]);
	ck_assert_int_eq(world.remarks != 0, rows[row].wrong[column]);
	if (rows[row].say == released && column == RESCINDED) {
		ck_assert_int_eq(state_of(column), CHANNEL_ABSENT);
		after = CHANNEL_ABSENT;
	} else {
		ck_assert_int_eq(state_of(column), after ? after : columns[column].state);
	}
	for (int i = 0; i < COLUMNS; i++) {
		ck_assert(i == column || state_of(i) == columns[i].state);
	}
}
END_TEST

/* Numbers of channels that can never be. */
static const uint32_t no_relids[] = {0, 65, 2047, 2048, 0x80000000U, ~0U};

START_TEST(no_such_channel)
{
	for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
		every_state(VMBUS_VERSION(5, 3));
		rows[row].say(no_relids[_i]);
		ck_assert_uint_ne(world.remarks, 0);
		for (int i = 0; i < COLUMNS; i++) {
			ck_assert_int_eq(state_of(i), columns[i].state);
		}
	}
}
END_TEST

UNIT_MAIN("vmbus_server_table",
          tcase_add_loop_test(tc, every_message_in_every_state, 0, ARRAY_SIZE(rows) * COLUMNS);
          tcase_add_loop_test(tc, no_such_channel, 0, ARRAY_SIZE(no_relids));)
