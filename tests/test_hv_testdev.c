// SPDX-License-Identifier: BSD-2-Clause
// The SynIC test port: routes, connections of messages and events, and what it refuses.
#include "hypercall/hv_testdev.h"

#include "tests/hv_world.h"
#include "vmm/lib/err.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define SIMP 0x300000ULL
#define SIEFP 0x301000ULL
#define SINT 8U
#define VECTOR 0xb0U
#define ID 0x10U
#define TYPE 0x12345678U

static struct vm *vm;
static struct vcpu *vcpu;

static void wr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	ck_assert(hv_msr_write(v, msr, value));
}

/* Both vCPUs' controllers on, their pages apart. */
static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	vm = hv_world_testdev(2, ALL);
	vcpu = vm->vcpus[0];
	for (unsigned i = 0; i < 2; i++) {
		wr(vm->vcpus[i], HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
		wr(vm->vcpus[i], HV_MSR_SIMP, (SIMP + i * 0x2000) | 1);
		wr(vm->vcpus[i], HV_MSR_SIEFP, (SIEFP + i * 0x2000) | 1);
		wr(vm->vcpus[i], HV_MSR_SINT0 + SINT, VECTOR);
	}
}

static void out32(uint32_t value)
{
	io_bus_write(&vm->pio, HV_TESTDEV_PORT, 4, value);
}

static void command(unsigned what, unsigned vp, unsigned sint, unsigned id)
{
	out32(id << 24 | what << 16 | vp << 8 | sint);
}

static int interrupt(struct vcpu *v)
{
	int vector = lapic_pending(&v->lapic);

	if (vector >= 0) {
		lapic_ack(&v->lapic, (uint8_t)vector);
		lapic_write(&v->lapic, LAPIC_EOI, 0);
	}
	return vector;
}

static struct hv_message slot(unsigned vp)
{
	struct hv_message m;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIMP + vp * 0x2000 + SINT * HV_MESSAGE_SIZE), &m,
	                         sizeof(m)),
	        0);
	return m;
}

static enum hv_status post(unsigned id, uint8_t byte)
{
	return synic_port_message(vm, id, TYPE, &byte, 1);
}

START_TEST(a_route_raises_its_source)
{
	command(HV_TESTDEV_SET_SINT, 1, SINT, 0); /* no route yet */
	ck_assert_int_eq(interrupt(vm->vcpus[1]), -1);
	command(HV_TESTDEV_ROUTE_CREATE, 1, SINT, 0);
	command(HV_TESTDEV_SET_SINT, 1, SINT, 0);
	ck_assert_int_eq(interrupt(vm->vcpus[1]), VECTOR);
	ck_assert_int_eq(interrupt(vcpu), -1);
	ck_assert_uint_eq(slot(1).type, HV_MESSAGE_NONE);
	/* Masked, or the controller off: nothing, now or later. */
	wr(vm->vcpus[1], HV_MSR_SINT0 + SINT, HV_SINT_MASKED | VECTOR);
	command(HV_TESTDEV_SET_SINT, 1, SINT, 0);
	wr(vm->vcpus[1], HV_MSR_SINT0 + SINT, VECTOR);
	wr(vm->vcpus[1], HV_MSR_SCONTROL, 0);
	command(HV_TESTDEV_SET_SINT, 1, SINT, 0);
	wr(vm->vcpus[1], HV_MSR_SCONTROL, 1);
	ck_assert_int_eq(interrupt(vm->vcpus[1]), -1);
	command(HV_TESTDEV_ROUTE_DESTROY, 1, SINT, 0);
	command(HV_TESTDEV_SET_SINT, 1, SINT, 0);
	ck_assert_int_eq(interrupt(vm->vcpus[1]), -1);
}
END_TEST

START_TEST(messages_come_back)
{
	struct hv_message m;

	ck_assert_int_eq(post(ID, 1), HV_STATUS_INVALID_CONNECTION_ID);
	command(HV_TESTDEV_MESSAGES_CREATE, 1, SINT, ID);
	ck_assert_int_eq(post(ID, 1), HV_STATUS_SUCCESS);
	m = slot(1);
	ck_assert_uint_eq(m.type, TYPE);
	ck_assert_uint_eq(m.payload_size, 1);
	ck_assert_uint_eq(m.payload[0], 1);
	ck_assert_int_eq(interrupt(vm->vcpus[1]), VECTOR);
	/* The slot is busy: it waits, and the guest is told. */
	ck_assert_int_eq(post(ID, 2), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(slot(1).payload[0], 1);
	ck_assert_uint_eq(slot(1).flags, HV_MESSAGE_FLAG_PENDING);
	for (unsigned i = 1; i < SYNIC_QUEUE; i++) {
		ck_assert_int_eq(post(ID, 3), HV_STATUS_SUCCESS);
	}
	ck_assert_int_eq(post(ID, 3), HV_STATUS_INSUFFICIENT_BUFFERS);
	/* Only messages are connected. */
	ck_assert_int_eq(synic_port_event(vcpu, ID, 0), HV_STATUS_INVALID_CONNECTION_ID);
	command(HV_TESTDEV_MESSAGES_DESTROY, 1, SINT, ID);
	ck_assert_int_eq(post(ID, 1), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

START_TEST(events_set_their_flag)
{
	uint8_t flags[256];

	command(HV_TESTDEV_EVENTS_CREATE, 0, SINT, 0x21);
	ck_assert_int_eq(synic_port_event(vcpu, 0x21, 0), HV_STATUS_SUCCESS);
	ck_assert_int_eq(synic_port_event(vcpu, 0x21, 1), HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(interrupt(vcpu), VECTOR);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(SIEFP + SINT * 256), flags, sizeof(flags)), 0);
	for (unsigned i = 0; i < sizeof(flags); i++) {
		ck_assert_uint_eq(flags[i], i == 0x21 / 8 ? 1U << 0x21 % 8 : 0);
	}
	ck_assert_int_eq(post(0x21, 1), HV_STATUS_INVALID_CONNECTION_ID);
	wr(vcpu, HV_MSR_SCONTROL, 0);
	ck_assert_int_eq(synic_port_event(vcpu, 0x21, 0), HV_STATUS_INVALID_SYNIC_STATE);
}
END_TEST

START_TEST(both_kinds_of_one_id)
{
	command(HV_TESTDEV_EVENTS_CREATE, 0, SINT, ID);
	command(HV_TESTDEV_MESSAGES_CREATE, 0, SINT, ID);
	command(HV_TESTDEV_MESSAGES_CREATE, 1, SINT, ID); /* it may move */
	command(HV_TESTDEV_EVENTS_DESTROY, 0, SINT, ID);
	ck_assert_int_eq(synic_port_event(vcpu, ID, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(post(ID, 1), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(slot(0).type, HV_MESSAGE_NONE);
	ck_assert_uint_eq(slot(1).type, TYPE);
	command(HV_TESTDEV_MESSAGES_DESTROY, 0, SINT, ID);
	command(HV_TESTDEV_MESSAGES_DESTROY, 0, SINT, ID);
	ck_assert_int_eq(post(ID, 1), HV_STATUS_INVALID_CONNECTION_ID);
	/* The port is free again. */
	ck_assert_int_eq(synic_port_add(vm, ID, ID, &(struct synic_port_ops){0}, NULL), 0);
	command(HV_TESTDEV_MESSAGES_CREATE, 1, SINT, ID); /* not ours */
	command(HV_TESTDEV_MESSAGES_DESTROY, 1, SINT, ID);
	ck_assert_int_eq(synic_port_add(vm, ID, ID, &(struct synic_port_ops){0}, NULL), -EEXIST);
}
END_TEST

START_TEST(what_cannot_be)
{
	for (unsigned what = 0; what < 256; what++) {
		command(what, 2, SINT, ID); /* no such vCPU */
		command(what, 255, SINT, ID);
		command(what, 0, HV_SINT_COUNT, ID);
		command(what, 0, 255, ID);
	}
	for (unsigned what = HV_TESTDEV_EVENTS_DESTROY + 1; what < 256; what++) {
		command(what, 0, SINT, ID);
	}
	/* Narrow writes are none. */
	io_bus_write(&vm->pio, HV_TESTDEV_PORT + 2, 1, HV_TESTDEV_MESSAGES_CREATE);
	io_bus_write(&vm->pio, HV_TESTDEV_PORT + 2, 2, ID << 8 | HV_TESTDEV_MESSAGES_CREATE);
	ck_assert_uint_eq(io_bus_read(&vm->pio, HV_TESTDEV_PORT, 4), 0);
	for (unsigned id = 0; id < HV_TESTDEV_CONNECTIONS; id++) {
		ck_assert_int_eq(post(id, 1), HV_STATUS_INVALID_CONNECTION_ID);
	}
	/* More than there are ports. */
	for (unsigned id = 0; id < HV_TESTDEV_CONNECTIONS; id++) {
		command(HV_TESTDEV_MESSAGES_CREATE, 0, SINT, id);
	}
	ck_assert_int_eq(post(SYNIC_PORTS, 1), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_int_eq(post(SYNIC_PORTS - 1, 1), HV_STATUS_SUCCESS);
	vm->pv->vm_reset(vm);
	ck_assert_int_eq(post(SYNIC_PORTS - 1, 1), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

START_TEST(reset_takes_routes_away)
{
	command(HV_TESTDEV_ROUTE_CREATE, 0, SINT, 0);
	vm->pv->vm_reset(vm);
	command(HV_TESTDEV_SET_SINT, 0, SINT, 0);
	ck_assert_int_eq(interrupt(vcpu), -1);
}
END_TEST

START_TEST(without_testdev_there_is_no_port)
{
	vm = hv_world(1, ALL);
	command(HV_TESTDEV_MESSAGES_CREATE, 0, SINT, ID);
	ck_assert_uint_eq(io_bus_read(&vm->pio, HV_TESTDEV_PORT, 4), 0xffffffff);
	ck_assert_int_eq(post(ID, 1), HV_STATUS_INVALID_CONNECTION_ID);
}
END_TEST

UNIT_MAIN("hv_testdev", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_route_raises_its_source); tcase_add_test(tc, messages_come_back);
          tcase_add_test(tc, events_set_their_flag); tcase_add_test(tc, both_kinds_of_one_id);
          tcase_add_test(tc, what_cannot_be); tcase_add_test(tc, reset_takes_routes_away);
          tcase_add_test(tc, without_testdev_there_is_no_port);)
