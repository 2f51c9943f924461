// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: a Linux guest from its first message to its last.
#include "vmbus/server.h"

#include "tests/vmbus_world.h"

struct vmbus_world world;

START_TEST(linux_from_start_to_unload)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	ck_did("");
	say_contact(VMBUS_VERSION(5, 3), 1);
	ck_did("vp1 version yes, state 0, 4\n");
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp1 offer 1 type a0.0\nvp1 offer 2 type a1.0\nvp1 all offers\n");
	say_gpadl(1, 0xe1e10, 0x100, 80);
	ck_did("vp1 created 1/e1e10: 0\n");
	say_open_at(1, 0xe1e10, 2, 40);
	ck_did("begin 1 vp 2 user 5a: 0\nvp1 open result 1 id 101: 0\n");
	say_modify(1, 3);
	ck_did("retarget 1 vp 3\nvp1 modified 1: 0\n");
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did("end 1\n");
	say_teardown(1, 0xe1e10);
	ck_did("vp1 torn down e1e10\n");
	say_plain(VMBUS_UNLOAD);
	ck_did("vp1 unloaded\n");
	ck_assert_uint_eq(world.remarks, 0);
}
END_TEST

UNIT_MAIN("server", tcase_add_test(tc, linux_from_start_to_unload);)
