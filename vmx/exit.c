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

const struct exit_row vmx_exit_rows[VMX_EXIT_COUNT] = {
        [0] = {"exception or NMI", vmx_exit_event, EXIT_NONE},
        [1] = {"external interrupt", vmx_exit_ext_intr, EXIT_NONE},
        [2] = {"triple fault", vmx_exit_plain, EXIT_TRIPLE_FAULT},
        [3] = {"INIT signal", vmx_exit_plain, EXIT_SIGNAL},
        [4] = {"start-up IPI", vmx_exit_plain, EXIT_SIGNAL},
        [7] = {"interrupt window", vmx_exit_plain, EXIT_NONE},
        [8] = {"NMI window", vmx_exit_plain, EXIT_NONE},
        [9] = {"task switch", vmx_exit_task_switch, EXIT_TASK_SWITCH},
        [10] = {"CPUID", vmx_exit_insn_regs, EXIT_CPUID},
        [11] = {"GETSEC", vmx_exit_plain, EXIT_UNDEFINED},
        [12] = {"HLT", vmx_exit_insn, EXIT_HLT},
        [13] = {"INVD", vmx_exit_insn, EXIT_CACHE},
        [14] = {"INVLPG", vmx_exit_plain, EXIT_PRIVILEGED},
        [15] = {"RDPMC", vmx_exit_plain, EXIT_PRIVILEGED},
        [17] = {"RSM", vmx_exit_plain, EXIT_UNDEFINED},
        [18] = {"VMCALL", vmx_exit_vmcall, EXIT_HYPERCALL},
        [19] = {"VMCLEAR", vmx_exit_plain, EXIT_UNDEFINED},
        [20] = {"VMLAUNCH", vmx_exit_plain, EXIT_UNDEFINED},
        [21] = {"VMPTRLD", vmx_exit_plain, EXIT_UNDEFINED},
        [22] = {"VMPTRST", vmx_exit_plain, EXIT_UNDEFINED},
        [23] = {"VMREAD", vmx_exit_plain, EXIT_UNDEFINED},
        [24] = {"VMRESUME", vmx_exit_plain, EXIT_UNDEFINED},
        [25] = {"VMWRITE", vmx_exit_plain, EXIT_UNDEFINED},
        [26] = {"VMXOFF", vmx_exit_plain, EXIT_UNDEFINED},
        [27] = {"VMXON", vmx_exit_plain, EXIT_UNDEFINED},
        [28] = {"control-register access", vmx_exit_cr, EXIT_CR},
        [29] = {"MOV DR", vmx_exit_dr, EXIT_DR},
        [30] = {"I/O instruction", vmx_exit_io, EXIT_IO},
        [31] = {"RDMSR", vmx_exit_insn_regs, EXIT_RDMSR},
        [32] = {"WRMSR", vmx_exit_insn_regs, EXIT_WRMSR},
        [36] = {"MWAIT", vmx_exit_plain, EXIT_MWAIT},
        [39] = {"MONITOR", vmx_exit_plain, EXIT_MWAIT},
        [40] = {"PAUSE", vmx_exit_insn, EXIT_PAUSE},
        [43] = {"TPR below threshold", vmx_exit_plain, EXIT_TPR_BELOW},
        [44] = {"APIC access", vmx_exit_apic_access, EXIT_MEM},
        [45] = {"virtualized EOI", vmx_exit_eoi, EXIT_EOI},
        [48] = {"EPT violation", vmx_exit_ept_violation, EXIT_MEM},
        [49] = {"EPT misconfiguration", vmx_exit_ept_misconfig, EXIT_FAILED},
        [50] = {"INVEPT", vmx_exit_plain, EXIT_UNDEFINED},
        [51] = {"RDTSCP", vmx_exit_plain, EXIT_UNDEFINED},
        [52] = {"preemption timer", vmx_exit_plain, EXIT_NONE},
        [53] = {"INVVPID", vmx_exit_plain, EXIT_UNDEFINED},
        [54] = {"WBINVD", vmx_exit_insn, EXIT_CACHE},
        [55] = {"XSETBV", vmx_exit_insn_regs, EXIT_XSETBV},
        [56] = {"APIC write", vmx_exit_apic_write, EXIT_APIC_WRITE},
        [58] = {"INVPCID", vmx_exit_plain, EXIT_UNDEFINED},
        [59] = {"VMFUNC", vmx_exit_plain, EXIT_UNDEFINED},
        [60] = {"ENCLS", vmx_exit_plain, EXIT_UNDEFINED},
        [63] = {"XSAVES", vmx_exit_plain, EXIT_UNDEFINED},
        [64] = {"XRSTORS", vmx_exit_plain, EXIT_UNDEFINED},
        [76] = {"SEAMCALL", vmx_exit_plain, EXIT_UNDEFINED},
        [77] = {"TDCALL", vmx_exit_plain, EXIT_UNDEFINED},
};

void vmx_exit_plain(struct vcpu *vcpu)
{
	(void)vcpu;
}

void vmx_exit_insn(struct vcpu *vcpu)
{
	vcpu->exit.insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
}

void vmx_exit_insn_regs(struct vcpu *vcpu)
{
	vmx_exit_insn(vcpu);
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

	vmx_exit_insn_regs(vcpu);
	vcpu->exit.regs.kernel64 = rights == SEG_ATTR_L;
}

void vmx_exit_vectoring(struct vcpu *vcpu)
{
	uint32_t vectoring = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_INFO);

	if (vectoring & INTR_INFO_VALID) {
		vmx_requeue_vectoring(vcpu, vectoring);
	}
}

/* Out of the common path's way: no row, or an entry that failed, which has bit 31 set. */
static __attribute__((noinline)) void unexpected(struct vcpu *vcpu)
{
	if (vmcs_read(VMCS_EXIT_REASON) == (EXIT_REASON_ENTRY_FAILED | REASON_MACHINE_CHECK)) {
		panic("machine check while vm %s was entered", vcpu->vm->config->name);
	}
	vcpu->exit.kind = EXIT_FAILED;
}

void vmx_exited(struct vcpu *vcpu)
{
	uint64_t reason = vmcs_read(VMCS_EXIT_REASON);
	const struct exit_row *row;

	vcpu->exit.raw_reason = (uint16_t)reason;
	if (__builtin_expect(reason >= VMX_EXIT_COUNT, 0)) {
		unexpected(vcpu);
		return;
	}
	row = &vmx_exit_rows[reason];
	if (__builtin_expect(row->decode == NULL, 0)) {
		unexpected(vcpu);
		return;
	}
	vcpu->exit.kind = (enum exit_kind)row->kind;
	row->decode(vcpu);
}

void vmx_entry_failed(struct vcpu *vcpu)
{
	vcpu->exit.kind = EXIT_FAILED;
	vcpu->exit.raw_reason = 0xffff;
	/* A VMLAUNCH that was refused is none. */
	vmx_vcpu(vcpu)->host_rsp = 0;
}
