// SPDX-License-Identifier: BSD-2-Clause
// The host's console under a test's control.
#include "tests/fake/console_fake.h"
#include <string.h>

static char out[262144], in[1024];
uint32_t fake_console_logs;
static size_t n_out, n_in, next_in, free_bytes = sizeof(out) - 1;

void fake_console_reset(size_t room)
{
	n_out = n_in = next_in = 0;
	out[0] = '\0';
	free_bytes = room;
}

void fake_console_room(size_t room)
{
	free_bytes = room;
}

void fake_console_type(const char *text)
{
	for (; *text && n_in < sizeof(in); text++) {
		in[n_in++] = *text;
	}
}

const char *fake_console_text(void)
{
	return out;
}

size_t console_write(const char *buf, size_t n)
{
	size_t taken = 0;

	while (taken < n && free_bytes > 0 && n_out < sizeof(out) - 1) {
		out[n_out++] = buf[taken++];
		free_bytes--;
	}
	out[n_out] = '\0';
	return taken;
}

int console_getc(void)
{
	return next_in < n_in ? (unsigned char)in[next_in++] : -1;
}

uint32_t console_log_lines(void)
{
	return fake_console_logs;
}
