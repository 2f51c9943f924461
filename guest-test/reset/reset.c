// SPDX-License-Identifier: BSD-2-Clause
// Each way to reset the machine, and that after each it is as at power-on. The place in the list
// is kept in CMOS memory, which has a battery.
// Specs: docs/hardware.md "Reset ports", "Chip by chip"; [SDM3] table "IA-32 and Intel 64 Processor
// States Following Power-up, Reset, or INIT".
#include "guest-test/lib/test.h"
#include "hypercall/tlfs.h"

void main(void);

#define CMOS_MAGIC 0x50
#define CMOS_STAGE 0x51
#define MAGIC 0xc5

extern uint8_t image_end[];
extern uint32_t entry_cr0, entry_cr4, entry_efer;

static volatile uint32_t in_data = 0x12345678;
static volatile uint32_t in_bss;
static volatile unsigned unwanted;

static void unexpected(struct frame *f)
{
	(void)f;
	unwanted++;
}

/* --- what must be so, each a test of its own that runs after every reset --- */

TEST(clean_memory)
{
	uint64_t end = ram_size(), sum = 0;

	CHECK_EQ(in_data, 0x12345678);
	CHECK_EQ(in_bss, 0);
	for (uint64_t at = ((uint64_t)image_end + 0xfffff) & ~0xfffffULL; at < end; at += 64) {
		sum |= *(volatile uint64_t *)at;
	}
	CHECK_EQ(sum, 0);
	for (uint64_t at = 0x20000; at < 0x9f000; at += 64) {
		sum |= *(volatile uint64_t *)at;
	}
	CHECK_EQ(sum, 0);
}

TEST(clean_processor)
{
	static uint8_t state[512] __attribute__((aligned(16)));

	CHECK_EQ(entry_cr0 & 0x80000001, 1);
	CHECK_EQ(entry_cr4, 0);
	CHECK_EQ(entry_efer, 0);
	CHECK_EQ(read_cr2(), 0);
	CHECK_EQ(read_dr0() | read_dr1() | read_dr2() | read_dr3(), 0);
	CHECK_EQ(read_dr6(), 0xffff0ff0);
	CHECK_EQ(read_dr7(), 0x400);
	CHECK_EQ(rdmsr(0x1b), 0xfee00900);
	CHECK_EQ(rdmsr(0x3b), 0);
	CHECK_EQ(rdmsr(0x174) | rdmsr(0x175) | rdmsr(0x176), 0);
	CHECK_EQ(rdmsr(0x277), 0x0007040600070406ULL);
	CHECK_EQ(rdmsr(0x1d9), 0);
	CHECK_EQ(rdmsr(0xc0000081) | rdmsr(0xc0000082) | rdmsr(0xc0000084), 0);
	CHECK_EQ(rdmsr(0xc0000100) | rdmsr(0xc0000101) | rdmsr(0xc0000102), 0);
	CHECK_EQ(rdmsr(0x6e0), 0);
	CHECK_EQ(rdmsr(0x204), 0);
	if (cpuid(1, 0).c & 1U << 26) {
		write_cr4(read_cr4() | 1U << 18);
		CHECK_EQ(xgetbv(0), 1);
		write_cr4(read_cr4() & ~(1ULL << 18));
	}
	__asm__ volatile("fxsave64 (%0)" : : "r"(state) : "memory");
	CHECK_EQ(*(uint16_t *)state, 0x37f); /* after FNINIT, as firmware leaves it */
	CHECK_EQ(*(uint32_t *)(state + 24), 0x1f80);
	for (unsigned i = 160; i < 416; i += 8) {
		CHECK_EQ(*(uint64_t *)(state + i), 0); /* XMM */
	}
}

TEST(clean_local_apic)
{
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x20), 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x80), 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0xd0), 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0xe0), 0xffffffff);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0xf0), 0xff);
	for (uint32_t reg = 0x100; reg < 0x280; reg += 16) {
		CHECK_EQ(mmio_r32(LAPIC_BASE + reg), 0);
	}
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x320), 0x10000);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x350), 0x700); /* as firmware leaves it */
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x360) & 0x10000, 0x10000);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x380), 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x390), 0);
	CHECK_EQ(mmio_r32(LAPIC_BASE + 0x3e0), 0);
}

TEST(clean_interrupt_chips)
{
	for (unsigned pin = 0; pin < 24; pin++) {
		CHECK_EQ(ioapic_read(0x10 + 2 * pin), 0x10000);
		CHECK_EQ(ioapic_read(0x11 + 2 * pin), 0);
	}
	CHECK_EQ(ioapic_read(0), 0);
	CHECK_EQ(inb(0x21), 0);
	CHECK_EQ(inb(0xa1), 0);
	CHECK_EQ(inw(0x4d0), 0);
}

TEST(clean_devices)
{
	/* 8254: no count written since (null count), mode 0. */
	outb(0x43, 0xe2);
	CHECK_EQ(inb(0x40) & 0x4e, 0x40);
	CHECK_EQ(inb(0x61) & 0xf, 0);
	CHECK_EQ(inb(0x92), 2);
	CHECK_EQ(inb(0xcf9), 0);
	CHECK_EQ(inl(0xcf8), 0);
	/* 16550 */
	CHECK_EQ(inb(0x2f9), 0);
	CHECK_EQ(inb(0x2fa), 1);
	CHECK_EQ(inb(0x2fb), 0);
	CHECK_EQ(inb(0x2fc), 0);
	CHECK_EQ(inb(0x2fd), 0x60);
	CHECK_EQ(inb(0x2ff), 0);
	/* clock: no interrupt enabled, none pending */
	CHECK_EQ(cmos_read(0x0b), 0x02);
	CHECK_EQ(cmos_read(0x0c) & 0x80, 0);
	CHECK_EQ(cmos_read(0x0a) & 0x7f, 0x26);
	/* ACPI block: at its place, quiet */
	CHECK_EQ(inw(PM_BASE + 2), 0);
	CHECK_EQ(inw(PM_BASE + 4), 0);
	CHECK_EQ(inw(PM_BASE), 0);
	CHECK_EQ(inw(PM_BASE + 0xe), 0);
	outl(0xcf8, 0x80003b40);
	CHECK_EQ(inl(0xcfc), PM_BASE | 1);
	/* PCI: storage of the bridges */
	outl(0xcf8, 0x80003860);
	CHECK_EQ(inl(0xcfc), 0x80808080);
	outl(0xcf8, 0);
	/* 8042 */
	CHECK_EQ(inb(0x64) & 3, 0);
	outb(0x64, 0x20);
	CHECK_EQ(inb(0x60), 0x65);
}

TEST(clean_synthetic_msrs)
{
	CHECK_EQ(rdmsr(HV_MSR_GUEST_OS_ID), 0);
	CHECK_EQ(rdmsr(HV_MSR_HYPERCALL), 0);
	CHECK_EQ(rdmsr(HV_MSR_REFERENCE_TSC), 0);
	CHECK_EQ(rdmsr(HV_MSR_VP_ASSIST_PAGE), 0);
	CHECK_EQ(rdmsr(HV_MSR_SCONTROL) | rdmsr(HV_MSR_SIMP) | rdmsr(HV_MSR_SIEFP), 0);
	for (uint32_t msr = HV_MSR_SINT0; msr <= HV_MSR_SINT15; msr++) {
		CHECK_EQ(rdmsr(msr), HV_SINT_RESET);
	}
	for (uint32_t msr = HV_MSR_STIMER0_CONFIG; msr <= HV_MSR_STIMER3_COUNT; msr++) {
		CHECK_EQ(rdmsr(msr), 0);
	}
	CHECK_EQ(rdmsr(HV_MSR_CRASH_P0) | rdmsr(HV_MSR_CRASH_P4), 0);
	CHECK_EQ(rdmsr(HV_MSR_INVARIANT_TSC), 0);
	/* It counts from the start. */
	CHECK(rdmsr(HV_MSR_TIME_REF_COUNT) < 60 * HV_TICKS_PER_SEC);
}

/* Nothing that was on its way before the reset arrives after it. */
TEST(clean_of_interrupts)
{
	for (unsigned v = 0; v < 256; v++) {
		if (v == 2 || v >= 32) {
			irq_setup((uint8_t)v, EOI_NONE, unexpected);
		}
	}
	lapic_enable();
	unwanted = 0;
	sti();
	delay_us(5000);
	cli();
	CHECK_EQ(unwanted, 0);
}

/* --- making a mess --- */

static void mess(unsigned stage)
{
	static uint8_t state[512] __attribute__((aligned(16)));
	uint64_t end = ram_size();

	in_data = 0;
	in_bss = 1;
	for (uint64_t at = ((uint64_t)image_end + 0xfffff) & ~0xfffffULL; at < end; at += 4096) {
		*(volatile uint64_t *)(at + (at >> 12) % 64 * 64) = ~at;
	}
	for (uint64_t at = 0x20000; at < 0x9f000; at += 64) {
		*(volatile uint64_t *)at = at;
	}
	write_cr2(0x1234);
	write_dr0(0x1111);
	write_dr3(0x3333);
	write_dr6(0xffff0ff5);
	write_dr7(0x600);
	wrmsr(0x174, 0x10);
	wrmsr(0x175, 0x1000);
	wrmsr(0x277, 0x0106040600070406ULL);
	wrmsr(0x204, 0xd0000000);
	wrmsr(0xc0000081, 8ULL << 32);
	wrmsr(0xc0000082, 0x1000);
	wrmsr(0xc0000084, 0x700);
	wrmsr(0xc0000102, 0x2000);
	wrmsr(0x3b, 0x1000000);
	memset(state, 0x11, sizeof(state));
	*(uint16_t *)state = 0x27f;
	*(uint32_t *)(state + 24) = 0x1fa0;
	__asm__ volatile("fxrstor64 (%0)" : : "r"(state));
	if (cpuid(1, 0).c & 1U << 26) {
		write_cr4(read_cr4() | 1U << 18);
		xsetbv(0, 3);
	}
	/* Synthetic MSRs, a locked page among them, and a timer that ticks on. */
	wrmsr(HV_MSR_GUEST_OS_ID, 0x81ULL << 56);
	wrmsr(HV_MSR_HYPERCALL, 0x300000 | HV_HYPERCALL_MSR_LOCKED | 1);
	wrmsr(HV_MSR_REFERENCE_TSC, 0x301000 | 1);
	wrmsr(HV_MSR_VP_ASSIST_PAGE, 0x302000 | 1);
	wrmsr(HV_MSR_SIMP, 0x303000 | 1);
	wrmsr(HV_MSR_SIEFP, 0x304000 | 1);
	wrmsr(HV_MSR_SINT0 + 2, HV_SINT_AUTO_EOI | 0x66);
	wrmsr(HV_MSR_SCONTROL, 1);
	wrmsr(HV_MSR_STIMER0_CONFIG, 0x67ULL << HV_STIMER_VECTOR_SHIFT | HV_STIMER_DIRECT |
	                                     HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE);
	wrmsr(HV_MSR_STIMER0_CONFIG + 1, HV_TICKS_PER_SEC / 1000);
	wrmsr(HV_MSR_CRASH_P0, 1);
	wrmsr(HV_MSR_CRASH_P4, 2);
	wrmsr(HV_MSR_INVARIANT_TSC, 1);
	/* Interrupts that are pending, armed, in service. */
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0x5a);
	outb(0xa1, 0xa5);
	outb(0x4d0, 0x20);
	outb(0x43, 0x34);
	outb(0x40, 0x00);
	outb(0x40, 0x10);
	outb(0x61, 3);
	ioapic_write(0x15, 0);
	ioapic_write(0x14, 0x60);
	ioapic_write(0x22, 0x8000 | 0x61);
	outb(0x2fb, 0x1b);
	outb(0x2ff, 0x77);
	outb(0x2fc, 8);
	outb(0x2f9, 2);
	cmos_write(0x0b, 0x72);
	outw(PM_BASE + 2, 0x101);
	outb(0xb2, 0xf1);
	outw(PM_BASE + 0xe, 0x101);
	outl(0xcf8, 0x80003860);
	outl(0xcfc, 0x0a0b0c0d);
	outb(0x64, 0x60);
	outb(0x60, 0x24);
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0xd0, 0x08000000);
	mmio_w32(LAPIC_BASE + 0x3e0, 0xb);
	mmio_w32(LAPIC_BASE + 0x320, 0x20062);
	mmio_w32(LAPIC_BASE + 0x380, (uint32_t)(tsc_hz() / 1000));
	mmio_w32(LAPIC_BASE + 0x300, 0x40063);
	mmio_w32(LAPIC_BASE + 0x80, 0x20);
	if (stage & 1) {
		wrmsr(0x1b, rdmsr(0x1b) | 1U << 10);
		wrmsr(0x832, 0x40064);
		wrmsr(0x6e0, rdtsc() + tsc_hz() / 500);
	}
	if (stage & 2) {
		/* The ACPI block elsewhere. */
		outl(0xcf8, 0x80003b40);
		outl(0xcfc, 0x501);
	}
}

/* --- the ways --- */

static void by_acpi_register(void)
{
	outb(0xcf9, 6); /* the FADT's reset register and value */
}

static void by_cf9_soft(void)
{
	outb(0xcf9, 0);
	outb(0xcf9, 4);
}

static void by_keyboard_pulse(void)
{
	outb(0x64, 0xfe);
}

static void by_keyboard_output_port(void)
{
	outb(0x64, 0xd1);
	outb(0x60, 0x02);
}

static void by_port_92(void)
{
	outb(0x92, inb(0x92) | 1);
}

static void by_hyperv_msr(void)
{
	wrmsr(HV_MSR_RESET, 1);
}

static void by_triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(none));
}

static void by_triple_fault_without_stack(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; xor %%esp, %%esp; dec %%rsp; sti; 1: push %%rax; jmp 1b"
	                 :
	                 : "m"(none));
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
        {"acpi_register", by_acpi_register},
        {"cf9_soft", by_cf9_soft},
        {"keyboard_pulse", by_keyboard_pulse},
        {"keyboard_output_port", by_keyboard_output_port},
        {"port_92", by_port_92},
        {"hyperv_msr", by_hyperv_msr},
        {"triple_fault", by_triple_fault},
        {"triple_fault_without_stack", by_triple_fault_without_stack},
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

void main(void)
{
	unsigned stage = cmos_read(CMOS_MAGIC) == MAGIC ? cmos_read(CMOS_STAGE) : 0;

	put_string("after ");
	put_string(stage == 0 ? "power-on" : ways[stage - 1].name);
	put_string("\n");
	run_tests();
	if (stage != 0) {
		put_string("PASS reset_by_");
		put_string(ways[stage - 1].name);
		put_string("\n");
	}
	if (stage >= N_WAYS) {
		cmos_write(CMOS_MAGIC, 0);
		power_off();
	}
	cmos_write(CMOS_MAGIC, MAGIC);
	cmos_write(CMOS_STAGE, (uint8_t)(stage + 1));
	mess(stage);
	ways[stage].fn();
	delay_us(100000);
	put_string("FAIL reset_by_");
	put_string(ways[stage].name);
	put_string(" " __FILE__ ":0 the machine runs on\n");
	cmos_write(CMOS_MAGIC, 0);
	/* The ACPI block may have moved. */
	outl(0xcf8, 0x80003b40);
	outl(0xcfc, PM_BASE | 1);
	power_off();
}
