// SPDX-License-Identifier: BSD-2-Clause
/*
 * Decode port accesses.
 * Specs: [SDM3] "Exit Qualification for I/O Instructions", "Format of the VM-Exit
 * Instruction-Information Field as Used for INS and OUTS".
 */
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

#define QUAL_WIDTH 7U
#define QUAL_FLAGS_SHIFT 3 /* IN, string, REP: as in struct vcpu_exit */
#define QUAL_FLAGS 7U

void vmx_exit_io(struct vcpu *vcpu)
{
	struct vcpu_exit *exit = &vcpu->exit;
	uint32_t qual = (uint32_t)vmcs_read(VMCS_EXIT_QUALIFICATION);

	exit->io.port = (uint16_t)(qual >> 16);
	exit->io.width = (uint8_t)((qual & QUAL_WIDTH) + 1);
	exit->io.flags = (uint8_t)(qual >> QUAL_FLAGS_SHIFT & QUAL_FLAGS);
	exit->io.eax = (uint32_t)vcpu->gpr[REG_RAX];
	if (exit->io.string) {
		uint32_t info = (uint32_t)vmcs_read(VMCS_EXIT_INSN_INFO);

		exit->io.addr_width = (uint8_t)(2U << ((info >> 7) & 3U));
		exit->io.seg = (uint8_t)((info >> 15) & 7U);
		if (exit->io.seg > SEG_GS) {
			exit->io.seg = SEG_DS;
		}
	}
}
