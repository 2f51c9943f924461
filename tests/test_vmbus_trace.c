// SPDX-License-Identifier: BSD-2-Clause
// The conversation on the bus as the log has it: each message by its name, with its fields.
#include "tests/channel_dev.h"
#include <stdio.h>

/* Message n has the number n + 1 in each of its words, from byte 8 on: what is shown tells where
 * it was found. */
static const char *const lines[VMBUS_MESSAGE_TYPES] = {
        [0] = "message type 0, 240 bytes",
        [1] = "OfferChannel channel 45 ?",
        [2] = "RescindChannelOffer channel 1",
        [3] = "RequestOffers",
        [4] = "AllOffersDelivered",
        [5] = "OpenChannel channel 1 GPADL 0x3 VP 4",
        [6] = "OpenChannelResult channel 1 status 0x3",
        [7] = "CloseChannel channel 1",
        [8] = "GpadlHeader channel 1 GPADL 0x2 list of 3 bytes",
        [9] = "GpadlBody GPADL 0x2 0x1",
        [10] = "GpadlCreated channel 1 GPADL 0x2 status 0x3",
        [11] = "GpadlTeardown channel 1 GPADL 0x2",
        [12] = "GpadlTorndown GPADL 0x1",
        [13] = "RelIdReleased channel 1",
        [14] = "InitiateContact version 0.1 VP 2",
        [15] = "VersionResponse yes 0x2",
        [16] = "Unload",
        [17] = "UnloadResponse",
        [18] = "OpenReservedChannel channel 1",
        [19] = "CloseReservedChannel channel 1",
        [20] = "CloseReservedChannelResponse channel 1",
        [21] = "TlConnectRequest",
        [22] = "ModifyChannel channel 1 VP 2",
        [23] = "TlConnectResult status 0x9",
        [24] = "ModifyChannelResponse channel 1 status 0x2",
        [25] = "ModifyConnection",
        [26] = "ModifyConnectionResponse",
        [27] = "Pause",
        [28] = "PauseResponse",
        [29] = "Resume",
};

static void trace(const uint32_t *words, uint32_t size, const char *remark)
{
	fake_log_clear();
	vmbus_trace_message(bus, LOG_INFO, true, words, size, remark);
}

START_TEST(each_message)
{
	uint32_t words[VMBUS_MESSAGE_MAX / 4] = {(uint32_t)_i};
	char want[200];

	for (uint32_t i = 2; i < ARRAY_SIZE(words); i++) {
		words[i] = i - 1;
	}
	trace(words, sizeof(words), NULL);
	snprintf(want, sizeof(want), "vmbus <- %s\n", lines[_i]);
	ck_assert_msg(fake_log_count(want) == 1, "%s, not %s", fake_log_text(), want);
	/* What is not there is not shown. */
	trace(words, 8, "too short");
	snprintf(want, sizeof(want), "vmbus <- %.*s: too short\n",
	        _i ? (int)strcspn(lines[_i], " ") : 23, _i ? lines[_i] : "message type 0, 8 bytes");
	ck_assert_msg(fake_log_count(want) == 1, "%s, not %s", fake_log_text(), want);
}
END_TEST

/* Other values of the fields; what has no name. */
START_TEST(values)
{
	uint32_t words[VMBUS_MESSAGE_MAX / 4] = {VMBUS_VERSION_RESPONSE, 0, 0x100, 4};

	trace(words, 16, NULL);
	ck_assert_uint_eq(fake_log_count("VersionResponse no 0x4\n"), 1);
	words[0] = VMBUS_OPEN_RESULT;
	trace(words, 20, NULL);
	ck_assert_uint_eq(fake_log_count("OpenChannelResult channel 256 ok\n"), 1);
	words[0] = VMBUS_OFFER_CHANNEL;
	words[46] = RELID;
	trace(words, 196, NULL);
	ck_assert_uint_eq(fake_log_count("OfferChannel channel 1 Test device\n"), 1);
	words[46] = ~0U;
	trace(words, 196, NULL);
	ck_assert_uint_eq(fake_log_count("OfferChannel channel 4294967295 ?\n"), 1);
	words[0] = VMBUS_MESSAGE_TYPES;
	trace(words, 12, NULL);
	ck_assert_uint_eq(fake_log_count("message type 30, 12 bytes\n"), 1);
	trace(words, 3, NULL);
	ck_assert_uint_eq(fake_log_count("message type 0, 3 bytes\n"), 1);
}
END_TEST

UNIT_MAIN("vmbus_trace", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, each_message, 0, VMBUS_MESSAGE_TYPES);
          tcase_add_test(tc, values);)
