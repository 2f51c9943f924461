// SPDX-License-Identifier: BSD-2-Clause
// What the operator asks of a guest's software: stop, freeze, thaw, info, heartbeat.
#include "tests/monitor_world.h"
#include "vmm/monitor_guest.h"

extern const struct monitor_command monitor_cmd_vm;

static struct {
	enum vm_guest_order order; /* the last that was asked; 0 = none */
	int ask, answer;
	enum vm_heartbeat heartbeat;
	unsigned buttons;
} guest;

static int g_ask(struct vm *v, enum vm_guest_order order)
{
	ck_assert_ptr_eq(v, vm);
	guest.order = order;
	return guest.ask;
}

static int g_answer(struct vm *v, enum vm_guest_order order)
{
	ck_assert_ptr_eq(v, vm);
	ck_assert_int_eq(order, guest.order);
	return guest.answer;
}

static enum vm_heartbeat g_heartbeat(struct vm *v)
{
	ck_assert_ptr_eq(v, vm);
	return guest.heartbeat;
}

static void g_info(struct vm *v, struct out *o)
{
	ck_assert_ptr_eq(v, vm);
	out_print(o, "guest os: Something\n");
}

static const struct vm_guest_ops guest_ops = {
        .ask = g_ask,
        .answer = g_answer,
        .heartbeat = g_heartbeat,
        .info = g_info,
};

static void button(struct vm *v)
{
	(void)v;
	guest.buttons++;
}

static const struct vm_platform_ops platform_ops = {.power_button = button};

static void setup(void)
{
	monitor_world();
	memset(&guest, 0, sizeof(guest));
	vm->guest_ops = &guest_ops;
	vm->platform_ops = &platform_ops;
}

static const struct {
	const char *line;
	enum vm_guest_order order;
	int answer;
	const char *text;
} rows[] = {
        {"vm|stop|debian", VM_GUEST_SHUT_DOWN, 0, "debian: shuts down\n"},
        {"vm|stop|debian", VM_GUEST_SHUT_DOWN, -EIO, "error: debian refuses to shut down\n"},
        {"vm|stop|debian", VM_GUEST_SHUT_DOWN, -EAGAIN,
                "debian: asked to shut down; no answer yet\n"},
        {"vm|stop|debian", VM_GUEST_SHUT_DOWN, -ENOTCONN,
                "debian: asked to shut down; who was asked is gone\n"},
        {"vm|freeze|debian", VM_GUEST_FREEZE, 0, "debian: frozen\n"},
        {"vm|freeze|debian", VM_GUEST_FREEZE, -EIO,
                "error: debian cannot freeze its file systems\n"},
        {"vm|freeze|debian", VM_GUEST_FREEZE, -EAGAIN, "debian: asked to freeze; no answer yet\n"},
        {"vm|thaw|debian", VM_GUEST_THAW, 0, "debian: thawed\n"},
        {"vm|thaw|debian", VM_GUEST_THAW, -EIO, "error: debian cannot thaw its file systems\n"},
};

START_TEST(orders)
{
	guest.answer = -EAGAIN;
	ck_assert_str_eq(ask(&monitor_cmd_vm, rows[_i].line), "");
	ck_assert_int_eq(guest.order, rows[_i].order);
	wait_for(NS_PER_SEC);
	ck_assert_ptr_nonnull(repeated);
	guest.answer = rows[_i].answer;
	wait_for(20 * NS_PER_SEC);
	ck_assert_ptr_null(repeated);
	ck_assert_str_eq(text, rows[_i].text);
	ck_assert_uint_eq(guest.buttons, 0);
}
END_TEST

START_TEST(the_power_button)
{
	/* No such software; or a VM that cannot answer now; or no services at all. */
	guest.ask = -ENOTCONN;
	ck_assert_str_eq(ask(&monitor_cmd_vm, "vm|stop|debian"), "debian: power button pressed\n");
	ck_assert_uint_eq(guest.buttons, 1);
	guest.ask = 0;
	vm->state = VM_PAUSED;
	ck_assert_ptr_nonnull(strstr(ask(&monitor_cmd_vm, "vm|stop|debian"), "hears of it later"));
	ck_assert_uint_eq(guest.buttons, 2);
	vm->state = VM_RUNNING;
	vm->guest_ops = NULL;
	ck_assert_str_eq(ask(&monitor_cmd_vm, "vm|stop|debian"), "debian: power button pressed\n");
	ck_assert_uint_eq(guest.buttons, 3);
	vm->state = VM_OFF;
	ck_assert_ptr_nonnull(
	        strstr(ask(&monitor_cmd_vm, "vm|stop|debian"), "error: debian is off"));
	ck_assert_uint_eq(guest.buttons, 3);
}
END_TEST

START_TEST(nobody_freezes)
{
	guest.ask = -ENOTCONN;
	ck_assert_str_eq(ask(&monitor_cmd_vm, "vm|freeze|debian"),
	        "error: nobody in debian freezes file systems (docs/monitor.md)\n");
	vm->guest_ops = NULL;
	ck_assert_ptr_nonnull(strstr(ask(&monitor_cmd_vm, "vm|thaw|debian"), "error: nobody"));
}
END_TEST

START_TEST(info)
{
	guest.answer = -EAGAIN;
	guest.heartbeat = VM_HEARTBEAT_OK;
	ck_assert_str_eq(ask(&monitor_cmd_vm, "vm|info|debian"), "");
	ck_assert_int_eq(guest.order, VM_GUEST_REFRESH);
	guest.answer = 0;
	wait_for(NS_PER_SEC);
	ck_assert_ptr_nonnull(strstr(text, "name: debian\n"));
	ck_assert_ptr_nonnull(strstr(text, "heartbeat: ok\nguest os: Something\n"));
	/* What it said before, when it does not answer. */
	guest.answer = -EAGAIN;
	(void)ask(&monitor_cmd_vm, "vm|info|debian");
	wait_for(NS_PER_SEC);
	ck_assert_ptr_null(repeated);
	ck_assert_ptr_nonnull(strstr(text, "guest os: Something\n"));
	/* At once, when nobody can be asked. */
	guest.ask = -ENOTCONN;
	ck_assert_ptr_nonnull(strstr(ask(&monitor_cmd_vm, "vm|info|debian"), "guest os: "));
	vm->guest_ops = NULL;
	(void)ask(&monitor_cmd_vm, "vm|info|debian");
	ck_assert_ptr_nonnull(strstr(text, "heartbeat: none\n"));
	ck_assert_ptr_null(strstr(text, "guest os"));
}
END_TEST

START_TEST(heartbeat)
{
	guest.heartbeat = VM_HEARTBEAT_LOST;
	ck_assert_str_eq(monitor_heartbeat(vm), "lost");
	guest.heartbeat = VM_HEARTBEAT_NONE;
	ck_assert_str_eq(monitor_heartbeat(vm), "none");
	guest.heartbeat = VM_HEARTBEAT_OK;
	ck_assert_str_eq(monitor_heartbeat(vm), "ok");
	vm->state = VM_PAUSED;
	ck_assert_str_eq(monitor_heartbeat(vm), "ok");
	vm->state = VM_STARTING;
	ck_assert_str_eq(monitor_heartbeat(vm), "none");
	vm->state = VM_OFF;
	ck_assert_str_eq(monitor_heartbeat(vm), "none");
}
END_TEST

UNIT_MAIN("monitor_guest", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, orders, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, the_power_button); tcase_add_test(tc, nobody_freezes);
          tcase_add_test(tc, info); tcase_add_test(tc, heartbeat);)
