// SPDX-License-Identifier: BSD-2-Clause
// Start the vCPUs, give them functions to run, count what arrives at each.
// Specs: [SDM3] "Typical AP Initialization Sequence", "Issuing Interprocessor Interrupts".
#include "guest-test/smp/smp.h"

void ap_main(unsigned id);

volatile uint32_t got[CPUS][256];
void (*on_vector[256])(struct frame *f);

static struct {
	void (*volatile fn)(uint64_t arg); /* NULL = done */
	uint64_t arg;
	volatile bool x2;    /* mode of its APIC */
	volatile bool ready; /* its APIC is set up */
} cpus[CPUS];

unsigned cpu_count(void)
{
	static unsigned n;

	if (!n) {
		n = cmos_read(0x5f) + 1U;
	}
	return n < CPUS ? n : CPUS;
}

unsigned me(void)
{
	uint64_t sp;

	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	if (sp <= (uint64_t)ap_stacks || sp > (uint64_t)ap_stacks_end) {
		return 0;
	}
	return (unsigned)((sp - 1 - (uint64_t)ap_stacks) / STACK_SIZE);
}

void counts_clear(void)
{
	memset((void *)got, 0, sizeof(got));
}

/* --- the local APIC --- */

bool apic_x2(void)
{
	return cpus[me()].x2;
}

uint32_t apic_read(uint32_t reg)
{
	return apic_x2() ? (uint32_t)rdmsr(0x800 + reg / 16) : mmio_r32(LAPIC_BASE + reg);
}

void apic_write(uint32_t reg, uint32_t v)
{
	if (apic_x2()) {
		wrmsr(0x800 + reg / 16, v);
	} else {
		mmio_w32(LAPIC_BASE + reg, v);
	}
}

void ipi(uint32_t icr, uint32_t dest)
{
	if (apic_x2()) {
		wrmsr(0x830, (uint64_t)dest << 32 | icr);
	} else {
		mmio_w32(LAPIC_BASE + APIC_ICR_HIGH, dest << 24);
		mmio_w32(LAPIC_BASE + APIC_ICR, icr);
	}
}

void apic_setup(void)
{
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, 0x10000);
	if (!apic_x2()) {
		apic_write(APIC_DFR, 0xffffffff);
		apic_write(APIC_LDR, 1U << (24 + me() % 8));
	}
}

void apic_to_x2(void)
{
	wrmsr(BASE_MSR, rdmsr(BASE_MSR) | BASE_EXTD);
	cpus[me()].x2 = true;
	apic_setup();
}

void apic_to_xapic(void)
{
	uint64_t base = rdmsr(BASE_MSR) & ~(BASE_EN | BASE_EXTD);

	wrmsr(BASE_MSR, base);
	wrmsr(BASE_MSR, base | BASE_EN);
	cpus[me()].x2 = false;
	apic_setup();
}

/* --- what arrives --- */

static void complain(const struct frame *f)
{
	check_failed(__FILE__, __LINE__, "no unexpected fault on another vCPU");
	put_string("     vCPU ");
	put_dec(me());
	put_string(" vector ");
	put_dec(f->vector);
	put_string(" error ");
	put_hex(f->error);
	put_string(" rip ");
	put_hex(f->rip);
	put_string(" cr2 ");
	put_hex(read_cr2());
	put_string("\n");
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

static bool take(struct frame *f)
{
	unsigned cpu = me();

	if (f->vector < 32 && f->vector != 2) {
		if (cpu != 0) {
			complain(f);
		}
		return false; /* the boot vCPU's own test */
	}
	got[cpu][f->vector]++;
	if (on_vector[f->vector]) {
		on_vector[f->vector](f);
	}
	if (f->vector != 2) {
		apic_write(APIC_EOI, 0);
	}
	return true;
}

/* --- sleep, start, run --- */

void nap(void)
{
	apic_write(APIC_DIVIDE, 0xb); /* by 1 */
	apic_write(APIC_LVT_TIMER, VECTOR_TICK);
	apic_write(APIC_INITIAL, (uint32_t)(tsc_hz() / 1000));
	sti_hlt();
	apic_write(APIC_INITIAL, 0);
}

void start_code(uint8_t vector)
{
	memcpy((void *)((uint64_t)vector << 12), ap_start, (size_t)(ap_end - ap_start));
}

bool cpu_start(unsigned cpu, uint8_t vector)
{
	uint32_t before = starts[cpu];

	cpus[cpu].fn = NULL;
	cpus[cpu].ready = false;
	ipi(ICR_INIT | ICR_ASSERT, cpu);
	ipi(ICR_STARTUP | ICR_ASSERT | vector, cpu);
	return WAIT(starts[cpu] == before + 1 && cpus[cpu].ready, 200);
}

void cpus_start(void)
{
	static bool started;

	if (started) {
		return;
	}
	started = true;
	trap_first = take;
	CHECK_EQ((uint64_t)ap_stacks_end - (uint64_t)ap_stacks, CPUS * STACK_SIZE);
	(void)tsc_hz(); /* before others ask */
	apic_setup();
	start_code(START_PAGE);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		if (!cpu_start(cpu, START_PAGE)) {
			check_failed(__FILE__, __LINE__, "a vCPU did not start");
		}
	}
}

void ap_main(unsigned id)
{
	cpus[id].x2 = (rdmsr(BASE_MSR) & BASE_EXTD) != 0;
	apic_setup();
	cpus[id].ready = true;
	for (;;) {
		void (*fn)(uint64_t arg) = cpus[id].fn;

		if (fn) {
			fn(cpus[id].arg);
			cli();
			cpus[id].fn = NULL;
		} else {
			sti_hlt();
		}
	}
}

void cpu_run(unsigned cpu, void (*fn)(uint64_t arg), uint64_t arg)
{
	cpus[cpu].arg = arg;
	__atomic_store_n(&cpus[cpu].fn, fn, __ATOMIC_SEQ_CST);
	ipi(VECTOR_WAKE | ICR_ASSERT, cpu);
}

bool cpu_done(unsigned cpu)
{
	return WAIT(!cpus[cpu].fn, 2000);
}

void others_run(void (*fn)(uint64_t arg), uint64_t arg)
{
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		cpu_run(cpu, fn, arg);
	}
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_done(cpu));
	}
}

void all_run(void (*fn)(uint64_t arg), uint64_t arg)
{
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		cpu_run(cpu, fn, arg);
	}
	fn(arg);
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_done(cpu));
	}
}
