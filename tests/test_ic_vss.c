// SPDX-License-Identifier: BSD-2-Clause
// Snapshots: freeze and thaw, and what is known of the guest's state.
#include "tests/ic_world.h"

static struct ic_vss v;

static void setup(void)
{
	ic_world();
	memset(&v, 0, sizeof(v));
	ic_vss_init(&v, vm);
}

static void ask(enum vm_guest_order order, uint8_t operation, uint32_t status)
{
	const uint8_t body[12] = {operation};

	ck_assert_int_eq(ic_ask(&v.ic, order), 0);
	wire_work(&v.ic.ch);
	ck_assert(take_request());
	ck_assert_uint_eq(head_of(&request).type, 5);
	ck_assert_uint_eq(request.len, HEAD + sizeof(body));
	ck_assert_mem_eq(request.bytes + HEAD, body, sizeof(body));
	respond(&v.ic, status);
	ck_assert_int_eq(ic_answer(&v.ic), status ? -EIO : 0);
	ck_assert(!take_request());
}

START_TEST(freeze_and_thaw)
{
	ck_assert_uint_eq(v.ic.ch.offer.min_version_major, 3);
	ic_up(&v.ic, 5, 0);
	ck_assert(!ic_vss_is_frozen(&v));
	ask(VM_GUEST_FREEZE, 5, 0);
	ck_assert(ic_vss_is_frozen(&v));
	ask(VM_GUEST_FREEZE, 5, 0);
	ask(VM_GUEST_THAW, 6, 0);
	ck_assert(!ic_vss_is_frozen(&v));
}
END_TEST

START_TEST(what_fails_changes_nothing)
{
	ic_up(&v.ic, 5, 0);
	ask(VM_GUEST_FREEZE, 5, IC_STATUS_FAIL);
	ck_assert(!ic_vss_is_frozen(&v));
	ask(VM_GUEST_FREEZE, 5, 0);
	ask(VM_GUEST_THAW, 6, IC_STATUS_FAIL);
	ck_assert(ic_vss_is_frozen(&v));
	/* A new driver begins thawed. */
	v.ic.ch.ops->close(&v.ic.ch);
	ck_assert(!ic_vss_is_frozen(&v));
	ic_up(&v.ic, 5, 0);
	ck_assert(!ic_vss_is_frozen(&v));
}
END_TEST

UNIT_MAIN("ic_vss", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, freeze_and_thaw);
          tcase_add_test(tc, what_fails_changes_nothing);)
