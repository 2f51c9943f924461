// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is common to all vCPUs: faults, requests, reset.
 * Specs: [SDM3] "Interrupt and Exception Handling", "Managing State Using the INIT# Pin".
 */
#include "vmm/vcpu.h"

#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/timer.h"
#include "vmm/lapic.h"
#include "vmm/lib/string.h"
#include "vmm/msr.h"
#include "vmm/sched.h"
#include "vmm/vcpu_timer.h"
#include "vmm/vm.h"

static enum exit_action queue(
        struct vcpu *vcpu, enum x86_exception vector, bool has_error, uint32_t error)
{
	if (!event_queue_exception(vcpu, (uint8_t)vector, has_error, error)) {
		return ACT_SHUTDOWN;
	}
	return ACT_FAULT;
}

enum exit_action vcpu_fault(struct vcpu *vcpu, enum x86_exception vector, uint32_t error)
{
	/* Real mode pushes no error code ([SDM3] "Real-Address Mode Emulation"). */
	bool has_error = (cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PE) != 0;

	return queue(vcpu, vector, has_error, error);
}

enum exit_action vcpu_fault_noerr(struct vcpu *vcpu, enum x86_exception vector)
{
	return queue(vcpu, vector, false, 0);
}

enum exit_action vcpu_no_hypercall(struct vcpu *vcpu)
{
	return vcpu_fault_noerr(vcpu, X86_UD);
}

enum exit_action vcpu_page_fault(struct vcpu *vcpu, gva_t address, uint32_t error)
{
	/* A loaded vCPU's CR2 is the processor's own. */
	cpu_write_cr2(address.v);
	return queue(vcpu, X86_PF, true, error);
}

enum exit_action vcpu_kill(struct vcpu *vcpu, const char *reason)
{
	vcpu->kill_reason = reason;
	return ACT_KILL;
}

unsigned vcpu_cpl(struct vcpu *vcpu)
{
	struct segment ss;

	cpu_virt->get_seg(vcpu, SEG_SS, &ss);
	return (ss.attr >> SEG_ATTR_DPL_SHIFT) & 3U;
}

void vcpu_request(struct vcpu *vcpu, enum vcpu_request req)
{
	__atomic_fetch_or(&vcpu->requests, BIT64(req), __ATOMIC_SEQ_CST);
	/*
	 * Either the vCPU's CPU sees the bit before it enters (or halts), or it has said that it
	 * runs (or halts) before we look here: no wake-up is lost. Kicking ourselves is a no-op.
	 */
	if (__atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST)) {
		pcpu_kick(vcpu->cpu);
	} else {
		sched_wake(vcpu);
	}
}

void vcpu_request_lazy(struct vcpu *vcpu, enum vcpu_request req)
{
	__atomic_fetch_or(&vcpu->requests, BIT64(req), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST)) {
		pcpu_kick(vcpu->cpu);
	}
}

bool vcpu_in_64bit_mode(struct vcpu *vcpu)
{
	struct segment cs;

	if (!(cpu_virt->get_reg(vcpu, REG_EFER) & EFER_LMA)) {
		return false;
	}
	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	return (cs.attr & SEG_ATTR_L) != 0;
}

bool vcpu_in_kernel(struct vcpu *vcpu)
{
	/* Virtual-8086 mode has CPL 3. */
	return (cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PE) && vcpu_cpl(vcpu) == 0;
}

/* [SDM1] "FXSAVE Area": XMM0 is at byte 160. */
#define FXSAVE_SIZE 512U
#define FXSAVE_XMM 160U
#define XMM_SIZE 16U

void vcpu_read_xmm(struct vcpu *vcpu, void *buf, unsigned n)
{
	/* A loaded vCPU's registers are the processor's own. */
	uint8_t area[FXSAVE_SIZE] __attribute__((aligned(16)));

	(void)vcpu;
	cpu_fxsave(area);
	memcpy(buf, area + FXSAVE_XMM, n * XMM_SIZE);
}

bool vcpu_call(struct vcpu *vcpu, struct vcpu_call *call)
{
	struct vcpu_call *none = NULL;

	if (!__atomic_compare_exchange_n(
	            &vcpu->call, &none, call, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		return false;
	}
	vcpu_request(vcpu, VCPU_REQ_CALL);
	return true;
}

/* Family, model and stepping: what reset leaves in EDX. */
static uint32_t signature(struct vcpu *vcpu)
{
	struct cpuid_regs regs;

	cpuid_guest(vcpu, 1, 0, &regs);
	return regs.eax;
}

static void reset_registers(struct vcpu *vcpu, bool power_on)
{
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0;
	}
	cpu_virt->vcpu_reset(vcpu, power_on);
	vcpu->io_breakpoints = false;
	event_reset(vcpu);
	vcpu->gpr[REG_RDX] = signature(vcpu);
}

void vcpu_reset(struct vcpu *vcpu)
{
	reset_registers(vcpu, true);
	msr_reset(vcpu, true);
	lapic_reset(&vcpu->lapic, true);
	vcpu->state = VCPU_WAIT_SIPI;
}

void vcpu_init_signal(struct vcpu *vcpu)
{
	/* INIT keeps FPU, TSC, most MSRs and the APIC base; the rest is as after power-on. */
	reset_registers(vcpu, false);
	msr_reset(vcpu, false);
	lapic_reset(&vcpu->lapic, false);
	vcpu->state = VCPU_WAIT_SIPI;
}

void vcpu_stop(struct vcpu *vcpu)
{
	if (vcpu->state == VCPU_STOPPED) {
		return;
	}
	if (vcpu->state == VCPU_HALTED) {
		vcpu->stats.halted_ticks += clock_tsc() - vcpu->halted_tsc;
	}
	vcpu->resume_state = vcpu->state;
	__atomic_store_n(&vcpu->state, VCPU_STOPPED, __ATOMIC_RELEASE);
}

uint64_t vcpu_resume(struct vcpu *vcpu)
{
	uint64_t held = vcpu->held, ticks = vcpu->vm->paused_ticks;

	if (vcpu->state != VCPU_STOPPED) {
		return 0;
	}
	vcpu->held = 0;
	vcpu->halted_tsc = clock_tsc();
	__atomic_store_n(&vcpu->state, vcpu->resume_state, __ATOMIC_RELEASE);
	if (ticks != 0) {
		vcpu->tsc_offset -= ticks;
		cpu_virt->set_tsc_offset(vcpu, vcpu->tsc_offset);
	}
	/* Also without a pause: what came due since the stop was ignored. */
	lapic_timer_resume(&vcpu->lapic, ticks);
	vcpu_timers_resume(vcpu);
	return held;
}

void vcpu_sipi(struct vcpu *vcpu, uint8_t vector)
{
	struct segment cs;

	if (vcpu->state != VCPU_WAIT_SIPI) {
		return;
	}
	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	cs.selector = (uint16_t)(vector << 8);
	cs.base = (uint64_t)vector << 12;
	cpu_virt->set_seg(vcpu, SEG_CS, &cs);
	cpu_virt->set_reg(vcpu, REG_RIP, 0);
	vcpu->state = VCPU_RUNNABLE;
}
