// SPDX-License-Identifier: BSD-2-Clause
// RNDIS: what Linux sets, the other requests, and messages that lie about their lengths.
#include "tests/rndis_world.h"

START_TEST(initialize)
{
	begin();
	ck_assert_uint_eq(get_le32(reply), 0x80000002);
	ck_assert_uint_eq(get_le32(reply + 8), 5);
	ck_assert_uint_eq(get_le32(reply + 12), 0);
	ck_assert_uint_eq(get_le32(reply + 16), 1); /* version 1.0 */
	ck_assert_uint_eq(get_le32(reply + 20), 0);
	ck_assert_uint_eq(get_le32(reply + 24), 1);
	ck_assert_uint_eq(get_le32(reply + 28), 0);
	ck_assert_uint_eq(get_le32(reply + 32), 8); /* messages in one buffer */
	ck_assert_uint_eq(get_le32(reply + 40), 3); /* at multiples of 8 bytes */
	ck_assert_uint_eq(get_le32(reply + 44), 0);
	ck_assert_uint_eq(get_le32(reply + 48), 0);
	ck_assert(r.initialized);
}
END_TEST

START_TEST(offload_parameters)
{
	uint8_t p[28] = {0x80, 3, 28, 0};

	begin();
	ck_assert(r.rx_csum_tcp[0] && r.rx_csum_udp[1] && !rndis_takes_large(&r));
	ck_assert_uint_eq(set_oid(0xfc01020c, p, sizeof(p)), 0); /* all as before */
	ck_assert(r.rx_csum_tcp[0] && r.rx_csum_udp[1] && !rndis_takes_large(&r));
	p[5] = 1;  /* TCP over IPv4: off */
	p[8] = 2;  /* UDP over IPv6: only sending */
	p[22] = 2; /* RSC on */
	ck_assert_uint_eq(set_oid(0xfc01020c, p, sizeof(p)), 0);
	ck_assert(!r.rx_csum_tcp[0] && r.rx_csum_udp[0] && r.rx_csum_tcp[1] && !r.rx_csum_udp[1]);
	ck_assert(!rndis_takes_large(&r)); /* IPv4 alone is not enough */
	p[5] = 3;
	p[8] = 4;
	p[23] = 2;
	ck_assert_uint_eq(set_oid(0xfc01020c, p, sizeof(p)), 0);
	ck_assert(r.rx_csum_tcp[0] && r.rx_csum_udp[1] && rndis_takes_large(&r));
	p[22] = 1;
	ck_assert_uint_eq(set_oid(0xfc01020c, p, sizeof(p)), 0);
	ck_assert(!rndis_takes_large(&r));
	r.rsc_offered = false;
	p[22] = 2;
	ck_assert_uint_eq(set_oid(0xfc01020c, p, sizeof(p)), 0);
	ck_assert(!rndis_takes_large(&r));
	/* An older and shorter form; and too short. */
	p[5] = 1;
	ck_assert_uint_eq(set_oid(0xfc01020c, p, 20), 0);
	ck_assert(!r.rx_csum_tcp[0]);
	ck_assert_uint_eq(set_oid(0xfc01020c, p, 15), STATUS_INVALID_LENGTH);
}
END_TEST

START_TEST(filter)
{
	static const uint64_t group = 0x01005e000001;
	static const struct {
		uint32_t filter;
		bool own, other, broadcast, listed, unlisted;
	} rows[] = {
	        {0x00, false, false, false, false, false},
	        {0x01, true, false, false, false, false},
	        {0x02, false, false, false, true, false},
	        {0x04, false, false, false, true, true},
	        {0x08, false, false, true, false, false},
	        {0x0d, true, false, true, true, true},
	        {0x20, true, true, true, true, true},
	        {0x2d, true, true, true, true, true},
	};
	uint8_t list[33 * 6];

	begin();
	for (unsigned i = 0; i < 33; i++) {
		net_mac_bytes(group + i, list + 6 * i);
	}
	ck_assert_uint_eq(set_oid(0x01010103, list, 33 * 6), STATUS_MULTICAST_FULL);
	ck_assert_uint_eq(set_oid(0x01010103, list, 13), STATUS_INVALID_LENGTH);
	ck_assert_uint_eq(r.n_multicast, 0);
	ck_assert_uint_eq(set_oid(0x01010103, list, 32 * 6), 0);
	ck_assert_uint_eq(query(0x01010103), 32 * 6);
	ck_assert_mem_eq(reply + 24, list, 32 * 6);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t f[4];

		put_le32(f, rows[i].filter);
		ck_assert_uint_eq(set_oid(0x0001010e, f, 4), 0);
		ck_assert_int_eq(rndis_accepts(&r, MAC), rows[i].own);
		ck_assert_int_eq(rndis_accepts(&r, MAC + 1), rows[i].other);
		ck_assert_int_eq(rndis_accepts(&r, NET_BROADCAST), rows[i].broadcast);
		ck_assert_int_eq(rndis_accepts(&r, group + 31), rows[i].listed);
		ck_assert_int_eq(rndis_accepts(&r, group + 32), rows[i].unlisted);
	}
	ck_assert_uint_eq(set_oid(0x0001010e, "abc", 3), STATUS_INVALID_LENGTH);
	r.initialized = false;
	ck_assert(!rndis_accepts(&r, MAC));
}
END_TEST

/* As Linux's rndis_filter_set_device_mac() writes it. */
static uint32_t mac_param(uint8_t *p, const char *name, const char *value)
{
	uint32_t n = (uint32_t)strlen(name) * 2, v = (uint32_t)strlen(value) * 2;

	memset(p, 0, 20 + n + v);
	put_le32(p, 20);
	put_le32(p + 4, n);
	put_le32(p + 8, 2);
	put_le32(p + 12, 20 + n);
	put_le32(p + 16, v);
	for (uint32_t i = 0; i < n; i += 2) {
		p[20 + i] = (uint8_t)name[i / 2];
	}
	for (uint32_t i = 0; i < v; i += 2) {
		p[20 + n + i] = (uint8_t)value[i / 2];
	}
	return 20 + n + v;
}

START_TEST(address)
{
	uint8_t p[128], f[4] = {1};
	uint32_t n;

	begin();
	n = mac_param(p, "NetworkAddress", "02AbCdef0001");
	ck_assert_uint_eq(n, 20 + 28 + 24);
	ck_assert_uint_eq(set_oid(0x0001021b, p, n), 0);
	ck_assert_uint_eq(r.wanted_mac, 0x02abcdef0001);
	ck_assert_uint_eq(r.mac, MAC);
	rndis_mac_answer(&r, false, reply);
	ck_assert_uint_eq(get_le32(reply + 12), STATUS_FAILURE);
	ck_assert(r.mac == MAC && r.wanted_mac == 0);
	set_oid(0x0001021b, p, n);
	rndis_mac_answer(&r, true, reply);
	ck_assert_uint_eq(get_le32(reply + 12), 0);
	ck_assert_uint_eq(query(0x01010102), 6);
	ck_assert_uint_eq(net_mac(reply + 24), 0x02abcdef0001);
	query(0x01010101);
	ck_assert_uint_eq(net_mac(reply + 24), MAC);
	set_oid(0x0001010e, f, 4);
	ck_assert(rndis_accepts(&r, 0x02abcdef0001) && rndis_accepts(&r, MAC));
	/* Lies. */
	for (unsigned field = 0; field < 5; field++) {
		n = mac_param(p, "NetworkAddress", "02abcdef0001");
		put_le32(p + 4 * field, 0xfffffff0);
		ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	}
	ck_assert_uint_ne(set_oid(0x0001021b, p, 19), 0);
	n = mac_param(p, "NetworkAddresz", "02abcdef0001");
	ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	n = mac_param(p, "NetworkAddress", "02abcdef000g");
	ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	n = mac_param(p, "NetworkAddress", "010000000000");
	ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	n = mac_param(p, "NetworkAddress", "000000000000");
	ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	n = mac_param(p, "NetworkAddress", "02abcdef000");
	ck_assert_uint_ne(set_oid(0x0001021b, p, n), 0);
	ck_assert_uint_eq(r.wanted_mac, 0);
}
END_TEST

START_TEST(other_requests)
{
	uint8_t m[16] = {RNDIS_KEEPALIVE, 0, 0, 0, 12, 0, 0, 0, 9};

	begin();
	r.filter = 0xd;
	ck_assert_uint_eq(ask(m, 12), 16);
	ck_assert_uint_eq(get_le32(reply), 0x80000008);
	ck_assert_uint_eq(get_le32(reply + 8), 9);
	ck_assert_uint_eq(get_le32(reply + 12), 0);
	m[0] = RNDIS_RESET;
	ck_assert_uint_eq(ask(m, 12), 16);
	ck_assert_uint_eq(get_le32(reply), 0x80000006);
	ck_assert_uint_eq(get_le32(reply + 8), 0);
	ck_assert_uint_eq(get_le32(reply + 12), 1);
	ck_assert(r.initialized && r.filter == 0 && r.rsc_offered);
	m[0] = RNDIS_HALT;
	r.mtu = 9000;
	ck_assert_uint_eq(ask(m, 12), 0);
	ck_assert(!r.initialized && r.mtu == 9000);
	m[0] = 99; /* nothing that has an answer */
	ck_assert_uint_eq(ask(m, 12), 0);
}
END_TEST

START_TEST(link_state)
{
	rndis_init(&r, MAC);
	ck_assert_uint_eq(rndis_indicate_link(&r, true, reply), 0);
	begin();
	ck_assert_uint_eq(rndis_indicate_link(&r, false, reply), 20);
	ck_assert_uint_eq(get_le32(reply), 7);
	ck_assert_uint_eq(get_le32(reply + 4), 20);
	ck_assert_uint_eq(get_le32(reply + 8), 0x4001000c);
	ck_assert(!r.link_up);
	rndis_indicate_link(&r, true, reply);
	ck_assert_uint_eq(get_le32(reply + 8), 0x4001000b);
}
END_TEST

/* Lengths and offsets that lie; whoever has an id gets an answer. */
START_TEST(hostile_requests)
{
	static const uint32_t odd[] = {0, 1, 7, 19, 20, 21, 0x7fffffff, 0xfffffff8, 0xffffffff};
	uint8_t m[32] = {RNDIS_QUERY};

	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(odd) * ARRAY_SIZE(odd); i++) {
		put_le32(m + 4, 32);
		put_le32(m + 8, 1);
		put_le32(m + 12, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES);
		put_le32(m + 16, odd[i % ARRAY_SIZE(odd)]);
		put_le32(m + 20, odd[i / ARRAY_SIZE(odd)]);
		m[0] = RNDIS_QUERY;
		ck_assert_uint_ge(ask(m, 32), 24);
		m[0] = RNDIS_SET;
		put_le32(m + 12, OID_802_3_MULTICAST_LIST);
		ck_assert_uint_eq(ask(m, 32), 16);
	}
	/* The message's own length. */
	for (uint32_t len = 0; len < 40; len++) {
		put_le32(m + 4, len);
		ck_assert_int_eq(ask(m, 32) != 0, len >= 12 && len <= 32);
	}
	for (uint32_t len = 0; len < 32; len++) {
		put_le32(m + 4, len);
		ck_assert_int_eq(ask(m, len) != 0, len >= 12);
	}
}
END_TEST

UNIT_MAIN("rndis", tcase_add_test(tc, initialize); tcase_add_test(tc, offload_parameters);
          tcase_add_test(tc, filter); tcase_add_test(tc, address);
          tcase_add_test(tc, other_requests); tcase_add_test(tc, link_state);
          tcase_add_test(tc, hostile_requests);)
