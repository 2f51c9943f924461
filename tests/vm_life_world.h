/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM whose back end, loader and platform note what is done to them, and the words by which its
 * life goes on: what test_vm_*.c have in common.
 */
#ifndef TESTS_VM_LIFE_WORLD_H
#define TESTS_VM_LIFE_WORLD_H

#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"
#include "vmm/sched.h"
#include "vmm/vm_guest.h"
#include "vmm/vm_timer.h"
#include <stdio.h>
#include <string.h>

static struct vm *vm;
static struct cpu_virt_ops ops;
static struct vm other; /* a second one where a test needs it */
static char trace[256];
static int load_error, tables_error;
static uint64_t load_ns;

static inline void note(const char *what)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", what);
}

int guest_load(struct vm *who)
{
	uint64_t left;

	note("load");
	fake_clock_set(clock_now() + load_ns);
	/* Into clean memory, by a boot vCPU that is loaded and reset. */
	ck_assert_int_eq(gmem_read(&who->mem, gpa(0x5000), &left, sizeof(left)), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_ptr_eq(pcpu_this()->loaded, who->vcpus[0]);
	ck_assert_uint_eq(fake_vcpu(who->vcpus[0])->regs[REG_RIP], 0xfff0);
	return load_error;
}

static inline void op_load(struct vcpu *vcpu)
{
	pcpu_this()->loaded = vcpu;
}

static inline void op_put(struct vcpu *vcpu)
{
	ck_assert_ptr_eq(pcpu_this()->loaded, vcpu);
	pcpu_this()->loaded = NULL;
}

static inline void p_reset(struct vm *who)
{
	(void)who;
	note("reset");
}

static inline void p_quiesce(struct vm *who)
{
	(void)who;
	note("quiesce");
}

static inline int p_tables(struct vm *who)
{
	(void)who;
	note("tables");
	return tables_error;
}

static inline void p_power_button(struct vm *who)
{
	(void)who;
	note("button");
}

static uint64_t passed_ns;

static inline void p_time_passed(struct vm *who, uint64_t paused_ns)
{
	(void)who;
	passed_ns += paused_ns;
}

static const struct vm_platform_ops platform = {.reset = p_reset,
        .quiesce = p_quiesce,
        .write_tables = p_tables,
        .power_button = p_power_button,
        .time_passed = p_time_passed};

/* A VM that runs, as its guest left it. Nobody else is there. */
static inline void setup(void)
{
	const uint64_t dirt = 0xd1d1;

	fake_clock_set(1000000);
	vm = fake_vm(SIZE_2M, 3);
	ops = *cpu_virt;
	ops.vcpu_load = op_load;
	ops.vcpu_put = op_put;
	cpu_virt = &ops;
	vm->platform_ops = &platform;
	vm->dirty = true;
	vms[0] = vm;
	n_vms = 1;
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_RUNNABLE;
	}
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &dirt, sizeof(dirt)), 0);
	fake_log_clear();
	trace[0] = '\0';
	passed_ns = 0;
}

/* Another VM at home on another CPU. */
static inline void beside(enum vm_state state)
{
	static struct config_vm config;

	other = (struct vm){.state = state, .home_cpu = 5, .config = &config};
	config.manual = true;
	vms[1] = &other;
	n_vms = 2;
}

/* What vcpu_run() does about requests that end or begin a vCPU's stop; the others it leaves. */
static inline void all_stop(void)
{
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *v = vm->vcpus[i];
		uint64_t req = v->requests;

		v->requests &=
		        ~(BIT64(VCPU_REQ_STOP) | BIT64(VCPU_REQ_RESUME) | BIT64(VCPU_REQ_RESET));
		if (req & BIT64(VCPU_REQ_RESET)) {
			v->state = VCPU_WAIT_SIPI;
		}
		if (req & BIT64(VCPU_REQ_RESUME)) {
			vcpu_resume(v);
		}
		if (req & BIT64(VCPU_REQ_STOP)) {
			vcpu_stop(v);
		}
	}
}

/* true = look again; machine_poweroff() ends it, too. */
static inline bool serve(void)
{
	fake_end_reason = FAKE_END_NONE;
	if (setjmp(fake_end) == 0) {
		return vm_serve_requests(0);
	}
	return true;
}

/* Until nothing is left to do. */
static inline void settle(void)
{
	for (unsigned i = 0; i < 100; i++) {
		bool again;

		all_stop();
		again = serve();
		if (fake_end_reason != FAKE_END_NONE) {
			return;
		}
		if (!again && vm->requests == 0) {
			all_stop();
			return;
		}
	}
	ck_abort_msg("no end");
}

static inline const char *described(void)
{
	static char text[96];

	vm_describe_state(vm, text, sizeof(text));
	return text;
}

#endif
