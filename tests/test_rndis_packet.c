// SPDX-License-Identifier: BSD-2-Clause
// RNDIS: the message around a frame, read and written.
#include "tests/rndis_world.h"

static uint8_t m[512];

/* A packet message with per-packet information as Linux lays it out. */
static uint32_t packet(const uint32_t info[][2], unsigned n, uint32_t data_len)
{
	uint32_t len = PACKET_SIZE + 16 * n + data_len;

	memset(m, 0, sizeof(m));
	put_le32(m, RNDIS_PACKET);
	put_le32(m + 4, len);
	put_le32(m + 8, PACKET_SIZE + 16 * n - 8);
	put_le32(m + 12, data_len);
	put_le32(m + 28, 36);
	put_le32(m + 32, 16 * n);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = m + PACKET_SIZE + 16 * i;

		put_le32(p, 16);
		put_le32(p + 4, info[i][0]);
		put_le32(p + 8, 12);
		put_le32(p + 12, info[i][1]);
	}
	return len;
}

static int parse(uint32_t len, struct rndis_packet *p)
{
	uint32_t head = len < RNDIS_HEAD_MAX ? len : RNDIS_HEAD_MAX;
	uint8_t *copy = malloc(head ? head : 1);
	int err;

	memcpy(copy, m, head);
	err = rndis_parse_packet(copy, head, len, p);
	free(copy);
	return err;
}

START_TEST(packets)
{
	/* VLAN 0x123 with priority 5 and CFI; TCP over IPv4, header at 34; a hash; LSO v2. */
	static const uint32_t info[][2] = {{6, 0x123d}, {0, 0x00220005}, {8, 0x12345678},
	        {2, 1448U | 34U << 20 | 1U << 30}, {1U | PPI_INTERNAL, 0}};
	struct rndis_packet p;
	uint32_t len = packet(NULL, 0, 60);

	ck_assert_int_eq(parse(len, &p), 0);
	ck_assert(p.len == len && p.data_at == 44 && p.data_len == 60 && !p.has_vlan);
	ck_assert(p.request.mss == 0 && !p.request.tcp_csum && !p.request.ip_csum);
	len = packet(info, 5, 100);
	ck_assert_int_eq(parse(len, &p), 0);
	ck_assert(p.has_vlan);
	ck_assert_uint_eq(p.vlan_tci, 5 << 13 | 1 << 12 | 0x123);
	ck_assert(p.request.tcp_csum && !p.request.udp_csum && !p.request.ip_csum);
	ck_assert_uint_eq(p.request.mss, 1448);
	ck_assert_uint_eq(p.data_at, 44 + 80);
}
END_TEST

START_TEST(hostile_packets)
{
	static const uint32_t info[][2] = {{6, 0x10}, {0, 4}};
	static const uint32_t odd[] = {0, 1, 11, 12, 13, 16, 17, 35, 36, 37, 67, 68, 69, 200, 300,
	        0x7fffffff, 0xfffffff4, 0xffffffff};
	struct rndis_packet p;

	for (unsigned field = 8; field < 76; field += 4) {
		for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
			uint32_t len = packet(info, 2, 100);

			put_le32(m + field, odd[i]);
			if (parse(len, &p) == 0) {
				ck_assert_uint_ge(p.data_at, PACKET_SIZE);
				ck_assert((uint64_t)p.data_at + p.data_len <= len);
			}
		}
	}
	for (uint32_t len = 0; len < 176; len++) {
		packet(info, 2, 100);
		ck_assert_int_eq(parse(len, &p), -EINVAL);
	}
	packet(info, 2, 100);
	ck_assert_int_eq(parse(176, &p), 0);
	/* Information of no size would never end. */
	put_le32(m + 44, 0);
	ck_assert_int_eq(parse(176, &p), -EINVAL);
	packet(info, 2, 100);
	put_le32(m + 44, 28); /* leaves 4 bytes */
	ck_assert_int_eq(parse(176, &p), -EINVAL);
	packet(info, 2, 100);
	put_le32(m + 52, 14); /* a value of 2 bytes: left alone */
	ck_assert_int_eq(parse(176, &p), 0);
	ck_assert(!p.has_vlan && p.request.tcp_csum);
}
END_TEST

/* What we write, Linux's reader understands: so does ours. */
START_TEST(built)
{
	struct net_frame f = {.len = 100};
	struct rndis_piece whole = {.data_len = 100, .first = true, .last = true};
	struct rndis_packet p;
	uint32_t n;

	begin();
	n = rndis_build_packet(&r, &f, &whole, m);
	ck_assert_uint_eq(n, 44);
	ck_assert_uint_eq(get_le32(m), 1);
	ck_assert_uint_eq(get_le32(m + 4), 144);
	ck_assert_uint_eq(get_le32(m + 8), 36);
	ck_assert_uint_eq(get_le32(m + 28), 0); /* no information: Linux wants 0 */
	f.has_vlan = true;
	f.vlan_tci = 0xbabc;
	f.csum_ok = true;
	f.headers.ip_version = 4;
	f.headers.protocol = NET_TCP;
	n = rndis_build_packet(&r, &f, &whole, m);
	ck_assert_uint_eq(n, 76);
	ck_assert_uint_eq(get_le32(m + 44 + 12), 0x28); /* TCP and IP are right */
	ck_assert_int_eq(parse(176, &p), 0);
	ck_assert_uint_eq(p.vlan_tci, 0xbabc);
	ck_assert_uint_eq(p.data_at, 76);
	whole.has_hash = true;
	whole.hash = 0x12345678;
	ck_assert_uint_eq(rndis_build_packet(&r, &f, &whole, m), 92);
	ck_assert_uint_eq(get_le32(m + 60 + 4), 8);
	ck_assert_uint_eq(get_le32(m + 60 + 12), 0x12345678);
	whole.has_hash = false;
	f.headers.protocol = NET_UDP;
	f.headers.ip_version = 6;
	rndis_build_packet(&r, &f, &whole, m);
	ck_assert_uint_eq(get_le32(m + 44 + 12), 0x10);
	r.rx_csum_udp[1] = false;
	ck_assert_uint_eq(rndis_build_packet(&r, &f, &whole, m), 60);
}
END_TEST

START_TEST(built_pieces)
{
	struct net_frame f = {.len = 100, .has_vlan = true, .csum_ok = true};
	struct rndis_piece piece = {.data_len = 10, .first = true};

	begin();
	f.headers.ip_version = 4;
	f.headers.protocol = NET_TCP;
	ck_assert_uint_eq(rndis_build_packet(&r, &f, &piece, m), 92);
	ck_assert_uint_eq(get_le32(m + 44 + 32 + 4), 0x80000001);
	ck_assert_uint_eq(get_le32(m + 44 + 32 + 12), 0x301); /* version 1, part, first */
	piece.first = false;
	ck_assert_uint_eq(rndis_build_packet(&r, &f, &piece, m), 60);
	ck_assert_uint_eq(get_le32(m + 44 + 12), 0x101);
	piece.last = true;
	ck_assert_uint_eq(rndis_build_packet(&r, &f, &piece, m), 60);
	ck_assert_uint_eq(get_le32(m + 44 + 12), 0x501);
}
END_TEST

UNIT_MAIN("rndis_packet", tcase_add_test(tc, packets); tcase_add_test(tc, hostile_packets);
          tcase_add_test(tc, built); tcase_add_test(tc, built_pieces);)
