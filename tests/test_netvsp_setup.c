// SPDX-License-Identifier: BSD-2-Clause
// The network adapter's conversation: versions, the wrong order, buffers taken back, addresses.
#include "tests/net_driver.h"

START_TEST(versions)
{
	static const uint32_t all[] = {NVSP_VERSION_1, NVSP_VERSION_2, NVSP_VERSION_4,
	        NVSP_VERSION_5, NVSP_VERSION_6, NVSP_VERSION_61};
	const struct sent_packet *s;

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		world(1500, true);
		channel_of(0, 0)->ops->close(channel_of(0, 0));
		set_up(0, all[i], 1500, true);
		ck_assert_int_eq(guests[0].n.port.takes_large, all[i] == NVSP_VERSION_61);
	}
	/* Unknown ones; a range; one more when it is agreed. */
	world(1500, true);
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	ck_assert_int_eq(channel_of(0, 0)->ops->open(channel_of(0, 0), NULL), 0);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 0x70000, 0x70000), 3), NVSP_TOO_NEW);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 1, 1), 3), NVSP_TOO_OLD);
	ck_assert_uint_ne(word(ask(0, NVSP_INIT, 0x60000, 0x50000), 3), NVSP_SUCCESS);
	s = ask(0, NVSP_INIT, 2, 0x5ffff);
	ck_assert(word(s, 3) == NVSP_SUCCESS && word(s, 1) == NVSP_VERSION_5);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 2, 2), 3), NVSP_FAILURE);
}
END_TEST

/* Every message in the wrong order, and those that nobody knows. */
START_TEST(order)
{
	struct net_switch *sw;

	net_switch_reset();
	sw = net_switch_make("sw", net_now);
	free_world();
	memset(guests, 0, sizeof(guests));
	make_guest(0, sw, RECV_PAGES);
	ck_assert_int_eq(channel_of(0, 0)->ops->open(channel_of(0, 0), NULL), 0);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_SUBCHANNEL, 1, 3), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(last(0), 2), 0);
	ck_assert_uint_eq(ask(0, NVSP_REVOKE_RECV_BUF, 0xcafe, 0)->len, 0);
	ck_assert_uint_eq(ask(0, NVSP_REVOKE_SEND_BUF, 0, 0)->len, 0);
	for (uint32_t type = 0; type < 140; type++) {
		put_words(0, false, type == NVSP_INIT ? 0 : type, 1, 2, 3);
		if (type != NVSP_INIT && type != NVSP_SEND_RNDIS) {
			(void)ask(0, type, 0, 0);
		}
	}
	put(0, RING_PACKET_INBAND, "\x01", 1, true);
	run(0);
	ck_assert_uint_eq(last(0)->len, 0);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RNDIS, 0, 0), 1), NVSP_FAILURE);
	ck_assert_uint_eq(word(ask(0, NVSP_INIT, 2, 2), 3), NVSP_SUCCESS);
	/* No such GPADL, one that is too small, a second one. */
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 5, 0xcafe), 1), NVSP_FAILURE);
	guests[0].recv.g.len = 4095;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	ck_assert_uint_eq(guests[0].holds, 0);
	guests[0].recv.g.len = 4096;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(last(0), 5), 2);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_RECV_BUF, 0xe1e10, 0xcafe), 1), NVSP_FAILURE);
	guests[0].send.g.len = NETVSP_SECTION - 1;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	guests[0].send.g.len = NETVSP_SECTION;
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_SUCCESS);
	ck_assert_uint_eq(word(ask(0, NVSP_SEND_SEND_BUF, 0xe1e11, 0), 1), NVSP_FAILURE);
	ck_assert_int_eq(guests[0].holds, 2);
	channel_of(0, 0)->ops->close(channel_of(0, 0));
	ck_assert_int_eq(guests[0].holds, 0);
}
END_TEST

/* Buffers taken back while they are in use. */
START_TEST(taking_back)
{
	world(1500, true);
	ck_assert_int_eq(guests[1].holds, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1); /* one slot is with the guest, one is queued */
	send_frame(0, NULL, 0, IN_SECTION);
	channel_of(1, 0)->ops->gpadl_gone(channel_of(1, 0), &guests[1].recv.g);
	ck_assert_int_eq(guests[1].holds, 1);
	send_frame(0, NULL, 0, IN_SECTION);
	give_back(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 0);
	ck_assert_uint_eq(guests[1].n.stats.bad_completions, 1);
	channel_of(1, 0)->ops->gpadl_gone(channel_of(1, 0), &guests[1].send.g);
	ck_assert_int_eq(guests[1].holds, 0);
	ck_assert_uint_eq(word(ask(1, NVSP_SEND_RNDIS, 0, 0), 1), NVSP_FAILURE);
	/* By the driver's own messages, and the buffers again, with another MTU. */
	world(1500, true);
	put_words(1, false, NVSP_REVOKE_RECV_BUF, 0xcafe, 0, 0);
	put_words(1, false, NVSP_REVOKE_SEND_BUF, 0, 0, 0);
	run(1);
	ck_assert_int_eq(guests[1].holds, 0);
	send_frame(0, NULL, 0, IN_SECTION);
	channel_of(1, 0)->ops->close(channel_of(1, 0));
	set_up(1, NVSP_VERSION_61, 9000, false);
	ck_assert_int_eq(guests[1].holds, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
}
END_TEST

START_TEST(addresses)
{
	static const char name[] = "NetworkAddress", taken[] = "020000000002",
	                  fresh[] = "02abcdef0001";
	uint8_t p[72] = {0};

	world(1500, true);
	put_le32(p, 20);
	put_le32(p + 4, 28);
	put_le32(p + 8, 2);
	put_le32(p + 12, 48);
	put_le32(p + 16, 24);
	for (unsigned i = 0; i < 14; i++) {
		p[20 + 2 * i] = (uint8_t)name[i];
	}
	for (unsigned i = 0; i < 12; i++) {
		p[48 + 2 * i] = (uint8_t)taken[i];
	}
	ck_assert_uint_ne(oid(0, RNDIS_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, p, 72), 0);
	ck_assert_uint_eq(guests[0].n.port.mac, 0x020000000001);
	for (unsigned i = 0; i < 12; i++) {
		p[48 + 2 * i] = (uint8_t)fresh[i];
	}
	ck_assert_uint_eq(oid(0, RNDIS_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, p, 72), 0);
	ck_assert_uint_eq(guests[0].n.port.mac, 0x02abcdef0001);
	give_back(0);
	frame_to(0, FORM_UDP, 100);
	net_mac_bytes(0x02abcdef0001, t.bytes);
	send_frame(1, NULL, 0, IN_SECTION);
	run(0);
	ck_assert_uint_eq(guests[0].q[0].n_out, 1);
}
END_TEST

UNIT_MAIN("netvsp_setup", tcase_add_test(tc, versions); tcase_add_test(tc, order);
          tcase_add_test(tc, taking_back); tcase_add_test(tc, addresses);)
