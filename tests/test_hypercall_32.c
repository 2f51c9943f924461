// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls of 32-bit callers: the same calls by other registers, whatever pages the guest.
// Specs: [TLFS] "Hypercall Inputs", "Hypercall Outputs", "XMM Fast Hypercall Input".
#include "hypercall/hypercall.h"

#include "tests/hv_world.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x100000ULL
#define INPUT 0x200000ULL
#define OUTPUT 0x201000ULL
#define REPS(start, count) ((uint64_t)(count) << 32 | (uint64_t)(start) << 48)
#define JUNK 0xabcdef0100000000ULL /* what 64-bit code left in the upper halves */

static struct vm *vm;
static struct vcpu *vcpu;

/* Modes a kernel may call from. */
static const struct {
	const char *name;
	uint64_t cr0, cr4, efer;
	uint16_t cs;
} modes[] = {
        {"no paging", CR0_PE, 0, 0, 0xc09b},
        {"legacy paging", CR0_PE | CR0_PG, 0, 0, 0xc09b},
        {"PAE", CR0_PE | CR0_PG, CR4_PAE, 0, 0xc09b},
        {"16-bit segment", CR0_PE, 0, 0, 0x009b},
        {"L without long mode", CR0_PE | CR0_PG, CR4_PAE, EFER_LME, 0xe09b},
        {"compatibility mode", CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0xc09b},
};

static void set_mode(int i)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	f->regs[REG_CR0] = modes[i].cr0;
	f->regs[REG_CR4] = modes[i].cr4;
	f->regs[REG_EFER] = modes[i].efer;
	f->segs[SEG_CS].attr = modes[i].cs;
	vcpu->exit.call.kernel64 = false;
}

static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	vm = hv_world(2, ALL);
	vcpu = vm->vcpus[0];
	ck_assert(hv_msr_write(vcpu, HV_MSR_GUEST_OS_ID, 0x8100ULL << 48));
	ck_assert(hv_msr_write(vcpu, HV_MSR_HYPERCALL, PAGE_AT | 1));
}

static enum exit_action go(uint64_t control, uint64_t in, uint64_t out)
{
	vcpu->gpr[REG_RDX] = JUNK | control >> 32;
	vcpu->gpr[REG_RAX] = JUNK | (uint32_t)control;
	vcpu->gpr[REG_RBX] = JUNK | in >> 32;
	vcpu->gpr[REG_RCX] = JUNK | (uint32_t)in;
	vcpu->gpr[REG_RDI] = JUNK | out >> 32;
	vcpu->gpr[REG_RSI] = JUNK | (uint32_t)out;
	vcpu->gpr[REG_R8] = JUNK;
	return hv_hypercall(vcpu);
}

/* EDX:EAX, and nothing above either. */
static uint64_t result(void)
{
	ck_assert_uint_eq(vcpu->gpr[REG_RAX] >> 32, 0);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX] >> 32, 0);
	return vcpu->gpr[REG_RDX] << 32 | vcpu->gpr[REG_RAX];
}

static uint64_t call(uint64_t control, uint64_t in, uint64_t out)
{
	ck_assert_int_eq(go(control, in, out), ACT_SKIP);
	return result();
}

static void put(uint64_t at, const void *data, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), data, len), 0);
}

static struct {
	uint32_t type, size, id;
	uint16_t flag;
} got;

static enum hv_status on_message(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	(void)owner;
	(void)payload;
	got.type = type;
	got.size = size;
	return HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *owner, uint32_t id, uint16_t flag)
{
	(void)owner;
	got.id = id;
	got.flag = flag;
	return HV_STATUS_SUCCESS;
}

static const struct synic_port_ops port = {.message = on_message, .event = on_event};

START_TEST(each_form)
{
	struct hv_post_message_input message = {.connection_id = 7, .type = 3, .payload_size = 5};
	struct {
		struct hv_vp_index_input head;
		uint32_t ids[2];
	} by_id = {.head = {.partition = HV_PARTITION_SELF}, .ids = {1, 9}};
	uint32_t index = ~0U;

	set_mode(_i);
	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(synic_port_add(vm, 7, 7, &port, NULL), 0);
	/* fast */
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7 | 5ULL << 32, 0), 0);
	ck_assert_uint_eq(got.id, 7);
	ck_assert_uint_eq(got.flag, 5);
	ck_assert_uint_eq(call(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x55, 2), 0);
	ck_assert(vm->vcpus[1]->lapic.pir[1] & BIT64(0x55 - 64));
	ck_assert_int_eq(go(HV_CALL_NOTIFY_LONG_SPIN_WAIT | HV_CALL_FAST, 1, 0), ACT_YIELD);
	ck_assert_uint_eq(result(), 0);
	/* slow, without output and with it, an error behind the first element */
	put(INPUT, &message, sizeof(message));
	ck_assert_uint_eq(call(HV_CALL_POST_MESSAGE, INPUT, 0), 0);
	ck_assert_uint_eq(got.type, 3);
	ck_assert_uint_eq(got.size, 5);
	put(INPUT, &by_id, sizeof(by_id));
	ck_assert_uint_eq(call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | REPS(0, 2), INPUT, OUTPUT),
	        1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(OUTPUT), &index, 4), 0);
	ck_assert_uint_eq(index, 1);
	/* addresses have 64 bits */
	ck_assert_uint_eq(
	        call(HV_CALL_POST_MESSAGE, 1ULL << 32 | INPUT, 0), HV_STATUS_INVALID_PARAMETER);
	/* reserved bits in either half, a call there is not */
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST | 1ULL << 27, 7, 0),
	        HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST | 1ULL << 60, 7, 0),
	        HV_STATUS_INVALID_HYPERCALL_INPUT);
	ck_assert_uint_eq(call(1, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
}
END_TEST

/* What is executed again has its count in EDX. */
START_TEST(a_call_that_goes_on)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	set_mode(_i);
	put(INPUT, &in, sizeof(in));
	other->running = 1;
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(1, 3), INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(result(), HV_CALL_FLUSH_LIST | REPS(1, 3));
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], JUNK | INPUT);
	other->requests = 0;
	ck_assert_int_eq(hv_hypercall(vcpu), ACT_SKIP);
	ck_assert_uint_eq(result(), 3ULL << 32);
}
END_TEST

/* Two flushes of one place on one stack that differ in the call alone. */
START_TEST(another_call_in_between)
{
	struct hv_flush_input in = {.processor_mask = 2};
	struct vcpu *other = vm->vcpus[1];

	set_mode(2);
	put(INPUT, &in, sizeof(in));
	other->running = 1;
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_SPACE, INPUT, 0), ACT_RESUME);
	other->requests = 0;
	ck_assert_int_eq(go(HV_CALL_FLUSH_LIST | REPS(0, 1), INPUT, 0), ACT_RESUME);
	ck_assert_uint_eq(other->requests, BIT64(VCPU_REQ_FLUSH_GUEST));
}
END_TEST

START_TEST(input_in_xmm)
{
	set_mode(_i);
	/* XMM0 is zero: a flush of nobody. */
	ck_assert_uint_eq(call(HV_CALL_FLUSH_SPACE | HV_CALL_FAST, 0, HV_FLUSH_ALL_SPACES), 0);
}
END_TEST

START_TEST(who_may_not)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);

	set_mode(2);
	f->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
	vcpu->pending.type = EVENT_NONE;
	f->segs[SEG_SS].attr &= (uint16_t) ~(3U << SEG_ATTR_DPL_SHIFT);
	f->regs[REG_CR0] = 0; /* real mode */
	ck_assert_int_eq(go(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 7, 0), ACT_FAULT);
	ck_assert_uint_eq(vcpu->pending.vector, X86_UD);
}
END_TEST

UNIT_MAIN("hypercall_32", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, each_form, 0, ARRAY_SIZE(modes));
          tcase_add_loop_test(tc, a_call_that_goes_on, 0, ARRAY_SIZE(modes));
          tcase_add_test(tc, another_call_in_between);
          tcase_add_loop_test(tc, input_in_xmm, 0, ARRAY_SIZE(modes));
          tcase_add_test(tc, who_may_not);)
