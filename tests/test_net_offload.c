// SPDX-License-Identifier: BSD-2-Clause
// Checksums and segmentation against a checksum written by the letter of RFC 1071.
#include "tests/net_frames.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"

static struct test_frame t;
static uint8_t flat[TEST_FRAME_MAX];

static const unsigned forms[] = {0, FORM_VLAN, FORM_V6, FORM_UDP, FORM_V6 | FORM_UDP, FORM_OPTIONS,
        FORM_V6 | FORM_OPTIONS, FORM_UDP | FORM_OPTIONS, FORM_V6 | FORM_UDP | FORM_OPTIONS,
        FORM_VLAN | FORM_V6 | FORM_OPTIONS};

START_TEST(headers)
{
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		struct net_headers h;

		make_frame(&t, forms[i], 10);
		net_headers_find(&h, t.bytes, t.payload, t.len);
		ck_assert_uint_eq(h.ip_version, forms[i] & FORM_V6 ? 6 : 4);
		ck_assert_uint_eq(h.protocol, forms[i] & FORM_UDP ? NET_UDP : NET_TCP);
		ck_assert_uint_eq(h.l3, t.l3);
		ck_assert_uint_eq(h.l4, t.l4);
		ck_assert_uint_eq(h.payload, t.payload);
		ck_assert(h.whole_l4);
		/* Cut off anywhere: nothing is found that is not there. */
		for (uint32_t n = 0; n < t.payload; n++) {
			uint8_t *copy = malloc(n ? n : 1);

			memcpy(copy, t.bytes, n);
			net_headers_find(&h, copy, n, n);
			ck_assert(!h.whole_l4);
			free(copy);
		}
	}
}
END_TEST

START_TEST(headers_that_make_no_sense)
{
	struct net_headers h;

	make_frame(&t, FORM_FRAGMENT, 100);
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4 && h.l4 == t.l4);
	make_frame(&t, 0, 100);
	t.bytes[t.l3] = 0x44; /* a header of 16 bytes */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4);
	t.bytes[t.l3] = 0x65; /* version 6 in a frame of type IPv4 */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4);
	make_frame(&t, 0, 100);
	t.bytes[t.l4 + 12] = 0x40; /* TCP header of 16 bytes */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4);
	make_frame(&t, FORM_V6 | FORM_OPTIONS, 100);
	t.bytes[t.l3 + 6] = 43; /* a routing header */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4);
	make_frame(&t, FORM_V6 | FORM_OPTIONS, 100);
	t.bytes[t.l3 + 41] = 255; /* an extension of 2 KiB */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert(!h.whole_l4);
	make_frame(&t, 0, 100);
	be16(t.bytes + 12, 0x0806); /* ARP */
	net_headers_find(&h, t.bytes, t.payload, t.len);
	ck_assert_uint_eq(h.ip_version, 0);
}
END_TEST

/* A header whose checksum is printed in many books: b861. */
START_TEST(ip_checksum)
{
	static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
	        0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	struct net_request request = {.ip_csum = true};

	make_frame(&t, FORM_UDP, 0x73 - 28);
	memcpy(t.bytes + 14, header, sizeof(header));
	lay_out(&t, 4096);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
	ck_assert_uint_eq(rd16(t.head + 14 + 10), 0xb861);
	ck_assert(!t.frame.csum_ok);
	/* Of a fragment too, which has no whole packet in it. */
	make_frame(&t, FORM_FRAGMENT, 100);
	lay_out(&t, 4096);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
	ck_assert_uint_eq(ref_sum(0, t.head + 14, 20), 0xffff);
	/* IPv6 has none. */
	make_frame(&t, FORM_V6, 100);
	lay_out(&t, 4096);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
	be16(t.bytes + 12, 0x0806);
	lay_out(&t, 4096);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), -EINVAL);
	free_frame(&t);
}
END_TEST

/* Every form, lengths around the end of the private copy, segments of odd sizes. */
START_TEST(l4_checksum)
{
	static const uint32_t lens[] = {0, 1, 2, 3, 150, 201, 202, 203, 1447, 1448};
	static const uint32_t pieces[] = {31, 64, 101, 4096};

	for (unsigned n = 0; n < ARRAY_SIZE(forms) * ARRAY_SIZE(lens) * ARRAY_SIZE(pieces); n++) {
		unsigned form = forms[n % ARRAY_SIZE(forms)];
		bool udp = form & FORM_UDP;
		struct net_request request = {.tcp_csum = !udp, .udp_csum = udp};
		struct net_frame done;
		uint8_t head[NET_HEAD_MAX];

		make_frame(&t, form, lens[n / ARRAY_SIZE(forms) % ARRAY_SIZE(lens)]);
		lay_out(&t, pieces[n / ARRAY_SIZE(forms) / ARRAY_SIZE(lens)]);
		ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
		ck_assert(t.frame.csum_ok && t.frame.csum_open == !udp && t.frame.mss == 0);
		ck_assert_uint_eq(t.frame.len, t.len);
		done = t.frame;
		if (!udp) {
			net_offload_checksum(&t.frame, &done, head);
		}
		ck_assert(!done.csum_open && done.csum_ok);
		flatten(&done, flat);
		ck_assert_uint_eq(ref_l4_sum(flat, t.l3, t.l4, t.len), 0xffff);
		ck_assert_mem_eq(flat + t.payload, t.bytes + t.payload, t.len - t.payload);
		/* Nothing but the checksum has changed. */
		memcpy(flat + t.l4 + (udp ? 6 : 16), t.bytes + t.l4 + (udp ? 6 : 16), 2);
		ck_assert_mem_eq(flat, t.bytes, t.len);
	}
	free_frame(&t);
}
END_TEST

/* Padding behind the packet does not count. */
START_TEST(padding)
{
	struct net_request request = {.udp_csum = true};
	uint32_t len;

	make_frame(&t, FORM_UDP, 3);
	len = t.len;
	t.len = 60;
	memset(t.bytes + len, 0xee, t.len - len);
	lay_out(&t, 17);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
	flatten(&t.frame, flat);
	ck_assert_uint_eq(ref_l4_sum(flat, t.l3, t.l4, len), 0xffff);
	free_frame(&t);
}
END_TEST

/* [RFC768]: a sum of 0 is sent as ones. */
START_TEST(udp_zero)
{
	struct net_request request = {.udp_csum = true};
	unsigned zeroes = 0;

	make_frame(&t, FORM_UDP, 2);
	for (unsigned v = 0; v < 0x10000; v++) {
		be16(t.bytes + t.payload, v);
		lay_out(&t, 4096);
		ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
		ck_assert_uint_ne(rd16(t.head + t.l4 + 6), 0);
		zeroes += rd16(t.head + t.l4 + 6) == 0xffff;
	}
	ck_assert_uint_ge(zeroes, 1);
	free_frame(&t);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		unsigned form;
		uint32_t payload;
		struct net_request request;
	} rows[] = {
	        {FORM_UDP, 3000, {.mss = 1000}},
	        {FORM_UDP, 100, {.tcp_csum = true}},
	        {0, 100, {.udp_csum = true}},
	        {0, 100, {.tcp_csum = true, .udp_csum = true}},
	        {FORM_FRAGMENT, 100, {.tcp_csum = true}},
	        {FORM_FRAGMENT, 3000, {.mss = 1000}},
	        {0, NET_CUT_MAX * 10 + 1, {.mss = 10}},
	        {0, 65536 - 40, {.mss = 1000}},
	        {FORM_V6, 65536 - 20, {.mss = 1000}},
	        {0, 3000, {.mss = 0x10000}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		make_frame(&t, rows[i].form, rows[i].payload);
		lay_out(&t, 4096);
		ck_assert_msg(net_offload_prepare(&t.frame, t.head, &rows[i].request) == -EINVAL,
		        "row %u", i);
	}
	/* IP says that there is more than there is, or less than its headers. */
	for (unsigned len = 0; len < 2; len++) {
		struct net_request request = {.tcp_csum = true};

		make_frame(&t, 0, 100);
		be16(t.bytes + t.l3 + 2, len ? 141 : 39);
		lay_out(&t, 4096);
		ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), -EINVAL);
	}
	free_frame(&t);
}
END_TEST

static void check_cut(unsigned form, uint32_t payload, uint32_t mss, uint32_t piece_len)
{
	struct net_request request = {.mss = mss};
	struct net_frame piece;
	struct net_cut cut;
	uint32_t done = 0, n = 0, seq = 0xffffff00;

	make_frame(&t, form, payload);
	/* Linux leaves the lengths out. */
	be16(t.bytes + t.l3 + (form & FORM_V6 ? 4 : 2), 0);
	lay_out(&t, piece_len);
	ck_assert_int_eq(net_offload_prepare(&t.frame, t.head, &request), 0);
	ck_assert(t.frame.csum_ok && t.frame.csum_open);
	ck_assert_uint_eq(t.frame.mss, payload > mss ? mss : 0);
	if (t.frame.mss == 0) {
		return;
	}
	net_cut_begin(&cut, &t.frame);
	while (net_cut_next(&cut, &piece)) {
		uint32_t want = payload - done < mss ? payload - done : mss;
		bool last = done + want == payload;
		const uint8_t *tcp = flat + t.l4;

		ck_assert_uint_eq(piece.len, t.payload + want);
		ck_assert(piece.csum_ok && !piece.csum_open && piece.mss == 0);
		flatten(&piece, flat);
		ck_assert_uint_eq(ref_l4_sum(flat, t.l3, t.l4, piece.len), 0xffff);
		if (form & FORM_V6) {
			ck_assert_uint_eq(rd16(flat + t.l3 + 4), piece.len - t.l3 - 40);
		} else {
			ck_assert_uint_eq(rd16(flat + t.l3 + 2), piece.len - t.l3);
			ck_assert_uint_eq(rd16(flat + t.l3 + 4), (0xfffe + n) & 0xffff);
			ck_assert_uint_eq(ref_sum(0, flat + t.l3, t.l4 - t.l3), 0xffff);
		}
		ck_assert_uint_eq(rd16(tcp + 4) << 16 | rd16(tcp + 6), seq + done);
		ck_assert_uint_eq(tcp[13], 0x10 | (last ? 0x09 : 0) | (n == 0 ? 0x80 : 0));
		ck_assert_mem_eq(flat + t.payload, t.bytes + t.payload + done, want);
		ck_assert_mem_eq(flat, t.bytes, t.l3);
		done += want;
		n++;
	}
	ck_assert_uint_eq(done, payload);
}

START_TEST(cutting)
{
	static const unsigned tcp[] = {0, FORM_V6, FORM_VLAN, FORM_OPTIONS, FORM_V6 | FORM_OPTIONS};

	for (unsigned i = 0; i < ARRAY_SIZE(tcp); i++) {
		check_cut(tcp[i], 3000, 1000, 4096);
		check_cut(tcp[i], 3001, 1000, 333);
		check_cut(tcp[i], 2999, 1460, 101);
		check_cut(tcp[i], 1461, 1460, 4096);
		check_cut(tcp[i], 1460, 1460, 4096);
		check_cut(tcp[i], 100, 1460, 4096);
		check_cut(tcp[i], 60000, 1448, 4096);
		check_cut(tcp[i], 100, 1, 4096);
	}
	free_frame(&t);
}
END_TEST

UNIT_MAIN("net_offload", tcase_add_test(tc, headers);
          tcase_add_test(tc, headers_that_make_no_sense); tcase_add_test(tc, ip_checksum);
          tcase_add_test(tc, l4_checksum); tcase_add_test(tc, padding);
          tcase_add_test(tc, udp_zero); tcase_add_test(tc, refused); tcase_add_test(tc, cutting);)
