// SPDX-License-Identifier: BSD-2-Clause
// VT-x without a processor: fields in an array, entries by script.
#include "tests/fake/vmx_fake.h"
#include "tests/cpu_models.h"
#include "tests/fake/host_fake.h"
#include "tests/fake/phys_fake.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/bug.h"
#include <string.h>

uint64_t fake_vmcs[0x8000];
static uint16_t writes[0x8000], reads[0x8000];
static bool absent[0x8000];
struct fake_vmx fake_vmx;
uint64_t fake_arena_size = FAKE_ARENA_SIZE;
static const struct fake_exit *script;
static unsigned script_left;

unsigned fake_vmcs_writes(enum vmcs_field field)
{
	return writes[field];
}

unsigned fake_vmcs_all_writes(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
		n += writes[i];
	}
	return n;
}

unsigned fake_vmcs_reads(enum vmcs_field field)
{
	return reads[field];
}

void fake_vmcs_forget(void)
{
	memset(writes, 0, sizeof(writes));
	memset(reads, 0, sizeof(reads));
}

void fake_vmcs_absent(enum vmcs_field field)
{
	absent[field] = true;
}

static unsigned checked(enum vmcs_field field)
{
	if ((unsigned)field >= ARRAY_SIZE(fake_vmcs) || absent[field]) {
		bug(__FILE__, __LINE__, "no such VMCS field");
	}
	return field;
}

uint64_t vmcs_read(enum vmcs_field field)
{
	reads[checked(field)]++;
	return fake_vmcs[field];
}

void vmcs_write(enum vmcs_field field, uint64_t value)
{
	/* Encoding bits 14:13: the width. A wider value is cut off by the processor. */
	unsigned width = ((unsigned)field >> 13) & 3U;

	writes[checked(field)]++;
	fake_vmcs[field] = width == 0 ? (uint16_t)value : width == 2 ? (uint32_t)value : value;
}

bool vmcs_try_read(enum vmcs_field field, uint64_t *value)
{
	*value = absent[field] ? 0 : fake_vmcs[field];
	return !absent[field];
}

bool vmx_on(hpa_t region)
{
	fake_vmx.ons++;
	return region.v != 0 && !fake_vmx.fail_on;
}

void vmx_off(void)
{
	fake_vmx.offs++;
}

bool vmcs_clear(hpa_t vmcs)
{
	fake_vmx.clears++;
	return vmcs.v != 0 && !fake_vmx.fail_clear;
}

bool vmcs_load(hpa_t vmcs)
{
	fake_vmx.loads++;
	fake_vmx.loaded_vmcs = vmcs.v;
	return vmcs.v != 0;
}

void vmx_invept(enum invalidate_type type, uint64_t eptp)
{
	fake_vmx.invepts++;
	fake_vmx.last_type = type;
	fake_vmx.last_eptp = eptp;
}

void vmx_invvpid(enum invalidate_type type, uint16_t vpid)
{
	fake_vmx.invvpids++;
	fake_vmx.last_type = type;
	fake_vmx.last_vpid = vpid;
}

void vmx_exit_entry(void)
{
}

void fake_vmx_script(const struct fake_exit *exits, unsigned n)
{
	script = exits;
	script_left = n;
}

static void run_out_the_timer(void)
{
	/* Some time passes even with a timer of 0. */
	fake_clock_set(
	        clock_now() + (fake_vmcs[VMCS_PREEMPTION_TIMER] << vmx_caps.timer_shift) + 1);
	fake_vmcs[VMCS_EXIT_REASON] = 52;
}

void vmx_enter(struct vcpu *vcpu)
{
	const struct fake_exit *e = script;
	struct vmx_vcpu *v = vmx_vcpu(vcpu);

	fake_vmx.entries++;
	fake_vmx.resumes += v->launched;
	v->launched = true;
	fake_vmx.last_inject = (uint32_t)fake_vmcs[VMCS_ENTRY_INTR_INFO];
	if (script_left == 0) {
		fake_vmcs[VMCS_ENTRY_INTR_INFO] &= ~BIT64(31);
		run_out_the_timer();
		vmx_exited(vcpu);
		return;
	}
	script++;
	script_left--;
	fake_clock_set(clock_now() + e->guest_ns);
	if (e->guest) {
		e->guest(vcpu);
	}
	if (e->fail) {
		vmx_entry_failed(vcpu);
		return;
	}
	if (!(e->reason & BIT(31))) {
		/* [SDM3] "Saving Guest State" and "Basic VM-Exit Information" */
		fake_vmcs[VMCS_ENTRY_INTR_INFO] &= ~BIT64(31);
	}
	fake_vmcs[VMCS_EXIT_REASON] = e->reason;
	fake_vmcs[VMCS_EXIT_QUALIFICATION] = e->qual;
	fake_vmcs[VMCS_GUEST_PHYSICAL_ADDR] = e->gpa;
	fake_vmcs[VMCS_GUEST_LINEAR_ADDR] = e->linear;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = e->len;
	fake_vmcs[VMCS_EXIT_INSN_INFO] = e->info;
	fake_vmcs[VMCS_EXIT_INTR_INFO] = e->intr_info;
	fake_vmcs[VMCS_EXIT_INTR_ERROR] = e->intr_error;
	fake_vmcs[VMCS_IDT_VECTORING_INFO] = e->vectoring;
	fake_vmcs[VMCS_IDT_VECTORING_ERROR] = e->vectoring_error;
	vmx_exited(vcpu);
}

void fake_vmx_msrs(void)
{
	/* Low half: always 1; high half: may be 1. */
	fake_msr_set(
	        MSR_IA32_VMX_BASIC, 0x1234 | 4096ULL << 32 | 6ULL << 50 | BIT64(54) | BIT64(55));
	fake_msr_set(MSR_IA32_VMX_PINBASED_CTLS, 0x000000ff00000016);
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS, 0xfffffffe0401e172);
	fake_msr_set(MSR_IA32_VMX_EXIT_CTLS, 0x01ffffff00036dff);
	fake_msr_set(MSR_IA32_VMX_ENTRY_CTLS, 0x0003ffff000011ff);
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS2, 0xffffffff00000000);
	fake_msr_set(MSR_IA32_VMX_TRUE_PINBASED_CTLS, 0x000000ff00000016);
	fake_msr_set(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, 0xfffffffe04006172);
	fake_msr_set(MSR_IA32_VMX_TRUE_EXIT_CTLS, 0x01ffffff00036dfb);
	fake_msr_set(MSR_IA32_VMX_TRUE_ENTRY_CTLS, 0x0003ffff000011fb);
	fake_msr_set(MSR_IA32_VMX_MISC, 5);
	fake_msr_set(MSR_IA32_VMX_CR0_FIXED0, 0x80000021);
	fake_msr_set(MSR_IA32_VMX_CR0_FIXED1, 0xffffffff);
	fake_msr_set(MSR_IA32_VMX_CR4_FIXED0, 0x2000);
	fake_msr_set(MSR_IA32_VMX_CR4_FIXED1, 0x3767ff);
	fake_msr_set(MSR_IA32_VMX_EPT_VPID_CAP, 0xf0106734141);
	fake_msr_set(MSR_IA32_FEATURE_CONTROL, 0);
	fake_msr_set(MSR_IA32_MTRRCAP, 0);
	fake_msr_set(MSR_IA32_MTRR_DEF_TYPE, 0xc06); /* enabled, write-back */
	fake_msr_set(MSR_IA32_PAT, 0x0007040600070406);
	fake_msr_set(MSR_IA32_EFER, 0xd01);
}

void fake_vmx_host(uint32_t off)
{
	static struct boot_info bi;
	char why[160];

	cpu_model_skylake_x();
	fake_vmx_msrs();
	if (bi.n_mem == 0) {
		/* The allocator starts once. */
		fake_phys_init(FAKE_ARENA_BASE, fake_arena_size);
	}
	bi.n_mem = 1;
	bi.mem[0] = (struct boot_mem){
	        .base = FAKE_ARENA_BASE, .len = fake_arena_size, .type = BOOT_MEM_USABLE};
	page_alloc_init(&bi);
	fake_host.cr0 = 0x80050033;
	fake_host.cr3 = 0x5000;
	fake_host.cr4 = 0x40668;
	cpu_virt = &vmx_ops;
	if (vmx_ops.host_init(off, 0, why, sizeof(why))) {
		bug(__FILE__, __LINE__, why);
	}
	cpuid_policy_init(vmx_ops.caps(), 0, 0);
}

struct vm *fake_vmx_vm(uint64_t mem_size, unsigned n_vcpus, uint32_t off)
{
	const struct cpu_virt_ops *before = cpu_virt;
	static const struct cpu_virt_ops *arrays;
	struct vm *vm;

	if (!arrays) {
		arrays = before;
	}
	cpu_virt = arrays;
	vm = fake_vm(mem_size, n_vcpus);
	fake_vmx_host(off);
	for (unsigned i = 0; i < n_vcpus; i++) {
		uint8_t *regs = page_alloc(1, PAGE_SIZE);

		vm->vcpus[i]->virt = NULL;
		vm->vcpus[i]->timers = NULL; /* fake_vm() has listed the APIC's already */
		lapic_init(&vm->vcpus[i]->lapic, vm->vcpus[i], regs);
	}
	if (vmx_ops.vm_init(vm)) {
		bug(__FILE__, __LINE__, "vm_init");
	}
	for (unsigned i = n_vcpus; i-- > 0;) {
		if (vmx_ops.vcpu_init(vm->vcpus[i])) {
			bug(__FILE__, __LINE__, "vcpu_init");
		}
	}
	vmx_ops.vcpu_load(vm->vcpus[0]);
	vcpu_reset(vm->vcpus[0]);
	vm->vcpus[0]->state = VCPU_RUNNABLE;
	fake_vmcs_forget();
	memset(&fake_vmx, 0, sizeof(fake_vmx));
	fake_log_clear();
	return vm;
}

void fake_vmx_long_mode(struct vcpu *vcpu)
{
	const struct segment data = {.limit = 0xffffffff, .selector = 0x10, .attr = 0xc093};
	const struct segment code = {.limit = 0xffffffff, .selector = 0x08, .attr = 0xa09b};
	const struct segment none = {.unusable = true};
	const struct segment tss = {.limit = 0x67, .selector = 0x18, .attr = 0x8b};

	for (unsigned i = SEG_ES; i < SEG_LDTR; i++) {
		vmx_set_seg(vcpu, i, i == SEG_CS ? &code : &data);
	}
	vmx_set_seg(vcpu, SEG_LDTR, &none);
	vmx_set_seg(vcpu, SEG_TR, &tss);
	vmx_set_reg(vcpu, REG_CR4, CR4_PAE);
	vmx_set_reg(vcpu, REG_CR3, 0x10000);
	vmx_set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	vmx_set_reg(vcpu, REG_CR0, CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP);
	vmx_set_reg(vcpu, REG_RIP, 0x8000);
	vmx_set_reg(vcpu, REG_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF);
	fake_vmcs_forget();
}
