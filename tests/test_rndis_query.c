// SPDX-License-Identifier: BSD-2-Clause
// RNDIS: each object that may be asked for.
#include "tests/rndis_world.h"

START_TEST(queries)
{
	static const struct {
		uint32_t oid, len, value;
	} rows[] = {
	        {0x00010102, 4, 0},
	        {0x00010103, 4, 0},
	        {0x00010104, 4, 0},
	        {0x00010105, 4, 1500},
	        {0x00010106, 4, 1500},
	        {0x00010107, 4, 100000000},
	        {0x0001010a, 4, 1514},
	        {0x0001010b, 4, 1514},
	        {0x0001010c, 4, 0xffffff},
	        {0x0001010d, 8, 0x646e6143},
	        {0x0001010e, 4, 0},
	        {0x0001010f, 4, 1500},
	        {0x00010111, 4, 1514},
	        {0x00010114, 4, 0},
	        {0x00010116, 4, 0x10000},
	        {0x00010202, 4, 0},
	        {0x01010101, 6, 0x015d1500},
	        {0x01010102, 6, 0x015d1500},
	        {0x01010104, 4, 32},
	};
	/* Those that can only be set. */
	static const uint32_t set_only[] = {
	        0x00010204, 0x00010208, 0x0001021b, 0x0101010a, 0xfc01020c};
	uint32_t n, refused = 0;

	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(query(rows[i].oid), rows[i].len);
		ck_assert_uint_eq(get_le32(reply + 24), rows[i].value);
	}
	ck_assert_uint_eq(query(0x01010103), 0);
	r.link_up = false;
	query(0x00010114);
	ck_assert_uint_eq(get_le32(reply + 24), 1);
	/* Each object of the list has an answer, or may be set. */
	r.queues = 4;
	n = query(0x00010101) / 4;
	ck_assert_uint_eq(n, 49);
	for (unsigned i = 0; i < n; i++) {
		uint32_t id;

		query(0x00010101);
		id = get_le32(reply + 24 + 4 * i);
		if (request(RNDIS_QUERY, id, "", 0) != 0) {
			bool known = false;

			for (unsigned k = 0; k < ARRAY_SIZE(set_only); k++) {
				known |= set_only[k] == id;
			}
			ck_assert_msg(known, "%#x has no answer", id);
			refused++;
		}
	}
	ck_assert_uint_eq(refused, ARRAY_SIZE(set_only));
	r.queues = 1;
	ck_assert_uint_eq(query(0x00010101) / 4, 47);
	/* RSS, friendly name, and something with a host pointer in it: nobody has heard of them. */
	ck_assert_uint_eq(request(RNDIS_QUERY, 0x00010203, "", 0), 0xc00000bb);
	ck_assert_uint_eq(get_le32(reply + 16), 0);
	ck_assert_uint_eq(reply_len, 24);
	ck_assert_uint_eq(request(RNDIS_QUERY, 0x00020216, "", 0), 0xc00000bb);
	ck_assert_uint_eq(set_oid(0x00010238, "12345678", 8), 0xc00000bb);
}
END_TEST

static uint64_t number(unsigned i)
{
	const uint8_t *p = reply + 24 + 8 + 8 * i;

	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

/* Each counter a different number, so that none is taken for another. */
START_TEST(statistics)
{
	static const uint8_t order[] = {/* of NDIS_STATISTICS_INFO: what makes its numbers */
	        21, 20, 0, 4, 5, 6, 0, 14, 15, 16, 22, 0, 7, 8, 9, 17, 18, 19};

	begin();
	for (unsigned i = 0; i < 3; i++) {
		r.counters.in.frames[i] = 4 + i;
		r.counters.in.bytes[i] = 7 + i;
		r.counters.out.frames[i] = 14 + i;
		r.counters.out.bytes[i] = 17 + i;
	}
	r.counters.in_errors = 20;
	r.counters.in_no_buffer = 21;
	r.counters.out_errors = 22;
	ck_assert_uint_eq(query(0x00020106), 152);
	ck_assert_uint_eq(get_le32(reply + 24), 0x00980180);
	ck_assert_uint_eq(get_le32(reply + 28), 0x3ffff);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		ck_assert_uint_eq(number(i), i == 2 ? 24 : i == 6 ? 54 : order[i]);
	}
	for (unsigned i = 0; i < 12; i++) {
		uint32_t want = (i % 2 ? 4 : 7) + (i < 6 ? 10 : 0) + i / 2 % 3;

		ck_assert_uint_eq(query(0x00020201 + i), 4);
		ck_assert_uint_eq(get_le32(reply + 24), want);
	}
	for (unsigned i = 0; i < 5; i++) {
		static const uint32_t want[] = {45, 15, 22, 20, 21};

		ck_assert_uint_eq(query(0x00020101 + i), 4);
		ck_assert_uint_eq(get_le32(reply + 24), want[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(query(0x01020101 + i), 4);
		ck_assert_uint_eq(get_le32(reply + 24), 0);
	}
	/* More than 32 bits: the low half, and all of it. */
	r.counters.in.bytes[0] = 0x500000007;
	query(0x00020207);
	ck_assert_uint_eq(get_le32(reply + 24), 7);
	query(0x00020106);
	ck_assert_uint_eq(number(12), 0x500000007);
}
END_TEST

START_TEST(scaling)
{
	uint8_t p[44 + 4 + RSS_KEY_LEN] = {0x89, 2, 44, 0, 0, 0, 0, 0, 1, 1, 0, 0, 4, 0, 0, 0, 44,
	        0, 0, 0, RSS_KEY_LEN, 0, 0, 0, 48};

	begin();
	ck_assert_uint_eq(set_oid(0x00010204, p, sizeof(p)), 0); /* there is channel 0 */
	p[44] = 1;
	ck_assert_uint_eq(set_oid(0x00010204, p, sizeof(p)), 0xc0010015);
	r.queues = 4;
	ck_assert_uint_eq(set_oid(0x00010204, p, sizeof(p)), 0);
	ck_assert_uint_eq(set_oid(0x00010204, p, 27), 0xc0010015);
	ck_assert(r.rss.on && rss_queue(&r.rss, 5) == 1);
	ck_assert_uint_eq(query(0x00010203), 18); /* what Linux has room for */
	ck_assert_uint_eq(get_le32(reply + 24), 0x00120288);
	ck_assert_uint_eq(get_le32(reply + 24 + 12), 4);
	ck_assert_uint_eq(get_le32(reply + 24 + 14) >> 16, 128);
	/* A driver that halts begins anew; what the version allows stays. */
	ck_assert_uint_eq(ask((const uint8_t[12]){RNDIS_HALT, 0, 0, 0, 12}, 12), 0);
	ck_assert(!r.rss.on && r.queues == 4);
}
END_TEST

START_TEST(offload_capabilities)
{
	static const uint32_t sizes[] = {112, 112, 144, 156, 156};

	begin();
	for (uint8_t rev = 0; rev < 5; rev++) {
		uint8_t header[4] = {0xa7, rev, 156, 0};
		const uint8_t *c = reply + 24;

		ck_assert_uint_eq(request(RNDIS_QUERY, 0xfc01020d, header, 4), STATUS_SUCCESS);
		ck_assert_uint_eq(get_le32(reply + 16), sizes[rev]);
		ck_assert_uint_eq(c[0], 0xa7);
		ck_assert_uint_eq(c[1], rev == 0 ? 1 : rev > 3 ? 3 : rev);
		ck_assert_uint_eq(get_le16(c + 2), sizes[rev]);
		/* What Linux looks at: NDIS_TXCSUM_ALL_TCP4 and its like. */
		ck_assert_uint_eq(get_le32(c + 8) & 0x54, 0x54);
		ck_assert_uint_eq(get_le32(c + 24) & 0x55, 0x55);
		ck_assert_uint_eq(get_le32(c + 80) & 2, 2);
		ck_assert_uint_eq(get_le32(c + 84), NET_LARGE_MAX);
		ck_assert_uint_eq(get_le32(c + 92) & 2, 2);
		ck_assert_uint_eq(get_le32(c + 104) & 5, 5);
		if (rev >= 3) {
			ck_assert(c[144] == 1 && c[145] == 1);
			r.rsc_offered = false;
			request(RNDIS_QUERY, 0xfc01020d, header, 4);
			ck_assert(c[144] == 0 && c[145] == 0);
			r.rsc_offered = true;
		}
	}
	query(0xfc01020d); /* without a header: the oldest */
	ck_assert_uint_eq(reply[25], 1);
}
END_TEST

UNIT_MAIN("rndis_query", tcase_add_test(tc, queries); tcase_add_test(tc, statistics);
          tcase_add_test(tc, scaling); tcase_add_test(tc, offload_capabilities);)
