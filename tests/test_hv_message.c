// SPDX-License-Identifier: BSD-2-Clause
// Messages and events of the guest, and the ports where they arrive.
#include "tests/hypercall_world.h"

static struct {
	unsigned messages, events;
	uint32_t type, size;
	uint16_t flag;
	uint8_t last;
} port;

static enum hv_status on_message(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	ck_assert_ptr_eq(owner, &port);
	port.messages++;
	port.type = type;
	port.size = size;
	port.last = size ? ((const uint8_t *)payload)[size - 1] : 0;
	return size == 13 ? HV_STATUS_INSUFFICIENT_BUFFERS : HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *owner, uint32_t id, uint16_t flag)
{
	(void)owner;
	port.events += id == 7;
	port.flag = flag;
	return HV_STATUS_SUCCESS;
}

static const struct synic_port_ops both = {.message = on_message, .event = on_event};
static const struct synic_port_ops neither = {.message = NULL};

START_TEST(messages_to_ports)
{
	struct hv_post_message_input in = {.connection_id = 7, .type = 1, .payload_size = 240};

	memset(&port, 0, sizeof(port));
	ck_assert_int_eq(synic_port_add(vm, 5, 8, &both, &port), 0);
	ck_assert_int_eq(synic_port_add(vm, 8, 9, &both, &port), -EEXIST);
	ck_assert_int_eq(synic_port_add(vm, 9, 9, &neither, NULL), 0);
	in.payload[239] = 0x5a;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(port.messages, 1);
	ck_assert_uint_eq(port.size, 240);
	ck_assert_uint_eq(port.last, 0x5a);
	in.payload_size = 13;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), HV_STATUS_INSUFFICIENT_BUFFERS);
	in.payload_size = 241;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
	in.payload_size = 0;
	in.type = HV_MESSAGE_TIMER_EXPIRED;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
	in.type = 1;
	in.connection_id = 9;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(port.messages, 2);
}
END_TEST

START_TEST(events_to_ports)
{
	struct hv_signal_event_input in = {.connection_id = 7, .flag_number = 2047};

	memset(&port, 0, sizeof(port));
	ck_assert_int_eq(synic_port_add(vm, 7, 7, &both, &port), 0);
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(
	        call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7 | 3ULL << 32, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(port.events, 2);
	ck_assert_uint_eq(port.flag, 3);
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7 | 2048ULL << 32, 0),
	        HV_STATUS_INVALID_PARAMETER);
	synic_port_remove(vm, 7);
	ck_assert_uint_eq(
	        call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7, 0), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

/* What a vCPU remembers of the last port is good until something changes. */
START_TEST(ports_come_and_go)
{
	memset(&port, 0, sizeof(port));
	ck_assert_int_eq(synic_port_add(vm, 7, 9, &both, &port), 0);
	for (unsigned id = 6; id <= 10; id++) {
		ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, id, 0),
		        id >= 7 && id <= 9 ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_CONNECTION_ID);
	}
	ck_assert_uint_eq(port.events, 1); /* of 7 */
	synic_port_remove(vm, 7);
	ck_assert_uint_eq(
	        call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 9, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(synic_port_add(vm, 9, 9, &neither, NULL), 0);
	ck_assert_uint_eq(
	        call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 9, 0), HV_STATUS_INVALID_CONNECTION_ID);
	/* Connection 0 is no port's before one says so. */
	ck_assert_uint_eq(
	        call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

START_TEST(ports_until_full)
{
	for (uint32_t i = 0; i < SYNIC_PORTS; i++) {
		ck_assert_int_eq(synic_port_add(vm, i, i, &both, &port), 0);
	}
	ck_assert_int_eq(synic_port_add(vm, 1000, 1000, &both, &port), -ENOSPC);
	synic_port_remove(vm, 5);
	ck_assert_int_eq(synic_port_add(vm, 1000, 1000, &both, &port), 0);
	ck_assert_int_eq(synic_port_add(vm, 3, 2, &both, &port), -EINVAL);
}
END_TEST

UNIT_MAIN("hv_message", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, messages_to_ports); tcase_add_test(tc, events_to_ports);
          tcase_add_test(tc, ports_until_full); tcase_add_test(tc, ports_come_and_go);)
