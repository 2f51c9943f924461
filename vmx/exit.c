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
        [0] = {"exception or NMI", EXIT_NONE, READ_QUAL | READ_VECTORING, vmx_exit_event},
        [1] = {"external interrupt", EXIT_NONE, 0, vmx_exit_ext_intr},
        [2] = {"triple fault", EXIT_TRIPLE_FAULT, 0, NULL},
        [3] = {"INIT signal", EXIT_SIGNAL, 0, NULL},
        [4] = {"start-up IPI", EXIT_SIGNAL, 0, NULL},
        [7] = {"interrupt window", EXIT_NONE, 0, NULL},
        [8] = {"NMI window", EXIT_NONE, 0, NULL},
        [9] = {"task switch", EXIT_TASK_SWITCH, READ_QUAL | READ_LEN | READ_VECTORING,
                vmx_exit_task_switch},
        [10] = {"CPUID", EXIT_CPUID, READ_LEN, NULL},
        [11] = {"GETSEC", EXIT_UNDEFINED, 0, NULL},
        [12] = {"HLT", EXIT_HLT, READ_LEN, NULL},
        [13] = {"INVD", EXIT_CACHE, READ_LEN, NULL},
        [14] = {"INVLPG", EXIT_PRIVILEGED, 0, NULL},
        [15] = {"RDPMC", EXIT_PRIVILEGED, 0, NULL},
        [17] = {"RSM", EXIT_UNDEFINED, 0, NULL},
        [18] = {"VMCALL", EXIT_HYPERCALL, READ_LEN, NULL},
        [19] = {"VMCLEAR", EXIT_UNDEFINED, 0, NULL},
        [20] = {"VMLAUNCH", EXIT_UNDEFINED, 0, NULL},
        [21] = {"VMPTRLD", EXIT_UNDEFINED, 0, NULL},
        [22] = {"VMPTRST", EXIT_UNDEFINED, 0, NULL},
        [23] = {"VMREAD", EXIT_UNDEFINED, 0, NULL},
        [24] = {"VMRESUME", EXIT_UNDEFINED, 0, NULL},
        [25] = {"VMWRITE", EXIT_UNDEFINED, 0, NULL},
        [26] = {"VMXOFF", EXIT_UNDEFINED, 0, NULL},
        [27] = {"VMXON", EXIT_UNDEFINED, 0, NULL},
        [28] = {"control-register access", EXIT_CR, READ_QUAL | READ_LEN, vmx_exit_cr},
        [29] = {"MOV DR", EXIT_DR, READ_QUAL | READ_LEN, vmx_exit_dr},
        [30] = {"I/O instruction", EXIT_IO, READ_QUAL | READ_LEN, vmx_exit_io},
        [31] = {"RDMSR", EXIT_RDMSR, READ_LEN, NULL},
        [32] = {"WRMSR", EXIT_WRMSR, READ_LEN, NULL},
        [36] = {"MWAIT", EXIT_MWAIT, 0, NULL},
        [39] = {"MONITOR", EXIT_MWAIT, 0, NULL},
        [40] = {"PAUSE", EXIT_PAUSE, READ_LEN, NULL},
        [43] = {"TPR below threshold", EXIT_TPR_BELOW, 0, NULL},
        [44] = {"APIC access", EXIT_MEM, READ_QUAL | READ_VECTORING, vmx_exit_apic_access},
        [45] = {"virtualized EOI", EXIT_EOI, READ_QUAL, vmx_exit_eoi},
        [48] = {"EPT violation", EXIT_MEM, READ_QUAL | READ_VECTORING, vmx_exit_ept_violation},
        [49] = {"EPT misconfiguration", EXIT_FAILED, READ_VECTORING, vmx_exit_ept_misconfig},
        [50] = {"INVEPT", EXIT_UNDEFINED, 0, NULL},
        [51] = {"RDTSCP", EXIT_UNDEFINED, 0, NULL},
        [52] = {"preemption timer", EXIT_NONE, 0, NULL},
        [53] = {"INVVPID", EXIT_UNDEFINED, 0, NULL},
        [54] = {"WBINVD", EXIT_CACHE, READ_LEN, NULL},
        [55] = {"XSETBV", EXIT_XSETBV, READ_LEN, NULL},
        [56] = {"APIC write", EXIT_APIC_WRITE, READ_QUAL, vmx_exit_apic_write},
        [58] = {"INVPCID", EXIT_UNDEFINED, 0, NULL},
        [59] = {"VMFUNC", EXIT_UNDEFINED, 0, NULL},
        [60] = {"ENCLS", EXIT_UNDEFINED, 0, NULL},
        [63] = {"XSAVES", EXIT_UNDEFINED, 0, NULL},
        [64] = {"XRSTORS", EXIT_UNDEFINED, 0, NULL},
        [76] = {"SEAMCALL", EXIT_UNDEFINED, 0, NULL},
        [77] = {"TDCALL", EXIT_UNDEFINED, 0, NULL},
};

void vmx_decode_exit(struct vcpu *vcpu, uint32_t reason)
{
	struct vcpu_exit *exit = &vcpu->exit;
	const struct exit_row *row;

	exit->raw_reason = (uint16_t)reason;
	if (reason == (EXIT_REASON_ENTRY_FAILED | REASON_MACHINE_CHECK)) {
		panic("machine check while vm %s was entered", vcpu->vm->config->name);
	}
	/* An entry that failed has bit 31 set and is no row, either. */
	if (reason >= VMX_EXIT_COUNT || vmx_exit_rows[reason].name == NULL) {
		exit->kind = EXIT_FAILED;
		return;
	}
	row = &vmx_exit_rows[reason];
	exit->kind = row->kind;
	if (row->reads & READ_LEN) {
		exit->insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
	}
	if (row->reads & READ_VECTORING) {
		uint32_t vectoring = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_INFO);

		if (vectoring & INTR_INFO_VALID) {
			vmx_requeue_vectoring(vcpu, vectoring);
		}
	}
	if (row->decode) {
		row->decode(
		        vcpu, (row->reads & READ_QUAL) ? vmcs_read(VMCS_EXIT_QUALIFICATION) : 0);
	}
}
