// SPDX-License-Identifier: BSD-2-Clause
// RNDIS: what Linux asks and what it gets, every object, and messages that lie about their lengths.
#include "tests/net_frames.h"
#include "tests/unit.h"
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include "vmm/lib/err.h"

#define MAC 0x00155d010203ULL

static struct rndis r;
static uint8_t reply[RNDIS_REPLY_MAX];
static uint32_t reply_len;

/* In memory of exactly that size, so that ASan sees a step past the end. */
static uint32_t ask(const uint8_t *request, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, request, len);
	memset(reply, 0xee, sizeof(reply));
	reply_len = rndis_request(&r, copy, len, reply);
	free(copy);
	if (reply_len > 0) {
		ck_assert_uint_ge(reply_len, 16);
		ck_assert_uint_eq(get_le32(reply + 4), reply_len);
	}
	return reply_len;
}

/* A QUERY or SET as Linux lays it out: the bytes follow the header. Returns the status. */
static uint32_t request(uint32_t type, uint32_t oid, const void *info, uint32_t len)
{
	uint8_t m[RNDIS_REQUEST_MAX];

	put_le32(m, type);
	put_le32(m + 4, QUERY_SIZE + len);
	put_le32(m + 8, 77);
	put_le32(m + 12, oid);
	put_le32(m + 16, len);
	put_le32(m + 20, 20);
	put_le32(m + 24, 0);
	memcpy(m + QUERY_SIZE, info, len);
	ck_assert_uint_ne(ask(m, QUERY_SIZE + len), 0);
	ck_assert_uint_eq(get_le32(reply), type | RNDIS_COMPLETION);
	ck_assert_uint_eq(get_le32(reply + 8), 77);
	return get_le32(reply + 12);
}

static uint32_t set_oid(uint32_t oid, const void *info, uint32_t len)
{
	uint32_t status = request(RNDIS_SET, oid, info, len);

	ck_assert_uint_eq(reply_len, 16);
	return status;
}

/* The value's length; the value begins at byte 24 of reply. */
static uint32_t query(uint32_t oid)
{
	ck_assert_uint_eq(request(RNDIS_QUERY, oid, "", 0), STATUS_SUCCESS);
	ck_assert_uint_eq(get_le32(reply + 20), 16); /* from byte 8 */
	ck_assert_uint_eq(reply_len, 24 + get_le32(reply + 16));
	return reply_len - 24;
}

static void begin(void)
{
	uint8_t m[24] = {RNDIS_INITIALIZE, 0, 0, 0, 24, 0, 0, 0, 5};

	rndis_init(&r, MAC);
	r.link_up = true;
	r.rsc_offered = true;
	put_le32(m + 12, 1);
	put_le32(m + 20, 0x4000);
	ck_assert_uint_eq(ask(m, sizeof(m)), 52);
}

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

START_TEST(queries)
{
	static const struct {
		uint32_t oid, len, value;
	} rows[] = {
	        {0x00010102, 4, 0},
	        {0x00010103, 4, 0},
	        {0x00010104, 4, 0},
	        {0x00010106, 4, 1500},
	        {0x00010107, 4, 100000000},
	        {0x0001010a, 4, 1514},
	        {0x0001010b, 4, 1514},
	        {0x0001010c, 4, 0xffffff},
	        {0x0001010d, 8, 0x646e6143},
	        {0x0001010e, 4, 0},
	        {0x00010111, 4, 1514},
	        {0x00010114, 4, 0},
	        {0x01010101, 6, 0x015d1500},
	        {0x01010102, 6, 0x015d1500},
	        {0x01010104, 4, 32},
	};
	uint32_t n;

	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(query(rows[i].oid), rows[i].len);
		ck_assert_uint_eq(get_le32(reply + 24), rows[i].value);
	}
	ck_assert_uint_eq(query(0x01010103), 0);
	r.link_up = false;
	query(0x00010114);
	ck_assert_uint_eq(get_le32(reply + 24), 1);
	/* Each object of the list has an answer. */
	n = query(0x00010101) / 4;
	ck_assert_uint_eq(n, ARRAY_SIZE(rows) + 3);
	for (unsigned i = 0; i < n; i++) {
		query(0x00010101);
		query(get_le32(reply + 24 + 4 * i));
	}
	/* RSS, friendly name, and something with a host pointer in it: nobody has heard of them. */
	ck_assert_uint_eq(request(RNDIS_QUERY, 0x00010203, "", 0), 0xc00000bb);
	ck_assert_uint_eq(get_le32(reply + 16), 0);
	ck_assert_uint_eq(reply_len, 24);
	ck_assert_uint_eq(request(RNDIS_QUERY, 0x00020216, "", 0), 0xc00000bb);
	ck_assert_uint_eq(set_oid(0x00010238, "12345678", 8), 0xc00000bb);
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

/* --- frames --- */

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

UNIT_MAIN("rndis", tcase_add_test(tc, initialize); tcase_add_test(tc, queries);
          tcase_add_test(tc, offload_capabilities); tcase_add_test(tc, offload_parameters);
          tcase_add_test(tc, filter); tcase_add_test(tc, address);
          tcase_add_test(tc, other_requests); tcase_add_test(tc, link_state);
          tcase_add_test(tc, hostile_requests); tcase_add_test(tc, packets);
          tcase_add_test(tc, hostile_packets); tcase_add_test(tc, built);
          tcase_add_test(tc, built_pieces);)
