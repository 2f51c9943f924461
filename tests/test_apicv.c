// SPDX-License-Identifier: BSD-2-Clause
// The local APIC's mode to secondary controls and MSR bitmap, for each thing not granted.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/x86.h"

#define XAPIC (LAPIC_DEFAULT_BASE | APIC_BASE_EN)
#define X2APIC (XAPIC | APIC_BASE_EXTD)
#define MODES (PROC2_APIC_ACCESS | PROC2_X2APIC | PROC2_APIC_REG | PROC2_INTR_DELIVERY)

static struct vcpu *vcpu;

static void make(uint32_t off)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, off)->vcpus[0];
}

static uint32_t mode(uint64_t apic_base)
{
	vmx_apic_set_mode(vcpu, apic_base);
	ck_assert_uint_eq(fake_vmcs[VMCS_PROC_CONTROLS2], vmx_vcpu(vcpu)->proc2);
	return (uint32_t)fake_vmcs[VMCS_PROC_CONTROLS2] & MODES;
}

static bool exits(uint32_t msr, bool write)
{
	return (vmx_vcpu(vcpu)->msr_bitmap[(write ? 2048 : 0) + msr / 8] >> (msr % 8)) & 1;
}

#define O(x) BIT(VMX_OPT_##x)
static const struct {
	uint32_t off;
	uint64_t base;
	uint32_t modes;
} rows[] = {
        {0, XAPIC, PROC2_APIC_ACCESS | PROC2_APIC_REG | PROC2_INTR_DELIVERY},
        {0, X2APIC, PROC2_X2APIC | PROC2_APIC_REG | PROC2_INTR_DELIVERY},
        {0, 0, PROC2_INTR_DELIVERY},
        {0, LAPIC_DEFAULT_BASE, PROC2_INTR_DELIVERY},        /* switched off */
        {0, 0xfec10000 | APIC_BASE_EN, PROC2_INTR_DELIVERY}, /* moved: by EPT violations */
        {0, LAPIC_DEFAULT_BASE | APIC_BASE_EXTD, PROC2_INTR_DELIVERY}, /* not a mode */
        {O(VID), XAPIC, PROC2_APIC_ACCESS | PROC2_APIC_REG},
        {O(VID), X2APIC, PROC2_X2APIC | PROC2_APIC_REG},
        {O(APICREG), XAPIC, PROC2_APIC_ACCESS},
        {O(APICREG), X2APIC, PROC2_X2APIC},
        {O(APICACC), XAPIC, 0},
        {O(APICACC), X2APIC, PROC2_X2APIC},
        {O(X2APIC), X2APIC, PROC2_INTR_DELIVERY},
        {O(MSRBITMAP), X2APIC, PROC2_INTR_DELIVERY},
        {O(TPR), XAPIC, PROC2_APIC_ACCESS},
        {O(TPR), X2APIC, 0},
        {~0U, XAPIC, 0},
        {~0U, X2APIC, 0},
};

/* [SDM3] "Checks on VMX Controls": x2APIC mode excludes APIC accesses, and so on. */
START_TEST(modes)
{
	uint32_t got;

	make(rows[_i].off);
	got = mode(rows[_i].base);
	ck_assert_uint_eq(got, rows[_i].modes);
	ck_assert(!(got & PROC2_X2APIC) || !(got & PROC2_APIC_ACCESS));
	ck_assert(!(got & (PROC2_X2APIC | PROC2_APIC_REG | PROC2_INTR_DELIVERY)) ||
	          (fake_vmcs[VMCS_PROC_CONTROLS] & PROC_TPR_SHADOW));
	/* Outside of the virtual mode every x2APIC MSR exits. */
	for (uint32_t msr = 0x800; !(got & PROC2_X2APIC) && msr < 0x900; msr++) {
		ck_assert(exits(msr, false) && exits(msr, true));
	}
}
END_TEST

/* Which x2APIC MSRs the processor answers itself. */
START_TEST(x2apic_msrs)
{
	make(0);
	mode(X2APIC);
	for (uint32_t msr = 0x800; msr < 0x900; msr++) {
		bool reads = msr == 0x802 || msr == 0x803 || msr == 0x808 || msr == 0x80d ||
		             msr == 0x80f || (msr >= 0x810 && msr <= 0x828) ||
		             (msr >= 0x832 && msr <= 0x838) || msr == 0x83e;
		bool writes = msr == 0x808 || msr == 0x80b || msr == 0x83f;

		ck_assert_msg(exits(msr, false) != reads, "read of %#x", msr);
		ck_assert_msg(exits(msr, true) != writes, "write of %#x", msr);
	}
	mode(XAPIC);
	for (uint32_t msr = 0x800; msr < 0x900; msr++) {
		ck_assert(exits(msr, false) && exits(msr, true));
	}
}
END_TEST

/* Without delivery EOI and self-IPI must be seen; TPR needs the shadow alone. */
START_TEST(x2apic_msrs_without_delivery)
{
	make(O(VID));
	mode(X2APIC);
	ck_assert(exits(0x80b, true) && exits(0x83f, true));
	ck_assert(!exits(0x808, false) && !exits(0x808, true) && !exits(0x820, false));
	make(O(APICREG));
	mode(X2APIC);
	ck_assert(!exits(0x808, false) && !exits(0x808, true));
	ck_assert(exits(0x802, false) && exits(0x820, false));
}
END_TEST

START_TEST(only_a_change_is_written)
{
	make(0);
	mode(XAPIC);
	fake_vmcs_forget();
	fake_vmx.invepts = 0;
	mode(XAPIC);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PROC_CONTROLS2), 0);
	ck_assert_uint_eq(fake_vmx.invepts, 0);
	mode(X2APIC);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PROC_CONTROLS2), 1);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	ck_assert_uint_eq(fake_vmx.last_eptp, vmx_vm(vcpu->vm)->eptp);
}
END_TEST

/* [SDM3] "Guest Non-Register State": RVI in the low byte, SVI above it. */
START_TEST(interrupt_status)
{
	make(0);
	vmx_apic_set_irr(vcpu, 0x41);
	vmx_apic_set_isr(vcpu, 0x31);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTR_STATUS], 0x3141);
	fake_vmcs_forget();
	vmx_apic_set_irr(vcpu, 0x41);
	vmx_apic_set_isr(vcpu, 0x31);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 0);
	vmx_apic_set_irr(vcpu, -1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTR_STATUS], 0x3100);
	vmx_apic_set_irr(vcpu, 0xff);
	vmx_apic_set_isr(vcpu, -1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTR_STATUS], 0xff);
}
END_TEST

START_TEST(eoi_exits_and_threshold)
{
	const uint64_t bitmap[4] = {1, 2, 3, 1ULL << 63};

	make(0);
	vmx_apic_set_eoi_exits(vcpu, bitmap);
	ck_assert_uint_eq(fake_vmcs[VMCS_EOI_EXIT0], 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_EOI_EXIT1], 2);
	ck_assert_uint_eq(fake_vmcs[VMCS_EOI_EXIT2], 3);
	ck_assert_uint_eq(fake_vmcs[VMCS_EOI_EXIT3], 1ULL << 63);
	vmx_apic_set_tpr_threshold(vcpu, 0x1f); /* bits 31:4 must be 0 */
	ck_assert_uint_eq(fake_vmcs[VMCS_TPR_THRESHOLD], 0xf);
}
END_TEST

UNIT_MAIN("apicv", tcase_add_loop_test(tc, modes, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, x2apic_msrs); tcase_add_test(tc, x2apic_msrs_without_delivery);
          tcase_add_test(tc, only_a_change_is_written); tcase_add_test(tc, interrupt_status);
          tcase_add_test(tc, eoi_exits_and_threshold);)
