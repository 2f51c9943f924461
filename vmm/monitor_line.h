/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line that is being typed: fed byte by byte, with echo, history and the keys that people's
 * fingers know. It knows no commands and touches nothing but its echo.
 */
#ifndef VMM_MONITOR_LINE_H
#define VMM_MONITOR_LINE_H

#include "vmm/lib/out.h"
#include "vmm/monitor.h"

#define MONITOR_HISTORY 32U

/* What a byte led to. */
enum line_event {
	LINE_NONE,
	LINE_READY,    /* line->text is complete; the echo is on a new line */
	LINE_COMPLETE, /* Tab: see monitor_complete(); line->tabs counts them in a row */
	LINE_DROPPED,  /* Ctrl-C: the line is empty, the echo is on a new line */
};

/* Inside an escape sequence. */
enum line_escape { ESC_NONE, ESC_START, ESC_CSI, ESC_CSI_REST, ESC_SS3 };

struct monitor_line {
	char text[MONITOR_LINE_MAX]; /* terminated */
	unsigned len, at;            /* at: the cursor, 0..len */
	enum line_escape escape;
	unsigned param; /* the number in an escape sequence */
	unsigned tabs;
	bool last_cr;                                    /* a LF that follows is not a line */
	char history[MONITOR_HISTORY][MONITOR_LINE_MAX]; /* ring */
	unsigned n_history;           /* lines ever kept; the last at (n - 1) % MONITOR_HISTORY */
	unsigned back;                /* how far up: 0 = the new line */
	char draft[MONITOR_LINE_MAX]; /* the new line while an old one is shown */
};

void monitor_line_init(struct monitor_line *line);
enum line_event monitor_line_feed(struct monitor_line *line, uint8_t byte, struct out *echo);
/* An empty line; the last one goes to the history unless it is empty or the same again. */
void monitor_line_next(struct monitor_line *line);
/* Prompt and line, on a new line of the screen. */
void monitor_line_draw(const struct monitor_line *line, struct out *echo);
/* Put text in at the cursor, as far as there is room. */
void monitor_line_insert(struct monitor_line *line, const char *text, size_t n, struct out *echo);

#endif
