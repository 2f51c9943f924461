// SPDX-License-Identifier: BSD-2-Clause
// Registers in the VMCS: masks and shadows, EFER and the entry control, segments, skipping.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/x86.h"
#include <string.h>

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, 0)->vcpus[0];
	fake_vmx_long_mode(vcpu);
}

static const struct {
	enum vcpu_reg reg;
	enum vmcs_field field;
} plain[] = {
        {REG_RSP, VMCS_GUEST_RSP},
        {REG_RIP, VMCS_GUEST_RIP},
        {REG_CR3, VMCS_GUEST_CR3},
        {REG_DR7, VMCS_GUEST_DR7},
        {REG_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS},
        {REG_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP},
        {REG_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP},
        {REG_PAT, VMCS_GUEST_PAT},
        {REG_DEBUGCTL, VMCS_GUEST_DEBUGCTL},
};

START_TEST(plain_registers)
{
	vmx_set_reg(vcpu, plain[_i].reg, 0x1234567);
	ck_assert_uint_eq(fake_vmcs[plain[_i].field], 0x1234567);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 1);
	fake_vmcs[plain[_i].field] = 0x7654321;
	ck_assert_uint_eq(vmx_get_reg(vcpu, plain[_i].reg), 0x7654321);
}
END_TEST

START_TEST(general_registers)
{
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		if (i != REG_RSP) {
			vmx_set_reg(vcpu, i, 0x100 + i);
			ck_assert_uint_eq(vcpu->gpr[i], 0x100 + i);
			ck_assert_uint_eq(vmx_get_reg(vcpu, i), 0x100 + i);
		}
	}
	ck_assert_uint_eq(fake_vmcs_all_writes(), 0);
}
END_TEST

START_TEST(flags_have_their_fixed_bit)
{
	vmx_set_reg(vcpu, REG_RFLAGS, 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RFLAGS], 2);
}
END_TEST

START_TEST(pat_without_its_controls)
{
	vmx_caps.pat = false;
	vmx_set_reg(vcpu, REG_PAT, 0x606);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_PAT), 0x606);
	ck_assert_uint_eq(fake_vmcs_all_writes() + fake_vmcs_reads(VMCS_GUEST_PAT), 0);
}
END_TEST

/* The guest reads back what it wrote; the processor runs with what VMX wants. */
static const struct {
	uint64_t cr0, real;
} cr0s[] = {
        {CR0_ET, CR0_ET | CR0_NE}, /* PE and PG may be 0: unrestricted guest */
        {CR0_CD | CR0_NW | CR0_ET, CR0_ET | CR0_NE},
        {CR0_PE | CR0_ET, CR0_PE | CR0_ET | CR0_NE},
        {CR0_PG | CR0_PE | CR0_WP | CR0_AM | CR0_TS | CR0_EM | CR0_MP,
                CR0_PG | CR0_PE | CR0_WP | CR0_AM | CR0_TS | CR0_EM | CR0_MP | CR0_NE},
};

START_TEST(cr0_values)
{
	vmx_set_reg(vcpu, REG_CR0, cr0s[_i].cr0);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR0), cr0s[_i].cr0);
	ck_assert_uint_eq(fake_vmcs[VMCS_CR0_SHADOW], cr0s[_i].cr0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CR0], cr0s[_i].real);
}
END_TEST

START_TEST(cr4_values)
{
	vmx_set_reg(vcpu, REG_CR4, CR4_PAE | CR4_PGE);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR4), CR4_PAE | CR4_PGE);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CR4], CR4_PAE | CR4_PGE | CR4_VMXE | CR4_MCE);
	/* A machine-check setting of the guest's is its own affair. */
	vmx_set_reg(vcpu, REG_CR4, CR4_PAE | CR4_MCE);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR4), CR4_PAE | CR4_MCE);
	/* What VMX fixes to 0 does not get in. */
	vmx_caps.cr4_fixed1 &= ~CR4_UMIP;
	vmx_set_reg(vcpu, REG_CR4, CR4_UMIP);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CR4] & CR4_UMIP, 0);
}
END_TEST

/* What the guest changes without an exit is read from the real register; the rest is ours. */
START_TEST(guest_owned_bits)
{
	uint64_t owned0 = vmx_cr0_guest_owned(), owned4 = vmx_cr4_guest_owned();

	vmx_set_reg(vcpu, REG_CR0, CR0_PE | CR0_PG | CR0_ET);
	fake_vmcs[VMCS_GUEST_CR0] |= CR0_TS | CR0_WP;
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR0), CR0_PE | CR0_PG | CR0_ET | CR0_TS | CR0_WP);
	vmx_set_reg(vcpu, REG_CR4, CR4_PAE);
	fake_vmcs[VMCS_GUEST_CR4] |= CR4_PGE | CR4_TSD;
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR4), CR4_PAE | CR4_PGE | CR4_TSD);
	/* Nothing that VMX fixes, that changes paging, or that CPUID does not offer. */
	ck_assert_uint_eq(owned0 & (CR0_PE | CR0_PG | CR0_NE | CR0_CD | CR0_NW), 0);
	ck_assert_uint_eq(owned0 & (vmx_caps.cr0_fixed0 | ~vmx_caps.cr0_fixed1), 0);
	ck_assert_uint_eq(owned4 & (CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP | CR4_PCIDE | CR4_LA57 |
	                                   CR4_VMXE | CR4_MCE | CR4_OSXSAVE),
	        0);
	ck_assert_uint_eq(owned4 & (vmx_caps.cr4_fixed0 | ~vmx_caps.cr4_fixed1), 0);
	ck_assert_uint_eq(owned4 & ~cpuid_cr4_allowed(), 0);
	/* The masks in the VMCS say the same. */
	ck_assert_uint_eq(fake_vmcs[VMCS_CR0_MASK], ~owned0);
	ck_assert_uint_eq(fake_vmcs[VMCS_CR4_MASK], ~owned4);
}
END_TEST

START_TEST(efer_and_the_entry_control)
{
	uint64_t entry = fake_vmcs[VMCS_ENTRY_CONTROLS];

	ck_assert(entry & ENTRY_IA32E);
	vmx_set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA | EFER_SCE);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_ENTRY_CONTROLS), 0);
	vmx_set_reg(vcpu, REG_EFER, EFER_LME);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_CONTROLS], entry & ~(uint64_t)ENTRY_IA32E);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_EFER], EFER_LME);
	vmx_set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_CONTROLS], entry);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_EFER), EFER_LME | EFER_LMA);
}
END_TEST

/* --- segments --- */

static const enum vmcs_field selectors[] = {VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_CS_SELECTOR,
        VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_DS_SELECTOR, VMCS_GUEST_FS_SELECTOR,
        VMCS_GUEST_GS_SELECTOR, VMCS_GUEST_LDTR_SELECTOR, VMCS_GUEST_TR_SELECTOR};
static const enum vmcs_field rights[] = {VMCS_GUEST_ES_RIGHTS, VMCS_GUEST_CS_RIGHTS,
        VMCS_GUEST_SS_RIGHTS, VMCS_GUEST_DS_RIGHTS, VMCS_GUEST_FS_RIGHTS, VMCS_GUEST_GS_RIGHTS,
        VMCS_GUEST_LDTR_RIGHTS, VMCS_GUEST_TR_RIGHTS};
static const enum vmcs_field bases[] = {VMCS_GUEST_ES_BASE, VMCS_GUEST_CS_BASE, VMCS_GUEST_SS_BASE,
        VMCS_GUEST_DS_BASE, VMCS_GUEST_FS_BASE, VMCS_GUEST_GS_BASE, VMCS_GUEST_LDTR_BASE,
        VMCS_GUEST_TR_BASE};
static const enum vmcs_field limits[] = {VMCS_GUEST_ES_LIMIT, VMCS_GUEST_CS_LIMIT,
        VMCS_GUEST_SS_LIMIT, VMCS_GUEST_DS_LIMIT, VMCS_GUEST_FS_LIMIT, VMCS_GUEST_GS_LIMIT,
        VMCS_GUEST_LDTR_LIMIT, VMCS_GUEST_TR_LIMIT};

START_TEST(segments)
{
	const struct segment in = {
	        .base = 0xffff888000001000, .limit = 0xfffff, .selector = 0x33, .attr = 0xa0fb};
	struct segment out;

	vmx_set_seg(vcpu, (enum vcpu_seg)_i, &in);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 4);
	ck_assert_uint_eq(fake_vmcs[selectors[_i]], 0x33);
	ck_assert_uint_eq(fake_vmcs[bases[_i]], in.base);
	ck_assert_uint_eq(fake_vmcs[limits[_i]], in.limit);
	ck_assert_uint_eq(fake_vmcs[rights[_i]], 0xa0fb);
	vmx_get_seg(vcpu, (enum vcpu_seg)_i, &out);
	ck_assert(out.base == in.base && out.limit == in.limit && out.selector == in.selector &&
	          out.attr == in.attr && !out.unusable);
}
END_TEST

START_TEST(unusable_segments)
{
	const struct segment in = {.attr = 0xf93, .unusable = true};
	const struct segment reserved = {.attr = 0x0f93};
	struct segment out;

	vmx_set_seg(vcpu, SEG_FS, &in);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_FS_RIGHTS], 0x10000);
	vmx_get_seg(vcpu, SEG_FS, &out);
	ck_assert(out.unusable);
	/* Reserved bits would make the entry fail. */
	vmx_set_seg(vcpu, SEG_GS, &reserved);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_GS_RIGHTS], 0x93);
}
END_TEST

START_TEST(tables_and_pdptes)
{
	const struct desc_table gdt = {.base = 0xffffff0000001000, .limit = 0x7f};
	const struct desc_table idt = {.base = 0xffffff0000002000, .limit = 0xfff};
	const uint64_t pdpte[4] = {1, 2, 3, 4};
	struct desc_table out;

	vmx_set_table(vcpu, false, &gdt);
	vmx_set_table(vcpu, true, &idt);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_GDTR_BASE], gdt.base);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_IDTR_LIMIT], idt.limit);
	vmx_get_table(vcpu, false, &out);
	ck_assert(out.base == gdt.base && out.limit == gdt.limit);
	vmx_get_table(vcpu, true, &out);
	ck_assert(out.base == idt.base && out.limit == idt.limit);
	vmx_set_pdptes(vcpu, pdpte);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PDPTE0], 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PDPTE3], 4);
}
END_TEST

/* --- past the instruction --- */

static const struct {
	uint64_t rip;
	unsigned len;
	uint64_t cs_rights, next;
	bool lma;
} skips[] = {
        {0x8000, 2, 0xa09b, 0x8002, true},
        {0xfffffffe, 3, 0xa09b, 0x100000001, true}, /* 64-bit code crosses 4 GiB */
        {0xfffffffffffffffd, 3, 0xa09b, 0, true},
        {0xfffffffe, 3, 0xc09b, 1, true}, /* 32-bit code in compatibility mode wraps */
        {0xfffffffe, 3, 0xc09b, 1, false}, {0xfffffffd, 2, 0xc09b, 0xffffffff, false},
        {0xfffe, 2, 0x9b, 0x10000, false}, /* real mode: past the limit, the fetch faults */
        {0xfffffffe, 3, 0xa09b, 1, false}, /* L means nothing outside IA-32e mode */
};

START_TEST(skipping)
{
	fake_vmcs[VMCS_GUEST_RIP] = skips[_i].rip;
	fake_vmcs[VMCS_GUEST_CS_RIGHTS] = skips[_i].cs_rights;
	if (!skips[_i].lma) {
		fake_vmcs[VMCS_GUEST_EFER] = 0;
		fake_vmcs[VMCS_ENTRY_CONTROLS] &= ~(uint64_t)ENTRY_IA32E;
	}
	vmx_skip_insn(vcpu, skips[_i].len);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RIP], skips[_i].next);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 1);
	/* The same by the exit's own word. */
	fake_vmcs[VMCS_GUEST_RIP] = skips[_i].rip;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = skips[_i].len;
	vmx_skip_exit(vcpu);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RIP], skips[_i].next);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 2);
}
END_TEST

START_TEST(skipping_ends_the_shadow)
{
	for (uint64_t shadow = 1; shadow <= 2; shadow++) {
		fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = shadow | 8;
		vmx_skip_insn(vcpu, 1);
		ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 8);
	}
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0);
}
END_TEST

START_TEST(skipping_is_a_single_step)
{
	fake_vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	fake_vmcs[VMCS_GUEST_PENDING_DEBUG] = 1;
	vmx_skip_insn(vcpu, 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0x4001);
	/* Single-stepping branches: this was none. */
	fake_vmcs[VMCS_GUEST_PENDING_DEBUG] = 0;
	fake_vmcs[VMCS_GUEST_DEBUGCTL] = 2;
	vmx_skip_insn(vcpu, 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0);
}
END_TEST

/* [SDM3] "Instruction-Breakpoint Exception Condition": RF is for one instruction. */
START_TEST(skipping_uses_up_rf)
{
	fake_vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_RF;
	vmx_skip_insn(vcpu, 0);
	ck_assert_uint_ne(fake_vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF, 0);
	vmx_skip_insn(vcpu, 2);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF, 0);
}
END_TEST

/* [SDM3] "Pending Debug Exceptions": B0-B3, bit 12 (a breakpoint was met), BS. */
START_TEST(a_debug_trap_is_left_pending)
{
	fake_vmcs[VMCS_GUEST_PENDING_DEBUG] = 0x4000;
	vmx_pend_debug(vcpu, 5);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0x5005);
}
END_TEST

/* [SDM3] table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT" */
START_TEST(reset_state)
{
	struct segment s;

	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 9;
	fake_vmcs[VMCS_GUEST_PENDING_DEBUG] = 1;
	fake_vmcs[VMCS_ENTRY_INTR_INFO] = 0x80000020;
	vmx_reset_regs(vcpu);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_RIP), 0xfff0);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_RFLAGS), 2);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR0), 0x60000010);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR3), 0);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_CR4), 0);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_EFER), 0);
	ck_assert_uint_eq(vmx_get_reg(vcpu, REG_DR7), 0x400);
	vmx_get_seg(vcpu, SEG_CS, &s);
	ck_assert(s.base == 0xffff0000 && s.selector == 0xf000 && s.limit == 0xffff);
	vmx_get_seg(vcpu, SEG_GS, &s);
	ck_assert(s.base == 0 && s.selector == 0 && s.limit == 0xffff && s.attr == 0x93);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PENDING_DEBUG], 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO], 0);
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 0);
}
END_TEST

UNIT_MAIN("vmx_regs", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, plain_registers, 0, ARRAY_SIZE(plain));
          tcase_add_test(tc, general_registers); tcase_add_test(tc, flags_have_their_fixed_bit);
          tcase_add_test(tc, pat_without_its_controls);
          tcase_add_loop_test(tc, cr0_values, 0, ARRAY_SIZE(cr0s)); tcase_add_test(tc, cr4_values);
          tcase_add_test(tc, guest_owned_bits); tcase_add_test(tc, efer_and_the_entry_control);
          tcase_add_loop_test(tc, segments, 0, SEG_COUNT); tcase_add_test(tc, unusable_segments);
          tcase_add_test(tc, tables_and_pdptes);
          tcase_add_loop_test(tc, skipping, 0, ARRAY_SIZE(skips));
          tcase_add_test(tc, skipping_ends_the_shadow);
          tcase_add_test(tc, skipping_is_a_single_step); tcase_add_test(tc, skipping_uses_up_rf);
          tcase_add_test(tc, a_debug_trap_is_left_pending); tcase_add_test(tc, reset_state);)
