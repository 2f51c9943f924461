// SPDX-License-Identifier: BSD-2-Clause
// The framing of integration services: versions, one request at a time, orders and their answers.
#include "tests/ic_world.h"
#include "vmm/lib/string.h"

static struct {
	unsigned readies, closes, replies;
	uint32_t to_ask; /* requests without an order */
	uint32_t order, status, len;
	uint8_t body[64];
	bool finish;
} seen;

static void ready(struct ic *ic)
{
	(void)ic;
	seen.readies++;
}

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	(void)ic;
	for (unsigned i = 0; i < IC_MAX_BODY; i++) {
		ck_assert_uint_eq(body[i], 0);
	}
	if (order) {
		seen.order = order;
	} else if (seen.to_ask == 0) {
		return 0;
	} else {
		seen.to_ask--;
	}
	memset(body, 0x5a, 5);
	return 5;
}

static void reply(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len)
{
	seen.replies++;
	seen.status = status;
	seen.len = len;
	memcpy(seen.body, body, len < sizeof(seen.body) ? len : sizeof(seen.body));
	if (seen.finish) {
		ic_finish(ic, status ? -EIO : 0);
	}
}

static void closed(struct ic *ic)
{
	(void)ic;
	seen.closes++;
}

static const struct ic_version versions[] = {{9, 1}, {8, 2}};
static const struct ic_service service = {
        .offer = {.name = "a service"},
        .type = IC_KVP,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .ready = ready,
        .next = next,
        .reply = reply,
        .closed = closed,
};

static struct ic ic;

static void setup(void)
{
	ic_world();
	memset(&seen, 0, sizeof(seen));
	seen.finish = true;
	fake_log_clear();
	ic_init(&ic, &service, vm);
}

START_TEST(versions_on_the_wire)
{
	static const uint8_t want[] = {
	        1, 0, 0, 0, 44, 0, 0, 0,                        /* pipe: data, 44 bytes follow */
	        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0,            /* no versions, type 0, body */
	        0, 0, 0, 0, 1, 3, 0, 0,                         /* status, id 1, request */
	        2, 0, 2, 0, 0, 0, 0, 0,                         /* two and two */
	        3, 0, 0, 0, 1, 0, 0, 0, 9, 0, 1, 0, 8, 0, 2, 0, /* the list */
	};

	ck_assert_int_eq(wire_open(&ic.ch), 0);
	ck_assert(take_request());
	ck_assert_uint_eq(request.type, RING_PACKET_INBAND);
	ck_assert(!request.wants_completion);
	ck_assert_uint_eq(request.trans_id, 1);
	ck_assert_uint_eq(request.len, sizeof(want));
	ck_assert_mem_eq(request.bytes, want, sizeof(want));
	/* And nothing else before the answer. */
	seen.to_ask = 1;
	ic_kick(&ic);
	wire_work(&ic.ch);
	ck_assert(!take_request());
}
END_TEST

static const struct {
	struct ic_negotiate n;
	struct ic_version frame, version;
	uint32_t len; /* of the whole packet; 0 = as sent */
	bool good;
} answers[] = {
        {{1, 1, 0}, {3, 0}, {9, 1}, 0, true},
        {{1, 1, 0}, {1, 0}, {8, 2}, 0, true},
        {{1, 1, 0}, {1, 0}, {8, 2}, HEAD + 16, true},
        {{1, 1, 0}, {1, 0}, {8, 2}, HEAD + 15, false},
        {{1, 1, 0}, {1, 0}, {8, 2}, HEAD, false},
        {{0, 0, 0}, {3, 0}, {9, 1}, 0, false},
        {{1, 0, 0}, {3, 0}, {9, 1}, 0, false},
        {{2, 2, 0}, {3, 0}, {9, 1}, 0, false},
        {{1, 1, 0}, {3, 1}, {9, 1}, 0, false},
        {{1, 1, 0}, {3, 0}, {8, 1}, 0, false},
        {{1, 1, 0}, {0, 0}, {0, 0}, 0, false},
        {{0xffff, 0xffff, 0}, {3, 0}, {9, 1}, 0, false},
};

START_TEST(versions_agreed)
{
	uint8_t *body = request.bytes + HEAD;

	ck_assert_int_eq(wire_open(&ic.ch), 0);
	ck_assert(take_request());
	memcpy(body, &answers[_i].n, sizeof(answers[_i].n));
	memcpy(body + 8, &answers[_i].frame, 4);
	memcpy(body + 12, &answers[_i].version, 4);
	request.len = answers[_i].len ? answers[_i].len : request.len;
	seen.to_ask = 1;
	respond(&ic, 0);
	ck_assert_int_eq(ic_is_ready(&ic), answers[_i].good);
	ck_assert_uint_eq(seen.readies, answers[_i].good);
	ck_assert_uint_eq(fake_log_count("no version in common"), !answers[_i].good);
	ck_assert_int_eq(take_request(), answers[_i].good);
	if (answers[_i].good) {
		struct ic_header h = head_of(&request);

		ck_assert_uint_eq(h.type, IC_KVP);
		ck_assert_mem_eq(&h.frame, &answers[_i].frame, 4);
		ck_assert_mem_eq(&h.version, &answers[_i].version, 4);
		ck_assert_uint_eq(h.body_len, 5);
		ck_assert_uint_eq(h.pipe_len, 25);
		ck_assert_uint_eq(h.id, 2);
	} else {
		/* For good, until it is opened again. */
		ck_assert_int_eq(ic_ask(&ic, 1), -ENOTCONN);
		ck_assert_int_eq(ic_answer(&ic), -ENOTCONN);
		respond(&ic, 0);
		ck_assert(!take_request());
		ic.ch.ops->close(&ic.ch);
		ic_up(&ic, 9, 1);
	}
}
END_TEST

START_TEST(one_request_at_a_time)
{
	ic_up(&ic, 9, 1);
	seen.to_ask = 3;
	ic_kick(&ic);
	wire_work(&ic.ch);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(take_request());
		wire_work(&ic.ch);
		ck_assert(!take_request());
		request.bytes[HEAD] = (uint8_t)i;
		respond(&ic, i);
		ck_assert_uint_eq(seen.replies, i + 1);
		ck_assert_uint_eq(seen.status, i);
		ck_assert_uint_eq(seen.len, 5);
		ck_assert_uint_eq(seen.body[0], i);
	}
	ck_assert(!take_request());
}
END_TEST

/* The n-th way of not being the answer. */
static void spoil(unsigned n)
{
	struct ic_header h = head_of(&request);
	enum ring_packet_type type = RING_PACKET_INBAND;
	uint32_t len = request.len;

	h.flags = IC_FLAG_TRANSACTION | IC_FLAG_RESPONSE;
	switch (n) {
	case 0:
		h.id++;
		break;
	case 1:
		h.type = IC_NEGOTIATE;
		break;
	case 2:
		h.flags = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST;
		break;
	case 3:
		len = HEAD - 1;
		break;
	case 4:
		len = 0;
		break;
	case 5:
		type = RING_PACKET_COMPLETION;
		break;
	case 6:
		type = RING_PACKET_GPA_DIRECT;
		break;
	default:
		break;
	}
	memcpy(request.bytes, &h, sizeof(h));
	wire_in(type, request.trans_id, false, request.bytes, len);
}
#define SPOILS 7U

START_TEST(not_the_answer)
{
	uint8_t good[WIRE_BYTES];

	ic_up(&ic, 9, 1);
	seen.to_ask = 2;
	ic_kick(&ic);
	wire_work(&ic.ch);
	ck_assert(take_request());
	memcpy(good, request.bytes, sizeof(good));
	for (unsigned n = 0; n < SPOILS; n++) {
		memcpy(request.bytes, good, sizeof(good));
		spoil(n);
	}
	wire_work(&ic.ch);
	ck_assert_uint_eq(seen.replies, 0);
	ck_assert_uint_eq(ic.strays, SPOILS);
	ck_assert(!take_request());
	memcpy(request.bytes, good, sizeof(good));
	respond(&ic, 0);
	ck_assert_uint_eq(seen.replies, 1);
	/* Twice is once too often: the next request is out by now. */
	wire.n_sent = 0;
	respond(&ic, 0);
	ck_assert_uint_eq(seen.replies, 1);
	ck_assert_uint_eq(ic.strays, SPOILS + 1);
}
END_TEST

START_TEST(no_room)
{
	ic_up(&ic, 9, 1);
	wire.room = 0;
	seen.to_ask = 2;
	ic_kick(&ic);
	wire_work(&ic.ch);
	ck_assert_uint_eq(seen.to_ask, 1);
	ck_assert(!ic.waiting);
	wire.room = 1;
	wire_work(&ic.ch);
	ck_assert(take_request());
	ck_assert_uint_eq(seen.to_ask, 1);
	ck_assert_uint_eq(request.bytes[HEAD], 0x5a);
}
END_TEST

START_TEST(orders)
{
	ck_assert_int_eq(ic_ask(&ic, 7), -ENOTCONN);
	ic_up(&ic, 9, 1);
	for (unsigned i = 0; i < 300; i++) {
		ck_assert_int_eq(ic_ask(&ic, 200), 0);
		ck_assert_int_eq(ic_answer(&ic), -EAGAIN);
		wire_work(&ic.ch);
		ck_assert_int_eq(ic_answer(&ic), -EAGAIN);
		ck_assert(take_request());
		ck_assert_uint_eq(seen.order, 200);
		ck_assert_uint_ne(head_of(&request).id, 0);
		respond(&ic, i & 1 ? IC_STATUS_FAIL : 0);
		ck_assert_int_eq(ic_answer(&ic), i & 1 ? -EIO : 0);
		wire.n_to_device = wire.next_to_device = 0;
	}
}
END_TEST

START_TEST(an_order_overtakes)
{
	ic_up(&ic, 9, 1);
	/* Before it was sent: only the second is. */
	ck_assert_int_eq(ic_ask(&ic, 1), 0);
	ck_assert_int_eq(ic_ask(&ic, 2), 0);
	wire_work(&ic.ch);
	ck_assert(take_request());
	ck_assert_uint_eq(seen.order, 2);
	/* While it is out: its answer is not the other one's. */
	ck_assert_int_eq(ic_ask(&ic, 3), 0);
	wire_work(&ic.ch);
	respond(&ic, IC_STATUS_FAIL);
	ck_assert_int_eq(ic_answer(&ic), -EAGAIN);
	ck_assert(take_request());
	ck_assert_uint_eq(seen.order, 3);
	respond(&ic, 0);
	ck_assert_int_eq(ic_answer(&ic), 0);
}
END_TEST

START_TEST(close_and_open)
{
	ic_up(&ic, 9, 1);
	ck_assert_int_eq(ic_ask(&ic, 1), 0);
	wire_work(&ic.ch);
	ck_assert(take_request());
	ck_assert_int_eq(ic_ask(&ic, 2), 0);
	wire.kicks = 0;
	ic.ch.ops->close(&ic.ch);
	ck_assert_uint_eq(seen.closes, 1);
	ck_assert(!ic_is_ready(&ic));
	ck_assert_int_eq(ic_answer(&ic), -ENOTCONN);
	/* A new driver: nobody remembers. */
	ic_up(&ic, 8, 2);
	ck_assert(!take_request());
	ck_assert_int_eq(ic_answer(&ic), -EAGAIN);
	ck_assert_uint_eq(seen.readies, 2);
}
END_TEST

static char text[512];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dump)
{
	struct out out = {.write = write_text};

	text[0] = '\0';
	ic.ch.ops->dump(&ic.ch, &out);
	ck_assert_str_eq(text, "closed\n  answers 0, strays 0, idle\n");
	ic_up(&ic, 9, 1);
	text[0] = '\0';
	ic.ch.ops->dump(&ic.ch, &out);
	ck_assert_str_eq(text, "ready, version 9.1\n  answers 1, strays 0, idle\n");
}
END_TEST

START_TEST(a_broken_ring)
{
	ic_up(&ic, 9, 1);
	wire.broken = true;
	ck_assert(!ic.ch.ops->work(&ic.ch, 4));
}
END_TEST

UNIT_MAIN("ic", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, versions_on_the_wire);
          tcase_add_loop_test(tc, versions_agreed, 0, ARRAY_SIZE(answers));
          tcase_add_test(tc, one_request_at_a_time); tcase_add_test(tc, not_the_answer);
          tcase_add_test(tc, no_room); tcase_add_test(tc, orders);
          tcase_add_test(tc, an_order_overtakes); tcase_add_test(tc, close_and_open);
          tcase_add_test(tc, dump); tcase_add_test(tc, a_broken_ring);)
