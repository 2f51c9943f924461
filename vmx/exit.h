/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit table: one row a basic exit reason.
 * Specs: [SDM3] "VMX Basic Exit Reasons".
 */
#ifndef VMX_EXIT_H
#define VMX_EXIT_H

#include "vmx/vmx_vcpu.h"

#define VMX_EXIT_COUNT 78U
#define EXIT_REASON_ENTRY_FAILED BIT(31)

struct exit_row {
	/*
	 * Reads the fields this exit needs and no others: a nested host charges for each VMREAD. Of
	 * a reason that cannot happen with our controls, kills the VM.
	 */
	void (*decode)(struct vcpu *vcpu);
	union {
		struct {
			uint32_t kind;       /* enum exit_kind, before decode has its say */
			uint16_t raw_reason; /* the row's number */
		};
		uint64_t head; /* of struct vcpu_exit */
	};
	const char *name;       /* NULL = cannot happen */
} __attribute__((aligned(32))); /* found by a shift */

_Static_assert(offsetof(struct vcpu_exit, raw_reason) - offsetof(struct vcpu_exit, head) ==
                       offsetof(struct exit_row, raw_reason) - offsetof(struct exit_row, head),
        "a copy");

extern const struct exit_row vmx_exit_rows[VMX_EXIT_COUNT];

/* --- decoders, one file a family --- */
void vmx_exit_plain(struct vcpu *vcpu); /* the kind says it all */
void vmx_exit_regs(struct vcpu *vcpu);  /* EAX and ECX */
void vmx_exit_vmcall(struct vcpu *vcpu);
/* For exits that may have broken off an event's delivery: it goes back to vcpu->pending. */
void vmx_exit_vectoring(struct vcpu *vcpu);
void vmx_exit_io(struct vcpu *vcpu);
void vmx_exit_cr(struct vcpu *vcpu);
void vmx_exit_dr(struct vcpu *vcpu);
void vmx_exit_ept_violation(struct vcpu *vcpu);
void vmx_exit_ept_misconfig(struct vcpu *vcpu);
void vmx_exit_apic_access(struct vcpu *vcpu);
void vmx_exit_apic_write(struct vcpu *vcpu);
void vmx_exit_eoi(struct vcpu *vcpu);
void vmx_exit_event(struct vcpu *vcpu);
void vmx_exit_ext_intr(struct vcpu *vcpu);
void vmx_exit_task_switch(struct vcpu *vcpu);

#endif
