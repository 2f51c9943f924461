// SPDX-License-Identifier: BSD-2-Clause
// Requests to a VM: in every combination the strongest wins, and nobody acts before all stopped.
#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

static struct vm *vm;
static struct cpu_virt_ops ops;
static char trace[256];
static int load_error, tables_error;

static void note(const char *what)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s ", what);
}

int guest_load(struct vm *who)
{
	uint64_t left;

	note("load");
	/* Into clean memory, by a boot vCPU that is loaded and reset. */
	ck_assert_int_eq(gmem_read(&who->mem, gpa(0x5000), &left, sizeof(left)), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_ptr_eq(pcpu_this()->loaded, who->vcpus[0]);
	ck_assert_uint_eq(fake_vcpu(who->vcpus[0])->regs[REG_RIP], 0xfff0);
	return load_error;
}

static void op_load(struct vcpu *vcpu)
{
	pcpu_this()->loaded = vcpu;
}

static void op_put(struct vcpu *vcpu)
{
	ck_assert_ptr_eq(pcpu_this()->loaded, vcpu);
	pcpu_this()->loaded = NULL;
}

static void p_reset(struct vm *who)
{
	(void)who;
	note("reset");
}

static void p_quiesce(struct vm *who)
{
	(void)who;
	note("quiesce");
}

static int p_tables(struct vm *who)
{
	(void)who;
	note("tables");
	return tables_error;
}

static const struct vm_platform_ops platform = {
        .reset = p_reset, .quiesce = p_quiesce, .write_tables = p_tables};

/* A VM that runs, as its guest left it; a second one beside it unless 'alone'. */
static void setup(void)
{
	const uint64_t dirt = 0xd1d1;

	vm = fake_vm(SIZE_2M, 3);
	ops = *cpu_virt;
	ops.vcpu_load = op_load;
	ops.vcpu_put = op_put;
	cpu_virt = &ops;
	vm->platform_ops = &platform;
	vms[0] = vm;
	n_vms = 1;
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_RUNNABLE;
	}
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &dirt, sizeof(dirt)), 0);
	fake_log_clear();
}

static void all_stop(void)
{
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_STOPPED;
		vm->vcpus[i]->requests = 0;
	}
}

/* true = something was done; machine_poweroff() ends it, too. */
static bool serve(void)
{
	fake_end_reason = FAKE_END_NONE;
	if (setjmp(fake_end) == 0) {
		return vm_serve_requests(0);
	}
	return true;
}

START_TEST(a_request_stops_everybody)
{
	fake_kicks = 0;
	vm_request(vm, VM_REQ_RESET, "why");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(vm->vcpus[i]->requests, BIT64(VCPU_REQ_STOP));
		ck_assert(vm->vcpus[i]->queued);
	}
	/* Each one's CPU, and the home CPU. */
	ck_assert_uint_eq(fake_kicks, 4);
	ck_assert_str_eq(vm->reason, "why");
	/* The first reason is the one. */
	vm_request(vm, VM_REQ_KILL, "later");
	ck_assert_str_eq(vm->reason, "why");
}
END_TEST

START_TEST(it_waits_for_all)
{
	vm_request(vm, VM_REQ_RESET, "why");
	ck_assert(!serve());
	all_stop();
	vm->vcpus[2]->state = VCPU_WAIT_SIPI;
	ck_assert(!serve());
	vm->vcpus[2]->state = VCPU_STOPPED;
	vm->vcpus[1]->running = 1; /* on its way out */
	ck_assert(!serve());
	ck_assert_str_eq(trace, "");
	vm->vcpus[1]->running = 0;
	ck_assert(serve());
	ck_assert(!serve());
}
END_TEST

START_TEST(only_at_home)
{
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	vm->home_cpu = 1;
	ck_assert(!serve());
	ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(reset)
{
	vm_request(vm, VM_REQ_RESET, "port 0x64");
	all_stop();
	ck_assert(serve());
	ck_assert_str_eq(trace, "quiesce reset load tables ");
	ck_assert_uint_eq(fake_log_count("vm fake: reset (port 0x64)"), 1);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	ck_assert_int_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
	/* The others reset themselves, on their own CPUs. */
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_RESET));
	ck_assert_uint_eq(vm->vcpus[2]->requests, BIT64(VCPU_REQ_RESET));
	ck_assert(vm->vcpus[0]->queued && vm->vcpus[1]->queued && vm->vcpus[2]->queued);
	ck_assert_uint_eq(vm->requests, 0);
}
END_TEST

/* Requests of the old life are dropped, but translations that had to go still have to. */
START_TEST(old_requests)
{
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->requests = BIT64(VCPU_REQ_SIPI) | BIT64(VCPU_REQ_NMI) |
		                         BIT64(VCPU_REQ_STOP) | BIT64(VCPU_REQ_FLUSH_NESTED);
	}
	ck_assert(serve());
	ck_assert_uint_eq(vm->vcpus[0]->requests, BIT64(VCPU_REQ_FLUSH_NESTED));
	ck_assert_uint_eq(
	        vm->vcpus[1]->requests, BIT64(VCPU_REQ_FLUSH_NESTED) | BIT64(VCPU_REQ_RESET));
}
END_TEST

/* The boot vCPU may send INIT before another one had its turn: its APIC takes it already. */
START_TEST(start_up_ipis_find_their_way)
{
	struct vcpu *ap = vm->vcpus[1];

	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	vm->vcpus[1]->lapic.base = 0; /* as the old life left it, or none yet */
	vm->vcpus[2]->lapic.base = LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD;
	ck_assert(serve());
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(vm->vcpus[i]->lapic.base,
		        LAPIC_DEFAULT_BASE | APIC_BASE_EN | (i == 0 ? APIC_BASE_BSP : 0));
	}
	lapic_write(&vm->vcpus[0]->lapic, LAPIC_ICR_HIGH, 1U << 24);
	lapic_write(&vm->vcpus[0]->lapic, LAPIC_ICR, 0x4500);
	lapic_write(&vm->vcpus[0]->lapic, LAPIC_ICR, 0x4620);
	ck_assert_uint_eq(
	        ap->requests, BIT64(VCPU_REQ_RESET) | BIT64(VCPU_REQ_INIT) | BIT64(VCPU_REQ_SIPI));
}
END_TEST

START_TEST(another_vcpu_was_loaded)
{
	pcpu_this()->loaded = vm->vcpus[2];
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	ck_assert(serve());
	ck_assert_ptr_eq(pcpu_this()->loaded, vm->vcpus[0]);
}
END_TEST

/* The first start: nothing to say, and memory is clean as allocated. */
START_TEST(start)
{
	const uint64_t zero = 0;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &zero, sizeof(zero)), 0);
	all_stop();
	vm->state = VM_OFF;
	vm_request(vm, VM_REQ_START, "start");
	ck_assert(serve());
	ck_assert_str_eq(trace, "quiesce reset load tables ");
	ck_assert_uint_eq(fake_log_count("reset"), 0);
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

/* Every set of requests, and what comes of it. */
START_TEST(the_strongest_wins)
{
	const uint64_t zero = 0;
	uint32_t set = (uint32_t)_i;
	bool ends = set & (BIT(VM_REQ_KILL) | BIT(VM_REQ_POWEROFF));

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &zero, sizeof(zero)), 0);
	for (unsigned r = 0; r <= VM_REQ_KILL; r++) {
		if (set & BIT(r)) {
			vm_request(vm, r, "r");
		}
	}
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, ends ? VM_DEAD : VM_RUNNING);
	ck_assert_int_eq(fake_end_reason, ends ? FAKE_END_POWEROFF : FAKE_END_NONE);
	ck_assert_uint_eq(fake_log_count("vm fake: killed"), (set & BIT(VM_REQ_KILL)) != 0);
	ck_assert_uint_eq(fake_log_count("vm fake: powered off"),
	        (set & BIT(VM_REQ_POWEROFF)) && !(set & BIT(VM_REQ_KILL)));
	ck_assert_uint_eq(fake_log_count("vm fake: reset"), !ends && (set & BIT(VM_REQ_RESET)));
	ck_assert_str_eq(trace, ends ? "quiesce " : "quiesce reset load tables ");
	ck_assert_uint_eq(fake_log_count("the last VM has stopped"), ends);
	ck_assert_uint_eq(fake_log_count("vCPU 2:"), ends); /* the statistics */
}
END_TEST

START_TEST(the_last_vm_ends_the_machine)
{
	static struct vm other;

	other.state = VM_RUNNING;
	other.home_cpu = 5;
	vms[1] = &other;
	n_vms = 2;
	vm_request(vm, VM_REQ_POWEROFF, "S5");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_DEAD);
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	/* Whatever still comes for a dead one is swallowed. */
	vm_request(vm, VM_REQ_RESET, "late");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_DEAD);
	ck_assert_str_eq(trace, "quiesce ");
	other.state = VM_OFF; /* made, not yet started: it will */
	vm->state = VM_RUNNING;
	vm_request(vm, VM_REQ_KILL, "x");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	other.state = VM_DEAD;
	vm->state = VM_RUNNING;
	vm_request(vm, VM_REQ_KILL, "x");
	all_stop();
	serve();
	ck_assert_int_eq(fake_end_reason, FAKE_END_POWEROFF);
}
END_TEST

START_TEST(it_cannot_be_started)
{
	if (_i) {
		tables_error = -ENOMEM;
	} else {
		load_error = -EINVAL;
	}
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	serve();
	ck_assert_int_eq(fake_end_reason, FAKE_END_POWEROFF);
	ck_assert_int_eq(vm->state, VM_DEAD);
	ck_assert_uint_eq(fake_log_count("cannot be started"), 1);
	ck_assert_uint_eq(vm->vcpus[1]->requests, 0);
	ck_assert_int_ne(vm->vcpus[0]->state, VCPU_RUNNABLE);
}
END_TEST

UNIT_MAIN("vm_life", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_request_stops_everybody); tcase_add_test(tc, it_waits_for_all);
          tcase_add_test(tc, only_at_home); tcase_add_test(tc, reset);
          tcase_add_test(tc, old_requests); tcase_add_test(tc, start_up_ipis_find_their_way);
          tcase_add_test(tc, another_vcpu_was_loaded); tcase_add_test(tc, start);
          tcase_add_loop_test(tc, the_strongest_wins, 1, 16);
          tcase_add_test(tc, the_last_vm_ends_the_machine);
          tcase_add_loop_test(tc, it_cannot_be_started, 0, 2);)
