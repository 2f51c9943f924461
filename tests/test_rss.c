// SPDX-License-Identifier: BSD-2-Clause
// Receive-side scaling: the hash against the published vectors, and parameters that make no sense.
#include "tests/net_frames.h"
#include "tests/unit.h"
#include "vmbus/rndis_wire.h"
#include "vmbus/rss.h"
#include "vmm/lib/err.h"

static struct rss rss;
static struct test_frame t;

/* [NDIS] "Verifying the RSS Hash Calculation" */
static const uint8_t key[RSS_KEY_LEN] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
        0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77,
        0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
	uint8_t dst[4], src[4];
	uint32_t dst_port, src_port, ip, tcp;
} v4[] = {
        {{161, 142, 100, 80}, {66, 9, 149, 187}, 1766, 2794, 0x323e8fc2, 0x51ccc178},
        {{65, 69, 140, 83}, {199, 92, 111, 2}, 4739, 14230, 0xd718262a, 0xc626b0ea},
        {{12, 22, 207, 184}, {24, 19, 198, 95}, 38024, 12898, 0xd2d0a5de, 0x5c2b394a},
        {{209, 142, 163, 6}, {38, 27, 205, 30}, 2217, 48228, 0x82989176, 0xafc7327f},
        {{202, 188, 127, 2}, {153, 39, 163, 191}, 1303, 44251, 0x5d1809c5, 0x10e828a2},
};

static const struct {
	uint16_t dst[8], src[8];
	uint32_t dst_port, src_port, ip, tcp;
} v6[] = {
        {{0x3ffe, 0x2501, 0x200, 3, 0, 0, 0, 1}, {0x3ffe, 0x2501, 0x200, 0x1fff, 0, 0, 0, 7}, 1766,
                2794, 0x2cc18cd5, 0x40207d3d},
        {{0xff02, 0, 0, 0, 0, 0, 0, 1}, {0x3ffe, 0x501, 8, 0, 0x260, 0x97ff, 0xfe40, 0xefab}, 4739,
                14230, 0x0f0c461c, 0xdde51bbf},
        {{0xfe80, 0, 0, 0, 0x200, 0xf8ff, 0xfe21, 0x67cf},
                {0x3ffe, 0x1900, 0x4545, 3, 0x200, 0xf8ff, 0xfe21, 0x67cf}, 38024, 44251,
                0x4b61e985, 0x02d1feef},
};

#define IP_AND_TCP (RSS_TOEPLITZ | RSS_IPV4 | RSS_TCP_IPV4 | RSS_IPV6 | RSS_TCP_IPV6)
#define TABLE_AT 44U
#define PARAMS_LEN (TABLE_AT + 4 * RSS_TABLE_MAX + RSS_KEY_LEN)

static uint8_t params[PARAMS_LEN];

/* As Linux writes them: the table, then the key. */
static void make_params(uint32_t flags, uint32_t hash, uint32_t n_table)
{
	memset(params, 0, sizeof(params));
	params[0] = 0x89;
	params[1] = 2;
	put_le16(params + 2, TABLE_AT);
	put_le16(params + 4, flags);
	put_le32(params + 8, hash);
	put_le16(params + 12, 4 * n_table);
	put_le32(params + 16, TABLE_AT);
	put_le16(params + 20, RSS_KEY_LEN);
	put_le32(params + 24, TABLE_AT + 4 * n_table);
	for (uint32_t i = 0; i < n_table; i++) {
		put_le32(params + TABLE_AT + 4 * i, i % 4);
	}
	memcpy(params + TABLE_AT + 4 * n_table, key, RSS_KEY_LEN);
}

static int set(void)
{
	/* A copy of exactly its length, so that ASan sees a step past its end. */
	uint8_t *p = malloc(PARAMS_LEN);
	int err;

	memcpy(p, params, PARAMS_LEN);
	err = rss_set(&rss, p, PARAMS_LEN, 4);
	free(p);
	return err;
}

static void start(uint32_t hash)
{
	rss_reset(&rss);
	make_params(0, hash, RSS_TABLE_MAX);
	ck_assert_int_eq(set(), 0);
	ck_assert(rss.on);
}

static bool hash_of(uint32_t *hash)
{
	lay_out(&t, 4096);
	return rss_hash(&rss, &t.frame, hash);
}

static void check_hash(uint32_t want)
{
	uint32_t hash = 0;

	ck_assert(hash_of(&hash));
	ck_assert_uint_eq(hash, want);
	/* The same when the headers are known already. */
	t.frame.csum_ok = true;
	net_headers_find(&t.frame.headers, t.frame.head, t.frame.head_len, t.frame.len);
	ck_assert(rss_hash(&rss, &t.frame, &hash));
	ck_assert_uint_eq(hash, want);
}

static void check_types(unsigned form, uint32_t ip, uint32_t ports)
{
	bool is_v6 = form & FORM_V6, udp = form & FORM_UDP;
	uint32_t hash;

	start(IP_AND_TCP);
	check_hash(udp ? ip : ports);
	ck_assert_uint_eq(rss_queue(&rss, ports), ports % RSS_TABLE_MAX % 4);
	start(RSS_TOEPLITZ | RSS_IPV4 | RSS_IPV6);
	check_hash(ip);
	start(RSS_TOEPLITZ | RSS_UDP_IPV4 | RSS_UDP_IPV6);
	if (udp) {
		check_hash(ports);
	} else {
		ck_assert(!hash_of(&hash));
	}
	start(RSS_TOEPLITZ | (is_v6 ? RSS_IPV4 : RSS_IPV6));
	ck_assert(!hash_of(&hash));
}

START_TEST(vectors_ipv4)
{
	static const unsigned forms[] = {
	        0, FORM_UDP, FORM_VLAN, FORM_OPTIONS, FORM_OPTIONS | FORM_UDP | FORM_VLAN};

	for (unsigned i = 0; i < ARRAY_SIZE(v4) * ARRAY_SIZE(forms); i++) {
		unsigned n = i % ARRAY_SIZE(v4), form = forms[i / ARRAY_SIZE(v4)];

		make_frame(&t, form, 10);
		memcpy(t.bytes + t.l3 + 12, v4[n].src, 4);
		memcpy(t.bytes + t.l3 + 16, v4[n].dst, 4);
		be16(t.bytes + t.l4, v4[n].src_port);
		be16(t.bytes + t.l4 + 2, v4[n].dst_port);
		check_types(form, v4[n].ip, v4[n].tcp);
	}
	/* A piece of a packet has no ports. */
	make_frame(&t, FORM_FRAGMENT, 10);
	memcpy(t.bytes + t.l3 + 12, v4[0].src, 4);
	memcpy(t.bytes + t.l3 + 16, v4[0].dst, 4);
	start(IP_AND_TCP);
	check_hash(v4[0].ip);
	free_frame(&t);
}
END_TEST

START_TEST(vectors_ipv6)
{
	static const unsigned forms[] = {
	        FORM_V6, FORM_V6 | FORM_UDP, FORM_V6 | FORM_OPTIONS | FORM_VLAN};

	for (unsigned i = 0; i < ARRAY_SIZE(v6) * ARRAY_SIZE(forms); i++) {
		unsigned n = i % ARRAY_SIZE(v6), form = forms[i / ARRAY_SIZE(v6)];

		make_frame(&t, form, 10);
		for (unsigned w = 0; w < 8; w++) {
			be16(t.bytes + t.l3 + 8 + 2 * w, v6[n].src[w]);
			be16(t.bytes + t.l3 + 24 + 2 * w, v6[n].dst[w]);
		}
		be16(t.bytes + t.l4, v6[n].src_port);
		be16(t.bytes + t.l4 + 2, v6[n].dst_port);
		check_types(form, v6[n].ip, v6[n].tcp);
	}
	free_frame(&t);
}
END_TEST

/* Frames without anything to hash, cut short anywhere. */
START_TEST(short_frames)
{
	uint32_t hash;

	start(IP_AND_TCP);
	for (unsigned form = 0; form < 16; form++) {
		make_frame(&t, form, 0);
		for (uint32_t len = NET_ETH_LEN; len < t.l3 + (form & FORM_V6 ? 40 : 20); len++) {
			t.len = len;
			ck_assert(!hash_of(&hash));
		}
	}
	make_frame(&t, 0, 100);
	be16(t.bytes + 12, 0x0806); /* ARP */
	ck_assert(!hash_of(&hash));
	free_frame(&t);
}
END_TEST

START_TEST(parameters)
{
	rss_reset(&rss);
	/* "Unchanged" before there is anything. */
	make_params(0x0004, IP_AND_TCP, RSS_TABLE_MAX);
	ck_assert_int_eq(set(), -EINVAL);
	make_params(0x0008, IP_AND_TCP, RSS_TABLE_MAX);
	ck_assert_int_eq(set(), -EINVAL);
	ck_assert(!rss.on);
	start(IP_AND_TCP);
	/* Off, by a flag or by nothing to hash; what was set stays. */
	make_params(0x0010, IP_AND_TCP, 0);
	ck_assert_int_eq(set(), 0);
	ck_assert(!rss.on);
	make_params(0x000e, 0, 0);
	ck_assert_int_eq(set(), 0);
	ck_assert(rss.on && rss.n_table == RSS_TABLE_MAX && rss.types == IP_AND_TCP);
	make_params(0, 0, 0);
	ck_assert_int_eq(set(), 0);
	ck_assert(!rss.on);
	/* Each power of two, and no other number. */
	for (uint32_t n = 0; n <= RSS_TABLE_MAX; n++) {
		make_params(0, IP_AND_TCP, n);
		ck_assert_int_eq(set(), n != 0 && (n & (n - 1)) == 0 ? 0 : -EINVAL);
	}
	ck_assert_uint_eq(rss.n_table, RSS_TABLE_MAX);
	make_params(0, IP_AND_TCP, 1);
	put_le32(params + TABLE_AT, 3);
	ck_assert_int_eq(set(), 0);
	ck_assert_uint_eq(rss_queue(&rss, 0xffffffff), 3);
	/* Refused: and all stays as it is. */
	make_params(0, IP_AND_TCP, 2);
	put_le32(params + TABLE_AT + 4, 4); /* there are channels 0 to 3 */
	ck_assert_int_eq(set(), -EINVAL);
	make_params(0, RSS_IPV4, 2); /* no function */
	ck_assert_int_eq(set(), -EINVAL);
	make_params(0, RSS_IPV4 | 2, 2);
	ck_assert_int_eq(set(), -EINVAL);
	for (uint32_t len = 0; len < RSS_KEY_LEN; len++) {
		make_params(0, IP_AND_TCP, 2);
		put_le16(params + 20, len);
		ck_assert_int_eq(set(), -EINVAL);
	}
	ck_assert(rss.n_table == 1 && rss_queue(&rss, 5) == 3);
}
END_TEST

/* Offsets and lengths that lead out of it. */
START_TEST(hostile_parameters)
{
	static const uint32_t odd[] = {PARAMS_LEN - 39, PARAMS_LEN, 0x7fffffff, 0xfffffff8, ~0U};

	start(IP_AND_TCP);
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
		make_params(0, IP_AND_TCP, 16);
		put_le32(params + 16, odd[i]);
		ck_assert_int_eq(set(), -EINVAL);
		make_params(0, IP_AND_TCP, 16);
		put_le32(params + 24, odd[i]);
		ck_assert_int_eq(set(), -EINVAL);
	}
	make_params(0, IP_AND_TCP, 16);
	put_le16(params + 12, 0xffff);
	ck_assert_int_eq(set(), -EINVAL);
	for (uint32_t len = 0; len < 28; len++) {
		uint8_t *p = calloc(1, len ? len : 1);

		ck_assert_int_eq(rss_set(&rss, p, len, 4), -EINVAL);
		free(p);
	}
	ck_assert(rss.on);
}
END_TEST

UNIT_MAIN("rss", tcase_add_test(tc, vectors_ipv4); tcase_add_test(tc, vectors_ipv6);
          tcase_add_test(tc, short_frames); tcase_add_test(tc, parameters);
          tcase_add_test(tc, hostile_parameters);)
