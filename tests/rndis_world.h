/* SPDX-License-Identifier: BSD-2-Clause */
/* An adapter's RNDIS, asked as Linux asks. */
#ifndef TESTS_RNDIS_WORLD_H
#define TESTS_RNDIS_WORLD_H

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
static inline uint32_t ask(const uint8_t *request, uint32_t len)
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
static inline uint32_t request(uint32_t type, uint32_t oid, const void *info, uint32_t len)
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

static inline uint32_t set_oid(uint32_t oid, const void *info, uint32_t len)
{
	uint32_t status = request(RNDIS_SET, oid, info, len);

	ck_assert_uint_eq(reply_len, 16);
	return status;
}

/* The value's length; the value begins at byte 24 of reply. */
static inline uint32_t query(uint32_t oid)
{
	ck_assert_uint_eq(request(RNDIS_QUERY, oid, "", 0), STATUS_SUCCESS);
	ck_assert_uint_eq(get_le32(reply + 20), 16); /* from byte 8 */
	ck_assert_uint_eq(reply_len, 24 + get_le32(reply + 16));
	return reply_len - 24;
}

static inline void begin(void)
{
	uint8_t m[24] = {RNDIS_INITIALIZE, 0, 0, 0, 24, 0, 0, 0, 5};

	rndis_init(&r, MAC);
	r.link_up = true;
	r.rsc_offered = true;
	put_le32(m + 12, 1);
	put_le32(m + 20, 0x4000);
	ck_assert_uint_eq(ask(m, sizeof(m)), 52);
}

#endif
