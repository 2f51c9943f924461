// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory types of host-physical ranges.
 * Specs: [SDM3] "Memory Type Range Registers (MTRRs)", "MTRR Precedences".
 */
#include "vmx/ept_memtype.h"

#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"
#include "vmm/x86.h"

#define DEF_TYPE_ENABLE BIT64(11)
#define DEF_TYPE_FIXED BIT64(10)
#define CAP_VCNT 0xffU
#define CAP_FIXED BIT64(8)
#define MASK_VALID BIT64(11)
#define FIXED_END 0x100000ULL

void mtrrs_read(struct mtrrs *m)
{
	static const uint32_t fixed[MTRR_FIXED] = {
	        0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
	struct cpuid_regs max = cpu_cpuid(0x80000000U, 0);
	unsigned bits = 36;

	memset(m, 0, sizeof(*m));
	if (max.eax >= 0x80000008U) {
		bits = cpu_cpuid(0x80000008U, 0).eax & 0xffU;
	}
	m->phys_mask = BIT64(bits) - 1;
	if (!(cpu_cpuid(1, 0).edx & BIT(12)) || !cpu_rdmsr_safe(MSR_IA32_MTRRCAP, &m->cap)) {
		/* No MTRRs: everything is what the page tables say. */
		m->def_type = DEF_TYPE_ENABLE | MEMTYPE_WB;
		m->cap = 0;
		return;
	}
	m->def_type = cpu_rdmsr(MSR_IA32_MTRR_DEF_TYPE);
	for (unsigned i = 0; (m->cap & CAP_FIXED) && i < MTRR_FIXED; i++) {
		m->fixed[i] = cpu_rdmsr(fixed[i]);
	}
	for (unsigned i = 0; i < (m->cap & CAP_VCNT) && i < MTRR_MAX_VARIABLE; i++) {
		m->var[i].base = cpu_rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i);
		m->var[i].mask = cpu_rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i + 1);
	}
}

static enum memtype fixed_type(const struct mtrrs *m, uint64_t pa)
{
	unsigned reg, byte;

	if (pa < 0x80000) {
		reg = 0;
		byte = (unsigned)(pa >> 16);
	} else if (pa < 0xc0000) {
		reg = 1 + (unsigned)((pa - 0x80000) >> 17);
		byte = (unsigned)((pa >> 14) & 7);
	} else {
		reg = 3 + (unsigned)((pa - 0xc0000) >> 15);
		byte = (unsigned)((pa >> 12) & 7);
	}
	return (enum memtype)((m->fixed[reg] >> (8 * byte)) & 0xffU);
}

/* Where variable ranges overlap: UC wins, then WT over WB; anything else is undefined, so UC. */
static enum memtype combine(enum memtype a, enum memtype b)
{
	if (a == b) {
		return a;
	}
	if ((a == MEMTYPE_WT && b == MEMTYPE_WB) || (a == MEMTYPE_WB && b == MEMTYPE_WT)) {
		return MEMTYPE_WT;
	}
	return MEMTYPE_UC;
}

enum memtype mtrr_page_type(const struct mtrrs *m, uint64_t pa)
{
	enum memtype type = MEMTYPE_UC;
	bool found = false;

	if (!(m->def_type & DEF_TYPE_ENABLE)) {
		return MEMTYPE_UC;
	}
	if (pa < FIXED_END && (m->def_type & DEF_TYPE_FIXED) && (m->cap & CAP_FIXED)) {
		return fixed_type(m, pa);
	}
	for (unsigned i = 0; i < (m->cap & CAP_VCNT) && i < MTRR_MAX_VARIABLE; i++) {
		uint64_t mask = m->var[i].mask & m->phys_mask & ~(uint64_t)PAGE_MASK;
		enum memtype here = (enum memtype)(m->var[i].base & 0xffU);

		if (!(m->var[i].mask & MASK_VALID) || ((pa ^ m->var[i].base) & mask)) {
			continue;
		}
		type = found ? combine(type, here) : here;
		found = true;
	}
	return found ? type : (enum memtype)(m->def_type & 0xffU);
}

bool mtrr_range_type(const struct mtrrs *m, uint64_t pa, uint64_t len, enum memtype *type)
{
	*type = mtrr_page_type(m, pa);
	if (pa < FIXED_END && len > PAGE_SIZE) {
		/* Fixed ranges differ page by page: compare each. At most 256, the rest is above.
		 */
		for (uint64_t p = pa; p < pa + len && p <= FIXED_END; p += PAGE_SIZE) {
			if (mtrr_page_type(m, p) != *type) {
				return false;
			}
		}
	}
	/*
	 * A variable range is an aligned power of two (or several, when its mask has holes): it
	 * either covers an aligned range, misses it, or has a border inside: its mask then has a
	 * bit below len.
	 */
	for (unsigned i = 0; i < (m->cap & CAP_VCNT) && i < MTRR_MAX_VARIABLE; i++) {
		uint64_t mask = m->var[i].mask & m->phys_mask & ~(uint64_t)PAGE_MASK;

		if (!(m->var[i].mask & MASK_VALID) || !(m->def_type & DEF_TYPE_ENABLE)) {
			continue;
		}
		if ((mask & (len - 1)) && !((pa ^ m->var[i].base) & mask & ~(len - 1))) {
			return false;
		}
	}
	return true;
}
