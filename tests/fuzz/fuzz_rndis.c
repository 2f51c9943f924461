// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: any bytes as RNDIS requests, one after the other, and as messages around
// frames.
#include "tests/fuzz/fuzz.h"
#include "vmbus/rndis.h"
#include "vmbus/rndis_wire.h"
#include <stdlib.h>
#include <string.h>

static void check_request(struct rndis *r, const uint8_t *m, uint32_t len)
{
	uint8_t reply[RNDIS_REPLY_MAX];
	uint32_t n = rndis_request(r, m, len, reply);

	FUZZ_CHECK(n <= sizeof(reply));
	FUZZ_CHECK(n == 0 || (n >= 16 && get_le32(reply + 4) == n));
	FUZZ_CHECK(r->n_multicast <= RNDIS_MULTICAST_MAX);
	/* What it waits for, if it can say so. */
	if (len >= 12 && get_le32(m + 4) >= 12 && get_le32(m + 4) <= len) {
		uint32_t type = get_le32(m);

		FUZZ_CHECK(n != 0 || (type != RNDIS_INITIALIZE && type != RNDIS_QUERY &&
		                             type != RNDIS_SET && type != RNDIS_KEEPALIVE));
	}
	if (r->wanted_mac) {
		FUZZ_CHECK(!net_mac_is_group(r->wanted_mac) && n == 16);
		rndis_mac_answer(r, m[8] & 1, reply);
	}
}

static void check_packet(const uint8_t *m, uint32_t len)
{
	uint32_t head_len = len < RNDIS_HEAD_MAX ? len : RNDIS_HEAD_MAX, type, n;
	struct rndis_packet packet;

	if (rndis_message(m, head_len, len, &type, &n)) {
		FUZZ_CHECK(n >= 8 && n <= len);
		if (rndis_parse_packet(m, head_len < n ? head_len : n, n, &packet) == 0) {
			FUZZ_CHECK(packet.len == n && packet.data_at >= 44);
			FUZZ_CHECK((uint64_t)packet.data_at + packet.data_len <= n);
		}
	}
}

/* Each piece of the input: two bytes of length, then the message, in memory of its size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rndis r;

	rndis_init(&r, 0x00155d010203);
	r.rsc_offered = true;
	while (len > 2) {
		uint32_t n = (uint32_t)(data[0] | data[1] << 8) % (RNDIS_REQUEST_MAX + 1);
		uint8_t *m;

		data += 2;
		len -= 2;
		n = n < len ? n : (uint32_t)len;
		m = malloc(n ? n : 1);
		memcpy(m, data, n);
		check_request(&r, m, n);
		check_packet(m, n);
		free(m);
		(void)rndis_accepts(&r, NET_BROADCAST);
		data += n;
		len -= n;
	}
	return 0;
}
