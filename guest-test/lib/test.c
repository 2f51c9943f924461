// SPDX-License-Identifier: BSD-2-Clause
// Running tests and reporting on COM1.
#include "guest-test/lib/test.h"

#define COM1 0x3f8

void main(void);

extern const struct test tests_start[], tests_end[];

static const struct test *current;
static unsigned failures;
static const char *skipped;

void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20)) {
	}
	outb(COM1, (uint8_t)c);
}

void put_string(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n') {
			put_char('\r');
		}
		put_char(*s);
	}
}

void put_dec(uint64_t v)
{
	char buf[21];
	unsigned i = sizeof(buf) - 1;

	buf[i] = '\0';
	do {
		buf[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	put_string(buf + i);
}

void put_hex(uint64_t v)
{
	put_string("0x");
	for (int shift = 60; shift >= 0; shift -= 4) {
		if (v >> shift || shift == 0) {
			put_char("0123456789abcdef"[v >> shift & 15]);
		}
	}
}

static void report_failure(const char *file, int line)
{
	put_string("FAIL ");
	put_string(current ? current->name : "setup");
	put_char(' ');
	put_string(file);
	put_char(':');
	put_dec((uint64_t)line);
	failures++;
}

void check_failed(const char *file, int line, const char *what)
{
	report_failure(file, line);
	put_string(" ");
	put_string(what);
	put_string("\n");
}

void check_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want)
{
	if (got != want) {
		report_failure(file, line);
		put_string(" ");
		put_string(what);
		put_string(": got ");
		put_hex(got);
		put_string(", want ");
		put_hex(want);
		put_string("\n");
	}
}

void skip(const char *reason)
{
	skipped = reason;
}

void info(const char *what, uint64_t value, const char *unit)
{
	put_string("INFO ");
	put_string(current ? current->name : "setup");
	put_char(' ');
	put_string(what);
	put_char(' ');
	put_dec(value);
	put_char(' ');
	put_string(unit);
	put_string("\n");
}

static void run(void *arg)
{
	const struct test *test = arg;

	test->fn();
}

/* What a test leaves behind must not hurt the next one. */
static void clean_up(void)
{
	cli();
	write_dr7(0x400);
	write_cr8(0);
	for (unsigned v = 0; v < 256; v++) {
		irq_setup((uint8_t)v, EOI_NONE, NULL);
	}
}

void run_tests(void)
{
	for (current = tests_start; current < tests_end; current++) {
		failures = 0;
		skipped = NULL;
		/* A fault that nobody expects ends this test alone. */
		run_caught(run, (void *)current);
		clean_up();
		if (failures == 0) {
			put_string(skipped ? "SKIP " : "PASS ");
			put_string(current->name);
			if (skipped) {
				put_char(' ');
				put_string(skipped);
			}
			put_string("\n");
		}
	}
	current = NULL;
}

__attribute__((weak)) void main(void)
{
	run_tests();
	power_off();
}

void *memset(void *to, int byte, size_t len)
{
	uint8_t *p = to;

	while (len--) {
		*p++ = (uint8_t)byte;
	}
	return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
	uint8_t *p = to;
	const uint8_t *q = from;

	while (len--) {
		*p++ = *q++;
	}
	return to;
}
