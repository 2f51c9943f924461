// SPDX-License-Identifier: BSD-2-Clause
// The monitor: words of a line, numbers, names, commands, and the Tab key.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/monitor_complete.h"
#include "vmm/monitor_parse.h"
#include <string.h>

static char text[65536];
static size_t n_text;

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	memcpy(text + n_text, s, n);
	n_text += n;
	text[n_text] = '\0';
}

static struct out out = {.write = write_text};
static struct config_vm configs[3];
static struct vm planted[3];

static void setup(void)
{
	static const char *const names[] = {"debian", "debug", "one"};

	n_text = 0;
	text[0] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		strcpy(configs[i].name, names[i]);
		planted[i].config = &configs[i];
		vms[i] = &planted[i];
	}
	n_vms = 3;
}

/* In memory of its exact size, so that ASan sees a step outside. */
static const char *split(const char *line, char *argv[MONITOR_ARGS_MAX + 1], unsigned *argc)
{
	static char *copy;

	free(copy);
	copy = strdup(line);
	return monitor_split(copy, argv, argc);
}

static const struct {
	const char *line, *words; /* between '|' */
} good[] = {
        {"", ""},
        {"   \t ", ""},
        {"vm", "vm|"},
        {"  vm   list  ", "vm|list|"},
        {"vm\tlist", "vm|list|"},
        {"type one \"two words\"", "type|one|two words|"},
        {"a \"\" b", "a||b|"},
        {"a\"b c\"d", "ab cd|"},
        {"\"say \\\"hi\\\" \\\\ \\n\"", "say \"hi\" \\ \\n|"},
        {"back\\slash", "back\\slash|"},
        {"vm list # all of them", "vm|list|"},
        {"# nothing", ""},
        {"a#b \"# c\"", "a#b|# c|"},
        {"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|"},
};

START_TEST(words)
{
	char *argv[MONITOR_ARGS_MAX + 1], got[256] = "";
	unsigned argc;

	ck_assert_ptr_null(split(good[_i].line, argv, &argc));
	for (unsigned i = 0; i < argc; i++) {
		strcat(got, argv[i]);
		strcat(got, "|");
	}
	ck_assert_str_eq(got, good[_i].words);
	ck_assert_ptr_null(argv[argc]);
}
END_TEST

START_TEST(not_words)
{
	char *argv[MONITOR_ARGS_MAX + 1];
	unsigned argc = 7;

	ck_assert_str_eq(split("a \"b", argv, &argc), "a quotation mark is missing at the end");
	ck_assert_uint_eq(argc, 0);
	ck_assert_ptr_nonnull(split("\"a\\\"", argv, &argc));
	ck_assert_ptr_nonnull(split("\"", argv, &argc));
	ck_assert_str_eq(split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", argv, &argc),
	        "too many words in one line");
	ck_assert_uint_eq(argc, 0);
}
END_TEST

static const struct {
	const char *text;
	uint64_t value;
	bool ok;
} numbers[] = {
        {"0", 0, true},
        {"42", 42, true},
        {"007", 7, true},
        {"0x1F", 31, true},
        {"0Xff", 255, true},
        {"18446744073709551615", UINT64_MAX, true},
        {"0xffffffffffffffff", UINT64_MAX, true},
        {"18446744073709551616", 0, false},
        {"0x10000000000000000", 0, false},
        {"", 0, false},
        {"0x", 0, false},
        {"-1", 0, false},
        {"1k", 0, false},
        {"f", 0, false},
        {"0xg", 0, false},
        {" 1", 0, false},
};

START_TEST(number)
{
	uint64_t value = 1234;

	ck_assert(monitor_number(&out, numbers[_i].text, "N", &value) == numbers[_i].ok);
	if (numbers[_i].ok) {
		ck_assert_uint_eq(value, numbers[_i].value);
		ck_assert_str_eq(text, "");
	} else {
		ck_assert_uint_eq(value, 1234);
		ck_assert_ptr_nonnull(
		        strstr(text, "error: N must be a number such as 4096 or 0x1000, not '"));
	}
}
END_TEST

START_TEST(names)
{
	ck_assert_ptr_eq(monitor_find_vm(&out, "debug"), &planted[1]);
	ck_assert_str_eq(text, "");
	ck_assert_ptr_null(monitor_find_vm(&out, "debain"));
	ck_assert_str_eq(text, "error: there is no VM 'debain' (did you mean 'debian'?)\n");
	n_text = 0;
	ck_assert_ptr_null(monitor_find_vm(&out, "windows"));
	ck_assert_str_eq(text, "error: there is no VM 'windows' ('vm list' names them)\n");
}
END_TEST

START_TEST(every_command_has_its_help)
{
	char all[] = "help", wrong[] = "help vmm";

	for (unsigned i = 0; monitor_commands[i]; i++) {
		const struct monitor_command *c = monitor_commands[i];
		char line[64] = "help ";

		ck_assert_ptr_nonnull(c->args);
		ck_assert_ptr_nonnull(c->run);
		ck_assert_uint_le(c->min_args, c->max_args);
		ck_assert_ptr_eq(monitor_find_command(c->name), c);
		ck_assert_int_ne(c->summary[strlen(c->summary) - 1], '.');
		if (c->help) {
			ck_assert_int_eq(c->help[strlen(c->help) - 1], '\n');
		}
		for (unsigned a = 0; a < ARRAY_SIZE(c->complete); a++) {
			ck_assert(c->complete[a] != MONITOR_ARG_WORDS || c->words);
		}
		n_text = 0;
		strcat(line, c->name);
		ck_assert_int_eq(monitor_run_line(&out, line), MONITOR_DONE);
		ck_assert_int_eq(strncmp(text, "usage: ", 7), 0);
		ck_assert_ptr_nonnull(strstr(text, c->summary));
	}
	n_text = 0;
	ck_assert_int_eq(monitor_run_line(&out, all), MONITOR_DONE);
	for (unsigned i = 0; monitor_commands[i]; i++) {
		ck_assert_ptr_nonnull(strstr(text, monitor_commands[i]->summary));
	}
	n_text = 0;
	ck_assert_int_eq(monitor_run_line(&out, wrong), MONITOR_DONE);
	ck_assert_str_eq(text, "error: unknown command 'vmm' (did you mean 'vm'?)\n");
}
END_TEST

/* --- Tab --- */

static const struct {
	const char *keys, *line, *listed;
} tabs[] = {
        {"conso\t", "console ", ""},
        {"console on\t", "console one ", ""},
        {"console d\t", "console deb", ""},
        {"console d\t\t\t", "console deb", "debian  debug\n"},
        {"console debi\t", "console debian ", ""},
        {"console x\t\t", "console x", ""},
        {"bogus x\t\t", "bogus x", ""},
        {"vm re\t\t\t", "vm res", "resume  reset\n"},
        {"vm li\t", "vm list ", ""},
        {"vm info \t\t\t", "vm info ", "debian  debug  one\n"},
        {"help cons\t", "help console ", ""},
        {"  conso\t", "  console ", ""},
        {"vm info one extra many \t\t", "vm info one extra many ", ""},
        {"consoxone\x1b[D\x1b[D\x1b[D\b\t", "console one", ""}, /* in the middle */
        {"conso one\x01\x06\x06\x06\x06\x06\t", "console one", ""},
};

START_TEST(tab)
{
	static struct monitor_line line;

	monitor_line_init(&line);
	for (const char *k = tabs[_i].keys; *k; k++) {
		if (*k == '\t') {
			n_text = 0;
			text[0] = '\0';
		}
		if (monitor_line_feed(&line, (uint8_t)*k, &out) == LINE_COMPLETE) {
			monitor_complete(&line, &out);
		}
	}
	ck_assert_str_eq(line.text, tabs[_i].line);
	if (tabs[_i].listed[0]) {
		ck_assert_ptr_nonnull(strstr(text, tabs[_i].listed));
		/* The line is there again below the list. */
		ck_assert_ptr_nonnull(strstr(text, MONITOR_PROMPT));
	} else {
		ck_assert_ptr_null(strstr(text, MONITOR_PROMPT));
	}
}
END_TEST

START_TEST(tab_at_a_full_line)
{
	static struct monitor_line line;

	monitor_line_init(&line);
	for (unsigned i = 0; i < MONITOR_LINE_MAX - 1 - 8; i++) {
		monitor_line_feed(&line, ' ', &out);
	}
	for (const char *k = "consol"; *k; k++) {
		monitor_line_feed(&line, (uint8_t)*k, &out);
	}
	monitor_complete(&line, &out);
	ck_assert_uint_eq(line.len, MONITOR_LINE_MAX - 1);
	ck_assert_str_eq(line.text + line.len - 8, "console ");
}
END_TEST

UNIT_MAIN("monitor_parse", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, words, 0, ARRAY_SIZE(good)); tcase_add_test(tc, not_words);
          tcase_add_loop_test(tc, number, 0, ARRAY_SIZE(numbers)); tcase_add_test(tc, names);
          tcase_add_test(tc, every_command_has_its_help);
          tcase_add_loop_test(tc, tab, 0, ARRAY_SIZE(tabs));
          tcase_add_test(tc, tab_at_a_full_line);)
