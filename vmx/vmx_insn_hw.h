/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMX instructions as functions. vmcs_read and vmcs_write work on the current VMCS; a
 * field that does not exist is our bug. tests/fake/vmx_fake.c keeps fields in an array.
 * Specs: [SDM3] "VMX Instruction Reference".
 */
#ifndef VMX_VMX_INSN_HW_H
#define VMX_VMX_INSN_HW_H

#include "vmm/lib/types.h"
#include "vmx/vmcs_fields.h"

struct vcpu;

uint64_t vmcs_read(enum vmcs_field field);
void vmcs_write(enum vmcs_field field, uint64_t value);
/* For dumps: false when the processor has no such field. */
bool vmcs_try_read(enum vmcs_field field, uint64_t *value);

/* false: the instruction failed (VMfail). */
__must_check bool vmx_on(hpa_t region);
void vmx_off(void);
__must_check bool vmcs_clear(hpa_t vmcs);
__must_check bool vmcs_load(hpa_t vmcs);

enum invalidate_type { INV_SINGLE = 1, INV_ALL = 2 };
void vmx_invept(enum invalidate_type type, uint64_t eptp);
void vmx_invvpid(enum invalidate_type type, uint16_t vpid);

/*
 * Load the general registers from vcpu->gpr, enter, and store them back at the exit (vmentry.asm).
 * Ends in vmx_exited(), or in vmx_entry_failed() when the instruction failed (VMfail).
 */
void vmx_enter(struct vcpu *vcpu);
/* exit.c: fill vcpu->exit as the row of the exit reason says. */
void vmx_exited(struct vcpu *vcpu);
void vmx_entry_failed(struct vcpu *vcpu);
/* Where the processor continues after a VM exit. */
void vmx_exit_entry(void);

#endif
