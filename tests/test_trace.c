// SPDX-License-Identifier: BSD-2-Clause
// Traces, through the whole loop on a scripted processor: what is recorded, the ring's way around,
// entries that change while they are read, and that a trace that is off leaves no mark.
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmm/trace.h"
#include "vmm/x86.h"
#include <string.h>

#define SLICE 10000000ULL

static struct vm *vm;
static struct vcpu *vcpu;

static void make(unsigned n_vcpus)
{
	fake_arena_size = 16 * SIZE_2M;
	vm = fake_vmx_vm(SIZE_2M, n_vcpus, BIT(VMX_OPT_VID));
	vcpu = vm->vcpus[0];
	fake_vmx_long_mode(vcpu);
	fake_log_clear();
}

static void setup(void)
{
	make(2);
}

static void run(const struct fake_exit *exits, unsigned n)
{
	fake_vmx_script(exits, n);
	vcpu_run(vcpu, clock_now() + SLICE);
}

static uint64_t count(void)
{
	uint64_t traced, lost;

	trace_counts(vm, &traced, &lost);
	return traced;
}

static const struct fake_exit cpuid = {.reason = 10, .len = 2, .guest_ns = 700};

START_TEST(off_leaves_no_mark)
{
	ck_assert_ptr_eq(cpu_virt, &vmx_ops);
	run(&cpuid, 1);
	ck_assert_ptr_null(vcpu->trace);
	ck_assert_uint_eq(count(), 0);
	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	ck_assert_ptr_ne(cpu_virt, &vmx_ops);
	ck_assert_ptr_eq(cpu_virt->get_reg, vmx_ops.get_reg);
	ck_assert_int_eq(trace_on(vm, BIT(EXIT_IO)), 0);
	ck_assert_uint_eq(trace_kinds(vm), BIT(EXIT_IO));
	trace_off(vm);
	ck_assert_ptr_eq(cpu_virt, &vmx_ops);
	trace_off(vm);
	ck_assert_ptr_eq(cpu_virt, &vmx_ops);
	ck_assert_uint_eq(trace_kinds(vm), 0);
	run(&cpuid, 1);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

static void guest_rax(struct vcpu *v)
{
	v->gpr[REG_RAX] = 0x11223344;
	v->gpr[REG_RDX] = 0x55;
	v->gpr[REG_RCX] = MSR_IA32_TSC_ADJUST;
	v->gpr[REG_RBX] = 0x80050033;
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)offset;
	(void)width;
	fake_clock_advance(300);
	return 0xa5;
}

static const struct io_ops port_ops = {.name = "test", .read = port_read};
static struct io_range port = {.base = 0x60, .len = 1, .ops = &port_ops, .kind = IO_FIXED};

static const struct {
	struct fake_exit exit;
	enum exit_kind kind;
	const char *text;
} rows[] = {
        {{.reason = 10, .len = 2}, EXIT_CPUID, "leaf 0x11223344 0x3b"},
        {{.reason = 30, .len = 2, .qual = 0x03f80000}, EXIT_IO, "out 0x3f8/1 0x44"},
        {{.reason = 30, .len = 2, .qual = 0x03f80003}, EXIT_IO, "out 0x3f8/4 0x11223344"},
        {{.reason = 30, .len = 2, .qual = 0x00600008}, EXIT_IO, "in 0x60/1 = 0xa5"},
        {{.reason = 31, .len = 2}, EXIT_RDMSR, "0x3b = 0"},
        {{.reason = 32, .len = 2}, EXIT_WRMSR, "0x3b 0x5511223344"},
        {{.reason = 28, .len = 3, .qual = 0x300}, EXIT_CR, "mov cr0, rbx 0x80050033"},
        {{.reason = 40, .len = 2}, EXIT_PAUSE, ""},
        {{.reason = 18, .len = 3}, EXIT_HYPERCALL, "VMCALL 0x3b"},
        {{.reason = 45, .qual = 0x31}, EXIT_EOI, "vector 0x31"},
        {{.reason = 52}, EXIT_NONE, "preemption timer"},
};

START_TEST(each_kind)
{
	struct fake_exit exit = rows[_i].exit;
	struct trace_entry e;
	char line[TRACE_LINE];
	uint64_t rip = fake_vmcs[VMCS_GUEST_RIP];

	exit.guest = guest_rax;
	exit.guest_ns = 700;
	port.seq = 0;
	ck_assert_int_eq(io_bus_add(&vm->pio, &port), 0);
	ck_assert_int_eq(trace_on(vm, BIT(rows[_i].kind)), 0);
	run(&exit, 1);
	ck_assert(trace_read(vcpu, 1, &e));
	ck_assert_int_eq(e.exit.kind, rows[_i].kind);
	ck_assert_uint_eq(e.rip, rip);
	ck_assert_uint_eq(e.guest_ticks, 700);
	trace_text(line, &e, 0);
	ck_assert_msg(strstr(line, rows[_i].text) != NULL, "%s", line);
	ck_assert_msg(strstr(line, exit_kind_names[rows[_i].kind]) != NULL, "%s", line);
	ck_assert_msg(strstr(line, "rip 8000 guest 700 host ") != NULL, "%s", line);
	trace_off(vm);
}
END_TEST

/* The handler's time, and the time of a vCPU that sleeps. */
START_TEST(times)
{
	const struct fake_exit exits[] = {
	        {.reason = 30, .len = 2, .qual = 0x00600008, .guest_ns = 50},
	        {.reason = 12, .len = 1, .guest_ns = 60},
	};
	struct trace_entry e;

	port.seq = 0;
	ck_assert_int_eq(io_bus_add(&vm->pio, &port), 0);
	ck_assert_int_eq(trace_on(vm, BIT(EXIT_IO) | BIT(EXIT_HLT)), 0);
	run(exits, 2);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	ck_assert(trace_read(vcpu, 1, &e));
	ck_assert_uint_eq(e.host_ticks, 300);
	ck_assert_uint_eq(e.away_ticks, 0);
	ck_assert(trace_read(vcpu, 2, &e));
	ck_assert_uint_eq(e.host_ticks, 0);
	fake_clock_advance(123456);
	vcpu->nmi_pending = 1;
	vcpu_request(vcpu, VCPU_REQ_NMI);
	run(NULL, 0);
	ck_assert(trace_read(vcpu, 2, &e));
	ck_assert_uint_eq(e.away_ticks, 123456);
	ck_assert_uint_eq(e.host_ticks, 0);
	trace_off(vm);
}
END_TEST

/* A read that faults gets nothing. */
START_TEST(faults_have_no_value)
{
	const struct fake_exit unknown = {.reason = 31, .len = 2};
	struct trace_entry e;

	vcpu->gpr[REG_RCX] = 0x12345678;
	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	run(&unknown, 1);
	ck_assert(trace_read(vcpu, 1, &e));
	ck_assert_int_eq(e.exit.kind, EXIT_RDMSR);
	ck_assert(!e.has_out);
	trace_off(vm);
}
END_TEST

START_TEST(chosen_kinds_only)
{
	const struct fake_exit exits[] = {cpuid, {.reason = 40, .len = 2}, cpuid, cpuid};

	ck_assert_int_eq(trace_on(vm, BIT(EXIT_PAUSE)), 0);
	run(exits, 4);
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(trace_on(vm, BIT(EXIT_CPUID)), 0);
	run(exits, 4);
	ck_assert_uint_eq(count(), 4);
	trace_off(vm);
	/* On again: a new trace. */
	ck_assert_int_eq(trace_on(vm, BIT(EXIT_CPUID)), 0);
	ck_assert_uint_eq(count(), 0);
	run(exits, 4);
	ck_assert_uint_eq(count(), 3);
	trace_off(vm);
}
END_TEST

/* --- the ring, by its writer's hand --- */

static void write_one(struct vcpu *v, uint64_t tsc, uint32_t leaf)
{
	struct trace *t = v->trace;
	struct trace_entry *e = &t->ring[(t->count + 1) % TRACE_ENTRIES];

	*e = (struct trace_entry){
	        .number = t->count + 1, .tsc = tsc, .exit = {.kind = EXIT_CPUID}, .index = leaf};
	t->count++;
}

START_TEST(the_ring_wraps)
{
	struct trace_entry e;
	uint64_t traced, lost;

	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	ck_assert(!trace_read(vcpu, 0, &e));
	ck_assert(!trace_read(vcpu, 1, &e));
	for (unsigned i = 1; i <= TRACE_ENTRIES; i++) {
		write_one(vcpu, i, i);
	}
	trace_counts(vm, &traced, &lost);
	ck_assert_uint_eq(traced, TRACE_ENTRIES);
	ck_assert_uint_eq(lost, 0);
	ck_assert(trace_read(vcpu, 1, &e));
	ck_assert_uint_eq(e.index, 1);
	write_one(vcpu, TRACE_ENTRIES + 1, TRACE_ENTRIES + 1);
	trace_counts(vm, &traced, &lost);
	ck_assert_uint_eq(traced, TRACE_ENTRIES + 1);
	ck_assert_uint_eq(lost, 1);
	ck_assert(!trace_read(vcpu, 1, &e));
	ck_assert(!trace_read(vcpu, 0, &e));
	ck_assert(trace_read(vcpu, 2, &e));
	ck_assert(trace_read(vcpu, TRACE_ENTRIES + 1, &e));
	ck_assert_uint_eq(e.index, TRACE_ENTRIES + 1);
	ck_assert(!trace_read(vcpu, TRACE_ENTRIES + 2, &e));
	trace_off(vm);
}
END_TEST

START_TEST(torn_entries_are_skipped)
{
	struct trace_walk w;
	struct trace_entry e;
	unsigned index;

	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	for (unsigned i = 1; i <= 3; i++) {
		write_one(vcpu, i, i);
	}
	((struct trace *)vcpu->trace)->ring[2].number = 0; /* being written */
	ck_assert(!trace_read(vcpu, 2, &e));
	trace_walk_start(&w, vm, 10);
	ck_assert(trace_walk_next(&w, &e, &index));
	ck_assert_uint_eq(e.index, 1);
	ck_assert(trace_walk_next(&w, &e, &index));
	ck_assert_uint_eq(e.index, 3);
	ck_assert(!trace_walk_next(&w, &e, &index));
	ck_assert_uint_eq(w.skipped, 1);

	/* Written over between the start and the look. */
	trace_walk_start(&w, vm, 10);
	((struct trace *)vcpu->trace)->ring[1].number = 1 + TRACE_ENTRIES;
	ck_assert(trace_walk_next(&w, &e, &index));
	ck_assert_uint_eq(e.index, 3);
	ck_assert_uint_eq(w.skipped, 2);
	trace_off(vm);
}
END_TEST

START_TEST(two_vcpus_in_order_of_time)
{
	static const unsigned limits[] = {0, 1, 2, 5, 6, 100};
	struct trace_walk w;
	struct trace_entry e;
	unsigned index;

	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	write_one(vcpu, 10, 1);
	write_one(vm->vcpus[1], 20, 2);
	write_one(vm->vcpus[1], 30, 3);
	write_one(vcpu, 40, 4);
	write_one(vcpu, 50, 5);
	write_one(vm->vcpus[1], 60, 6);
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		unsigned n = limits[i] < 6 ? limits[i] : 6;

		trace_walk_start(&w, vm, limits[i]);
		for (unsigned leaf = 7 - n; leaf <= 6; leaf++) {
			ck_assert(trace_walk_next(&w, &e, &index));
			ck_assert_uint_eq(e.index, leaf);
			ck_assert_uint_eq(index, leaf == 2 || leaf == 3 || leaf == 6);
		}
		ck_assert(!trace_walk_next(&w, &e, &index));
	}
	trace_off(vm);
	/* What was recorded stays. */
	trace_walk_start(&w, vm, 1);
	ck_assert(trace_walk_next(&w, &e, &index));
	ck_assert_uint_eq(e.index, 6);
}
END_TEST

START_TEST(no_memory)
{
	static void *all[512];
	unsigned n = 0;

	while (n < 512 && (all[n] = page_alloc(64, PAGE_SIZE))) {
		n++;
	}
	ck_assert_uint_lt(n, 512);
	ck_assert_int_eq(trace_on(vm, TRACE_ALL), -ENOMEM);
	ck_assert_ptr_eq(cpu_virt, &vmx_ops);
	ck_assert_uint_eq(trace_kinds(vm), 0);
	while (n) {
		page_free(all[--n], 64);
	}
	ck_assert_int_eq(trace_on(vm, TRACE_ALL), 0);
	trace_off(vm);
}
END_TEST

/* The last exits run beside it, whether traced or not. */
START_TEST(last_exits_of_a_run)
{
	const struct fake_exit exits[] = {{.reason = 52}, cpuid, {.reason = 40, .len = 2}};

	run(exits, 3);
	exit_dump_last(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count(" s ago"), 2);
	ck_assert_uint_eq(fake_log_count("ago  cpuid"), 1);
	ck_assert_uint_eq(fake_log_count("ago  pause"), 1);
}
END_TEST

UNIT_MAIN("trace", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, off_leaves_no_mark);
          tcase_add_loop_test(tc, each_kind, 0, ARRAY_SIZE(rows)); tcase_add_test(tc, times);
          tcase_add_test(tc, faults_have_no_value); tcase_add_test(tc, chosen_kinds_only);
          tcase_add_test(tc, the_ring_wraps); tcase_add_test(tc, torn_entries_are_skipped);
          tcase_add_test(tc, two_vcpus_in_order_of_time); tcase_add_test(tc, no_memory);
          tcase_add_test(tc, last_exits_of_a_run);)
