// SPDX-License-Identifier: BSD-2-Clause
// A line of the monitor: words, quotes, the command, how many arguments it takes.
// Specs: docs/monitor.md.
#include "vmm/monitor_parse.h"
#include "vmm/lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The word at *from, written to *to; both move on. false = a quote is not closed. */
static bool take_word(char **from, char **to)
{
	const char *s = *from;
	char *d = *to;
	bool quoted = false;

	for (; *s && (quoted || !is_blank(*s)); s++) {
		if (*s == '"') {
			quoted = !quoted;
		} else if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\')) {
			*d++ = *++s;
		} else {
			*d++ = *s;
		}
	}
	/* The end of the word may lie on the blank that ended it. */
	*from += s - *from + (*s ? 1 : 0);
	*d++ = '\0';
	*to = d;
	return !quoted;
}

const char *monitor_split(char *line, char *argv[MONITOR_ARGS_MAX + 1], unsigned *argc)
{
	char *from = line, *to = line;
	unsigned n = 0;

	*argc = 0;
	argv[0] = NULL;
	for (;;) {
		char *word = to;

		while (is_blank(*from)) {
			from++;
		}
		if (*from == '\0' || *from == '#') {
			break;
		}
		if (n == MONITOR_ARGS_MAX) {
			argv[0] = NULL;
			return "too many words in one line";
		}
		if (!take_word(&from, &to)) {
			argv[0] = NULL;
			return "a quotation mark is missing at the end";
		}
		argv[n++] = word;
	}
	argv[n] = NULL;
	*argc = n;
	return NULL;
}

enum monitor_result monitor_run_line(struct out *out, char *line)
{
	char *argv[MONITOR_ARGS_MAX + 1];
	const struct monitor_command *c;
	const char *why;
	unsigned argc;

	why = monitor_split(line, argv, &argc);
	if (why) {
		monitor_error(out, "%s", why);
		return MONITOR_DONE;
	}
	if (argc == 0) {
		return MONITOR_DONE;
	}
	c = monitor_find_command(argv[0]);
	if (!c) {
		monitor_unknown_command(out, argv[0]);
		return MONITOR_DONE;
	}
	if (argc - 1 < c->min_args || argc - 1 > c->max_args) {
		monitor_error(out, "usage: %s%s%s", c->name, c->args[0] ? " " : "", c->args);
		return MONITOR_DONE;
	}
	return c->run(out, argc, argv);
}
