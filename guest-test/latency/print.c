// SPDX-License-Identifier: BSD-2-Clause
// What was measured: a table for people, then the same as lines for programs:
//   BENCH,name,samples,min,median,p99,max,exits   ticks; exits of all samples, '-' = not known
//   SKIP,name,reason
//   INFO,what,value
#include "guest-test/latency/bench.h"

#define NAME_WIDTH 26U
#define FIGURE_WIDTH 10U

static unsigned length(const char *s)
{
	unsigned n = 0;

	while (s[n]) {
		n++;
	}
	return n;
}

static void put_spaces(unsigned n)
{
	while (n--) {
		put_char(' ');
	}
}

static void put_column(const char *s)
{
	unsigned n = length(s);

	put_spaces(n < FIGURE_WIDTH ? FIGURE_WIDTH - n : 1);
	put_string(s);
}

static void put_figure(uint32_t v)
{
	unsigned n = 1;

	for (uint32_t rest = v; rest >= 10; rest /= 10) {
		n++;
	}
	put_spaces(FIGURE_WIDTH - n);
	put_dec(v);
}

static void put_name(const char *name)
{
	put_string(name);
	put_spaces(length(name) < NAME_WIDTH ? NAME_WIDTH - length(name) : 1);
}

static void table_row(const struct result *r, bool counts_exits)
{
	put_name(r->name);
	if (r->skipped) {
		put_string("skipped: ");
		put_string(r->skipped);
	} else {
		put_figure(r->min);
		put_figure(r->median);
		put_figure(r->p99);
		put_figure(r->max);
		if (counts_exits) {
			/* Of one sample, rounded: a host's interrupt now and then is not its. */
			put_figure((r->exits + r->samples / 2) / r->samples);
		}
	}
	put_string("\n");
}

static void put_field(uint32_t v)
{
	put_char(',');
	put_dec(v);
}

static void csv_row(const struct result *r, bool counts_exits)
{
	put_string(r->skipped ? "SKIP," : "BENCH,");
	put_string(r->name);
	if (r->skipped) {
		put_char(',');
		put_string(r->skipped);
	} else {
		put_field(r->samples);
		put_field(r->min);
		put_field(r->median);
		put_field(r->p99);
		put_field(r->max);
		if (counts_exits) {
			put_field(r->exits);
		} else {
			put_string(",-");
		}
	}
	put_string("\n");
}

static void csv_info(const char *what, uint32_t value)
{
	put_string("INFO,");
	put_string(what);
	put_field(value);
	put_string("\n");
}

void print_report(const struct report *report)
{
	put_string(report->counts_instructions ? "\nThe clock counts instructions, as in Bochs.\n"
	                                       : "\nThe clock counts ticks of the time-stamp "
	                                         "counter, not instructions.\n");
	put_name("operation");
	put_column("min");
	put_column("median");
	put_column("p99");
	put_column("max");
	if (report->counts_exits) {
		put_column("exits");
	}
	put_string("\n");
	for (unsigned i = 0; i < report->n_rows; i++) {
		table_row(&report->rows[i], report->counts_exits);
	}
	csv_info("samples", SAMPLES);
	csv_info("overhead", report->overhead);
	csv_info("instructions", report->counts_instructions);
	csv_info("hypervisor", cpuid(1, 0).c >> 31);
	for (unsigned i = 0; i < report->n_rows; i++) {
		csv_row(&report->rows[i], report->counts_exits);
	}
	csv_info("end", 0);
}
