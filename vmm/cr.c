// SPDX-License-Identifier: BSD-2-Clause
/*
 * Control registers, EFER and XCR0: whether a write is legal, and what it changes.
 * Specs: [SDM3] "Control Registers", "Enabling and Disabling IA-32e Mode Operation", "PAE Paging",
 * "Operations that Invalidate TLBs and Paging-Structure Caches"; [SDM2] "MOV - Move to/from
 * Control Registers", "LMSW", "XSETBV".
 */
#include "vmm/cr.h"

#include "vmm/cpuid_policy.h"
#include "vmm/cpuid_xstate.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/vm.h"

#define CR0_DEFINED \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	        CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

#define CR3_NO_FLUSH BIT64(63) /* with CR4.PCIDE */
#define CR3_PCID 0xfffULL
#define CR3_PAE_TABLE 0xffffffe0ULL

#define PDPTE_P BIT64(0)
/* [SDM3] "PAE Paging", format of a PDPTE: bits 1-2 and 5-8 are reserved. */
#define PDPTE_RESERVED 0x1e6ULL

/* Changes that make the processor load the PDPTEs again ([SDM3] "PDPTE Registers"). */
#define CR0_PDPTE (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTE (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)

static enum exit_action refuse(struct vcpu *vcpu)
{
	return vcpu_fault(vcpu, X86_GP, 0);
}

static bool code_is_long(struct vcpu *vcpu)
{
	struct segment cs;

	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	return (cs.attr & SEG_ATTR_L) != 0;
}

/* 64-bit mode: outside it, moves are 32 bits wide whatever the registers hold. */
static bool in_64bit_mode(struct vcpu *vcpu)
{
	return (cpu_virt->get_reg(vcpu, REG_EFER) & EFER_LMA) && code_is_long(vcpu);
}

static bool tss_is_16bit(struct vcpu *vcpu)
{
	struct segment tr;

	cpu_virt->get_seg(vcpu, SEG_TR, &tr);
	/* [SDM3] "Code- and Data-Segment Types", system types: 1 and 3 are 16-bit TSSs. */
	return (tr.attr & SEG_ATTR_TYPE & ~2U) == 1;
}

/*
 * PAE paging without IA-32e: the four entries at CR3 are read once and checked. What is not RAM
 * reads as ones on the machine, and these have reserved bits set.
 */
static bool load_pdptes(struct vcpu *vcpu, uint64_t cr3)
{
	const uint64_t reserved = PDPTE_RESERVED | ~GENMASK64(cpuid_phys_bits() - 1, 0);
	uint64_t pdpte[4];

	if (gmem_read(&vcpu->vm->mem, gpa(cr3 & CR3_PAE_TABLE), pdpte, sizeof(pdpte))) {
		return false;
	}
	for (unsigned i = 0; i < 4; i++) {
		if ((pdpte[i] & PDPTE_P) && (pdpte[i] & reserved)) {
			return false;
		}
	}
	cpu_virt->set_pdptes(vcpu, pdpte);
	return true;
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

static bool write_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = cpu_virt->get_reg(vcpu, REG_CR0);
	uint64_t cr4 = cpu_virt->get_reg(vcpu, REG_CR4);
	uint64_t efer = cpu_virt->get_reg(vcpu, REG_EFER);
	uint64_t changed;

	/* Reserved bits above 31 fault, those below are ignored; ET is hard-wired. */
	if (value >> 32) {
		return false;
	}
	value = (value & CR0_DEFINED) | CR0_ET;
	changed = old ^ value;
	if ((value & CR0_NW) && !(value & CR0_CD)) {
		return false;
	}
	if ((value & CR0_PG) && !(value & CR0_PE)) {
		return false;
	}
	if ((changed & CR0_PG) && (value & CR0_PG) && (efer & EFER_LME)) {
		if (!(cr4 & CR4_PAE) || code_is_long(vcpu) || tss_is_16bit(vcpu)) {
			return false;
		}
		efer |= EFER_LMA;
	}
	if ((changed & CR0_PG) && !(value & CR0_PG)) {
		if ((cr4 & CR4_PCIDE) || ((efer & EFER_LMA) && code_is_long(vcpu))) {
			return false;
		}
		efer &= ~EFER_LMA;
	}
	if ((changed & CR0_PDPTE) && pae_paging(value, cr4, efer) &&
	        !load_pdptes(vcpu, cpu_virt->get_reg(vcpu, REG_CR3))) {
		return false;
	}
	if (changed & CR0_PG) {
		cpu_virt->set_reg(vcpu, REG_EFER, efer);
	}
	cpu_virt->set_reg(vcpu, REG_CR0, value);
	if (changed & CR0_PG) {
		cpu_virt->flush_guest_tlb(vcpu);
	}
	return true;
}

static bool write_cr3(struct vcpu *vcpu, uint64_t value)
{
	uint64_t cr4 = cpu_virt->get_reg(vcpu, REG_CR4);
	bool keep_tlb = false;

	if ((cr4 & CR4_PCIDE) && (value & CR3_NO_FLUSH)) {
		keep_tlb = true;
		value &= ~CR3_NO_FLUSH;
	}
	if (value & ~GENMASK64(cpuid_phys_bits() - 1, 0)) {
		return false;
	}
	if (pae_paging(cpu_virt->get_reg(vcpu, REG_CR0), cr4, cpu_virt->get_reg(vcpu, REG_EFER)) &&
	        !load_pdptes(vcpu, value)) {
		return false;
	}
	cpu_virt->set_reg(vcpu, REG_CR3, value);
	if (!keep_tlb) {
		cpu_virt->flush_guest_tlb(vcpu);
	}
	return true;
}

static bool write_cr4(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = cpu_virt->get_reg(vcpu, REG_CR4), changed = old ^ value;
	uint64_t efer = cpu_virt->get_reg(vcpu, REG_EFER);
	uint64_t cr3 = cpu_virt->get_reg(vcpu, REG_CR3);

	if (value & ~cpuid_cr4_allowed()) {
		return false;
	}
	if ((efer & EFER_LMA) && !(value & CR4_PAE)) {
		return false;
	}
	if ((changed & value & CR4_PCIDE) && (!(efer & EFER_LMA) || (cr3 & CR3_PCID))) {
		return false;
	}
	if ((changed & CR4_PDPTE) && pae_paging(cpu_virt->get_reg(vcpu, REG_CR0), value, efer) &&
	        !load_pdptes(vcpu, cr3)) {
		return false;
	}
	cpu_virt->set_reg(vcpu, REG_CR4, value);
	if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PKE)) ||
	        (changed & value & (CR4_SMEP | CR4_SMAP)) || (changed & old & CR4_PCIDE)) {
		cpu_virt->flush_guest_tlb(vcpu);
	}
	return true;
}

static bool write_cr8(struct vcpu *vcpu, uint64_t value)
{
	if (value > 15) {
		return false;
	}
	lapic_set_cr8(&vcpu->lapic, value);
	return true;
}

enum exit_action cr_write(struct vcpu *vcpu, unsigned cr, uint64_t value)
{
	bool ok;

	switch (cr) {
	case 0:
		ok = write_cr0(vcpu, value);
		break;
	case 3:
		ok = write_cr3(vcpu, value);
		break;
	case 4:
		ok = write_cr4(vcpu, value);
		break;
	case 8:
		ok = write_cr8(vcpu, value);
		break;
	default:
		return vcpu_fault_noerr(vcpu, X86_UD);
	}
	return ok ? ACT_SKIP : refuse(vcpu);
}

uint64_t cr_read(struct vcpu *vcpu, unsigned cr)
{
	switch (cr) {
	case 0:
		return cpu_virt->get_reg(vcpu, REG_CR0);
	case 3:
		return cpu_virt->get_reg(vcpu, REG_CR3);
	case 4:
		return cpu_virt->get_reg(vcpu, REG_CR4);
	case 8:
		return lapic_get_cr8(&vcpu->lapic);
	default:
		return 0;
	}
}

enum exit_action cr_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	enum vcpu_reg reg = exit->cr.reg & 15U;
	uint64_t value;

	if (exit->cr.clts) {
		value = cpu_virt->get_reg(vcpu, REG_CR0) & ~CR0_TS;
		return cr_write(vcpu, 0, value);
	}
	if (exit->cr.lmsw) {
		/* LMSW sets PE but never clears it. */
		value = cpu_virt->get_reg(vcpu, REG_CR0);
		value &= ~(CR0_LMSW & ~CR0_PE);
		return cr_write(vcpu, 0, value | (exit->cr.lmsw_value & CR0_LMSW));
	}
	if (!exit->cr.write) {
		vcpu_reg_set(vcpu, reg, cr_read(vcpu, exit->cr.cr));
		return ACT_SKIP;
	}
	value = vcpu_reg_get(vcpu, reg);
	if (!in_64bit_mode(vcpu)) {
		value = (uint32_t)value;
	}
	return cr_write(vcpu, exit->cr.cr, value);
}

bool efer_write(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = cpu_virt->get_reg(vcpu, REG_EFER);

	if (value & ~cpuid_efer_allowed()) {
		return false;
	}
	/* LMA follows CR0.PG and LME; writing it does nothing. */
	value = (value & ~EFER_LMA) | (old & EFER_LMA);
	if (((old ^ value) & EFER_LME) && (cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PG)) {
		return false;
	}
	cpu_virt->set_reg(vcpu, REG_EFER, value);
	if ((old ^ value) & EFER_NXE) {
		cpu_virt->flush_guest_tlb(vcpu);
	}
	return true;
}

enum exit_action xsetbv_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	uint32_t index = (uint32_t)vcpu->gpr[REG_RCX];
	uint64_t value = (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;

	(void)exit;
	if (!(cpu_virt->get_reg(vcpu, REG_CR4) & CR4_OSXSAVE)) {
		return vcpu_fault_noerr(vcpu, X86_UD);
	}
	if (vcpu_cpl(vcpu) != 0 || index != 0 || !xstate_xcr0_valid(value)) {
		return refuse(vcpu);
	}
	vcpu->xcr0 = value;
	cpu_xsetbv(0, value);
	return ACT_SKIP;
}
