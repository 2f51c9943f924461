/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs whose turns are a script, and a trace of them: what test_sched.c and
 * test_sched_cpus.c have in common.
 */
#ifndef TESTS_SCHED_WORLD_H
#define TESTS_SCHED_WORLD_H

#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/timer.h"
#include "vmm/sched.h"
#include <stdio.h>
#include <string.h>

static struct vm *vm;
static char trace[256];
static struct cpu_virt_ops ops;
static void (*on_run)(struct vcpu *vcpu);
static unsigned runs_left;
static uint64_t slice_end;
static bool (*on_serve)(uint32_t cpu);

static inline void note(const char *what, unsigned n)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s%u ", what, n);
}

void vcpu_run(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	ck_assert_ptr_eq(pcpu_this()->loaded, vcpu);
	note("run", vcpu->index);
	slice_end = slice_end_ns;
	vcpu->requests = 0; /* as serve_requests() does */
	if (on_run) {
		on_run(vcpu);
	}
	if (--runs_left == 0) {
		fake_end_reason = FAKE_END_NONE;
		longjmp(fake_end, 1);
	}
}

bool vm_serve_requests(uint32_t cpu)
{
	return on_serve && on_serve(cpu);
}

static inline void load(struct vcpu *vcpu)
{
	note("load", vcpu->index);
	pcpu_this()->loaded = vcpu;
}

static inline void put(struct vcpu *vcpu)
{
	note("put", vcpu->index);
	pcpu_this()->loaded = NULL;
}

static inline void assign(void)
{
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(sched_assign(vm->vcpus[i]), 0);
	}
}

static inline void setup(void)
{
	vm = fake_vm(SIZE_2M, 3);
	ops = *cpu_virt;
	ops.vcpu_load = load;
	ops.vcpu_put = put;
	cpu_virt = &ops;
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_RUNNABLE;
	}
	sched_init(1);
	assign();
}

/* Until the CPU idles or 'runs' turns are over. */
static inline void loop(unsigned runs)
{
	runs_left = runs;
	if (setjmp(fake_end) == 0) {
		sched_loop(pcpu_this());
	}
}

#endif
