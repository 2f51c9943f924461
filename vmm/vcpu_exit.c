// SPDX-License-Identifier: BSD-2-Clause
/*
 * One exit, decided: a table by kind. Handlers return what is to be done; vcpu_run.c does it.
 * Specs: [SDM3] "Instructions That Cause VM Exits", "Debug Exceptions"; [SDM2] the instructions.
 */
#include "vmm/cpuid_policy.h"
#include "vmm/cr.h"
#include "vmm/lapic_regs.h"
#include "vmm/mmio_emul.h"
#include "vmm/msr.h"
#include "vmm/pv.h"
#include "vmm/task_switch.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define DR6_CAUSES 0x600fULL /* what an exit can report: B0-B3, BD, BS */

static enum exit_action resume(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return ACT_RESUME;
}

/*
 * INVD and WBINVD have no work to do, as guest memory is coherent and another VM's cache lines are
 * not a guest's to throw away.
 */
static enum exit_action skip(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return ACT_SKIP;
}

static enum exit_action halt(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	vcpu->wakes_masked = false;
	/* What waited for the STI before it: there is nothing to sleep for. */
	return event_held_wakes(vcpu) ? ACT_SKIP : ACT_HALT;
}

/* A guest that loops on PAUSE waits for somebody: maybe for a vCPU that waits for this CPU. */
static enum exit_action yield(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return ACT_YIELD;
}

static enum exit_action undefined(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return vcpu_fault_noerr(vcpu, X86_UD);
}

static enum exit_action hypercall(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return vcpu->hypercall(vcpu);
}

static enum exit_action privileged(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return vcpu_fault(vcpu, X86_GP, 0);
}

static enum exit_action rdmsr(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint64_t value;

	(void)exit;
	if (!msr_read(vcpu, (uint32_t)vcpu->gpr[REG_RCX], &value)) {
		return vcpu_fault(vcpu, X86_GP, 0);
	}
	vcpu->gpr[REG_RAX] = (uint32_t)value;
	vcpu->gpr[REG_RDX] = value >> 32;
	if (vcpu->idle_by_msr) {
		vcpu->idle_by_msr = false;
		vcpu->wakes_masked = true;
		return ACT_HALT;
	}
	return ACT_SKIP;
}

static uint64_t wrmsr_value(const struct vcpu *vcpu)
{
	return (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;
}

static __attribute__((noinline)) enum exit_action wrmsr_any(struct vcpu *vcpu)
{
	if (!msr_write(vcpu, (uint32_t)vcpu->gpr[REG_RCX], wrmsr_value(vcpu))) {
		return vcpu_fault(vcpu, X86_GP, 0);
	}
	return ACT_SKIP;
}

static __attribute__((noinline)) enum exit_action wrmsr_x2apic(struct vcpu *vcpu)
{
	if (lapic_msr_write_quick(&vcpu->lapic, (uint32_t)vcpu->gpr[REG_RCX], wrmsr_value(vcpu))) {
		return ACT_SKIP;
	}
	return wrmsr_any(vcpu);
}

static enum exit_action wrmsr(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint32_t msr = (uint32_t)vcpu->gpr[REG_RCX];

	(void)exit;
	if (msr - MSR_X2APIC_BASE <= MSR_X2APIC_LAST - MSR_X2APIC_BASE) {
		return wrmsr_x2apic(vcpu);
	}
	if (msr == MSR_IA32_TSC_DEADLINE) {
		lapic_set_tsc_deadline(&vcpu->lapic, wrmsr_value(vcpu));
		return ACT_SKIP;
	}
	return wrmsr_any(vcpu);
}

/* Carrying an instruction out needs its bytes and its page tables in RAM. */
static enum exit_action memory(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	if (exit->mem.mapped && cpu_virt->fix_fault(vcpu->vm, exit->mem.gpa, exit->mem.fetch)) {
		return ACT_RESUME;
	}
	if (vcpu->pending.type != EVENT_NONE) {
		/* The access was the delivery's, not the instruction's at RIP. */
		return vcpu_kill(vcpu, "descriptor tables or a stack outside its memory");
	}
	if (exit->mem.fetch) {
		return vcpu_kill(vcpu, "instruction fetch outside its memory");
	}
	if (exit->mem.in_walk) {
		return vcpu_kill(vcpu, "page tables outside its memory");
	}
	return mmio_emulate(vcpu, exit);
}

/*
 * An intercepted exception goes back to the guest: intercepting makes each delivery an exit, so
 * a guest that nests them for ever does not hang the processor ([SDM3] "Alignment Check
 * Exception", errata of endless #AC and #DB).
 */
static enum exit_action exception(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	enum x86_exception vector = exit->exception.vector;

	if (vector == X86_PF) {
		return vcpu_page_fault(vcpu, gva(exit->exception.dr6), exit->exception.error);
	}
	if (vector == X86_DB) {
		/* The exit came before DR6, DR7.GD and DEBUGCTL changed. */
		return dr_exception(vcpu, exit->exception.dr6 & DR6_CAUSES);
	}
	if (exit->exception.has_error) {
		return vcpu_fault(vcpu, vector, exit->exception.error);
	}
	return vcpu_fault_noerr(vcpu, vector);
}

static enum exit_action triple_fault(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return ACT_SHUTDOWN;
}

static enum exit_action tpr_below(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	lapic_tpr_changed(&vcpu->lapic);
	return ACT_RESUME;
}

/* The processor wrote the register and moved on: RIP is past the instruction. */
static enum exit_action apic_write(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	lapic_write_done(&vcpu->lapic, exit->apic.offset);
	return ACT_RESUME;
}

static enum exit_action eoi(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	lapic_eoi_done(&vcpu->lapic, exit->eoi.vector);
	return ACT_RESUME;
}

static enum exit_action failed(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	(void)exit;
	return vcpu_kill(vcpu, "the processor refused to enter the guest");
}

exit_handler *const vcpu_exit_handlers[EXIT_KIND_COUNT] = {
        [EXIT_NONE] = resume,
        [EXIT_CPUID] = cpuid_handle_exit,
        [EXIT_IO] = pio_handle_exit,
        [EXIT_MEM] = memory,
        [EXIT_RDMSR] = rdmsr,
        [EXIT_WRMSR] = wrmsr,
        [EXIT_CR] = cr_handle_exit,
        [EXIT_DR] = dr_handle_exit,
        [EXIT_XSETBV] = xsetbv_handle_exit,
        [EXIT_HLT] = halt,
        [EXIT_PAUSE] = yield,
        [EXIT_MWAIT] = undefined,
        [EXIT_EXCEPTION] = exception,
        [EXIT_HYPERCALL] = hypercall,
        [EXIT_UNDEFINED] = undefined,
        [EXIT_PRIVILEGED] = privileged,
        [EXIT_CACHE] = skip,
        [EXIT_TASK_SWITCH] = task_switch_handle_exit,
        [EXIT_TRIPLE_FAULT] = triple_fault,
        [EXIT_TPR_BELOW] = tpr_below,
        [EXIT_APIC_WRITE] = apic_write,
        [EXIT_EOI] = eoi,
        [EXIT_SIGNAL] = resume,
        [EXIT_FAILED] = failed,
};

const char *const exit_kind_names[EXIT_KIND_COUNT] = {
        [EXIT_NONE] = "none",
        [EXIT_CPUID] = "cpuid",
        [EXIT_IO] = "io",
        [EXIT_MEM] = "memory",
        [EXIT_RDMSR] = "rdmsr",
        [EXIT_WRMSR] = "wrmsr",
        [EXIT_CR] = "cr",
        [EXIT_DR] = "dr",
        [EXIT_XSETBV] = "xsetbv",
        [EXIT_HLT] = "hlt",
        [EXIT_PAUSE] = "pause",
        [EXIT_MWAIT] = "mwait",
        [EXIT_EXCEPTION] = "exception",
        [EXIT_HYPERCALL] = "hypercall",
        [EXIT_UNDEFINED] = "undefined",
        [EXIT_PRIVILEGED] = "privileged",
        [EXIT_CACHE] = "cache",
        [EXIT_TASK_SWITCH] = "task switch",
        [EXIT_TRIPLE_FAULT] = "triple fault",
        [EXIT_TPR_BELOW] = "tpr below",
        [EXIT_APIC_WRITE] = "apic write",
        [EXIT_EOI] = "eoi",
        [EXIT_SIGNAL] = "signal",
        [EXIT_FAILED] = "failed",
};

_Static_assert(EXIT_KIND_COUNT == EXIT_FAILED + 1, "a new kind of exit needs a row in both tables");
_Static_assert(EXIT_KIND_COUNT <= STATS_KINDS, "statistics count every kind");
