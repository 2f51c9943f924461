// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest registers that live in the VMCS: neutral names to fields.
 * Specs: [SDM3] "Guest-State Area", "Guest/Host Masks and Read Shadows for CR0 and CR4",
 * table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
 */
#include "vmm/cpuid_policy.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define RIGHTS_UNUSABLE BIT64(16)
#define RIGHTS_ATTR 0xf0ffU
#define RIGHTS_DPL 0x60U
#define RIGHTS_CONFORMING 4U
#define PENDING_DEBUG_BS BIT64(14)
#define PENDING_DEBUG_ENABLED BIT64(12) /* B0-B3 are of enabled breakpoints */
#define BLOCKING_STI_MOV_SS 3ULL
#define DEBUGCTL_BTF BIT64(1)

/* The four fields of segment n lie two apart in each group, in the order of enum vcpu_seg. */
#define SEG_FIELD(first, seg) ((enum vmcs_field)((unsigned)(first) + 2U * (unsigned)(seg)))

uint64_t vmx_cr0_guest_owned(void)
{
	return CR0_TS | CR0_MP | CR0_EM | CR0_WP | CR0_AM;
}

uint64_t vmx_cr4_guest_owned(void)
{
	const uint64_t harmless = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PGE | CR4_PCE |
	                          CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_UMIP;

	return harmless & cpuid_cr4_allowed();
}

/* What the processor runs with: the guest's value, with VMX's fixed bits and our own. */
static uint64_t real_cr0(uint64_t cr0)
{
	uint64_t fixed0 = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	/* CD and NW would slow the host down, and with EPT memory types mean nothing else. */
	return ((cr0 | fixed0) & vmx_caps.cr0_fixed1) & ~(CR0_CD | CR0_NW);
}

static uint64_t real_cr4(uint64_t cr4)
{
	/* Machine checks belong to the host whatever the guest thinks. */
	return (cr4 | vmx_caps.cr4_fixed0 | CR4_MCE) & vmx_caps.cr4_fixed1;
}

static void set_efer(struct vcpu *vcpu, uint64_t efer)
{
	uint64_t entry = vmcs_read(VMCS_ENTRY_CONTROLS);
	uint64_t wanted = (efer & EFER_LMA) ? entry | ENTRY_IA32E : entry & ~(uint64_t)ENTRY_IA32E;

	vmcs_write(VMCS_GUEST_EFER, efer);
	vmx_vcpu(vcpu)->kernel64_mask =
	        (efer & EFER_LMA) ? SEG_ATTR_L | RIGHTS_DPL | RIGHTS_CONFORMING : 0;
	if (wanted != entry) {
		vmcs_write(VMCS_ENTRY_CONTROLS, wanted);
	}
}

uint64_t vmx_get_reg(struct vcpu *vcpu, enum vcpu_reg reg)
{
	uint64_t owned;

	switch ((unsigned)reg) {
	case REG_RSP:
		return vmcs_read(VMCS_GUEST_RSP);
	case REG_RIP:
		return vmcs_read(VMCS_GUEST_RIP);
	case REG_RFLAGS:
		return vmcs_read(VMCS_GUEST_RFLAGS);
	case REG_CR0:
		owned = vmx_cr0_guest_owned();
		return (vmcs_read(VMCS_GUEST_CR0) & owned) | (vmx_vcpu(vcpu)->cr0_shadow & ~owned);
	case REG_CR3:
		return vmcs_read(VMCS_GUEST_CR3);
	case REG_CR4:
		owned = vmx_cr4_guest_owned();
		return (vmcs_read(VMCS_GUEST_CR4) & owned) | (vmx_vcpu(vcpu)->cr4_shadow & ~owned);
	case REG_EFER:
		return vmcs_read(VMCS_GUEST_EFER);
	case REG_DR7:
		return vmcs_read(VMCS_GUEST_DR7);
	case REG_SYSENTER_CS:
		return vmcs_read(VMCS_GUEST_SYSENTER_CS);
	case REG_SYSENTER_ESP:
		return vmcs_read(VMCS_GUEST_SYSENTER_ESP);
	case REG_SYSENTER_EIP:
		return vmcs_read(VMCS_GUEST_SYSENTER_EIP);
	case REG_PAT:
		return vmx_caps.pat ? vmcs_read(VMCS_GUEST_PAT) : vmx_vcpu(vcpu)->pat;
	case REG_DEBUGCTL:
		return vmcs_read(VMCS_GUEST_DEBUGCTL);
	default:
		return vcpu->gpr[reg];
	}
}

void vmx_set_reg(struct vcpu *vcpu, enum vcpu_reg reg, uint64_t value)
{
	switch ((unsigned)reg) {
	case REG_RSP:
		vmcs_write(VMCS_GUEST_RSP, value);
		break;
	case REG_RIP:
		vmcs_write(VMCS_GUEST_RIP, value);
		break;
	case REG_RFLAGS:
		vmcs_write(VMCS_GUEST_RFLAGS, value | RFLAGS_FIXED1);
		break;
	case REG_CR0:
		vmx_vcpu(vcpu)->modes++;
		vmx_vcpu(vcpu)->cr0_shadow = value;
		vmcs_write(VMCS_CR0_SHADOW, value);
		vmcs_write(VMCS_GUEST_CR0, real_cr0(value));
		break;
	case REG_CR3:
		vmcs_write(VMCS_GUEST_CR3, value);
		break;
	case REG_CR4:
		vmx_vcpu(vcpu)->modes++;
		vmx_vcpu(vcpu)->cr4_shadow = value;
		vmcs_write(VMCS_CR4_SHADOW, value);
		vmcs_write(VMCS_GUEST_CR4, real_cr4(value));
		break;
	case REG_EFER:
		vmx_vcpu(vcpu)->modes++;
		set_efer(vcpu, value);
		break;
	case REG_DR7:
		vmcs_write(VMCS_GUEST_DR7, value);
		break;
	case REG_SYSENTER_CS:
		vmcs_write(VMCS_GUEST_SYSENTER_CS, value);
		break;
	case REG_SYSENTER_ESP:
		vmcs_write(VMCS_GUEST_SYSENTER_ESP, value);
		break;
	case REG_SYSENTER_EIP:
		vmcs_write(VMCS_GUEST_SYSENTER_EIP, value);
		break;
	case REG_PAT:
		vmx_vcpu(vcpu)->pat = value;
		if (vmx_caps.pat) {
			vmcs_write(VMCS_GUEST_PAT, value);
		}
		break;
	case REG_DEBUGCTL:
		vmcs_write(VMCS_GUEST_DEBUGCTL, value);
		break;
	default:
		vcpu->gpr[reg] = value;
		break;
	}
}

void vmx_get_seg(struct vcpu *vcpu, enum vcpu_seg seg, struct segment *out)
{
	uint64_t rights = vmcs_read(SEG_FIELD(VMCS_GUEST_ES_RIGHTS, seg));

	(void)vcpu;
	out->selector = (uint16_t)vmcs_read(SEG_FIELD(VMCS_GUEST_ES_SELECTOR, seg));
	out->base = vmcs_read(SEG_FIELD(VMCS_GUEST_ES_BASE, seg));
	out->limit = (uint32_t)vmcs_read(SEG_FIELD(VMCS_GUEST_ES_LIMIT, seg));
	out->attr = (uint16_t)(rights & RIGHTS_ATTR);
	out->unusable = (rights & RIGHTS_UNUSABLE) != 0;
}

void vmx_set_seg(struct vcpu *vcpu, enum vcpu_seg seg, const struct segment *in)
{
	/* Of an unusable SS, DPL still is the CPL, and the entry compares it with CS. */
	uint64_t rights =
	        in->unusable ? RIGHTS_UNUSABLE | (in->attr & RIGHTS_DPL) : (in->attr & RIGHTS_ATTR);

	(void)vcpu;
	vmcs_write(SEG_FIELD(VMCS_GUEST_ES_SELECTOR, seg), in->selector);
	vmcs_write(SEG_FIELD(VMCS_GUEST_ES_BASE, seg), in->base);
	vmcs_write(SEG_FIELD(VMCS_GUEST_ES_LIMIT, seg), in->limit);
	vmcs_write(SEG_FIELD(VMCS_GUEST_ES_RIGHTS, seg), rights);
}

void vmx_get_table(struct vcpu *vcpu, bool idt, struct desc_table *out)
{
	(void)vcpu;
	out->base = vmcs_read(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE);
	out->limit = (uint32_t)vmcs_read(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
}

void vmx_set_table(struct vcpu *vcpu, bool idt, const struct desc_table *in)
{
	(void)vcpu;
	vmcs_write(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE, in->base);
	vmcs_write(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT, in->limit);
}

void vmx_get_fetch(struct vcpu *vcpu, struct fetch_context *out)
{
	out->rip = vmcs_read(VMCS_GUEST_RIP);
	out->cr3 = vmcs_read(VMCS_GUEST_CR3);
	/* What matters of CR0, CR4 and EFER changes by being set, for the first time at reset. */
	out->mode = (uint64_t)vmx_vcpu(vcpu)->modes << 32 | vmcs_read(VMCS_GUEST_CS_RIGHTS);
}

void vmx_set_pdptes(struct vcpu *vcpu, const uint64_t pdpte[4])
{
	(void)vcpu;
	vmcs_write(VMCS_GUEST_PDPTE0, pdpte[0]);
	vmcs_write(VMCS_GUEST_PDPTE1, pdpte[1]);
	vmcs_write(VMCS_GUEST_PDPTE2, pdpte[2]);
	vmcs_write(VMCS_GUEST_PDPTE3, pdpte[3]);
}

static bool in_ia32e_mode(void)
{
	return (vmcs_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E) != 0;
}

/* Means something in IA-32e mode only. */
static bool in_64bit_segment(void)
{
	return (vmcs_read(VMCS_GUEST_CS_RIGHTS) & SEG_ATTR_L) != 0;
}

/* The shadow of STI or MOV SS ends, RF too, and TF traps. */
static __attribute__((noinline)) void skip_flags(bool repeats)
{
	uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);

	if (blocking & BLOCKING_STI_MOV_SS) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_STI_MOV_SS);
	}
	/* None of the instructions that exit is a branch, which BTF steps over to. */
	if ((rflags & RFLAGS_TF) && !(vmcs_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF)) {
		vmcs_write(VMCS_GUEST_PENDING_DEBUG,
		        vmcs_read(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
	}
	/* RF lasts for one instruction; between iterations of a repeated one it stays. */
	if ((rflags & RFLAGS_RF) && !repeats) {
		vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~(uint64_t)RFLAGS_RF);
	}
}

static inline void skip(uint64_t len)
{
	uint64_t next = vmcs_read(VMCS_GUEST_RIP) + len;

	/* Outside 64-bit code the instruction pointer wraps at 32 bits. */
	if (__builtin_expect((uint32_t)next < (uint32_t)len, 0) &&
	        !(in_ia32e_mode() && in_64bit_segment())) {
		next = (uint32_t)next;
	}
	vmcs_write(VMCS_GUEST_RIP, next);
	if (__builtin_expect((vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_STI_MOV_SS) |
	                             (vmcs_read(VMCS_GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_RF)),
	            0)) {
		skip_flags(len == 0);
	}
}

void vmx_skip_insn(struct vcpu *vcpu, unsigned len)
{
	(void)vcpu;
	skip(len);
}

void vmx_skip_exit(struct vcpu *vcpu)
{
	(void)vcpu;
	skip(vmcs_read(VMCS_EXIT_INSN_LEN));
}

void vmx_pend_debug(struct vcpu *vcpu, uint64_t dr6_bits)
{
	(void)vcpu;
	vmcs_write(VMCS_GUEST_PENDING_DEBUG,
	        vmcs_read(VMCS_GUEST_PENDING_DEBUG) | dr6_bits | PENDING_DEBUG_ENABLED);
}

void vmx_reset_regs(struct vcpu *vcpu)
{
	const struct segment data = {.limit = 0xffff, .attr = 0x93};
	const struct segment code = {
	        .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .attr = 0x9b};
	const struct segment ldtr = {.limit = 0xffff, .attr = 0x82};
	/* VM entry wants a busy TSS; after reset the processor's TR is one. */
	const struct segment tr = {.limit = 0xffff, .attr = 0x8b};
	const struct desc_table table = {.limit = 0xffff};
	const uint64_t no_pdptes[4] = {0};

	for (unsigned i = SEG_ES; i < SEG_LDTR; i++) {
		vmx_set_seg(vcpu, i, i == SEG_CS ? &code : &data);
	}
	vmx_set_seg(vcpu, SEG_LDTR, &ldtr);
	vmx_set_seg(vcpu, SEG_TR, &tr);
	vmx_set_table(vcpu, false, &table);
	vmx_set_table(vcpu, true, &table);
	vmx_set_reg(vcpu, REG_CR0, CR0_CD | CR0_NW | CR0_ET);
	vmx_set_reg(vcpu, REG_CR3, 0);
	vmx_set_reg(vcpu, REG_CR4, 0);
	vmx_set_reg(vcpu, REG_EFER, 0);
	vmx_set_reg(vcpu, REG_RIP, 0xfff0);
	vmx_set_reg(vcpu, REG_RSP, 0);
	vmx_set_reg(vcpu, REG_RFLAGS, RFLAGS_FIXED1);
	vmx_set_reg(vcpu, REG_DR7, 0x400);
	vmx_set_pdptes(vcpu, no_pdptes);
	vmx_vcpu(vcpu)->nmi_given = false;
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_write(VMCS_ENTRY_INTR_INFO, 0);
}
