// SPDX-License-Identifier: BSD-2-Clause
// Requests to a vCPU: stop, go on, reset, INIT and SIPI, flushes, in the guest and out of it.
#include "tests/vcpu_run_world.h"

static void stop_it(struct vcpu *v)
{
	vcpu_request(v, VCPU_REQ_STOP);
}

START_TEST(stopped_in_the_guest)
{
	const struct fake_exit exits[] = {{.reason = 10, .len = 2, .guest = stop_it}};

	fake_kicks = 0;
	run(exits, 1);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	ck_assert_uint_eq(fake_vmx.entries, 1);
	ck_assert_uint_eq(rip(), 0x8002); /* the exit was carried out */
	ck_assert_uint_eq(fake_kicks, 1); /* out of the guest */
}
END_TEST

START_TEST(reset_waits_for_sipi)
{
	vcpu_request(vcpu, VCPU_REQ_RESET);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_WAIT_SIPI);
	ck_assert_uint_eq(rip(), 0xfff0);
	ck_assert_uint_eq(fake_vmx.entries, 0);
}
END_TEST

START_TEST(init_then_sipi)
{
	vcpu->gpr[REG_RCX] = 5;
	vcpu_request(vcpu, VCPU_REQ_INIT);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_WAIT_SIPI);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 0);
	vcpu->sipi_vector = 0x9a;
	vcpu_request(vcpu, VCPU_REQ_SIPI);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CS_SELECTOR], 0x9a00);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CS_BASE], 0x9a000);
	ck_assert_uint_eq(rip(), 0);
	ck_assert(fake_vmx.entries > 0);
	/* A second SIPI means nothing to one that runs. */
	vcpu->sipi_vector = 0x12;
	vcpu_request(vcpu, VCPU_REQ_SIPI);
	run(NULL, 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CS_BASE], 0x9a000);
}
END_TEST

START_TEST(init_and_sipi_at_once)
{
	vcpu->sipi_vector = 0x10;
	vcpu_request(vcpu, VCPU_REQ_INIT);
	vcpu_request(vcpu, VCPU_REQ_SIPI);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_CS_BASE], 0x10000);
}
END_TEST

START_TEST(init_wakes_a_halted_one)
{
	vcpu->state = VCPU_HALTED;
	vcpu_request(vcpu, VCPU_REQ_INIT);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_WAIT_SIPI);
}
END_TEST

/* Its VM is being reset: what other vCPUs still send must not set it going again. */
START_TEST(a_stopped_one_stays_stopped)
{
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	vcpu->sipi_vector = 0x10;
	vcpu_request(vcpu, VCPU_REQ_INIT);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	vcpu_request(vcpu, VCPU_REQ_INIT);
	vcpu_request(vcpu, VCPU_REQ_SIPI);
	vcpu_request(vcpu, VCPU_REQ_IRQ);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	ck_assert_uint_eq(fake_vmx.entries, 0);
	vcpu_request(vcpu, VCPU_REQ_RESET);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_WAIT_SIPI);
}
END_TEST

/* Its VM is paused: what came meanwhile is there when it goes on, and what it was, too. */
START_TEST(it_goes_on)
{
	static const uint32_t states[] = {VCPU_RUNNABLE, VCPU_HALTED, VCPU_WAIT_SIPI};

	vcpu->state = states[_i];
	vcpu_request(vcpu, VCPU_REQ_STOP);
	vcpu_request(vcpu, VCPU_REQ_FLUSH_GUEST);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	vcpu_request(vcpu, VCPU_REQ_STOP); /* twice is once */
	run(NULL, 0);
	vcpu_request(vcpu, VCPU_REQ_NMI);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	ck_assert_uint_eq(vcpu->requests, 0); /* or it would be run for ever */
	ck_assert_uint_eq(fake_vmx.invvpids, 0);
	ck_assert_uint_eq(fake_vmx.entries, 0);
	vcpu->nmi_pending = _i == 1;
	vcpu_request(vcpu, VCPU_REQ_RESUME);
	run(NULL, 0);
	/* The NMI wakes one that is halted. */
	ck_assert_int_eq(vcpu->state, _i == 2 ? VCPU_WAIT_SIPI : VCPU_RUNNABLE);
	ck_assert_uint_eq(fake_vmx.invvpids, 1);
	ck_assert_uint_eq(fake_vmx.entries != 0, _i != 2);
	ck_assert_uint_eq(vcpu->held, 0);
}
END_TEST

START_TEST(init_and_sipi_while_stopped)
{
	vcpu_request(vcpu, VCPU_REQ_STOP);
	vcpu_request(vcpu, VCPU_REQ_SIPI); /* before the INIT: it comes too early */
	run(NULL, 0);
	vcpu_request(vcpu, VCPU_REQ_INIT);
	run(NULL, 0);
	vcpu_request(vcpu, VCPU_REQ_RESUME);
	if (_i) {
		vcpu->sipi_vector = 0x10;
		vcpu_request(vcpu, VCPU_REQ_SIPI);
	}
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, _i ? VCPU_RUNNABLE : VCPU_WAIT_SIPI);
	ck_assert_uint_eq(rip(), _i ? 0 : 0xfff0);
}
END_TEST

/* A stop that follows before the resume or reset was served comes after it. */
START_TEST(stopped_again_at_once)
{
	vcpu->state = VCPU_HALTED;
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	vcpu_request(vcpu, _i ? VCPU_REQ_RESET : VCPU_REQ_RESUME);
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	vcpu_request(vcpu, VCPU_REQ_RESUME);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, _i ? VCPU_WAIT_SIPI : VCPU_HALTED);
	ck_assert_uint_eq(fake_vmx.entries, 0);
}
END_TEST

/* The TSC's offset in the VMCS, and the time asleep without the pause. */
START_TEST(a_pause_counts_for_nothing)
{
	uint64_t offset = vcpu->tsc_offset;

	vcpu->state = VCPU_HALTED;
	vcpu->halted_tsc = clock_tsc();
	fake_clock_advance(100);
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	fake_clock_advance(5000);
	vm->paused_ticks = 5000;
	vcpu_request(vcpu, VCPU_REQ_RESUME);
	run(NULL, 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_TSC_OFFSET], offset - 5000);
	fake_clock_advance(30);
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	ck_assert_uint_eq(vcpu->stats.halted_ticks, 130);
}
END_TEST

/* Translations that must go are gone before the vCPU enters again, whatever comes with them. */
START_TEST(flushes)
{
	vcpu_request(vcpu, VCPU_REQ_FLUSH_NESTED);
	run(NULL, 0);
	ck_assert_uint_eq(fake_vmx.invepts, 1);
	vcpu_request(vcpu, VCPU_REQ_FLUSH_GUEST);
	run(NULL, 0);
	ck_assert_uint_eq(fake_vmx.invvpids, 1);
	vcpu_request(vcpu, VCPU_REQ_FLUSH_NESTED);
	vcpu_request(vcpu, VCPU_REQ_STOP);
	run(NULL, 0);
	ck_assert_int_eq(vcpu->state, VCPU_STOPPED);
	ck_assert_uint_eq(fake_vmx.invepts, 2);
}
END_TEST

UNIT_MAIN("vcpu_requests", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, stopped_in_the_guest); tcase_add_test(tc, reset_waits_for_sipi);
          tcase_add_test(tc, init_then_sipi); tcase_add_test(tc, init_and_sipi_at_once);
          tcase_add_test(tc, init_wakes_a_halted_one); tcase_add_loop_test(tc, it_goes_on, 0, 3);
          tcase_add_loop_test(tc, init_and_sipi_while_stopped, 0, 2);
          tcase_add_loop_test(tc, stopped_again_at_once, 0, 2);
          tcase_add_test(tc, a_pause_counts_for_nothing);
          tcase_add_test(tc, a_stopped_one_stays_stopped); tcase_add_test(tc, flushes);)
