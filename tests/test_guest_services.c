// SPDX-License-Identifier: BSD-2-Clause
// All services of a VM: on the bus, and each order goes to the one that carries it out.
#include "tests/ic_world.h"

static struct guest_services s;

static void setup(void)
{
	ic_world();
	memset(&s, 0, sizeof(s));
	ck_assert_int_eq(guest_services_attach(&s, NULL, vm), 0);
}

START_TEST(on_the_bus)
{
	ck_assert_uint_eq(wire.n_added, 6);
	for (unsigned i = 0; i < wire.n_added; i++) {
		for (unsigned j = 0; j < i; j++) {
			ck_assert(!guid_equal(
			        &wire.added[i]->offer.type, &wire.added[j]->offer.type));
			ck_assert(!guid_equal(
			        &wire.added[i]->offer.instance, &wire.added[j]->offer.instance));
		}
		/* All but the keyboard are pipes. */
		ck_assert_int_eq(
		        wire.added[i]->offer.pipe_message_mode, wire.added[i] != &s.kbd.ch);
	}
}
END_TEST

START_TEST(no_place_on_the_bus)
{
	ic_world();
	memset(&s, 0, sizeof(s));
	wire.add_fails_at = 3;
	ck_assert_int_eq(guest_services_attach(&s, NULL, vm), -ENOSPC);
	ck_assert_ptr_null(vm->guest_ops);
}
END_TEST

START_TEST(nobody_there)
{
	const struct vm_guest_ops *ops = vm->guest_ops;
	const struct vm_key key = {.code = 1};

	for (unsigned order = VM_GUEST_SHUT_DOWN; order <= VM_GUEST_REFRESH; order++) {
		ck_assert_int_eq(ops->ask(vm, order), -ENOTCONN);
		ck_assert_int_eq(ops->answer(vm, order), -ENOTCONN);
	}
	ck_assert_int_eq(ops->heartbeat(vm), VM_HEARTBEAT_NONE);
	ck_assert_int_eq(ops->key(vm, &key), -ENOTCONN);
	ops->resumed(vm);
}
END_TEST

static const struct {
	enum vm_guest_order order;
	size_t ic;
	uint16_t major, minor;
	uint8_t type, operation;
} orders[] = {
        {VM_GUEST_SHUT_DOWN, offsetof(struct guest_services, shutdown.ic), 3, 0, IC_SHUTDOWN, 0},
        {VM_GUEST_FREEZE, offsetof(struct guest_services, vss.ic), 5, 0, IC_VSS, 5},
        {VM_GUEST_THAW, offsetof(struct guest_services, vss.ic), 5, 0, IC_VSS, 6},
};

START_TEST(orders_arrive)
{
	struct ic *ic = (struct ic *)((char *)&s + orders[_i].ic);

	ic_up(ic, orders[_i].major, orders[_i].minor);
	ck_assert_int_eq(vm->guest_ops->ask(vm, orders[_i].order), 0);
	wire_work(&ic->ch);
	ck_assert(take_request());
	ck_assert_uint_eq(head_of(&request).type, orders[_i].type);
	ck_assert_uint_eq(request.bytes[HEAD], orders[_i].operation);
	ck_assert_int_eq(vm->guest_ops->answer(vm, orders[_i].order), -EAGAIN);
	respond(ic, 0);
	ck_assert_int_eq(vm->guest_ops->answer(vm, orders[_i].order), 0);
}
END_TEST

static char text[256];

static void write_text(struct out *out, const char *t, size_t n)
{
	(void)out;
	strncat(text, t, n);
}

START_TEST(info)
{
	struct out out = {.write = write_text};

	ic_up(&s.vss.ic, 5, 0);
	vm->guest_ops->info(vm, &out);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(vm->guest_ops->ask(vm, VM_GUEST_FREEZE), 0);
	wire_work(&s.vss.ic.ch);
	ck_assert(take_request());
	respond(&s.vss.ic, 0);
	strcpy(s.kvp.values.text[IC_KVP_IPV4], "10.0.0.2");
	vm->guest_ops->info(vm, &out);
	ck_assert_str_eq(text, "file systems: frozen\nguest ipv4: 10.0.0.2\n");
}
END_TEST

START_TEST(time_after_a_pause)
{
	ic_up(&s.timesync.ic, 4, 0);
	ck_assert(take_request());
	respond(&s.timesync.ic, 0);
	vm->guest_ops->resumed(vm);
	advance(&s.timesync.ic, 0);
	ck_assert(take_request());
	ck_assert_uint_eq(request.bytes[HEAD + 16], 1);
}
END_TEST

UNIT_MAIN("guest_services", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, on_the_bus); tcase_add_test(tc, no_place_on_the_bus);
          tcase_add_test(tc, nobody_there);
          tcase_add_loop_test(tc, orders_arrive, 0, ARRAY_SIZE(orders)); tcase_add_test(tc, info);
          tcase_add_test(tc, time_after_a_pause);)
