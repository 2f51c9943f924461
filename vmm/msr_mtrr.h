/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory-type range registers: kept and checked for the guest, without effect on its memory,
 * whose types come from the second-level tables.
 * Specs: [SDM3] "Memory Type Range Registers (MTRRs)".
 */
#ifndef VMM_MSR_MTRR_H
#define VMM_MSR_MTRR_H

#include "vmm/lib/types.h"

struct vcpu;

#define MTRR_VARIABLE 8U

__must_check bool mtrr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
__must_check bool mtrr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* As firmware leaves them: RAM write-back, the hole below 4 GiB and the VGA window uncached. */
void mtrr_reset(struct vcpu *vcpu);

#endif
