// SPDX-License-Identifier: BSD-2-Clause
// The local APIC of the executing processor.
// Specs: [SDM3] "Local APIC", "Issuing Interprocessor Interrupts", "APIC Timer",
// "Extended XAPIC (x2APIC)".
//
// The global-enable bit of IA32_APIC_BASE is never cleared: on some machines (Bochs) that is
// for good.
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/acpi.h"
#include "vmm/hw/apic_priv_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/paging.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/log.h"
#include "vmm/x86.h"

/* Register offsets of the xAPIC page; the x2APIC MSR is 0x800 + offset / 16. */
#define APIC_ID 0x020U
#define APIC_TPR 0x080U
#define APIC_EOI 0x0b0U
#define APIC_SVR 0x0f0U
#define APIC_IRR 0x200U
#define APIC_LVT_CMCI 0x2f0U
#define APIC_ICR 0x300U
#define APIC_ICR_HIGH 0x310U
#define APIC_LVT_TIMER 0x320U
#define APIC_LVT_THERMAL 0x330U
#define APIC_LVT_PMC 0x340U
#define APIC_LVT_LINT0 0x350U
#define APIC_LVT_LINT1 0x360U
#define APIC_LVT_ERROR 0x370U
#define APIC_TIMER_COUNT 0x380U
#define APIC_TIMER_NOW 0x390U
#define APIC_TIMER_DIVIDE 0x3e0U

#define SVR_ENABLE BIT(8)
#define LVT_MASKED BIT(16)
#define LVT_TIMER_DEADLINE (2U << 17)
#define ICR_FIXED (0U << 8)
#define ICR_NMI (4U << 8)
#define ICR_INIT (5U << 8)
#define ICR_STARTUP (6U << 8)
#define ICR_PENDING BIT(12)
#define ICR_ASSERT BIT(14)
#define ICR_ALL_BUT_SELF (3U << 18)
#define DIVIDE_BY_1 0xbU

enum apic_mode { APIC_NONE, APIC_XAPIC, APIC_X2APIC };

static enum apic_mode mode;
static uint8_t *page;        /* xAPIC registers */
static bool deadline_timer;  /* TSC-deadline mode works */
static uint64_t count_ratio; /* ticks of the count-down timer for one of the TSC, 32.32 */

static uint32_t reg_read(uint32_t reg)
{
	if (mode == APIC_X2APIC) {
		return (uint32_t)cpu_rdmsr(MSR_X2APIC_BASE + reg / 16);
	}
	return mmio_read32(page + reg);
}

static void reg_write(uint32_t reg, uint32_t v)
{
	if (mode == APIC_X2APIC) {
		cpu_wrmsr(MSR_X2APIC_BASE + reg / 16, v);
	} else {
		mmio_write32(page + reg, v);
	}
}

void apic_init(void)
{
	uint64_t base = cpu_rdmsr(MSR_IA32_APIC_BASE);

	/* Both 8259s, before anything can come from them: all lines masked, for ever. */
	cpu_out8(0x21, 0xff);
	cpu_out8(0xa1, 0xff);
	host_ioapic_init(acpi.ioapic_base);
	if (base & APIC_BASE_EXTD) {
		mode = APIC_X2APIC;
		return;
	}
	page = paging_map_device(hpa(base & GENMASK64(51, 12)), PAGE_SIZE);
	if (!page) {
		die("no address space for the local APIC's registers");
	}
	mode = APIC_XAPIC;
}

void apic_require_x2apic(void)
{
	if (mode == APIC_XAPIC && (cpu_cpuid(1, 0).ecx & BIT(21))) {
		mode = APIC_X2APIC;
		apic_init_cpu();
	}
}

bool apic_is_x2apic(void)
{
	return mode == APIC_X2APIC;
}

/* Bring this CPU to everybody's mode; never back from x2APIC, which would take a disable. */
static void mode_init_cpu(void)
{
	uint64_t base = cpu_rdmsr(MSR_IA32_APIC_BASE), want = base | APIC_BASE_EN;

	if (mode == APIC_X2APIC) {
		/* Disabled to x2APIC in one step is not allowed. */
		if (!(base & APIC_BASE_EN)) {
			cpu_wrmsr(MSR_IA32_APIC_BASE, want);
		}
		want |= APIC_BASE_EXTD;
	} else if (base & APIC_BASE_EXTD) {
		panic("this CPU's APIC is in x2APIC mode, the boot processor's is not");
	}
	if (want != base) {
		cpu_wrmsr(MSR_IA32_APIC_BASE, want);
	}
}

static void timer_init_cpu(void)
{
	reg_write(APIC_LVT_TIMER, HOST_VECTOR_TIMER | (deadline_timer ? LVT_TIMER_DEADLINE : 0));
	if (deadline_timer) {
		/* The first arming must not overtake the mode: [SDM3] "TSC-Deadline Mode". */
		asm volatile("mfence; lfence" ::: "memory");
	}
}

void apic_init_cpu(void)
{
	uint32_t max_lvt;

	mode_init_cpu();
	max_lvt = reg_read(0x030) >> 16 & 0xff;
	reg_write(APIC_SVR, SVR_ENABLE | HOST_VECTOR_SPURIOUS);
	reg_write(APIC_TPR, 0);
	reg_write(APIC_LVT_TIMER, LVT_MASKED | HOST_VECTOR_TIMER);
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, LVT_MASKED);
	if (max_lvt >= 3) {
		reg_write(APIC_LVT_ERROR, LVT_MASKED);
	}
	if (max_lvt >= 4) {
		reg_write(APIC_LVT_PMC, LVT_MASKED);
	}
	if (max_lvt >= 5) {
		reg_write(APIC_LVT_THERMAL, LVT_MASKED);
	}
	if (max_lvt >= 6) {
		reg_write(APIC_LVT_CMCI, LVT_MASKED);
	}
	reg_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	if (count_ratio || deadline_timer) {
		timer_init_cpu();
	}
}

uint32_t apic_id(void)
{
	uint32_t id = reg_read(APIC_ID);

	return mode == APIC_X2APIC ? id : id >> 24;
}

void apic_eoi(void)
{
	reg_write(APIC_EOI, 0);
}

bool apic_irr_test(uint8_t vector)
{
	return reg_read(APIC_IRR + vector / 32U * 16) >> vector % 32 & 1;
}

static void icr_write(uint32_t dest, uint32_t command)
{
	if (mode == APIC_X2APIC) {
		/* This write waits for nothing: what the receiver is to see goes first. */
		asm volatile("mfence; lfence" ::: "memory");
		cpu_wrmsr(MSR_X2APIC_BASE + APIC_ICR / 16, (uint64_t)dest << 32 | command);
		return;
	}
	while (mmio_read32(page + APIC_ICR) & ICR_PENDING) {
		cpu_pause();
	}
	mmio_write32(page + APIC_ICR_HIGH, dest << 24);
	mmio_write32(page + APIC_ICR, command);
}

void apic_send_nmi_others(void)
{
	if (mode != APIC_NONE) {
		icr_write(0, ICR_NMI | ICR_ASSERT | ICR_ALL_BUT_SELF);
	}
}

void apic_send_init(uint32_t dest)
{
	icr_write(dest, ICR_INIT | ICR_ASSERT);
}

void apic_send_sipi(uint32_t dest, uint8_t start_page)
{
	icr_write(dest, ICR_STARTUP | ICR_ASSERT | start_page);
}

void pcpu_kick(uint32_t cpu)
{
	if (cpu != pcpu_this()->index && cpu < MAX_CPUS &&
	        __atomic_load_n(&pcpus[cpu].online, __ATOMIC_ACQUIRE)) {
		icr_write(pcpus[cpu].apic_id, ICR_FIXED | ICR_ASSERT | HOST_VECTOR_KICK);
	}
}

/* Arm it 50 us ahead with interrupts off: does its bit in the IRR come? */
static bool deadline_works(void)
{
	uint64_t hz = clock_tsc_hz(), start = cpu_rdtsc();

	if (!(cpu_cpuid(1, 0).ecx & BIT(24))) {
		return false;
	}
	reg_write(APIC_LVT_TIMER, LVT_TIMER_DEADLINE | HOST_VECTOR_TIMER);
	asm volatile("mfence; lfence" ::: "memory");
	cpu_wrmsr(MSR_IA32_TSC_DEADLINE, start + hz / 20000);
	while (cpu_rdtsc() - start < hz / 100) {
		if (apic_irr_test(HOST_VECTOR_TIMER)) {
			return true;
		}
		cpu_pause();
	}
	return false;
}

/* Count-down ticks of 10 ms. */
static uint32_t measure_ticks(void)
{
	uint32_t left;

	reg_write(APIC_LVT_TIMER, LVT_MASKED | HOST_VECTOR_TIMER);
	reg_write(APIC_TIMER_COUNT, 0xffffffff);
	clock_delay_us(10000);
	left = reg_read(APIC_TIMER_NOW);
	reg_write(APIC_TIMER_COUNT, 0);
	return 0xffffffff - left;
}

void apic_calibrate(void)
{
	deadline_timer = deadline_works();
	if (!deadline_timer) {
		count_ratio = ((uint64_t)measure_ticks() << 32) / (clock_tsc_hz() / 100);
		if (count_ratio == 0) {
			die("the local APIC's timer does not count");
		}
	}
	log_info("APIC: %s, timer: %s", mode == APIC_X2APIC ? "x2APIC" : "xAPIC",
	        deadline_timer ? "TSC deadline" : "one-shot");
	timer_init_cpu();
}

void apic_timer_set(uint64_t deadline_tsc)
{
	struct pcpu *cpu = pcpu_this();
	uint64_t now, ticks;

	/* Without the preemption timer each VM entry asks, mostly for what is set already. */
	if (cpu->timer_tsc == deadline_tsc) {
		return;
	}
	cpu->timer_tsc = deadline_tsc;
	if (deadline_timer) {
		/* 0 turns it off; a time that has passed fires at once. */
		cpu_wrmsr(MSR_IA32_TSC_DEADLINE, deadline_tsc == UINT64_MAX ? 0 : deadline_tsc);
		return;
	}
	if (deadline_tsc == UINT64_MAX) {
		reg_write(APIC_TIMER_COUNT, 0);
		return;
	}
	now = cpu_rdtsc();
	ticks = deadline_tsc > now ? deadline_tsc - now : 0;
	/* What the counter cannot hold fires early; the caller looks at the clock anyway. */
	ticks = (uint64_t)(((unsigned __int128)ticks * count_ratio) >> 32) + 1;
	reg_write(APIC_TIMER_COUNT, ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}
