// SPDX-License-Identifier: BSD-2-Clause
// The dump: the reason in words, the guest's registers, every field once, no field assumed.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, 0)->vcpus[0];
	fake_vmx_long_mode(vcpu);
}

START_TEST(every_field_by_name)
{
	fake_vmcs[VMCS_GUEST_RIP] = 0xffffffff81234567;
	vcpu->exit.raw_reason = 48;
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("exit reason 48 (EPT violation)"), 1);
	ck_assert_uint_eq(fake_log_count("ffffffff81234567"), 1);
#define ROW(name, encoding) ck_assert_msg(fake_log_count(#name " ") >= 1, #name);
	VMCS_FIELDS(ROW)
#undef ROW
	ck_assert_uint_eq(fake_log_count("entry check"), 0);
}
END_TEST

START_TEST(fields_that_are_absent)
{
	fake_vmcs_absent(VMCS_TSC_MULTIPLIER);
	fake_vmcs_absent(VMCS_XSS_EXIT_BITMAP);
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("0-  "), 1);
}
END_TEST

START_TEST(an_entry_that_was_refused)
{
	vcpu->exit.kind = EXIT_FAILED;
	vcpu->exit.raw_reason = 0xffff;
	fake_vmcs[VMCS_INSTRUCTION_ERROR] = 7;
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("VMX instruction error 7"), 1);
	ck_assert_uint_eq(fake_log_count("no guest-state check of the SDM fails"), 1);
}
END_TEST

START_TEST(an_entry_that_failed)
{
	vcpu->exit.kind = EXIT_FAILED;
	vcpu->exit.raw_reason = 33;
	fake_vmcs[VMCS_EXIT_REASON] = 0x80000021;
	fake_vmcs[VMCS_LINK_POINTER] = 0;
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("VM entry failed: reason 33"), 1);
	ck_assert_uint_eq(fake_log_count("entry check: LINK_POINTER"), 1);
	ck_assert_uint_eq(fake_log_count("no guest-state check"), 0);
}
END_TEST

START_TEST(a_reason_without_a_name)
{
	vcpu->exit.raw_reason = 35;
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("exit reason 35 (not expected)"), 1);
	vcpu->exit.raw_reason = 0x1234;
	vmcs_dump(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("exit reason 4660 (not expected)"), 1);
}
END_TEST

UNIT_MAIN("vmcs_dump", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, every_field_by_name); tcase_add_test(tc, fields_that_are_absent);
          tcase_add_test(tc, an_entry_that_was_refused); tcase_add_test(tc, an_entry_that_failed);
          tcase_add_test(tc, a_reason_without_a_name);)
