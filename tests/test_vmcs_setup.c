// SPDX-License-Identifier: BSD-2-Clause
// A new VMCS: I/O bitmaps, controls, and the fields of options.
#include "tests/vmx_world.h"

START_TEST(every_port_exits)
{
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i++) {
		ck_assert_uint_eq(vmx_vm(vm)->io_bitmaps[i], 0xff);
	}
	ck_assert_uint_eq(fake_vmcs[VMCS_IO_BITMAP_A], virt_to_phys(vmx_vm(vm)->io_bitmaps).v);
	ck_assert_uint_eq(fake_vmcs[VMCS_IO_BITMAP_B], fake_vmcs[VMCS_IO_BITMAP_A] + PAGE_SIZE);
}
END_TEST

/* A processor that reads one byte too many finds ones, and not the APIC's page. */
START_TEST(nothing_follows_the_last_port)
{
	const uint8_t *after = phys_to_virt(hpa(fake_vmcs[VMCS_IO_BITMAP_B] + PAGE_SIZE));

	ck_assert_ptr_ne(after, vmx_vm(vm)->apic_page);
	ck_assert_uint_eq(*after, 0xff);
	/* Nobody else's, either. */
	for (unsigned i = 0; i < 64; i++) {
		uint8_t *other = page_alloc(1, PAGE_SIZE);

		ck_assert_ptr_ne(other, after);
	}
}
END_TEST

START_TEST(a_new_vmcs)
{
	ck_assert_uint_eq(fake_vmcs[VMCS_PIN_CONTROLS], vmx_caps.pin);
	ck_assert_uint_eq(fake_vmcs[VMCS_EXIT_CONTROLS], vmx_caps.exit);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_CONTROLS], vmx_caps.entry);
	/* #AC, #DB and #MC always. */
	ck_assert_uint_eq(fake_vmcs[VMCS_EXCEPTION_BITMAP], 1 << 17 | 1 << 1 | 1 << 18);
	ck_assert_uint_eq(fake_vmcs[VMCS_EPT_POINTER], vmx_vm(vm)->eptp);
	ck_assert_uint_eq(fake_vmcs[VMCS_MSR_BITMAP], virt_to_phys(vmx_vcpu(vcpu)->msr_bitmap).v);
	ck_assert_uint_eq(fake_vmcs[VMCS_VIRTUAL_APIC_ADDR], virt_to_phys(vcpu->lapic.regs).v);
	ck_assert_uint_eq(fake_vmcs[VMCS_VPID], 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_TSC_MULTIPLIER], 1ULL << 48);
	ck_assert_uint_eq(fake_vmcs[VMCS_LINK_POINTER], ~0ULL);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_PAT], 0x0007040600070406);
	ck_assert_uint_eq(*(uint32_t *)phys_to_virt(vmx_vcpu(vcpu)->vmcs), 0x1234);
	/* The host, as this CPU is now. [SDM3] "Checks on Host Segment and Descriptor-Table
	 * Registers": CS and TR not null, RPL and TI 0. */
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_CR0], fake_host.cr0);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_CR3], fake_host.cr3);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_CR4], fake_host.cr4);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_EFER], 0xd01);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_CS_SELECTOR], HOST_CS);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_TR_SELECTOR], HOST_TR);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_GS_BASE], (uintptr_t)&pcpus[0]);
	ck_assert_uint_eq(fake_vmcs[VMCS_HOST_RIP], (uintptr_t)vmx_exit_entry);
}
END_TEST

/* [SDM3] "Format of an MSR Entry": index, zeros, value; the list on a 16-byte boundary. */
START_TEST(the_l1_cache_is_flushed_by_the_entry)
{
	const uint64_t flush[] = {0x10b, 1};
	hpa_t list;

	make(BIT(VMX_OPT_L1DFLUSH));
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_MSR_LOAD_COUNT], 0);
	vmx_caps.granted |= BIT(VMX_OPT_L1DFLUSH);
	vmcs_setup(vcpu);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_MSR_LOAD_COUNT], 1);
	list = hpa(fake_vmcs[VMCS_ENTRY_MSR_LOAD_ADDR]);
	ck_assert_uint_eq(list.v % 16, 0);
	ck_assert_mem_eq(phys_to_virt(list), flush, sizeof(flush));
}
END_TEST

/* A field that exists with a control only is not touched without it. */
static const struct {
	uint32_t off;
	enum vmcs_field field;
} optional[] = {
        {BIT(VMX_OPT_IOBITMAP), VMCS_IO_BITMAP_A},
        {BIT(VMX_OPT_IOBITMAP), VMCS_IO_BITMAP_B},
        {BIT(VMX_OPT_MSRBITMAP), VMCS_MSR_BITMAP},
        {BIT(VMX_OPT_VPID), VMCS_VPID},
        {BIT(VMX_OPT_TPR), VMCS_VIRTUAL_APIC_ADDR},
        {BIT(VMX_OPT_TPR), VMCS_TPR_THRESHOLD},
        {BIT(VMX_OPT_APICACC), VMCS_APIC_ACCESS_ADDR},
        {BIT(VMX_OPT_VID), VMCS_EOI_EXIT0},
        {BIT(VMX_OPT_VID), VMCS_EOI_EXIT3},
        {BIT(VMX_OPT_VID), VMCS_GUEST_INTR_STATUS},
        {BIT(VMX_OPT_PLE), VMCS_PLE_GAP},
        {BIT(VMX_OPT_PLE), VMCS_PLE_WINDOW},
        {BIT(VMX_OPT_XSAVES), VMCS_XSS_EXIT_BITMAP},
        {BIT(VMX_OPT_TSCSCALE), VMCS_TSC_MULTIPLIER},
        {BIT(VMX_OPT_TIMER), VMCS_PREEMPTION_TIMER},
        {BIT(VMX_OPT_L1DFLUSH), VMCS_ENTRY_MSR_LOAD_ADDR},
};

START_TEST(fields_of_options)
{
	const struct fake_exit cpuid = {.reason = 10, .len = 2};

	fake_vmcs_absent(optional[_i].field);
	make(optional[_i].off); /* aborts on a field that does not exist */
	fake_vmx_script(&cpuid, 1);
	vmx_ops.run(vcpu, 0, 1000);
	ck_assert_int_eq(vcpu->exit.kind, EXIT_CPUID);
	vcpu_init_signal(vcpu);
	vmx_ops.vcpu_put(vcpu);
}
END_TEST

START_TEST(without_the_pat_controls)
{
	uint64_t pat;

	fake_msr_set(MSR_IA32_VMX_TRUE_ENTRY_CTLS,
	        msr(MSR_IA32_VMX_TRUE_ENTRY_CTLS) & ~((uint64_t)ENTRY_LOAD_PAT << 32));
	ck_assert_int_eq(vmx_caps_read(&vmx_caps, 0, (char[160]){0}, 160), 0);
	fake_vmcs_absent(VMCS_HOST_PAT);
	fake_vmcs_absent(VMCS_GUEST_PAT);
	vmcs_setup(vcpu);
	vcpu_reset(vcpu);
	pat = vmx_ops.get_reg(vcpu, REG_PAT);
	ck_assert_uint_eq(pat, 0x0007040600070406);
}
END_TEST

UNIT_MAIN("vmcs_setup", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, every_port_exits); tcase_add_test(tc, nothing_follows_the_last_port);
          tcase_add_test(tc, a_new_vmcs); tcase_add_test(tc, the_l1_cache_is_flushed_by_the_entry);
          tcase_add_loop_test(tc, fields_of_options, 0, ARRAY_SIZE(optional));
          tcase_add_test(tc, without_the_pat_controls);)
