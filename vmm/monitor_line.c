// SPDX-License-Identifier: BSD-2-Clause
// The line editor.
// Specs: [ECMA48] "Control functions": CSI n D, CSI K; the keys are those of a VT220 and of xterm.
#include "vmm/monitor_line.h"
#include "vmm/lib/string.h"

#define CTRL(c) ((c) - '@')
#define ESC 0x1b
#define DEL 0x7f

static void put(struct out *echo, const char *text, size_t n)
{
	if (n) {
		echo->write(echo, text, n);
	}
}

static void bell(struct out *echo)
{
	put(echo, "\a", 1);
}

static void left(struct out *echo, unsigned n)
{
	if (n) {
		out_print(echo, "\x1b[%uD", n);
	}
}

static void right(struct out *echo, unsigned n)
{
	if (n) {
		out_print(echo, "\x1b[%uC", n);
	}
}

/* What stands from the cursor on, cleared behind it; the cursor stays. */
static void draw_tail(const struct monitor_line *line, struct out *echo)
{
	put(echo, line->text + line->at, line->len - line->at);
	put(echo, "\x1b[K", 3);
	left(echo, line->len - line->at);
}

void monitor_line_init(struct monitor_line *line)
{
	memset(line, 0, sizeof(*line));
}

void monitor_line_draw(const struct monitor_line *line, struct out *echo)
{
	put(echo, MONITOR_PROMPT, sizeof(MONITOR_PROMPT) - 1);
	put(echo, line->text, line->len);
	left(echo, line->len - line->at);
}

static void move_to(struct monitor_line *line, unsigned at, struct out *echo)
{
	if (at < line->at) {
		left(echo, line->at - at);
	} else {
		right(echo, at - line->at);
	}
	line->at = at;
}

void monitor_line_insert(struct monitor_line *line, const char *text, size_t n, struct out *echo)
{
	if (n > sizeof(line->text) - 1 - line->len) {
		n = sizeof(line->text) - 1 - line->len;
		bell(echo);
	}
	memmove(line->text + line->at + n, line->text + line->at, line->len - line->at);
	memcpy(line->text + line->at, text, n);
	line->len += (unsigned)n;
	line->text[line->len] = '\0';
	put(echo, line->text + line->at, n);
	line->at += (unsigned)n;
	if (n && line->at < line->len) {
		draw_tail(line, echo);
	}
}

/* Take out [from, to); the cursor goes to from. */
static void cut(struct monitor_line *line, unsigned from, unsigned to, struct out *echo)
{
	if (from == to) {
		return;
	}
	move_to(line, from, echo);
	memmove(line->text + from, line->text + to, line->len - to);
	line->len -= to - from;
	line->text[line->len] = '\0';
	draw_tail(line, echo);
}

static unsigned word_start(const struct monitor_line *line)
{
	unsigned i = line->at;

	while (i > 0 && line->text[i - 1] == ' ') {
		i--;
	}
	while (i > 0 && line->text[i - 1] != ' ') {
		i--;
	}
	return i;
}

static void replace(struct monitor_line *line, const char *text, struct out *echo)
{
	move_to(line, 0, echo);
	(void)str_copy(line->text, sizeof(line->text), text);
	line->len = line->at = (unsigned)strlen(line->text);
	put(echo, line->text, line->len);
	put(echo, "\x1b[K", 3);
}

static const char *history_at(const struct monitor_line *line, unsigned back)
{
	return back == 0 ? line->draft : line->history[(line->n_history - back) % MONITOR_HISTORY];
}

static void walk_history(struct monitor_line *line, bool up, struct out *echo)
{
	unsigned kept = line->n_history < MONITOR_HISTORY ? line->n_history : MONITOR_HISTORY;

	if (up ? line->back == kept : line->back == 0) {
		bell(echo);
		return;
	}
	if (line->back == 0) {
		memcpy(line->draft, line->text, sizeof(line->draft));
	}
	line->back = up ? line->back + 1 : line->back - 1;
	replace(line, history_at(line, line->back), echo);
}

static void remember(struct monitor_line *line)
{
	if (line->len == 0 || (line->n_history && strcmp(history_at(line, 1), line->text) == 0)) {
		return;
	}
	memcpy(line->history[line->n_history % MONITOR_HISTORY], line->text, sizeof(line->text));
	line->n_history++;
	if (line->n_history == 2 * MONITOR_HISTORY) {
		/* The same place in the ring; the count never wraps. */
		line->n_history = MONITOR_HISTORY;
	}
}

void monitor_line_next(struct monitor_line *line)
{
	remember(line);
	line->text[0] = line->draft[0] = '\0';
	line->len = line->at = line->back = line->tabs = 0;
	line->escape = ESC_NONE;
}

/* The cursor keys and their like, by the last character of their sequence. */
static void cursor_key(struct monitor_line *line, uint8_t byte, struct out *echo)
{
	switch (byte) {
	case 'A':
		walk_history(line, true, echo);
		break;
	case 'B':
		walk_history(line, false, echo);
		break;
	case 'C':
		move_to(line, line->at + (line->at < line->len), echo);
		break;
	case 'D':
		move_to(line, line->at - (line->at > 0), echo);
		break;
	case 'H':
		move_to(line, 0, echo);
		break;
	case 'F':
		move_to(line, line->len, echo);
		break;
	}
}

/* CSI n ~: Home, Delete and End of VT220 and of others. */
static void tilde_key(struct monitor_line *line, struct out *echo)
{
	switch (line->param) {
	case 1:
	case 7:
		move_to(line, 0, echo);
		break;
	case 3:
		cut(line, line->at, line->at + (line->at < line->len), echo);
		break;
	case 4:
	case 8:
		move_to(line, line->len, echo);
		break;
	}
}

static void escape_byte(struct monitor_line *line, uint8_t byte, struct out *echo)
{
	enum line_escape was = line->escape;

	line->escape = ESC_NONE;
	if (was == ESC_START) {
		line->param = 0;
		line->escape = byte == '[' ? ESC_CSI : byte == 'O' ? ESC_SS3 : ESC_NONE;
	} else if (was == ESC_CSI && byte >= '0' && byte <= '9') {
		line->param = (line->param * 10 + (byte - '0')) % 1000;
		line->escape = ESC_CSI;
	} else if ((was == ESC_CSI || was == ESC_CSI_REST) && byte >= 0x20 && byte <= 0x3f) {
		/* "1;5": the first number says which key, the second that Ctrl was held. */
		line->escape = ESC_CSI_REST;
	} else if (byte == '~') {
		tilde_key(line, echo);
	} else {
		cursor_key(line, byte, echo);
	}
}

static enum line_event control(struct monitor_line *line, uint8_t byte, struct out *echo)
{
	switch (byte) {
	case '\r':
	case '\n':
		put(echo, "\n", 1);
		return LINE_READY;
	case '\t':
		line->tabs++;
		return LINE_COMPLETE;
	case CTRL('C'):
		put(echo, "^C\n", 3);
		line->text[0] = '\0';
		line->len = 0;
		monitor_line_next(line);
		return LINE_DROPPED;
	case CTRL('A'):
		move_to(line, 0, echo);
		break;
	case CTRL('E'):
		move_to(line, line->len, echo);
		break;
	case CTRL('B'):
		cursor_key(line, 'D', echo);
		break;
	case CTRL('F'):
		cursor_key(line, 'C', echo);
		break;
	case CTRL('P'):
		cursor_key(line, 'A', echo);
		break;
	case CTRL('N'):
		cursor_key(line, 'B', echo);
		break;
	case CTRL('D'):
		cut(line, line->at, line->at + (line->at < line->len), echo);
		break;
	case CTRL('H'):
	case DEL:
		cut(line, line->at - (line->at > 0), line->at, echo);
		break;
	case CTRL('K'):
		cut(line, line->at, line->len, echo);
		break;
	case CTRL('U'):
		cut(line, 0, line->at, echo);
		break;
	case CTRL('W'):
		cut(line, word_start(line), line->at, echo);
		break;
	case CTRL('L'):
		put(echo, "\x1b[H\x1b[2J", 7);
		monitor_line_draw(line, echo);
		break;
	case ESC:
		line->escape = ESC_START;
		break;
	}
	return LINE_NONE;
}

enum line_event monitor_line_feed(struct monitor_line *line, uint8_t byte, struct out *echo)
{
	bool after_cr = line->last_cr;

	line->last_cr = byte == '\r';
	if (byte == '\n' && after_cr) {
		return LINE_NONE;
	}
	if (byte != '\t') {
		line->tabs = 0;
	}
	if (line->escape != ESC_NONE && byte >= ' ' && byte != DEL) {
		escape_byte(line, byte, echo);
		return LINE_NONE;
	}
	line->escape = ESC_NONE;
	if (byte < ' ' || byte == DEL) {
		return control(line, byte, echo);
	}
	/* Names and numbers are ASCII. */
	if (byte < DEL) {
		char c = (char)byte;

		monitor_line_insert(line, &c, 1, echo);
	}
	return LINE_NONE;
}
