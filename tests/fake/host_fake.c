// SPDX-License-Identifier: BSD-2-Clause
// The host's own processor, interrupts and power switch, under a test's control.
#include "tests/fake/host_fake.h"
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/panic.h"

struct fake_host fake_host;
jmp_buf fake_end;
enum fake_end_reason fake_end_reason;

static __noreturn void end(enum fake_end_reason reason)
{
	fake_end_reason = reason;
	longjmp(fake_end, 1);
}

struct pcpu *pcpu_this(void)
{
	return &pcpus[0];
}

uint64_t cpu_read_cr0(void)
{
	return fake_host.cr0;
}

uint64_t cpu_read_cr3(void)
{
	return fake_host.cr3;
}

uint64_t cpu_read_cr4(void)
{
	return fake_host.cr4;
}

void cpu_write_cr0(uint64_t v)
{
	fake_host.cr0 = v;
}

void cpu_write_cr4(uint64_t v)
{
	fake_host.cr4 = v;
}

void cpu_xsave(void *area, uint64_t mask)
{
	(void)area;
	fake_host.xsaves++;
	fake_host.last_xmask = mask;
}

void cpu_xrstor(const void *area, uint64_t mask)
{
	(void)area;
	fake_host.xrstors++;
	fake_host.last_xmask = mask;
}

void cpu_fxsave(void *area)
{
	(void)area;
	fake_host.fxsaves++;
}

void cpu_fxrstor(const void *area)
{
	(void)area;
	fake_host.fxrstors++;
}

void cpu_take_interrupts(void)
{
	fake_host.taken++;
}

void cpu_idle(void)
{
	fake_host.idles++;
	if (!fake_host.on_idle) {
		end(FAKE_END_IDLE);
	}
	fake_host.on_idle();
}

void apic_timer_set(uint64_t deadline_tsc)
{
	fake_host.apic_timer_tsc = deadline_tsc;
	fake_host.apic_timer_sets++;
}

void host_interrupt(uint8_t vector)
{
	fake_host.interrupts++;
	fake_host.last_interrupt = vector;
}

void host_nmi(void)
{
	fake_host.nmis++;
}

void panic(const char *fmt, ...)
{
	(void)fmt;
	end(FAKE_END_PANIC);
}

void machine_poweroff(void)
{
	end(FAKE_END_POWEROFF);
}

void machine_reset(void)
{
	end(FAKE_END_RESET);
}
