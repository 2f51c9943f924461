// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VT-x back end: its operations, and what it keeps of CPUs, VMs and vCPUs.
 * Specs: [SDM3] "Introduction to Virtual-Machine Extensions".
 */
#include "vmm/cpuid_policy.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmx/exit.h"
#include "vmx/vmx_insn_hw.h"

#define FEATURE_CONTROL_LOCK BIT64(0)
#define FEATURE_CONTROL_VMX BIT64(2)
#define NO_CPU (~0U)
/*
 * A and B, and one that nobody should look at: for the last eight ports Bochs 2.7 reads two bytes
 * from the last of B, and takes an APIC access for it if that page comes next.
 */
#define IO_BITMAP_PAGES 3U

struct vmx_caps vmx_caps;
static uint32_t asked_off, known_defects; /* (c) what vmx_caps does without, and why */

static int op_host_init(uint32_t off, uint32_t force, char *why, size_t why_size)
{
	uint32_t defects = vmx_known_defects() & ~force;
	int err = vmx_caps_read(&vmx_caps, off | defects, why, why_size);

	if (!err) {
		asked_off = off;
		known_defects = defects;
		vmx_caps_dump(&vmx_caps, off, defects, &out_log);
	}
	return err;
}

static void op_host_dump(struct out *out)
{
	vmx_caps_dump(&vmx_caps, asked_off, known_defects, out);
}

static const struct virt_caps *op_caps(void)
{
	return &vmx_caps.virt;
}

/* Firmware that left the register open leaves the choice to us: VMX on, locked. */
static int unlock_vmx(void)
{
	uint64_t control = cpu_rdmsr(MSR_IA32_FEATURE_CONTROL);

	if (!(control & FEATURE_CONTROL_LOCK)) {
		control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
		cpu_wrmsr(MSR_IA32_FEATURE_CONTROL, control);
	}
	return (control & FEATURE_CONTROL_VMX) ? 0 : -EPERM;
}

static int op_cpu_enable(struct pcpu *cpu)
{
	uint32_t *region = page_alloc(1, PAGE_SIZE);
	int err = unlock_vmx();

	if (err || !region) {
		return err ? err : -ENOMEM;
	}
	*region = vmx_caps.revision;
	cpu->vmxon_hpa = virt_to_phys(region).v;
	cpu_write_cr0((cpu_read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
	cpu_write_cr4((cpu_read_cr4() | CR4_VMXE | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
	return vmx_on(hpa(cpu->vmxon_hpa)) ? 0 : -EIO;
}

static void op_cpu_disable(struct pcpu *cpu)
{
	(void)cpu;
	vmx_off();
}

static int op_vm_init(struct vm *vm)
{
	struct vmx_vm *v = page_alloc(1, PAGE_SIZE);
	int err;

	_Static_assert(sizeof(struct vmx_vm) <= PAGE_SIZE, "allocated as one page");
	if (!v) {
		return -ENOMEM;
	}
	vm->virt = v;
	v->io_bitmaps = page_alloc(IO_BITMAP_PAGES, PAGE_SIZE);
	v->apic_page = page_alloc(1, PAGE_SIZE);
	err = v->io_bitmaps && v->apic_page ? ept_init(vm) : -ENOMEM;
	if (err) {
		return err;
	}
	memset(v->io_bitmaps, 0xff, IO_BITMAP_PAGES * PAGE_SIZE);
	/* A guest whose APIC is off or in x2APIC mode finds this page: as nothing. */
	memset(v->apic_page, 0xff, PAGE_SIZE);
	if (vmx_caps.virt.apic.apic_access) {
		err = ept_map(vm, gpa(LAPIC_DEFAULT_BASE), virt_to_phys(v->apic_page), PAGE_SIZE,
		        MAP_READ | MAP_WRITE, MAP_TYPE_RAM);
	}
	return err;
}

static void op_vm_destroy(struct vm *vm)
{
	struct vmx_vm *v = vmx_vm(vm);

	if (!v) {
		return;
	}
	ept_destroy(vm);
	if (v->io_bitmaps) {
		page_free(v->io_bitmaps, IO_BITMAP_PAGES);
	}
	if (v->apic_page) {
		page_free(v->apic_page, 1);
	}
	page_free(v, 1);
	vm->virt = NULL;
}

static int op_vcpu_init(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = page_alloc(1, PAGE_SIZE);
	uint32_t *vmcs = page_alloc(1, PAGE_SIZE);

	_Static_assert(sizeof(struct vmx_vcpu) <= PAGE_SIZE, "allocated as one page");
	if (!v || !vmcs) {
		page_free(v, 1);
		page_free(vmcs, 1);
		return -ENOMEM;
	}
	vcpu->virt = v;
	v->vcpu = vcpu;
	v->cpu = NO_CPU;
	v->vmcs = virt_to_phys(vmcs);
	v->msr_bitmap = page_alloc(1, PAGE_SIZE);
	v->fpu = page_alloc(1, PAGE_SIZE);
	if (!v->msr_bitmap || !v->fpu) {
		return -ENOMEM;
	}
	msr_bitmap_init(v->msr_bitmap);
	v->vpid =
	        vmx_caps.virt.vpid ? (uint16_t)(vcpu->vm->index * MAX_VCPUS + vcpu->index + 1) : 0;
	*vmcs = vmx_caps.revision;
	return vmcs_clear(v->vmcs) ? 0 : -EIO;
}

static void op_vcpu_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);

	if (!v) {
		return;
	}
	page_free(phys_to_virt(v->vmcs), 1);
	if (v->msr_bitmap) {
		page_free(v->msr_bitmap, 1);
	}
	if (v->fpu) {
		page_free(v->fpu, 1);
	}
	page_free(v, 1);
	vcpu->virt = NULL;
}

static void op_vcpu_reset(struct vcpu *vcpu, bool power_on)
{
	uint64_t caches = vmx_get_reg(vcpu, REG_CR0) & (CR0_CD | CR0_NW);

	if (power_on) {
		vmx_live_state_reset(vcpu);
	} else {
		vmx_live_state_init();
	}
	vmx_reset_regs(vcpu);
	if (!power_on) {
		vmx_set_reg(vcpu, REG_CR0, CR0_ET | caches);
	}
	vmx_request_window(vcpu, false, false);
	vmx_flush_guest(vcpu);
}

static void op_vcpu_load(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	struct pcpu *cpu = pcpu_this();

	BUG_ON(!vmcs_load(v->vmcs));
	if (v->cpu != cpu->index) {
		if (v->cpu == NO_CPU) {
			vmcs_setup(vcpu);
			vmx_live_state_reset(vcpu);
			vmx_reset_regs(vcpu);
		}
		vmcs_set_host_cpu(cpu);
		v->cpu = cpu->index;
		/* What this CPU may still hold from an earlier owner of the VPID or the tables. */
		vmx_flush_all(vcpu);
	}
	vmx_live_state_load(vcpu);
	cpu->loaded = vcpu;
}

static void op_vcpu_put(struct vcpu *vcpu)
{
	(void)vmx_nmi_blocked(vcpu); /* while it can tell its own from another's */
	vmx_live_state_save(vcpu);
	pcpu_this()->loaded = NULL;
}

/* [SDM3] "VMCLEAR": a VMCS that is active on two processors may be corrupted. */
static void op_vcpu_release(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);

	BUG_ON(!vmcs_clear(v->vmcs));
	v->launched = false;
}

static void op_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	(void)vcpu;
	vmcs_write(VMCS_TSC_OFFSET, offset);
}

const struct cpu_virt_ops vmx_ops = {
        .name = "VT-x",
        .host_init = op_host_init,
        .cpu_enable = op_cpu_enable,
        .cpu_disable = op_cpu_disable,
        .caps = op_caps,
        .host_dump = op_host_dump,
        .vm_init = op_vm_init,
        .vm_destroy = op_vm_destroy,
        .vcpu_init = op_vcpu_init,
        .vcpu_destroy = op_vcpu_destroy,
        .vcpu_reset = op_vcpu_reset,
        .vcpu_load = op_vcpu_load,
        .vcpu_put = op_vcpu_put,
        .vcpu_release = op_vcpu_release,
        .run = vmx_run,
        .loop = vmx_loop,
        .get_reg = vmx_get_reg,
        .set_reg = vmx_set_reg,
        .get_seg = vmx_get_seg,
        .set_seg = vmx_set_seg,
        .get_table = vmx_get_table,
        .set_table = vmx_set_table,
        .get_fetch = vmx_get_fetch,
        .set_pdptes = vmx_set_pdptes,
        .skip_insn = vmx_skip_insn,
        .skip_exit = vmx_skip_exit,
        .pend_debug = vmx_pend_debug,
        .in_intr_shadow = vmx_in_intr_shadow,
        .intr_open = vmx_intr_open,
        .nmi_blocked = vmx_nmi_blocked,
        .set_nmi_blocked = vmx_set_nmi_blocked,
        .inject = vmx_inject,
        .inject_interrupt = vmx_inject_interrupt,
        .request_window = vmx_request_window,
        .apic_set_mode = vmx_apic_set_mode,
        .apic_set_irr = vmx_apic_set_irr,
        .apic_set_isr = vmx_apic_set_isr,
        .apic_set_eoi_exits = vmx_apic_set_eoi_exits,
        .apic_set_tpr_threshold = vmx_apic_set_tpr_threshold,
        .map = ept_map,
        .unmap = ept_unmap,
        .fix_fault = ept_fix_fault,
        .flush_guest_tlb = vmx_flush_guest,
        .flush_nested = vmx_flush_nested_request,
        .flush_nested_local = vmx_flush_nested,
        .set_tsc_offset = op_set_tsc_offset,
        .vcpu_dump = vmcs_dump,
        .exit_name = vmx_exit_name,
};
