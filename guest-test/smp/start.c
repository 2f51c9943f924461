// SPDX-License-Identifier: BSD-2-Clause
// INIT and SIPI: who starts where, who does not, and what each leaves as it was.
// Specs: [SDM3] "MP Initialization Protocol Algorithm", "Managing State Using the INIT# Pin",
// table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
#include "guest-test/smp/smp.h"

#define PAGE START_PAGE

static volatile uint64_t progress[CPUS];
static volatile uint32_t stage[CPUS];

/* A vCPU counts: does it still? Long enough for its turn to come where all share one CPU. */
static bool runs(unsigned cpu)
{
	uint64_t before = progress[cpu];

	return WAIT(progress[cpu] != before, 200);
}

static bool stands_still(unsigned cpu)
{
	uint64_t before;

	(void)WAIT(false, 30);
	before = progress[cpu];
	(void)WAIT(false, 60);
	return progress[cpu] == before;
}

static void count_open(uint64_t arg)
{
	(void)arg;
	sti();
	for (;;) {
		progress[me()]++;
	}
}

static void count_closed(uint64_t arg)
{
	(void)arg;
	for (unsigned cpu = me();;) {
		progress[cpu]++;
	}
}

static void halt_open(uint64_t arg)
{
	(void)arg;
	for (;;) {
		progress[me()]++;
		__asm__ volatile("sti; hlt");
	}
}

static void halt_closed(uint64_t arg)
{
	(void)arg;
	for (;;) {
		progress[me()]++;
		__asm__ volatile("cli; hlt");
	}
}

static void send_init(unsigned cpu)
{
	ipi(ICR_INIT | ICR_ASSERT, cpu);
}

static void send_sipi(unsigned cpu, uint8_t vector)
{
	ipi(ICR_STARTUP | ICR_ASSERT | vector, cpu);
}

TEST(a_start_all)
{
	cpus_start();
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK_EQ(starts[cpu], 1);
		CHECK_EQ(entry_state[cpu].edx, cpuid(1, 0).a);
		CHECK_EQ(entry_state[cpu].cs, PAGE << 8);
		/* Caches off, and nothing else but ET. */
		CHECK_EQ(entry_state[cpu].cr0, 0x60000010);
		CHECK_EQ(entry_state[cpu].esp, 0);
		CHECK_EQ(entry_state[cpu].cr2, 0);
		CHECK_EQ(entry_state[cpu].cr3, 0);
		CHECK_EQ(entry_state[cpu].cr4, 0);
		CHECK_EQ(entry_state[cpu].efer, 0);
	}
}

static volatile uint32_t ids[CPUS], x2_ids[CPUS], is_boot[CPUS];

static void say_ids(uint64_t arg)
{
	(void)arg;
	ids[me()] = cpuid(1, 0).b >> 24;
	x2_ids[me()] = cpuid(0xb, 0).d;
	is_boot[me()] = (uint32_t)rdmsr(BASE_MSR) >> 8 & 1;
}

TEST(a_start_ids)
{
	cpus_start();
	all_run(say_ids, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(ids[cpu], cpu);
		CHECK_EQ(x2_ids[cpu], cpu);
		CHECK_EQ(is_boot[cpu], cpu == 0);
	}
}

/* A SIPI for one that runs or sleeps is nothing. */
TEST(start_sipi_ignored)
{
	uint32_t before;

	cpus_start();
	before = starts[1];
	send_sipi(1, PAGE);
	send_sipi(1, PAGE + 1);
	(void)WAIT(false, 30);
	cpu_run(1, count_open, 0);
	CHECK(runs(1));
	send_sipi(1, PAGE);
	CHECK(runs(1));
	CHECK(runs(1));
	CHECK_EQ(starts[1], before);
	CHECK(cpu_start(1, PAGE));
	/* The second of the two that the protocol sends comes when the first has worked. */
	send_sipi(1, PAGE);
	(void)WAIT(false, 30);
	CHECK_EQ(starts[1], before + 1);
}

static void init_stops(void (*fn)(uint64_t arg), bool counts)
{
	uint64_t before = progress[2];

	cpu_run(2, fn, 0);
	CHECK(WAIT(progress[2] != before, 200));
	if (counts) {
		CHECK(runs(2));
	}
	send_init(2);
	CHECK(stands_still(2));
	CHECK(cpu_start(2, PAGE));
	/* It is as good as new. */
	cpu_run(2, say_ids, 0);
	CHECK(cpu_done(2));
}

TEST(start_init_running)
{
	cpus_start();
	init_stops(count_open, true);
}

TEST(start_init_running_closed)
{
	cpus_start();
	init_stops(count_closed, true);
}

TEST(start_init_halted)
{
	cpus_start();
	init_stops(halt_open, false);
}

TEST(start_init_halted_closed)
{
	cpus_start();
	init_stops(halt_closed, false);
}

/* In the handler of an NMI: INIT ends what blocks the next one. */
static void never_ends(struct frame *f)
{
	(void)f;
	count_closed(0);
}

TEST(start_init_in_nmi)
{
	uint64_t before;

	cpus_start();
	on_vector[2] = never_ends;
	before = progress[2];
	ipi(ICR_NMI | ICR_ASSERT, 2);
	CHECK(WAIT(progress[2] != before, 200));
	on_vector[2] = NULL;
	CHECK(cpu_start(2, PAGE));
	counts_clear();
	ipi(ICR_NMI | ICR_ASSERT, 2);
	CHECK(WAIT(got[2][2] == 1, 200));
}

TEST(start_init_waiting)
{
	uint32_t before;

	cpus_start();
	before = starts[3];
	send_init(3);
	send_init(3);
	(void)WAIT(false, 30);
	send_init(3);
	/* Nothing but SIPI gets it out of there. */
	ipi(VECTOR_WAKE | ICR_ASSERT, 3);
	(void)WAIT(false, 30);
	CHECK_EQ(starts[3], before);
	CHECK(cpu_start(3, PAGE));
	CHECK_EQ(starts[3], before + 1);
}

/* De-assertion of INIT is for processors of old: it stops nobody. */
TEST(start_init_deassert)
{
	cpus_start();
	cpu_run(1, count_open, 0);
	CHECK(runs(1));
	ipi(ICR_INIT | ICR_LEVEL, 1);
	ipi(ICR_INIT | ICR_LEVEL | ICR_ALL, 0);
	CHECK(runs(1));
	CHECK(runs(1));
	CHECK(cpu_start(1, PAGE));
}

/*
 * SIPI, then INIT, faster than the vCPU comes to run: the last word is INIT. One that spins on
 * the same CPU keeps it busy meanwhile.
 */
TEST(start_sipi_then_init)
{
	uint32_t before;

	cpus_start();
	for (unsigned i = 0; i < 50; i++) {
		before = starts[1];
		send_init(1);
		send_sipi(1, PAGE);
		send_init(1);
		(void)WAIT(false, 5);
		/* It may have run for a while in between; what matters is that it waits now. */
		CHECK(starts[1] <= before + 1);
		before = starts[1];
		send_sipi(1, PAGE);
		CHECK(WAIT(starts[1] == before + 1, 200));
	}
	CHECK(cpu_start(1, PAGE));
}

TEST(start_vectors)
{
	static const uint8_t pages[] = {0x0c, 0x21, 0x3f, 0x80, 0x9e, 0xc0, 0xdf};

	cpus_start();
	for (unsigned i = 0; i < sizeof(pages); i++) {
		start_code(pages[i]);
		CHECK(cpu_start(1, pages[i]));
		CHECK_EQ(entry_state[1].cs, (uint32_t)pages[i] << 8);
	}
	CHECK(cpu_start(1, PAGE));
}

/* All others at once, by shorthand. */
TEST(start_shorthand)
{
	uint32_t before[CPUS];

	cpus_start();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		before[cpu] = starts[cpu];
	}
	ipi(ICR_INIT | ICR_ASSERT | ICR_OTHERS, 0);
	ipi(ICR_STARTUP | ICR_ASSERT | ICR_OTHERS | PAGE, 0);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(WAIT(starts[cpu] == before[cpu] + 1, 200));
	}
	CHECK_EQ(starts[0], before[0]);
	(void)WAIT(false, 30);
	others_run(say_ids, 0);
}

#define MSR_PAT 0x277
#define MSR_SYSENTER_CS 0x174
#define MSR_STAR 0xc0000081
#define MSR_KERNEL_GS 0xc0000102
#define MSR_TSC_ADJUST 0x3b
#define MSR_MTRR_DEF 0x2ff
#define PAT_OTHER 0x0007010600070106ULL

static volatile uint64_t kept[8];
static volatile uint64_t registers[4];

static void set_state(uint64_t arg)
{
	(void)arg;
	wrmsr(MSR_PAT, PAT_OTHER);
	wrmsr(MSR_SYSENTER_CS, 0x1234);
	wrmsr(MSR_STAR, 0x5678ULL << 32);
	wrmsr(MSR_KERNEL_GS, 0x1000);
	wrmsr(MSR_MTRR_DEF, 0xc06);
	write_dr0(0x1111);
	write_dr3(0x3333);
	write_dr6(0xffff0fff);
	write_dr7(0x700);
	write_cr2(0x2222);
	/* Interrupts that wait, one in service, a timer that runs, a TPR. */
	apic_write(APIC_TPR, 0xf0);
	ipi(0x51 | ICR_SELF | ICR_ASSERT, 0);
	apic_write(APIC_LVT_TIMER, 0x20052); /* periodic */
	apic_write(APIC_INITIAL, 1000000);
	stage[3] = 1;
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

static void get_state(uint64_t arg)
{
	(void)arg;
	kept[0] = rdmsr(MSR_PAT);
	kept[1] = rdmsr(MSR_SYSENTER_CS);
	kept[2] = rdmsr(MSR_STAR);
	kept[3] = rdmsr(MSR_KERNEL_GS);
	kept[4] = rdmsr(MSR_TSC_ADJUST);
	kept[5] = rdmsr(MSR_MTRR_DEF);
	kept[6] = rdmsr(BASE_MSR);
	registers[0] = read_dr0();
	registers[1] = read_dr3();
	registers[2] = read_dr6();
	registers[3] = read_dr7();
	sti();
	delay_us(2000);
	cli();
	wrmsr(MSR_PAT, 0x0007040600070406ULL);
	wrmsr(MSR_SYSENTER_CS, 0);
	wrmsr(MSR_STAR, 0);
	wrmsr(MSR_KERNEL_GS, 0);
}

/* [SDM3] the table: INIT resets general, control, debug registers and the APIC; MSRs stay. */
TEST(start_state)
{
	cpus_start();
	counts_clear();
	stage[3] = 0;
	cpu_run(3, set_state, 0);
	CHECK(WAIT(stage[3] == 1, 200));
	CHECK(cpu_start(3, PAGE));
	CHECK_EQ(entry_state[3].cr0, 0x10); /* the caches stay on */
	CHECK_EQ(entry_state[3].cr2, 0);
	CHECK_EQ(entry_state[3].cr3, 0);
	CHECK_EQ(entry_state[3].cr4, 0);
	CHECK_EQ(entry_state[3].efer, 0);
	cpu_run(3, get_state, 0);
	CHECK(cpu_done(3));
	CHECK_EQ(kept[0], PAT_OTHER);
	CHECK_EQ(kept[1], 0x1234);
	CHECK_EQ(kept[2], 0x5678ULL << 32);
	CHECK_EQ(kept[3], 0x1000);
	CHECK_EQ(kept[4], 0);
	CHECK_EQ(kept[5], 0xc06);
	CHECK_EQ(kept[6], LAPIC_BASE | BASE_EN);
	CHECK_EQ(registers[0], 0);
	CHECK_EQ(registers[1], 0);
	CHECK_EQ(registers[2], 0xffff0ff0);
	CHECK_EQ(registers[3], 0x400);
	CHECK_EQ(got[3][0x51], 0);
	CHECK_EQ(got[3][0x52], 0);
}

static volatile uint32_t apic_after[8];

static void to_x2_and_halt(uint64_t arg)
{
	(void)arg;
	apic_to_x2();
	stage[2] = 1;
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

static void say_apic(uint64_t arg)
{
	(void)arg;
	apic_after[0] = apic_x2();
	apic_after[1] = apic_read(APIC_ID);
	apic_after[2] = apic_read(APIC_LDR);
	apic_to_xapic();
}

/* INIT keeps the APIC in x2APIC mode, and its ids. */
TEST(start_x2apic)
{
	cpus_start();
	stage[2] = 0;
	cpu_run(2, to_x2_and_halt, 0);
	CHECK(WAIT(stage[2] == 1, 200));
	CHECK(cpu_start(2, PAGE));
	cpu_run(2, say_apic, 0);
	CHECK(cpu_done(2));
	CHECK_EQ(apic_after[0], 1);
	CHECK_EQ(apic_after[1], 2);
	CHECK_EQ(apic_after[2], 4);
}

void init_wait(void (*fn)(void));

static void start_boot_cpu(uint64_t arg)
{
	(void)arg;
	delay_us(1000);
	send_init(0);
	delay_us(20000);
	stage[0] = starts[0];
	send_sipi(0, PAGE);
}

static void ask_for_init(void)
{
	cpu_run(1, start_boot_cpu, 0);
}

/* docs/hardware.md: the boot vCPU waits for a SIPI like the others. */
TEST(start_boot_cpu)
{
	uint32_t before = starts[0];

	cpus_start();
	init_wait(ask_for_init);
	apic_setup();
	CHECK_EQ(starts[0], before + 1);
	CHECK_EQ(stage[0], before);
	CHECK_EQ(entry_state[0].cs, PAGE << 8);
	CHECK_EQ(rdmsr(BASE_MSR), LAPIC_BASE | BASE_EN | 1U << 8);
	CHECK(cpu_done(1));
}
