// SPDX-License-Identifier: BSD-2-Clause
// The shutdown service: asked once, answered once.
#include "tests/ic_world.h"

static struct ic_shutdown s;

static void setup(void)
{
	ic_world();
	ic_shutdown_init(&s, vm);
}

START_TEST(asks)
{
	uint8_t body[2060] = {0};

	ck_assert_int_eq(ic_ask(&s.ic, VM_GUEST_SHUT_DOWN), -ENOTCONN);
	ic_up(&s.ic, 3, 2);
	wire_work(&s.ic.ch);
	ck_assert(!take_request());
	ck_assert_int_eq(ic_ask(&s.ic, VM_GUEST_SHUT_DOWN), 0);
	wire_work(&s.ic.ch);
	ck_assert(take_request());
	ck_assert_uint_eq(head_of(&request).type, 3);
	ck_assert_uint_eq(request.len, HEAD + sizeof(body));
	body[4] = 300 & 0xff; /* seconds, in the second word; flags 0: power off */
	body[5] = 300 >> 8;
	ck_assert_mem_eq(request.bytes + HEAD, body, sizeof(body));
	ck_assert_int_eq(ic_answer(&s.ic), -EAGAIN);
	respond(&s.ic, 0);
	ck_assert_int_eq(ic_answer(&s.ic), 0);
	ck_assert(!take_request());
	/* It goes at once: that was its answer nevertheless. */
	s.ic.ch.ops->close(&s.ic.ch);
	ck_assert_int_eq(ic_answer(&s.ic), 0);
}
END_TEST

START_TEST(is_refused)
{
	ic_up(&s.ic, 1, 0);
	ck_assert_int_eq(ic_ask(&s.ic, VM_GUEST_SHUT_DOWN), 0);
	wire_work(&s.ic.ch);
	ck_assert(take_request());
	request.len = HEAD; /* nobody looks at the rest */
	respond(&s.ic, IC_STATUS_FAIL);
	ck_assert_int_eq(ic_answer(&s.ic), -EIO);
}
END_TEST

UNIT_MAIN("ic_shutdown", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, asks);
          tcase_add_test(tc, is_refused);)
