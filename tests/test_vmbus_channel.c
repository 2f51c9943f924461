// SPDX-License-Identifier: BSD-2-Clause
// Channels: packets checked, when they are worked, when the guest hears of it, and their end.
#include "vmbus/channel.h"

#include "tests/vmbus_vm.h"
#include "vmbus/channel_run.h"
#include "vmm/lib/err.h"

#define RELID 1U
#define MAX 1024U
#define LONG_NS 5000000ULL /* longer than it ever waits */

/* A device that completes each packet with its first byte, as long as it is let. */
static struct device {
	struct vmbus_channel ch, subs[2];
	uint8_t buf[MAX];
	struct vmbus_packet packet; /* the last one */
	uint8_t first;
	struct io_seg segs[8];
	int n_segs;
	int open_error;
	unsigned opens, closes, works, gone;
	uint8_t user;
	bool stalled; /* takes nothing */
	bool endless; /* always says that there is more */
	bool silent;  /* completes nothing */
	int received; /* what channel_receive() said at last */
	struct gpadl *held;
	bool wants_subs;
	unsigned waits; /* completions that found no room */
	uint64_t waiting[64];
} dev;

static struct bus_rings r;

static int dev_open(struct vmbus_channel *ch, const uint8_t *user)
{
	struct device *d = ch->device;

	ck_assert(ch->is_open);
	d->opens++;
	d->user = user[0];
	return d->open_error;
}

static void answer(struct device *d, uint64_t trans_id)
{
	if (d->waits || channel_complete(&d->ch, trans_id, &d->first, 1) == -EAGAIN) {
		ck_assert_uint_lt(d->waits, ARRAY_SIZE(d->waiting));
		d->waiting[d->waits++] = trans_id;
	}
}

static bool dev_work(struct vmbus_channel *ch, unsigned budget)
{
	struct device *d = ch->device;

	d->works++;
	while (d->waits && !channel_complete(ch, d->waiting[0], "w", 1)) {
		memmove(d->waiting, d->waiting + 1, --d->waits * sizeof(d->waiting[0]));
	}
	for (unsigned i = 0; i < budget && !d->stalled && !d->waits; i++) {
		d->received = channel_receive(ch, &d->packet);
		if (d->received <= 0) {
			return d->endless;
		}
		d->first = d->packet.payload_len ? d->packet.payload[0] : 0;
		d->n_segs = channel_segs(ch, &d->packet, d->segs, ARRAY_SIZE(d->segs));
		if (d->wants_subs) {
			channel_add_sub(ch, &d->subs[0]);
			channel_add_sub(ch, &d->subs[1]);
			channel_add_sub(ch, &d->subs[0]);
		}
		if (d->packet.wants_completion && !d->silent) {
			answer(d, d->packet.trans_id);
		}
	}
	return !d->stalled && !d->waits;
}

static void dev_close(struct vmbus_channel *ch)
{
	struct device *d = ch->device;

	ck_assert(!ch->is_open);
	ck_assert_int_eq(channel_complete(ch, 1, "x", 1), -ENOTCONN);
	ck_assert(!channel_has_room(ch, 1, 0));
	d->closes++;
}

static void dev_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	struct device *d = ch->device;

	ck_assert_ptr_eq(g, d->held);
	d->gone++;
	d->held = NULL;
	channel_gpadl_release(ch, g);
}

static void dev_dump(const struct vmbus_channel *ch, struct out *out)
{
	(void)ch;
	out_print(out, "a device\n  on two lines\n");
}

static const struct vmbus_channel_ops dev_ops = {
        .open = dev_open,
        .work = dev_work,
        .close = dev_close,
        .gpadl_gone = dev_gone,
        .dump = dev_dump,
};

static void make(struct vmbus_channel *ch, uint16_t sub)
{
	ch->ops = &dev_ops;
	ch->offer = (struct vmbus_offer){.name = "Test device", .type = {{1}}, .sub_index = sub};
	ch->device = &dev;
	ch->packet_buf = dev.buf;
	ch->packet_buf_len = MAX;
}

static void setup(void)
{
	memset(&dev, 0, sizeof(dev));
	fake_log_clear();
	bus_setup(2);
	make(&dev.ch, 0);
	make(&dev.subs[0], 1);
	make(&dev.subs[1], 2);
	ck_assert_int_eq(vmbus_channel_add(bus, &dev.ch), 0);
	ck_assert_uint_eq(dev.ch.relid, RELID);
}

static void open_it(void)
{
	ck_assert_uint_eq(bus_connect(), 1);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	dev.works = 0;
	(void)bus_interrupted(RELID);
}

static bool write_one(uint64_t trans_id)
{
	uint8_t payload[24] = {(uint8_t)trans_id};

	return bus_write(&r, trans_id, payload, sizeof(payload));
}

/* Trans id of the next completion; 0 = none. */
static uint64_t completion(void)
{
	uint8_t packet[MAX];
	struct ring_desc d;

	if (!bus_read(&r, packet, sizeof(packet))) {
		return 0;
	}
	memcpy(&d, packet, sizeof(d));
	ck_assert_uint_eq(d.type, RING_PACKET_COMPLETION);
	return d.trans_id;
}

static bool is_masked(void)
{
	return ((struct ring_header *)r.out)->interrupt_mask;
}

/* --- life --- */

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

/* --- when it is worked --- */

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

/* --- packets --- */

START_TEST(gives_a_packet_as_it_came)
{
	uint8_t payload[40] = {7, 8, 9};

	open_it();
	dev.silent = true;
	ck_assert(bus_write(&r, 0xabcdef, payload, 21));
	ck_assert_uint_eq(dev.packet.type, RING_PACKET_INBAND);
	ck_assert(dev.packet.wants_completion);
	ck_assert(dev.packet.trans_id == 0xabcdef);
	ck_assert_uint_eq(dev.packet.payload_len, 24); /* the ring knows multiples of 8 only */
	ck_assert_int_eq(memcmp(dev.packet.payload, payload, 21), 0);
	ck_assert_int_eq(dev.n_segs, 0);
}
END_TEST

START_TEST(finds_the_memory_of_a_packet)
{
	const uint64_t at = VMBUS_VM_BUFFERS + 0x234;

	open_it();
	ck_assert(bus_write_gpa(&r, 5, at, 10000, "payload", 8));
	ck_assert_uint_eq(dev.packet.n_ranges, 1);
	ck_assert_uint_eq(dev.packet.ranges_len, 10000);
	ck_assert_str_eq((const char *)dev.packet.payload, "payload");
	/* Neighbours, so one piece. */
	ck_assert_int_eq(dev.n_segs, 1);
	ck_assert_uint_eq(dev.segs[0].len, 10000);
	ck_assert_ptr_eq(dev.segs[0].hva, bus_ram(at));
	/* Beyond the RAM. */
	ck_assert(bus_write_gpa(&r, 6, WORLD_MEM - 4096, 8192, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
	ck_assert(bus_write_gpa(&r, 7, 0x000ffffffffff000ULL, 4096, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
	ck_assert(bus_write_gpa(&r, 8, 0xfffffffffffff000ULL, 4096, "p", 1));
	ck_assert_int_eq(dev.n_segs, -EFAULT);
}
END_TEST

/* A GPA direct packet from its words behind the descriptor: 8 payload bytes follow. */
static bool write_words(const uint64_t *words, unsigned n, uint16_t type)
{
	uint8_t packet[1024] = {0};
	struct ring_desc d = {.type = type,
	        .data_offset = (uint16_t)(2 + n),
	        .len = (uint16_t)(3 + n),
	        .flags = 1,
	        .trans_id = 1};

	memcpy(packet, &d, sizeof(d));
	memcpy(packet + 16, words, n * 8);
	return bus_write_raw(&r, packet, 24 + n * 8);
}

#define COUNT(n) ((uint64_t)(n) << 32)
#define RANGE(len, offset) ((uint64_t)(offset) << 32 | (len))
#define PFN(n) ((VMBUS_VM_BUFFERS >> PAGE_SHIFT) + (n))

static const struct {
	uint16_t type;
	unsigned n;
	uint64_t words[10];
	bool good;
	int n_segs;
	uint32_t lens[4];
} lists[] = {
        /* as netvsc and older drivers send them */
        {9, 5, {COUNT(2), RANGE(10, 0), PFN(0), RANGE(20, 4076), PFN(0)}, true, 2, {10, 20}},
        {9, 5, {COUNT(2), RANGE(4096, 0), PFN(0), RANGE(4096, 0), PFN(1)}, true, 1, {8192}},
        {9, 4, {COUNT(1), RANGE(8192, 0), PFN(5), PFN(3)}, true, 2, {4096, 4096}},
        {9, 4, {COUNT(1), RANGE(4096, 1), PFN(2), PFN(3)}, true, 1, {4096}},
        /* a word too many is no harm */
        {9, 4, {COUNT(1), RANGE(1, 0), PFN(0), PFN(0)}, true, 1, {1}},
        /* none, none that fits, more than there are */
        {9, 3, {COUNT(0), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        {9, 1, {COUNT(1)}, false, 0, {0}},
        {9, 2, {COUNT(1), RANGE(1, 0)}, false, 0, {0}},
        {9, 3, {COUNT(2), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        {9, 4, {COUNT(2), RANGE(1, 0), PFN(0), RANGE(1, 0)}, false, 0, {0}},
        {9, 3, {COUNT(0xffffffff), RANGE(1, 0), PFN(0)}, false, 0, {0}},
        /* sizes and offsets */
        {9, 3, {COUNT(1), RANGE(0, 0), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 4096), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 0xffffffff), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(4097, 0), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(2, 4095), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(0xffffffff, 4095), PFN(0)}, false, 0, {0}},
        {9, 3, {COUNT(1), RANGE(1, 4095), PFN(0)}, true, 1, {1}},
        /* transfer pages */
        {7, 3, {COUNT(2), RANGE(10, 0), RANGE(20, 0)}, true, 0, {0}},
        {7, 1, {COUNT(0)}, true, 0, {0}},
        {7, 2, {COUNT(2), RANGE(10, 0)}, false, 0, {0}},
        {7, 3, {COUNT(2), RANGE(0xffffffff, 0), RANGE(1, 0)}, false, 0, {0}},
};

START_TEST(checks_lists_of_ranges)
{
	open_it();
	dev.silent = true;
	ck_assert(write_words(lists[_i].words, lists[_i].n, lists[_i].type));
	ck_assert_int_eq(dev.ch.broken, !lists[_i].good);
	if (lists[_i].good) {
		ck_assert_int_eq(dev.n_segs, lists[_i].n_segs);
		for (int i = 0; i < dev.n_segs; i++) {
			ck_assert_uint_eq(dev.segs[i].len, lists[_i].lens[i]);
		}
	}
}
END_TEST

START_TEST(as_many_segments_as_there_is_room_for)
{
	uint64_t words[20] = {COUNT(1), RANGE(9 * 4096, 0)};

	open_it();
	for (unsigned i = 0; i < 9; i++) {
		words[2 + i] = PFN(2 * i);
	}
	ck_assert(write_words(words, 11, 9));
	ck_assert_int_eq(dev.n_segs, -ENOSPC);
}
END_TEST

START_TEST(a_broken_ring_ends_the_channel_alone)
{
	open_it();
	((struct ring_header *)r.out)->write_index = 3;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	ck_assert(dev.ch.broken);
	ck_assert_int_eq(dev.received, -EPROTO);
	ck_assert_uint_eq(fake_log_count("makes no sense"), 1);
	dev.works = 0;
	ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	channel_kick(&dev.ch);
	bus_serve(0);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.works, 0);
	ck_assert_uint_eq(fake_log_count("makes no sense"), 1);
	/* Until it is opened again. */
	bus_close(RELID);
	ck_assert_uint_eq(dev.closes, 1);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert(write_one(1));
	ck_assert(completion() == 1);
}
END_TEST

START_TEST(a_packet_too_long_for_its_device)
{
	static const uint8_t payload[2 * MAX];

	open_it();
	ck_assert(bus_write(&r, 1, payload, MAX - 16));
	ck_assert(!dev.ch.broken);
	ck_assert(bus_write(&r, 1, payload, MAX - 8));
	ck_assert(dev.ch.broken);
}
END_TEST

/* --- to the guest --- */

START_TEST(sends_transfer_pages)
{
	const struct vmbus_xfer_range ranges[] = {{100, 0}, {200, 4096}};
	struct {
		struct ring_desc d;
		uint16_t pageset;
		uint16_t owner;
		uint32_t n_ranges;
		struct vmbus_xfer_range ranges[2];
		uint8_t payload[8];
	} got;

	open_it();
	spin_lock(&dev.ch.lock);
	ck_assert(channel_has_room(&dev.ch, 3, 2));
	ck_assert_int_eq(channel_send_xfer(&dev.ch, 77, 0xcafe, ranges, 2, "abc", 3), 0);
	spin_unlock(&dev.ch.lock);
	channel_kick(&dev.ch);
	bus_serve(0);
	ck_assert(bus_interrupted(RELID));
	ck_assert_uint_eq(bus_read(&r, &got, sizeof(got)), sizeof(got));
	ck_assert_uint_eq(got.d.type, RING_PACKET_XFER_PAGES);
	ck_assert_uint_eq(got.d.data_offset, 5);
	ck_assert_uint_eq(got.d.flags, 1);
	ck_assert(got.d.trans_id == 77);
	ck_assert_uint_eq(got.pageset, 0xcafe);
	ck_assert_uint_eq(got.n_ranges, 2);
	ck_assert_int_eq(memcmp(got.ranges, ranges, sizeof(ranges)), 0);
	ck_assert_int_eq(memcmp(got.payload, "abc\0\0\0\0\0", 8), 0);
}
END_TEST

START_TEST(a_full_ring_is_waited_for)
{
	unsigned sent = 0;

	open_it();
	/* The guest reads nothing and asks for ever more. */
	for (uint64_t i = 1; dev.waits == 0; i++) {
		ck_assert(write_one(i));
		ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
		sent++;
	}
	ck_assert(dev.ch.stats.full > 0);
	ck_assert_uint_gt(sent, 1000);
	fake_clock_advance(VMBUS_LOOK_NS); /* the last look */
	dev.works = 0;
	fake_clock_advance(10 * VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.works, 0); /* nobody polls */
	/* When it reads, it tells, as it was asked to. */
	for (uint64_t i = 1; i <= sent; i++) {
		ck_assert(completion() == i);
	}
	ck_assert_uint_eq(dev.waits, 0);
}
END_TEST

START_TEST(a_guest_that_never_tells_is_polled)
{
	open_it();
	((struct ring_header *)r.in)->feature_bits = 0;
	for (uint64_t i = 1; dev.waits == 0; i++) {
		ck_assert(write_one(i));
		ck_assert_int_eq(bus_signal(RELID), HV_STATUS_SUCCESS);
	}
	ck_assert(completion() == 1);
	ck_assert(completion() == 2);
	fake_clock_advance(VMBUS_LOOK_NS);
	ck_assert_uint_eq(dev.waits, 0);
}
END_TEST

/* --- GPADLs, sub-channels, old versions, messages --- */

START_TEST(holds_gpadls)
{
	struct vmbus_msg_gpadl_teardown down = {
	        .header.type = VMBUS_GPADL_TEARDOWN, .relid = RELID, .gpadl = 0x77};
	union vmbus_guest_message m;

	open_it();
	bus_gpadl(RELID, 0x77, VMBUS_VM_BUFFERS, 40);
	ck_assert_ptr_null(channel_gpadl_hold(&dev.ch, 0x78));
	dev.held = channel_gpadl_hold(&dev.ch, 0x77);
	ck_assert_ptr_nonnull(dev.held);
	ck_assert_uint_eq(dev.held->len, 40 * 4096);
	ck_assert_int_eq(bus_say(&down, sizeof(down)), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(dev.gone, 1);
	bus_expect(VMBUS_GPADL_TORNDOWN, &m);
	ck_assert_ptr_null(channel_gpadl_hold(&dev.ch, 0x77));
}
END_TEST

START_TEST(sub_channels_come_and_go)
{
	union vmbus_guest_message m;
	struct bus_rings sub;

	open_it();
	dev.wants_subs = true;
	ck_assert(write_one(1));
	ck_assert_uint_eq(dev.subs[0].relid, 0); /* the channel's lock was held */
	bus_serve(0);
	dev.wants_subs = false;
	ck_assert_uint_ne(dev.subs[0].relid, 0);
	ck_assert_uint_ne(dev.subs[1].relid, 0);
	bus_expect(VMBUS_OFFER_CHANNEL, &m);
	ck_assert_uint_eq(m.bytes[180], 1);
	bus_expect(VMBUS_OFFER_CHANNEL, &m);
	ck_assert_uint_eq(m.bytes[180], 2);
	ck_assert_uint_eq(bus_open(dev.subs[1].relid, &sub), 0);
	bus_close(RELID);
	ck_assert_uint_eq(dev.closes, 2);
	ck_assert(vmbus_channel_gone(&dev.subs[0]));
	/* Asked for, but closed before they came. */
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	while (bus_hear(&m)) {
	}
	dev.wants_subs = true;
	bus_vm->vcpus[0]->requests = 0;
	ck_assert(write_one(1));
	dev.wants_subs = false;
	bus_vm->vcpus[0]->requests = 0; /* no time for it yet */
	bus_close(RELID);
	bus_vm->pv->serve(bus_vm->vcpus[0]);
	ck_assert_uint_eq(dev.subs[0].relid, 0);
	ck_assert_uint_eq(dev.subs[1].relid, 0);
}
END_TEST

START_TEST(old_guests_have_an_interrupt_page)
{
	const uint64_t page = 0x2fe000;
	struct vmbus_msg_header request = {.type = VMBUS_REQUEST_OFFERS};
	union vmbus_guest_message m;
	uint64_t *bits = bus_ram(page);

	bus_contact(VMBUS_VERSION_WS2008, page);
	ck_assert_int_eq(bus_say(&request, sizeof(request)), HV_STATUS_SUCCESS);
	while (bus_hear(&m) != VMBUS_ALL_OFFERS_DELIVERED) {
	}
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	/* The guest's bit, the shared connection. */
	((struct ring_header *)r.out)->interrupt_mask = 1; /* no signal of its own */
	ck_assert(write_one(5));
	bits[256] = 1U << RELID | 1U << 5;
	dev.works = 0;
	ck_assert_int_eq(
	        synic_port_event(bus_vm->vcpus[0], VMBUS_EVENT_CONNECTION, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_gt(dev.works, 0);
	ck_assert(bits[256] == 0);
	ck_assert(completion() == 5);
	/* And ours. */
	ck_assert(bits[0] == 1U << RELID);
	ck_assert(bus_interrupted(0));
	ck_assert(!bus_interrupted(RELID));
}
END_TEST

START_TEST(messages_wait_for_the_guest)
{
	static struct vmbus_channel many[40];
	struct vmbus_msg_header request = {.type = VMBUS_REQUEST_OFFERS};
	union vmbus_guest_message m;
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = (struct vmbus_channel){.ops = &dev_ops};
		many[i].offer.instance.b[0] = (uint8_t)(i + 1);
		ck_assert_int_eq(vmbus_channel_add(bus, &many[i]), 0);
	}
	bus_contact(VMBUS_VERSION_MAX, VMBUS_SINT);
	ck_assert_int_eq(bus_say(&request, sizeof(request)), HV_STATUS_SUCCESS);
	while (bus_hear(&m) == VMBUS_OFFER_CHANNEL) {
		n++;
	}
	ck_assert_uint_eq(m.header.type, VMBUS_ALL_OFFERS_DELIVERED);
	ck_assert_uint_eq(n, 41);
	ck_assert_int_eq(vmbus_channel_add(bus, &many[0]), -EEXIST);
}
END_TEST

START_TEST(only_channel_messages)
{
	struct vmbus_msg_header request = {.type = VMBUS_UNLOAD};

	ck_assert_int_eq(
	        synic_port_message(bus_vm, VMBUS_MESSAGE_CONNECTION, 2, &request, sizeof(request)),
	        HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(synic_port_message(bus_vm, 3, 1, &request, sizeof(request)),
	        HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(synic_port_message(bus_vm, VMBUS_MESSAGE_CONNECTION, 1, &request, 3),
	        HV_STATUS_SUCCESS); /* and nothing comes of it */
}
END_TEST

/* --- for the operator --- */

static char text[4096];
static void collect(struct out *out, const char *s, size_t n)
{
	size_t used = strlen(text);

	(void)out;
	ck_assert_uint_lt(used + n, sizeof(text));
	memcpy(text + used, s, n);
	text[used + n] = '\0';
}

START_TEST(dumps)
{
	struct out out = {.write = collect};

	text[0] = '\0';
	bus_vm->bus_ops->dump(bus_vm, &out);
	ck_assert_str_eq(text, "not connected\n 1: Test device: not offered yet\n    a device\n    "
	                       "  on two lines\n");
	open_it();
	ck_assert(write_one(1));
	text[0] = '\0';
	bus_vm->bus_ops->dump(bus_vm, &out);
	ck_assert_str_eq(text, "version 5.3, messages to VP 0\n"
	                       " 1: Test device: open\n"
	                       "    in  60 KiB at 0x30, 0 bytes wait: 1 packets, 48 bytes\n"
	                       "        1 signals, 0 drains, 2 rounds of work\n"
	                       "    out 60 KiB at 0x20, 32 bytes wait: 1 packets, 32 bytes\n"
	                       "        VP 0, 1 interrupts, 0 times full\n"
	                       "    a device\n"
	                       "      on two lines\n");
}
END_TEST

START_TEST(traces)
{
	bus_vm->bus_ops->trace(bus_vm, true);
	open_it();
	bus_close(RELID);
	ck_assert_uint_eq(fake_log_count("vmbus <- InitiateContact version 5.3 VP 0"), 1);
	ck_assert_uint_eq(fake_log_count("vmbus -> OfferChannel channel 1"), 1);
	ck_assert_uint_eq(fake_log_count("vmbus -> GpadlCreated channel 1 GPADL 0xe1e11 ok"), 1);
	fake_log_clear();
	bus_vm->bus_ops->trace(bus_vm, false);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ck_assert_str_eq(fake_log_text(), "");
}
END_TEST

UNIT_MAIN("vmbus_channel", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, opens_works_and_closes); tcase_add_test(tc, a_device_may_refuse);
          tcase_add_test(tc, ends_with_its_vm);
          tcase_add_test(tc, a_single_request_is_done_within_the_signal);
          tcase_add_test(tc, waits_for_more_when_a_vcpu_halts);
          tcase_add_test(tc, waits_for_more_while_another_vcpu_runs);
          tcase_add_test(tc, waits_for_more_until_the_deadline);
          tcase_add_test(tc, waits_as_long_as_packets_take);
          tcase_add_test(tc, does_not_wait_for_a_slow_guest);
          tcase_add_test(tc, tries_less_often_when_it_is_no_use);
          tcase_add_test(tc, tries_on_when_it_costs_nothing);
          tcase_add_test(tc, a_vcpu_that_runs_is_not_held_up); tcase_add_test(tc, work_is_bounded);
          tcase_add_test(tc, a_device_that_takes_nothing_is_left_alone);
          tcase_add_test(tc, who_comes_second_leaves_word);
          tcase_add_test(tc, works_where_the_interrupt_goes);
          tcase_add_test(tc, gives_a_packet_as_it_came);
          tcase_add_test(tc, finds_the_memory_of_a_packet);
          tcase_add_loop_test(tc, checks_lists_of_ranges, 0, ARRAY_SIZE(lists));
          tcase_add_test(tc, as_many_segments_as_there_is_room_for);
          tcase_add_test(tc, a_broken_ring_ends_the_channel_alone);
          tcase_add_test(tc, a_packet_too_long_for_its_device);
          tcase_add_test(tc, sends_transfer_pages); tcase_add_test(tc, a_full_ring_is_waited_for);
          tcase_add_test(tc, a_guest_that_never_tells_is_polled); tcase_add_test(tc, holds_gpadls);
          tcase_add_test(tc, sub_channels_come_and_go);
          tcase_add_test(tc, old_guests_have_an_interrupt_page);
          tcase_add_test(tc, messages_wait_for_the_guest);
          tcase_add_test(tc, only_channel_messages); tcase_add_test(tc, dumps);
          tcase_add_test(tc, traces);)
