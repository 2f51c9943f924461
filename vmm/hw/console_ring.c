// SPDX-License-Identifier: BSD-2-Clause
// The console's ring: raw bytes, and log lines on lines of their own.
// Specs: none (contract in console_ring.h).
#include "vmm/hw/console_ring.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/fmt.h"

void console_ring_init(struct console_ring *r, char *buf, uint32_t size)
{
	BUG_ON(!is_pow2(size));
	*r = (struct console_ring){.buf = buf, .size = size};
}

uint32_t console_ring_used(const struct console_ring *r)
{
	return r->head - r->tail;
}

uint32_t console_ring_free(const struct console_ring *r)
{
	return r->size - console_ring_used(r);
}

static void put(struct console_ring *r, char c)
{
	r->buf[r->head & (r->size - 1)] = c;
	r->head++;
	r->mid_line = c != '\n';
}

size_t console_ring_put(struct console_ring *r, const char *buf, size_t n, uint32_t reserve)
{
	uint32_t room = console_ring_free(r);
	size_t take = room > reserve ? room - reserve : 0;

	take = n < take ? n : take;
	for (size_t i = 0; i < take; i++) {
		put(r, buf[i]);
	}
	return take;
}

static size_t text_len(const char *text, size_t n)
{
	size_t len = n;

	for (size_t i = 0; i < n; i++) {
		len += text[i] == '\n';
	}
	return len;
}

static void put_text(struct console_ring *r, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			put(r, '\r');
		}
		put(r, text[i]);
	}
}

bool console_ring_put_log(struct console_ring *r, const char *text, size_t n)
{
	char notice[64];
	size_t notice_len = 0, need;

	if (r->lost_lines) {
		notice_len = fmt_print(
		        notice, sizeof(notice), "[console: %u log lines dropped]\n", r->lost_lines);
	}
	need = (r->mid_line ? 2 : 0) + text_len(notice, notice_len) + text_len(text, n);
	if (need > console_ring_free(r)) {
		if (r->lost_lines != UINT32_MAX) {
			r->lost_lines++;
		}
		return false;
	}
	if (r->mid_line) {
		put_text(r, "\n", 1);
	}
	put_text(r, notice, notice_len);
	put_text(r, text, n);
	r->lost_lines = 0;
	return true;
}

int console_ring_get(struct console_ring *r)
{
	if (r->head == r->tail) {
		return -1;
	}
	return (uint8_t)r->buf[r->tail++ & (r->size - 1)];
}
