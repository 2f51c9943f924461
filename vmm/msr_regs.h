/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handlers for the MSR table of vmm/msr.c: registers that the back end or the CPU itself keeps.
 * All run with the vCPU loaded; false = #GP.
 */
#ifndef VMM_MSR_REGS_H
#define VMM_MSR_REGS_H

#include "vmm/lib/types.h"

struct vcpu;

bool msr_reg_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_sysenter_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_pat_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_debugctl_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_efer_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_xss_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_xss_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_seg_base_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_seg_base_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_live_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_star_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_live_address_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_live_u32_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool msr_tsc_aux_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_tsc_aux_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* Values after power-on of those that the back end keeps. */
void msr_regs_reset(struct vcpu *vcpu);

#endif
