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
	uint64_t left;

	if (__builtin_expect(__builtin_sub_overflow(deadline_tsc, now_tsc, &left), 0)) {
		return 0;
	}
	return left >> vmx_caps.timer_shift;
}

static inline void run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	vmcs_write(VMCS_PREEMPTION_TIMER, timer_ticks(now_tsc, deadline_tsc));
	vmx_enter(vcpu);
}

/* Without the preemption timer. */
static inline void run_by_apic(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	(void)now_tsc;
	apic_timer_set(deadline_tsc);
	vmx_enter(vcpu);
}

static bool has_timer(void)
{
	return (vmx_caps.granted & BIT(VMX_OPT_TIMER)) != 0;
}

void vmx_run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	if (has_timer()) {
		run(vcpu, now_tsc, deadline_tsc);
	} else {
		run_by_apic(vcpu, now_tsc, deadline_tsc);
	}
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
