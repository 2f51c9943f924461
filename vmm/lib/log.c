// SPDX-License-Identifier: BSD-2-Clause
// Log lines: level, time stamp, one call of the sink each.
// Specs: none (the format is ours: "[   12.345678] text").
#include "vmm/lib/log.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

/* The longest line, with stamp and newline; what is longer ends in "...". */
#define LOG_LINE_MAX 512U

const char *const log_level_names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARN] = "warn",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
};

const char *const log_area_names[] = {
        [LOG_HOST] = "host",
        [LOG_VM] = "vm",
        [LOG_VTX] = "vtx",
        [LOG_DEVICES] = "devices",
        [LOG_HYPERV] = "hyperv",
        [LOG_GUEST] = "guest",
};

static enum log_level levels[LOG_AREA_COUNT] = {
        [LOG_HOST] = LOG_INFO,
        [LOG_VM] = LOG_INFO,
        [LOG_VTX] = LOG_INFO,
        [LOG_DEVICES] = LOG_INFO,
        [LOG_HYPERV] = LOG_INFO,
        [LOG_GUEST] = LOG_INFO,
};
static enum log_level max_level = LOG_INFO;

void log_set_area_level(enum log_area area, enum log_level level)
{
	enum log_level max = LOG_ERROR;

	__atomic_store_n(&levels[area], level, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < LOG_AREA_COUNT; i++) {
		max = log_area_level(i) > max ? log_area_level(i) : max;
	}
	__atomic_store_n(&max_level, max, __ATOMIC_RELAXED);
}

void log_set_level(enum log_level level)
{
	for (unsigned i = 0; i < LOG_AREA_COUNT; i++) {
		log_set_area_level(i, level);
	}
}

enum log_level log_area_level(enum log_area area)
{
	return __atomic_load_n(&levels[area], __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return __atomic_load_n(&max_level, __ATOMIC_RELAXED);
}

/* Text may quote a guest: nothing in it may move the cursor or look like a line of ours. */
static void defuse(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)text[i] < ' ' || text[i] == 0x7f) {
			text[i] = '?';
		}
	}
}

void log_vline(enum log_level level, const char *prefix, const char *fmt, va_list ap)
{
	/* Room for the newline is kept behind the text. */
	const size_t room = LOG_LINE_MAX - 1;
	char line[LOG_LINE_MAX];
	uint64_t now_us;
	size_t len, stamp;

	if (level > log_get_level()) {
		return;
	}
	now_us = log_clock_ns() / 1000;
	stamp = fmt_print(line, room, "[%5llu.%06llu] ", (unsigned long long)(now_us / 1000000),
	        (unsigned long long)(now_us % 1000000));
	len = stamp + fmt_print(line + stamp, room - stamp, "%s", prefix ? prefix : "");
	if (len < room) {
		len += fmt_vprint(line + len, room - len, fmt, ap);
	}
	if (len >= room) {
		len = room - 1;
		memcpy(line + len - 3, "...", 3);
	}
	while (len > stamp && line[len - 1] == '\n') {
		len--;
	}
	defuse(line, len);
	line[len++] = '\n';
	log_sink(line, len);
}

void log_area_line(enum log_area area, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_area_level(area)) {
		return;
	}
	va_start(ap, fmt);
	log_vline(level, NULL, fmt, ap);
	va_end(ap);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, NULL, fmt, ap);
	va_end(ap);
}

/*
 * 'tokens' counts those taken, so that a zeroed struct is a full bucket.
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint32_t *dropped)
{
	uint64_t back = now_ns > limit->last_ns ? now_ns - limit->last_ns : 0;

	back /= LOG_LIMIT_INTERVAL_NS;
	if (back >= limit->tokens) {
		limit->tokens = 0;
		limit->last_ns = now_ns;
	} else if (back > 0) {
		limit->tokens -= (uint32_t)back;
		limit->last_ns += back * LOG_LIMIT_INTERVAL_NS;
	}
	if (limit->tokens >= LOG_LIMIT_BURST) {
		if (limit->dropped != UINT32_MAX) {
			limit->dropped++;
		}
		*dropped = 0;
		return false;
	}
	limit->tokens++;
	*dropped = limit->dropped;
	limit->dropped = 0;
	return true;
}
