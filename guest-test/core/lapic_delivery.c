// SPDX-License-Identifier: BSD-2-Clause
// Local APIC: what it delivers, in which order, until its end and to whom, in both its modes.
// Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)", "Extended XAPIC (x2APIC)".
#include "guest-test/core/lapic.h"

static volatile uint8_t order[16];
static volatile unsigned n_order;
static volatile uint32_t isr_seen, ppr_seen;

static void note(struct frame *f)
{
	if (n_order < 16) {
		order[n_order] = (uint8_t)f->vector;
	}
	n_order++;
}

static void handlers(void)
{
	n_order = 0;
	for (unsigned v = 0x40; v < 0xf0; v++) {
		irq_setup((uint8_t)v, EOI_LAPIC, note);
	}
}

static void open_a_little(void)
{
	sti();
	for (unsigned i = 0; i < 20; i++) {
		cpuid(0, 0);
	}
	cli();
}

static void self_ipi(void)
{
	handlers();
	reg_write(ICR, SELF | 0x61);
	CHECK(bit(IRR, 0x61));
	CHECK(!bit(ISR, 0x61));
	CHECK_EQ(n_order, 0);
	open_a_little();
	CHECK_EQ(n_order, 1);
	CHECK(!bit(IRR, 0x61));
	CHECK(!bit(ISR, 0x61));
	/* By destination, and to all. */
	if (x2) {
		wrmsr(0x830, 0x62);
	} else {
		reg_write(ICR_HIGH, 0);
		reg_write(ICR, 0x62);
	}
	open_a_little();
	reg_write(ICR, 0x80063);
	open_a_little();
	CHECK_EQ(n_order, 3);
	CHECK_EQ(order[1], 0x62);
	CHECK_EQ(order[2], 0x63);
	/* All but self: nobody here. */
	reg_write(ICR, 0xc0064);
	open_a_little();
	CHECK_EQ(n_order, 3);
	/* With interrupts on. */
	sti();
	reg_write(ICR, SELF | 0x65);
	__asm__ volatile("nop; nop");
	cli();
	CHECK_EQ(n_order, 4);
	CHECK_EQ(reg_read(ICR) & 0x1000, 0);
}

TEST(lapic_self_ipi)
{
	lapic_enable();
	self_ipi();
}

static void order_test(void)
{
	static const uint8_t want[] = {0xe5, 0x93, 0x92, 0x48};

	handlers();
	reg_write(ICR, SELF | 0x48);
	reg_write(ICR, SELF | 0x92);
	reg_write(ICR, SELF | 0xe5);
	reg_write(ICR, SELF | 0x93);
	reg_write(ICR, SELF | 0x92); /* merges with the first */
	open_a_little();
	CHECK_EQ(n_order, 4);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(order[i], want[i]);
	}
}

TEST(lapic_order)
{
	lapic_enable();
	order_test();
}

/* TPR holds back its class and those below; PPR shows it. */
static void tpr_test(void)
{
	handlers();
	reg_write(TPR, 0x60);
	reg_write(ICR, SELF | 0x65);
	reg_write(ICR, SELF | 0x58);
	open_a_little();
	CHECK_EQ(n_order, 0);
	CHECK_EQ(reg_read(PPR), 0x60);
	reg_write(ICR, SELF | 0x70);
	open_a_little();
	CHECK_EQ(n_order, 1);
	CHECK_EQ(order[0], 0x70);
	/* Lowered by CR8 with interrupts on: at once. */
	sti();
	write_cr8(5);
	__asm__ volatile("nop; nop");
	cli();
	CHECK_EQ(n_order, 2);
	CHECK_EQ(order[1], 0x65);
	reg_write(TPR, 0x4f);
	open_a_little();
	CHECK_EQ(n_order, 3);
	CHECK_EQ(order[2], 0x58);
	reg_write(TPR, 0xf0);
	reg_write(ICR, SELF | 0xe8);
	open_a_little();
	CHECK_EQ(n_order, 3);
	reg_write(TPR, 0);
	open_a_little();
	CHECK_EQ(n_order, 4);
}

TEST(lapic_priority)
{
	lapic_enable();
	tpr_test();
}

/* A second interrupt inside a handler: only a higher class gets in before the end. */
static void nest(struct frame *f)
{
	note(f);
	if (f->vector != 0x75) {
		return;
	}
	isr_seen = bit(ISR, 0x75);
	ppr_seen = reg_read(PPR);
	reg_write(ICR, SELF | 0x76); /* same class: waits */
	reg_write(ICR, SELF | 0x65);
	reg_write(ICR, SELF | 0x85); /* higher */
	open_a_little();
	isr_seen |= (uint32_t)bit(ISR, 0x75) << 1 | (uint32_t)bit(IRR, 0x76) << 2;
	note(f);
}

static void nest_test(void)
{
	static const uint8_t want[] = {0x75, 0x85, 0x75, 0x76, 0x65};

	handlers();
	irq_setup(0x75, EOI_LAPIC, nest);
	reg_write(ICR, SELF | 0x75);
	open_a_little();
	CHECK_EQ(isr_seen, 7);
	CHECK_EQ(ppr_seen, 0x70);
	CHECK_EQ(n_order, 5);
	for (unsigned i = 0; i < 5; i++) {
		CHECK_EQ(order[i], want[i]);
	}
	CHECK_EQ(reg_read(PPR), 0);
	CHECK(!bit(ISR, 0x75));
}

TEST(lapic_nesting)
{
	lapic_enable();
	nest_test();
}

/* An EOI ends the highest in service, whoever writes it. */
static void no_end(struct frame *f)
{
	note(f);
	if (f->vector == 0x55) {
		reg_write(ICR, SELF | 0x95);
		open_a_little();
	}
}

static void eoi_test(void)
{
	handlers();
	irq_setup(0x55, EOI_NONE, no_end);
	irq_setup(0x95, EOI_NONE, no_end);
	reg_write(ICR, SELF | 0x55);
	open_a_little();
	CHECK_EQ(n_order, 2);
	CHECK(bit(ISR, 0x55) && bit(ISR, 0x95));
	CHECK_EQ(reg_read(PPR), 0x90);
	reg_write(EOI, 0);
	CHECK(bit(ISR, 0x55) && !bit(ISR, 0x95));
	CHECK_EQ(reg_read(PPR), 0x50);
	reg_write(EOI, 0);
	CHECK(!bit(ISR, 0x55));
	reg_write(EOI, 0); /* one too many does nothing */
	CHECK_EQ(reg_read(PPR), 0);
}

TEST(lapic_eoi)
{
	lapic_enable();
	eoi_test();
}

/* Errors collect until ESR is written; the LVT error interrupt says so. */
static void error_test(void)
{
	handlers();
	reg_write(ESR, 0);
	reg_write(ESR, 0);
	CHECK_EQ(reg_read(ESR), 0);
	reg_write(LVT_ERROR, 0x77);
	reg_write(ICR, SELF | 0x05); /* illegal vector */
	open_a_little();
	reg_write(ESR, 0);
	CHECK_EQ(reg_read(ESR) & 0x20, 0x20);
	CHECK_EQ(n_order, 1);
	CHECK_EQ(order[0], 0x77);
	reg_write(ESR, 0);
	CHECK_EQ(reg_read(ESR), 0);
	reg_write(LVT_ERROR, 0x10000);
}

TEST(lapic_errors)
{
	lapic_enable();
	error_test();
	/* A register that is not there. */
	mmio_w32(LAPIC_BASE + ESR, 0);
	(void)mmio_r32(LAPIC_BASE + 0x3f0 - 0x60);
	(void)mmio_r32(LAPIC_BASE + 0x40);
	mmio_w32(LAPIC_BASE + ESR, 0);
	info("ESR after a reserved register", mmio_r32(LAPIC_BASE + ESR), "");
	mmio_w32(LAPIC_BASE + ESR, 0);
	mmio_w32(LAPIC_BASE + ESR, 0);
}

TEST(lapic_x2_delivery)
{
	lapic_enable();
	enter_x2();
	self_ipi();
	order_test();
	tpr_test();
	nest_test();
	eoi_test();
	error_test();
	leave_x2();
}

TEST(lapic_x2_self_ipi_msr)
{
	lapic_enable();
	enter_x2();
	handlers();
	wrmsr(0x83f, 0x69);
	CHECK(bit(IRR, 0x69));
	wrmsr(0x83f, 0xd9);
	open_a_little();
	CHECK_EQ(n_order, 2);
	CHECK_EQ(order[0], 0xd9);
	CHECK_EQ(order[1], 0x69);
	sti();
	wrmsr(0x83f, 0x6a);
	__asm__ volatile("nop; nop");
	cli();
	CHECK_EQ(n_order, 3);
	/* To the id 0, to the logical id 1, to all; to an id that is nobody's. */
	wrmsr(0x830, 0x6b);
	wrmsr(0x830, 1ULL << 32 | 0x86c);
	wrmsr(0x830, 0xffffffffULL << 32 | 0x6d);
	wrmsr(0x830, 7ULL << 32 | 0x6e);
	wrmsr(0x830, 0xffULL << 32 | 0x6f); /* 0xff is no broadcast here */
	open_a_little();
	CHECK_EQ(n_order, 6);
	/* The upper half of ICR is the destination; "self" does without. */
	wrmsr(0x830, 5ULL << 32 | 0x400c4);
	CHECK_EQ(rdmsr(0x830), 5ULL << 32 | 0x400c4);
	open_a_little();
	CHECK_EQ(n_order, 7);
	CHECK_EQ(order[6], 0xc4);
	leave_x2();
}

/* A level interrupt, its EOI by MSR: it comes again until the device lets go. */
static void third_ends(struct frame *f)
{
	note(f);
	if (n_order == 3) {
		outb(0x2f9, 0);
	}
}

TEST(lapic_x2_level)
{
	pic_mask_all();
	lapic_enable();
	enter_x2();
	handlers();
	irq_setup(0x52, EOI_LAPIC, third_ends);
	outb(0x2f9, 0);
	(void)inb(0x2fa);
	outb(0x2fc, 8);
	ioapic_write(0x17, 0);
	ioapic_write(0x16, 0x8000 | 0x52);
	outb(0x2f9, 2);
	CHECK(wait_for(&n_order, 3, 10000));
	CHECK(!wait_for(&n_order, 4, 1000));
	CHECK(bit(TMR, 0x52));
	ioapic_write(0x16, 0x10000);
	outb(0x2fc, 0);
	leave_x2();
}

TEST(lapic_logical_modes)
{
	lapic_enable();
	handlers();
	mmio_w32(LAPIC_BASE + 0xe0, 0xffffffff); /* flat */
	mmio_w32(LAPIC_BASE + 0xd0, 0x02000000);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0x03000000);
	mmio_w32(LAPIC_BASE + ICR, 0x861);
	open_a_little();
	CHECK_EQ(n_order, 1);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0x01000000);
	mmio_w32(LAPIC_BASE + ICR, 0x862);
	open_a_little();
	CHECK_EQ(n_order, 1);
	mmio_w32(LAPIC_BASE + 0xe0, 0x0fffffff); /* cluster */
	mmio_w32(LAPIC_BASE + 0xd0, 0x31000000);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0x33000000);
	mmio_w32(LAPIC_BASE + ICR, 0x863);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0x23000000);
	mmio_w32(LAPIC_BASE + ICR, 0x864);
	open_a_little();
	CHECK_EQ(n_order, 2);
	CHECK_EQ(order[1], 0x63);
	mmio_w32(LAPIC_BASE + 0xe0, 0xffffffff);
	mmio_w32(LAPIC_BASE + 0xd0, 0);
	/* Physical: another id, then everybody. */
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0x05000000);
	mmio_w32(LAPIC_BASE + ICR, 0x65);
	open_a_little();
	CHECK_EQ(n_order, 2);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0xff000000);
	mmio_w32(LAPIC_BASE + ICR, 0x66);
	open_a_little();
	CHECK_EQ(n_order, 3);
	mmio_w32(LAPIC_BASE + ICR_HIGH, 0);
}
