// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server's channels: offers, openings that are refused, rescinds, sub-channels.
#include "tests/vmbus_world.h"

struct vmbus_world world;

static void connect(void)
{
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	forget();
}

/* Two devices, known to the guest. */
static void setup(void)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	connect();
}

static void open_channel(uint32_t relid)
{
	say_gpadl(relid, 0x100 + relid, 0x100 * relid, 8);
	say_open(relid, 0x100 + relid, 0);
	ck_assert(world.ch[0].is_open || world.ch[1].is_open);
	forget();
}

/* --- offers --- */

static struct vmbus_msg_offer last_offer;

static int keep_offer(void *owner, uint32_t vp, uint32_t sint, const void *message, uint32_t size)
{
	(void)owner;
	(void)vp;
	(void)sint;
	if (size == sizeof(last_offer)) {
		memcpy(&last_offer, message, size);
	}
	return 0;
}

/* Byte for byte: drivers match by these. */
START_TEST(offer_on_the_wire)
{
	static const uint8_t head[] = {1, 0, 0, 0, 0, 0, 0, 0,
	        /* ba6163d9-04a1-4d29-b605-72e2ffb1dc7f, SCSI */
	        0xd9, 0x63, 0x61, 0xba, 0xa1, 0x04, 0x29, 0x4d, 0xb6, 0x05, 0x72, 0xe2, 0xff, 0xb1,
	        0xdc, 0x7f,
	        /* 00112233-4455-6677-8899-aabbccddeeff */
	        0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
	        0xee, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x00, /* flags */
	        0x08, 0x01,                                                             /* MMIO */
	        4, 0, 0, 0 /* a pipe of messages */};
	static const uint8_t tail[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0x20, 0, 0};
	struct vmbus_server_ops ops = world_ops;
	const uint8_t *bytes = (const uint8_t *)&last_offer;

	world_setup(VMBUS_VERSION_MAX);
	ops.post = keep_offer;
	world.s.ops = &ops;
	world.ch[0] = (struct vmbus_channel){
	        .offer = {.type = GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb605, 0x72e2ffb1dc7f),
	                .instance = GUID(0x00112233, 0x4455, 0x6677, 0x8899, 0xaabbccddeeff),
	                .flags = VMBUS_OFFER_ENUMERATE | VMBUS_OFFER_NAMED_PIPE,
	                .mmio_megabytes = 0x108,
	                .pipe_message_mode = true}};
	ck_assert_int_eq(vmbus_server_add(&world.s, &world.ch[0]), 0);
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_assert_mem_eq(bytes, head, sizeof(head));
	for (size_t i = sizeof(head); i < 180; i++) {
		ck_assert_uint_eq(bytes[i], 0);
	}
	ck_assert_mem_eq(bytes + 180, tail, sizeof(tail));
}
END_TEST

/* Of a device that says what it is. */
START_TEST(offer_user_data)
{
	struct vmbus_server_ops ops = world_ops;

	world_setup(VMBUS_VERSION_MAX);
	ops.post = keep_offer;
	world.s.ops = &ops;
	world_channel(0, 0xa0, 0)->offer.user[0] = 0x11;
	world.ch[0].offer.user[VMBUS_OFFER_USER - 1] = 0x22;
	ck_assert_int_eq(vmbus_server_add(&world.s, &world.ch[0]), 0);
	say_contact(VMBUS_VERSION(5, 3), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	for (unsigned i = 0; i < VMBUS_USER_DATA; i++) {
		ck_assert_uint_eq(last_offer.user[i], i == 0                      ? 0x11
		                                      : i == VMBUS_OFFER_USER - 1 ? 0x22
		                                                                  : 0);
	}
}
END_TEST

START_TEST(plugged_in_later)
{
	world_setup(VMBUS_VERSION_MAX);
	say_contact(VMBUS_VERSION(5, 3), 0);
	forget();
	/* The guest has not asked yet. */
	world_add(0, 0xa0, 0);
	ck_did("");
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 offer 1 type a0.0\nvp0 all offers\n");
	/* And then each comes alone. */
	world_add(1, 0xa1, 0);
	ck_did("vp0 offer 2 type a1.0\n");
	world.room = 0;
	world_add(2, 0xa2, 0);
	ck_did("");
	world.room = 1;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("vp0 offer 3 type a2.0\n");
}
END_TEST

START_TEST(asked_again)
{
	setup();
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 all offers\n");
	ck_assert_ptr_nonnull(world.remark);
}
END_TEST

START_TEST(not_for_old_clients)
{
	world_setup(VMBUS_VERSION_MAX);
	world_channel(0, 0xa0, 0)->offer.min_version_major = 4;
	ck_assert_int_eq(vmbus_server_add(&world.s, &world.ch[0]), 0);
	world_add(1, 0xa1, 0);
	say_contact(VMBUS_VERSION(3, 0), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 version yes, state 0, 30000\nvp0 offer 2 type a1.0\nvp0 all offers\n");
	say_contact(VMBUS_VERSION(4, 0), 0);
	say_plain(VMBUS_REQUEST_OFFERS);
	ck_did("vp0 version yes, state 0, 40000\nvp0 offer 1 type a0.0\nvp0 offer 2 type a1.0\n"
	       "vp0 all offers\n");
}
END_TEST

START_TEST(places)
{
	static struct vmbus_channel many[VMBUS_MAX_CHANNELS + 1];

	world_setup(VMBUS_VERSION_MAX);
	for (unsigned i = 0; i <= VMBUS_MAX_CHANNELS; i++) {
		many[i] = (struct vmbus_channel){0};
		many[i].offer.instance.b[3] = (uint8_t)(i + 1);
		ck_assert_int_eq(
		        vmbus_server_add(&world.s, &many[i]), i < VMBUS_MAX_CHANNELS ? 0 : -ENOSPC);
		ck_assert_uint_eq(many[i].relid, i < VMBUS_MAX_CHANNELS ? i + 1 : 0);
	}
	/* The same again, by type, instance and index. */
	vmbus_server_rescind(&world.s, &many[9]);
	ck_assert_uint_eq(many[9].relid, 0);
	many[64].offer = many[8].offer;
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[64]), -EEXIST);
	many[64].offer.type.b[0] = 1;
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[64]), 0);
	ck_assert_uint_eq(many[64].relid, 10);
	vmbus_server_rescind(&world.s, &many[20]);
	many[20].offer = many[8].offer;
	many[20].offer.sub_index = 1;
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[20]), 0);
}
END_TEST

/* A promise is as good as a channel. */
START_TEST(promises)
{
	static struct vmbus_channel many[VMBUS_MAX_CHANNELS + 1];

	world_setup(VMBUS_VERSION_MAX);
	for (unsigned i = 0; i <= VMBUS_MAX_CHANNELS; i++) {
		many[i] = (struct vmbus_channel){0};
		many[i].offer.instance.b[3] = (uint8_t)(i + 1);
		if (i < VMBUS_MAX_CHANNELS - 1) {
			ck_assert_int_eq(vmbus_server_add(&world.s, &many[i]), 0);
		}
	}
	ck_assert(vmbus_server_promise(&world.s));
	ck_assert(!vmbus_server_promise(&world.s));
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[63]), -ENOSPC);
	/* It is lost by an error, and may be given back. */
	ck_assert_int_eq(vmbus_server_add_promised(&world.s, &many[5]), -EEXIST);
	ck_assert(vmbus_server_promise(&world.s));
	vmbus_server_unpromise(&world.s);
	ck_assert(vmbus_server_promise(&world.s));
	ck_assert_int_eq(vmbus_server_add_promised(&world.s, &many[63]), 0);
	ck_assert(!vmbus_server_promise(&world.s));
	vmbus_server_rescind(&world.s, &many[7]);
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[64]), 0);
	ck_assert_uint_eq(many[64].relid, 8);
	ck_assert_int_eq(vmbus_server_add(&world.s, &many[7]), -ENOSPC);
}
END_TEST

/* --- opening --- */

static const struct {
	uint32_t gpadl, vp, out_offset;
	int begin;
	bool good;
} opens[] = {
        {1, 0, 4, 0, true}, {1, 3, 2, 0, true}, {1, 0, 6, 0, true}, {1, VMBUS_NO_VP, 4, 0, true},
        {1, 0, 0, 0, false}, {1, 0, 1, 0, false}, {1, 0, 7, 0, false}, {1, 0, 8, 0, false},
        {1, 0, ~0U, 0, false}, {1, 0, 0x80000004U, 0, false}, {1, 4, 4, 0, false},
        {1, ~0U - 1, 4, 0, false}, {1, 0, 4, -EIO, false},
        {2, 0, 4, 0, false},                      /* not whole pages */
        {3, 0, 2, 0, false},                      /* three pages */
        {3, 0, 1, 0, false}, {4, 0, 4, 0, false}, /* another channel's */
        {5, 0, 4, 0, false},                      /* not complete */
        {99, 0, 4, 0, false},                     /* nobody's */
        {0, 0, 4, 0, false}, {6, 0, 2, 0, true},  /* the smallest */
};

START_TEST(openings)
{
	struct {
		struct vmbus_msg_gpadl_header h;
		uint8_t list[72];
	} bytes = {.h = {.header.type = VMBUS_GPADL_HEADER,
	                   .relid = 1,
	                   .gpadl = 2,
	                   .list_bytes = 72,
	                   .range_count = 1},
	        .list = {0xf8, 0x7f}}; /* 8 pages but for 8 bytes */
	struct gpadl *g;

	setup();
	say_gpadl(1, 1, 0x100, 8);
	say(&bytes, sizeof(bytes));
	say_gpadl(1, 3, 0x200, 3);
	say_gpadl(2, 4, 0x300, 8);
	bytes.h.gpadl = 5;
	bytes.h.list_bytes = 800;
	say(&bytes, sizeof(bytes));
	say_gpadl(1, 6, 0x400, 4);
	say_gpadl(1, 7, 0x400, 1);
	forget();
	world.begin_error = opens[_i].begin;
	say_open_at(1, opens[_i].gpadl, opens[_i].vp, opens[_i].out_offset);
	ck_assert_int_eq(world.remark == NULL, opens[_i].good);
	ck_assert_int_eq(world.ch[0].is_open, opens[_i].good);
	ck_assert_int_eq(strstr(world.text, "open result 1 id 101: 0") != NULL, opens[_i].good);
	ck_assert_int_eq(world.ch[0].ring_gpadl != NULL, opens[_i].good);
	if (opens[_i].good) {
		ck_assert_uint_eq(world.ch[0].target_vp, opens[_i].vp);
	} else {
		/* Nothing is held, and the next one may succeed. */
		g = gpadl_find(&world.s.gpadls, 1, 1);
		ck_assert_uint_eq(g->holders, 0);
		ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[0]), CHANNEL_OFFERED);
		world.begin_error = 0;
		forget();
		say_open(1, 1, 2);
		ck_did("begin 1 vp 2 user 5a: 0\nvp0 open result 1 id 101: 0\n");
	}
}
END_TEST

/* A driver is bound again: with the same memory, and with another. */
START_TEST(opened_again)
{
	setup();
	open_channel(1);
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did("end 1\n");
	ck_assert_uint_eq(gpadl_find(&world.s.gpadls, 1, 0x101)->holders, 0);
	say_open(1, 0x101, 1);
	ck_did("begin 1 vp 1 user 5a: 0\nvp0 open result 1 id 101: 0\n");
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	say_teardown(1, 0x101);
	say_gpadl(1, 7, 0x700, 16);
	say_open(1, 7, 1);
	ck_did("end 1\nvp0 torn down 101\nvp0 created 1/7: 0\nbegin 1 vp 1 user 5a: 0\n"
	       "vp0 open result 1 id 101: 0\n");
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did("end 1\n");
	ck_assert_ptr_nonnull(world.remark);
}
END_TEST

START_TEST(moved)
{
	setup();
	open_channel(1);
	say_modify(1, VMBUS_NO_VP);
	ck_did("retarget 1 vp -1\nvp0 modified 1: 0\n");
	say_modify(1, 3);
	ck_did("retarget 1 vp 3\nvp0 modified 1: 0\n");
	say_modify(1, 4);
	ck_did("vp0 modified 1: c0000001\n");
	ck_assert_uint_eq(world.ch[0].target_vp, 3);
}
END_TEST

/* --- rescind --- */

START_TEST(rescind_without_a_guest)
{
	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	vmbus_server_rescind(&world.s, &world.ch[0]);
	vmbus_server_rescind(&world.s, &world.ch[0]);
	ck_assert_uint_eq(world.ch[0].relid, 0);
	connect();
	ck_did("");
	world_add(0, 0xa0, 0);
	ck_did("vp0 offer 1 type a0.0\n");
}
END_TEST

START_TEST(rescind_of_an_offered_one)
{
	setup();
	vmbus_server_rescind(&world.s, &world.ch[0]);
	ck_did("vp0 rescind 1\n");
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[0]), CHANNEL_RESCINDED);
	vmbus_server_rescind(&world.s, &world.ch[0]);
	ck_did("");
	/* Not again, and not its relid, before the guest has let go. */
	ck_assert_int_eq(vmbus_server_add(&world.s, &world.ch[0]), -EEXIST);
	world_add(2, 0xa2, 0);
	ck_did("vp0 offer 3 type a2.0\n");
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_assert_ptr_null(world.remark);
	ck_assert_uint_eq(world.ch[0].relid, 0);
	world_add(0, 0xa0, 0);
	ck_did("vp0 offer 1 type a0.0\n");
}
END_TEST

/* It ends before the guest hears of it; the guest closes or not, and lets go. */
START_TEST(rescind_of_an_open_one)
{
	setup();
	open_channel(1);
	world.room = 0;
	vmbus_server_rescind(&world.s, &world.ch[0]);
	ck_did("end 1\n");
	ck_assert_ptr_null(world.ch[0].ring_gpadl);
	/* What it cannot know yet it cannot answer. */
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_assert_ptr_nonnull(world.remark);
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("vp0 rescind 1\n");
	if (_i & 1) {
		say_relid(VMBUS_CLOSE_CHANNEL, 1);
		ck_assert_ptr_null(world.remark);
	}
	if (_i & 2) {
		say_teardown(1, 0x101);
		ck_did("vp0 torn down 101\n");
	}
	/* Its memory goes with its relid, if not before. */
	ck_assert_int_eq(gpadl_find(&world.s.gpadls, 1, 0x101) != NULL, !(_i & 2));
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_assert_ptr_null(gpadl_find(&world.s.gpadls, 1, 0x101));
	ck_did("");
	say_relid(VMBUS_RELID_RELEASED, 1);
	ck_assert_ptr_nonnull(world.remark);
}
END_TEST

/* Offered only to be taken away: the guest hears neither. */
START_TEST(rescind_before_the_offer)
{
	setup();
	world.room = 0;
	world_add(2, 0xa2, 0);
	vmbus_server_rescind(&world.s, &world.ch[2]);
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("");
}
END_TEST

/* --- sub-channels --- */

static void with_subs(void)
{
	setup();
	open_channel(1);
	world_add(2, 0xa0, 1);
	world_add(3, 0xa0, 2);
	ck_did("vp0 offer 3 type a0.1\nvp0 offer 4 type a0.2\n");
	say_gpadl(3, 0x103, 0x300, 8);
	say_open(3, 0x103, 1);
	ck_did("vp0 created 3/103: 0\nbegin 3 vp 1 user 5a: 0\nvp0 open result 3 id 103: 0\n");
}

START_TEST(subs_go_with_the_close)
{
	with_subs();
	/* Linux closes them itself, but does not have to. */
	if (_i) {
		say_relid(VMBUS_CLOSE_CHANNEL, 3);
		ck_did("end 3\n");
	}
	say_relid(VMBUS_CLOSE_CHANNEL, 1);
	ck_did(_i ? "end 1\nvp0 rescind 3\nvp0 rescind 4\n"
	          : "end 3\nend 1\nvp0 rescind 3\nvp0 rescind 4\n");
	ck_assert_uint_eq(world.ch[2].relid, 0);
	ck_assert_uint_eq(world.ch[3].relid, 0);
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[2]), CHANNEL_ABSENT);
	/* Asked for again while the guest still has the old ones: at other relids. */
	say_open(1, 0x101, 0);
	world_add(2, 0xa0, 1);
	ck_did("begin 1 vp 0 user 5a: 0\nvp0 open result 1 id 101: 0\nvp0 offer 5 type a0.1\n");
	say_teardown(3, 0x103);
	say_relid(VMBUS_RELID_RELEASED, 3);
	say_relid(VMBUS_RELID_RELEASED, 4);
	ck_did("vp0 torn down 103\n");
	ck_assert_uint_eq(world.ch[2].relid, 5);
	world_add(3, 0xa0, 2);
	ck_did("vp0 offer 3 type a0.2\n");
}
END_TEST

START_TEST(subs_go_with_the_device)
{
	with_subs();
	vmbus_server_rescind(&world.s, &world.ch[0]);
	ck_did("end 3\nend 1\nvp0 rescind 1\nvp0 rescind 3\nvp0 rescind 4\n");
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[0]), CHANNEL_RESCINDED);
}
END_TEST

/* One alone: its primary stays open. */
START_TEST(one_sub_goes)
{
	with_subs();
	vmbus_server_rescind(&world.s, &world.ch[2]);
	ck_did("end 3\nvp0 rescind 3\n");
	ck_assert(world.ch[0].is_open);
	vmbus_server_rescind(&world.s, &world.ch[2]);
	ck_did("");
	/* Rescinds go out before the offers that follow them. */
	world.room = 0;
	vmbus_server_rescind(&world.s, &world.ch[3]);
	world_add(3, 0xa0, 2);
	world.room = ~0U;
	ck_assert(!vmbus_server_pump(&world.s));
	ck_did("vp0 rescind 4\nvp0 offer 5 type a0.2\n");
}
END_TEST

/* The other device's stay. */
START_TEST(subs_of_another_device)
{
	with_subs();
	open_channel(2);
	say_relid(VMBUS_CLOSE_CHANNEL, 2);
	ck_did("end 2\n");
	ck_assert_int_eq(vmbus_server_state(&world.s, &world.ch[2]), CHANNEL_OPEN);
}
END_TEST

/* The guest takes the memory of the primary's rings, which ends all of them. */
START_TEST(subs_go_with_the_ring)
{
	with_subs();
	say_teardown(1, 0x101);
	ck_did("end 3\nend 1\nvp0 torn down 101\nvp0 rescind 3\nvp0 rescind 4\n");
	ck_assert_ptr_nonnull(world.remark);
}
END_TEST

UNIT_MAIN("vmbus_server_channel", tcase_add_test(tc, offer_on_the_wire);
          tcase_add_test(tc, offer_user_data); tcase_add_test(tc, plugged_in_later);
          tcase_add_test(tc, asked_again); tcase_add_test(tc, not_for_old_clients);
          tcase_add_test(tc, places); tcase_add_test(tc, promises);
          tcase_add_loop_test(tc, openings, 0, ARRAY_SIZE(opens)); tcase_add_test(tc, opened_again);
          tcase_add_test(tc, moved); tcase_add_test(tc, rescind_without_a_guest);
          tcase_add_test(tc, rescind_of_an_offered_one);
          tcase_add_loop_test(tc, rescind_of_an_open_one, 0, 4);
          tcase_add_test(tc, rescind_before_the_offer);
          tcase_add_loop_test(tc, subs_go_with_the_close, 0, 2);
          tcase_add_test(tc, subs_go_with_the_device); tcase_add_test(tc, one_sub_goes);
          tcase_add_test(tc, subs_of_another_device); tcase_add_test(tc, subs_go_with_the_ring);)
