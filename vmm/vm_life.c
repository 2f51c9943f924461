// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VM's life: requests from anywhere, carried out by its home CPU when all its vCPUs have
 * left the guest.
 */
#include "vmm/guest_load.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/sched.h"
#include "vmm/stats.h"
#include "vmm/vm.h"

void vm_request(struct vm *vm, enum vm_request req, const char *reason)
{
	uint32_t before = __atomic_fetch_or(&vm->requests, BIT(req), __ATOMIC_SEQ_CST);

	if (before == 0) {
		vm->reason = reason;
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vcpu_request(vm->vcpus[i], VCPU_REQ_STOP);
	}
	pcpu_kick(vm->home_cpu);
}

uint64_t vm_handoff_tsc;

static bool all_stopped(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (__atomic_load_n(&vm->vcpus[i]->state, __ATOMIC_ACQUIRE) != VCPU_STOPPED ||
		        __atomic_load_n(&vm->vcpus[i]->running, __ATOMIC_ACQUIRE)) {
			return false;
		}
	}
	return true;
}

/* Power-on: devices, vCPUs, memory, image, tables; then the boot vCPU runs. Home CPU. */
static int start(struct vm *vm)
{
	struct pcpu *cpu = pcpu_this();
	struct vcpu *boot = vm->vcpus[0];
	int err;

	vm->platform_ops->reset(vm);
	irq_router_reset(&vm->irq);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		/* What the old life asked for; but translations that had to go still have to, and
		 * who called waits. */
		__atomic_fetch_and(&vm->vcpus[i]->requests,
		        BIT64(VCPU_REQ_FLUSH_NESTED) | BIT64(VCPU_REQ_CALL), __ATOMIC_SEQ_CST);
	}
	if (cpu->loaded != boot) {
		if (cpu->loaded) {
			cpu_virt->vcpu_put(cpu->loaded);
		}
		cpu_virt->vcpu_load(boot);
	}
	vcpu_reset(boot);
	err = guest_load(vm);
	if (!err) {
		err = vm->platform_ops->write_tables(vm);
	}
	if (err) {
		return err;
	}
	vm->state = VM_RUNNING;
	if (vm_handoff_tsc) {
		log_info("hand-off to first entry: %llu ticks",
		        (unsigned long long)(clock_tsc() - vm_handoff_tsc));
		vm_handoff_tsc = 0;
	}
	for (unsigned i = 1; i < vm->n_vcpus; i++) {
		/* Their turn may come after the boot vCPU's, whose INIT must find them. */
		lapic_reset_base(&vm->vcpus[i]->lapic);
		vcpu_request(vm->vcpus[i], VCPU_REQ_RESET);
	}
	boot->state = VCPU_RUNNABLE;
	sched_wake(boot);
	return 0;
}

static void stop(struct vm *vm, const char *what)
{
	vm->state = VM_DEAD;
	log_info("vm %s: %s", vm->config->name, what);
	stats_log(vm);
	for (unsigned i = 0; i < n_vms; i++) {
		if (__atomic_load_n(&vms[i]->state, __ATOMIC_SEQ_CST) != VM_DEAD) {
			return;
		}
	}
	log_info("the last VM has stopped");
	machine_poweroff();
}

/* The strongest of the requests that came together. */
static void carry_out(struct vm *vm, uint32_t req)
{
	vm->platform_ops->quiesce(vm);
	if (req & BIT(VM_REQ_KILL)) {
		stop(vm, "killed");
	} else if (req & BIT(VM_REQ_POWEROFF)) {
		stop(vm, "powered off");
	} else {
		if (req & BIT(VM_REQ_RESET)) {
			log_info("vm %s: reset (%s)", vm->config->name, vm->reason);
			/* New memory is clean already. */
			gmem_clear(&vm->mem);
		}
		if (start(vm)) {
			stop(vm, "cannot be started");
		}
	}
}

bool vm_serve_requests(uint32_t cpu)
{
	bool done = false;

	for (unsigned i = 0; i < n_vms; i++) {
		struct vm *vm = vms[i];
		uint32_t req = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);

		if (vm->home_cpu != cpu || req == 0 || !all_stopped(vm)) {
			continue;
		}
		/* With what came since the look: a kill must not be lost to a reset. */
		req = __atomic_exchange_n(&vm->requests, 0, __ATOMIC_SEQ_CST);
		if (vm->state != VM_DEAD) {
			carry_out(vm, req);
		}
		done = true;
	}
	return done;
}
