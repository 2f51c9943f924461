// SPDX-License-Identifier: BSD-2-Clause
// Requests to a VM: what each does in each state and in every order, and nobody acts before all
// stopped.
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

#define MIB (1ULL << 20)

static struct vm *vm;
static struct cpu_virt_ops ops;
static struct vm other; /* a second one where a test needs it */
static char trace[256];
static int load_error, tables_error;
static uint64_t load_ns;

static void note(const char *what)
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

static void p_power_button(struct vm *who)
{
	(void)who;
	note("button");
}

static uint64_t passed_ns;

static void p_time_passed(struct vm *who, uint64_t paused_ns)
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
static void setup(void)
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
static void beside(enum vm_state state)
{
	static struct config_vm config;

	other = (struct vm){.state = state, .home_cpu = 5, .config = &config};
	config.manual = true;
	vms[1] = &other;
	n_vms = 2;
}

/* What vcpu_run() does about requests that end or begin a vCPU's stop; the others it leaves. */
static void all_stop(void)
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
static bool serve(void)
{
	fake_end_reason = FAKE_END_NONE;
	if (setjmp(fake_end) == 0) {
		return vm_serve_requests(0);
	}
	return true;
}

/* Until nothing is left to do. */
static void settle(void)
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

static const char *described(void)
{
	static char text[96];

	vm_describe_state(vm, text, sizeof(text));
	return text;
}

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

static void turn_off(void)
{
	vm_request(vm, VM_REQ_POWEROFF, "S5");
	beside(VM_RUNNING);
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	trace[0] = '\0';
	fake_log_clear();
}

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

/* --- what each request does in each state --- */

/* Puts the VM into a state. */
static void into(enum vm_state state)
{
	beside(VM_RUNNING);
	switch (state) {
	case VM_OFF:
		turn_off();
		break;
	case VM_STARTING:
		/* As if there were much memory to clear. */
		vm_request(vm, VM_REQ_RESET, "x");
		all_stop();
		vm->requests = 0;
		vm->state = VM_STARTING;
		break;
	case VM_RUNNING:
		break;
	case VM_PAUSED:
		vm_request(vm, VM_REQ_PAUSE, "x");
		settle();
		break;
	}
	ck_assert_int_eq(vm->state, state);
	trace[0] = '\0';
	fake_log_clear();
}

static const struct {
	enum vm_state from;
	enum vm_request req;
	enum vm_state to;
	bool starts, ends;
} rows[] = {
        {VM_OFF, VM_REQ_START, VM_RUNNING, true, false},
        {VM_OFF, VM_REQ_POWEROFF, VM_OFF, false, false},
        {VM_OFF, VM_REQ_KILL, VM_OFF, false, false},
        {VM_OFF, VM_REQ_DEBUG_EXIT, VM_OFF, false, false},
        {VM_OFF, VM_REQ_RESET, VM_OFF, false, false},
        {VM_OFF, VM_REQ_PAUSE, VM_OFF, false, false},
        {VM_OFF, VM_REQ_RESUME, VM_OFF, false, false},
        {VM_STARTING, VM_REQ_START, VM_RUNNING, true, false},
        {VM_STARTING, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_KILL, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_STARTING, VM_REQ_RESET, VM_RUNNING, true, false},
        {VM_STARTING, VM_REQ_PAUSE, VM_PAUSED, true, false},
        {VM_STARTING, VM_REQ_RESUME, VM_RUNNING, true, false},
        {VM_RUNNING, VM_REQ_START, VM_RUNNING, false, false},
        {VM_RUNNING, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_KILL, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_RUNNING, VM_REQ_RESET, VM_RUNNING, true, false},
        {VM_RUNNING, VM_REQ_PAUSE, VM_PAUSED, false, false},
        {VM_RUNNING, VM_REQ_RESUME, VM_RUNNING, false, false},
        {VM_PAUSED, VM_REQ_START, VM_PAUSED, false, false},
        {VM_PAUSED, VM_REQ_POWEROFF, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_KILL, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_DEBUG_EXIT, VM_OFF, false, true},
        {VM_PAUSED, VM_REQ_RESET, VM_PAUSED, true, false},
        {VM_PAUSED, VM_REQ_PAUSE, VM_PAUSED, false, false},
        {VM_PAUSED, VM_REQ_RESUME, VM_RUNNING, false, false},
};

START_TEST(states_and_requests)
{
	into(rows[_i].from);
	vm_request(vm, rows[_i].req, "r");
	settle();
	ck_assert_int_eq(vm->state, rows[_i].to);
	ck_assert_int_eq(strstr(trace, "load") != NULL, rows[_i].starts);
	ck_assert_uint_eq(fake_log_count("vCPU 2:"), rows[_i].ends); /* the statistics */
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	/* Who runs goes on where it was; who does not stands still. */
	for (unsigned i = 0; i < 3; i++) {
		uint32_t state = vm->vcpus[i]->state;

		if (vm->state != VM_RUNNING) {
			ck_assert_int_eq(state, VCPU_STOPPED);
		} else {
			ck_assert_int_eq(
			        state, rows[_i].starts && i ? VCPU_WAIT_SIPI : VCPU_RUNNABLE);
		}
	}
	/* And the clock with them. */
	ck_assert_int_eq(vm->clock_base_ns >> 63, vm->state == VM_PAUSED);
}
END_TEST

/* --- several at once --- */

/* All orders of up to three requests to a running VM: what vm.h promises, said another way. */
static enum vm_state expected(const enum vm_request *reqs, unsigned n, bool *loads)
{
	bool ended = false, start = false, again = false, paused = false;

	for (unsigned i = 0; i < n; i++) {
		switch (reqs[i]) {
		case VM_REQ_START:
			start = true;
			break;
		case VM_REQ_RESET:
			again = true;
			break;
		case VM_REQ_PAUSE:
			paused = true;
			break;
		case VM_REQ_RESUME:
			paused = false;
			break;
		case VM_REQ_POWEROFF:
		case VM_REQ_KILL:
		case VM_REQ_DEBUG_EXIT:
			ended = true;
			start = again = paused = false;
			break;
		case VM_REQ_COUNT:
			break;
		}
	}
	*loads = ended ? start : again;
	if (ended && !start) {
		return VM_OFF;
	}
	return paused ? VM_PAUSED : VM_RUNNING;
}

START_TEST(every_order_of_three)
{
	for (unsigned code = 0; code < VM_REQ_COUNT * VM_REQ_COUNT * VM_REQ_COUNT; code++) {
		enum vm_request reqs[3] = {code % VM_REQ_COUNT, code / VM_REQ_COUNT % VM_REQ_COUNT,
		        code / VM_REQ_COUNT / VM_REQ_COUNT};
		bool loads, kill = false, debug = false, off = false;
		enum vm_state want = expected(reqs, 3, &loads);

		setup();
		beside(VM_RUNNING);
		for (unsigned i = 0; i < 3; i++) {
			if (reqs[i] == VM_REQ_DEBUG_EXIT) {
				vm_debug_exit(vm, 7 + i);
			} else {
				vm_request(vm, reqs[i], "r");
			}
			kill |= reqs[i] == VM_REQ_KILL;
			debug |= reqs[i] == VM_REQ_DEBUG_EXIT;
			off |= reqs[i] == VM_REQ_POWEROFF;
		}
		settle();
		ck_assert_msg(vm->state == want, "%u %u %u: %s", reqs[0], reqs[1], reqs[2],
		        vm_state_names[vm->state]);
		ck_assert_int_eq(strstr(trace, "load") != NULL, loads);
		ck_assert_uint_eq(fake_log_count("vm fake: killed (r)"), kill);
		ck_assert_uint_eq(fake_log_count("vm fake: debug exit "), debug && !kill);
		ck_assert_uint_eq(
		        fake_log_count("vm fake: powered off (r)"), off && !kill && !debug);
	}
}
END_TEST

/* Requests that come while earlier ones are carried out are the next ones. */
START_TEST(one_after_the_other)
{
	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_RESET, "first");
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_RUNNING);
	/* The others have not reset themselves yet. */
	vm_request(vm, VM_REQ_PAUSE, "second");
	ck_assert(!serve());
	all_stop();
	ck_assert_int_eq(vm->vcpus[1]->resume_state, VCPU_WAIT_SIPI);
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_PAUSED);
	vm_request(vm, VM_REQ_RESUME, "third");
	all_stop();
	ck_assert(serve());
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_RESUME));
	/* Nobody has gone on yet. */
	vm_request(vm, VM_REQ_PAUSE, "fourth");
	ck_assert(!serve());
	all_stop();
	ck_assert(serve());
	ck_assert_int_eq(vm->state, VM_PAUSED);
	vm_request(vm, VM_REQ_RESUME, "fifth");
	settle();
	ck_assert_int_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_int_eq(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
}
END_TEST

/* --- pause --- */

START_TEST(a_pause_takes_no_time)
{
	uint64_t offset, clock, guest_tsc;

	vm->vcpus[1]->state = VCPU_HALTED;
	vm->vcpus[2]->state = VCPU_WAIT_SIPI;
	vm->vcpus[1]->tsc_offset = 55; /* the guest has written its TSC */
	offset = vm->vcpus[0]->tsc_offset;
	vm_request(vm, VM_REQ_PAUSE, "by the operator");
	settle();
	ck_assert_int_eq(vm->state, VM_PAUSED);
	ck_assert_str_eq(described(), "paused");
	ck_assert_uint_eq(fake_log_count("vm fake: paused (by the operator)"), 1);
	clock = vm_clock_now(vm);
	guest_tsc = clock_tsc() + offset;
	fake_clock_advance(5000000000ULL);
	ck_assert_uint_eq(vm_clock_now(vm), clock);
	vm_request(vm, VM_REQ_RESUME, "by the operator");
	settle();
	ck_assert_uint_eq(fake_log_count("vm fake: goes on (by the operator)"), 1);
	ck_assert_uint_eq(vm_clock_now(vm), clock);
	ck_assert_uint_eq(passed_ns, 5000000000ULL);
	for (unsigned i = 0; i < 3; i++) {
		struct vcpu *v = vm->vcpus[i];

		ck_assert_uint_eq(fake_vcpu(v)->tsc_offset, v->tsc_offset);
	}
	ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, guest_tsc);
	ck_assert_uint_eq(vm->vcpus[1]->tsc_offset, 55 - 5000000000ULL);
	ck_assert_uint_eq(vm->vcpus[2]->tsc_offset, vm->vcpus[0]->tsc_offset);
	ck_assert_uint_eq(vm->tsc_offset, vm->vcpus[0]->tsc_offset);
	ck_assert_int_eq(vm->vcpus[0]->state, VCPU_RUNNABLE);
	ck_assert_int_eq(vm->vcpus[1]->state, VCPU_HALTED);
	ck_assert_int_eq(vm->vcpus[2]->state, VCPU_WAIT_SIPI);
	ck_assert_str_eq(trace, ""); /* no device was touched */
	/* Another pause counts by itself; a stop for nothing does not count. */
	fake_clock_advance(10);
	vm_request(vm, VM_REQ_PAUSE, "x");
	settle();
	fake_clock_advance(100);
	vm_request(vm, VM_REQ_RESUME, "x");
	settle();
	vm_request(vm, VM_REQ_RESUME, "x");
	settle();
	ck_assert_uint_eq(vm_clock_now(vm), clock + 10);
	ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, guest_tsc + 10);
}
END_TEST

/* A VM that ends or is reset while paused has its clock again. */
START_TEST(the_clock_after_a_pause)
{
	uint64_t clock;

	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_PAUSE, "x");
	settle();
	clock = vm_clock_now(vm);
	fake_clock_advance(100);
	vm_request(vm, _i ? VM_REQ_KILL : VM_REQ_RESET, "x");
	settle();
	ck_assert_uint_eq(passed_ns, 100);
	fake_clock_advance(7);
	if (_i) {
		ck_assert_uint_eq(vm_clock_now(vm), clock + 7);
	} else {
		ck_assert_int_eq(vm->state, VM_PAUSED);
		ck_assert_uint_eq(vm_clock_now(vm), clock);
		vm_request(vm, VM_REQ_RESUME, "x");
		settle();
		ck_assert_uint_eq(vm_clock_now(vm), clock);
		/* Its first instruction is at TSC 0. */
		ck_assert_uint_eq(clock_tsc() + vm->vcpus[0]->tsc_offset, 0);
	}
}
END_TEST

/* --- the end --- */

START_TEST(debug_exit)
{
	beside(VM_RUNNING);
	vm_debug_exit(vm, _i ? 4294967295U : 33);
	vm_debug_exit(vm, 5); /* the first counts */
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_uint_eq(fake_log_count(_i ? "vm fake: debug exit 4294967295\n"
	                                    : "vm fake: debug exit 33\n"),
	        1);
	ck_assert_str_eq(described(), _i ? "off (debug exit 4294967295)" : "off (debug exit 33)");
	/* The next life has its own. */
	vm_request(vm, VM_REQ_START, "x");
	settle();
	vm_debug_exit(vm, 6);
	settle();
	ck_assert_str_eq(described(), "off (debug exit 6)");
}
END_TEST

START_TEST(the_last_vm_ends_the_machine)
{
	beside(VM_RUNNING);
	vm_request(vm, VM_REQ_POWEROFF, "S5");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	/* Whatever still comes for one that is off is swallowed. */
	vm_request(vm, VM_REQ_RESET, "late");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, FAKE_END_NONE);
	ck_assert_str_eq(trace, "quiesce ");
}
END_TEST

/* Who is still there when the only VM that ran stops, and is the machine left on? */
static const struct {
	enum vm_state state;
	enum vm_off_why why;
	uint32_t requests, serving;
	bool manual, can_come, keep, stays;
} lefts[] = {
        {VM_RUNNING, 0, 0, 0, false, false, false, true},
        {VM_PAUSED, 0, 0, 0, false, false, false, true},
        {VM_STARTING, 0, 0, 0, false, false, false, true},
        /* Off for good, or not. */
        {VM_OFF, VM_OFF_KILLED, 0, 0, false, true, false, false},
        {VM_OFF, VM_OFF_KILLED, 0, 0, false, true, true, true},
        {VM_OFF, VM_OFF_POWERED_OFF, BIT(VM_REQ_START), 0, false, false, false, true},
        {VM_OFF, VM_OFF_POWERED_OFF, 0, BIT(VM_REQ_START), false, false, false, true},
        {VM_OFF, VM_OFF_POWERED_OFF, BIT(VM_REQ_KILL), 0, false, true, false, false},
        /* Never started: it will be, or by the operator. */
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, false, false, false, true},
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, true, true, false, true},
        {VM_OFF, VM_OFF_NEVER_STARTED, 0, 0, true, false, false, false},
        {VM_OFF, VM_OFF_DEBUG_EXIT, 0, 0, true, true, false, false},
};

START_TEST(who_is_left)
{
	struct config_vm config = {.manual = lefts[_i].manual};

	n_vms = 0;
	vm_autostart(lefts[_i].can_come);
	vms[0] = vm;
	beside(lefts[_i].state);
	other.config = &config;
	other.off_why = lefts[_i].why;
	other.requests = lefts[_i].requests;
	other.serving = lefts[_i].serving;
	vm_set_keep_alive(lefts[_i].keep);
	vm_request(vm, VM_REQ_KILL, "x");
	settle();
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(fake_end_reason, lefts[_i].stays ? FAKE_END_NONE : FAKE_END_POWEROFF);
	ck_assert_uint_eq(
	        fake_log_count("the last VM has stopped"), !lefts[_i].stays || lefts[_i].keep);
	vm_set_keep_alive(false);
}
END_TEST

START_TEST(autostart)
{
	struct config_vm config = *vm->config;

	beside(VM_OFF);
	vm->config = &config;
	config.manual = _i;
	vm_autostart(true);
	ck_assert_uint_eq(vm->requests, _i ? 0 : BIT(VM_REQ_START));
	ck_assert_uint_eq(other.requests, 0);
	ck_assert_uint_eq(fake_log_count("no VM starts by itself"), _i);
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

START_TEST(the_power_button)
{
	static const struct {
		enum vm_state state;
		bool there;
	} states[] = {{VM_OFF, false}, {VM_STARTING, false}, {VM_RUNNING, true}, {VM_PAUSED, true}};

	vm->state = states[_i].state;
	ck_assert_int_eq(vm_power_button(vm), states[_i].there);
	ck_assert_str_eq(trace, states[_i].there ? "button " : "");
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
          tcase_add_loop_test(tc, states_and_requests, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, every_order_of_three); tcase_add_test(tc, one_after_the_other);
          tcase_add_test(tc, a_pause_takes_no_time);
          tcase_add_loop_test(tc, the_clock_after_a_pause, 0, 2);
          tcase_add_loop_test(tc, debug_exit, 0, 2);
          tcase_add_test(tc, the_last_vm_ends_the_machine);
          tcase_add_loop_test(tc, who_is_left, 0, ARRAY_SIZE(lefts));
          tcase_add_loop_test(tc, autostart, 0, 2);
          tcase_add_loop_test(tc, it_cannot_be_started, 0, 4);
          tcase_add_loop_test(tc, the_power_button, 0, 4);)
