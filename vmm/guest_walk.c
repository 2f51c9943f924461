// SPDX-License-Identifier: BSD-2-Clause
// Guest-virtual to guest-physical through the guest's own page tables.
// Specs: [SDM3] "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging",
// "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags"; [SDM1] "Canonical
// Addressing".
#include "vmm/guest_walk.h"
#include "vmm/cpuid_policy.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"

#define PTE_P BIT64(0)
#define PTE_RW BIT64(1)
#define PTE_US BIT64(2)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)
#define PTE_XD BIT64(63)
#define PTE_ADDR GENMASK64(51, 12)

#define PF_P BIT(0)
#define PF_WR BIT(1)
#define PF_US BIT(2)
#define PF_RSVD BIT(3)
#define PF_ID BIT(4)

enum walk_mode { MODE_LONG, MODE_PAE, MODE_32 };

struct walk {
	struct guest_mem *mem;
	const struct walk_state *state;
	enum walk_mode mode;
	enum walk_access access;
	struct walk_trace *trace; /* of this round, for the accessed and dirty flags */
	unsigned page_shift;
	uint64_t reserved;            /* at every level */
	bool writable, user, no_exec; /* rights of all levels together */
	bool accessed;                /* all levels have the flag */
};

static bool is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static int page_fault(const struct walk *w, uint32_t bits, struct walk_fault *fault)
{
	const struct walk_state *s = w->state;
	bool id =
	        (s->cr4 & CR4_SMEP) != 0 || ((s->cr4 & CR4_PAE) != 0 && (s->efer & EFER_NXE) != 0);

	fault->vector = X86_PF;
	fault->error = bits | (w->access == WALK_WRITE ? PF_WR : 0) | (s->cpl == 3 ? PF_US : 0) |
	               (w->access == WALK_FETCH && id ? PF_ID : 0);
	return -EFAULT;
}

/*
 * Bits that must be zero in an entry (level 3 = PML4E ... 0 = PTE) beside those above MAXPHYADDR
 * and XD. With PSE-36 the bits for less than 40 address bits are added.
 */
static const struct {
	uint64_t small, large;
} must_be_zero[][WALK_MAX_LEVELS] = {
        [MODE_LONG] = {[1] = {0, GENMASK64(20, 13)},
                [2] = {0, GENMASK64(29, 13)},
                [3] = {PTE_PS, PTE_PS}},
        [MODE_PAE] = {[0] = {GENMASK64(62, 52), GENMASK64(62, 52)},
                [1] = {GENMASK64(62, 52), GENMASK64(62, 52) | GENMASK64(20, 13)},
                [2] = {GENMASK64(63, 52) | GENMASK64(8, 5) | GENMASK64(2, 1),
                        GENMASK64(63, 52) | GENMASK64(8, 5) | GENMASK64(2, 1)}},
        [MODE_32] = {[1] = {0, BIT64(21)}},
};

/* The part of the reserved bits that is the same at all levels. */
static uint64_t common_reserved(const struct walk_state *s, enum walk_mode mode)
{
	if (mode == MODE_32) {
		return 0;
	}
	return (s->phys_bits < 52 ? GENMASK64(51, s->phys_bits) : 0) |
	       ((s->efer & EFER_NXE) != 0 ? 0 : PTE_XD);
}

static inline bool is_reserved(
        const struct walk *w, enum walk_mode mode, unsigned level, bool leaf, uint64_t entry)
{
	bool large = leaf && level > 0;
	uint64_t zero = w->reserved |
	                (large ? must_be_zero[mode][level].large : must_be_zero[mode][level].small);

	if (large && mode == MODE_32 && w->state->phys_bits < 40) {
		/* PSE-36: bits 20-13 are address bits 39-32. */
		zero |= GENMASK64(21, w->state->phys_bits > 32 ? w->state->phys_bits - 19 : 13);
	}
	return (entry & zero) != 0;
}

static inline int read_entry(const struct walk *w, enum walk_mode mode, gpa_t at, uint64_t *entry)
{
	uint32_t entry32;
	int err;

	if (mode != MODE_32) {
		return gmem_read_u64(w->mem, at, entry);
	}
	err = gmem_read_u32(w->mem, at, &entry32);
	*entry = err ? 0 : entry32;
	return err;
}

/* Does the walk end here, at a PTE or at a large page? */
static inline bool is_leaf(
        const struct walk *w, enum walk_mode mode, unsigned level, uint64_t entry)
{
	if (level == 0) {
		return true;
	}
	if ((entry & PTE_PS) == 0) {
		return false;
	}
	switch (mode) {
	case MODE_LONG:
		return level < 3;
	case MODE_PAE:
		return level == 1;
	case MODE_32:
		return (w->state->cr4 & CR4_PSE) != 0;
	}
	return true;
}

static uint64_t leaf_base(const struct walk *w, uint64_t entry)
{
	uint64_t mask = BIT64(w->page_shift) - 1;

	if (w->mode == MODE_32 && w->page_shift == 22) {
		return (entry & GENMASK64(31, 22)) | ((entry & GENMASK64(20, 13)) << 19);
	}
	return entry & PTE_ADDR & ~mask;
}

/*
 * From CR3 to the leaf: rights gathered, entries kept in steps[]. Inlined once for each mode, where
 * the tables below become constants: this is most of what an MMIO exit costs.
 */
static inline __attribute__((always_inline)) int descend(
        struct walk *w, const enum walk_mode mode, uint64_t va, struct walk_fault *fault)
{
	static const struct {
		uint8_t levels, index_bits, entry_size, root_index_bits;
		uint64_t root_mask;
	} modes[] = {
	        [MODE_LONG] = {4, 9, 8, 9, PTE_ADDR},
	        [MODE_PAE] = {3, 9, 8, 2, GENMASK64(31, 5)},
	        [MODE_32] = {2, 10, 4, 10, GENMASK64(31, 12)},
	};
	uint64_t table = w->state->cr3 & modes[mode].root_mask;
	unsigned level = modes[mode].levels;
	unsigned index_bits = modes[mode].root_index_bits;

	uint64_t all = PTE_RW | PTE_US | PTE_A, any = 0;
	unsigned n = 0;

	for (;;) {
		uint64_t entry;
		unsigned shift;
		bool leaf;
		gpa_t at;

		level--;
		shift = PAGE_SHIFT + level * modes[mode].index_bits;
		at = gpa(
		        table + ((va >> shift) & (BIT64(index_bits) - 1)) * modes[mode].entry_size);
		if (read_entry(w, mode, at, &entry)) {
			return -EIO;
		}
		if ((entry & PTE_P) == 0) {
			return page_fault(w, 0, fault);
		}
		leaf = is_leaf(w, mode, level, entry);
		if (is_reserved(w, mode, level, leaf, entry)) {
			return page_fault(w, PF_P | PF_RSVD, fault);
		}
		/* The PAE directory pointers have neither rights nor an accessed flag. */
		if (mode != MODE_PAE || level != 2) {
			w->trace->steps[n++] = (struct walk_step){at, entry};
			all &= entry;
			any |= entry;
		}
		if (leaf) {
			w->trace->n = n;
			w->page_shift = shift;
			w->writable = (all & PTE_RW) != 0;
			w->user = (all & PTE_US) != 0;
			w->no_exec = (any & PTE_XD) != 0;
			w->accessed = (all & PTE_A) != 0;
			return 0;
		}
		table = entry & PTE_ADDR;
		index_bits = modes[mode].index_bits;
	}
}

static int descend_in_mode(struct walk *w, uint64_t va, struct walk_fault *fault)
{
	switch (w->mode) {
	case MODE_LONG:
		return descend(w, MODE_LONG, va, fault);
	case MODE_PAE:
		return descend(w, MODE_PAE, va, fault);
	case MODE_32:
		return descend(w, MODE_32, va, fault);
	}
	return -EIO;
}

static bool is_allowed(const struct walk *w)
{
	const struct walk_state *s = w->state;

	if (s->cpl == 3) {
		return w->user && !(w->access == WALK_WRITE && !w->writable) &&
		       !(w->access == WALK_FETCH && w->no_exec);
	}
	if (w->access == WALK_FETCH) {
		return !w->no_exec && !(w->user && (s->cr4 & CR4_SMEP) != 0);
	}
	if (w->user && (s->cr4 & CR4_SMAP) != 0 && (s->rflags & RFLAGS_AC) == 0) {
		return false;
	}
	return w->access != WALK_WRITE || w->writable || (s->cr0 & CR0_WP) == 0;
}

/* -EAGAIN when an entry is no longer what the walk read. */
static int set_flags(struct walk *w)
{
	const struct walk_trace *t = w->trace;

	if (w->accessed && (w->access != WALK_WRITE || (t->steps[t->n - 1].entry & PTE_D) != 0)) {
		return 0;
	}
	for (unsigned i = 0; i < t->n; i++) {
		const struct walk_step *step = &t->steps[i];
		bool dirty = i == t->n - 1 && w->access == WALK_WRITE;
		uint64_t want = step->entry | PTE_A | (dirty ? PTE_D : 0);
		int err;

		if (want == step->entry) {
			continue;
		}
		err = w->mode == MODE_32 ? gmem_cmpxchg_u32(w->mem, step->at, (uint32_t)step->entry,
		                                   (uint32_t)want)
		                         : gmem_cmpxchg_u64(w->mem, step->at, step->entry, want);
		if (err) {
			return err;
		}
	}
	return 0;
}

int guest_walk_traced(struct guest_mem *mem, const struct walk_state *state, gva_t va,
        enum walk_access access, gpa_t *out, struct walk_fault *fault, struct walk_trace *trace)
{
	struct walk w;
	int err;

	trace->n = 0;
	if ((state->cr0 & CR0_PG) == 0) {
		*out = gpa((uint32_t)va.v);
		return 0;
	}
	w.mem = mem;
	w.state = state;
	w.trace = trace;
	w.access = access;
	if ((state->efer & EFER_LMA) != 0) {
		w.mode = MODE_LONG;
		if (!is_canonical(va.v)) {
			*fault = (struct walk_fault){.error = 0, .vector = X86_GP};
			return -EFAULT;
		}
	} else {
		w.mode = (state->cr4 & CR4_PAE) != 0 ? MODE_PAE : MODE_32;
	}
	w.reserved = common_reserved(state, w.mode);
	for (unsigned tries = 0; tries < WALK_TRIES; tries++) {
		err = descend_in_mode(&w, va.v, fault);
		if (err) {
			return err;
		}
		if (!is_allowed(&w)) {
			return page_fault(&w, PF_P, fault);
		}
		if (set_flags(&w) != -EAGAIN) {
			break;
		}
	}
	*out = gpa(leaf_base(&w, trace->steps[trace->n - 1].entry) |
	           (va.v & (BIT64(w.page_shift) - 1)));
	return 0;
}

int guest_walk(struct guest_mem *mem, const struct walk_state *state, gva_t va,
        enum walk_access access, gpa_t *out, struct walk_fault *fault)
{
	struct walk_trace trace;

	return guest_walk_traced(mem, state, va, access, out, fault, &trace);
}

void guest_walk_state(struct vcpu *vcpu, struct walk_state *out)
{
	out->cr0 = vcpu_reg_get(vcpu, REG_CR0);
	out->cr3 = vcpu_reg_get(vcpu, REG_CR3);
	out->cr4 = vcpu_reg_get(vcpu, REG_CR4);
	out->efer = vcpu_reg_get(vcpu, REG_EFER);
	out->rflags = vcpu_reg_get(vcpu, REG_RFLAGS);
	out->cpl = vcpu_cpl(vcpu);
	out->phys_bits = cpuid_phys_bits();
}

static gva_t wrap(const struct walk_state *state, uint64_t va)
{
	return gva((state->efer & EFER_LMA) != 0 ? va : (uint32_t)va);
}

static size_t page_part(gva_t va, size_t len)
{
	size_t rest = PAGE_SIZE - (va.v & PAGE_MASK);

	return len < rest ? len : rest;
}

/* One page's part of a copy. */
struct part {
	gva_t va;
	gpa_t gpa;
	size_t len;
};

static int translate(struct vcpu *vcpu, const struct walk_state *state, struct part *part,
        enum walk_access access, gva_t *fault_va, struct walk_fault *fault)
{
	int err = guest_walk(&vcpu->vm->mem, state, part->va, access, &part->gpa, fault);

	*fault_va = part->va;
	if (!err && !gmem_is_ram(&vcpu->vm->mem, part->gpa, part->len)) {
		err = -EIO;
	}
	return err;
}

/* Exactly one of in and out is set. Each page is translated before the page before it is copied. */
static int copy_virt(struct vcpu *vcpu, const struct walk_state *state, gva_t va, uint8_t *in,
        const uint8_t *out, size_t len, gva_t *fault_va, struct walk_fault *fault)
{
	const enum walk_access access = in ? WALK_READ : WALK_WRITE;
	struct part part, next;
	int err;

	if (len == 0) {
		return 0;
	}
	part.va = wrap(state, va.v);
	part.len = page_part(part.va, len);
	err = translate(vcpu, state, &part, access, fault_va, fault);
	while (!err) {
		len -= part.len;
		if (len != 0) {
			next.va = wrap(state, part.va.v + part.len);
			next.len = page_part(next.va, len);
			err = translate(vcpu, state, &next, access, fault_va, fault);
			if (err) {
				break;
			}
		}
		if (in) {
			err = gmem_read(&vcpu->vm->mem, part.gpa, in, part.len);
			in += part.len;
		} else {
			err = gmem_write(&vcpu->vm->mem, part.gpa, out, part.len);
			out += part.len;
		}
		if (err || len == 0) {
			return err ? -EIO : 0;
		}
		part = next;
	}
	return err;
}

int guest_virt_write(struct vcpu *vcpu, gva_t va, const void *buf, size_t len, gva_t *fault_va,
        struct walk_fault *fault)
{
	struct walk_state state;

	guest_walk_state(vcpu, &state);
	return copy_virt(vcpu, &state, va, NULL, buf, len, fault_va, fault);
}

/* [SDM3] "Access Rights": implicit supervisor-mode accesses; EFLAGS.AC does not lift SMAP. */
static void system_state(struct vcpu *vcpu, struct walk_state *state)
{
	guest_walk_state(vcpu, state);
	state->cpl = 0;
	state->rflags &= ~RFLAGS_AC;
}

int guest_system_read(struct vcpu *vcpu, gva_t va, void *buf, size_t len, gva_t *fault_va,
        struct walk_fault *fault)
{
	struct walk_state state;

	system_state(vcpu, &state);
	return copy_virt(vcpu, &state, va, buf, NULL, len, fault_va, fault);
}

int guest_system_write(struct vcpu *vcpu, gva_t va, const void *buf, size_t len, gva_t *fault_va,
        struct walk_fault *fault)
{
	struct walk_state state;

	system_state(vcpu, &state);
	return copy_virt(vcpu, &state, va, NULL, buf, len, fault_va, fault);
}
