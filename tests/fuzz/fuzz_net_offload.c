// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: any bytes as a frame, any wish of its sender. What is accepted can be finished
// and cut without a step past an end, and comes out complete.
#include "tests/fuzz/fuzz.h"
#include "tests/net_frames.h"

static void check_cut(const struct net_frame *f)
{
	static uint8_t flat[TEST_FRAME_MAX];
	struct net_frame piece;
	struct net_cut cut;
	uint32_t payload = 0, n = 0;

	net_cut_begin(&cut, f);
	while (net_cut_next(&cut, &piece)) {
		FUZZ_CHECK(piece.len > piece.head_len && piece.len <= piece.head_len + f->mss);
		flatten(&piece, flat);
		payload += piece.len - piece.head_len;
		n++;
	}
	FUZZ_CHECK(n <= NET_CUT_MAX && payload == f->len - f->head_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct test_frame t;
	static uint8_t flat[TEST_FRAME_MAX];
	struct net_request request;
	uint8_t head[NET_HEAD_MAX];
	struct net_frame done;

	if (len < 4 + NET_ETH_LEN) {
		return 0;
	}
	request = (struct net_request){
	        .ip_csum = data[0] & 1,
	        .tcp_csum = data[0] & 2,
	        .udp_csum = data[0] & 4,
	        .mss = data[0] & 8 ? rd16(data + 1) : 0,
	};
	free_frame(&t);
	/* Bit 4: a payload that the input does not have to bring along. */
	t.len = (uint32_t)len - 4;
	if (data[0] & 16) {
		t.len += rd16(data + 1) % 60000;
	}
	if (t.len > sizeof(t.bytes)) {
		return 0;
	}
	memset(t.bytes, 0, t.len);
	memcpy(t.bytes, data + 4, len - 4);
	lay_out(&t, 1024 + data[3]);
	if (net_offload_prepare(&t.frame, t.head, &request)) {
		return 0;
	}
	FUZZ_CHECK(t.frame.head_len >= NET_ETH_LEN && t.frame.head_len <= t.frame.len);
	FUZZ_CHECK(t.frame.len == t.len);
	flatten(&t.frame, flat);
	if (t.frame.mss) {
		check_cut(&t.frame);
	}
	if (t.frame.csum_open) {
		net_offload_checksum(&t.frame, &done, head);
		flatten(&done, flat);
	}
	return 0;
}
