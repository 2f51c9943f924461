// SPDX-License-Identifier: BSD-2-Clause
// The life of a VM: its vCPUs stop, it starts, is reset and starts again.
#include "tests/vm_life_world.h"

#define MIB (1ULL << 20)

START_TEST(a_request_stops_everybody)
{
	fake_kicks = 0;
	vm_request(vm, VM_REQ_RESET, "why");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(vm->vcpus[i]->requests, BIT64(VCPU_REQ_STOP));
		ck_assert(vm->vcpus[i]->sched.queued);
	}
	/* Each one's CPU, and the home CPU. */
	ck_assert_uint_eq(fake_kicks, 4);
	ck_assert_str_eq(vm->reasons[VM_REQ_RESET], "why");
	/* The first reason of each is the one. */
	vm_request(vm, VM_REQ_RESET, "again");
	vm_request(vm, VM_REQ_KILL, "later");
	ck_assert_str_eq(vm->reasons[VM_REQ_RESET], "why");
	ck_assert_str_eq(vm->reasons[VM_REQ_KILL], "later");
	ck_assert_str_eq(described(), "stopping");
}
END_TEST

START_TEST(it_waits_for_all)
{
	vm_request(vm, VM_REQ_RESET, "why");
	ck_assert(!serve());
	all_stop();
	vm->vcpus[2]->state = VCPU_WAIT_SIPI;
	ck_assert(!serve());
	/* Nobody had asked that one, or it was swept away. */
	ck_assert_uint_eq(vm->vcpus[2]->requests, BIT64(VCPU_REQ_STOP));
	vm->vcpus[2]->state = VCPU_STOPPED;
	ck_assert(!serve()); /* it will look at the request first */
	vm->vcpus[2]->requests = BIT64(VCPU_REQ_RESUME);
	ck_assert(!serve());
	vm->vcpus[2]->requests = BIT64(VCPU_REQ_RESET);
	ck_assert(!serve());
	vm->vcpus[2]->requests = BIT64(VCPU_REQ_IRQ);
	vm->vcpus[1]->running = 1; /* on its way out */
	ck_assert(!serve());
	ck_assert_str_eq(trace, "");
	vm->vcpus[1]->running = 0;
	ck_assert(serve());
	ck_assert_str_eq(trace, "quiesce reset load tables ");
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
	ck_assert(vm->vcpus[0]->sched.queued && vm->vcpus[1]->sched.queued &&
	          vm->vcpus[2]->sched.queued);
	ck_assert_uint_eq(vm->requests, 0);
	/* Its TSC begins anew. */
	ck_assert_uint_eq(clock_tsc() + vm->tsc_offset, 0);
}
END_TEST

/* A triple fault as the first instruction: the log is not the guest's to fill, nor is the time. */
START_TEST(resets_without_end)
{
	struct sched_stats before, after;

	sched_get_stats(vm->vcpus[0], &before);
	fake_log_clear();
	load_ns = 100000;
	for (unsigned i = 0; i < 1000; i++) {
		trace[0] = '\0';
		vm_request(vm, VM_REQ_RESET, "triple fault");
		all_stop();
		ck_assert(serve());
		fake_clock_advance(900000);
	}
	load_ns = 0;
	/* 20 at once and two a second, each with a word about those left out. */
	ck_assert_uint_ge(fake_log_count("reset (triple fault)"), 20);
	ck_assert_uint_le(fake_log_count("vm fake: "), 20 + 2 * 3);
	sched_get_stats(vm->vcpus[0], &after);
	ck_assert_uint_ge(after.run_ns, before.run_ns + 1000 * 100000);
}
END_TEST

/* Requests of the old life are dropped, but translations that had to go still have to. */
START_TEST(old_requests)
{
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->held = BIT64(VCPU_REQ_SIPI);
		vm->vcpus[i]->requests = BIT64(VCPU_REQ_SIPI) | BIT64(VCPU_REQ_NMI) |
		                         BIT64(VCPU_REQ_CALL) | BIT64(VCPU_REQ_FLUSH_NESTED);
	}
	ck_assert(serve());
	ck_assert_uint_eq(
	        vm->vcpus[0]->requests, BIT64(VCPU_REQ_FLUSH_NESTED) | BIT64(VCPU_REQ_CALL));
	ck_assert_uint_eq(vm->vcpus[0]->held, 0);
	ck_assert_uint_eq(vm->vcpus[1]->requests,
	        BIT64(VCPU_REQ_FLUSH_NESTED) | BIT64(VCPU_REQ_CALL) | BIT64(VCPU_REQ_RESET));
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
START_TEST(first_start)
{
	const uint64_t zero = 0;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &zero, sizeof(zero)), 0);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(0x6000), 0xee, 1), 0);
	for (unsigned i = 0; i < 3; i++) {
		vm->vcpus[i]->state = VCPU_STOPPED;
	}
	vm->state = VM_OFF;
	vm->dirty = false;
	ck_assert_str_eq(described(), "off (never started)");
	vm_request(vm, VM_REQ_START, "start");
	all_stop();
	ck_assert(serve());
	ck_assert_str_eq(trace, "quiesce reset load tables ");
	ck_assert_uint_eq(fake_log_count("reset"), 0);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	ck_assert_str_eq(described(), "running");
	/* Nobody has cleared what was clean. */
	ck_assert_uint_eq(vm->mem.regions[0].hva[0x6000], 0xee);
	ck_assert(vm->dirty);
}
END_TEST

/* Any number of lives, whatever ends them, and each begins with clean memory. */
START_TEST(many_lives)
{
	const uint64_t dirt = 1;

	beside(VM_RUNNING);
	for (unsigned i = 0; i < 10; i++) {
		vm_request(vm, i & 1 ? VM_REQ_KILL : VM_REQ_POWEROFF, "end");
		settle();
		ck_assert_int_eq(vm->state, VM_OFF);
		ck_assert_str_eq(
		        described(), i & 1 ? "off (killed: end)" : "off (powered off: end)");
		for (unsigned v = 0; v < 3; v++) {
			ck_assert_int_eq(vm->vcpus[v]->state, VCPU_STOPPED);
		}
		ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x5000), &dirt, sizeof(dirt)), 0);
		trace[0] = '\0';
		vm_request(vm, VM_REQ_START, "start");
		settle();
		ck_assert_int_eq(vm->state, VM_RUNNING);
		ck_assert_str_eq(trace, "quiesce reset load tables ");
	}
}
END_TEST

/* Clearing takes turns: others run in between. */
START_TEST(memory_in_pieces)
{
	unsigned turns = 0;

	vm = fake_vm(40 * MIB, 3);
	vm->platform_ops = &platform;
	vm->dirty = true;
	vms[0] = vm;
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(0x5000), 0xff, 16), 0);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(40 * MIB - 16), 0xff, 16), 0);
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	do {
		bool again = serve();

		turns++;
		ck_assert_uint_lt(turns, 10);
		if (vm->state != VM_RUNNING) {
			ck_assert(again);
			ck_assert_str_eq(described(), "starting");
			ck_assert_str_eq(trace, "quiesce ");
		}
	} while (vm->state != VM_RUNNING);
	ck_assert_uint_eq(turns, 3);
	ck_assert_uint_eq(vm->mem.regions[1].hva[vm->mem.regions[1].len - 1], 0);
	ck_assert_uint_eq(fake_log_count("reset"), 1);
}
END_TEST

/* An end does not wait until all is clean, and the next start begins at the first byte. */
START_TEST(ended_while_it_starts)
{
	vm = fake_vm(40 * MIB, 3);
	vm->platform_ops = &platform;
	vm->dirty = true;
	vms[0] = vm;
	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_RESET, "why");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_STARTING);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(0x5000), 0xff, 16), 0);
	vm_request(vm, VM_REQ_KILL, "why");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_ptr_null(strstr(trace, "load"));
	vm_request(vm, VM_REQ_START, "why");
	settle();
	ck_assert_int_eq(vm->state, VM_RUNNING); /* guest_load() has looked at the memory */
}
END_TEST

static void pv_reset(struct vm *who)
{
	/* Its pages go while the old life's memory is still there. */
	ck_assert_uint_ne(who->mem.regions[0].hva[0x5000], 0);
	note("pv-reset");
}

static void pv_resume(struct vm *who)
{
	/* The clock goes again, and nobody runs yet. */
	ck_assert_uint_eq(who->clock_base_ns >> 63, 0);
	ck_assert_int_eq(who->vcpus[0]->state, VCPU_STOPPED);
	note("pv-resume");
}

static void guest_resumed(struct vm *who)
{
	ck_assert_uint_eq(who->clock_base_ns >> 63, 0);
	note("guest-resumed");
}

static void bus_quiesce(struct vm *who)
{
	ck_assert_int_eq(who->vcpus[0]->state, VCPU_STOPPED);
	note("bus-quiesce");
}

/* Its channels end while the memory they use is still there, and whenever the VM ends. */
START_TEST(a_bus_ends_with_its_guest)
{
	static const struct pv_bus_ops bus = {.quiesce = bus_quiesce};

	vm->bus_ops = &bus;
	vm_request(vm, VM_REQ_RESET, "why");
	settle();
	ck_assert_str_eq(trace, "quiesce bus-quiesce reset load tables ");
	trace[0] = '\0';
	vm_request(vm, VM_REQ_KILL, "why");
	settle();
	ck_assert_str_eq(trace, "quiesce bus-quiesce ");
}
END_TEST

START_TEST(paravirtual_interface)
{
	static const struct vm_guest_ops guest = {.resumed = guest_resumed};
	static const struct pv_ops pv = {.vm_reset = pv_reset, .vm_resume = pv_resume};

	vm->pv = &pv;
	vm->guest_ops = &guest;
	vm_request(vm, VM_REQ_RESET, "why");
	settle();
	ck_assert_str_eq(trace, "quiesce pv-reset reset load tables ");
	trace[0] = '\0';
	vm_request(vm, VM_REQ_START, "a stop, but no pause");
	settle();
	ck_assert_str_eq(trace, "");
	vm_request(vm, VM_REQ_PAUSE, "why");
	settle();
	vm_request(vm, VM_REQ_RESUME, "why");
	settle();
	ck_assert_str_eq(trace, "pv-resume guest-resumed ");
}
END_TEST

START_TEST(it_cannot_be_started)
{
	bool error_at_tables = _i & 1, alone = _i & 2;

	if (error_at_tables) {
		tables_error = -ENOMEM;
	} else {
		load_error = -EINVAL;
	}
	if (!alone) {
		beside(VM_RUNNING);
	}
	vm_request(vm, VM_REQ_RESET, "why");
	settle();
	ck_assert_int_eq(fake_end_reason, alone ? FAKE_END_POWEROFF : FAKE_END_NONE);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_uint_eq(fake_log_count("vm fake: cannot be started"), 1);
	ck_assert_str_eq(described(), "off (cannot be started)");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(vm->vcpus[i]->requests, 0);
		ck_assert_int_eq(vm->vcpus[i]->state, VCPU_STOPPED);
	}
	/* It may be tried again. */
	load_error = tables_error = 0;
	vm_request(vm, VM_REQ_START, "why");
	settle();
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

UNIT_MAIN("vm_life", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_request_stops_everybody); tcase_add_test(tc, it_waits_for_all);
          tcase_add_test(tc, only_at_home); tcase_add_test(tc, reset);
          tcase_add_test(tc, resets_without_end); tcase_add_test(tc, old_requests);
          tcase_add_test(tc, start_up_ipis_find_their_way);
          tcase_add_test(tc, another_vcpu_was_loaded); tcase_add_test(tc, first_start);
          tcase_add_test(tc, many_lives); tcase_add_test(tc, memory_in_pieces);
          tcase_add_test(tc, ended_while_it_starts); tcase_add_test(tc, a_bus_ends_with_its_guest);
          tcase_add_test(tc, paravirtual_interface);
          tcase_add_loop_test(tc, it_cannot_be_started, 0, 4);)
