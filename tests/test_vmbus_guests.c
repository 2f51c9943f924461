// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: conversations of whole guests, as their drivers have them.
#include "tests/vmbus_world.h"

struct vmbus_world world;

/* Linux 6.1: drivers/hv/connection.c "vmbus_connect", then hv_storvsc, then kexec. */
START_TEST(linux_guest)
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
	say_relid(VMBUS_RELID_RELEASED, 1);
	say_relid(VMBUS_RELID_RELEASED, 2);
	ck_did("vp1 unloaded\n");
	ck_assert_uint_eq(world.remarks, 0);
}
END_TEST

/* A crash: the rings are still open; the kernel that dumps it begins on another VP. */
START_TEST(linux_crash_and_kdump)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	say_gpadl(1, 0xe1e10, 0x100, 80);
	say_open(1, 0xe1e10, 0);
	ck_did("vp0 version yes, state 0, 4\nvp0 offer 1 type a0.0\nvp0 all offers\n"
	       "vp0 created 1/e1e10: 0\nbegin 1 vp 0 user 5a: 0\nvp0 open result 1 id 101: 0\n");
	say_plain(VMBUS_UNLOAD);
	ck_did("end 1\nvp0 unloaded\n");
	say_contact(VMBUS_VERSION(5, 3), 3);
	say_plain(VMBUS_REQUEST_OFFERS);
	say_gpadl(1, 0xe1e10, 0x200, 80);
	say_open(1, 0xe1e10, 3);
	ck_did("vp3 version yes, state 0, 4\nvp3 offer 1 type a0.0\nvp3 all offers\n"
	       "vp3 created 1/e1e10: 0\nbegin 1 vp 3 user 5a: 0\nvp3 open result 1 id 101: 0\n");
	ck_assert_uint_eq(world.remarks, 0);
}
END_TEST

/* The versions Linux tries, until one is taken. */
START_TEST(linux_on_an_older_host)
{
	world_setup(VMBUS_VERSION(4, 1));
	for (uint32_t minor = 4; minor-- > 0;) {
		say_contact(VMBUS_VERSION(5, minor), 0);
		ck_did("vp0 version no, state 0, 4\n");
		ck_assert_uint_eq(vmbus_server_version(&world.s), 0);
	}
	say_contact(VMBUS_VERSION(4, 1), 0);
	ck_did("vp0 version yes, state 0, 40001\n");
	ck_assert_uint_eq(vmbus_server_version(&world.s), VMBUS_VERSION(4, 1));
}
END_TEST

/* UEFI firmware (mu_msvm): 6.0 with a longer message, then 3.0; messages of 240 bytes, numbers from
 * 1 on; unload at ExitBootServices, then the next client. */
START_TEST(uefi_guest)
{
	union {
		struct vmbus_msg_contact contact;
		struct vmbus_msg_gpadl_header h;
		uint64_t words[VMBUS_MESSAGE_MAX / 8];
		uint8_t bytes[VMBUS_MESSAGE_MAX];
	} m = {.contact = {.header.type = VMBUS_INITIATE_CONTACT,
	               .version = VMBUS_VERSION(6, 0),
	               .sint = VMBUS_SINT,
	               .feature_flags = 0x7f}};
	struct vmbus_gpa_range range = {.byte_count = 20 * (uint32_t)PAGE_SIZE};

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	say(&m, 56);
	ck_did("vp0 version no, state 0, 1\n");
	m.contact.version = VMBUS_VERSION(3, 0);
	say(&m, 40);
	ck_did("vp0 version yes, state 0, 30000\n");
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 offer 1 type a0.0\nvp0 all offers\n");
	memset(&m, 0xff, sizeof(m));
	m.h = (struct vmbus_msg_gpadl_header){.header.type = VMBUS_GPADL_HEADER,
	        .relid = 1,
	        .gpadl = 1,
	        .list_bytes = 8 + 20 * 8,
	        .range_count = 1};
	memcpy(m.bytes + 20, &range, 8);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t pfn = 100 + i;

		memcpy(m.bytes + 28 + 8 * i, &pfn, 8);
	}
	say(&m, sizeof(m));
	ck_did("vp0 created 1/1: 0\n");
	say_open_at(1, 1, 0, 10);
	ck_did("begin 1 vp 0 user 5a: 0\nvp0 open result 1 id 101: 0\n");
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	say_teardown(1, 1);
	ck_did("end 1\nvp0 torn down 1\n");
	say_plain(VMBUS_UNLOAD);
	ck_did("vp0 unloaded\n");
	say_contact(VMBUS_VERSION(5, 3), 0);
	ck_did("vp0 version yes, state 0, 4\n");
	ck_assert_uint_eq(world.remarks, 1); /* 6.0 */
}
END_TEST

/* iPXE: contacts with 3.0 to check, then with 0.13 and its page; buffers at any byte; polls. */
START_TEST(ipxe_guest)
{
	struct {
		struct vmbus_msg_gpadl_header h;
		uint8_t list[8 * 4];
	} m = {.h = {.header.type = VMBUS_GPADL_HEADER,
	               .relid = 1,
	               .gpadl = 0x18ae0002,
	               .list_bytes = 8 * 4,
	               .range_count = 1}};
	uint64_t list[4] = {0x5f0ULL << 32 | 0x2000, 0x200, 0x201, 0x202};

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	say_contact(VMBUS_VERSION(3, 0), 0);
	ck_did("vp0 version yes, state 0, 30000\n");
	say_contact(VMBUS_VERSION(0, 13), 0);
	ck_did("interrupt page 1000\nvp0 version yes, state 0, d\n");
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 offer 1 type a0.0\nvp0 all offers\n");
	say_gpadl(1, 0x18ae0001, 0x100, 8);
	/* The old message has no VP: whatever lies there. */
	say_open(1, 0x18ae0001, 0xdddd);
	ck_did("vp0 created 1/18ae0001: 0\nbegin 1 vp 0 user 5a: 0\n"
	       "vp0 open result 1 id 101: 0\n");
	memcpy(m.list, list, sizeof(list));
	say(&m, sizeof(m));
	ck_did("vp0 created 1/18ae0002: 0\n");
	ck_assert_uint_eq(world_hold(1, 0x18ae0002)->first_offset, 0x5f0);
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	say_teardown(1, 0x18ae0002);
	say_teardown(1, 0x18ae0001);
	say_plain(VMBUS_UNLOAD);
	ck_did("end 1\nvp0 torn down 18ae0002\nvp0 torn down 18ae0001\ninterrupt page 0\n"
	       "vp0 unloaded\n");
	ck_assert_uint_eq(world.remarks, 0);
}
END_TEST

/* FreeBSD: on connection 1, from 3.0 down; waits for AllOffersDelivered. */
START_TEST(freebsd_guest)
{
	static const uint32_t tries[] = {VMBUS_VERSION(3, 0), VMBUS_VERSION(2, 4)};

	world_setup(VMBUS_VERSION(2, 4));
	world_add(0, 0xa0, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(tries); i++) {
		say_contact_as(VMBUS_MESSAGE_CONNECTION, tries[i], 0, 0x5000);
	}
	ck_did("vp0 version no, state 0, 30000\nvp0 version yes, state 0, 20004\n");
	say_plain(VMBUS_REQUEST_OFFERS);
	say_gpadl(1, 0xe1e10, 0x100, 64);
	say_open_at(1, 0xe1e10, 1, 32);
	ck_did("vp0 offer 1 type a0.0\nvp0 all offers\nvp0 created 1/e1e10: 0\n"
	       "begin 1 vp 1 user 5a: 0\nvp0 open result 1 id 101: 0\n");
}
END_TEST

UNIT_MAIN("vmbus_guests", tcase_add_test(tc, linux_guest);
          tcase_add_test(tc, linux_crash_and_kdump); tcase_add_test(tc, linux_on_an_older_host);
          tcase_add_test(tc, uefi_guest); tcase_add_test(tc, ipxe_guest);
          tcase_add_test(tc, freebsd_guest);)
