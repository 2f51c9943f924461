// SPDX-License-Identifier: BSD-2-Clause
/*
 * Into the guest and back: one entry and its exit, and the loop of them.
 * Specs: [SDM3] "VM Entries", "VMX-Preemption Timer".
 */
#include "vmm/hw/apic_hw.h"
#include "vmm/vcpu_loop.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

/*
 * Ticks of the preemption timer until the deadline; 0 when it has passed. The field takes 32 bits
 * of it: far away, the guest is left and entered again on the way.
 */
static inline uint64_t timer_ticks(uint64_t now_tsc, uint64_t deadline_tsc)
{
	return deadline_tsc > now_tsc ? (deadline_tsc - now_tsc) >> vmx_caps.timer_shift : 0;
}

static inline struct vcpu *run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	vmcs_write(VMCS_PREEMPTION_TIMER, timer_ticks(now_tsc, deadline_tsc));
	return vmx_enter(vcpu);
}

/* Without the preemption timer. */
static inline struct vcpu *run_by_apic(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	(void)now_tsc;
	apic_timer_set(deadline_tsc);
	return vmx_enter(vcpu);
}

static bool has_timer(void)
{
	return (vmx_caps.granted & BIT(VMX_OPT_TIMER)) != 0;
}

struct vcpu *vmx_run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	return has_timer() ? run(vcpu, now_tsc, deadline_tsc)
	                   : run_by_apic(vcpu, now_tsc, deadline_tsc);
}

static __attribute__((noinline)) bool loop_by_apic(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	return vcpu_loop(vcpu, slice_end_ns, run_by_apic, vmx_skip_exit);
}

bool vmx_loop(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	if (!has_timer()) {
		return loop_by_apic(vcpu, slice_end_ns);
	}
	return vcpu_loop(vcpu, slice_end_ns, run, vmx_skip_exit);
}
