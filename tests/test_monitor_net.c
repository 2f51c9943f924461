// SPDX-License-Identifier: BSD-2-Clause
// The monitor's net: what it passes on, and what it refuses.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/monitor_commands.h"
#include <string.h>

static unsigned lists, links, last_nic;
static bool last_up;
static char text[1024];

static void net(struct out *out)
{
	lists++;
	out_print(out, "sw: 2 ports\n");
}

static bool net_link(struct vm *vm, unsigned nic, bool up)
{
	ck_assert_str_eq(vm->config->name, "fake");
	if (nic > 1) {
		return false;
	}
	links++;
	last_nic = nic;
	last_up = up;
	return true;
}

static unsigned captures, frames;
static bool last_on;

static bool net_capture(struct vm *vm, bool on)
{
	(void)vm;
	captures++;
	last_on = on;
	return captures < 3;
}

static bool net_captured(struct vm *vm, struct out *out, uint64_t *next)
{
	ck_assert_str_eq(vm->config->name, "fake");
	if (*next >= frames) {
		return false;
	}
	out_print(out, "<%u>\n", (unsigned)*next);
	++*next;
	return true;
}

static bool (*again)(struct out *out);

void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool until_key)
{
	(void)interval_ns;
	ck_assert(until_key);
	again = fn;
}

/* Before the real one, in vmm/monitor.c. */
const struct monitor_ops *monitor_outside(void)
{
	static const struct monitor_ops ops = {.net = net,
	        .net_link = net_link,
	        .net_capture = net_capture,
	        .net_captured = net_captured};

	return &ops;
}

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

static const char *say(const char *line)
{
	static char words[128];
	struct out out = {.write = write_text};
	char *argv[MONITOR_ARGS_MAX + 1] = {0};
	unsigned argc = 0;

	strcpy(words, line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		argv[argc++] = word;
	}
	ck_assert_uint_le(argc - 1, monitor_cmd_net.max_args);
	text[0] = '\0';
	again = NULL;
	if (monitor_cmd_net.run(&out, argc, argv) == MONITOR_PENDING) {
		ck_assert_ptr_nonnull(again);
		while (!again(&out)) {
		}
	}
	return text;
}

START_TEST(list_and_links)
{
	vms[0] = fake_vm(1 << 20, 1);
	n_vms = 1;
	ck_assert_str_eq(say("net"), "sw: 2 ports\n");
	ck_assert_uint_eq(lists, 1);
	ck_assert_str_eq(say("net link fake 1 down"), "");
	ck_assert(links == 1 && last_nic == 1 && !last_up);
	ck_assert_str_eq(say("net link fake 0 up"), "");
	ck_assert(links == 2 && last_nic == 0 && last_up);
}
END_TEST

START_TEST(capture)
{
	vms[0] = fake_vm(1 << 20, 1);
	n_vms = 1;
	captures = 0;
	ck_assert_str_eq(say("net capture fake on"), "");
	ck_assert(captures == 1 && last_on);
	ck_assert_str_eq(say("net capture fake off"), "");
	ck_assert(captures == 2 && !last_on);
	ck_assert_ptr_nonnull(strstr(say("net capture fake on"), "fake has no network adapter"));
	frames = 0;
	ck_assert_str_eq(say("net capture fake"), "no frames of fake are kept\n");
	frames = 1;
	ck_assert_str_eq(say("net capture fake"), "<0>\n");
	frames = 6;
	ck_assert_str_eq(say("net capture fake"), "<0>\n<1>\n<2>\n<3>\n<4>\n<5>\n");
	frames = 1000; /* that come while they are shown: there is an end */
	ck_assert_ptr_nonnull(strstr(say("net capture fake"), "<127>\n"));
	ck_assert_ptr_null(strstr(text, "<128>"));
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *line, *error;
	} rows[] = {
	        {"net lnik fake 0 up", "it is 'net',"},
	        {"net capture", "it is 'net',"},
	        {"net capture fake on now", "it is 'net',"},
	        {"net capture other on", "there is no VM 'other'"},
	        {"net capture fake maybe", "a capture is 'on' or 'off'"},
	        {"net link", "it is 'net',"},
	        {"net link fake 0", "it is 'net',"},
	        {"net link other 0 up", "there is no VM 'other'"},
	        {"net link fake x up", "N must be a number"},
	        {"net link fake 0 sideways", "a link is 'up' or 'down'"},
	        {"net link fake 2 up", "fake has no network adapter 2 with a cable"},
	        {"net link fake 4294967296 up", "fake has no network adapter 4294967296"},
	};

	vms[0] = fake_vm(1 << 20, 1);
	n_vms = 1;
	links = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_ptr_nonnull(strstr(say(rows[i].line), rows[i].error));
	}
	ck_assert_uint_eq(links, 0);
}
END_TEST

UNIT_MAIN("monitor_net", tcase_add_test(tc, list_and_links); tcase_add_test(tc, capture);
          tcase_add_test(tc, refused);)
