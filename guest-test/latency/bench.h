/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The latency benchmark: one operation, timed from the guest's side, many times. A new operation
 * is a row in the table of the file it belongs to (exits.c, io.c, irq.c, hv.c); a new file has a
 * table of its own, named in main.c.
 */
#ifndef GUEST_TEST_LATENCY_BENCH_H
#define GUEST_TEST_LATENCY_BENCH_H

#include "guest-test/lib/test.h"

#define WARM_UPS 64U
#define SAMPLES 1024U

struct bench {
	const char *name; /* in the CSV: lower case, dashes */
	/* Prepare; returns why this machine cannot do it, NULL = it can. May be absent. */
	const char *(*setup)(void);
	/* One operation; returns its ticks, those of taking the time included. */
	uint32_t (*sample)(void);
	void (*teardown)(void); /* may be absent; not called when setup failed */
};

struct bench_table {
	const struct bench *rows;
	unsigned n;
};
extern const struct bench_table exits_table, io_table, memory_table, irq_table, hv_table,
        second_table;
#define BENCH_TABLE(array) \
	{ \
		array, sizeof(array) / sizeof((array)[0]) \
	}

struct result {
	const char *name;
	const char *skipped;
	unsigned samples;
	uint32_t min, median, p99, max; /* ticks */
	uint32_t exits;                 /* of all samples together */
};

/* What was measured, as it is printed. */
struct report {
	struct result *rows;
	unsigned n_rows;
	uint32_t overhead;        /* ticks of the empty measurement, subtracted from all */
	bool counts_instructions; /* the clock does */
	bool counts_exits;        /* the host lets itself be asked */
};
void print_report(const struct report *report);

/* On hardware the fences keep the operation between its two time stamps. */
static inline uint32_t ticks(void)
{
	uint32_t lo;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo) : : "rdx", "memory");
	return lo;
}

#define SAMPLE(name, operation) \
	static uint32_t sample_##name(void) \
	{ \
		uint32_t start = ticks(); \
		operation; \
		return ticks() - start; \
	}

/* --- handlers.asm: the shortest that do the work --- */
void fault_skip2(void); /* with error code: go on 2 bytes further */
void fault_skip3(void); /* without */
void irq_xapic(void);   /* count, EOI */
void irq_x2apic(void);
void irq_synic(void); /* x2APIC; count, take message and event flag of HANDLED_SINT, EOM, EOI */
extern volatile uint32_t irq_seen;

/* --- main.c --- */

/* For setup, where the operation can be done only so often: n samples, and no warm-ups. */
void limit_samples(unsigned n);

void set_gate(uint8_t vector, void (*handler)(void));
void restore_gate(uint8_t vector);

/* Port of the PIIX4's power-management block, wherever it is; 0 = there is none. */
uint16_t pm_base(void);

#endif
