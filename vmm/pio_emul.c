// SPDX-License-Identifier: BSD-2-Clause
// Port I/O exits: IN, OUT, and their string forms.
// Specs: [SDM2] "IN - Input from Port", "OUT - Output to Port", "INS/INSB/INSW/INSD - Input from
// Port to String", "OUTS/OUTSB/OUTSW/OUTSD - Output String to Port", "REP/REPE/REPZ/REPNE/REPNZ -
// Repeat String Operation Prefix"; [SDM3] "Relative Priority of Faults and VM Exits" (the
// processor has checked CPL, IOPL and the I/O bitmap, but not the memory operand).
#include "vmm/cr.h"
#include "vmm/emul_mem.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"
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

/*
 * Iterations from here on, at most max, that go upwards through RAM, on one page and within the
 * segment: they may be done at once. 0 = do one by itself, which finds out why.
 */
static unsigned block_len(struct emul *e, const struct vcpu_exit *exit, struct emul_page *page,
        unsigned max, gpa_t *at)
{
	unsigned width = exit->io.width, addr_width = exit->io.addr_width, n;
	enum vcpu_seg seg = exit->io.in ? SEG_ES : (enum vcpu_seg)exit->io.seg;
	enum walk_access access = exit->io.in ? WALK_WRITE : WALK_READ;
	uint64_t offset =
	        vcpu_reg_get(e->vcpu, exit->io.in ? REG_RDI : REG_RSI) & width_mask(addr_width);
	struct emul_operand operand;
	gva_t va;

	if (emul_linear(e, seg, offset, width, access, &va) ||
	        emul_translate(e, page, va, width, access, &operand)) {
		return 0;
	}
	n = (unsigned)(PAGE_SIZE - (va.v & PAGE_MASK)) / width;
	n = n < max ? n : max;
	if (n < 2 || n * width - 1 > width_mask(addr_width) - offset ||
	        emul_linear(e, seg, offset, n * width, access, &va) ||
	        !emul_is_ram(e->vcpu, operand.gpa[0], n * width)) {
		return 0;
	}
	*at = operand.gpa[0];
	return n;
}

/* n iterations with the RAM at 'at'. */
static void string_block(struct vcpu *vcpu, const struct vcpu_exit *exit, gpa_t at, unsigned n)
{
	struct vm *vm = vcpu->vm;
	uint8_t buf[PIO_BATCH * sizeof(uint32_t)];
	unsigned width = exit->io.width;
	uint64_t value = 0;

	if (exit->io.in) {
		for (unsigned i = 0; i < n; i++) {
			value = io_cache_read(&vcpu->pio, &vm->pio, exit->io.port, width);
			memcpy(buf + i * width, &value, width);
		}
		(void)!gmem_write(&vm->mem, at, buf, n * width);
		return;
	}
	if (gmem_read(&vm->mem, at, buf, n * width)) {
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		memcpy(&value, buf + i * width, width);
		io_cache_write(&vcpu->pio, &vm->pio, exit->io.port, width, value);
	}
}

static enum exit_action pio_string(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct emul_page page = {.va = EMUL_NO_PAGE};
	unsigned addr_width = exit->io.addr_width;
	unsigned index = exit->io.in ? REG_RDI : REG_RSI;
	uint64_t left = 1;
	uint64_t rflags;
	struct emul e;
	bool blocks;

	if (exit->io.rep) {
		left = vcpu_reg_get(vcpu, REG_RCX) & width_mask(addr_width);
	}
	emul_begin(&e, vcpu);
	rflags = emul_walk(&e)->rflags;
	blocks = (rflags & (RFLAGS_DF | RFLAGS_TF)) == 0 && !vcpu->io_breakpoints;
	for (unsigned n = 0, step; left != 0; n += step) {
		unsigned max = left < PIO_BATCH - n ? (unsigned)left : PIO_BATCH - n;
		int64_t bytes;
		gpa_t at;
		int err;

		if (n == PIO_BATCH) {
			return ACT_RESUME; /* the same instruction goes on */
		}
		/* [SDM3] "Single-Step Exception Condition": a step is one iteration. */
		if (n == 1 && (rflags & RFLAGS_TF)) {
			cpu_virt->skip_insn(vcpu, 0);
			return ACT_RESUME;
		}
		step = blocks ? block_len(&e, exit, &page, max, &at) : 0;
		if (step) {
			string_block(vcpu, exit, at, step);
		} else {
			step = 1;
			err = string_step(&e, exit, &page);
			if (err) {
				return emul_fail(&e, err);
			}
		}
		bytes = (int64_t)step * exit->io.width;
		emul_reg_add(vcpu, index, addr_width, (rflags & RFLAGS_DF) != 0 ? -bytes : bytes);
		left -= step;
		if (exit->io.rep) {
			emul_reg_add(vcpu, REG_RCX, addr_width, -(int64_t)step);
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
