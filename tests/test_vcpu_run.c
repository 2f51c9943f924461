// SPDX-License-Identifier: BSD-2-Clause
// The loop without a processor: whole exit paths on VT-x played from a script.
#include "tests/vcpu_run_world.h"

/* --- exits --- */

START_TEST(cpuid)
{
	const struct fake_exit exits[] = {{.reason = 10, .len = 2, .guest_ns = 700}};

	vcpu->gpr[REG_RAX] = 0x40000000;
	run(exits, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RBX], 0x646e6143);
	ck_assert_uint_eq(rip(), 0x8002);
	ck_assert_uint_eq(vcpu->stats.exit_count[EXIT_CPUID], 1);
	ck_assert_uint_eq(vcpu->stats.exit_count[EXIT_IO], 0);
	ck_assert_uint_eq(stats_guest_ticks(vcpu), clock_now());
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
}
END_TEST

static uint64_t port_writes[4];
static unsigned n_port_writes;

static void port_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	(void)width;
	port_writes[n_port_writes++ & 3] = value | offset << 32;
	fake_clock_set(clock_now() + 50); /* the device takes its time */
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)width;
	return 0x80 + offset;
}

START_TEST(ports)
{
	static const struct io_ops ops = {.name = "t", .read = port_read, .write = port_write};
	struct io_range range = {.base = 0x300, .len = 8, .ops = &ops, .kind = IO_FIXED};
	const struct fake_exit exits[] = {
	        {.reason = 30, .len = 1, .qual = 0x03020000},
	        {.reason = 30, .len = 2, .qual = 0x03030008},
	};

	ck_assert_int_eq(io_bus_add(&vm->pio, &range), 0);
	vcpu->gpr[REG_RAX] = 0x1241;
	run(exits, 2);
	ck_assert_uint_eq(n_port_writes, 1);
	ck_assert_uint_eq(port_writes[0], 0x41 | 2ULL << 32);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x1283);
	ck_assert_uint_eq(rip(), 0x8003);
	ck_assert_uint_eq(vcpu->stats.exit_count[EXIT_IO], 2);
	ck_assert_uint_eq(vcpu->stats.exit_ticks[EXIT_IO], 50);
}
END_TEST

/* A fault of the handler's: RIP stays, the event goes in at the next entry, once. */
START_TEST(faults)
{
	const struct fake_exit exits[] = {{.reason = 18, .len = 3}, {.reason = 52}};

	run(exits, 1);
	ck_assert_uint_eq(fake_vmx.last_inject, 0x80000306);
	ck_assert_uint_eq(rip(), 0x8000);
	ck_assert_uint_eq(vcpu->stats.injected_exceptions, 1);
	run(&exits[1], 1);
	ck_assert_uint_eq(fake_vmx.last_inject & BIT(31), 0);
}
END_TEST

START_TEST(a_broken_off_event_goes_in_again)
{
	const struct fake_exit exits[] = {
	        {.reason = 48, .qual = 0x19c, .gpa = 0x5000, .vectoring = 0x80000480, .len = 2},
	};

	/* The tables hold 4 KiB pages that may be executed: another vCPU fixed it already. */
	ck_assert_int_eq(
	        vmx_ops.map(vm, gpa(0x5000), hpa(0x5000), PAGE_SIZE, MAP_RWX, MAP_TYPE_RAM), 0);
	run(exits, 1);
	ck_assert_uint_eq(fake_vmx.last_inject & ~BIT(31), 0x480);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INSN_LEN], 2);
	ck_assert_uint_eq(rip(), 0x8000);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

/* --- HLT --- */

START_TEST(halt_and_wake)
{
	const struct fake_exit exits[] = {{.reason = 12, .len = 1}, {.reason = 52}};

	apic_on();
	run(exits, 1);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	ck_assert_uint_eq(rip(), 0x8001);
	ck_assert_uint_eq(fake_vmx.entries, 1);
	/* Woken for nothing: goes on sleeping, without an entry. */
	vcpu_request(vcpu, VCPU_REQ_FLUSH_GUEST);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	ck_assert_uint_eq(fake_vmx.entries, 1);
	fake_clock_set(clock_now() + 12345);
	fake_sched_wakes = 0;
	lapic_post(&vcpu->lapic, 0x41, false);
	ck_assert_uint_eq(fake_sched_wakes, 1);
	run(&exits[1], 1);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
	ck_assert_uint_eq(vcpu->stats.halted_ticks, 12345);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO] & 0xff, 0x41);
}
END_TEST

/* A vector that the task priority holds back wakes nobody; the next one's request must come. */
START_TEST(halt_wakes_after_a_vector_that_does_not)
{
	const struct fake_exit exits[] = {{.reason = 12, .len = 1}, {.reason = 52}};

	apic_on();
	lapic_write(&vcpu->lapic, LAPIC_TPR, 0x80);
	run(exits, 1);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	fake_sched_wakes = 0;
	lapic_post(&vcpu->lapic, 0x41, false);
	ck_assert_uint_eq(fake_sched_wakes, 1);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	lapic_post(&vcpu->lapic, 0x91, false);
	ck_assert_uint_eq(fake_sched_wakes, 2);
	run(&exits[1], 1);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
}
END_TEST

/* Work that waits until it sleeps: it enters the guest beside it, and is called when it halts. */
static unsigned serves;
static enum vcpu_state served_as;
static bool serve_posts;

static void pv_serve(struct vcpu *who)
{
	serves++;
	served_as = who->state;
	if (serve_posts) {
		lapic_post(&who->lapic, 0x41, false);
	}
}

START_TEST(idle_work_is_done_when_it_halts)
{
	static const struct pv_ops pv = {.serve = pv_serve};
	const struct fake_exit exits[] = {{.reason = 10, .len = 2}, {.reason = 10, .len = 2},
	        {.reason = 12, .len = 1}, {.reason = 52}};

	apic_on();
	vm->pv = &pv;
	serves = 0;
	serve_posts = false;
	fake_vmx_script(exits, 3);
	/* Asked for in the guest, so to say: after the requests were looked at. */
	vcpu->exit.kind = EXIT_NONE;
	vcpu->running = 1;
	fake_kicks = 0;
	vcpu_request_idle(vcpu);
	ck_assert_uint_eq(fake_kicks, 0);
	ck_assert_uint_eq(fake_sched_wakes, 0);
	vcpu_run(vcpu, clock_now() + SLICE);
	/* Its first look found it, too; asked again it does not leave the guest for it. */
	ck_assert_uint_eq(serves, 1);
	ck_assert_int_eq(served_as, VCPU_RUNNABLE);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	vcpu_request_idle(vcpu);
	serve_posts = true;
	run(NULL, 0);
	ck_assert_uint_eq(serves, 2);
	ck_assert_int_eq(served_as, VCPU_HALTED);
	/* What it did wakes the vCPU. */
	run(&exits[3], 1);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
}
END_TEST

START_TEST(idle_work_keeps_nobody_from_the_guest)
{
	static const struct pv_ops pv = {.serve = vcpu_request_idle};
	const struct fake_exit exits[] = {
	        {.reason = 10, .len = 2}, {.reason = 10, .len = 2}, {.reason = 12, .len = 1}};

	vm->pv = &pv;
	vcpu_request_idle(vcpu);
	run(exits, 3);
	ck_assert_uint_eq(fake_vmx.entries, 3);
	ck_assert(vcpu->requests == BIT64(VCPU_REQ_PV_IDLE));
}
END_TEST

START_TEST(halt_with_something_pending)
{
	const struct fake_exit exits[] = {{.reason = 12, .len = 1}, {.reason = 52}};

	apic_on();
	/* In the STI shadow: not delivered before HLT, which it then wakes. */
	fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 1;
	lapic_post(&vcpu->lapic, 0x41, false);
	run(exits, 2);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(rip(), 0x8001);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 0);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
}
END_TEST

START_TEST(halt_with_interrupts_off)
{
	const struct fake_exit exits[] = {{.reason = 12, .len = 1}};

	apic_on();
	fake_vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_IF;
	lapic_post(&vcpu->lapic, 0x41, false);
	run(exits, 1);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	/* An NMI wakes it all the same. */
	__atomic_store_n(&vcpu->nmi_pending, 1, __ATOMIC_RELAXED);
	vcpu_request(vcpu, VCPU_REQ_NMI);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vcpu->nmi_pending, 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO] & 0xfff, 0x202);
}
END_TEST

/* --- the end --- */

static const struct {
	struct fake_exit exit;
	enum vm_request request;
	const char *reason;
	bool dump;
} ends[] = {
        {{.reason = 2}, VM_REQ_RESET, "triple fault", false},
        {{.reason = 35}, VM_REQ_KILL, "the processor refused", true},
        {{.reason = BIT(31) | 33}, VM_REQ_KILL, "the processor refused", true},
        {{.fail = 2}, VM_REQ_KILL, "the processor refused", true},
        {{.reason = 49, .gpa = 0x1000}, VM_REQ_KILL, "the processor refused", true},
        {{.reason = 48, .qual = 0x184, .gpa = 0xfffff000}, VM_REQ_KILL, "instruction fetch", true},
};

START_TEST(it_ends)
{
	run(&ends[_i].exit, 1);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	ck_assert_uint_eq(asked, BIT(ends[_i].request));
	ck_assert_ptr_nonnull(strstr(asked_why, ends[_i].reason));
	ck_assert_uint_eq(fake_log_count("GUEST_RIP") != 0, ends[_i].dump);
	ck_assert_uint_eq(fake_vmx.entries, 1);
	/* The other one was asked, too. */
	ck_assert_uint_eq(vm->vcpus[1]->requests & BIT64(VCPU_REQ_STOP), BIT64(VCPU_REQ_STOP));
}
END_TEST

/* --- time --- */

START_TEST(a_slice_ends)
{
	uint64_t start = clock_now();

	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert(clock_now() >= start + SLICE && clock_now() < start + SLICE + 64);
	/* Already over: an entry that ends before the guest's next instruction. */
	start = clock_now();
	fake_vmx.entries = 0;
	vcpu_run(vcpu, start);
	ck_assert_uint_eq(fake_vmx.entries, 1);
	ck_assert(clock_now() < start + 64);
}
END_TEST

static uint64_t expired_at;

static void expire(struct timer *t)
{
	(void)t;
	expired_at = clock_now();
}

static struct timer timer;

static void arm_early(struct vcpu *v)
{
	(void)v;
	timer_arm(&timer, 0, clock_now() + 500);
}

/* Timers that are due run in the loop; the slice goes on. */
START_TEST(a_timer_runs_on_time)
{
	const struct fake_exit exits[] = {{.reason = 10, .len = 2, .guest = arm_early}};
	uint64_t start = clock_now();

	timer_init(&timer, expire);
	timer_arm(&timer, 0, start + 5000);
	run(NULL, 0);
	ck_assert(expired_at >= start + 5000 && expired_at < start + 5064);
	ck_assert(clock_now() >= start + SLICE);
	/* One that a device arms during the run counts from the next entry on. */
	start = clock_now();
	run(exits, 1);
	ck_assert(expired_at >= start + 500 && expired_at < start + 564);
}
END_TEST

/* Exits without an end do not outstay the slice for long: the timer still runs out. */
START_TEST(busy_guests_leave_in_time)
{
	static struct fake_exit exits[1000];
	uint64_t start = clock_now();

	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++) {
		exits[i] = (struct fake_exit){.reason = 10, .len = 2, .guest_ns = SLICE / 1000};
	}
	run(exits, ARRAY_SIZE(exits));
	ck_assert(clock_now() < start + SLICE + 64);
	ck_assert_uint_eq(vcpu->stats.exit_count[EXIT_CPUID], 1000);
}
END_TEST

static void count_expired(struct timer *t)
{
	expired_at = clock_now();
	timer_arm(t, 0, clock_now() + SLICE / 4);
}

/*
 * A data breakpoint on the stack that #DB is delivered to: each delivery exits before the guest,
 * and so the preemption timer, has its turn. The clock is looked at all the same.
 */
START_TEST(endless_delivery_leaves_in_time)
{
	static struct fake_exit exits[5000];
	uint64_t start = clock_now();

	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++) {
		exits[i] = (struct fake_exit){
		        .reason = 0,
		        .qual = 1,
		        .intr_info = 0x80000301,
		        .vectoring = i ? 0x80000301 : 0,
		        .guest_ns = SLICE / 1000,
		};
	}
	timer_init(&timer, count_expired);
	timer_arm(&timer, 0, start + SLICE / 4);
	run(exits, ARRAY_SIZE(exits));
	ck_assert(clock_now() >= start + SLICE && clock_now() < start + SLICE + SLICE / 100);
	ck_assert(expired_at >= start + SLICE / 2);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	/* It goes on in its next turn with what is still to be delivered. */
	ck_assert_int_eq(vcpu->pending.type, EVENT_EXCEPTION);
	ck_assert_uint_eq(vcpu->pending.vector, 1);
	timer_cancel(&timer);
}
END_TEST

/* With virtual-interrupt delivery the processor gets the vector, and no injection is made. */
START_TEST(delivery_by_the_processor)
{
	make(0);
	apic_on();
	lapic_post(&vcpu->lapic, 0x41, false);
	run(NULL, 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTR_STATUS], 0x41);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 0);
}
END_TEST

UNIT_MAIN("vcpu_run", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, cpuid);
          tcase_add_test(tc, ports); tcase_add_test(tc, faults);
          tcase_add_test(tc, a_broken_off_event_goes_in_again); tcase_add_test(tc, halt_and_wake);
          tcase_add_test(tc, halt_wakes_after_a_vector_that_does_not);
          tcase_add_test(tc, idle_work_is_done_when_it_halts);
          tcase_add_test(tc, idle_work_keeps_nobody_from_the_guest);
          tcase_add_test(tc, halt_with_something_pending);
          tcase_add_test(tc, halt_with_interrupts_off);
          tcase_add_loop_test(tc, it_ends, 0, ARRAY_SIZE(ends));
          tcase_add_test(tc, endless_delivery_leaves_in_time); tcase_add_test(tc, a_slice_ends);
          tcase_add_test(tc, a_timer_runs_on_time); tcase_add_test(tc, busy_guests_leave_in_time);
          tcase_add_test(tc, delivery_by_the_processor);)
