// SPDX-License-Identifier: BSD-2-Clause
// log: how much the host logs, by area.
// Specs: docs/monitor.md.
#include "vmm/lib/log.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"
#include "vmm/monitor_commands.h"

static const char *const words[] = {
        "error", "warn", "info", "debug", "host", "vm", "vtx", "devices", "hyperv", "guest", NULL};
_Static_assert(ARRAY_SIZE(words) == LOG_DEBUG + 1 + LOG_AREA_COUNT + 1, "levels, then areas");

static int find(const char *word, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(word, names[i]) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static void show(struct out *out, unsigned area)
{
	out_print(out, "%-8s %s\n", log_area_names[area], log_level_names[log_area_level(area)]);
}

static void unknown(struct out *out, const char *word)
{
	int near = suggest(word, strlen(word), words, ARRAY_SIZE(words) - 1);

	if (near >= 0) {
		monitor_error(out, "there is no level or area '%s' (did you mean '%s'?)", word,
		        words[near]);
	} else {
		monitor_error(out, "there is no level or area '%s' ('help log' lists them)", word);
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	int area = -1, level = -1;

	for (unsigned i = 1; i < argc; i++) {
		int a = find(argv[i], log_area_names, LOG_AREA_COUNT);
		int l = find(argv[i], log_level_names, LOG_DEBUG + 1);

		if (a < 0 && l < 0) {
			unknown(out, argv[i]);
			return MONITOR_DONE;
		}
		if ((a >= 0 && area >= 0) || (l >= 0 && level >= 0)) {
			monitor_error(out, "usage: log [AREA] [LEVEL]");
			return MONITOR_DONE;
		}
		area = a >= 0 ? a : area;
		level = l >= 0 ? l : level;
	}
	if (level >= 0 && area >= 0) {
		log_set_area_level((enum log_area)area, (enum log_level)level);
	} else if (level >= 0) {
		log_set_level((enum log_level)level);
	}
	out_print(out, "%-8s %s\n", "area", "level");
	for (unsigned i = 0; i < LOG_AREA_COUNT; i++) {
		if (area < 0 || (unsigned)area == i) {
			show(out, i);
		}
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_log = {
        .name = "log",
        .args = "[AREA] [LEVEL]",
        .summary = "how much the host logs, in all or in one area",
        .help = "LEVEL: error, warn, info or debug: lines up to this one are written.\n"
                "AREA: host (this machine), vm (VMs and vCPUs), vtx (VT-x), devices (emulated "
                "ones), hyperv\n(hypercalls, VMBus), guest (what guests did that is worth a "
                "line).\n"
                "Without LEVEL nothing is changed.\n",
        .max_args = 2,
        .complete = {MONITOR_ARG_WORDS, MONITOR_ARG_WORDS},
        .words = words,
        .run = run,
};
