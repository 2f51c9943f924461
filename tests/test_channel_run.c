// SPDX-License-Identifier: BSD-2-Clause
// The life of a channel, and when it is worked.
#include "tests/channel_dev.h"

#define LONG_NS 5000000ULL /* longer than it ever waits */

static bool is_masked(void)
{
	return ((struct ring_header *)r.out)->interrupt_mask;
}

START_TEST(opens_works_and_closes)
{
	ck_assert_uint_eq(bus_connect(), 1);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert_uint_eq(dev.opens, 1);
	ck_assert_uint_eq(dev.user, 0x55);
	ck_assert_uint_eq(dev.works, 1); /* what the guest wrote before we listened */
	bus_close(RELID);
	ck_assert_uint_eq(dev.closes, 1);
	/* Late signals and kicks come to nothing. */
	dev.works = 0;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	channel_kick(&dev.ch);
	bus_serve(0);
	ck_assert_uint_eq(dev.works, 0);
	ck_assert_int_eq(bus_signal(RELID + 1), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert_uint_eq(dev.opens, 2);
}
END_TEST

START_TEST(a_device_may_refuse)
{
	dev.open_error = -EIO;
	ck_assert_uint_eq(bus_connect(), 1);
	ck_assert_uint_ne(bus_open(RELID, &r), 0);
	ck_assert(!dev.ch.is_open);
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(dev.works, 0);
}
END_TEST

START_TEST(ends_with_its_vm)
{
	open_it();
	for (unsigned i = 1; i <= 8; i++) {
		write_one(i); /* the last one leaves it masked, and the timer running */
	}
	channel_kick(&dev.ch);
	dev.works = 0;
	bus_vm->bus_ops->quiesce(bus_vm);
	ck_assert_uint_eq(dev.closes, 1);
	ck_assert_uint_eq(vmbus_server_version(&bus->server), 0);
	fake_clock_advance(10 * VMBUS_LOOK_NS);
	bus_serve(0);
	bus_halt();
	ck_assert_uint_eq(dev.works, 0);
	bus_vm->bus_ops->quiesce(bus_vm);
	ck_assert_uint_eq(dev.closes, 1);
	/* The next guest finds everything as the first one did. */
	open_it();
	ck_assert(write_one(9));
	ck_assert(dev.works > 0);
}
END_TEST

START_TEST(a_single_request_is_done_within_the_signal)
{
	open_it();
	for (uint64_t i = 1; i < 8; i++) {
		ck_assert(write_one(i));
		ck_assert(bus_interrupted(RELID));
		ck_assert(completion() == i);
		ck_assert(!is_masked());
	}
	ck_assert(dev.ch.stats.signals_in == 7);
}
END_TEST

START_TEST(waits_for_more_when_a_vcpu_halts)
{
	open_it();
	for (uint64_t i = 1; i <= 8; i++) {
		ck_assert(write_one(i));
		ck_assert(completion() == i);
	}
	ck_assert(is_masked());
	ck_assert(bus_vm->vcpus[0]->requests & BIT64(VCPU_REQ_PV_IDLE));
	(void)bus_interrupted(RELID);
	/* A guest with many requests: no signals, and one interrupt for each batch. */
	for (unsigned round = 0; round < 3; round++) {
		for (uint64_t i = 1; i <= 32; i++) {
			ck_assert(write_one(i));
		}
		ck_assert(!bus_interrupted(RELID));
		bus_halt();
		ck_assert(bus_interrupted(RELID));
		for (uint64_t i = 1; i <= 32; i++) {
			ck_assert(completion() == i);
		}
		ck_assert(is_masked());
	}
	ck_assert(dev.ch.stats.signals_in == 8);
	/* A look at a bad moment changes nothing. */
	ck_assert(write_one(40));
	bus_halt();
	ck_assert(completion() == 40);
	bus_halt();
	ck_assert(is_masked());
	ck_assert(write_one(41));
	ck_assert(write_one(42));
	bus_halt();
	ck_assert(completion() == 41);
	ck_assert(completion() == 42);
	(void)bus_interrupted(RELID);
	/* Nothing more: the guest signals again. */
	for (unsigned look = 0; look < 3; look++) {
		ck_assert(is_masked());
		bus_halt();
	}
	ck_assert(!is_masked());
	ck_assert(!bus_interrupted(RELID));
	ck_assert(write_one(99));
	ck_assert(completion() == 99);
}
END_TEST

/* Who has sent many together, and then nothing for a while, gives eight signals once only. */
START_TEST(a_pause_is_soon_forgotten)
{
	open_it();
	for (unsigned round = 0; round < 4; round++) {
		for (uint64_t i = 1; i <= 32; i++) {
			ck_assert(write_one(i));
		}
		bus_halt();
		while (completion()) {
		}
		for (unsigned look = 0; look < 3; look++) {
			bus_halt();
		}
		ck_assert(!is_masked());
	}
	ck_assert_uint_eq(dev.ch.stats.signals_in, 8 + 3 * 2);
}
END_TEST

/* The first vCPU sends and sleeps, the second one still runs: it may go on sending. */
START_TEST(waits_for_more_while_another_vcpu_runs)
{
	open_it();
	for (uint64_t i = 1; i <= 8; i++) {
		ck_assert(write_one(i));
	}
	bus_vm->vcpus[1]->state = VCPU_RUNNABLE;
	bus_vm->vcpus[0]->requests &= ~VCPU_EVENT_REQUESTS; /* it has seen its interrupts */
	bus_halt();
	ck_assert(is_masked());
	ck_assert(bus_vm->vcpus[1]->requests & BIT64(VCPU_REQ_PV_IDLE));
	/* The one that sleeps does not look again and again. */
	ck_assert(!(bus_vm->vcpus[0]->requests & BIT64(VCPU_REQ_PV_IDLE)));
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert(!is_masked());
}
END_TEST

START_TEST(waits_for_more_until_the_deadline)
{
	open_it();
	for (uint64_t i = 1; i <= 8; i++) {
		ck_assert(write_one(i));
		ck_assert(completion() == i);
	}
	ck_assert(write_one(50));
	ck_assert(write_one(51));
	fake_clock_advance(VMBUS_LOOK_NS - 1);
	ck_assert(completion() == 0);
	fake_clock_advance(1);
	ck_assert(completion() == 50);
	ck_assert(completion() == 51);
	ck_assert(is_masked());
	/* One request in all that time is no batch. */
	for (uint64_t i = 52; i <= 54; i++) {
		ck_assert(is_masked());
		ck_assert(write_one(i));
		ck_assert(completion() == 0);
		for (uint64_t seen = 0; seen != i; seen = completion()) {
			fake_clock_advance(1000);
		}
	}
	ck_assert(!is_masked());
}
END_TEST

/* n requests, one after the other, each after 'gap' ns; how many were answered at once. */
static unsigned at_once(unsigned n, uint64_t gap)
{
	unsigned done = 0;

	for (unsigned i = 1; i <= n; i++) {
		fake_clock_advance(gap);
		while (completion()) {
		}
		ck_assert(write_one(i));
		done += completion() == i;
	}
	return done;
}

START_TEST(waits_as_long_as_packets_take)
{
	open_it();
	/* 20 us each: after the eighth it waits about 16 times that. */
	ck_assert_uint_eq(at_once(8, 20000), 8);
	ck_assert(is_masked());
	ck_assert_uint_eq(at_once(10, 20000), 0);
	fake_clock_advance(200000);
	unsigned n = 0;
	while (completion()) {
		n++;
	}
	ck_assert_uint_eq(n, 10);
	ck_assert(is_masked());
}
END_TEST

/* What is looked at for one of them leaves the other its time. */
START_TEST(each_channel_has_its_own_time)
{
	static struct device other;
	const uint8_t payload[24] = {0};
	struct bus_rings rings;

	memset(&other, 0, sizeof(other));
	make(&other.ch, 0);
	other.ch.offer.type = (struct guid){{2}};
	other.ch.device = &other;
	other.ch.packet_buf = other.buf;
	ck_assert_int_eq(vmbus_channel_add(bus, &other.ch), 0);
	ck_assert_uint_eq(bus_connect(), 2);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert_uint_eq(bus_open(other.ch.relid, &rings), 0);
	for (uint64_t i = 1; i <= 8; i++) {
		fake_clock_advance(40000);
		ck_assert(bus_write(&rings, i, payload, sizeof(payload)));
	}
	for (uint64_t i = 1; i <= 8; i++) {
		ck_assert(write_one(i));
	}
	ck_assert(write_one(9));
	ck_assert(bus_write(&rings, 9, payload, sizeof(payload)));
	fake_clock_advance(300000);
	ck_assert_uint_eq(dev.ch.stats.packets_in, 9);
	ck_assert_uint_eq(other.ch.stats.packets_in, 8);
	fake_clock_advance(400000);
	ck_assert_uint_eq(other.ch.stats.packets_in, 9);
}
END_TEST

START_TEST(does_not_wait_for_a_slow_guest)
{
	open_it();
	ck_assert_uint_eq(at_once(16, 3000000), 16);
	ck_assert(!is_masked());
}
END_TEST

/* One request at a time by a guest that does not halt: waiting brings nothing, so it gets rare. */
START_TEST(tries_less_often_when_it_is_no_use)
{
	unsigned late = 0, first = 0;

	open_it();
	for (unsigned i = 1; i <= 2000; i++) {
		fake_clock_advance(20000);
		ck_assert(write_one(i));
		if (completion() != i) {
			late++;
			fake_clock_advance(1000000);
			ck_assert(completion() == i);
		}
		first = i == 200 ? late : first;
	}
	ck_assert_uint_gt(first, 2);
	ck_assert_uint_lt(late - first, 10);
}
END_TEST

/* By one that halts: a request that waits for that has lost nothing, so tries stay frequent. */
START_TEST(tries_on_when_it_costs_nothing)
{
	unsigned late = 0;

	open_it();
	for (unsigned i = 1; i <= 2000; i++) {
		fake_clock_advance(20000);
		ck_assert(write_one(i));
		if (completion() != i) {
			late++;
			bus_halt();
			ck_assert(completion() == i);
		}
	}
	ck_assert_uint_gt(late, 2000 / 34);
	ck_assert_uint_lt(late, 2000 / 30);
}
END_TEST

/* So it is while another vCPU runs on, until the time is up. */
START_TEST(tries_on_beside_a_vcpu_that_runs)
{
	unsigned late = 0;

	open_it();
	bus_vm->vcpus[1]->state = VCPU_RUNNABLE;
	for (unsigned i = 1; i <= 2000; i++) {
		fake_clock_advance(20000);
		ck_assert(write_one(i));
		if (completion() != i) {
			late++;
			bus_halt();
			ck_assert(completion() == i);
			fake_clock_advance(LONG_NS);
			ck_assert(!is_masked());
		}
	}
	ck_assert_uint_gt(late, 2000 / 34);
	ck_assert_uint_lt(late, 2000 / 30);
}
END_TEST

START_TEST(a_vcpu_that_runs_is_not_held_up)
{
	open_it();
	for (uint64_t i = 1; i <= 8; i++) {
		ck_assert(write_one(i));
	}
	ck_assert(write_one(9));
	/* It serves something else: the ring stays for when it halts. */
	bus_serve(0);
	ck_assert(bus_vm->vcpus[0]->requests & BIT64(VCPU_REQ_PV_IDLE));
	ck_assert(dev.ch.stats.packets_in == 8);
	bus_halt();
	ck_assert(dev.ch.stats.packets_in == 9);
}
END_TEST

START_TEST(work_is_bounded)
{
	open_it();
	dev.stalled = true;
	for (uint64_t i = 1; i <= 200; i++) {
		ck_assert(write_one(0) || true);
	}
	dev.stalled = false;
	dev.works = 0;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	ck_assert(dev.ch.stats.packets_in == 64);
	ck_assert(is_masked());
	bus_halt();
	ck_assert(dev.ch.stats.packets_in == 128);
	fake_clock_advance(VMBUS_LOOK_NS);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert(dev.ch.stats.packets_in == 200);
	/* One that never comes to an end. */
	dev.endless = true;
	dev.works = 0;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(dev.works, 4);
}
END_TEST

START_TEST(a_device_that_takes_nothing_is_left_alone)
{
	open_it();
	dev.stalled = true;
	ck_assert(write_one(1));
	ck_assert(is_masked());
	dev.works = 0;
	fake_clock_advance(20 * VMBUS_LOOK_NS);
	bus_halt();
	ck_assert_uint_eq(dev.works, 0);
	dev.stalled = false;
	channel_kick(&dev.ch);
	ck_assert(bus_vm->vcpus[0]->requests & BIT64(VCPU_REQ_PV));
	channel_kick(&dev.ch);
	bus_serve(0);
	ck_assert(completion() == 1);
	fake_clock_advance(LONG_NS);
	ck_assert(!is_masked());
}
END_TEST

START_TEST(who_comes_second_leaves_word)
{
	open_it();
	/* Another CPU is at it. */
	spin_lock(&dev.ch.lock);
	ck_assert(write_one(1));
	ck_assert_uint_eq(dev.works, 0);
	channel_unlock(&dev.ch);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert(completion() == 1);
}
END_TEST

/* Work goes to the vCPU that is interrupted. */
START_TEST(works_where_the_interrupt_goes)
{
	struct vmbus_msg_modify m = {
	        .header.type = VMBUS_MODIFY_CHANNEL, .relid = RELID, .target_vp = 1};
	union vmbus_guest_message answer_;

	open_it();
	ck_assert_int_eq(bus_say(&m, sizeof(m)), HV_STATUS_SUCCESS);
	bus_expect(VMBUS_MODIFY_CHANNEL_RESPONSE, &answer_);
	ck_assert_uint_eq(dev.ch.target_vp, 1);
	channel_kick(&dev.ch);
	ck_assert(!(bus_vm->vcpus[0]->requests & BIT64(VCPU_REQ_PV)));
	ck_assert(bus_vm->vcpus[1]->requests & BIT64(VCPU_REQ_PV));
}
END_TEST

UNIT_MAIN("channel_run", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, opens_works_and_closes); tcase_add_test(tc, a_device_may_refuse);
          tcase_add_test(tc, ends_with_its_vm);
          tcase_add_test(tc, a_single_request_is_done_within_the_signal);
          tcase_add_test(tc, waits_for_more_when_a_vcpu_halts);
          tcase_add_test(tc, a_pause_is_soon_forgotten);
          tcase_add_test(tc, waits_for_more_while_another_vcpu_runs);
          tcase_add_test(tc, waits_for_more_until_the_deadline);
          tcase_add_test(tc, waits_as_long_as_packets_take);
          tcase_add_test(tc, each_channel_has_its_own_time);
          tcase_add_test(tc, does_not_wait_for_a_slow_guest);
          tcase_add_test(tc, tries_less_often_when_it_is_no_use);
          tcase_add_test(tc, tries_on_when_it_costs_nothing);
          tcase_add_test(tc, tries_on_beside_a_vcpu_that_runs);
          tcase_add_test(tc, a_vcpu_that_runs_is_not_held_up); tcase_add_test(tc, work_is_bounded);
          tcase_add_test(tc, a_device_that_takes_nothing_is_left_alone);
          tcase_add_test(tc, who_comes_second_leaves_word);
          tcase_add_test(tc, works_where_the_interrupt_goes);)
