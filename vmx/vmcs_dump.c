// SPDX-License-Identifier: BSD-2-Clause
/*
 * What VT-x knows about a vCPU: why it left, and every field of the VMCS by name.
 */
#include "vmm/lib/out.h"
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

const char *vmx_exit_name(uint16_t raw_reason)
{
	return raw_reason < VMX_EXIT_COUNT ? vmx_exit_rows[raw_reason].name : NULL;
}

static void dump_reason(struct vcpu *vcpu, struct out *out)
{
	uint16_t reason = vcpu->exit.raw_reason;
	uint64_t full = vmcs_read(VMCS_EXIT_REASON);
	const char *name = vmx_exit_name(reason);

	if (reason == 0xffff) {
		out_print(out, "  VM entry refused: VMX instruction error %llu\n",
		        (unsigned long long)vmcs_read(VMCS_INSTRUCTION_ERROR));
		return;
	}
	if (full & EXIT_REASON_ENTRY_FAILED) {
		out_print(out,
		        "  VM entry failed: reason %llu (33: guest state, 34: MSR loading, 41: "
		        "machine check)\n",
		        (unsigned long long)(full & 0xffff));
		return;
	}
	out_print(out, "  exit reason %u (%s)\n", reason, name ? name : "not expected");
}

void vmcs_dump(struct vcpu *vcpu, struct out *out)
{
	dump_reason(vcpu, out);
	if (vcpu->exit.kind == EXIT_FAILED && vmcs_check_guest(out) == 0) {
		out_print(out, "  no guest-state check of the SDM fails\n");
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i += 2) {
		uint64_t a = 0, b = 0;
		bool has_a = vmcs_try_read(fields[i].field, &a);
		bool has_b = i + 1 < ARRAY_SIZE(fields) && vmcs_try_read(fields[i + 1].field, &b);

		out_print(out, "  %-22s %16llx%c  %-22s %16llx%c\n", fields[i].name,
		        (unsigned long long)a, has_a ? ' ' : '-',
		        i + 1 < ARRAY_SIZE(fields) ? fields[i + 1].name : "", (unsigned long long)b,
		        has_b ? ' ' : '-');
	}
}
