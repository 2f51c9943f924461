// SPDX-License-Identifier: BSD-2-Clause
// Local APIC: registers, and how it changes between its modes.
// Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", "Extended XAPIC (x2APIC)".
#include "guest-test/core/lapic.h"

TEST(lapic_registers)
{
	static const struct {
		uint32_t reg, write, read;
	} rows[] = {
	        {0x80, 0xffffffff, 0xff},
	        {0x80, 0, 0},
	        {0xd0, 0xffffffff, 0xff000000},
	        {0xd0, 0, 0},
	        {0xe0, 0x0fffffff, 0x0fffffff},
	        {0xe0, 0xffffffff, 0xffffffff},
	        {0x320, 0x100ff, 0x100ff},
	        {0x320, 0xffffffff, 0x700ff},
	        {0x330, 0xffffffff, 0x107ff},
	        {0x340, 0xffffffff, 0x107ff},
	        {0x350, 0xffffffff, 0x1a7ff},
	        {0x360, 0xffffffff, 0x1a7ff},
	        {0x370, 0xffffffff, 0x100ff},
	        {0x3e0, 0xffffffff, 0xb},
	        {0x310, 0xffffffff, 0xff000000},
	        {0x310, 0, 0},
	};
	uint32_t lint0;

	lapic_enable();
	lint0 = mmio_r32(LAPIC_BASE + 0x350);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mmio_w32(LAPIC_BASE + rows[i].reg, rows[i].write);
		if (mmio_r32(LAPIC_BASE + rows[i].reg) != rows[i].read) {
			put_string("     register ");
			put_hex(rows[i].reg);
			put_string("\n");
		}
		CHECK_EQ(mmio_r32(LAPIC_BASE + rows[i].reg), rows[i].read);
	}
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x30), 0x50014);
	CHECK_EQ(mmio_r32(LAPIC_BASE + ID), 0);
	for (uint32_t lvt = 0x320; lvt <= 0x370; lvt += 16) {
		mmio_w32(LAPIC_BASE + lvt, 0x10000);
	}
	mmio_w32(LAPIC_BASE + 0x350, lint0);
	/* Software-disabled: every LVT is masked and stays so. */
	mmio_w32(LAPIC_BASE + SVR, 0xff);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x350) & 0x10000, 0x10000);
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x350), 0x10700);
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x350, lint0);
}

/* Not an x2APIC yet: its MSRs are not there. */
TEST(lapic_base_rules)
{
	uint64_t base = rdmsr(APIC_BASE);

	CHECK_EQ(base, 0xfee00900);
	CHECK_EQ(rdmsr_fault(0x802), X_GP);
	CHECK_EQ(wrmsr_fault(0x80b, 0), X_GP);
	CHECK_EQ(wrmsr_fault(APIC_BASE, (base & ~EN) | EXTD), X_GP);
	CHECK_EQ(wrmsr_fault(APIC_BASE, base | 1), X_GP);
	CHECK_EQ(wrmsr_fault(APIC_BASE, base | 1ULL << 60), X_GP);
	CHECK_EQ(rdmsr(APIC_BASE), base);
	CHECK(cpuid(1, 0).d & 1U << 9);
	/* Off: the CPUID bit goes, the page is a hole. */
	wrmsr(APIC_BASE, base & ~EN);
	CHECK(!(cpuid(1, 0).d & 1U << 9));
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x30), 0xffffffff);
	CHECK_EQ(wrmsr_fault(APIC_BASE, base | EXTD), X_GP);
	wrmsr(APIC_BASE, base);
	CHECK(cpuid(1, 0).d & 1U << 9);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x30), 0x50014);
	CHECK_EQ(mmio_r32(LAPIC_BASE + SVR), 0xff);
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
	/* x2APIC is left through "off" only. */
	enter_x2();
	CHECK_EQ(wrmsr_fault(APIC_BASE, base), X_GP);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x30), 0xffffffff); /* no page in this mode */
	leave_x2();
	CHECK_EQ(rdmsr(APIC_BASE), base);
}

TEST(lapic_x2_registers)
{
	static const uint32_t no_read[] = {0x80b, 0x80e, 0x831, 0x83f, 0x840, 0x800};
	static const uint32_t no_write[] = {
	        0x802, 0x803, 0x80a, 0x80d, 0x810, 0x820, 0x831, 0x839, 0x8ff};

	lapic_enable();
	mmio_w32(LAPIC_BASE + TPR, 0x30);
	mmio_w32(LAPIC_BASE + LVT_TIMER, 0x10044);
	enter_x2();
	/* What was set stays; id and logical id are of the new kind. */
	CHECK_EQ(rdmsr(0x808), 0x30);
	CHECK_EQ(rdmsr(0x832), 0x10044);
	CHECK_EQ(rdmsr(0x80f), 0x1ff);
	CHECK_EQ(rdmsr(0x802), 0);
	CHECK_EQ(rdmsr(0x80d), 1);
	CHECK_EQ(rdmsr(0x803), 0x50014);
	for (unsigned i = 0; i < sizeof(no_read) / sizeof(no_read[0]); i++) {
		CHECK_EQ(rdmsr_fault(no_read[i]), X_GP);
	}
	for (unsigned i = 0; i < sizeof(no_write) / sizeof(no_write[0]); i++) {
		CHECK_EQ(wrmsr_fault(no_write[i], 0), X_GP);
	}
	/* Reserved bits fault. */
	CHECK_EQ(wrmsr_fault(0x808, 0x100), X_GP);
	CHECK_EQ(wrmsr_fault(0x80b, 1), X_GP);
	CHECK_EQ(wrmsr_fault(0x80f, 1U << 16), X_GP);
	CHECK_EQ(wrmsr_fault(0x828, 1), X_GP);
	CHECK_EQ(wrmsr_fault(0x82f, 1), X_GP); /* CMCI: MCG_CAP does not offer it */
	CHECK_EQ(wrmsr_fault(0x830, 1U << 20), X_GP);
	CHECK_EQ(wrmsr_fault(0x832, 1U << 20), X_GP);
	CHECK_EQ(wrmsr_fault(0x838, 1ULL << 32), X_GP);
	CHECK_EQ(wrmsr_fault(0x83f, 0x100), X_GP);
	leave_x2();
}
