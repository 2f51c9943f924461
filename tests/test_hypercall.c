// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls: who may call, what is checked before a row sees it, results, and the rows.
#include "hypercall/hypercall.h"

#include "tests/hv_world.h"
#include "vmm/lib/err.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x100000ULL /* the hypercall page */
#define INPUT 0x200000ULL
#define OUTPUT 0x201000ULL
#define REPS(start, count) ((uint64_t)(count) << 32 | (uint64_t)(start) << 48)
#define VAR(n) ((uint64_t)(n) << 17)

static struct vm *vm;
static struct vcpu *vcpu;

static void world(unsigned n, uint32_t features)
{
	vm = hv_world(n, features);
	vcpu = vm->vcpus[0];
	ck_assert(hv_msr_write(vcpu, HV_MSR_GUEST_OS_ID, 0x8100ULL << 48));
	ck_assert(hv_msr_write(vcpu, HV_MSR_HYPERCALL, PAGE_AT | 1));
}

static void setup(void)
{
	world(2, ALL);
}

static enum exit_action go(uint64_t control, uint64_t rdx, uint64_t r8)
{
	vcpu->gpr[REG_RCX] = control;
	vcpu->gpr[REG_RDX] = rdx;
	vcpu->gpr[REG_R8] = r8;
	vcpu->gpr[REG_RAX] = 0xdead;
	vcpu->exit.regs.kernel64 = vcpu_in_64bit_mode(vcpu) && vcpu_in_kernel(vcpu);
	return hv_hypercall(vcpu);
}

static uint64_t call(uint64_t control, uint64_t rdx, uint64_t r8)
{
	enum exit_action action = go(control, rdx, r8);

	ck_assert(action == ACT_SKIP || action == ACT_YIELD);
	return vcpu->gpr[REG_RAX];
}

static void put(uint64_t at, const void *data, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), data, len), 0);
}

/* --- legal environments --- */

START_TEST(only_the_kernel_with_a_page)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	f->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
	vcpu->pending.type = EVENT_NONE;
	f->segs[SEG_SS].attr &= (uint16_t) ~(3U << SEG_ATTR_DPL_SHIFT);
	f->regs[REG_CR0] &= ~CR0_PE;
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	vcpu->pending.type = EVENT_NONE;
	f->regs[REG_CR0] |= CR0_PE;
	ck_assert(hv_msr_write(vcpu, HV_MSR_GUEST_OS_ID, 0));
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
}
END_TEST

START_TEST(in_32_bit_code)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	f->regs[REG_EFER] = 0;
	f->segs[SEG_CS].attr = 0xc09b;
	vcpu->gpr[REG_RDX] = 0;
	vcpu->gpr[REG_RAX] = HV_CALL_SIGNAL_EVENT | HV_CALL_FAST;
	vcpu->gpr[REG_RBX] = 0;    /* input, high: flag 0 */
	vcpu->gpr[REG_RCX] = 4711; /* input, low: a connection there is not */
	vcpu->gpr[REG_RDI] = vcpu->gpr[REG_RSI] = 0;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX], 0);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 4711);
}
END_TEST

/* What the back end does not see at a glance - conforming code - is looked at closely. */
START_TEST(short_calls_the_long_way)
{
	vcpu->gpr[REG_RCX] = HV_CALL_SIGNAL_EVENT | HV_CALL_FAST;
	vcpu->gpr[REG_RDX] = 4711;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_CONNECTION_ID);
	vcpu->gpr[REG_RCX] = HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_CALL_FAST;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_YIELD);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	vcpu->gpr[REG_RCX] = HV_CALL_SEND_IPI | HV_CALL_FAST;
	vcpu->gpr[REG_RDX] = 0x44;
	vcpu->gpr[REG_R8] = 2;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	ck_assert(vm->vcpus[1]->lapic.pir[1] & BIT64(4));
	fake_vcpu(vcpu)->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
}
END_TEST

/* --- the control word --- */

static const struct {
	uint64_t control;
	enum hv_status status;
} refused[] = {
        {0x0000, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x0001, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x005e, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x7fff, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x8000, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0x8002, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0xffff, HV_STATUS_INVALID_HYPERCALL_CODE},
        {HV_CALL_FLUSH_SPACE | 1ULL << 27, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 30, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 31, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 44, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 63, HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* counts where none belong, none where some do, the start behind the end */
        {HV_CALL_FLUSH_SPACE | REPS(0, 1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | REPS(1, 0), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(2, 2), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(3, 2), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | VAR(1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_POST_MESSAGE | VAR(1), HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* more than a page, and more than registers hold */
        {HV_CALL_FLUSH_LIST | REPS(0, 510), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | REPS(0, 4095), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE_EX | VAR(0x3ff), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST_EX | VAR(0x3ff) | REPS(0, 4095), HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_POST_MESSAGE | HV_CALL_FAST, HV_STATUS_INVALID_HYPERCALL_INPUT},
        /* output has no way back in registers */
        {HV_CALL_EXT_QUERY_CAPABILITIES | HV_CALL_FAST, HV_STATUS_INVALID_HYPERCALL_INPUT},
};

START_TEST(control_words)
{
	ck_assert_uint_eq(call(refused[_i].control, INPUT, OUTPUT), refused[_i].status);
}
END_TEST

static const struct {
	uint64_t input, output;
	enum hv_status status;
} places[] = {
        {INPUT + 1, 0, HV_STATUS_INVALID_ALIGNMENT}, {INPUT + 4, 0, HV_STATUS_INVALID_ALIGNMENT},
        {INPUT + PAGE_SIZE - 248, 0, HV_STATUS_INVALID_ALIGNMENT}, /* crosses */
        {WORLD_MEM, 0, HV_STATUS_INVALID_PARAMETER},               /* no memory there */
        {0xa0000, 0, HV_STATUS_INVALID_PARAMETER},
        {~7ULL & ~PAGE_MASK, 0, HV_STATUS_INVALID_PARAMETER},
        {INPUT + PAGE_SIZE - 256, 0, HV_STATUS_INVALID_CONNECTION_ID}, /* fits */
};

START_TEST(input_blocks)
{
	struct hv_post_message_input message = {.connection_id = 99, .type = 1};

	put(INPUT + PAGE_SIZE - 256, &message, sizeof(message));
	ck_assert_uint_eq(
	        call(HV_CALL_POST_MESSAGE, places[_i].input, places[_i].output), places[_i].status);
}
END_TEST

START_TEST(output_blocks)
{
	uint64_t value = ~0ULL;

	put(OUTPUT, &value, 8);
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT + 4), HV_STATUS_INVALID_ALIGNMENT);
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, WORLD_MEM), HV_STATUS_INVALID_PARAMETER);
	/* The hypercall page is nobody's to write. */
	ck_assert_uint_eq(
	        call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, PAGE_AT), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(call(HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT), HV_STATUS_SUCCESS);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT), &value, 8), 0);
	ck_assert_uint_eq(value, 0);
}
END_TEST

static const struct {
	uint16_t code;
	enum hv_feature feature;
} privileged[] = {
        {HV_CALL_FLUSH_SPACE, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_LIST, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_SPACE_EX, HV_TLB_FLUSH},
        {HV_CALL_FLUSH_LIST_EX, HV_TLB_FLUSH},
        {HV_CALL_SEND_IPI, HV_IPI},
        {HV_CALL_SEND_IPI_EX, HV_IPI},
        {HV_CALL_POST_MESSAGE, HV_POST},
        {HV_CALL_SIGNAL_EVENT, HV_SIGNAL},
        {HV_CALL_NOTIFY_LONG_SPIN_WAIT, HV_SPIN_WAIT},
        {HV_CALL_EXT_QUERY_CAPABILITIES, HV_EXT_CALLS},
        {HV_CALL_GET_VP_REGISTERS, HV_VP_REGS},
        {HV_CALL_SET_VP_REGISTERS, HV_VP_REGS},
        {HV_CALL_START_VP, HV_START_VP},
};

START_TEST(without_the_feature)
{
	world(1, ALL & ~(1U << privileged[_i].feature));
	ck_assert_uint_eq(call(privileged[_i].code, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
	world(1, ALL);
	ck_assert_uint_ne(call(privileged[_i].code, INPUT, OUTPUT), HV_STATUS_ACCESS_DENIED);
}
END_TEST

/* --- flushes --- */

START_TEST(flush_named_processors)
{
	struct hv_flush_input in = {.processor_mask = 1ULL << 1 | 1ULL << 63};

	put(INPUT, &in, sizeof(in));
	vm->vcpus[0]->requests = vm->vcpus[1]->requests = 0;
	fake_vcpu(vcpu)->flushes = 0;
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(fake_vcpu(vcpu)->flushes, 0);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	in.flags = HV_FLUSH_ALL_PROCESSORS;
	in.processor_mask = 0;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(fake_vcpu(vcpu)->flushes, 1);
	in.flags = 1ULL << 4;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

/* One that runs has to come out first: the call is executed again until it has. */
START_TEST(flush_waits_for_who_runs)
{
	struct hv_flush_input in = {.flags = HV_FLUSH_ALL_PROCESSORS};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(1, 3), INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], HV_CALL_FLUSH_LIST | REPS(1, 3));
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xdead);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	other->requests = 0; /* out, and flushed */
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 3ULL << 32 | HV_STATUS_SUCCESS);
	ck_assert_uint_eq(other->requests, 0);
	/* The next call asks anew. */
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(0, 3), INPUT, 0), ACT_RESUME);
	other->running = 0;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
}
END_TEST

START_TEST(another_flush_in_between)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	put(INPUT + 64, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT + 64, 0), ACT_RESUME);
	ck_assert_uint_eq(other->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT + 64, 0), ACT_SKIP);
}
END_TEST

/* An interrupt handler's call with the very same input, and what a vCPU left when INIT came. */
START_TEST(the_same_flush_in_between)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	put(INPUT, &in, sizeof(in));
	other->requests = 0;
	other->running = 1;
	vcpu_reg_set(vcpu, REG_RSP, 0x9000);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	other->requests = 0; /* flushed, and in the guest again */
	vcpu_reg_set(vcpu, REG_RSP, 0x8f00);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(other->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_SKIP);
	vcpu_reg_set(vcpu, REG_RSP, 0x9000);
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	vm->pv->vcpu_reset(vcpu, false);
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
}
END_TEST

START_TEST(flush_by_banks)
{
	struct {
		struct hv_flush_ex_input head;
		uint64_t banks[2];
	} in = {.head = {.format = HV_VP_SET_SPARSE, .valid_banks = 3}, .banks = {2, ~0ULL}};

	vm->vcpus[1]->requests = 0;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(
	        call(HV_CALL_FLUSH_SPACE_EX | VAR(1), INPUT, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(vm->vcpus[1]->requests, 0);
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX | VAR(2), INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
	in.head.format = HV_VP_SET_ALL;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX, INPUT, 0), HV_STATUS_SUCCESS);
	in.head.format = 2;
	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE_EX, INPUT, 0), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

/* --- interrupts --- */

static bool posted(unsigned cpu, unsigned vector)
{
	return (vm->vcpus[cpu]->lapic.pir[vector / 64] & BIT64(vector % 64)) != 0;
}

START_TEST(cluster_ipi)
{
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x55, 2 | 1ULL << 40), HV_STATUS_SUCCESS);
	ck_assert(posted(1, 0x55));
	ck_assert(!posted(0, 0x55));
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x0f, 2), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(
	        call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x100, 2), HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(call(HV_CALL_SEND_IPI | HV_CALL_FAST, 1ULL << 32 | 0x55, 2),
	        HV_STATUS_INVALID_PARAMETER); /* another trust level */
}
END_TEST

START_TEST(cluster_ipi_by_banks)
{
	struct {
		struct hv_ipi_ex_input head;
		uint64_t bank;
	} in = {.head = {.vector = 0x66, .valid_banks = 1}, .bank = 3};

	put(INPUT, &in, sizeof(in));
	ck_assert_uint_eq(call(HV_CALL_SEND_IPI_EX | VAR(1), INPUT, 0), HV_STATUS_SUCCESS);
	ck_assert(posted(0, 0x66));
	ck_assert(posted(1, 0x66));
}
END_TEST

/* --- messages and events --- */

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

START_TEST(a_long_spin_yields)
{
	ck_assert_int_eq(go(HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_CALL_FAST, 100, 0), ACT_YIELD);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
}
END_TEST

/* --- one VP --- */

static struct {
	struct hv_vp_registers_input head;
	uint32_t names[8];
} get;
static struct {
	struct hv_vp_registers_input head;
	struct hv_register_assoc list[4];
} set;
static struct {
	struct hv_vp_index_input head;
	uint32_t ids[4];
} by_id;

static uint64_t get_registers(unsigned n)
{
	put(INPUT, &get, sizeof(get));
	return call(HV_CALL_GET_VP_REGISTERS | REPS(0, n), INPUT, OUTPUT);
}

static uint64_t set_registers(unsigned n)
{
	put(INPUT, &set, sizeof(set));
	return call(HV_CALL_SET_VP_REGISTERS | REPS(0, n), INPUT, 0);
}

static union hv_register_value output(unsigned i)
{
	union hv_register_value v;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT + 16 * i), &v, sizeof(v)), 0);
	return v;
}

static void self(struct hv_vp_registers_input *head)
{
	*head = (struct hv_vp_registers_input){
	        .partition = HV_PARTITION_SELF, .vp_index = HV_VP_SELF};
}

START_TEST(read_registers)
{
	static const uint32_t names[] = {HV_REG_RAX + REG_R12, HV_REG_CR3, HV_REG_RIP,
	        HV_REG_RAX + REG_RSP, HV_REG_ES + SEG_CS, HV_REG_GDTR, HV_REG_SINT15,
	        HV_REG_VP_INDEX};
	uint64_t ones = ~0ULL;

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	vcpu->gpr[REG_R12] = 0x1212;
	vcpu_reg_set(vcpu, REG_RSP, 0x7777);
	fake_vcpu(vcpu)->regs[REG_RIP] = 0x123456;
	fake_vcpu(vcpu)->tables[0] = (struct desc_table){.base = 0xffff800000001000, .limit = 0x7f};
	put(OUTPUT + 8, &ones, 8);
	ck_assert_uint_eq(get_registers(8), 8ULL << 32);
	ck_assert_uint_eq(output(0).low, 0x1212);
	ck_assert_uint_eq(output(0).words[1], 0);
	ck_assert_uint_eq(output(1).low, WORLD_TABLES);
	ck_assert_uint_eq(output(2).low, 0x123456);
	ck_assert_uint_eq(output(3).low, 0x7777);
	ck_assert_uint_eq(output(4).segment.attributes, 0xa09b);
	ck_assert_uint_eq(output(4).segment.selector, 8);
	ck_assert_uint_eq(output(4).segment.limit, 0xffffffff);
	ck_assert_uint_eq(output(5).table.base, 0xffff800000001000);
	ck_assert_uint_eq(output(5).table.limit, 0x7f);
	ck_assert_uint_eq(output(6).low, HV_SINT_RESET);
	ck_assert_uint_eq(output(7).low, 0);
	/* By its number, and from the middle of the list. */
	get.head.vp_index = 0;
	get.head.vtl = HV_INPUT_VTL_USED;
	put(INPUT, &get, sizeof(get));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_REGISTERS | REPS(7, 8), INPUT, OUTPUT), 8ULL << 32);
}
END_TEST

START_TEST(control_registers)
{
	static const uint32_t names[] = {
	        HV_REG_CR0, HV_REG_CR2, HV_REG_CR4, HV_REG_CR8, HV_REG_EFER};

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	fake_cr2 = 0xc2c2;
	lapic_set_cr8(&vcpu->lapic, 7);
	ck_assert_uint_eq(get_registers(5), 5ULL << 32);
	ck_assert_uint_eq(output(0).low, fake_vcpu(vcpu)->regs[REG_CR0]);
	ck_assert_uint_eq(output(1).low, 0xc2c2);
	ck_assert_uint_eq(output(2).low, CR4_PAE);
	ck_assert_uint_eq(output(3).low, 7);
	ck_assert_uint_eq(output(4).low, fake_vcpu(vcpu)->regs[REG_EFER]);
}
END_TEST

START_TEST(registers_there_are_not)
{
	static const uint32_t names[] = {HV_REG_CR3, 0xdead, HV_REG_CR3};

	self(&get.head);
	memcpy(get.names, names, sizeof(names));
	/* What came before it is done. */
	ck_assert_uint_eq(get_registers(3), 1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(output(0).low, WORLD_TABLES);
	/* More than a page of output. */
	ck_assert_uint_eq(get_registers(257), HV_STATUS_INVALID_HYPERCALL_INPUT);
}
END_TEST

START_TEST(write_registers)
{
	self(&set.head);
	set.list[0].name = HV_REG_RAX + REG_R12;
	set.list[0].value.low = 0x1313;
	set.list[1].name = HV_REG_SINT0 + 2;
	set.list[1].value.low = 0xf3;
	ck_assert_uint_eq(set_registers(2), 2ULL << 32);
	ck_assert_uint_eq(vcpu->gpr[REG_R12], 0x1313);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), 0xf3);
	set.list[1].value.low = 3; /* no such vector */
	ck_assert_uint_eq(set_registers(2), 1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), 0xf3);
	set.list[0].name = HV_REG_CR3;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_ACCESS_DENIED);
	ck_assert_uint_eq(fake_vcpu(vcpu)->regs[REG_CR3], WORLD_TABLES);
	set.list[0].name = HV_REG_VP_INDEX;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_INVALID_PARAMETER);
	set.list[0].name = 7;
	ck_assert_uint_eq(set_registers(1), HV_STATUS_INVALID_PARAMETER);
}
END_TEST

static const struct {
	struct hv_vp_registers_input head;
	enum hv_status status;
} others[] = {
        {{0, HV_VP_SELF, 0, {0}}, HV_STATUS_INVALID_PARTITION_ID},
        {{HV_PARTITION_SELF, 2, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
        {{HV_PARTITION_SELF, ~0U, 0, {0}}, HV_STATUS_INVALID_VP_INDEX},
        {{HV_PARTITION_SELF, HV_VP_SELF, 0x11, {0}}, HV_STATUS_INVALID_PARAMETER},
        {{HV_PARTITION_SELF, HV_VP_SELF, 0x20, {0}}, HV_STATUS_INVALID_PARAMETER},
};

START_TEST(registers_of_others)
{
	get.head = set.head = others[_i].head;
	get.names[0] = set.list[0].name = HV_REG_RAX;
	ck_assert_uint_eq(get_registers(1), others[_i].status);
	ck_assert_uint_eq(set_registers(1), others[_i].status);
}
END_TEST

/* What a VP's CPU does before it enters the guest. */
static void serve_call(struct vcpu *other)
{
	struct vcpu_call *c = other->call;

	ck_assert_ptr_nonnull(c);
	other->call = NULL;
	c->fn(other, c->arg);
}

static struct {
	struct hv_vp_registers_input head;
	uint32_t names[40];
} get_many;

/* Another's, by its own CPU; some at a time, and executed again until all are there. */
START_TEST(read_registers_of_another)
{
	struct vcpu *other = vm->vcpus[1];
	unsigned rounds = 0;

	get_many.head =
	        (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	for (unsigned i = 0; i < 40; i++) {
		get_many.names[i] = i == 39 ? 0xdead : HV_REG_RAX + REG_R8 + i % 8;
	}
	for (unsigned i = 0; i < 8; i++) {
		other->gpr[REG_R8 + i] = 0x4000 + i;
		vcpu->gpr[REG_R8 + i] = 0x5000 + i;
	}
	put(INPUT, &get_many, sizeof(get_many));
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 40), INPUT, OUTPUT), ACT_RESUME);
	for (; hv_hypercall(vcpu) == ACT_RESUME; rounds++) {
		ck_assert_uint_lt(rounds, 10);
		if (other->call) {
			serve_call(other);
		}
	}
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 39ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	for (unsigned i = 0; i < 39; i++) {
		ck_assert_uint_eq(output(i).low, 0x4000 + i % 8);
	}
}
END_TEST

START_TEST(write_registers_of_another)
{
	struct vcpu *other = vm->vcpus[1];

	set.head = (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	set.list[0].name = HV_REG_RAX + REG_R12;
	set.list[0].value.low = 0x1313;
	set.list[1].name = HV_REG_SINT0 + 2;
	set.list[1].value.low = 0xf3;
	put(INPUT, &set, sizeof(set));
	ck_assert_int_eq(go(HV_CALL_SET_VP_REGISTERS | REPS(0, 2), INPUT, 0), ACT_RESUME);
	ck_assert_uint_ne(other->gpr[REG_R12], 0x1313);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 2ULL << 32);
	ck_assert_uint_eq(other->gpr[REG_R12], 0x1313);
	ck_assert_uint_eq(rd(other, HV_MSR_SINT0 + 2), 0xf3);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SINT0 + 2), HV_SINT_RESET);
	/* Control registers have their instructions, here too. */
	set.list[1].name = HV_REG_CR3;
	put(INPUT, &set, sizeof(set));
	ck_assert_int_eq(go(HV_CALL_SET_VP_REGISTERS | REPS(1, 2), INPUT, 0), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 1ULL << 32 | HV_STATUS_ACCESS_DENIED);
}
END_TEST

START_TEST(registers_while_others_want_it)
{
	struct vcpu *other = vm->vcpus[1];
	struct vcpu_call busy = {0};

	get.head = (struct hv_vp_registers_input){.partition = HV_PARTITION_SELF, .vp_index = 1};
	get.names[0] = HV_REG_RAX + REG_R12;
	get.names[1] = HV_REG_RAX + REG_R13;
	other->gpr[REG_R12] = 12;
	other->gpr[REG_R13] = 13;
	put(INPUT, &get, sizeof(get));
	/* The monitor looks at it. */
	ck_assert(vcpu_call(other, &busy));
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	ck_assert_ptr_eq(other->call, &busy);
	other->call = NULL;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* An interrupt handler asks, too: each gets its own. */
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 2), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 2ULL << 32);
	ck_assert_uint_eq(output(1).low, 13);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	/* INIT, and the same call in the next life: not the old answer. */
	serve_call(other);
	other->gpr[REG_R12] = 0x1212;
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(output(0).low, 0x1212);
	/* The same while it is being answered. */
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(go(HV_CALL_GET_VP_REGISTERS | REPS(0, 1), INPUT, OUTPUT), ACT_RESUME);
	serve_call(other);
	other->gpr[REG_R12] = 0x1313;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(output(0).low, 0x1313);
}
END_TEST

START_TEST(vp_index_by_apic_id)
{
	uint32_t found[3];

	by_id.head = (struct hv_vp_index_input){.partition = HV_PARTITION_SELF};
	by_id.ids[0] = 1;
	by_id.ids[1] = 0;
	by_id.ids[2] = 2;
	put(INPUT, &by_id, sizeof(by_id));
	for (unsigned i = 0; i < 2; i++) {
		/* Either feature brings it. */
		world(2, 1U << (i ? HV_VP_REGS : HV_START_VP));
		put(INPUT, &by_id, sizeof(by_id));
		ck_assert_uint_eq(
		        call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 3), INPUT, OUTPUT),
		        2ULL << 32 | HV_STATUS_INVALID_PARAMETER);
		ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT), found, 12), 0);
		ck_assert_uint_eq(found[0], 1);
		ck_assert_uint_eq(found[1], 0);
	}
	by_id.head.partition = 5;
	put(INPUT, &by_id, sizeof(by_id));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 1), INPUT, OUTPUT),
	        HV_STATUS_INVALID_PARTITION_ID);
	world(2, ALL & ~(1U << HV_VP_REGS | 1U << HV_START_VP));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 1), INPUT, OUTPUT),
	        HV_STATUS_ACCESS_DENIED);
}
END_TEST

/* --- starting a VP --- */

static const struct hv_start_input long_mode = {
        .partition = HV_PARTITION_SELF,
        .vp_index = 1,
        .context = {.rip = 0xffffffff80001000,
                .rsp = 0x8000,
                .rflags = 2,
                .cs = {.limit = ~0U, .selector = 8, .attributes = 0xa09b},
                .ss = {.limit = ~0U, .selector = 16, .attributes = 0xc093},
                .gs = {.base = 0xffff888000000000, .limit = ~0U, .attributes = 0xc093},
                .tr = {.limit = 0x67, .selector = 24, .attributes = 0x8b},
                .idtr = {.limit = 0xfff, .base = 0xffffffff80002000},
                .gdtr = {.limit = 0x7f, .base = 0xffffffff80003000},
                .efer = EFER_LME | EFER_LMA,
                .cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_ET,
                .cr3 = WORLD_TABLES,
                .cr4 = CR4_PAE,
                .pat = 0x0007040600070406},
};

static struct vcpu *waiting_vp(void)
{
	struct vcpu *other = vm->vcpus[1];

	vcpu_init_signal(other);
	other->requests = 0;
	return other;
}

static enum exit_action start_vp(const struct hv_start_input *in)
{
	put(INPUT, in, sizeof(*in));
	return go(HV_CALL_START_VP, INPUT, 0);
}

START_TEST(start_a_vp)
{
	struct vcpu *other = waiting_vp();
	struct fake_vcpu *f = fake_vcpu(other);

	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert(other->requests & BIT64(VCPU_REQ_CALL));
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(f->regs[REG_RIP], 0xffffffff80001000);
	ck_assert_uint_eq(f->regs[REG_RSP], 0x8000);
	ck_assert_uint_eq(f->regs[REG_CR3], WORLD_TABLES);
	ck_assert_uint_eq(f->regs[REG_EFER], EFER_LME | EFER_LMA);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xa09b);
	ck_assert_uint_eq(f->segs[SEG_GS].base, 0xffff888000000000);
	ck_assert(f->segs[SEG_LDTR].unusable);
	ck_assert_uint_eq(f->tables[1].limit, 0xfff);
	/* It runs: not a second time. */
	ck_assert_int_eq(start_vp(&long_mode), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
}
END_TEST

START_TEST(start_while_others_want_it)
{
	struct vcpu *other = waiting_vp();
	struct vcpu_call busy = {0};

	/* The monitor looks at it. */
	ck_assert(vcpu_call(other, &busy));
	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert_ptr_eq(other->call, &busy);
	other->call = NULL;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* A pause comes in between: asked again after it. */
	other->state = VCPU_STOPPED;
	serve_call(other);
	other->state = VCPU_WAIT_SIPI;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_RESUME);
	/* A SIPI was faster. */
	other->state = VCPU_RUNNABLE;
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_ne(vcpu->gpr[REG_RAX], HV_STATUS_SUCCESS);
}
END_TEST

/* What a VP asked before its INIT is not answered to it after that. */
START_TEST(start_by_one_that_gets_init)
{
	struct vcpu *other = waiting_vp();

	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
	vm->pv->vcpu_reset(vcpu, false);
	waiting_vp();
	ck_assert_int_eq(start_vp(&long_mode), ACT_RESUME);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	/* Again, before the answer: it is another's question now. */
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_int_eq(start_vp(&long_mode), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
	serve_call(other);
	ck_assert_int_eq(other->state, VCPU_RUNNABLE);
}
END_TEST

/* Control registers that their instructions would refuse: it waits for SIPI as before. */
START_TEST(start_with_bad_control_registers)
{
	struct hv_start_input in = long_mode;
	struct vcpu *other = waiting_vp();

	in.context.cr4 = 0; /* long mode without PAE */
	ck_assert_int_eq(start_vp(&in), ACT_RESUME);
	serve_call(other);
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(other->state, VCPU_WAIT_SIPI);
	ck_assert_int_eq(other->pending.type, EVENT_NONE);
	ck_assert_uint_eq(fake_vcpu(other)->regs[REG_EFER], 0);
}
END_TEST

START_TEST(start_with_a_bad_context)
{
	struct hv_start_input in[16];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(in); i++) {
		in[i] = long_mode;
	}
	in[n++].context.rip = 1ULL << 47;
	in[n++].context.rflags = 0;
	in[n++].context.rflags = 1ULL << 17 | 2;
	in[n++].context.rflags = 1ULL << 32 | 2;
	in[n++].context.cs.attributes = 0xe09b; /* L and D */
	in[n++].context.cs.attributes = 0xa0fb; /* CPL 3 */
	in[n++].context.cs.attributes = 0xc093; /* data */
	in[n++].context.ss.attributes = 0xc091; /* read-only */
	in[n++].context.gs.base = 1ULL << 47;
	in[n++].context.ds = (struct hv_segment){.base = 1ULL << 32, .attributes = 0xc093};
	in[n++].context.tr.attributes = 0x89; /* not busy */
	in[n++].context.tr.attributes = 0;
	in[n++].context.ldtr.attributes = 0x8b;
	in[n++].context.gdtr.base = 1ULL << 63;
	in[n++].context.pat = 2;
	in[n++].context.cr0 = 0;
	waiting_vp();
	for (unsigned i = 0; i < n; i++) {
		ck_assert_msg(start_vp(&in[i]) == ACT_SKIP, "row %u", i);
		ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_PARAMETER);
	}
	in[0] = long_mode;
	in[0].vp_index = 0;
	ck_assert_int_eq(start_vp(&in[0]), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], HV_STATUS_INVALID_VP_STATE);
}
END_TEST

UNIT_MAIN("hypercall", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, only_the_kernel_with_a_page); tcase_add_test(tc, in_32_bit_code);
          tcase_add_loop_test(tc, control_words, 0, ARRAY_SIZE(refused));
          tcase_add_loop_test(tc, input_blocks, 0, ARRAY_SIZE(places));
          tcase_add_test(tc, output_blocks);
          tcase_add_loop_test(tc, without_the_feature, 0, ARRAY_SIZE(privileged));
          tcase_add_test(tc, flush_named_processors); tcase_add_test(tc, flush_waits_for_who_runs);
          tcase_add_test(tc, another_flush_in_between);
          tcase_add_test(tc, the_same_flush_in_between); tcase_add_test(tc, flush_by_banks);
          tcase_add_test(tc, cluster_ipi); tcase_add_test(tc, cluster_ipi_by_banks);
          tcase_add_test(tc, messages_to_ports); tcase_add_test(tc, events_to_ports);
          tcase_add_test(tc, ports_until_full); tcase_add_test(tc, ports_come_and_go);
          tcase_add_test(tc, short_calls_the_long_way); tcase_add_test(tc, a_long_spin_yields);
          tcase_add_test(tc, read_registers); tcase_add_test(tc, control_registers);
          tcase_add_test(tc, registers_there_are_not); tcase_add_test(tc, write_registers);
          tcase_add_loop_test(tc, registers_of_others, 0, ARRAY_SIZE(others));
          tcase_add_test(tc, vp_index_by_apic_id); tcase_add_test(tc, read_registers_of_another);
          tcase_add_test(tc, write_registers_of_another);
          tcase_add_test(tc, registers_while_others_want_it);
          tcase_add_test(tc, start_by_one_that_gets_init); tcase_add_test(tc, start_a_vp);
          tcase_add_test(tc, start_while_others_want_it);
          tcase_add_test(tc, start_with_bad_control_registers);
          tcase_add_test(tc, start_with_a_bad_context);)
