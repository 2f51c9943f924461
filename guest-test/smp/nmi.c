// SPDX-License-Identifier: BSD-2-Clause
// NMIs by IPI: to one, to all others, into HLT and into interrupts off, and one during another.
// Specs: [SDM3] "Nonmaskable Interrupt (NMI)", "Handling Multiple NMIs".
#include "guest-test/smp/smp.h"

static volatile uint32_t stage, release;

static void send_nmi(unsigned cpu)
{
	ipi(ICR_NMI | ICR_ASSERT, cpu);
}

TEST(nmi_one)
{
	cpus_start();
	counts_clear();
	for (uint32_t i = 1; i <= 20; i++) {
		send_nmi(2);
		CHECK(WAIT(got[2][2] == i, 300));
	}
	CHECK_EQ(got[1][2] + got[3][2] + got[0][2], 0);
}

static void halt_until_nmi(uint64_t arg)
{
	(void)arg;
	stage = 1;
	while (!release) {
		__asm__ volatile("cli; hlt");
		stage++;
	}
}

/* HLT with interrupts off ends by an NMI and by nothing else. */
TEST(nmi_wakes_hlt)
{
	cpus_start();
	counts_clear();
	stage = 0;
	release = 0;
	cpu_run(1, halt_until_nmi, 0);
	CHECK(WAIT(stage == 1, 300));
	ipi(ICR_ASSERT | 0x55, 1);
	(void)WAIT(false, 20);
	CHECK_EQ(stage, 1);
	release = 1;
	send_nmi(1);
	CHECK(cpu_done(1));
	CHECK_EQ(stage, 2);
	CHECK_EQ(got[1][2], 1);
	CHECK(WAIT(got[1][0x55] == 1, 300));
}

static void spin_closed(uint64_t arg)
{
	stage = 1;
	while (!release) {
		__asm__ volatile("pause");
	}
	(void)arg;
}

TEST(nmi_with_interrupts_off)
{
	cpus_start();
	counts_clear();
	stage = 0;
	release = 0;
	cpu_run(3, spin_closed, 0);
	CHECK(WAIT(stage == 1, 300));
	send_nmi(3);
	CHECK(WAIT(got[3][2] == 1, 300));
	release = 1;
	CHECK(cpu_done(3));
}

static void hold(struct frame *f)
{
	(void)f;
	stage++;
	while (release < stage) {
		__asm__ volatile("pause");
	}
}

/* While one is handled, one more is latched and the rest are lost. */
TEST(nmi_during_nmi)
{
	cpus_start();
	counts_clear();
	stage = 0;
	release = 0;
	on_vector[2] = hold;
	send_nmi(1);
	CHECK(WAIT(stage == 1, 300));
	for (unsigned i = 0; i < 5; i++) {
		send_nmi(1);
		(void)WAIT(false, 15);
	}
	CHECK_EQ(stage, 1);
	release = 1;
	CHECK(WAIT(stage == 2, 300));
	release = 10;
	(void)WAIT(false, 50);
	CHECK_EQ(stage, 2);
	CHECK_EQ(got[1][2], 2);
	on_vector[2] = NULL;
}

TEST(nmi_others)
{
	cpus_start();
	counts_clear();
	ipi(ICR_NMI | ICR_ASSERT | ICR_OTHERS, 0);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(WAIT(got[cpu][2] == 1, 300));
	}
	CHECK_EQ(got[0][2], 0);
	counts_clear();
	ipi(ICR_NMI | ICR_ASSERT | ICR_LOGICAL, 0x5);
	CHECK(WAIT(got[0][2] == 1 && got[2][2] == 1, 300));
	(void)WAIT(false, 5);
	CHECK_EQ(got[1][2] + got[3][2], 0);
	/* To itself by its id: as good as another's. By shorthand there is none. */
	counts_clear();
	send_nmi(0);
	CHECK(WAIT(got[0][2] == 1, 300));
	ipi(ICR_NMI | ICR_ASSERT | ICR_SELF, 0);
	(void)WAIT(false, 5);
	CHECK_EQ(got[0][2], 1);
}
