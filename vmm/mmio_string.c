// SPDX-License-Identifier: BSD-2-Clause
// MOVS, STOS and LODS on device memory.
// Specs: [SDM2] "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ - Move Data From String to String", "STOS/STOSB/
// STOSW/STOSD/STOSQ - Store String", "LODS/LODSB/LODSW/LODSD/LODSQ - Load String",
// "REP/REPE/REPZ/REPNE/REPNZ - Repeat String Operation Prefix".
#include "vmm/mmio_string.h"
#include "vmm/lib/bits.h"

/* Iterations of a repeated instruction in one exit; then interrupts get their chance. */
#define MMIO_BATCH 64U

/* The two pages that a string instruction moves along. */
struct string_pages {
	struct emul_page src, dst;
};

static int string_operand(struct emul *e, const struct insn *insn, enum vcpu_seg seg, unsigned reg,
        enum walk_access access, struct emul_page *page, struct emul_operand *out)
{
	uint64_t offset = vcpu_reg_get(e->vcpu, (enum vcpu_reg)reg) & width_mask(insn->addr_width);
	gva_t va;
	int err = emul_linear(e, seg, offset, insn->op_width, access, &va);

	return err ? err : emul_translate(e, page, va, insn->op_width, access, out);
}

/* One iteration; nothing has happened unless it returns 0. */
static int string_step(
        struct emul *e, const struct insn *insn, struct string_pages *pages, int64_t step)
{
	struct vcpu *vcpu = e->vcpu;
	struct emul_operand src, dst;
	bool reads = insn->op != INSN_STOS, writes = insn->op != INSN_LODS;
	uint64_t v = vcpu->gpr[REG_RAX];
	int err = 0;

	if (reads) {
		err = string_operand(
		        e, insn, (enum vcpu_seg)insn->seg, REG_RSI, WALK_READ, &pages->src, &src);
	}
	if (!err && writes) {
		err = string_operand(e, insn, SEG_ES, REG_RDI, WALK_WRITE, &pages->dst, &dst);
	}
	if (err) {
		return err;
	}
	if (reads) {
		v = emul_load(vcpu, &src);
		emul_reg_add(vcpu, REG_RSI, insn->addr_width, step);
	}
	if (writes) {
		emul_store(vcpu, &dst, v);
		emul_reg_add(vcpu, REG_RDI, insn->addr_width, step);
	} else {
		emul_reg_set(vcpu, REG_RAX, false, insn->op_width, v);
	}
	return 0;
}

/* The exit's own page needs no walk: which operand it was is told by the kind of access. */
static void seed_pages(struct emul *e, const struct vcpu_exit *exit, const struct insn *insn,
        struct string_pages *pages)
{
	bool dst = exit->mem.write;
	enum vcpu_seg seg = dst ? SEG_ES : (enum vcpu_seg)insn->seg;
	uint64_t offset = vcpu_reg_get(e->vcpu, dst ? REG_RDI : REG_RSI);
	uint64_t va = emul_linear_unchecked(e, seg, offset & width_mask(insn->addr_width)).v;
	struct emul_page *page = dst ? &pages->dst : &pages->src;

	pages->src.va = EMUL_NO_PAGE;
	pages->dst.va = EMUL_NO_PAGE;
	if (((va ^ exit->mem.gpa.v) & PAGE_MASK) == 0) {
		page->va = va & ~PAGE_MASK;
		page->gpa = exit->mem.gpa.v & ~PAGE_MASK;
	}
}

enum exit_action mmio_string(struct emul *e, const struct vcpu_exit *exit, const struct insn *insn)
{
	struct vcpu *vcpu = e->vcpu;
	bool repeat = insn->rep || insn->repne;
	int64_t step =
	        (emul_walk(e)->rflags & RFLAGS_DF) != 0 ? -(int64_t)insn->op_width : insn->op_width;
	uint64_t left = 1;
	struct string_pages pages;

	if (repeat) {
		left = vcpu->gpr[REG_RCX] & width_mask(insn->addr_width);
	}
	seed_pages(e, exit, insn, &pages);
	for (unsigned n = 0; left != 0; n++) {
		int err;

		if (n == MMIO_BATCH) {
			return ACT_RESUME; /* RIP unmoved: the instruction goes on */
		}
		/* [SDM3] "Single-Step Exception Condition": a step is one iteration. */
		if (n == 1 && (emul_walk(e)->rflags & RFLAGS_TF)) {
			cpu_virt->skip_insn(vcpu, 0);
			return ACT_RESUME;
		}
		err = string_step(e, insn, &pages, step);
		if (err) {
			return emul_fail(e, err);
		}
		left--;
		if (repeat) {
			emul_reg_add(vcpu, REG_RCX, insn->addr_width, -1);
		}
	}
	cpu_virt->skip_insn(vcpu, insn->len);
	return ACT_RESUME;
}
