// SPDX-License-Identifier: BSD-2-Clause
// The back end's life: VMXON, memory of VMs and vCPUs, flushes, entering.
#include "tests/hoard.h"
#include "tests/vmx_world.h"

/* --- the processor --- */

START_TEST(vmxon)
{
	ck_assert_int_eq(vmx_ops.cpu_enable(&pcpus[0]), 0);
	ck_assert_uint_eq(fake_vmx.ons, 1);
	ck_assert_uint_eq(msr(MSR_IA32_FEATURE_CONTROL), 5); /* was open: VMX, locked */
	ck_assert_uint_eq(fake_host.cr4 & CR4_VMXE, CR4_VMXE);
	ck_assert_uint_eq(fake_host.cr0 & 0x80000021, 0x80000021);
	ck_assert_uint_eq(*(uint32_t *)phys_to_virt(hpa(pcpus[0].vmxon_hpa)), 0x1234);
	vmx_ops.cpu_disable(&pcpus[0]);
	ck_assert_uint_eq(fake_vmx.offs, 1);
}
END_TEST

START_TEST(vmxon_is_refused)
{
	fake_msr_set(MSR_IA32_FEATURE_CONTROL, 1); /* locked without VMX */
	ck_assert_int_eq(vmx_ops.cpu_enable(&pcpus[0]), -EPERM);
	ck_assert_uint_eq(fake_vmx.ons, 0);
	fake_msr_set(MSR_IA32_FEATURE_CONTROL, 5);
	fake_vmx.fail_on = true;
	ck_assert_int_eq(vmx_ops.cpu_enable(&pcpus[0]), -EIO);
	ck_assert_uint_eq(msr(MSR_IA32_FEATURE_CONTROL), 5);
}
END_TEST

START_TEST(host_init_says_what_is_missing)
{
	char why[160] = "";

	fake_msr_set(MSR_IA32_VMX_EPT_VPID_CAP, 0);
	ck_assert_int_eq(vmx_ops.host_init(0, 0, why, sizeof(why)), -ENODEV);
	ck_assert_ptr_nonnull(strstr(why, "EPT"));
	ck_assert_ptr_eq(vmx_ops.caps(), &vmx_caps.virt);
}
END_TEST

/* --- memory: everything comes back, also when it ends in the middle --- */

/* What vm_create() does on failure. */
START_TEST(out_of_memory)
{
	static struct vm other;
	static struct vcpu v;
	struct config_vm config = {.name = "other"};
	int err;

	leave_pages((unsigned)_i);
	other.config = &config;
	err = vmx_ops.vm_init(&other);
	if (!err) {
		v.vm = &other;
		err = vmx_ops.vcpu_init(&v);
		vmx_ops.vcpu_destroy(&v);
	}
	vmx_ops.vm_destroy(&other);
	/* A VM takes 9 pages: itself, 3 + 1, 4 tables for the APIC page; a vCPU 4. */
	ck_assert_int_eq(err, _i < 13 ? -ENOMEM : 0);
	ck_assert_uint_eq(page_alloc_free_bytes(), (unsigned)_i * PAGE_SIZE);
	ck_assert_ptr_null(other.virt);
	ck_assert_ptr_null(v.virt);
}
END_TEST

START_TEST(a_vmcs_that_cannot_be_cleared)
{
	static struct vcpu v;

	fake_vmx.fail_clear = true;
	v.vm = vm;
	ck_assert_int_eq(vmx_ops.vcpu_init(&v), -EIO);
	vmx_ops.vcpu_destroy(&v);
}
END_TEST

START_TEST(the_apic_page_is_mapped)
{
	uint64_t size, entry = ept_lookup(vm, gpa(LAPIC_DEFAULT_BASE), &size);

	ck_assert_uint_eq(entry & 7, 3);
	ck_assert_uint_eq(entry & 0xffffffffff000, virt_to_phys(vmx_vm(vm)->apic_page).v);
	ck_assert_uint_eq(fake_vmcs[VMCS_APIC_ACCESS_ADDR], virt_to_phys(vmx_vm(vm)->apic_page).v);
	/* While nothing is virtualized it reads as nothing. */
	ck_assert_uint_eq(vmx_vm(vm)->apic_page[0], 0xff);
	ck_assert_uint_eq(vmx_vm(vm)->apic_page[PAGE_SIZE - 1], 0xff);
	make(BIT(VMX_OPT_APICACC));
	ck_assert_uint_eq(ept_lookup(vm, gpa(LAPIC_DEFAULT_BASE), &size), 0);
}
END_TEST

START_TEST(vpids_differ)
{
	ck_assert_uint_eq(vmx_vcpu(vm->vcpus[0])->vpid, 1);
	ck_assert_uint_eq(vmx_vcpu(vm->vcpus[1])->vpid, 2);
	vm->index = 3;
	vmx_ops.vcpu_destroy(vm->vcpus[1]);
	ck_assert_int_eq(vmx_ops.vcpu_init(vm->vcpus[1]), 0);
	ck_assert_uint_eq(vmx_vcpu(vm->vcpus[1])->vpid, 3 * MAX_VCPUS + 2);
	make(BIT(VMX_OPT_VPID));
	ck_assert_uint_eq(vmx_vcpu(vcpu)->vpid, 0);
}
END_TEST

/* --- vmx_flush.c --- */

START_TEST(flushes)
{
	vmx_flush_guest(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, 1);
	ck_assert_int_eq(fake_vmx.last_type, INV_SINGLE);
	ck_assert_uint_eq(fake_vmx.last_vpid, 1);
	vmx_caps.invvpid_single = vmx_caps.invept_single = false;
	vmx_flush_guest(vcpu);
	ck_assert_int_eq(fake_vmx.last_type, INV_ALL);
	vmx_flush_nested(vcpu);
	ck_assert_int_eq(fake_vmx.last_type, INV_ALL);
	ck_assert_uint_eq(fake_vmx.last_eptp, vmx_vm(vm)->eptp);
	vmx_flush_all(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, 3);
	ck_assert_uint_eq(fake_vmx.invepts, 2);
	/* Without a VPID every entry flushes. */
	vmx_vcpu(vcpu)->vpid = 0;
	vmx_flush_guest(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, 3);
	vmx_ops.flush_nested(vm);
	ck_assert_uint_eq(vcpu->requests & BIT64(VCPU_REQ_FLUSH_NESTED), 32);
	ck_assert_uint_eq(vm->vcpus[1]->requests & BIT64(VCPU_REQ_FLUSH_NESTED), 32);
	ck_assert_uint_eq(fake_vmx.invepts, 2);
}
END_TEST

/* --- entering --- */

START_TEST(launch_then_resume)
{
	const struct fake_exit exits[] = {{.fail = 2}, {.reason = 12, .len = 1}, {.reason = 12}};

	fake_vmx_script(exits, 3);
	vmx_ops.run(vcpu, 0, 1000);
	ck_assert_int_eq(vcpu->exit.kind, EXIT_FAILED);
	ck_assert_uint_eq(vcpu->exit.raw_reason, 0xffff);
	vmx_ops.run(vcpu, 0, 1000);
	ck_assert_uint_eq(fake_vmx.resumes, 0); /* the refused one was no launch */
	ck_assert_int_eq(vcpu->exit.kind, EXIT_HLT);
	vmx_ops.run(vcpu, 0, 1000);
	ck_assert_uint_eq(fake_vmx.resumes, 1);
}
END_TEST

/*
 * The timer counts TSC >> 5 here; never past the deadline. What 32 bits do not hold ends early.
 */
static const struct {
	uint64_t now, deadline, ticks;
} deadlines[] = {
        {1000, 1000 + 64, 2},
        {1000, 1000 + 63, 1},
        {1000, 1000, 0},
        {1000, 999, 0},
        {1000, 0, 0},
        {0, ~0ULL, 0xffffffff},
        {0, (1ULL << 37) + 32, 1},
        {0, (1ULL << 37) - 1, 0xffffffff},
        {0, (1ULL << 37) - 33, 0xfffffffe},
};

START_TEST(preemption_timer)
{
	const struct fake_exit hlt = {.reason = 12};

	fake_vmx_script(&hlt, 1);
	vmx_ops.run(vcpu, deadlines[_i].now, deadlines[_i].deadline);
	ck_assert_uint_eq(fake_vmcs[VMCS_PREEMPTION_TIMER], deadlines[_i].ticks);
}
END_TEST

START_TEST(the_hosts_timer_stands_in)
{
	const struct fake_exit hlt = {.reason = 12};

	make(BIT(VMX_OPT_TIMER));
	fake_vmx_script(&hlt, 1);
	vmx_ops.run(vcpu, 1000, 5000);
	ck_assert_uint_eq(fake_host.apic_timer_tsc, 5000);
}
END_TEST

START_TEST(tsc_offset)
{
	vmx_ops.set_tsc_offset(vcpu, 0 - 5000ULL);
	ck_assert_uint_eq(fake_vmcs[VMCS_TSC_OFFSET], 0 - 5000ULL);
}
END_TEST

UNIT_MAIN("vmx", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, vmxon);
          tcase_add_test(tc, vmxon_is_refused); tcase_add_test(tc, host_init_says_what_is_missing);
          tcase_add_loop_test(tc, out_of_memory, 0, 15);
          tcase_add_test(tc, a_vmcs_that_cannot_be_cleared);
          tcase_add_test(tc, the_apic_page_is_mapped); tcase_add_test(tc, vpids_differ);
          tcase_add_test(tc, flushes); tcase_add_test(tc, launch_then_resume);
          tcase_add_loop_test(tc, preemption_timer, 0, ARRAY_SIZE(deadlines));
          tcase_add_test(tc, the_hosts_timer_stands_in); tcase_add_test(tc, tsc_offset);)
