// SPDX-License-Identifier: BSD-2-Clause
// The monitor's output buffer.
// Specs: none (contract in monitor_out.h).
#include "vmm/monitor_out.h"
#include "vmm/hw/console_hw.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"

/* Kept for the line that says that something is missing. */
#define NOTE_RESERVE 64U

_Static_assert((MONITOR_OUT_SIZE & (MONITOR_OUT_SIZE - 1)) == 0, "positions are masked");

static struct {
	struct spinlock lock;
	uint32_t head, tail; /* [lock] free-running */
	bool cut;            /* [lock] something of this answer did not fit */
	char buf[MONITOR_OUT_SIZE];
} state;

static size_t text_len(const char *text, size_t n)
{
	size_t len = n;

	for (size_t i = 0; i < n; i++) {
		len += text[i] == '\n';
	}
	return len;
}

static void put_locked(char c)
{
	state.buf[state.head++ & (MONITOR_OUT_SIZE - 1)] = c;
}

static bool put_text_locked(const char *text, size_t n, size_t reserve)
{
	if (text_len(text, n) + reserve > MONITOR_OUT_SIZE - (state.head - state.tail)) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n') {
			put_locked('\r');
		}
		put_locked(text[i]);
	}
	return true;
}

static void out_write(struct out *out, const char *text, size_t n)
{
	(void)out;
	spin_lock(&state.lock);
	if (!state.cut && !put_text_locked(text, n, NOTE_RESERVE)) {
		state.cut = true;
	}
	spin_unlock(&state.lock);
}

struct out monitor_out = {.write = out_write};

void monitor_out_end(void)
{
	static const char note[] = "error: output cut off\n";

	spin_lock(&state.lock);
	if (state.cut) {
		(void)put_text_locked(note, sizeof(note) - 1, 0);
		state.cut = false;
	}
	spin_unlock(&state.lock);
}

bool monitor_out_drain(void)
{
	bool empty;

	/* The lock is held over console_write(), so that two CPUs keep the order. */
	spin_lock(&state.lock);
	while (state.head != state.tail) {
		uint32_t from = state.tail & (MONITOR_OUT_SIZE - 1);
		uint32_t n = state.head - state.tail;
		size_t taken;

		n = n < MONITOR_OUT_SIZE - from ? n : MONITOR_OUT_SIZE - from;
		taken = console_write(state.buf + from, n);
		state.tail += (uint32_t)taken;
		if (taken < n) {
			break;
		}
	}
	empty = state.head == state.tail;
	spin_unlock(&state.lock);
	return empty;
}

size_t monitor_out_used(void)
{
	size_t used;

	spin_lock(&state.lock);
	used = state.head - state.tail;
	spin_unlock(&state.lock);
	return used;
}

void monitor_out_reset(void)
{
	spin_lock(&state.lock);
	state.head = state.tail = 0;
	state.cut = false;
	spin_unlock(&state.lock);
}
