// SPDX-License-Identifier: BSD-2-Clause
/*
 * A new VMCS: controls, host state. The guest's registers follow in vmx_regs.c.
 * Specs: [SDM3] "VM-Execution Control Fields", "Host-State Area", "Checks on VMX Controls and
 * Host-State Area".
 */
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/pcpu.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define PAT_RESET 0x0007040600070406ULL
#define TSC_MULTIPLIER_ONE BIT64(48)
#define NO_LINK (~0ULL)
#define MSR_IA32_FLUSH_CMD 0x10bU
#define FLUSH_CMD_L1D BIT64(0)
/* Pause-loop exiting: PAUSEs closer than GAP ticks are one loop; WINDOW ticks of it exit. */
#define PLE_GAP_TICKS 128U
#define PLE_WINDOW_TICKS 4096U

static void setup_controls(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	struct vmx_vm *vm = vmx_vm(vcpu->vm);

	v->proc = vmx_caps.proc;
	v->proc2 = vmx_caps.proc2;
	vmcs_write(VMCS_PIN_CONTROLS, vmx_caps.pin);
	vmcs_write(VMCS_PROC_CONTROLS, v->proc);
	vmcs_write(VMCS_PROC_CONTROLS2, v->proc2);
	vmcs_write(VMCS_EXIT_CONTROLS, vmx_caps.exit);
	vmcs_write(VMCS_ENTRY_CONTROLS, vmx_caps.entry);
	/* Endless delivery of #AC or #DB would never leave the guest otherwise; #MC is ours. */
	vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(X86_AC) | BIT(X86_DB) | BIT(X86_MC));
	vmcs_write(VMCS_PF_ERROR_MASK, 0);
	vmcs_write(VMCS_PF_ERROR_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write(VMCS_CR0_MASK, ~vmx_cr0_guest_owned());
	vmcs_write(VMCS_CR4_MASK, ~vmx_cr4_guest_owned());
	vmcs_write(VMCS_EPT_POINTER, vm->eptp);
	vmcs_write(VMCS_TSC_OFFSET, vcpu->tsc_offset);
}

/* Fields that exist only with the control that uses them. */
static void setup_optional(struct vcpu *vcpu)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	struct vmx_vm *vm = vmx_vm(vcpu->vm);
	uint32_t granted = vmx_caps.granted;

	if (granted & BIT(VMX_OPT_IOBITMAP)) {
		vmcs_write(VMCS_IO_BITMAP_A, virt_to_phys(vm->io_bitmaps).v);
		vmcs_write(VMCS_IO_BITMAP_B, virt_to_phys(vm->io_bitmaps + PAGE_SIZE).v);
	}
	if (granted & BIT(VMX_OPT_MSRBITMAP)) {
		vmcs_write(VMCS_MSR_BITMAP, virt_to_phys(v->msr_bitmap).v);
	}
	if (granted & BIT(VMX_OPT_VPID)) {
		vmcs_write(VMCS_VPID, v->vpid);
	}
	if (granted & BIT(VMX_OPT_TPR)) {
		vmcs_write(VMCS_VIRTUAL_APIC_ADDR, virt_to_phys(vcpu->lapic.regs).v);
		vmcs_write(VMCS_TPR_THRESHOLD, 0);
	}
	if (granted & BIT(VMX_OPT_APICACC)) {
		vmcs_write(VMCS_APIC_ACCESS_ADDR, virt_to_phys(vm->apic_page).v);
	}
	if (granted & BIT(VMX_OPT_VID)) {
		vmcs_write(VMCS_EOI_EXIT0, 0);
		vmcs_write(VMCS_EOI_EXIT1, 0);
		vmcs_write(VMCS_EOI_EXIT2, 0);
		vmcs_write(VMCS_EOI_EXIT3, 0);
		vmcs_write(VMCS_GUEST_INTR_STATUS, 0);
	}
	if (granted & BIT(VMX_OPT_PLE)) {
		vmcs_write(VMCS_PLE_GAP, PLE_GAP_TICKS);
		vmcs_write(VMCS_PLE_WINDOW, PLE_WINDOW_TICKS);
	}
	if (granted & BIT(VMX_OPT_XSAVES)) {
		vmcs_write(VMCS_XSS_EXIT_BITMAP, 0);
	}
	if (granted & BIT(VMX_OPT_L1DFLUSH)) {
		/*
		 * [L1TF] "Mitigation for VMX": by the entry itself, so that no host data is read
		 * between flush and guest, and processors that need none pay nothing.
		 */
		vm->flush_l1d =
		        (struct msr_entry){.msr = MSR_IA32_FLUSH_CMD, .value = FLUSH_CMD_L1D};
		vmcs_write(VMCS_ENTRY_MSR_LOAD_ADDR, virt_to_phys(&vm->flush_l1d).v);
		vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 1);
	}
	if (granted & BIT(VMX_OPT_TSCSCALE)) {
		vmcs_write(VMCS_TSC_MULTIPLIER, TSC_MULTIPLIER_ONE);
	}
}

static void setup_host(struct vcpu *vcpu)
{
	/* Selectors of vmm/hw/trap_hw.c; data segments are null in 64-bit mode. */
	vmcs_write(VMCS_HOST_CS_SELECTOR, HOST_CS);
	vmcs_write(VMCS_HOST_SS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_DS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_ES_SELECTOR, 0);
	vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
	vmcs_write(VMCS_HOST_TR_SELECTOR, HOST_TR);
	vmcs_write(VMCS_HOST_CR0, cpu_read_cr0());
	vmcs_write(VMCS_HOST_CR3, cpu_read_cr3());
	vmcs_write(VMCS_HOST_CR4, cpu_read_cr4());
	vmcs_write(VMCS_HOST_EFER, cpu_rdmsr(MSR_IA32_EFER));
	if (vmx_caps.pat) {
		vmcs_write(VMCS_HOST_PAT, cpu_rdmsr(MSR_IA32_PAT));
	}
	vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_HOST_FS_BASE, 0);
	vmcs_write(VMCS_HOST_RIP, (uintptr_t)vmx_exit_entry);
	vmcs_write(VMCS_HOST_RSP, (uintptr_t)&vcpu->gpr[REG_GPR_COUNT]);
}

void vmcs_set_host_cpu(struct pcpu *cpu)
{
	vmcs_write(VMCS_HOST_GS_BASE, (uintptr_t)cpu);
	vmcs_write(VMCS_HOST_TR_BASE, cpu->tss_base);
	vmcs_write(VMCS_HOST_GDTR_BASE, cpu->gdt_base);
	vmcs_write(VMCS_HOST_IDTR_BASE, cpu->idt_base);
}

void vmcs_setup(struct vcpu *vcpu)
{
	setup_controls(vcpu);
	setup_optional(vcpu);
	setup_host(vcpu);
	vmcs_write(VMCS_LINK_POINTER, NO_LINK);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
	if (vmx_caps.pat) {
		vmcs_write(VMCS_GUEST_PAT, PAT_RESET);
	}
}
