// SPDX-License-Identifier: BSD-2-Clause
// Memory and register operands of emulated instructions.
// Specs: [SDM3] "Limit Checking", "Type Checking", "Null Segment Selector Checking", "Local APIC
// Registers" (access widths); [SDM1] "General-Purpose Registers in 64-Bit Mode", "Canonical
// Addressing".
#include "vmm/emul_mem.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"

#define TYPE_CODE 8U
#define TYPE_EXPAND_DOWN 4U /* data */
#define TYPE_WRITE 2U       /* data: writable; code: readable */

/* In the APIC page registers are 4 bytes at every 16th. */
#define APIC_SLOT_MASK 0xfU
#define APIC_REG_WIDTH 4U

void emul_begin(struct emul *e, struct vcpu *vcpu)
{
	struct segment cs;

	emul_begin_64(e, vcpu);
	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	if ((vcpu_reg_get(vcpu, REG_EFER) & EFER_LMA) == 0 || (cs.attr & SEG_ATTR_L) == 0) {
		/* Real and virtual-8086 mode: the processor keeps D clear. */
		e->mode = (cs.attr & SEG_ATTR_DB) != 0 ? INSN_32 : INSN_16;
		e->cs_base = cs.base;
	}
}

const struct walk_state *emul_walk(struct emul *e)
{
	if (!e->has_walk) {
		guest_walk_state(e->vcpu, &e->walk);
		e->has_walk = true;
	}
	return &e->walk;
}

uint64_t emul_seg_base(const struct emul *e, enum vcpu_seg seg)
{
	struct segment s;

	if (e->mode == INSN_64 && seg != SEG_FS && seg != SEG_GS) {
		return 0;
	}
	cpu_virt->get_seg(e->vcpu, seg, &s);
	return s.base;
}

gva_t emul_linear_unchecked(const struct emul *e, enum vcpu_seg seg, uint64_t offset)
{
	uint64_t va = emul_seg_base(e, seg) + offset;

	return gva(e->mode == INSN_64 ? va : (uint32_t)va);
}

static int segment_fault(struct emul *e, enum vcpu_seg seg)
{
	e->fault.vector = seg == SEG_SS ? X86_SS : X86_GP;
	e->fault.error = 0;
	return -EFAULT;
}

static bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Do the segment's type and limit admit this access? Not for 64-bit mode. */
static bool segment_admits(struct emul *e, const struct segment *s, uint64_t offset, unsigned width,
        enum walk_access access)
{
	unsigned type = s->attr & SEG_ATTR_TYPE;
	uint64_t last = offset + width - 1;

	if ((emul_walk(e)->cr0 & CR0_PE) != 0 && (emul_walk(e)->rflags & RFLAGS_VM) == 0) {
		if (s->unusable) {
			return false;
		}
		if (access == WALK_WRITE && (type & (TYPE_CODE | TYPE_WRITE)) != TYPE_WRITE) {
			return false;
		}
		if (access == WALK_READ && (type & TYPE_CODE) != 0 && (type & TYPE_WRITE) == 0) {
			return false;
		}
	}
	if ((type & (TYPE_CODE | TYPE_EXPAND_DOWN)) == TYPE_EXPAND_DOWN) {
		uint64_t top = (s->attr & SEG_ATTR_DB) != 0 ? 0xffffffffULL : 0xffffULL;

		return offset > s->limit && last <= top;
	}
	return last <= s->limit;
}

int emul_linear(struct emul *e, enum vcpu_seg seg, uint64_t offset, unsigned width,
        enum walk_access access, gva_t *va)
{
	struct segment s;

	if (e->mode == INSN_64) {
		*va = gva(emul_seg_base(e, seg) + offset);
		return is_canonical(va->v) && is_canonical(va->v + width - 1)
		               ? 0
		               : segment_fault(e, seg);
	}
	cpu_virt->get_seg(e->vcpu, seg, &s);
	*va = gva((uint32_t)(s.base + offset));
	return segment_admits(e, &s, offset, width, access) ? 0 : segment_fault(e, seg);
}

static int translate_page(
        struct emul *e, struct emul_page *page, gva_t va, enum walk_access access, gpa_t *out)
{
	uint64_t off = va.v & PAGE_MASK;
	struct walk_trace trace;
	gpa_t at;
	int err;

	if (page->va == va.v - off) {
		*out = gpa(page->gpa + off);
		return 0;
	}
	err = guest_walk_traced(&e->vcpu->vm->mem, emul_walk(e), va, access, &at, &e->fault,
	        e->trace ? e->trace : &trace);
	if (err) {
		e->fault_va = va;
		return err;
	}
	page->va = va.v - off;
	page->gpa = at.v - off;
	*out = at;
	return 0;
}

int emul_translate(struct emul *e, struct emul_page *page, gva_t va, unsigned width,
        enum walk_access access, struct emul_operand *out)
{
	uint64_t rest = PAGE_SIZE - (va.v & PAGE_MASK);
	int err = translate_page(e, page, va, access, &out->gpa[0]);
	gva_t next;

	if (err || width <= rest) {
		out->len[0] = (uint8_t)width;
		out->len[1] = 0;
		return err;
	}
	next = gva_add(va, rest);
	if (e->mode != INSN_64) {
		next = gva((uint32_t)next.v);
	}
	out->len[0] = (uint8_t)rest;
	out->len[1] = (uint8_t)(width - rest);
	return translate_page(e, page, next, access, &out->gpa[1]);
}

static bool is_apic_page(const struct vcpu *vcpu, gpa_t at)
{
	uint64_t base = vcpu->lapic.base;

	return ((at.v ^ base) & GENMASK64(51, PAGE_SHIFT)) == 0 &&
	       (base & (APIC_BASE_EN | APIC_BASE_EXTD)) == APIC_BASE_EN;
}

/* Parts of a register can be read; between the registers there are zeros. */
static uint64_t apic_load(struct vcpu *vcpu, uint32_t off, unsigned len)
{
	uint32_t in_slot = off & APIC_SLOT_MASK;
	uint64_t v;

	if (in_slot >= APIC_REG_WIDTH) {
		return 0;
	}
	v = lapic_read(&vcpu->lapic, off - in_slot);
	return (v >> (8 * in_slot)) & width_mask(len);
}

/* Only whole registers can be written; what goes to the bytes above one is dropped. */
static void apic_store(struct vcpu *vcpu, uint32_t off, unsigned len, uint64_t value)
{
	if ((off & APIC_SLOT_MASK) == 0 && len >= APIC_REG_WIDTH) {
		lapic_write(&vcpu->lapic, off, (uint32_t)value);
	}
}

/* The widest bus access for the first of len bytes: a power of two, aligned if split. */
static unsigned bus_width(gpa_t at, unsigned len)
{
	unsigned width = 1;

	if (is_pow2(len)) {
		return len;
	}
	while (width * 2 <= len && is_aligned(at.v, width * 2)) {
		width *= 2;
	}
	return width;
}

/*
 * A device that was accessed there lately. RAM stays where it is, so what was found on the bus is
 * no RAM now; but an overlay may have come.
 */
static inline const struct io_target *known_device(struct vcpu *vcpu, gpa_t at, unsigned len)
{
	const struct io_target *t = io_cache_hit(&vcpu->mmio, &vcpu->vm->mmio, at.v, len);

	return t && !gmem_maybe_overlaid(&vcpu->vm->mem, at, len) ? t : NULL;
}

/* RAM, or a device: the first access to it, or one that the bus has to have in pieces. */
static __attribute__((noinline)) uint64_t load_any(struct vcpu *vcpu, gpa_t at, unsigned len)
{
	uint64_t v = 0;

	if (gmem_read(&vcpu->vm->mem, at, &v, len) == 0) {
		return v;
	}
	for (unsigned done = 0, n; done < len; done += n) {
		n = bus_width(gpa_add(at, done), len - done);
		v |= io_cache_read(&vcpu->mmio, &vcpu->vm->mmio, at.v + done, n) << (8 * done);
	}
	return v;
}

static __attribute__((noinline)) void store_any(
        struct vcpu *vcpu, gpa_t at, unsigned len, uint64_t value)
{
	if (gmem_write(&vcpu->vm->mem, at, &value, len) == 0) {
		return;
	}
	for (unsigned done = 0, n; done < len; done += n) {
		n = bus_width(gpa_add(at, done), len - done);
		io_cache_write(&vcpu->mmio, &vcpu->vm->mmio, at.v + done, n, value >> (8 * done));
	}
}

/* A run of 1-8 bytes on one page. */
static inline uint64_t load_run(struct vcpu *vcpu, gpa_t at, unsigned len)
{
	const struct io_target *t;

	if (is_apic_page(vcpu, at)) {
		return apic_load(vcpu, (uint32_t)(at.v & PAGE_MASK), len);
	}
	t = known_device(vcpu, at, len);
	return t ? t->read(t->dev, t->offset, len) & width_mask(len) : load_any(vcpu, at, len);
}

static inline void store_run(struct vcpu *vcpu, gpa_t at, unsigned len, uint64_t value)
{
	const struct io_target *t;

	if (is_apic_page(vcpu, at)) {
		apic_store(vcpu, (uint32_t)(at.v & PAGE_MASK), len, value);
		return;
	}
	t = known_device(vcpu, at, len);
	if (t) {
		t->write(t->dev, t->offset, len, value & width_mask(len));
	} else {
		store_any(vcpu, at, len, value);
	}
}

static __attribute__((noinline)) uint64_t load_two(
        struct vcpu *vcpu, const struct emul_operand *operand)
{
	uint64_t low = load_run(vcpu, operand->gpa[0], operand->len[0]);

	return low | load_run(vcpu, operand->gpa[1], operand->len[1]) << (8 * operand->len[0]);
}

static __attribute__((noinline)) void store_two(
        struct vcpu *vcpu, const struct emul_operand *operand, uint64_t value)
{
	store_run(vcpu, operand->gpa[0], operand->len[0], value & width_mask(operand->len[0]));
	store_run(vcpu, operand->gpa[1], operand->len[1],
	        (value >> (8 * operand->len[0])) & width_mask(operand->len[1]));
}

uint64_t emul_load(struct vcpu *vcpu, const struct emul_operand *operand)
{
	if (operand->len[1] != 0) {
		return load_two(vcpu, operand);
	}
	return load_run(vcpu, operand->gpa[0], operand->len[0]);
}

void emul_store(struct vcpu *vcpu, const struct emul_operand *operand, uint64_t value)
{
	if (operand->len[1] != 0) {
		store_two(vcpu, operand, value);
	} else {
		store_run(vcpu, operand->gpa[0], operand->len[0],
		        value & width_mask(operand->len[0]));
	}
}

bool emul_is_ram(const struct vcpu *vcpu, gpa_t at, unsigned len)
{
	const struct guest_mem *mem = &vcpu->vm->mem;

	return !is_apic_page(vcpu, at) && gmem_is_ram(mem, at, len) && !gmem_overlay_at(mem, at);
}

enum exit_action emul_fail(struct emul *e, int err)
{
	if (err == -EIO) {
		return vcpu_kill(e->vcpu, "a page table or code lies outside RAM");
	}
	if (e->fault.vector == X86_PF) {
		return vcpu_page_fault(e->vcpu, e->fault_va, e->fault.error);
	}
	return vcpu_fault(e->vcpu, (enum x86_exception)e->fault.vector, e->fault.error);
}

uint64_t emul_reg_get(struct vcpu *vcpu, unsigned reg, bool high)
{
	uint64_t v = vcpu_reg_get(vcpu, (enum vcpu_reg)reg);

	return high ? v >> 8 : v;
}

void emul_reg_set(struct vcpu *vcpu, unsigned reg, bool high, unsigned width, uint64_t value)
{
	if (width < 4) {
		uint64_t mask = width_mask(width) << (high ? 8 : 0);

		value = (vcpu_reg_get(vcpu, (enum vcpu_reg)reg) & ~mask) |
		        ((high ? value << 8 : value) & mask);
	} else {
		value &= width_mask(width);
	}
	vcpu_reg_set(vcpu, (enum vcpu_reg)reg, value);
}

void emul_reg_add(struct vcpu *vcpu, unsigned reg, unsigned addr_width, int64_t delta)
{
	emul_reg_set(vcpu, reg, false, addr_width,
	        vcpu_reg_get(vcpu, (enum vcpu_reg)reg) + (uint64_t)delta);
}
