// SPDX-License-Identifier: BSD-2-Clause
// The synthetic interrupt controller: queues, slots, flags, and the interrupts they make.
#include "tests/synic_world.h"

/* --- messages --- */

START_TEST(a_message_arrives)
{
	struct hv_message m;

	ck_assert_int_eq(post(SINT, 0x1122334455667788ULL), 0);
	m = slot(SINT);
	ck_assert_uint_eq(m.type, TYPE);
	ck_assert_uint_eq(m.payload_size, 3);
	ck_assert_uint_eq(m.flags, 0);
	ck_assert_uint_eq(m.reserved, 0);
	ck_assert_uint_eq(m.sender, 0x1122334455667788ULL);
	ck_assert_uint_eq(m.payload[0], 1);
	ck_assert_uint_eq(m.payload[2], 0x88);
	/* Nothing of an earlier, longer one, nor of the host. */
	for (unsigned i = 3; i < HV_MESSAGE_PAYLOAD; i++) {
		ck_assert_uint_eq(m.payload[i], 0);
	}
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(a_busy_slot_waits_for_eom)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert_uint_eq(slot(SINT).flags, 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_int_eq(post(SINT, 3), 0);
	/* What lies in the slot already says now that more waits. */
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert_uint_eq(slot(SINT).flags, HV_MESSAGE_FLAG_PENDING);
	ck_assert_int_eq(interrupt(), -1);
	wr(HV_MSR_EOM, 0); /* still busy */
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert(free_slot(SINT));
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).sender, 2);
	ck_assert_uint_eq(slot(SINT).flags, HV_MESSAGE_FLAG_PENDING);
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert(free_slot(SINT));
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).sender, 3);
	ck_assert_uint_eq(slot(SINT).flags, 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(!free_slot(SINT));
}
END_TEST

START_TEST(the_end_of_the_interrupt_delivers)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(free_slot(SINT));
	eoi();
	ck_assert_uint_eq(slot(SINT).sender, 2);
	ck_assert_int_eq(interrupt(), VECTOR);
	/* Nobody waits any more: an end is only an end. */
	ck_assert_uint_eq(vcpu->lapic.eoi_watch[VECTOR / 32], 0);
}
END_TEST

/* One that waits for the slot needs that end; one that begins to wait takes the assist away. */
START_TEST(no_eoi_assist_while_a_message_waits)
{
	uint32_t *word = (uint32_t *)hv_vcpu(vcpu)->assist_page;

	wr(HV_MSR_VP_ASSIST_PAGE, 0x302000 | 1);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert_uint_eq(*word, HV_APIC_ASSIST_NO_EOI);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_int_eq(interrupt(), -1); /* before the guest goes on */
	ck_assert_uint_eq(*word, 0);
	ck_assert(free_slot(SINT));
	eoi();
	ck_assert_uint_eq(slot(SINT).sender, 2);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert_uint_eq(*word, HV_APIC_ASSIST_NO_EOI);
	/* The guest has ended it, and left the slot full, when the next one comes. */
	*word = 0;
	ck_assert_int_eq(post(SINT, 3), 0);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert(free_slot(SINT));
	wr(HV_MSR_EOM, 0);
	ck_assert_uint_eq(slot(SINT).sender, 3);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

/* A guest that frees its slot just when the flag was not set yet: the next post delivers. */
START_TEST(a_new_message_finds_the_freed_slot)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert(!free_slot(SINT));
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_uint_eq(slot(SINT).sender, 2);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(two_sources_of_one_vector)
{
	wr(HV_MSR_SINT0 + 3, VECTOR);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(post(SINT, i), 0);
		ck_assert_int_eq(post(3, i), 0);
	}
	ck_assert_int_eq(interrupt(), VECTOR);
	/* One gets its second message and waits no longer; the other one's is still to come. */
	ck_assert(free_slot(SINT));
	eoi();
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert_uint_eq(slot(3).sender, 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(free_slot(3));
	eoi();
	ck_assert_uint_eq(slot(3).sender, 1);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(a_source_that_moves_does_not_blind_another)
{
	wr(HV_MSR_SINT0 + 3, VECTOR);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(post(SINT, i), 0);
		ck_assert_int_eq(post(3, i), 0);
	}
	ck_assert_int_eq(interrupt(), VECTOR);
	wr(HV_MSR_SINT0 + SINT, 0x40);
	ck_assert(free_slot(3));
	eoi();
	ck_assert_uint_eq(slot(3).sender, 1);
	/* And the moved one is looked at when the new vector ends. */
	lapic_post(&vcpu->lapic, 0x40, false);
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert_int_eq(interrupt(), 0x40);
	ck_assert(free_slot(SINT));
	eoi();
	ck_assert_uint_eq(slot(SINT).sender, 1);
}
END_TEST

START_TEST(init_leaves_what_waits)
{
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	vm->pv->vcpu_reset(vcpu, false);
	lapic_reset(&vcpu->lapic, false);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), SIMP | 1);
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert_int_eq(interrupt(), -1);
	lapic_post(&vcpu->lapic, VECTOR, false);
	ck_assert_int_eq(interrupt(), VECTOR);
	ck_assert(free_slot(SINT));
	eoi();
	ck_assert_uint_eq(slot(SINT).sender, 2);
}
END_TEST

static const struct {
	uint32_t msr;
	uint64_t off, on;
} switches[] = {
        {HV_MSR_SCONTROL, 0, HV_SCONTROL_ENABLE},
        {HV_MSR_SIMP, SIMP, SIMP | 1},
        {HV_MSR_SINT0 + SINT, HV_SINT_MASKED | VECTOR, VECTOR},
};

START_TEST(switched_off_it_keeps_messages)
{
	wr(switches[_i].msr, switches[_i].off);
	ck_assert_int_eq(post(SINT, 1), 0);
	wr(HV_MSR_EOM, 0);
	ck_assert_int_eq(interrupt(), -1);
	if (switches[_i].msr != HV_MSR_SIMP) {
		ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	}
	wr(switches[_i].msr, switches[_i].on);
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(a_polling_source_is_silent)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_POLLING | VECTOR);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_uint_eq(slot(SINT).sender, 1);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 5), 0);
	ck_assert(flag_set(SINT, 5));
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(an_apic_that_is_off_takes_nothing)
{
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0xff);
	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), 0);
	ck_assert_uint_eq(slot(SINT).sender, 1);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(interrupt(), -1);
}
END_TEST

START_TEST(a_queue_until_full)
{
	/* One is in the slot. */
	for (unsigned i = 0; i <= SYNIC_QUEUE; i++) {
		ck_assert_int_eq(post(SINT, i), 0);
	}
	vcpu->requests = 0;
	ck_assert_int_eq(post(SINT, 99), -EAGAIN);
	ck_assert(!(vcpu->requests & BIT64(VCPU_REQ_PV)));
	for (unsigned i = 0; i <= SYNIC_QUEUE; i++) {
		ck_assert_uint_eq(slot(SINT).sender, i);
		ck_assert_uint_eq(free_slot(SINT), i < SYNIC_QUEUE);
		wr(HV_MSR_EOM, 0);
		/* Whoever was refused hears of room, once. */
		ck_assert(
		        (vcpu->requests & BIT64(VCPU_REQ_PV)) == (i == 0 ? BIT64(VCPU_REQ_PV) : 0));
		vcpu->requests &= ~BIT64(VCPU_REQ_PV);
	}
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
}
END_TEST

START_TEST(the_pool_until_full)
{
	wr(HV_MSR_SCONTROL, 0);
	for (unsigned i = 0; i < SYNIC_POOL; i++) {
		ck_assert_int_eq(post(i % 4, i), 0);
	}
	ck_assert_int_eq(post(5, 0), -EAGAIN);
	/* Another vCPU's is its own. */
	ck_assert_int_eq(synic_post_message(vm, 1, 5, TYPE, 0, NULL, 0), 0);
	/* In the order they came, each source for itself. */
	for (unsigned i = 0; i < 4; i++) {
		wr(HV_MSR_SINT0 + i, 0x40 + i);
	}
	wr(HV_MSR_SCONTROL, 1);
	for (unsigned n = 0; n < SYNIC_POOL / 4; n++) {
		for (unsigned i = 0; i < 4; i++) {
			ck_assert_uint_eq(slot(i).sender, n * 4 + i);
			free_slot(i);
		}
		wr(HV_MSR_EOM, 0);
	}
	ck_assert_int_eq(post(5, 0), 0);
}
END_TEST

START_TEST(bad_arguments)
{
	uint8_t payload[HV_MESSAGE_PAYLOAD + 1] = {0};

	ck_assert_int_eq(synic_post_message(vm, 2, SINT, TYPE, 0, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(vm, ~0U, SINT, TYPE, 0, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(vm, 0, 16, TYPE, 0, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_post_message(vm, 0, SINT, 0, 0, payload, 1), -EINVAL);
	ck_assert_int_eq(
	        synic_post_message(vm, 0, SINT, TYPE, 0, payload, sizeof(payload)), -EINVAL);
	ck_assert_int_eq(synic_post_message(vm, 0, SINT, TYPE, 0, payload, HV_MESSAGE_PAYLOAD), 0);
	ck_assert_int_eq(synic_signal_event(vm, 2, SINT, 0), -EINVAL);
	ck_assert_int_eq(synic_signal_event(vm, 0, 16, 0), -EINVAL);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, HV_EVENT_FLAGS), -EINVAL);
	vm->pv_vm = NULL; /* a VM without the interface */
	ck_assert_int_eq(synic_post_message(vm, 0, SINT, TYPE, 0, payload, 1), -EINVAL);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), -EINVAL);
}
END_TEST

/* --- event flags --- */

START_TEST(a_flag_interrupts_once)
{
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 2047), 0);
	ck_assert(flag_set(SINT, 2047));
	ck_assert(!flag_set(SINT, 2046));
	ck_assert(!flag_set(SINT + 1, 0));
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 2047), 0);
	ck_assert_int_eq(interrupt(), -1);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(SIEFP + SINT * 256), 0, 256), 0);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 2047), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
	eoi();
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), 0);
	ck_assert_int_eq(interrupt(), VECTOR);
}
END_TEST

START_TEST(flags_need_an_open_source)
{
	wr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED | VECTOR);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), -ENXIO);
	wr(HV_MSR_SINT0 + SINT, VECTOR);
	wr(HV_MSR_SCONTROL, 0);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), -ENXIO);
	wr(HV_MSR_SCONTROL, 1);
	wr(HV_MSR_SIEFP, SIEFP);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), -ENXIO);
	wr(HV_MSR_SIEFP, SIEFP | 1);
	ck_assert(!flag_set(SINT, 0));
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 0), 0);
}
END_TEST

/* --- registers --- */

START_TEST(registers)
{
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SVERSION), 1);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_SVERSION, 1));
	ck_assert_uint_eq(rd(vcpu, HV_MSR_EOM), 0);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_SCONTROL), 0);
	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_SINT0 + i), 0x10000);
		/* A vector below 16 only while it is masked. */
		ck_assert(!hv_msr_write(vcpu, HV_MSR_SINT0 + i, 0x0f));
		ck_assert(!hv_msr_write(vcpu, HV_MSR_SINT0 + i, HV_SINT_POLLING | 0));
		wr(HV_MSR_SINT0 + i, HV_SINT_MASKED | 0x0f);
		/* The rest is kept. */
		wr(HV_MSR_SINT0 + i, 0xfff0000000fe0010ULL | HV_SINT_MASKED);
		ck_assert_uint_eq(
		        rd(vcpu, HV_MSR_SINT0 + i), 0xfff0000000fe0010ULL | HV_SINT_MASKED);
	}
	for (uint32_t msr = HV_MSR_EOM + 1; msr < HV_MSR_SINT0; msr++) {
		uint64_t value;

		ck_assert(!hv_msr_read(vcpu, msr, &value));
		ck_assert(!hv_msr_write(vcpu, msr, 0));
	}
	wr(HV_MSR_SIMP, SIMP | 0xffe); /* bits between are kept */
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), SIMP | 0xffe);
	/* Beyond physical addresses there is no page. */
	ck_assert(!hv_msr_write(vcpu, HV_MSR_SIMP, 1ULL << 46 | 1));
	ck_assert(!hv_msr_write(vcpu, HV_MSR_SIEFP, ~0ULL));
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), SIMP | 0xffe);
}
END_TEST

START_TEST(reset)
{
	uint8_t byte = 0;

	ck_assert_int_eq(post(SINT, 1), 0);
	ck_assert_int_eq(post(SINT, 2), 0);
	ck_assert_int_eq(synic_signal_event(vm, 0, SINT, 3), 0);
	vm->pv->vm_reset(vm);
	vm->pv->vcpu_reset(vcpu, true);
	lapic_reset(&vcpu->lapic, true);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SCONTROL), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIEFP), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + SINT), HV_SINT_RESET);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + SINT * 256), &byte, 1), 0);
	ck_assert_uint_eq(byte, 0); /* RAM again */
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	wr(HV_MSR_SINT0 + SINT, VECTOR);
	wr(HV_MSR_SIMP, SIMP | 1);
	wr(HV_MSR_SIEFP, SIEFP | 1);
	wr(HV_MSR_SCONTROL, 1);
	/* Nothing of the last life. */
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
	ck_assert(!flag_set(SINT, 3));
	ck_assert_int_eq(interrupt(), -1);
	for (unsigned i = 0; i <= SYNIC_QUEUE; i++) {
		ck_assert_int_eq(post(SINT, i), 0);
	}
}
END_TEST

/* The page is clean each time it is switched on; moved, it keeps what lies in it. */
START_TEST(the_message_page_moves)
{
	uint32_t type;

	ck_assert_int_eq(post(SINT, 1), 0);
	wr(HV_MSR_SIMP, (SIMP + 0x2000) | 1);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + 0x2000 + SINT * 256), &type, 4), 0);
	ck_assert_uint_eq(type, TYPE);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + SINT * 256), &type, 4), 0);
	ck_assert_uint_eq(type, 0);
	wr(HV_MSR_SIMP, 0);
	wr(HV_MSR_SIMP, SIMP | 1);
	ck_assert_uint_eq(slot(SINT).type, HV_MESSAGE_NONE);
}
END_TEST

UNIT_MAIN("synic", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_message_arrives); tcase_add_test(tc, a_busy_slot_waits_for_eom);
          tcase_add_test(tc, the_end_of_the_interrupt_delivers);
          tcase_add_test(tc, no_eoi_assist_while_a_message_waits);
          tcase_add_test(tc, a_new_message_finds_the_freed_slot);
          tcase_add_test(tc, two_sources_of_one_vector);
          tcase_add_test(tc, a_source_that_moves_does_not_blind_another);
          tcase_add_test(tc, init_leaves_what_waits);
          tcase_add_loop_test(tc, switched_off_it_keeps_messages, 0, ARRAY_SIZE(switches));
          tcase_add_test(tc, a_polling_source_is_silent);
          tcase_add_test(tc, an_apic_that_is_off_takes_nothing);
          tcase_add_test(tc, a_queue_until_full); tcase_add_test(tc, the_pool_until_full);
          tcase_add_test(tc, bad_arguments); tcase_add_test(tc, a_flag_interrupts_once);
          tcase_add_test(tc, flags_need_an_open_source); tcase_add_test(tc, registers);
          tcase_add_test(tc, reset); tcase_add_test(tc, the_message_page_moves);)
