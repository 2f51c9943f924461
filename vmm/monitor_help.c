// SPDX-License-Identifier: BSD-2-Clause
// help, and the sentence for a command that does not exist.
// Specs: docs/monitor.md.
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"
#include "vmm/monitor_commands.h"
#include "vmm/monitor_parse.h"

#define MAX_COMMANDS 64U

const struct monitor_command *monitor_find_command(const char *name)
{
	for (unsigned i = 0; monitor_commands[i]; i++) {
		if (strcmp(monitor_commands[i]->name, name) == 0) {
			return monitor_commands[i];
		}
	}
	return NULL;
}

void monitor_unknown_command(struct out *out, const char *name)
{
	const char *names[MAX_COMMANDS];
	unsigned n = 0;
	int near;

	while (n < MAX_COMMANDS && monitor_commands[n]) {
		names[n] = monitor_commands[n]->name;
		n++;
	}
	near = suggest(name, strlen(name), names, n);
	if (near >= 0) {
		monitor_error(out, "unknown command '%s' (did you mean '%s'?)", name, names[near]);
	} else {
		monitor_error(out, "unknown command '%s' ('help' lists them)", name);
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	const struct monitor_command *c;

	if (argc > 1) {
		c = monitor_find_command(argv[1]);
		if (!c) {
			monitor_unknown_command(out, argv[1]);
			return MONITOR_DONE;
		}
		out_print(out, "usage: %s%s%s\n", c->name, c->args[0] ? " " : "", c->args);
		out_print(out, "%s.\n", c->summary);
		if (c->help) {
			/* Longer than a line of out_print(). */
			out->write(out, c->help, strlen(c->help));
		}
		return MONITOR_DONE;
	}
	for (unsigned i = 0; monitor_commands[i]; i++) {
		char usage[64];

		c = monitor_commands[i];
		fmt_print(usage, sizeof(usage), "%s%s%s", c->name, c->args[0] ? " " : "", c->args);
		out_print(out, "%-36s %s\n", usage, c->summary);
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_help = {
        .name = "help",
        .args = "[COMMAND]",
        .summary = "list the commands, or explain one",
        .max_args = 1,
        .complete = {MONITOR_ARG_COMMAND},
        .run = run,
};
