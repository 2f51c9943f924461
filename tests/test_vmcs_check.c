// SPDX-License-Identifier: BSD-2-Clause
// The entry checks: a valid state passes, and each broken field is the one that is named.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/x86.h"
#include <string.h>

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, 0)->vcpus[0];
	fake_vmx_long_mode(vcpu);
}

START_TEST(long_mode_is_valid)
{
	ck_assert_msg(vmcs_check_guest(&out_log) == 0, "%s", fake_log_text());
	ck_assert_str_eq(fake_log_text(), "");
}
END_TEST

/* Other modes that a guest runs through: legacy 32-bit, virtual-8086, with null segments. */
START_TEST(protected_mode_is_valid)
{
	const struct segment data = {.limit = 0xffffffff, .selector = 0x10, .attr = 0xc093};
	const struct segment code = {.limit = 0xffffffff, .selector = 0x08, .attr = 0xc09b};
	const struct segment none = {.unusable = true, .base = 0xdead000000000000};
	const struct segment tss16 = {.limit = 0x2b, .selector = 0x18, .attr = 0x83};

	vmx_set_reg(vcpu, REG_EFER, 0);
	for (unsigned i = SEG_ES; i < SEG_LDTR; i++) {
		vmx_set_seg(vcpu, i, i == SEG_CS ? &code : i >= SEG_FS ? &none : &data);
	}
	vmx_set_seg(vcpu, SEG_TR, &tss16);
	ck_assert_msg(vmcs_check_guest(&out_log) == 0, "%s", fake_log_text());
	vmx_set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET); /* paging off */
	ck_assert_msg(vmcs_check_guest(&out_log) == 0, "%s", fake_log_text());
}
END_TEST

static void virtual_8086(void)
{
	const struct segment tss = {.limit = 0x67, .selector = 0x18, .attr = 0x8b};

	vmx_set_reg(vcpu, REG_EFER, 0);
	vmx_set_reg(vcpu, REG_RFLAGS, RFLAGS_VM | RFLAGS_IF);
	for (unsigned i = SEG_ES; i < SEG_LDTR; i++) {
		const struct segment v86 = {
		        .base = 0x1230, .limit = 0xffff, .selector = 0x123, .attr = 0xf3};

		vmx_set_seg(vcpu, i, &v86);
	}
	vmx_set_seg(vcpu, SEG_TR, &tss);
}

START_TEST(virtual_8086_is_valid)
{
	virtual_8086();
	ck_assert_msg(vmcs_check_guest(&out_log) == 0, "%s", fake_log_text());
	fake_vmcs[VMCS_GUEST_GS_BASE] = 0x1231;
	fake_vmcs[VMCS_GUEST_DS_LIMIT] = 0xfffff;
	fake_vmcs[VMCS_GUEST_SS_RIGHTS] = 0x93;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 3);
	ck_assert_uint_eq(fake_log_count("GUEST_GS_RIGHTS"), 1);
	ck_assert_uint_eq(fake_log_count("GUEST_DS_RIGHTS"), 1);
	ck_assert_uint_eq(fake_log_count("GUEST_SS_RIGHTS"), 1);
}
END_TEST

#define HOLE 0x800000000000ULL /* not canonical */

/* One field each, and the name the log must give it. */
static const struct {
	enum vmcs_field field;
	uint64_t value;
	const char *name;
} rows[] = {
        {VMCS_GUEST_CR0, CR0_PE | CR0_PG | CR0_ET, "GUEST_CR0"},
        {VMCS_GUEST_CR0, CR0_PE | CR0_PG | CR0_NE | BIT64(32), "GUEST_CR0"},
        {VMCS_GUEST_CR4, CR4_PAE, "GUEST_CR4"},
        {VMCS_GUEST_CR4, CR4_PAE | CR4_VMXE | CR4_LA57, "GUEST_CR4"},
        {VMCS_GUEST_CR4, CR4_VMXE, "ENTRY_CONTROLS"},
        {VMCS_GUEST_CR3, 1ULL << 46, "GUEST_CR3"},
        {VMCS_GUEST_EFER, EFER_LME | EFER_LMA | BIT64(1), "GUEST_EFER"},
        {VMCS_GUEST_EFER, EFER_LMA, "GUEST_EFER"},
        {VMCS_GUEST_DR7, 1ULL << 32, "GUEST_DR7"},
        {VMCS_GUEST_SYSENTER_ESP, HOLE, "GUEST_SYSENTER_ESP"},
        {VMCS_GUEST_SYSENTER_EIP, HOLE, "GUEST_SYSENTER_EIP"},
        {VMCS_GUEST_ES_RIGHTS, 0xc092, "GUEST_ES_RIGHTS"},  /* not accessed */
        {VMCS_GUEST_DS_RIGHTS, 0xc099, "GUEST_DS_RIGHTS"},  /* code, not readable */
        {VMCS_GUEST_SS_RIGHTS, 0xc091, "GUEST_SS_RIGHTS"},  /* read-only */
        {VMCS_GUEST_CS_RIGHTS, 0xa092, "GUEST_CS_RIGHTS"},  /* data */
        {VMCS_GUEST_CS_RIGHTS, 0xe09b, "GUEST_CS_RIGHTS"},  /* L and D */
        {VMCS_GUEST_CS_RIGHTS, 0x1a09b, "GUEST_CS_RIGHTS"}, /* unusable */
        {VMCS_GUEST_FS_RIGHTS, 0xc083, "GUEST_FS_RIGHTS"},  /* a system segment */
        {VMCS_GUEST_GS_RIGHTS, 0xc013, "GUEST_GS_RIGHTS"},  /* not present */
        {VMCS_GUEST_GS_RIGHTS, 0xc193, "GUEST_GS_RIGHTS"},  /* reserved bits */
        {VMCS_GUEST_GS_RIGHTS, 0x2c093, "GUEST_GS_RIGHTS"},
        {VMCS_GUEST_DS_LIMIT, 0xfffff0ff, "GUEST_DS_RIGHTS"},
        {VMCS_GUEST_FS_RIGHTS, 0x4093, "GUEST_FS_RIGHTS"}, /* G 0, 4 GiB */
        {VMCS_GUEST_DS_BASE, 1ULL << 32, "GUEST_DS_RIGHTS"},
        {VMCS_GUEST_FS_BASE, HOLE, "GUEST_FS_RIGHTS"},
        {VMCS_GUEST_TR_RIGHTS, 0x83, "GUEST_TR_RIGHTS"}, /* 16-bit in IA-32e mode */
        {VMCS_GUEST_TR_RIGHTS, 0x89, "GUEST_TR_RIGHTS"}, /* not busy */
        {VMCS_GUEST_TR_RIGHTS, 0x1008b, "GUEST_TR_RIGHTS"},
        {VMCS_GUEST_TR_RIGHTS, 0x0b, "GUEST_TR_RIGHTS"},
        {VMCS_GUEST_TR_RIGHTS, 0x9b, "GUEST_TR_RIGHTS"},
        {VMCS_GUEST_TR_SELECTOR, 0x1c, "GUEST_TR_SELECTOR"},
        {VMCS_GUEST_TR_LIMIT, 0x100067, "GUEST_TR_LIMIT"},
        {VMCS_GUEST_TR_BASE, HOLE, "GUEST_TR_BASE"},
        {VMCS_GUEST_LDTR_RIGHTS, 0x83, "GUEST_LDTR_RIGHTS"},
        {VMCS_GUEST_LDTR_RIGHTS, 0x02, "GUEST_LDTR_RIGHTS"},
        {VMCS_GUEST_GDTR_BASE, HOLE, "GUEST_GDTR_BASE"},
        {VMCS_GUEST_IDTR_BASE, HOLE, "GUEST_IDTR_BASE"},
        {VMCS_GUEST_GDTR_LIMIT, 0x10000, "GUEST_GDTR_LIMIT"},
        {VMCS_GUEST_IDTR_LIMIT, 0x10000, "GUEST_IDTR_LIMIT"},
        {VMCS_GUEST_RIP, HOLE, "GUEST_RIP"},
        {VMCS_GUEST_RFLAGS, RFLAGS_IF, "GUEST_RFLAGS"},
        {VMCS_GUEST_RFLAGS, RFLAGS_IF | 2 | 8, "GUEST_RFLAGS"},
        {VMCS_GUEST_RFLAGS, 2 | BIT64(22), "GUEST_RFLAGS"},
        {VMCS_GUEST_ACTIVITY, 4, "GUEST_ACTIVITY"},
        {VMCS_GUEST_INTERRUPTIBILITY, 0x20, "GUEST_INTERRUPTIBILITY"},
        {VMCS_GUEST_INTERRUPTIBILITY, 3, "GUEST_INTERRUPTIBILITY"},
        {VMCS_LINK_POINTER, 0, "LINK_POINTER"},
};

START_TEST(one_field_is_broken)
{
	fake_vmcs[rows[_i].field] = rows[_i].value;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_msg(strstr(fake_log_text(), rows[_i].name) != NULL, "%s", fake_log_text());
	ck_assert_uint_eq(fake_log_count("entry check: "), 1);
}
END_TEST

/* What two fields decide together. */
START_TEST(pairs)
{
	fake_vmcs[VMCS_GUEST_CS_RIGHTS] = 0xc09b; /* compatibility mode */
	fake_vmcs[VMCS_GUEST_RIP] = 1ULL << 32;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("GUEST_RIP"), 1);

	setup();
	fake_vmcs[VMCS_GUEST_RFLAGS] = 2;
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("blocking by STI with IF 0"), 1);

	setup();
	fake_vmcs[VMCS_GUEST_RFLAGS] = 2;
	fake_vmcs[VMCS_ENTRY_INTR_INFO] = 0x80000020;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("GUEST_RFLAGS"), 1);

	setup();
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	fake_vmcs[VMCS_ENTRY_INTR_INFO] = 0x80000020;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("shadow with an external interrupt"), 1);
	fake_vmcs[VMCS_ENTRY_INTR_INFO] = 0x80000306; /* an exception may */
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 0);

	setup();
	fake_vmcs[VMCS_ENTRY_CONTROLS] &= ~(uint64_t)ENTRY_IA32E;
	fake_vmcs[VMCS_GUEST_CS_RIGHTS] = 0xc09b;
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("LMA differs from the IA-32e"), 1);
	fake_vmcs[VMCS_GUEST_EFER] = 0;
	fake_vmcs[VMCS_GUEST_CR4] |= CR4_PCIDE;
	fake_log_clear();
	ck_assert_uint_eq(vmcs_check_guest(&out_log), 1);
	ck_assert_uint_eq(fake_log_count("PCIDE outside"), 1);
}
END_TEST

UNIT_MAIN("vmcs_check", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, long_mode_is_valid); tcase_add_test(tc, protected_mode_is_valid);
          tcase_add_test(tc, virtual_8086_is_valid);
          tcase_add_loop_test(tc, one_field_is_broken, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, pairs);)
