// SPDX-License-Identifier: BSD-2-Clause
// Runs every row of the tables, then prints what was measured (print.c) and powers off. Nothing is
// printed before all is measured: a host that sends the characters on would do it during the next
// rows.
#include "guest-test/latency/bench.h"

#define MAX_ROWS 96
#define LOOPS 10000U /* of two instructions each */
#define PORT_MARK 0x80
#define PORT_EXITS 0xf4 /* docs/hardware.md, "Test devices" */
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PIIX4_PM_ID 0x71138086U

void main(void);

extern uint8_t idt[];

static struct result results[MAX_ROWS];
static unsigned n_results;
static bool counts_exits;
static unsigned sample_limit; /* 0 = none */
static uint32_t samples[SAMPLES];
static uint32_t overhead, overhead_exits;
static uint64_t saved_gates[256][2];

SAMPLE(nothing, (void)0)

static const struct bench nothing = {"nothing", NULL, sample_nothing, NULL};

void limit_samples(unsigned n)
{
	sample_limit = n;
}

void set_gate(uint8_t vector, void (*handler)(void))
{
	uint8_t *gate = idt + vector * 16U;
	uint64_t va = (uint64_t)handler;

	if (!saved_gates[vector][0]) {
		memcpy(saved_gates[vector], gate, 16);
	}
	/* The image lies below 4 GiB. */
	memcpy(gate, &va, 2);
	va >>= 16;
	memcpy(gate + 6, &va, 2);
}

void restore_gate(uint8_t vector)
{
	memcpy(idt + vector * 16U, saved_gates[vector], 16);
}

static uint32_t pci_read(uint32_t device, uint32_t function, uint32_t reg)
{
	outl(PCI_ADDRESS, 0x80000000U | device << 11 | function << 8 | reg);
	return inl(PCI_DATA);
}

/* Candela's is at 00:07.3, QEMU's at 00:01.3. */
uint16_t pm_base(void)
{
	for (uint32_t device = 0; device < 32; device++) {
		if (pci_read(device, 3, 0) == PIIX4_PM_ID) {
			return pci_read(device, 3, 0x40) & 0xffc0;
		}
	}
	return 0;
}

static void sort_samples(unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint32_t v = samples[i];
		unsigned j = i;

		for (; j > 0 && samples[j - 1] > v; j--) {
			samples[j] = samples[j - 1];
		}
		samples[j] = v;
	}
}

static uint32_t net(uint32_t v)
{
	return v > overhead ? v - overhead : 0;
}

/*
 * Two ways to learn of the exits of a row: Candela's test device counts them; whoever watches
 * another hypervisor from outside sees the row's number, from 1 on, written before its samples and
 * 0 behind them. Both are there for the empty measurement too.
 */
static uint32_t mark(unsigned row)
{
	outl(PORT_MARK, row);
	return inl(PORT_EXITS);
}

static void measure(const struct bench *bench, struct result *r)
{
	uint32_t exits;

	r->samples = sample_limit ? sample_limit : SAMPLES;
	for (unsigned i = 0; i < WARM_UPS && !sample_limit; i++) {
		bench->sample();
	}
	exits = mark(n_results + 1);
	for (unsigned i = 0; i < r->samples; i++) {
		samples[i] = bench->sample();
	}
	exits = mark(0) - exits;
	r->exits = exits > overhead_exits ? exits - overhead_exits : 0;
	sort_samples(r->samples);
	r->min = net(samples[0]);
	r->median = net(samples[r->samples / 2]);
	/* The smallest that at least 99 % do not exceed. */
	r->p99 = net(samples[(r->samples * 99 + 99) / 100 - 1]);
	r->max = net(samples[r->samples - 1]);
}

/* The empty measurement, which all others contain. */
static void measure_overhead(void)
{
	uint32_t exits = inl(PORT_EXITS);

	/* Ones: nobody is there. 0: QEMU's debug exit, which counts nothing. */
	counts_exits = exits != 0 && exits != UINT32_MAX;
	results[0].name = nothing.name;
	measure(&nothing, &results[0]);
	overhead = results[0].median;
	overhead_exits = results[0].exits;
	n_results = 1;
}

/* In Bochs a tick is an instruction. On a processor a loop takes fewer ticks or more. */
static bool clock_counts_instructions(void)
{
	uint32_t loops = LOOPS, start = ticks(), spent;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(loops) : : "cc");
	spent = net(ticks() - start);
	return spent > 2 * LOOPS - LOOPS / 10 && spent < 2 * LOOPS + LOOPS / 10;
}

static void run_row(void *arg)
{
	const struct bench *bench = arg;
	struct result *r = &results[n_results];

	sample_limit = 0;
	r->skipped = bench->setup ? bench->setup() : NULL;
	if (r->skipped) {
		return;
	}
	r->skipped = "it faulted";
	measure(bench, r);
	r->skipped = NULL;
	if (bench->teardown) {
		bench->teardown();
	}
}

static void run_table(const struct bench_table *table)
{
	for (unsigned i = 0; i < table->n && n_results < MAX_ROWS; i++) {
		results[n_results].name = table->rows[i].name;
		results[n_results].skipped = "its setup faulted";
		run_caught(run_row, (void *)&table->rows[i]);
		cli();
		n_results++;
	}
}

static void bench_power_off(void)
{
	uint16_t base = pm_base();

	/* Type 0 is S5 on the PIIX4 of Candela and of QEMU. */
	if (base) {
		outw((uint16_t)(base + 4), 0x2000);
	}
	power_off();
}

void main(void)
{
	struct report report = {0};

	pic_mask_all();
	lapic_enable();
	measure_overhead();
	report.counts_instructions = clock_counts_instructions();
	run_table(&exits_table);
	run_table(&io_table);
	run_table(&memory_table);
	run_table(&irq_table);
	run_table(&hv_table);
	run_table(&second_table);
	report.rows = results + 1;
	report.n_rows = n_results - 1;
	report.overhead = overhead;
	report.counts_exits = counts_exits;
	print_report(&report);
	bench_power_off();
}
