/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the monitor: split into words, its command found. */
#ifndef VMM_MONITOR_PARSE_H
#define VMM_MONITOR_PARSE_H

#include "vmm/monitor.h"

/*
 * Split line in place at blanks. "..." keeps blanks together; inside, \" and \\ stand for the
 * character. A word that begins with # ends the line. argv[*argc] is NULL. NULL, or why it is
 * not a line.
 */
__must_check const char *monitor_split(
        char *line, char *argv[MONITOR_ARGS_MAX + 1], unsigned *argc);

/* NULL when there is none. */
const struct monitor_command *monitor_find_command(const char *name);
void monitor_unknown_command(struct out *out, const char *name);

/* Split and run one line; it is changed. */
enum monitor_result monitor_run_line(struct out *out, char *line);

#endif
