// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decode control- and debug-register accesses.
 * Specs: [SDM3] "Exit Qualification for Control-Register Accesses", "Exit Qualification for MOV
 * DR".
 */
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

enum cr_access { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

void vmx_exit_cr(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint64_t qual = vmcs_read(VMCS_EXIT_QUALIFICATION);
	enum cr_access access = (qual >> 4) & 3U;

	exit->cr.cr = (uint8_t)(qual & 0xfU);
	exit->cr.reg = (uint8_t)((qual >> 8) & 0xfU);
	exit->cr.write = access != CR_MOV_FROM;
	exit->cr.clts = access == CR_CLTS;
	exit->cr.lmsw = access == CR_LMSW;
	exit->cr.lmsw_value = (uint16_t)(qual >> 16);
}

void vmx_exit_dr(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint64_t qual = vmcs_read(VMCS_EXIT_QUALIFICATION);

	exit->dr.dr = (uint8_t)(qual & 7U);
	exit->dr.write = !(qual & BIT(4));
	exit->dr.reg = (uint8_t)((qual >> 8) & 0xfU);
}
