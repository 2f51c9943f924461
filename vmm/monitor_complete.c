// SPDX-License-Identifier: BSD-2-Clause
// The Tab key: commands, names of VMs, and the words that a command takes.
// Specs: docs/monitor.md.
#include "vmm/monitor_complete.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_parse.h"
#include "vmm/vm.h"

#define MAX_NAMES 64U

/* The names that begin with what is typed. */
struct match {
	const char *prefix;
	size_t prefix_len;
	const char *names[MAX_NAMES];
	unsigned n;
};

static void offer(struct match *match, const char *name)
{
	if (match->n < MAX_NAMES && strncmp(name, match->prefix, match->prefix_len) == 0) {
		match->names[match->n++] = name;
	}
}

static void offer_commands(struct match *match)
{
	for (unsigned i = 0; monitor_commands[i]; i++) {
		offer(match, monitor_commands[i]->name);
	}
}

static void offer_argument(
        struct match *match, const struct monitor_command *command, unsigned index)
{
	switch (command->complete[index]) {
	case MONITOR_ARG_NONE:
		break;
	case MONITOR_ARG_VM:
		for (unsigned i = 0; i < n_vms; i++) {
			offer(match, vms[i]->config->name);
		}
		break;
	case MONITOR_ARG_COMMAND:
		offer_commands(match);
		break;
	case MONITOR_ARG_WORDS:
		for (unsigned i = 0; command->words[i]; i++) {
			offer(match, command->words[i]);
		}
		break;
	}
}

/* The word that ends at the cursor: which one of the line it is, and what it could become. */
static void find(const struct monitor_line *line, struct match *match)
{
	char first[MONITOR_LINE_MAX];
	size_t first_len = 0, start = 0;
	unsigned index = 0;
	const struct monitor_command *command;

	for (size_t i = 0; i < line->at; i++) {
		if (line->text[i] != ' ') {
			continue;
		}
		if (i > start) {
			if (index++ == 0) {
				first_len = i - start;
				memcpy(first, line->text + start, first_len);
			}
		}
		start = i + 1;
	}
	match->prefix = line->text + start;
	match->prefix_len = line->at - start;
	match->n = 0;
	if (index == 0) {
		offer_commands(match);
		return;
	}
	first[first_len] = '\0';
	command = monitor_find_command(first);
	if (command && index <= ARRAY_SIZE(command->complete)) {
		offer_argument(match, command, index - 1);
	}
}

/* How far all names agree. */
static size_t common_len(const struct match *match)
{
	size_t len = strlen(match->names[0]);

	for (unsigned i = 1; i < match->n; i++) {
		size_t same = 0;

		while (same < len && match->names[i][same] == match->names[0][same]) {
			same++;
		}
		len = same;
	}
	return len;
}

void monitor_complete(struct monitor_line *line, struct out *echo)
{
	struct match match;
	size_t common;

	find(line, &match);
	if (match.n == 0) {
		echo->write(echo, "\a", 1);
		return;
	}
	common = common_len(&match);
	if (match.n == 1) {
		char rest[MONITOR_LINE_MAX];
		size_t n = common - match.prefix_len;

		memcpy(rest, match.names[0] + match.prefix_len, n);
		/* The next word can follow at once; but not two blanks in the middle of a line. */
		if (line->text[line->at] != ' ') {
			rest[n++] = ' ';
		}
		monitor_line_insert(line, rest, n, echo);
	} else if (common > match.prefix_len) {
		monitor_line_insert(
		        line, match.names[0] + match.prefix_len, common - match.prefix_len, echo);
	} else if (line->tabs < 2) {
		echo->write(echo, "\a", 1);
	} else {
		echo->write(echo, "\n", 1);
		for (unsigned i = 0; i < match.n; i++) {
			out_print(echo, "%s%s", i ? "  " : "", match.names[i]);
		}
		echo->write(echo, "\n", 1);
		monitor_line_draw(line, echo);
	}
}
