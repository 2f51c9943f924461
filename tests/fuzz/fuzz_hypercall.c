// SPDX-License-Identifier: BSD-2-Clause
/*
 * Hypercalls with any control word, any registers, and any input block, some of them where no
 * memory is. Whatever the guest says: one of the actions a call may end with, a result it can read,
 * and nothing written outside the output block.
 */
#include "hypercall/hypercall.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv_world.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define CODE_PAGE 0x100000ULL
#define INPUT 0x200000ULL
#define OUTPUT 0x300000ULL
#define MAX_CALLS 64U

struct source {
	const uint8_t *data;
	size_t left;
};

static struct vm *vm;
static uint8_t before[PAGE_SIZE];

static uint64_t take(struct source *s, unsigned n)
{
	uint64_t v = 0;

	n = n < s->left ? n : (unsigned)s->left;
	memcpy(&v, s->data, n);
	s->data += n;
	s->left -= n;
	return v;
}

static enum hv_status on_message(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	const uint8_t *bytes = payload;
	unsigned sum = 0;

	(void)owner;
	FUZZ_CHECK(type != HV_MESSAGE_NONE && !(type & HV_MESSAGE_TYPE_HYPERVISOR));
	FUZZ_CHECK(size <= HV_MESSAGE_PAYLOAD);
	for (uint32_t i = 0; i < size; i++) {
		sum += bytes[i];
	}
	return sum & 1 ? HV_STATUS_INSUFFICIENT_BUFFERS : HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *owner, uint32_t id, uint16_t flag)
{
	(void)owner;
	FUZZ_CHECK(id <= 7 && flag < HV_EVENT_FLAGS);
	return HV_STATUS_SUCCESS;
}

static const struct synic_port_ops port = {.message = on_message, .event = on_event};

static uint64_t a_code(struct source *s)
{
	static const uint16_t codes[] = {0x02, 0x03, 0x08, 0x0b, 0x13, 0x14, 0x15, 0x50, 0x51, 0x5c,
	        0x5d, 0x99, 0x9a, 0x8001};
	unsigned i = (unsigned)take(s, 1);

	return i < 0xf0 ? codes[i % ARRAY_SIZE(codes)] : take(s, 2);
}

/* Mostly a control word that gets past the first checks. */
static uint64_t a_control(struct source *s)
{
	unsigned kind = (unsigned)take(s, 1);
	uint64_t control = a_code(s);

	if (kind >= 0xf0) {
		return take(s, 8);
	}
	control |= kind & 1 ? HV_CALL_FAST : 0;
	control |= kind & 2 ? (take(s, 1) & 7) << HV_CALL_VAR_SHIFT : 0;
	if (kind & 4) {
		control |= (take(s, 1) & 63) << HV_CALL_REP_COUNT_SHIFT;
	}
	if (kind & 8) {
		control |= (take(s, 1) & 15) << HV_CALL_REP_START_SHIFT;
	}
	return control;
}

static uint64_t a_place(struct source *s, uint64_t usual)
{
	unsigned kind = (unsigned)take(s, 1);

	switch (kind & 7) {
	case 0:
		return take(s, 8);
	case 1:
		return usual + take(s, 2);
	case 2:
		return WORLD_MEM - 8 * (kind >> 3);
	case 3:
		return CODE_PAGE;
	case 4:
		return usual + PAGE_SIZE - 8 * (kind >> 3);
	default:
		return usual;
	}
}

/* The other vCPU leaves the guest and does what it is asked for. */
static void other_leaves(void)
{
	struct vcpu *other = vm->vcpus[1];
	struct vcpu_call *call = other->call;

	other->running = 0;
	other->requests = 0;
	other->call = NULL;
	if (call) {
		call->fn(other, call->arg);
	}
}

/* A call that asks to be executed again is, with the others out of the guest by then. */
static void one_call(struct source *s)
{
	struct vcpu *vcpu = vm->vcpus[0];
	enum exit_action action = ACT_RESUME;
	uint8_t input[256], after[PAGE_SIZE];
	unsigned how;
	bool wide = fake_vcpu(vcpu)->regs[REG_EFER] != 0;
	uint64_t control = a_control(s), in = a_place(s, INPUT), out = a_place(s, OUTPUT);

	for (unsigned i = 0; i < sizeof(input); i += 8) {
		uint64_t word = take(s, 8);

		memcpy(input + i, &word, 8);
	}
	FUZZ_CHECK(gmem_write(&vm->mem, gpa(INPUT), input, sizeof(input)) == 0);
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0x5151515151515151ULL;
	}
	if (wide) {
		vcpu->gpr[REG_RCX] = control;
		vcpu->gpr[REG_RDX] = in;
		vcpu->gpr[REG_R8] = out;
	} else {
		vcpu->gpr[REG_RDX] = control >> 32;
		vcpu->gpr[REG_RAX] = (uint32_t)control;
		vcpu->gpr[REG_RBX] = in >> 32;
		vcpu->gpr[REG_RCX] = (uint32_t)in;
		vcpu->gpr[REG_RDI] = out >> 32;
		vcpu->gpr[REG_RSI] = (uint32_t)out;
	}
	how = (unsigned)take(s, 1);
	vm->vcpus[1]->running = how & 1;
	/* Seen at a glance or not, it is the same call. */
	vcpu->exit.call.kernel64 = wide && (how & 2);
	for (unsigned turn = 0; action == ACT_RESUME; turn++) {
		FUZZ_CHECK(turn < 100);
		action = hv_hypercall(vcpu);
		other_leaves();
	}
	FUZZ_CHECK(action == ACT_SKIP || action == ACT_YIELD || action == ACT_FAULT);
	if (action == ACT_FAULT) {
		vcpu->pending.type = EVENT_NONE;
		return;
	}
	if (wide) {
		uint64_t result = vcpu->gpr[REG_RAX];

		FUZZ_CHECK((result & ~(0xfffULL << HV_RESULT_REPS_SHIFT | 0xffff)) == 0);
		FUZZ_CHECK((result >> HV_RESULT_REPS_SHIFT) <= (control >> 32 & HV_CALL_REP_MASK));
	}
	/* The code page is nobody's to write. */
	FUZZ_CHECK(gmem_read(&vm->mem, gpa(CODE_PAGE), after, PAGE_SIZE) == 0);
	FUZZ_CHECK(memcmp(before, after, PAGE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {.data = data, .left = len};
	unsigned how = (unsigned)take(&s, 1);
	bool ok;

	vm = hv_world(2, how & 1 ? ALL : (uint32_t)take(&s, 4));
	fake_log_clear();
	ok = synic_port_add(vm, 0, 7, &port, NULL) == 0 &&
	     hv_msr_write(vm->vcpus[0], HV_MSR_GUEST_OS_ID, 1) &&
	     hv_msr_write(vm->vcpus[0], HV_MSR_HYPERCALL, CODE_PAGE | 1);
	FUZZ_CHECK(ok);
	FUZZ_CHECK(gmem_read(&vm->mem, gpa(CODE_PAGE), before, PAGE_SIZE) == 0);
	if (how & 2) {
		fake_vcpu(vm->vcpus[0])->regs[REG_EFER] = 0;
		fake_vcpu(vm->vcpus[0])->segs[SEG_CS].attr = 0xc09b;
	}
	if (how & 4) {
		vm->vcpus[1]->state = VCPU_WAIT_SIPI;
	}
	for (unsigned i = 0; i < MAX_CALLS && s.left > 0; i++) {
		one_call(&s);
	}
	return 0;
}
