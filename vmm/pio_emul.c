// SPDX-License-Identifier: BSD-2-Clause
// Port I/O exits: IN, OUT, and their string forms.
// Specs: [SDM2] "IN - Input from Port", "OUT - Output to Port", "INS/INSB/INSW/INSD - Input from
// Port to String", "OUTS/OUTSB/OUTSW/OUTSD - Output String to Port", "REP/REPE/REPZ/REPNE/REPNZ -
// Repeat String Operation Prefix"; [SDM3] "Relative Priority of Faults and VM Exits" (the
// processor has checked CPL, IOPL and the I/O bitmap, but not the memory operand).
#include "vmm/cr.h"
#include "vmm/emul_mem.h"
#include "vmm/lib/bits.h"
#include "vmm/mmio_emul.h"
#include "vmm/vm.h"

/* Iterations in one exit: half a sector; then pending interrupts get their chance. */
#define PIO_BATCH 256U

/* One INS or OUTS; nothing has happened unless it returns 0. */
static int string_step(struct emul *e, const struct vcpu_exit *exit, struct emul_page *page)
{
	struct vcpu *vcpu = e->vcpu;
	unsigned width = exit->io.width;
	enum vcpu_seg seg = exit->io.in ? SEG_ES : (enum vcpu_seg)exit->io.seg;
	enum walk_access access = exit->io.in ? WALK_WRITE : WALK_READ;
	uint64_t offset = vcpu_reg_get(vcpu, exit->io.in ? REG_RDI : REG_RSI) &
	                  width_mask(exit->io.addr_width);
	struct emul_operand operand;
	gva_t va;
	int err;

	err = emul_linear(e, seg, offset, width, access, &va);
	if (!err) {
		err = emul_translate(e, page, va, width, access, &operand);
	}
	if (err) {
		return err;
	}
	if (exit->io.in) {
		emul_store(vcpu, &operand,
		        io_cache_read(&vcpu->pio, &vcpu->vm->pio, exit->io.port, width));
	} else {
		io_cache_write(&vcpu->pio, &vcpu->vm->pio, exit->io.port, width,
		        emul_load(vcpu, &operand));
	}
	return 0;
}

static enum exit_action pio_string(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct emul_page page = {.va = EMUL_NO_PAGE};
	unsigned addr_width = exit->io.addr_width;
	unsigned index = exit->io.in ? REG_RDI : REG_RSI;
	uint64_t left = 1;
	struct emul e;
	int64_t step;

	if (exit->io.rep) {
		left = vcpu_reg_get(vcpu, REG_RCX) & width_mask(addr_width);
	}
	emul_begin(&e, vcpu);
	step = (emul_walk(&e)->rflags & RFLAGS_DF) != 0 ? -(int64_t)exit->io.width : exit->io.width;
	for (unsigned n = 0; left != 0; n++) {
		int err;

		if (n == PIO_BATCH) {
			return ACT_RESUME; /* the same instruction goes on */
		}
		/* [SDM3] "Single-Step Exception Condition": a step is one iteration. */
		if (n == 1 && (emul_walk(&e)->rflags & RFLAGS_TF)) {
			cpu_virt->skip_insn(vcpu, 0);
			return ACT_RESUME;
		}
		err = string_step(&e, exit, &page);
		if (err) {
			return emul_fail(&e, err);
		}
		emul_reg_add(vcpu, index, addr_width, step);
		left--;
		if (exit->io.rep) {
			emul_reg_add(vcpu, REG_RCX, addr_width, -1);
		}
		if (vcpu->io_breakpoints && dr_io_access(vcpu, exit->io.port, exit->io.width) &&
		        left != 0) {
			cpu_virt->skip_insn(vcpu, 0);
			return ACT_RESUME;
		}
	}
	return ACT_SKIP;
}

/* What of RAX a read of 1, 2 or 4 bytes leaves alone - four clear the upper half - and sets. */
static const struct {
	uint64_t kept, set;
} rax_parts[] = {
        [1] = {~0xffULL, 0xffULL},
        [2] = {~0xffffULL, 0xffffULL},
        [4] = {0, 0xffffffffULL},
};

static inline enum exit_action pio_register(
        struct vcpu *vcpu, const struct vcpu_exit *exit, const struct io_target *t)
{
	unsigned width = exit->io.width;
	uint64_t *rax = &vcpu->gpr[REG_RAX];

	if (exit->io.in) {
		uint64_t v = t->read(t->dev, t->offset, width);

		*rax = (*rax & rax_parts[width].kept) | (v & rax_parts[width].set);
	} else {
		t->write(t->dev, t->offset, width, *rax & rax_parts[width].set);
	}
	return ACT_SKIP;
}

/* Strings, a guest whose DR7 watches ports, and a port that was not accessed lately. */
__attribute__((noinline)) static enum exit_action pio_rare(
        struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	if (exit->io.string) {
		return pio_string(vcpu, exit);
	}
	if (vcpu->io_breakpoints) {
		(void)dr_io_access(vcpu, exit->io.port, exit->io.width);
	}
	return pio_register(vcpu, exit,
	        io_cache_find(&vcpu->pio, &vcpu->vm->pio, exit->io.port, exit->io.width));
}

enum exit_action pio_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	const struct io_target *t =
	        io_cache_hit(&vcpu->pio, &vcpu->vm->pio, exit->io.port, exit->io.width);

	if (__builtin_expect(!t || (exit->io.string | vcpu->io_breakpoints), 0)) {
		return pio_rare(vcpu, exit);
	}
	return pio_register(vcpu, exit, t);
}
