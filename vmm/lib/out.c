// SPDX-License-Identifier: BSD-2-Clause
// Formatted text to wherever a dump goes.
#include "vmm/lib/out.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/log.h"

void out_print(struct out *out, const char *fmt, ...)
{
	char line[OUT_LINE_MAX];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = fmt_vprint(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	out->write(out, line, n);
}

static void log_lines(enum log_level level, const char *text, size_t n)
{
	while (n) {
		size_t len = 0;

		while (len < n && text[len] != '\n') {
			len++;
		}
		log_line(level, "%.*s", (int)len, text);
		len += len < n ? 1 : 0;
		text += len;
		n -= len;
	}
}

static void log_write(struct out *out, const char *text, size_t n)
{
	(void)out;
	log_lines(LOG_INFO, text, n);
}

static void error_write(struct out *out, const char *text, size_t n)
{
	(void)out;
	log_lines(LOG_ERROR, text, n);
}

struct out out_log = {.write = log_write};
struct out out_error = {.write = error_write};
