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

/* What a row wants read; nothing else is (a nested host charges for each VMREAD). */
#define READ_QUAL BIT(0)      /* exit qualification */
#define READ_LEN BIT(1)       /* instruction length */
#define READ_VECTORING BIT(2) /* may have broken off an event's delivery */

struct exit_row {
	const char *name; /* NULL = the reason cannot happen with our controls: kills the VM */
	uint8_t kind;     /* enum exit_kind, before decode has its say */
	uint8_t reads;
	void (*decode)(struct vcpu *vcpu, uint64_t qual); /* NULL = the kind says it all */
};

extern const struct exit_row vmx_exit_rows[VMX_EXIT_COUNT];

/* --- decoders, one file a family --- */
void vmx_exit_io(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_cr(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_dr(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_ept_violation(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_ept_misconfig(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_apic_access(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_apic_write(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_eoi(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_event(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_ext_intr(struct vcpu *vcpu, uint64_t qual);
void vmx_exit_task_switch(struct vcpu *vcpu, uint64_t qual);

#endif
