// SPDX-License-Identifier: BSD-2-Clause
// The bus of a VM put together: sub-channels, old versions, messages, and what the operator sees.
#include "tests/channel_dev.h"

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

static void ask_for_subs(uint64_t trans_id)
{
	dev.wants_subs = true;
	ck_assert(write_one(trans_id));
	dev.wants_subs = false;
}

/* What is granted comes; for more than there are places nothing is granted. */
START_TEST(sub_channels_without_a_place)
{
	static struct vmbus_channel others[VMBUS_MAX_CHANNELS - 2], late;
	struct vmbus_msg_relid released = {.header.type = VMBUS_RELID_RELEASED};
	union vmbus_guest_message m;

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		others[i] = (struct vmbus_channel){.ops = &dev_ops};
		others[i].offer.instance.b[0] = (uint8_t)(i + 1);
		others[i].offer.min_version_major = 9;
		ck_assert_int_eq(vmbus_channel_add(bus, &others[i]), 0);
	}
	open_it();
	ask_for_subs(1);
	ck_assert(dev.granted[0] && !dev.granted[1]);
	/* A promise is kept. */
	late = (struct vmbus_channel){.ops = &dev_ops, .offer.instance.b[1] = 1};
	ck_assert_int_eq(vmbus_channel_add(bus, &late), -ENOSPC);
	bus_serve(0);
	released.relid = dev.subs[0].relid;
	ck_assert_uint_eq(released.relid, VMBUS_MAX_CHANNELS);
	bus_expect(VMBUS_OFFER_CHANNEL, &m);
	ask_for_subs(2);
	ck_assert(dev.granted[0] && !dev.granted[1]);
	/* Its place is free again when the guest lets go of it, not before. */
	bus_close(RELID);
	ck_assert_uint_eq(bus_open(RELID, &r), 0);
	ask_for_subs(3);
	ck_assert(!dev.granted[0] && !dev.granted[1]);
	ck_assert_int_eq(bus_say(&released, sizeof(released)), HV_STATUS_SUCCESS);
	ask_for_subs(4);
	ck_assert(dev.granted[0] && !dev.granted[1]);
	/* And when it was promised, and nobody wants it any more. */
	bus_vm->vcpus[0]->requests = 0; /* no time for it yet */
	bus_close(RELID);
	ck_assert_uint_eq(dev.subs[0].relid, 0);
	ck_assert_int_eq(vmbus_channel_add(bus, &late), 0);
	ck_assert_int_eq(fake_log_count("no sub-channel"), 0);
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

UNIT_MAIN("vmbus", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, sub_channels_come_and_go);
          tcase_add_test(tc, sub_channels_without_a_place);
          tcase_add_test(tc, old_guests_have_an_interrupt_page);
          tcase_add_test(tc, messages_wait_for_the_guest);
          tcase_add_test(tc, only_channel_messages); tcase_add_test(tc, dumps);
          tcase_add_test(tc, traces);)
