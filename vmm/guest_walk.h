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

/*
 * What to inject. X86_PF: with this error code and the linear address. X86_GP: the address is not
 * canonical, error code 0; the caller, who knows the segment, makes it #SS(0) for SS.
 */
struct walk_fault {
	uint32_t error;
	uint8_t vector; /* enum x86_exception */
};

/* Which entries a walk went through, as it read them. */
#define WALK_MAX_LEVELS 4U
struct walk_trace {
	unsigned n; /* 0: no paging */
	struct walk_step {
		gpa_t at;
		uint64_t entry;
	} steps[WALK_MAX_LEVELS];
};

void guest_walk_state(struct vcpu *vcpu, struct walk_state *out);

/*
 * 0 and *out; -EFAULT and *fault = a fault to inject; -EIO when a table lies outside RAM.
 * Accessed and dirty flags are set as hardware would, and only when the access is allowed.
 *
 * Bounded: at most WALK_TRIES rounds of 4 table reads and 4 updates. Another round is made when
 * another vCPU changed an entry meanwhile; a guest that keeps doing so gets the last round's
 * translation without all its flags. The four page-directory-pointer entries of PAE paging are read
 * from memory, not from where the processor keeps them since CR3 was loaded.
 */
#define WALK_TRIES 4U
__must_check int guest_walk(struct guest_mem *mem, const struct walk_state *state, gva_t va,
        enum walk_access access, gpa_t *out, struct walk_fault *fault);

/* The same; *trace is filled when it returns 0. The directory pointers of PAE paging are left out.
 */
__must_check int guest_walk_traced(struct guest_mem *mem, const struct walk_state *state, gva_t va,
        enum walk_access access, gpa_t *out, struct walk_fault *fault, struct walk_trace *trace);

/*
 * Copy from buf to guest-virtual memory, page by page. 0; -EFAULT with *fault and *fault_va;
 * -EIO when some page is not RAM. An operand on one or two pages is written whole or not at all;
 * longer ones may be written up to the page that fails. Addresses wrap as in the guest's mode.
 */
__must_check int guest_virt_write(struct vcpu *vcpu, gva_t va, const void *buf, size_t len,
        gva_t *fault_va, struct walk_fault *fault);
/* The same, and its like to buf, for what the processor itself accesses, whatever the CPL:
 * descriptor tables, TSSs. */
__must_check int guest_system_read(struct vcpu *vcpu, gva_t va, void *buf, size_t len,
        gva_t *fault_va, struct walk_fault *fault);
__must_check int guest_system_write(struct vcpu *vcpu, gva_t va, const void *buf, size_t len,
        gva_t *fault_va, struct walk_fault *fault);

#endif
