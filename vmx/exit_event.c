// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decode exceptions, NMIs, host interrupts and task switches.
 * Specs: [SDM3] "Information for VM Exits Due to Vectored Events", "Exit Qualification for
 * Task Switches", "Exit Qualification for Debug Exceptions".
 */
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

#define INFO_VECTOR 0xffU
#define INFO_TYPE(info) (((info) >> 8) & 7U)
#define INFO_ERROR BIT(11)
#define INFO_NMI_UNBLOCKED BIT(12)
#define TYPE_NMI 2U
#define TYPE_PRIV_SOFT 5U
#define BLOCKING_NMI BIT64(3)

void vmx_exit_event(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint32_t info = (uint32_t)vmcs_read(VMCS_EXIT_INTR_INFO);
	uint8_t vector = (uint8_t)(info & INFO_VECTOR);

	vmx_exit_vectoring(vcpu);
	if (INFO_TYPE(info) == TYPE_NMI) {
		host_nmi();
		return;
	}
	if (vector == X86_MC) {
		panic("machine check while vm %s ran", vcpu->vm->config->name);
	}
	if ((info & INFO_NMI_UNBLOCKED) && vector != X86_DF && vcpu->pending.type == EVENT_NONE) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		        vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	}
	if (INFO_TYPE(info) == TYPE_PRIV_SOFT) {
		/* INT1: a trap that sets no DR6 bit; delivered as the instruction it is. */
		const struct event event = {
		        .type = EVENT_PRIV_SOFT_EXCEPTION,
		        .vector = vector,
		        .insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN),
		};

		event_requeue(vcpu, &event);
		return;
	}
	exit->kind = EXIT_EXCEPTION;
	exit->exception.vector = vector;
	exit->exception.has_error = (info & INFO_ERROR) != 0;
	exit->exception.error = (info & INFO_ERROR) ? (uint32_t)vmcs_read(VMCS_EXIT_INTR_ERROR) : 0;
	exit->exception.dr6 = vmcs_read(VMCS_EXIT_QUALIFICATION);
}

void vmx_exit_ext_intr(struct vcpu *vcpu)
{
	(void)vcpu;
	host_interrupt((uint8_t)vmcs_read(VMCS_EXIT_INTR_INFO));
}

void vmx_exit_task_switch(struct vcpu *vcpu)
{
	uint64_t qual = vmcs_read(VMCS_EXIT_QUALIFICATION);

	vmx_exit_vectoring(vcpu);
	vcpu->exit.task.insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
	vcpu->exit.task.selector = (uint16_t)qual;
	vcpu->exit.task.source = (uint8_t)((qual >> 30) & 3U);
}
