/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific registers a guest may use, by table; anything else is #GP and a limited log line.
 */
#ifndef VMM_MSR_H
#define VMM_MSR_H

#include "vmm/lib/types.h"

struct vcpu;

/* false = #GP(0). */
__must_check bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
__must_check bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* Values after power-on (true) or INIT. */
void msr_reset(struct vcpu *vcpu, bool power_on);

#endif
