// SPDX-License-Identifier: BSD-2-Clause
// The back end's life: VMXON, memory of VMs and vCPUs, loading, entering; also vmcs_setup.c,
// vmx_live.c and vmx_flush.c, which are steps of it.
#include "tests/fake/host_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmm/x86.h"
#include <string.h>

static struct vm *vm;
static struct vcpu *vcpu;

static void make(uint32_t off)
{
	vm = fake_vmx_vm(SIZE_2M, 2, off);
	vcpu = vm->vcpus[0];
}

static void setup(void)
{
	make(0);
}

/* --- the processor --- */

static uint64_t msr(uint32_t index)
{
	uint64_t v = 0;

	return cpu_rdmsr_safe(index, &v) ? v : 0;
}

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

static void *hoard[FAKE_ARENA_SIZE / PAGE_SIZE];
static unsigned hoarded;

static void leave_pages(unsigned n)
{
	while (page_alloc_free_bytes() > n * PAGE_SIZE) {
		hoard[hoarded++] = page_alloc(1, PAGE_SIZE);
	}
}

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

/* --- vmcs_setup.c --- */

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

/* --- loading, vmx_live.c --- */

START_TEST(registers_change_hands)
{
	struct vcpu *other = vm->vcpus[1];

	fake_msr_set(MSR_IA32_LSTAR, 0xffffffff81000000);
	fake_msr_set(MSR_IA32_TSC_AUX, 7);
	fake_dr[0] = 0x1000;
	fake_dr[6] = 0xffff0ff1;
	fake_cr2 = 0xdead000;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_ptr_null(pcpu_this()->loaded);
	ck_assert_uint_eq(vcpu->dr[0], 0x1000);
	ck_assert_uint_eq(vcpu->dr6, 0xffff0ff1);
	ck_assert_uint_eq(vcpu->cr2, 0xdead000);
	vmx_ops.vcpu_load(other);
	ck_assert_ptr_eq(pcpu_this()->loaded, other);
	ck_assert_uint_eq(fake_vmx.loaded_vmcs, vmx_vcpu(other)->vmcs.v);
	/* Nothing of the first one is left. */
	ck_assert_uint_eq(msr(MSR_IA32_LSTAR), 0);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 0);
	ck_assert_uint_eq(fake_dr[0], 0);
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
	ck_assert_uint_eq(fake_cr2, 0);
	vmx_ops.vcpu_put(other);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(msr(MSR_IA32_LSTAR), 0xffffffff81000000);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 7);
	ck_assert_uint_eq(fake_dr[0], 0x1000);
	ck_assert_uint_eq(fake_cr2, 0xdead000);
}
END_TEST

/* Released, it leaves nothing active in this CPU: the next entry, anywhere, is a VMLAUNCH. */
START_TEST(released_for_another_cpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	unsigned clears = fake_vmx.clears, flushes;

	v->launched = true;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_uint_eq(fake_vmx.clears, clears);
	vmx_ops.vcpu_release(vcpu);
	ck_assert_uint_eq(fake_vmx.clears, clears + 1);
	ck_assert(!v->launched);
	/* Back here, what this CPU remembers of it is still right; after another one, it is not. */
	flushes = fake_vmx.invvpids;
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, flushes);
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_release(vcpu);
	v->cpu = 1;
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_vmx.invvpids, flushes + 1);
	ck_assert_uint_eq(v->cpu, pcpu_this()->index);
}
END_TEST

/* All components, whatever the guest's XCR0 says: it may have turned some off with data inside. */
START_TEST(the_whole_extended_state)
{
	vcpu->xcr0 = 3;
	fake_host.xsaves = fake_host.xrstors = 0;
	vmx_ops.vcpu_put(vcpu);
	ck_assert_uint_eq(fake_host.xsaves, 1);
	ck_assert_uint_eq(fake_host.last_xmask, cpuid_xcr0_allowed());
	ck_assert(cpuid_xcr0_allowed() > 3);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_host.xrstors, 1);
	ck_assert_uint_eq(fake_host.last_xmask, cpuid_xcr0_allowed());
	ck_assert_uint_eq(fake_xcr0, 3);
}
END_TEST

START_TEST(a_processor_without_xsave)
{
	fake_cpuid_set(1, 0, 0x306c3, 0, 0x7ffafbff & ~BIT(26), 0xbfebfbff);
	cpuid_policy_init(vmx_ops.caps(), 0, 0);
	ck_assert_uint_eq(cpuid_xcr0_allowed(), 0);
	fake_host.xsaves = fake_host.xrstors = 0;
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_load(vcpu);
	ck_assert_uint_eq(fake_host.xsaves + fake_host.xrstors, 0);
	ck_assert_uint_eq(fake_host.fxsaves, 1);
	ck_assert_uint_eq(fake_host.fxrstors, 1);
}
END_TEST

START_TEST(no_tsc_aux_without_rdtscp)
{
	make(BIT(VMX_OPT_RDTSCP));
	fake_msr_set(MSR_IA32_TSC_AUX, 77);
	vmx_ops.vcpu_put(vcpu);
	vmx_ops.vcpu_load(vm->vcpus[1]);
	ck_assert_uint_eq(msr(MSR_IA32_TSC_AUX), 77);
}
END_TEST

/* [SDM3] "Processor States Following Power-up, Reset, or INIT". */
START_TEST(reset_of_live_state)
{
	uint16_t fcw;
	uint32_t mxcsr;

	fake_cr2 = 5;
	fake_dr[0] = 1;
	fake_dr[3] = 2;
	fake_dr[6] = 0xffff0ff1;
	vcpu->xcr0 = 7;
	fake_msr_set(MSR_IA32_STAR, 5);
	vmx_ops.vcpu_reset(vcpu, false); /* loaded: the processor's registers, too */
	ck_assert(fake_cr2 == 0 && fake_dr[0] == 0 && fake_dr[3] == 0 && fake_dr[6] == 0xffff0ff0);
	ck_assert(vcpu->xcr0 == 7 && msr(MSR_IA32_STAR) == 5);
	fake_cr2 = 5;
	vmx_ops.vcpu_reset(vcpu, true);
	ck_assert(fake_cr2 == 0 && vcpu->xcr0 == 1 && msr(MSR_IA32_STAR) == 0);
	memcpy(&fcw, vmx_vcpu(vcpu)->fpu, 2);
	memcpy(&mxcsr, vmx_vcpu(vcpu)->fpu + 24, 4);
	ck_assert_uint_eq(fcw, 0x37f);
	ck_assert_uint_eq(mxcsr, 0x1f80);
}
END_TEST

/* INIT leaves the caches as they were; power-on has them off. */
START_TEST(init_keeps_the_caches)
{
	static const uint64_t cache_bits[] = {0, CR0_CD, CR0_CD | CR0_NW};

	for (unsigned i = 0; i < ARRAY_SIZE(cache_bits); i++) {
		vmx_ops.set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET | CR0_NE | cache_bits[i]);
		vmx_ops.vcpu_reset(vcpu, false);
		ck_assert_uint_eq(vmx_ops.get_reg(vcpu, REG_CR0), CR0_ET | cache_bits[i]);
	}
	vmx_ops.set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET);
	vmx_ops.vcpu_reset(vcpu, true);
	ck_assert_uint_eq(vmx_ops.get_reg(vcpu, REG_CR0), CR0_ET | CR0_CD | CR0_NW);
}
END_TEST

START_TEST(the_first_load_sets_up)
{
	struct vcpu *other = vm->vcpus[1];

	vmx_ops.vcpu_put(vcpu);
	fake_vmcs_forget();
	vmx_ops.vcpu_load(other);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_PIN_CONTROLS), 1);
	ck_assert_uint_eq(fake_vmcs_writes(VMCS_HOST_GS_BASE), 1);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	vmx_ops.vcpu_put(other);
	fake_vmcs_forget();
	vmx_ops.vcpu_load(other);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 0);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
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
          tcase_add_test(tc, every_port_exits); tcase_add_test(tc, nothing_follows_the_last_port);
          tcase_add_test(tc, a_new_vmcs); tcase_add_test(tc, the_l1_cache_is_flushed_by_the_entry);
          tcase_add_loop_test(tc, fields_of_options, 0, ARRAY_SIZE(optional));
          tcase_add_test(tc, without_the_pat_controls); tcase_add_test(tc, registers_change_hands);
          tcase_add_test(tc, released_for_another_cpu);
          tcase_add_test(tc, the_whole_extended_state);
          tcase_add_test(tc, a_processor_without_xsave);
          tcase_add_test(tc, no_tsc_aux_without_rdtscp); tcase_add_test(tc, reset_of_live_state);
          tcase_add_test(tc, init_keeps_the_caches); tcase_add_test(tc, the_first_load_sets_up);
          tcase_add_test(tc, flushes); tcase_add_test(tc, launch_then_resume);
          tcase_add_loop_test(tc, preemption_timer, 0, ARRAY_SIZE(deadlines));
          tcase_add_test(tc, the_hosts_timer_stands_in); tcase_add_test(tc, tsc_offset);)
