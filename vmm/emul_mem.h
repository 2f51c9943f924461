/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory operands of instructions that the hypervisor carries out: segmentation, paging, and then
 * RAM, the local APIC's page or the MMIO bus. Shared by mmio_emul.c and pio_emul.c.
 * Specs: [SDM3] "Protection", "Limit Checking", "Type Checking"; [SDM1] "Memory Operands".
 */
#ifndef VMM_EMUL_MEM_H
#define VMM_EMUL_MEM_H

#include "vmm/guest_walk.h"
#include "vmm/insn.h"
#include "vmm/vcpu.h"

/* One instruction being carried out. */
struct emul {
	struct vcpu *vcpu;
	enum insn_mode mode;
	uint64_t cs_base;
	bool has_walk;            /* walk is filled: emul_walk() */
	struct walk_state walk;   /* once it is needed */
	struct walk_trace *trace; /* filled by the next walks; NULL = not wanted */
	gva_t fault_va;           /* with fault: of the call that returned -EFAULT */
	struct walk_fault fault;
};

/* The page an operand was last found on: a string instruction translates once a page. */
struct emul_page {
	uint64_t va; /* page aligned; EMUL_NO_PAGE = none */
	uint64_t gpa;
};

#define EMUL_NO_PAGE 1ULL

/* Where an operand lies: on one page, or on two. */
struct emul_operand {
	gpa_t gpa[2];
	uint8_t len[2]; /* bytes on each; len[1] is 0 on one page */
};

void emul_begin(struct emul *e, struct vcpu *vcpu);
/* The same for an instruction that is known to be 64-bit code. */
static inline void emul_begin_64(struct emul *e, struct vcpu *vcpu)
{
	e->vcpu = vcpu;
	e->mode = INSN_64;
	e->cs_base = 0;
	e->has_walk = false;
	e->trace = NULL;
}

/* What translation depends on, read when it is asked for first. */
const struct walk_state *emul_walk(struct emul *e);

/* Base of a segment as the mode uses it: in 64-bit mode only FS and GS have one. */
uint64_t emul_seg_base(const struct emul *e, enum vcpu_seg seg);
/* Base + offset, cut to what linear addresses have in this mode. */
gva_t emul_linear_unchecked(const struct emul *e, enum vcpu_seg seg, uint64_t offset);
/* The same with the checks of the segment and of canonical form. 0 or -EFAULT. */
__must_check int emul_linear(struct emul *e, enum vcpu_seg seg, uint64_t offset, unsigned width,
        enum walk_access access, gva_t *va);

/*
 * Both pages of an operand of width 1-8, or any shorter than a page. *page is used and updated.
 * 0, -EFAULT, or -EIO when a page table lies outside RAM.
 */
__must_check int emul_translate(struct emul *e, struct emul_page *page, gva_t va, unsigned width,
        enum walk_access access, struct emul_operand *out);

/* Read and write an operand of 1-8 bytes, wherever it is. */
uint64_t emul_load(struct vcpu *vcpu, const struct emul_operand *operand);
void emul_store(struct vcpu *vcpu, const struct emul_operand *operand, uint64_t value);

/* Are so many bytes, on one page, RAM and nothing else: no overlay, not the local APIC's page? */
bool emul_is_ram(const struct vcpu *vcpu, gpa_t at, unsigned len);

/* What an error of the above means for the guest: a fault, or its end. */
enum exit_action emul_fail(struct emul *e, int err);

/* General registers as operands: writing 4 bytes clears the upper half. high: AH, CH, DH, BH. */
uint64_t emul_reg_get(struct vcpu *vcpu, unsigned reg, bool high);
void emul_reg_set(struct vcpu *vcpu, unsigned reg, bool high, unsigned width, uint64_t value);
/* Move an index or count register, in the width of addresses. */
void emul_reg_add(struct vcpu *vcpu, unsigned reg, unsigned addr_width, int64_t delta);

#endif
