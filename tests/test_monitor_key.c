// SPDX-License-Identifier: BSD-2-Clause
// type and key: which keys go down and up, at which keyboard, and when it is full.
#include "tests/monitor_world.h"

extern const struct monitor_command monitor_cmd_type, monitor_cmd_key;

/* Two keyboards; what they got, as text: "+1e" down, "-1e" up, "+e053" extended. */
struct board {
	char got[8192];
	unsigned room;
	int err; /* other than room */
};

static struct board synthetic, old;

static int push(struct board *b, const struct vm_key *key)
{
	if (b->err) {
		return b->err;
	}
	if (b->room == 0) {
		return -EAGAIN;
	}
	b->room--;
	sprintf(b->got + strlen(b->got), "%s%c%s%02x", b->got[0] ? " " : "", key->down ? '+' : '-',
	        key->extended ? "e0" : "", key->code);
	return 0;
}

static int synthetic_key(struct vm *v, const struct vm_key *key)
{
	ck_assert_ptr_eq(v, vm);
	return push(&synthetic, key);
}

static int old_key(struct vm *v, const struct vm_key *key)
{
	ck_assert_ptr_eq(v, vm);
	return push(&old, key);
}

static const struct vm_guest_ops guest_ops = {.key = synthetic_key};
static const struct vm_platform_ops platform_ops = {.key = old_key};

static void setup(void)
{
	monitor_world();
	memset(&synthetic, 0, sizeof(synthetic));
	memset(&old, 0, sizeof(old));
	synthetic.room = old.room = 10000;
	vm->guest_ops = &guest_ops;
	vm->platform_ops = &platform_ops;
}

static const struct {
	const struct monitor_command *command;
	const char *line, *keys, *error;
} rows[] = {
        {&monitor_cmd_type, "type|debian|ab", "+1e -1e +30 -30", ""},
        {&monitor_cmd_type, "type|debian|a|b", "+1e -1e +39 -39 +30 -30", ""},
        {&monitor_cmd_type, "type|debian|A", "+2a +1e -1e -2a", ""},
        {&monitor_cmd_type, "type|debian|a\\n\\t\\e", "+1e -1e +1c -1c +0f -0f +01 -01", ""},
        {&monitor_cmd_type, "type|debian|\\\\n", "+2b -2b +31 -31", ""},
        {&monitor_cmd_type, "type|debian|\\x\\", "+2b -2b +2d -2d +2b -2b", ""},
        {&monitor_cmd_type, "type|debian|", "", ""},
        {&monitor_cmd_type, "type|debian|a\xe4", "", "error: no key makes the character 0xe4\n"},
        {&monitor_cmd_key, "key|debian|ctrl-alt-del", "+1d +38 +e053 -e053 -38 -1d", ""},
        {&monitor_cmd_key, "key|debian|a|enter", "+1e -1e +1c -1c", ""},
        {&monitor_cmd_key, "key|debian|alt-sysrq-b", "+38 +54 +30 -30 -54 -38", ""},
        {&monitor_cmd_key, "key|debian|-", "+0c -0c", ""},
        {&monitor_cmd_key, "key|debian|ctrl--", "+1d +0c -0c -1d", ""},
        {&monitor_cmd_key, "key|debian|ctrl-A", "+1d +1e -1e -1d", ""},
        {&monitor_cmd_key, "key|debian|a-b-c-d-e-f-g-h",
                "+1e +30 +2e +20 +12 +21 +22 +23 -23 -22 -21 -12 -20 -2e -30 -1e", ""},
        {&monitor_cmd_key, "key|debian|a-b-c-d-e-f-g-h-i", "",
                "error: more than 8 keys together\n"},
        {&monitor_cmd_key, "key|debian|crtl-c", "",
                "error: there is no key 'crtl' (did you mean 'ctrl'?)\n"},
        {&monitor_cmd_key, "key|debian|a|ctrl-", "",
                "error: there is no key '' ('help key' lists them)\n"},
        {&monitor_cmd_key, "key|debian|", "",
                "error: there is no key '' ('help key' lists them)\n"},
        {&monitor_cmd_key, "key|debina|a", "",
                "error: there is no VM 'debina' (did you mean 'debian'?)\n"},
};

START_TEST(keys)
{
	ck_assert_str_eq(ask(rows[_i].command, rows[_i].line), rows[_i].error);
	ck_assert_str_eq(synthetic.got, rows[_i].keys);
	ck_assert_str_eq(old.got, "");
}
END_TEST

START_TEST(the_old_keyboard)
{
	/* The guest has no driver for the other; or there is none; or no keyboard at all. */
	synthetic.err = -ENOTCONN;
	ck_assert_str_eq(ask(&monitor_cmd_type, "type|debian|a"), "");
	ck_assert_str_eq(old.got, "+1e -1e");
	vm->guest_ops = NULL;
	ck_assert_str_eq(ask(&monitor_cmd_type, "type|debian|b"), "");
	ck_assert_str_eq(old.got, "+1e -1e +30 -30");
	vm->platform_ops = &(const struct vm_platform_ops){0};
	ck_assert_ptr_nonnull(strstr(ask(&monitor_cmd_type, "type|debian|b"), "error: "));
}
END_TEST

START_TEST(a_full_keyboard)
{
	synthetic.room = 1;
	ck_assert_str_eq(ask(&monitor_cmd_type, "type|debian|ab"), "");
	ck_assert_ptr_nonnull(repeated);
	wait_for(NS_PER_SEC);
	ck_assert_ptr_nonnull(repeated);
	ck_assert_str_eq(synthetic.got, "+1e");
	/* Some room is some more patience. */
	synthetic.room = 2;
	wait_for(NS_PER_SEC + NS_PER_SEC / 2);
	ck_assert_ptr_nonnull(repeated);
	ck_assert_str_eq(synthetic.got, "+1e -1e +30");
	synthetic.room = 100;
	wait_for(NS_PER_SEC);
	ck_assert_ptr_null(repeated);
	ck_assert_str_eq(text, "");
	ck_assert_str_eq(synthetic.got, "+1e -1e +30 -30");
}
END_TEST

START_TEST(never_read)
{
	synthetic.room = 0;
	(void)ask(&monitor_cmd_key, "key|debian|a");
	wait_for(3 * NS_PER_SEC);
	ck_assert_ptr_null(repeated);
	ck_assert_str_eq(text, "error: debian does not read its keyboard\n");
	/* It ends meanwhile. */
	(void)ask(&monitor_cmd_key, "key|debian|a");
	vm->state = VM_OFF;
	wait_for(NS_PER_SEC);
	ck_assert_str_eq(text, "error: debian runs no more\n");
	ck_assert_ptr_nonnull(
	        strstr(ask(&monitor_cmd_key, "key|debian|a"), "error: debian is off"));
}
END_TEST

START_TEST(a_long_line)
{
	char line[512] = "type|debian|";

	memset(line + strlen(line), 'A', MONITOR_LINE_MAX - 13);
	ck_assert_str_eq(ask(&monitor_cmd_type, line), "");
	ck_assert_uint_eq(10000 - synthetic.room, 4 * (MONITOR_LINE_MAX - 13));
}
END_TEST

UNIT_MAIN("monitor_key", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, keys, 0, ARRAY_SIZE(rows)); tcase_add_test(tc, the_old_keyboard);
          tcase_add_test(tc, a_full_keyboard); tcase_add_test(tc, never_read);
          tcase_add_test(tc, a_long_line);)
