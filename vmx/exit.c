// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a VMX exit to a neutral request: the table, and what all exits share.
 * Specs: [SDM3] "VMX Basic Exit Reasons", "Basic VM-Exit Information".
 */
#include "vmx/exit.h"

#include "vmm/hw/panic.h"
#include "vmx/vmx_insn_hw.h"

#define INTR_INFO_VALID BIT(31)
#define REASON_MACHINE_CHECK 41U

/* What our controls do not allow, or an entry that failed, which has bit 31 set. */
static __attribute__((noinline)) void unexpected(struct vcpu *vcpu)
{
	uint64_t reason = vmcs_read(VMCS_EXIT_REASON);

	if (reason == (EXIT_REASON_ENTRY_FAILED | REASON_MACHINE_CHECK)) {
		panic("machine check while vm %s was entered", vcpu->vm->config->name);
	}
	vcpu->exit.kind = EXIT_FAILED;
	vcpu->exit.raw_reason = (uint16_t)reason;
}

#define ROW(reason, decoder, exit_kind, text) \
	[reason] = { \
	        .decode = (decoder), .kind = (exit_kind), .raw_reason = (reason), .name = (text)}

const struct exit_row vmx_exit_rows[VMX_EXIT_COUNT] = {
        ROW(0, vmx_exit_event, EXIT_NONE, "exception or NMI"),
        ROW(1, vmx_exit_ext_intr, EXIT_NONE, "external interrupt"),
        ROW(2, vmx_exit_plain, EXIT_TRIPLE_FAULT, "triple fault"),
        ROW(3, vmx_exit_plain, EXIT_SIGNAL, "INIT signal"),
        ROW(4, vmx_exit_plain, EXIT_SIGNAL, "start-up IPI"),
        [5 ... 6] = {.decode = unexpected},
        ROW(7, vmx_exit_plain, EXIT_NONE, "interrupt window"),
        ROW(8, vmx_exit_plain, EXIT_NONE, "NMI window"),
        ROW(9, vmx_exit_task_switch, EXIT_TASK_SWITCH, "task switch"),
        ROW(10, vmx_exit_regs, EXIT_CPUID, "CPUID"),
        ROW(11, vmx_exit_plain, EXIT_UNDEFINED, "GETSEC"),
        ROW(12, vmx_exit_plain, EXIT_HLT, "HLT"),
        ROW(13, vmx_exit_plain, EXIT_CACHE, "INVD"),
        ROW(14, vmx_exit_plain, EXIT_PRIVILEGED, "INVLPG"),
        ROW(15, vmx_exit_plain, EXIT_PRIVILEGED, "RDPMC"),
        [16] = {.decode = unexpected},
        ROW(17, vmx_exit_plain, EXIT_UNDEFINED, "RSM"),
        ROW(18, vmx_exit_vmcall, EXIT_HYPERCALL, "VMCALL"),
        ROW(19, vmx_exit_plain, EXIT_UNDEFINED, "VMCLEAR"),
        ROW(20, vmx_exit_plain, EXIT_UNDEFINED, "VMLAUNCH"),
        ROW(21, vmx_exit_plain, EXIT_UNDEFINED, "VMPTRLD"),
        ROW(22, vmx_exit_plain, EXIT_UNDEFINED, "VMPTRST"),
        ROW(23, vmx_exit_plain, EXIT_UNDEFINED, "VMREAD"),
        ROW(24, vmx_exit_plain, EXIT_UNDEFINED, "VMRESUME"),
        ROW(25, vmx_exit_plain, EXIT_UNDEFINED, "VMWRITE"),
        ROW(26, vmx_exit_plain, EXIT_UNDEFINED, "VMXOFF"),
        ROW(27, vmx_exit_plain, EXIT_UNDEFINED, "VMXON"),
        ROW(28, vmx_exit_cr, EXIT_CR, "control-register access"),
        ROW(29, vmx_exit_dr, EXIT_DR, "MOV DR"),
        ROW(30, vmx_exit_io, EXIT_IO, "I/O instruction"),
        ROW(31, vmx_exit_regs, EXIT_RDMSR, "RDMSR"),
        ROW(32, vmx_exit_regs, EXIT_WRMSR, "WRMSR"),
        [33 ... 35] = {.decode = unexpected},
        ROW(36, vmx_exit_plain, EXIT_MWAIT, "MWAIT"),
        [37 ... 38] = {.decode = unexpected},
        ROW(39, vmx_exit_plain, EXIT_MWAIT, "MONITOR"),
        ROW(40, vmx_exit_plain, EXIT_PAUSE, "PAUSE"),
        [41 ... 42] = {.decode = unexpected},
        ROW(43, vmx_exit_plain, EXIT_TPR_BELOW, "TPR below threshold"),
        ROW(44, vmx_exit_apic_access, EXIT_MEM, "APIC access"),
        ROW(45, vmx_exit_eoi, EXIT_EOI, "virtualized EOI"),
        [46 ... 47] = {.decode = unexpected},
        ROW(48, vmx_exit_ept_violation, EXIT_MEM, "EPT violation"),
        ROW(49, vmx_exit_ept_misconfig, EXIT_FAILED, "EPT misconfiguration"),
        ROW(50, vmx_exit_plain, EXIT_UNDEFINED, "INVEPT"),
        ROW(51, vmx_exit_plain, EXIT_UNDEFINED, "RDTSCP"),
        ROW(52, vmx_exit_plain, EXIT_NONE, "preemption timer"),
        ROW(53, vmx_exit_plain, EXIT_UNDEFINED, "INVVPID"),
        ROW(54, vmx_exit_plain, EXIT_CACHE, "WBINVD"),
        ROW(55, vmx_exit_regs, EXIT_XSETBV, "XSETBV"),
        ROW(56, vmx_exit_apic_write, EXIT_APIC_WRITE, "APIC write"),
        [57] = {.decode = unexpected},
        ROW(58, vmx_exit_plain, EXIT_UNDEFINED, "INVPCID"),
        ROW(59, vmx_exit_plain, EXIT_UNDEFINED, "VMFUNC"),
        ROW(60, vmx_exit_plain, EXIT_UNDEFINED, "ENCLS"),
        [61 ... 62] = {.decode = unexpected},
        ROW(63, vmx_exit_plain, EXIT_UNDEFINED, "XSAVES"),
        ROW(64, vmx_exit_plain, EXIT_UNDEFINED, "XRSTORS"),
        [65 ... 75] = {.decode = unexpected},
        ROW(76, vmx_exit_plain, EXIT_UNDEFINED, "SEAMCALL"),
        ROW(77, vmx_exit_plain, EXIT_UNDEFINED, "TDCALL"),
};

void vmx_exit_plain(struct vcpu *vcpu)
{
	(void)vcpu;
}

void vmx_exit_regs(struct vcpu *vcpu)
{
	vcpu->exit.regs.eax = (uint32_t)vcpu->gpr[REG_RAX];
	vcpu->exit.regs.ecx = (uint32_t)vcpu->gpr[REG_RCX];
}

/*
 * Who calls, of most callers by one VMREAD: for code that is not conforming, CS.DPL is the CPL
 * ([SDM3] "Checks on Guest Segment Registers"), and CS.L means something in IA-32e mode only.
 */
void vmx_exit_vmcall(struct vcpu *vcpu)
{
	uint64_t rights = vmcs_read(VMCS_GUEST_CS_RIGHTS) & vmx_vcpu(vcpu)->kernel64_mask;

	vcpu->exit.call.rcx = vcpu->gpr[REG_RCX];
	vcpu->exit.call.kernel64 = rights == SEG_ATTR_L;
}

void vmx_exit_vectoring(struct vcpu *vcpu)
{
	uint32_t vectoring = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_INFO);

	if (vectoring & INTR_INFO_VALID) {
		vmx_requeue_vectoring(vcpu, vectoring);
	}
}

void vmx_exited(struct vcpu *vcpu)
{
	uint64_t reason = vmcs_read(VMCS_EXIT_REASON);
	const struct exit_row *row;

	if (__builtin_expect(reason >= VMX_EXIT_COUNT, 0)) {
		unexpected(vcpu);
		return;
	}
	row = &vmx_exit_rows[reason];
	vcpu->exit.head = row->head;
	row->decode(vcpu);
}

void vmx_entry_failed(struct vcpu *vcpu)
{
	vcpu->exit.kind = EXIT_FAILED;
	vcpu->exit.raw_reason = 0xffff;
	/* A VMLAUNCH that was refused is none. */
	vmx_vcpu(vcpu)->launched = false;
}
