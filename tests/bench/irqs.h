/* SPDX-License-Identifier: BSD-2-Clause */
/* What a load counts of itself in the guest: time-stamp ticks, and interrupts by line. */
#ifndef TESTS_BENCH_IRQS_H
#define TESTS_BENCH_IRQS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define IRQS_MAX 128

struct irqs {
	unsigned n;
	struct {
		char name[16];
		unsigned long long count; /* of all CPUs */
	} lines[IRQS_MAX];
	unsigned long long ticks;
};

static struct irqs irqs_before;

static void irqs_read(struct irqs *s)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024];

	s->n = 0;
	while (f && fgets(line, sizeof(line), f) && s->n < IRQS_MAX) {
		char *colon = strchr(line, ':'), *at, *end;

		if (!colon) {
			continue; /* the header */
		}
		*colon = '\0';
		snprintf(s->lines[s->n].name, sizeof(s->lines[0].name), "%s",
		        line + strspn(line, " "));
		s->lines[s->n].count = 0;
		for (at = colon + 1;; at = end) {
			unsigned long long v = strtoull(at, &end, 10);

			if (end == at || (*end != ' ' && *end != '\n')) {
				break;
			}
			s->lines[s->n].count += v;
		}
		s->n++;
	}
	if (f) {
		fclose(f);
	}
	s->ticks = __rdtsc();
}

static void irqs_begin(void)
{
	irqs_read(&irqs_before);
}

/* How often line i of 'now' has come since irqs_begin(). */
static unsigned long long irqs_grown(const struct irqs *now, unsigned i)
{
	for (unsigned j = 0; j < irqs_before.n; j++) {
		if (strcmp(irqs_before.lines[j].name, now->lines[i].name) == 0) {
			return now->lines[i].count - irqs_before.lines[j].count;
		}
	}
	return now->lines[i].count;
}

/* "load: NAME COUNT" for each that has grown, and for the ticks. */
static void irqs_end(void)
{
	static struct irqs now;
	unsigned long long end = __rdtsc();

	irqs_read(&now);
	for (unsigned i = 0; i < now.n; i++) {
		if (irqs_grown(&now, i) != 0) {
			printf("load: %s %llu\n", now.lines[i].name, irqs_grown(&now, i));
		}
	}
	printf("load: ticks %llu\n", end - irqs_before.ticks);
}

#endif
