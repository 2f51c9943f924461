/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of virtual processors, as calls name them: a mask of the first 64, or banks of 64.
 * Specs: [TLFS] "Virtual Processor Sets".
 */
#ifndef HYPERCALL_HV_VPSET_H
#define HYPERCALL_HV_VPSET_H

#include "hypercall/tlfs.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/types.h"

struct vm;

_Static_assert(MAX_VCPUS <= 64, "a set of a VM's vCPUs is one 64-bit mask");

/*
 * The vCPUs a sparse set or 'all' names; banks: one for each bit of valid_banks, n_banks of them in
 * the variable header. VPs there are not do not count. INVALID_HYPERCALL_INPUT when the banks are
 * not as many as the mask says, INVALID_PARAMETER for a format there is not.
 */
enum hv_status hv_vpset_parse(const struct vm *vm, uint64_t format, uint64_t valid_banks,
        const uint64_t *banks, uint32_t n_banks, uint64_t *vps);

#endif
