// SPDX-License-Identifier: BSD-2-Clause
// Log sink and BUG() of the hosted tests.
#include "tests/fake/fake.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1 << 16];
static size_t used;

void log_sink(const char *s, size_t len)
{
	if (getenv("FAKE_LOG_SHOW")) {
		fwrite(s, 1, len, stderr);
	}
	if (len > sizeof(text) - 1 - used) {
		len = sizeof(text) - 1 - used;
	}
	memcpy(text + used, s, len);
	used += len;
	text[used] = '\0';
}

uint64_t log_clock_ns(void)
{
	return 0;
}

void fake_log_clear(void)
{
	used = 0;
	text[0] = '\0';
}

const char *fake_log_text(void)
{
	return text;
}

unsigned fake_log_count(const char *needle)
{
	unsigned n = 0;

	for (const char *line = text; *line;) {
		const char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) : strlen(line);
		const char *hit = strstr(line, needle);

		if (hit && hit < line + len) {
			n++;
		}
		line += len + (end ? 1 : 0);
	}
	return n;
}

__noreturn void bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "BUG: %s:%d: %s\n", file, line, what);
	abort();
}
