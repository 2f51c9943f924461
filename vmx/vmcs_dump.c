// SPDX-License-Identifier: BSD-2-Clause
/*
 * Everything known about a vCPU, by name, to the log.
 */
#include "vmm/lib/log.h"
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

static const struct {
	const char *name;
	enum vmcs_field field;
} fields[] = {
#define VMCS_ROW(name, encoding) {#name, VMCS_##name},
        VMCS_FIELDS(VMCS_ROW)
#undef VMCS_ROW
};

static const char *const gpr_names[REG_GPR_COUNT] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP",
        "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"};

static void dump_reason(struct vcpu *vcpu)
{
	uint16_t reason = vcpu->exit.raw_reason;
	uint64_t full = vmcs_read(VMCS_EXIT_REASON);

	if (reason == 0xffff) {
		log_error("  VM entry refused: VMX instruction error %llu",
		        (unsigned long long)vmcs_read(VMCS_INSTRUCTION_ERROR));
		return;
	}
	if (full & EXIT_REASON_ENTRY_FAILED) {
		log_error("  VM entry failed: reason %llu (33: guest state, 34: MSR loading, 41: "
		          "machine check)",
		        (unsigned long long)(full & 0xffff));
		return;
	}
	log_error("  exit reason %u (%s)", reason,
	        reason < VMX_EXIT_COUNT && vmx_exit_rows[reason].name ? vmx_exit_rows[reason].name
	                                                              : "not expected");
}

void vmcs_dump(struct vcpu *vcpu)
{
	dump_reason(vcpu);
	if (vcpu->exit.kind == EXIT_FAILED && vmcs_check_guest() == 0) {
		log_error("  no guest-state check of the SDM fails");
	}
	for (unsigned i = 0; i < REG_GPR_COUNT; i += 4) {
		log_error("  %-3s %016llx  %-3s %016llx  %-3s %016llx  %-3s %016llx", gpr_names[i],
		        (unsigned long long)vcpu->gpr[i], gpr_names[i + 1],
		        (unsigned long long)vcpu->gpr[i + 1], gpr_names[i + 2],
		        (unsigned long long)vcpu->gpr[i + 2], gpr_names[i + 3],
		        (unsigned long long)vcpu->gpr[i + 3]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i += 2) {
		uint64_t a = 0, b = 0;
		bool has_a = vmcs_try_read(fields[i].field, &a);
		bool has_b = i + 1 < ARRAY_SIZE(fields) && vmcs_try_read(fields[i + 1].field, &b);

		log_error("  %-22s %16llx%c  %-22s %16llx%c", fields[i].name, (unsigned long long)a,
		        has_a ? ' ' : '-', i + 1 < ARRAY_SIZE(fields) ? fields[i + 1].name : "",
		        (unsigned long long)b, has_b ? ' ' : '-');
	}
}
