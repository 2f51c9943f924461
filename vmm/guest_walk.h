/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest-virtual to guest-physical, as the guest's own page tables say: for instructions that
 * the hypervisor carries out (MMIO, string I/O).
 * Specs: [SDM3] "Paging".
 */
#ifndef VMM_GUEST_WALK_H
#define VMM_GUEST_WALK_H

#include "vmm/guest_mem.h"
#include "vmm/lib/types.h"

struct vcpu;

enum walk_access { WALK_READ, WALK_WRITE, WALK_FETCH };

/* What the walk depends on; filled from a vCPU by guest_walk_state(), by hand in tests. */
struct walk_state {
	uint64_t cr0, cr3, cr4, efer, rflags;
	unsigned cpl;
	unsigned phys_bits;
};

struct walk_fault {
	uint32_t error; /* #PF error code */
};

void guest_walk_state(struct vcpu *vcpu, struct walk_state *out);

/*
 * 0 and *out; -EFAULT and *fault = a #PF to inject; -EIO when a table lies outside RAM.
 * Accessed and dirty flags are set as hardware would. Bounded: at most 4 table reads and 4 updates.
 */
__must_check int guest_walk(struct guest_mem *mem, const struct walk_state *state, gva_t va,
        enum walk_access access, gpa_t *out, struct walk_fault *fault);

/*
 * Copy between guest-virtual memory and buf, page by page. 0; -EFAULT with *fault and *fault_va;
 * -EIO when some page is not RAM.
 */
__must_check int guest_virt_read(struct vcpu *vcpu, gva_t va, void *buf, size_t len,
        enum walk_access access, gva_t *fault_va, struct walk_fault *fault);
__must_check int guest_virt_write(struct vcpu *vcpu, gva_t va, const void *buf, size_t len,
        gva_t *fault_va, struct walk_fault *fault);

#endif
