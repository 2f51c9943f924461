// SPDX-License-Identifier: BSD-2-Clause
// Inter-processor interrupts: every destination mode and shorthand, who gets one and who does not.
// Specs: [SDM3] "Determining IPI Destination", "Interrupt Command Register (ICR)", "Extended XAPIC
// (x2APIC)", "Valid Combinations for the xAPIC Local Interrupt Command Register".
#include "guest-test/smp/smp.h"

#define V 0x61
#define FLAT 0xffffffffU
#define CLUSTER 0x0fffffffU

static void take_interrupts(void)
{
	sti();
	__asm__ volatile("nop; nop");
	cli();
}

/* Sent by vCPU 'from'; expected at the vCPUs of the mask. */
struct row {
	uint32_t icr, dest;
	unsigned from;
	uint32_t mask;
};

static void send_row(uint64_t arg)
{
	const struct row *row = (const struct row *)arg;

	ipi(row->icr | ICR_ASSERT | V, row->dest);
	take_interrupts(); /* its own */
}

static uint32_t arrived(void)
{
	uint32_t mask = 0;

	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (got[cpu][V]) {
			mask |= 1U << cpu;
		}
	}
	return mask;
}

static bool none_twice(void)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (got[cpu][V] > 1) {
			return false;
		}
	}
	return true;
}

static void try_row(const char *what, const struct row *row)
{
	bool ok;

	counts_clear();
	if (row->from == 0) {
		send_row((uint64_t)row);
	} else {
		cpu_run(row->from, send_row, (uint64_t)row);
		CHECK(cpu_done(row->from));
	}
	ok = WAIT((arrived() & row->mask) == row->mask, 300);
	/* Whom it must not reach has had time to take it. */
	(void)WAIT(false, 3);
	if (!ok || arrived() != row->mask || !none_twice()) {
		check_failed(__FILE__, __LINE__, what);
		put_string("     icr ");
		put_hex(row->icr);
		put_string(" dest ");
		put_hex(row->dest);
		put_string(" from ");
		put_dec(row->from);
		put_string(": mask ");
		put_hex(arrived());
		put_string(", want ");
		put_hex(row->mask);
		put_string("\n");
	}
}

#define TRY(rows) \
	do { \
		for (unsigned i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) { \
			try_row(#rows, &(rows)[i_]); \
		} \
	} while (0)

static const struct row shorthands[] = {
        {ICR_SELF, 0, 0, 0x1},
        {ICR_SELF, 3, 2, 0x4},
        {ICR_ALL, 0, 0, 0xf},
        {ICR_ALL, 0, 3, 0xf},
        {ICR_OTHERS, 0, 0, 0xe},
        {ICR_OTHERS, 2, 1, 0xd},
        /* Without effect, by the table of valid combinations: lowest priority to self. */
        {ICR_SELF | ICR_LOWEST, 0, 0, 0},
};

static const struct row physical[] = {
        {0, 0, 0, 0x1}, /* itself */
        {0, 1, 0, 0x2},
        {0, 2, 1, 0x4},
        {0, 3, 2, 0x8},
        {0, 0, 3, 0x1},
        {0, 4, 0, 0}, /* nobody */
        {0, 0x80, 0, 0},
        {0, 0xff, 0, 0xf},
        {0, 0xff, 2, 0xf},
};

static const struct row logical_flat[] = {
        {ICR_LOGICAL, 0x1, 0, 0x1},
        {ICR_LOGICAL, 0x2, 0, 0x2},
        {ICR_LOGICAL, 0xa, 0, 0xa},
        {ICR_LOGICAL, 0xe, 1, 0xe},
        {ICR_LOGICAL, 0xf0, 0, 0},
        {ICR_LOGICAL, 0xf4, 3, 0x4},
        {ICR_LOGICAL, 0, 0, 0},
        {ICR_LOGICAL, 0xff, 1, 0xf},
};

TEST(ipi_shorthands)
{
	cpus_start();
	TRY(shorthands);
}

TEST(ipi_physical)
{
	cpus_start();
	TRY(physical);
}

TEST(ipi_logical_flat)
{
	cpus_start();
	TRY(logical_flat);
}

/* Two clusters of two: 0x11, 0x12, 0x21, 0x22. */
static void set_cluster(uint64_t arg)
{
	unsigned cpu = me();

	(void)arg;
	apic_write(APIC_DFR, CLUSTER);
	apic_write(APIC_LDR, ((cpu / 2 + 1) << 4 | 1U << (cpu % 2)) << 24);
}

static void set_flat(uint64_t arg)
{
	(void)arg;
	apic_setup();
}

TEST(ipi_logical_cluster)
{
	static const struct row logical_cluster[] = {
	        {ICR_LOGICAL, 0x11, 0, 0x1},
	        {ICR_LOGICAL, 0x12, 0, 0x2},
	        {ICR_LOGICAL, 0x21, 1, 0x4},
	        {ICR_LOGICAL, 0x22, 0, 0x8},
	        {ICR_LOGICAL, 0x13, 0, 0x3},
	        {ICR_LOGICAL, 0x2f, 3, 0xc},
	        {ICR_LOGICAL, 0x24, 0, 0},
	        {ICR_LOGICAL, 0x31, 0, 0},
	        {ICR_LOGICAL, 0x10, 0, 0},
	        {ICR_LOGICAL, 0xff, 2, 0xf},
	};

	cpus_start();
	all_run(set_cluster, 0);
	TRY(logical_cluster);
	all_run(set_flat, 0);
}

static void to_x2(uint64_t arg)
{
	(void)arg;
	apic_to_x2();
}

static void to_xapic(uint64_t arg)
{
	(void)arg;
	apic_to_xapic();
}

static volatile uint32_t ldr[CPUS];

static void say_ldr(uint64_t arg)
{
	(void)arg;
	ldr[me()] = apic_read(APIC_LDR);
}

TEST(ipi_x2apic)
{
	static const struct row x2_physical[] = {
	        {0, 0, 0, 0x1},
	        {0, 1, 0, 0x2},
	        {0, 2, 3, 0x4},
	        {0, 4, 0, 0},
	        {0, 0xff, 0, 0}, /* an id like others: not the broadcast any more */
	        {0, 0x80000001, 0, 0},
	        {0, 0xffffffff, 0, 0xf},
	        {0, 0xffffffff, 1, 0xf},
	};
	static const struct row x2_logical[] = {
	        {ICR_LOGICAL, 0x1, 0, 0x1},
	        {ICR_LOGICAL, 0x8, 1, 0x8},
	        {ICR_LOGICAL, 0xa, 0, 0xa},
	        {ICR_LOGICAL, 0xffff, 0, 0xf},
	        {ICR_LOGICAL, 0x10001, 0, 0}, /* another cluster */
	        {ICR_LOGICAL, 0xfff0, 0, 0},
	        {ICR_LOGICAL, 0xffffffff, 2, 0xf},
	};

	cpus_start();
	all_run(to_x2, 0);
	all_run(say_ldr, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(ldr[cpu], 1U << cpu);
	}
	TRY(shorthands);
	TRY(x2_physical);
	TRY(x2_logical);
	counts_clear();
	wrmsr(0x83f, V); /* SELF IPI */
	take_interrupts();
	CHECK_EQ(arrived(), 1);
	all_run(to_xapic, 0);
}

/* Some in one mode, some in the other, as while an operating system changes them one by one. */
TEST(ipi_mixed_modes)
{
	static const struct row mixed[] = {
	        {0, 0, 1, 0x1}, {0, 1, 0, 0x2}, {0, 2, 3, 0x4}, {ICR_ALL, 0, 0, 0xf},
	        {ICR_OTHERS, 0, 3, 0x7}, {0, 0xff, 0, 0xf}, /* sent by an xAPIC */
	        {0, 0xffffffffU, 3, 0xf},                   /* and by an x2APIC */
	        {ICR_LOGICAL, 0x3, 0, 0x3},                 /* flat ids of xAPICs */
	};

	cpus_start();
	cpu_run(2, to_x2, 0);
	CHECK(cpu_done(2));
	cpu_run(3, to_x2, 0);
	CHECK(cpu_done(3));
	TRY(mixed);
	cpu_run(2, to_xapic, 0);
	CHECK(cpu_done(2));
	cpu_run(3, to_xapic, 0);
	CHECK(cpu_done(3));
}

static void software_off(uint64_t arg)
{
	(void)arg;
	apic_write(APIC_SVR, 0xff);
}

/* A local APIC that is off in software takes NMI, INIT and SIPI only. */
TEST(ipi_software_disabled)
{
	static const struct row disabled[] = {
	        {0, 1, 0, 0},
	        {0, 0xff, 0, 0xd},
	        {ICR_OTHERS, 0, 0, 0xc},
	};

	cpus_start();
	cpu_run(1, software_off, 0);
	CHECK(cpu_done(1));
	TRY(disabled);
	counts_clear();
	ipi(ICR_NMI | ICR_ASSERT, 1);
	CHECK(WAIT(got[1][2] == 1, 300));
	CHECK(cpu_start(1, START_PAGE));
}

/* An illegal vector: the sender's error register says so. */
TEST(ipi_illegal_vector)
{
	cpus_start();
	counts_clear();
	apic_write(APIC_ESR, 0);
	for (uint32_t vector = 0; vector < 16; vector++) {
		ipi(ICR_ASSERT | vector, 1);
	}
	apic_write(APIC_ESR, 0);
	CHECK_EQ(apic_read(APIC_ESR), 0x20);
	apic_write(APIC_ESR, 0);
	CHECK_EQ(apic_read(APIC_ESR), 0);
	for (unsigned vector = 3; vector < 16; vector++) {
		CHECK_EQ(got[1][vector], 0);
	}
}

#define LOWEST_ROUNDS 40U

static void lowest(uint32_t dest, uint32_t mask)
{
	uint32_t total = 0;

	counts_clear();
	for (uint32_t i = 0; i < LOWEST_ROUNDS; i++) {
		uint32_t before = total;

		ipi(ICR_LOWEST | ICR_LOGICAL | ICR_ASSERT | V, dest);
		CHECK(WAIT((total = got[0][V] + got[1][V] + got[2][V] + got[3][V]) != before, 300));
		CHECK_EQ(total, i + 1);
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		if (mask >> cpu & 1) {
			CHECK(got[cpu][V] > 0);
		} else {
			CHECK_EQ(got[cpu][V], 0);
		}
	}
}

/* Exactly one takes each; all of the destination have their turn; nobody else. */
TEST(ipi_lowest_priority)
{
	cpus_start();
	lowest(0xf, 0xf);
	lowest(0x6, 0x6);
	lowest(0x8, 0x8);
	cpu_run(2, software_off, 0);
	CHECK(cpu_done(2));
	lowest(0xf, 0xb);
	CHECK(cpu_start(2, START_PAGE)); /* nothing else wakes it */
}

/* The highest vector first, whoever sent it: four from vCPU 1 to a vCPU with interrupts off. */
static volatile uint8_t order[8];
static volatile uint32_t order_len;

static void note_order(struct frame *f)
{
	order[order_len++ & 7] = (uint8_t)f->vector;
}

static void send_four(uint64_t arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 4; i++) {
		ipi(ICR_ASSERT | (0x71 + 0x10 * (i * 3 % 4)), 0);
	}
}

TEST(ipi_priority)
{
	cpus_start();
	order_len = 0;
	for (unsigned i = 0; i < 4; i++) {
		on_vector[0x71 + 0x10 * i] = note_order;
	}
	cpu_run(1, send_four, 0);
	delay_us(30000); /* interrupts off; its turn comes on a shared CPU, too */
	CHECK_EQ(order_len, 0);
	take_interrupts();
	CHECK(cpu_done(1));
	CHECK_EQ(order_len, 4);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(order[i], 0xa1 - 0x10 * i);
		on_vector[0x71 + 0x10 * i] = NULL;
	}
}

#define FLOOD 200U

/* Everybody to the next one, one at a time: none is lost, none comes twice. */
static void flood(uint64_t arg)
{
	unsigned from = me(), to = (from + 1) % cpu_count();
	uint32_t vector = 0x90 + from;

	(void)arg;
	for (uint32_t i = 1; i <= FLOOD; i++) {
		ipi(ICR_ASSERT | vector, to);
		if (!WAIT(got[to][vector] == i, 1000)) {
			CHECK(!"an IPI arrived");
			return;
		}
	}
}

TEST(ipi_ring)
{
	cpus_start();
	counts_clear();
	all_run(flood, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(got[(cpu + 1) % cpu_count()][0x90 + cpu], FLOOD);
	}
}

/* A device's interrupt for another vCPU than the boot one: the PIT through the IOAPIC. */
TEST(ipi_ioapic)
{
	static const struct {
		uint32_t mode, dest, mask;
	} rows[] = {
	        {0, 1, 0x2},
	        {0, 3, 0x8},
	        {ICR_LOGICAL, 0x4, 0x4},
	        {ICR_LOGICAL, 0xc, 0xc},
	};

	cpus_start();
	pic_mask_all();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		counts_clear();
		ioapic_write(0x10 + 2 * 2 + 1, rows[i].dest << 24);
		ioapic_write(0x10 + 2 * 2, rows[i].mode | V);
		outb(0x43, 0x30); /* counter 0, both bytes, mode 0: one edge */
		outb(0x40, 0xa9);
		outb(0x40, 0x04); /* 1 ms */
		CHECK(WAIT(arrived() == rows[i].mask, 300));
		CHECK(none_twice());
		ioapic_write(0x10 + 2 * 2, 0x10000);
	}
}
