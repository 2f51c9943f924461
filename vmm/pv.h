/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A paravirtual interface: what a hypervisor offers guests that know it, behind CPUID leaves from
 * 0x40000000, synthetic MSRs and hypercalls. hypercall/ implements Hyper-V's; a VM without one
 * (vm->pv NULL) finds Candela's own signature and nothing else.
 *
 * Hypercalls have a pointer of their own, vcpu->hypercall, for they are frequent.
 *
 * Context: calls that take a vCPU run on its own CPU, where it is loaded.
 */
#ifndef VMM_PV_H
#define VMM_PV_H

#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu.h"

struct vm;

/* Its CPUID leaves and its MSRs. */
#define PV_CPUID_BASE 0x40000000U
#define PV_CPUID_LEAVES 0x100U
#define PV_MSR_FIRST 0x40000000U
#define PV_MSR_LAST 0x400001ffU

struct pv_ops {
	/* leaf: PV_CPUID_BASE + 0 .. PV_CPUID_LEAVES - 1, *out zero; or 0x80000007 with what the
	 * policy says, from which it may take the invariant TSC. */
	void (*cpuid)(struct vcpu *vcpu, uint32_t leaf, struct cpuid_regs *out);
	/* false = #GP */
	bool (*msr_read)(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
	bool (*msr_write)(struct vcpu *vcpu, uint32_t msr, uint64_t value);
	/* VCPU_REQ_PV: whatever was left for this vCPU by other CPUs; VCPU_REQ_PV_IDLE. */
	void (*serve)(struct vcpu *vcpu);
	/* The guest ended an interrupt that pv_wants_eoi() named. */
	void (*eoi)(struct vcpu *vcpu, uint8_t vector);
	/* Power-on, or INIT (power_on false). */
	void (*vcpu_reset)(struct vcpu *vcpu, bool power_on);
	/* The VM's own part; home CPU, all its vCPUs have left the guest. Before its memory is
	 * cleared. */
	void (*vm_reset)(struct vm *vm);
	/* After a pause, and before vCPUs run: the VM's clock and TSC offset have moved. */
	void (*vm_resume)(struct vm *vm);
	void (*dump)(const struct vm *vm, struct out *out);
};

/* A bus of synthetic devices that stands on the interface (vmbus/); vm->bus_ops NULL = none. */
struct pv_bus_ops {
	/* At pv_ops.serve; the vCPU is VCPU_HALTED when it is about to sleep. */
	void (*serve)(struct vcpu *vcpu);
	/* The guest is no more: everything ends, nothing stays in flight. Home CPU, all its vCPUs
	 * have stopped; before its memory is cleared. May be called again at once. */
	void (*quiesce)(struct vm *vm);
	/* Any CPU. */
	void (*dump)(struct vm *vm, struct out *out);
	void (*trace)(struct vm *vm, bool on);
};

#endif
