// SPDX-License-Identifier: BSD-2-Clause
// Runs every row of the tables and prints a line of CSV for each:
//   BENCH,name,min,median,p99,max     ticks of the time-stamp counter
//   SKIP,name,reason
//   INFO,what,value
// then powers off. Nothing is printed before all is measured: a host that sends the characters on
// would do it during the next rows.
#include "guest-test/latency/bench.h"

#define MAX_ROWS 64
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PIIX4_PM_ID 0x71138086U

void main(void);

extern uint8_t idt[];

struct result {
	const char *name;
	const char *skipped;
	uint32_t min, median, p99, max;
};

static struct result results[MAX_ROWS];
static unsigned n_results;
static uint32_t samples[SAMPLES];
static uint32_t overhead;
static uint64_t saved_gates[256][2];

SAMPLE(nothing, (void)0)

static const struct bench nothing = {"nothing", NULL, sample_nothing, NULL};

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

static void sort_samples(void)
{
	for (unsigned i = 1; i < SAMPLES; i++) {
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

static void measure(const struct bench *bench, struct result *r)
{
	for (unsigned i = 0; i < WARM_UPS; i++) {
		bench->sample();
	}
	for (unsigned i = 0; i < SAMPLES; i++) {
		samples[i] = bench->sample();
	}
	sort_samples();
	r->min = net(samples[0]);
	r->median = net(samples[SAMPLES / 2]);
	/* The smallest that at least 99 % do not exceed. */
	r->p99 = net(samples[(SAMPLES * 99 + 99) / 100 - 1]);
	r->max = net(samples[SAMPLES - 1]);
}

static void run_row(void *arg)
{
	const struct bench *bench = arg;
	struct result *r = &results[n_results];

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

static void put_figure(uint32_t v)
{
	put_char(',');
	put_dec(v);
}

static void print_result(const struct result *r)
{
	put_string(r->skipped ? "SKIP," : "BENCH,");
	put_string(r->name);
	if (r->skipped) {
		put_char(',');
		put_string(r->skipped);
	} else {
		put_figure(r->min);
		put_figure(r->median);
		put_figure(r->p99);
		put_figure(r->max);
	}
	put_string("\n");
}

static void print_info(const char *what, uint64_t value)
{
	put_string("INFO,");
	put_string(what);
	put_char(',');
	put_dec(value);
	put_string("\n");
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
	struct result empty = {0};

	pic_mask_all();
	lapic_enable();
	measure(&nothing, &empty);
	overhead = empty.median;
	run_table(&exits_table);
	run_table(&io_table);
	run_table(&irq_table);
	run_table(&hv_table);
	run_table(&second_table);
	print_info("samples", SAMPLES);
	print_info("overhead", overhead);
	print_info("hypervisor", cpuid(1, 0).c >> 31);
	for (unsigned i = 0; i < n_results; i++) {
		print_result(&results[i]);
	}
	print_info("end", 0);
	bench_power_off();
}
